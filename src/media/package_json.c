// SPDX-License-Identifier: GPL-3.0-or-later
//
// The "media" of package.json: what the manifests are written from. A track's segments are rows
// [duration, bytes, frames], numbered from 1, each beginning where the one before it ended.
// Reading trusts nothing, because ids and paths end in playlists.
#include "media/package.h"
#include "media/plan.h"

#include <stdlib.h>
#include <string.h>

#define PACKAGE_SCHEMA    1
#define TRACKS_MAX        1000
#define SEGMENTS_MAX      1000000
#define DURATION_US_MAX   (INT64_C(400) * 86400 * 1000000)
#define SEGMENT_BYTES_MAX (INT64_C(1) << 32)

// --- writing ------------------------------------------------------------------------------

static int track_to_json(const struct media_track *t, json_t **ret)
{
    AUTO(json_free) json_t *rendition = NULL, *segments = json_array();
    FAIL_IF(segments == NULL, ERR_NOMEM, "no memory for a track");
    TRY(plan_rendition_to_json(&t->rendition, &rendition));
    vec_for_each (s, &t->segments) {
        json_t *row = json_pack("[I,I,I]", (json_int_t)s->duration, (json_int_t)s->bytes,
                                (json_int_t)s->frames);
        FAIL_IF(json_array_append_new(segments, row) < 0, ERR_NOMEM,
                "no memory for a segment");
    }
    return json_made(
        json_pack("{s:O, s:s, s:I, s:I, s:I, s:s, s:O}", "rendition", rendition, "codecs",
                  t->codecs, "frames", (json_int_t)t->frames, "average_bps",
                  (json_int_t)t->average_bps, "peak_bps", (json_int_t)t->peak_bps, "path",
                  t->path, "segments", segments),
        ret);
}

int media_package_to_json(const struct media_package *p, json_t **ret)
{
    AUTO(json_free) json_t *tracks = json_array();
    FAIL_IF(tracks == NULL, ERR_NOMEM, "no memory for a package");
    vec_for_each (t, &p->tracks) {
        json_t *track = NULL;
        TRY(track_to_json(t, &track));
        FAIL_IF(json_array_append_new(tracks, track) < 0, ERR_NOMEM,
                "no memory for a track");
    }
    const struct media_sprites *s = &p->sprites;
    return json_made(
        json_pack("{s:i, s:I, s:[i,i], s:O, s:{s:i, s:i, s:i, s:i, s:i, s:I, s:I}}",
                  "schema", PACKAGE_SCHEMA, "duration_us", (json_int_t)p->duration_us,
                  "frame_rate", p->frame_rate.num, p->frame_rate.den, "tracks", tracks,
                  "sprites", "sheets", s->sheets, "columns", s->columns, "rows", s->rows,
                  "tile_width", s->tile_width, "tile_height", s->tile_height, "every_us",
                  (json_int_t)s->every_us, "bytes", (json_int_t)s->bytes),
        ret);
}

// --- reading ------------------------------------------------------------------------------

static bool is_plain(const char *text, const char *also)
{
    for (const char *p = text; *p != '\0'; p++) {
        bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        bool is_digit = *p >= '0' && *p <= '9';
        if (!is_letter && !is_digit && strchr(also, *p) == NULL) {
            return false;
        }
    }
    return text[0] != '\0';
}

static int check_names(const struct media_track *t)
{
    const struct media_rendition *r = &t->rendition;
    FAIL_IF(!is_plain(r->id, "-_"), ERR_INVALID, "a rendition's id that is no name");
    FAIL_IF(!is_plain(t->codecs, ".-_"), ERR_INVALID, "%s: codecs that are no name",
            r->id);
    FAIL_IF(!is_plain(r->codec, "-_"), ERR_INVALID, "%s: a codec that is no name", r->id);
    FAIL_IF(r->language[0] != '\0' && !is_plain(r->language, "-"), ERR_INVALID,
            "%s: a language that is no tag", r->id);
    if (r->kind == MEDIA_RENDITION_TEXT) {
        FAIL_IF(!is_plain(t->path, "-_./") || t->path[0] == '/' ||
                    strstr(t->path, "..") != NULL || !str_ends(str_of(t->path), ".vtt"),
                ERR_INVALID, "%s: a path that is none of a caption", r->id);
    }
    return 0;
}

static int row_value(const json_t *row, size_t at, int64_t max, int64_t *ret)
{
    const json_t *value = json_array_get(row, at);
    int64_t v = json_integer_value(value);
    FAIL_IF(!json_is_integer(value) || v < 1 || v > max, ERR_INVALID,
            "a segment whose numbers are out of range");
    *ret = v;
    return 0;
}

static int segments_from_json(const json_t *rows, struct media_track *t)
{
    int64_t start = 0, count = (int64_t)json_array_size(rows);
    int64_t longest = DURATION_US_MAX / 1000000 * t->rendition.timescale;
    FAIL_IF(count < 1 || count > SEGMENTS_MAX, ERR_INVALID, "%s: %lld segments",
            t->rendition.id, (long long)count);
    for (int64_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        struct media_segment s = {.number = i + 1, .start = start};
        TRY(row_value(row, 0, longest, &s.duration));
        TRY(row_value(row, 1, SEGMENT_BYTES_MAX, &s.bytes));
        TRY(row_value(row, 2, INT32_MAX, &s.frames));
        start += s.duration;
        FAIL_IF(start > longest, ERR_INVALID, "%s: a track over its limit",
                t->rendition.id);
        TRY(vec_push(&t->segments, s));
    }
    return 0;
}

static int copy_member(const json_t *object, const char *key, char *dst, size_t bytes)
{
    const char *text = NULL;
    TRY(json_get_str(object, key, &text));
    return str_copy(dst, bytes, str_of(text));
}

static int track_from_json(const json_t *object, struct media_track *t)
{
    json_t *rendition = NULL, *segments = NULL;
    TRY(json_get_object(object, "rendition", &rendition));
    TRY(plan_rendition_from_json(rendition, &t->rendition));
    FAIL_IF(t->rendition.timescale < 1, ERR_INVALID, "a track without a timescale");
    TRY(copy_member(object, "codecs", t->codecs, sizeof t->codecs));
    TRY(copy_member(object, "path", t->path, sizeof t->path));
    TRY(check_names(t));
    TRY(json_get_i64(object, "frames", 0, INT64_C(1) << 40, &t->frames));
    TRY(json_get_i64(object, "average_bps", 0, INT64_C(1) << 50, &t->average_bps));
    TRY(json_get_i64(object, "peak_bps", 0, INT64_C(1) << 50, &t->peak_bps));
    TRY(json_get_array(object, "segments", &segments));
    return segments_from_json(segments, t);
}

static int sprites_from_json(const json_t *object, struct media_sprites *ret)
{
    struct media_sprites s = {0};
    TRY(json_get_int(object, "sheets", 0, 100000, &s.sheets));
    if (s.sheets > 0) {
        TRY(json_get_int(object, "columns", 1, 100, &s.columns));
        TRY(json_get_int(object, "rows", 1, 100, &s.rows));
        TRY(json_get_int(object, "tile_width", 1, 10000, &s.tile_width));
        TRY(json_get_int(object, "tile_height", 1, 10000, &s.tile_height));
        TRY(json_get_i64(object, "every_us", 1, DURATION_US_MAX, &s.every_us));
        TRY(json_get_i64(object, "bytes", 0, INT64_C(1) << 50, &s.bytes));
    }
    *ret = s;
    return 0;
}

static int rate_from_json(const json_t *object, struct rational *ret)
{
    json_t *rate = NULL;
    TRY(json_get_array(object, "frame_rate", &rate));
    json_int_t num = json_integer_value(json_array_get(rate, 0));
    json_int_t den = json_integer_value(json_array_get(rate, 1));
    FAIL_IF(num < 0 || num > 1 << 20 || den < 1 || den > 1 << 20, ERR_INVALID,
            "a frame rate out of range");
    *ret = (struct rational){(int32_t)num, (int32_t)den};
    return 0;
}

int media_package_from_json(const json_t *object, struct media_package **ret)
{
    AUTO(media_package_free) struct media_package *p = calloc(1, sizeof *p);
    FAIL_IF(p == NULL, ERR_NOMEM, "no memory for a package");
    json_t *tracks = NULL, *sprites = NULL;
    int schema = 0;
    TRY(json_get_int(object, "schema", PACKAGE_SCHEMA, PACKAGE_SCHEMA, &schema));
    TRY(json_get_i64(object, "duration_us", 1, DURATION_US_MAX, &p->duration_us));
    TRY(rate_from_json(object, &p->frame_rate));
    TRY(json_get_array(object, "tracks", &tracks));
    FAIL_IF(json_array_size(tracks) < 1 || json_array_size(tracks) > TRACKS_MAX,
            ERR_INVALID, "a package of %zu tracks", json_array_size(tracks));
    for (size_t i = 0; i < json_array_size(tracks); i++) {
        TRY(vec_push(&p->tracks, (struct media_track){0}));
        TRY(track_from_json(json_array_get(tracks, i), &p->tracks.data[i]));
    }
    TRY(json_get_object(object, "sprites", &sprites));
    TRY(sprites_from_json(sprites, &p->sprites));
    *ret = TAKE(p);
    return 0;
}
