// SPDX-License-Identifier: GPL-3.0-or-later
//
// The form of the picture, decided on pictures: fields, bars, size, colour.
#include "media/film.h"

#include <stdlib.h>
#include <string.h>

#define MOVES     FEATURE_ONE // mean level of difference
#define MIN_VOTES 4
#define MIN_BAR   4 // pixels, and a hundredth of the side
#define LIT_PPM   900000

// --- fields -------------------------------------------------------------------------------------

// Each field against the other field of its own picture, and against that of the picture before:
// what the second has more than the first is motion between the two (standing edges, of bars
// too, cancel). In a progressive film both fields moved alike. In an interlaced one the first field
// of a picture is as near to the second field before it as to the one behind it, so its excess
// is next to nothing; the second field's is not. (The idea is that of ffmpeg's idet.)
enum vote { VOTE_NONE, VOTE_PROGRESSIVE, VOTE_TOP, VOTE_BOTTOM };

static enum vote vote_of(const struct media_feature *f)
{
    if ((f->flags & (FEATURE_FIRST | FEATURE_RESIZED)) || film_is_black(f)) {
        return VOTE_NONE;
    }
    int64_t top = (int64_t)f->top_on_bottom - f->comb_bottom;
    int64_t bottom = (int64_t)f->bottom_on_top - f->comb_top;
    int64_t low = MIN(top, bottom), high = MAX(top, bottom);
    if (high < MOVES) {
        return VOTE_NONE;
    }
    if (low * 2 > high) {
        return VOTE_PROGRESSIVE;
    }
    // Motion between fields stands out as combs: rows differ more from the other field's than from
    // the next of their own. Noise does not.
    bool combed =
        ((uint64_t)f->comb_top + f->comb_bottom) * 2 > (uint64_t)f->field_steps * 3;
    if (low * 5 < high && combed) {
        return top < bottom ? VOTE_TOP : VOTE_BOTTOM;
    }
    return VOTE_NONE;
}

enum scan { SCAN_PROGRESSIVE, SCAN_TFF, SCAN_BFF, SCAN_MIXED };
static const char *const scan_names[] = {"progressive", "tff", "bff", "mixed"};

static enum scan scan_by_votes(const int64_t votes[4], bool flagged, bool top_first)
{
    int64_t fields = votes[VOTE_TOP] + votes[VOTE_BOTTOM];
    int64_t all = fields + votes[VOTE_PROGRESSIVE];
    if (all <
        MIN_VOTES) { // nothing moves: the stream's word, where nothing speaks against it
        bool believed = flagged && votes[VOTE_PROGRESSIVE] == 0;
        return !believed ? SCAN_PROGRESSIVE : top_first ? SCAN_TFF : SCAN_BFF;
    }
    if (fields * 10 < all) {
        return SCAN_PROGRESSIVE;
    }
    if (fields * 10 < all * 6) {
        return SCAN_MIXED;
    }
    return votes[VOTE_TOP] >= 3 * votes[VOTE_BOTTOM]   ? SCAN_TFF
           : votes[VOTE_BOTTOM] >= 3 * votes[VOTE_TOP] ? SCAN_BFF
                                                       : SCAN_MIXED;
}

int film_detect_scan(struct media_film *film, char ret_scan[16])
{
    int64_t votes[4] = {0}, flagged = 0, top_first = 0;
    for (int64_t i = 0; i < film->count; i++) {
        votes[vote_of(&film->frames[i])]++;
        flagged += (film->frames[i].flags & FEATURE_INTERLACED) != 0;
        top_first += (film->frames[i].flags & FEATURE_TOP_FIRST) != 0;
    }
    bool says_interlaced = flagged * 2 > film->count;
    enum scan scan = scan_by_votes(votes, says_interlaced, top_first * 2 > film->count);
    TRY(str_copy(ret_scan, 16, str_of(scan_names[scan])));
    bool interlaced = scan != SCAN_PROGRESSIVE;
    if (!interlaced && !says_interlaced) {
        return 0;
    }
    bool hidden = interlaced && !says_interlaced;
    return film_add(film, interlaced ? "interlaced" : "field_order",
                    hidden ? FINDING_WARNING : FINDING_INFO, 0, film->count,
                    json_pack("{s:s, s:I, s:I, s:I, s:I}", "scan", scan_names[scan],
                              "top_first", (json_int_t)votes[VOTE_TOP], "bottom_first",
                              (json_int_t)votes[VOTE_BOTTOM], "progressive",
                              (json_int_t)votes[VOTE_PROGRESSIVE], "flagged_interlaced",
                              (json_int_t)flagged));
}

// --- bars -----------------------------------------------------------------------------------------

// Bars come in pairs of about the same width; one alone is a dark place in the picture.
static void bar_pair(int *one, int *other, int side)
{
    int least = MAX(MIN_BAR, side / 100);
    bool pair =
        MIN(*one, *other) >= least && abs(*one - *other) <= MAX(MAX(*one, *other) / 4, 4);
    *one = pair ? *one / 2 * 2 : 0;
    *other = pair ? *other / 2 * 2 : 0;
}

int film_detect_crop(struct media_film *film, struct media_crop *ret)
{
    const int width = film->stream->width, height = film->stream->height;
    struct media_crop whole = {0, 0, width, height};
    int left = width, right = width, top = height, bottom = height;
    int64_t lit = 0;
    for (int64_t i = 0; i < film->count; i++) {
        const struct media_feature *f = &film->frames[i];
        if (f->black_ppm > LIT_PPM) {
            continue;
        }
        lit++;
        left = MIN(left, f->left);
        right = MIN(right, f->right);
        top = MIN(top, f->top);
        bottom = MIN(bottom, f->bottom);
    }
    *ret = whole;
    bar_pair(&left, &right, width);
    bar_pair(&top, &bottom, height);
    bool sane = left + right < width * 3 / 4 && top + bottom < height * 3 / 4;
    if (lit == 0 || !sane || left + right + top + bottom == 0) {
        return 0;
    }
    *ret = (struct media_crop){left, top, width - left - right, height - top - bottom};
    return film_add(film, "letterbox", FINDING_INFO, 0, film->count,
                    json_pack("{s:i, s:i, s:i, s:i}", "left", left, "top", top, "right",
                              right, "bottom", bottom));
}

// --- looks ----------------------------------------------------------------------------------------

static bool both_known(const char *a, const char *b)
{
    return strcmp(a, b) != 0 && strcmp(a, "unknown") != 0 && strcmp(b, "unknown") != 0;
}

// Encoders keep what the film began with: a change of these would be shown wrongly. Squares stand for
// pixels of no stated shape as well.
static bool is_grave(const struct media_look *a, const struct media_look *b)
{
    bool square = a->sar.num == a->sar.den || b->sar.num == b->sar.den;
    bool reshaped =
        (int64_t)a->sar.num * b->sar.den != (int64_t)b->sar.num * a->sar.den && !square;
    return a->width != b->width || a->height != b->height || reshaped ||
           strcmp(a->pixel_format, b->pixel_format) != 0 ||
           both_known(a->primaries, b->primaries) ||
           both_known(a->transfer, b->transfer) || both_known(a->matrix, b->matrix);
}

int film_detect_looks(struct media_film *film, const struct media_look *looks,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *t = looks[i].transfer;
        bool hdr = strcmp(t, "smpte2084") == 0 || strcmp(t, "arib-std-b67") == 0;
        if (hdr && !film_has(film, "unsupported_hdr")) {
            TRY(film_add(film, "unsupported_hdr", FINDING_ERROR, looks[i].frame,
                         looks[i].frame + 1, json_pack("{s:s}", "transfer", t)));
        }
    }
    for (size_t i = 1, told = 0; i < count && told < 100; i++, told++) {
        const struct media_look *a = &looks[i - 1], *b = &looks[i];
        TRY(film_add(film, "picture_changes",
                     is_grave(a, b) ? FINDING_ERROR : FINDING_WARNING, b->frame,
                     b->frame + 1,
                     json_pack("{s:[i,i], s:[i,i], s:[i,i], s:s, s:s, s:s}", "from",
                               a->width, a->height, "to", b->width, b->height, "sar",
                               b->sar.num, b->sar.den, "pixel_format", b->pixel_format,
                               "transfer", b->transfer, "matrix", b->matrix)));
    }
    return 0;
}
