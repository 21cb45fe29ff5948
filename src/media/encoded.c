// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/media.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TICKS (INT64_C(1) << 60)

void media_encoded_clear(struct media_encoded *e)
{
    vec_free(&e->segments);
    vec_free(&e->frame_bytes);
    *e = (struct media_encoded){0};
}

int media_encoded_to_json(const struct media_encoded *e, json_t **ret)
{
    char init[HASH_HEX_BYTES];
    hash_hex(&e->init, init);
    json_t *segments = json_array(), *bytes = json_array();
    vec_for_each (s, &e->segments) {
        json_array_append_new(segments,
                              json_pack("[I,I,I,I,I]", (json_int_t)s->number,
                                        (json_int_t)s->start, (json_int_t)s->duration,
                                        (json_int_t)s->bytes, (json_int_t)s->frames));
    }
    vec_for_each (b, &e->frame_bytes) {
        json_array_append_new(bytes, json_integer(*b));
    }
    bool whole = json_array_size(segments) == e->segments.len &&
                 json_array_size(bytes) == e->frame_bytes.len;
    json_t *j = json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:f, s:I, s:f}", "rendition",
                          e->rendition, "codecs", e->codecs, "init", init, "segments",
                          segments, "frame_bytes", bytes, "psnr_min_db", e->psnr_min_db,
                          "psnr_mean_db", e->psnr_mean_db, "frames",
                          (json_int_t)e->frames, "vbv_init", e->vbv_init);
    if (!whole) {
        json_decref(j);
        FAIL(ERR_NOMEM, "what was encoded, as JSON");
    }
    return json_made(j, ret);
}

static int number_at(const json_t *array, size_t at, int64_t min, int64_t max,
                     int64_t *ret)
{
    const json_t *one = json_array_get(array, at);
    json_int_t n = json_integer_value(one);
    FAIL_IF(!json_is_integer(one) || n < min || n > max, ERR_INVALID,
            "item %zu is no number between %lld and %lld", at, (long long)min,
            (long long)max);
    *ret = n;
    return 0;
}

static int segments_from_json(const json_t *j, struct media_encoded *e)
{
    json_t *array = NULL;
    TRY(json_get_array(j, "segments", &array));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = json_array_get(array, i);
        struct media_segment s;
        TRY(number_at(one, 0, 1, MAX_TICKS, &s.number));
        TRY(number_at(one, 1, 0, MAX_TICKS, &s.start));
        TRY(number_at(one, 2, 0, MAX_TICKS, &s.duration));
        TRY(number_at(one, 3, 0, MAX_TICKS, &s.bytes));
        TRY(number_at(one, 4, 0, MAX_TICKS, &s.frames));
        TRY(vec_push(&e->segments, s));
    }
    return 0;
}

static int encoded_from_json(const json_t *j, struct media_encoded *e)
{
    const char *rendition = NULL, *codecs = NULL, *init = NULL;
    json_t *bytes = NULL;
    TRY(json_get_str(j, "rendition", &rendition));
    TRY(json_get_str(j, "codecs", &codecs));
    TRY(json_get_str(j, "init", &init));
    TRY(str_copy(e->rendition, sizeof e->rendition, str_of(rendition)));
    TRY(str_copy(e->codecs, sizeof e->codecs, str_of(codecs)));
    TRY(hash_parse(str_of(init), &e->init));
    TRY(json_get_double(j, "psnr_min_db", &e->psnr_min_db));
    TRY(json_get_double(j, "psnr_mean_db", &e->psnr_mean_db));
    TRY(json_get_double(j, "vbv_init", &e->vbv_init));
    TRY(json_get_i64(j, "frames", 0, MAX_TICKS, &e->frames));
    TRY(segments_from_json(j, e));
    TRY(json_get_array(j, "frame_bytes", &bytes));
    for (size_t i = 0; i < json_array_size(bytes); i++) {
        int64_t n = 0;
        TRY(number_at(bytes, i, 0, INT32_MAX, &n));
        TRY(vec_push(&e->frame_bytes, (int32_t)n));
    }
    return 0;
}

int media_encoded_from_json(const json_t *j, struct media_encoded *ret)
{
    struct media_encoded e = {0};
    int err = encoded_from_json(j, &e);
    if (err < 0) {
        media_encoded_clear(&e);
        return err;
    }
    *ret = e;
    return 0;
}
