// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs of frames that should not be: black, frozen, repeated. A fade, a title card or animation on
// twos is told from a fault by what stands around it, and each finding says what that was.
#include "media/film.h"

#include <stdlib.h>

#define BLACK_PPM       980000 // as ffmpeg's blackdetect
#define BLACK_FADE_MS   250    // shorter ones inside a fade are no news
#define BLACK_LONG_MS   10000
#define CUT_LEVELS      (8 * FEATURE_ONE)
#define FROZEN_MS       2000
#define FROZEN_MEAN     (FEATURE_ONE / 4)
#define FROZEN_TILE     (2 * FEATURE_ONE)
#define REPEAT_MEAN     5
#define REPEAT_TILE     77
#define MOVING          (FEATURE_ONE / 2)
#define CADENCE_PERCENT 10
#define OUTSIDE_PPM     50000
#define OUTSIDE_MS      1000
#define EACH_MAX        300

bool film_is_black(const struct media_feature *f)
{
    return f->black_ppm >= BLACK_PPM;
}

static double in_levels(uint64_t v)
{
    return (double)(v * 100 / FEATURE_ONE) / 100;
}

// --- black ------------------------------------------------------------------------------------

// How the picture went black before `start`, or came back at `end`.
static const char *edge(const struct media_film *film, int64_t black, int64_t beside)
{
    if (beside < 0 || beside >= film->count) {
        return beside < 0 ? "start" : "end";
    }
    uint32_t a = film->frames[black].mean, b = film->frames[beside].mean;
    return b > a + CUT_LEVELS ? "cut" : "fade";
}

static int judge_black(struct media_film *film, int64_t start, int64_t end)
{
    const char *before = edge(film, start, start - 1), *after = edge(film, end - 1, end);
    bool cut = before[0] == 'c' && after[0] == 'c';
    int64_t ms = film_ms_of(film, start, end);
    bool inside = start > 0 && end < film->count;
    if (!cut && ms < BLACK_FADE_MS) {
        return 0;
    }
    uint64_t sum = 0;
    for (int64_t i = start; i < end; i++) {
        sum += film->frames[i].mean;
    }
    enum finding_severity severity =
        inside && (cut || ms > BLACK_LONG_MS) ? FINDING_WARNING : FINDING_INFO;
    return film_add(film, "black", severity, start, end,
                    json_pack("{s:s, s:s, s:f, s:I}", "before", before, "after", after,
                              "mean_luma", in_levels(sum / (uint64_t)(end - start)),
                              "milliseconds", (json_int_t)ms));
}

static int detect_black(struct media_film *film)
{
    int64_t start = -1;
    for (int64_t i = 0; i <= film->count; i++) {
        bool black = i < film->count && film_is_black(&film->frames[i]);
        if (black && start < 0) {
            start = i;
        } else if (!black && start >= 0) {
            TRY(judge_black(film, start, i));
            start = -1;
        }
    }
    return 0;
}

// --- frozen -----------------------------------------------------------------------------------

static bool stands(const struct media_feature *f)
{
    return !(f->flags & (FEATURE_FIRST | FEATURE_RESIZED)) &&
           f->difference < FROZEN_MEAN && f->tile < FROZEN_TILE;
}

static bool is_frozen_run(const struct media_film *film, int64_t start, int64_t end)
{
    return end - start > 1 && film_ms_of(film, start, end) >= FROZEN_MS;
}

static int judge_frozen(struct media_film *film, int64_t start, int64_t end)
{
    uint64_t dark = 0;
    uint32_t worst = 0;
    bool all_black = true, exact = true;
    for (int64_t i = start; i < end; i++) {
        all_black = all_black && film_is_black(&film->frames[i]);
        dark += film->frames[i].black_ppm;
        worst = i > start ? MAX(worst, film->frames[i].difference) : worst;
        exact = exact && film->frames[i].digest == film->frames[start].digest;
    }
    if (all_black) {
        return 0; // told already
    }
    int64_t tenth = film->count / 10;
    bool at_edge = start <= tenth || end >= film->count - tenth;
    bool card = dark / (uint64_t)(end - start) > 500000;
    const char *context = card                 ? "card"
                          : start == 0         ? "start"
                          : end == film->count ? "end"
                          : at_edge            ? "titles"
                                               : "middle";
    enum finding_severity severity = card || at_edge ? FINDING_INFO : FINDING_WARNING;
    return film_add(film, "frozen", severity, start, end,
                    json_pack("{s:s, s:f, s:b, s:I}", "context", context,
                              "most_difference", in_levels(worst), "exact", exact,
                              "milliseconds", (json_int_t)film_ms_of(film, start, end)));
}

// Calls for each maximal run of frames that do not move.
static int detect_frozen(struct media_film *film)
{
    int64_t start = 0;
    for (int64_t i = 1; i <= film->count; i++) {
        if (i < film->count && stands(&film->frames[i])) {
            continue;
        }
        if (is_frozen_run(film, start, i)) {
            TRY(judge_frozen(film, start, i));
        }
        start = i;
    }
    return 0;
}

// --- repeated ---------------------------------------------------------------------------------

static bool repeats(const struct media_film *film, int64_t i)
{
    const struct media_feature *f = &film->frames[i];
    if (i == 0 || (f->flags & (FEATURE_FIRST | FEATURE_RESIZED)) || film_is_black(f)) {
        return false;
    }
    return f->digest == film->frames[i - 1].digest ||
           (f->difference < REPEAT_MEAN && f->tile < REPEAT_TILE);
}

static bool moves(const struct media_film *film, int64_t i)
{
    return i > 0 && i < film->count && film->frames[i].difference > MOVING &&
           !(film->frames[i].flags & FEATURE_RESIZED);
}

struct repeat {
    int64_t start, end; // the frames that repeat the one before them
};

// Repeated frames where the picture moves before and after: a frozen run is told elsewhere.
static int64_t next_repeat(const struct media_film *film, int64_t from,
                           struct repeat *ret)
{
    for (int64_t i = MAX(from, 1); i < film->count; i++) {
        if (!repeats(film, i)) {
            continue;
        }
        int64_t end = i;
        while (end < film->count && repeats(film, end)) {
            end++;
        }
        if (moves(film, i - 1) && moves(film, end) && !is_frozen_run(film, i - 1, end)) {
            *ret = (struct repeat){i, end};
            return end;
        }
        i = end - 1;
    }
    return -1;
}

static int detect_repeats(struct media_film *film)
{
    struct repeat r;
    int64_t frames = 0, runs = 0, first = -1, last = 0;
    for (int64_t at = 0; (at = next_repeat(film, at, &r)) >= 0;) {
        frames += r.end - r.start;
        runs++;
        first = first < 0 ? r.start : first;
        last = r.end;
    }
    if (runs == 0) {
        return 0;
    }
    if (frames * 100 > film->count * CADENCE_PERCENT && runs > 3) {
        return film_add(film, "duplicated_cadence", FINDING_INFO, first, last,
                        json_pack("{s:I, s:I}", "frames", (json_int_t)frames, "runs",
                                  (json_int_t)runs));
    }
    int told = 0;
    for (int64_t at = 0; told < EACH_MAX && (at = next_repeat(film, at, &r)) >= 0;
         told++) {
        bool exact = film->frames[r.start].digest == film->frames[r.start - 1].digest;
        TRY(film_add(film, "duplicated_frames", FINDING_WARNING, r.start, r.end,
                     json_pack("{s:I, s:b}", "of_frame", (json_int_t)(r.start - 1),
                               "exact", exact)));
    }
    return 0;
}

// --- levels -----------------------------------------------------------------------------------

static int detect_levels(struct media_film *film)
{
    const int64_t join = film_frames_in_ms(film, OUTSIDE_MS);
    int64_t start = -1, end = -1;
    uint32_t worst = 0;
    for (int64_t i = 0; i <= film->count; i++) {
        bool outside = i < film->count && film->frames[i].outside_ppm > OUTSIDE_PPM;
        if (outside) {
            start = start < 0 ? i : start;
            end = i + 1;
            worst = MAX(worst, film->frames[i].outside_ppm);
        }
        if (start >= 0 && (i == film->count || i - end >= join)) {
            if (end - start >= join) {
                TRY(film_add(film, "illegal_levels", FINDING_INFO, start, end,
                             json_pack("{s:I}", "most_ppm", (json_int_t)worst)));
            }
            start = -1;
            worst = 0;
        }
    }
    return 0;
}

int film_detect_picture(struct media_film *film)
{
    TRY(detect_black(film));
    TRY(detect_frozen(film));
    TRY(detect_repeats(film));
    return detect_levels(film);
}
