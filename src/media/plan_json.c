// SPDX-License-Identifier: GPL-3.0-or-later
//
// A plan as JSON, the request of the encoding steps. Reading trusts nothing: whatever indexes
// something else is checked here, so that the encoders need not.
#include "media/plan.h"

#include <stdlib.h>

#define MAX_RENDITIONS 1024
#define MAX_FRAMES     (INT64_C(1) << 40)

static const char *const kind_names[] = {"video", "audio", "text"};

int plan_rendition_to_json(const struct media_rendition *r, json_t **ret)
{
    return json_made(
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:I, s:i, s:i, s:[i,i], s:s, s:f, "
                  "s:I, s:I, s:s, s:I, s:i, s:i}",
                  "id", r->id, "kind", kind_names[r->kind], "codec", r->codec, "stream",
                  r->stream, "language", r->language, "title", r->title, "is_default",
                  r->is_default, "timescale", (json_int_t)r->timescale, "width", r->width,
                  "height", r->height, "sar", r->sar.num, r->sar.den, "preset", r->preset,
                  "crf", r->crf, "max_bps", (json_int_t)r->max_bps, "buffer_bits",
                  (json_int_t)r->buffer_bits, "hdr", r->hdr, "bps", (json_int_t)r->bps,
                  "sample_rate", r->sample_rate, "channels", r->channels),
        ret);
}

static int copy_str(const json_t *j, const char *key, char *dst, size_t bytes)
{
    const char *text = NULL;
    TRY(json_get_str(j, key, &text));
    return str_copy(dst, bytes, str_of(text));
}

static int kind_from_json(const json_t *j, enum media_rendition_kind *ret)
{
    const char *kind = NULL;
    TRY(json_get_str(j, "kind", &kind));
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if (str_eq_c(str_of(kind), kind_names[i])) {
            *ret = (enum media_rendition_kind)i;
            return 0;
        }
    }
    FAIL(ERR_INVALID, "a rendition of kind \"%s\"", kind);
}

static int sar_from_json(const json_t *j, struct rational *ret)
{
    json_t *sar = NULL;
    TRY(json_get_array(j, "sar", &sar));
    json_int_t num = json_integer_value(json_array_get(sar, 0));
    json_int_t den = json_integer_value(json_array_get(sar, 1));
    FAIL_IF(num < 0 || num > INT32_MAX || den < 0 || den > INT32_MAX, ERR_INVALID,
            "an aspect ratio out of range");
    *ret = (struct rational){(int32_t)num, (int32_t)den};
    return 0;
}

int plan_rendition_from_json(const json_t *j, struct media_rendition *ret)
{
    struct media_rendition r = {0};
    TRY(copy_str(j, "id", r.id, sizeof r.id));
    TRY(kind_from_json(j, &r.kind));
    TRY(copy_str(j, "codec", r.codec, sizeof r.codec));
    TRY(copy_str(j, "language", r.language, sizeof r.language));
    TRY(copy_str(j, "title", r.title, sizeof r.title));
    TRY(copy_str(j, "preset", r.preset, sizeof r.preset));
    TRY(copy_str(j, "hdr", r.hdr, sizeof r.hdr));
    TRY(json_get_bool(j, "is_default", &r.is_default));
    TRY(json_get_int(j, "stream", -1, 1 << 20, &r.stream));
    TRY(json_get_i64(j, "timescale", 0, INT32_MAX, &r.timescale));
    TRY(json_get_int(j, "width", 0, 1 << 16, &r.width));
    TRY(json_get_int(j, "height", 0, 1 << 16, &r.height));
    TRY(sar_from_json(j, &r.sar));
    TRY(json_get_double(j, "crf", &r.crf));
    TRY(json_get_i64(j, "max_bps", 0, INT64_C(1) << 32, &r.max_bps));
    TRY(json_get_i64(j, "buffer_bits", 0, INT64_C(1) << 40, &r.buffer_bits));
    TRY(json_get_i64(j, "bps", 0, INT64_C(1) << 32, &r.bps));
    TRY(json_get_int(j, "sample_rate", 0, 1 << 20, &r.sample_rate));
    TRY(json_get_int(j, "channels", 0, 64, &r.channels));
    *ret = r;
    return 0;
}

int media_plan_to_json(const struct media_plan *p, json_t **ret)
{
    json_t *renditions = json_array(), *segments = json_array();
    json_t *chunks = json_array(), *groups = json_array();
    vec_for_each (r, &p->renditions) {
        json_t *one = NULL;
        if (plan_rendition_to_json(r, &one) == 0) {
            json_array_append_new(renditions, one);
        }
    }
    vec_for_each (s, &p->segments) {
        json_array_append_new(segments, json_integer(*s));
    }
    vec_for_each (c, &p->chunks) {
        json_array_append_new(chunks,
                              json_pack("{s:I, s:I, s:I, s:I, s:I}", "first_segment",
                                        (json_int_t)c->first_segment, "end_segment",
                                        (json_int_t)c->end_segment, "start_frame",
                                        (json_int_t)c->start_frame, "end_frame",
                                        (json_int_t)c->end_frame, "start_rap",
                                        (json_int_t)c->start_rap));
    }
    vec_for_each (g, &p->groups) {
        json_t *members = json_array();
        for (size_t i = 0; i < g->renditions.len; i++) {
            json_array_append_new(members, json_integer(g->renditions.data[i]));
        }
        json_array_append_new(
            groups, json_pack("{s:s, s:o}", "name", g->name, "renditions", members));
    }
    bool whole = json_array_size(renditions) == p->renditions.len &&
                 json_array_size(segments) == p->segments.len &&
                 json_array_size(chunks) == p->chunks.len &&
                 json_array_size(groups) == p->groups.len;
    json_t *plan =
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:I, s:f}", "frames", (json_int_t)p->frames,
                  "renditions", renditions, "segments", segments, "chunks", chunks,
                  "groups", groups, "origin_pts", (json_int_t)p->origin_pts,
                  "psnr_floor_db", p->psnr_floor_db);
    if (!whole) {
        json_decref(plan);
        FAIL(ERR_NOMEM, "a plan as JSON");
    }
    return json_made(plan, ret);
}

static int renditions_from_json(const json_t *j, struct media_plan *p)
{
    json_t *array = NULL;
    TRY(json_get_array(j, "renditions", &array));
    FAIL_IF(json_array_size(array) > MAX_RENDITIONS, ERR_LIMIT, "over %d renditions",
            MAX_RENDITIONS);
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct media_rendition r;
        TRY(plan_rendition_from_json(json_array_get(array, i), &r));
        TRY(vec_push(&p->renditions, r));
    }
    return 0;
}

static int segments_from_json(const json_t *j, struct media_plan *p)
{
    json_t *array = NULL;
    TRY(json_get_array(j, "segments", &array));
    int64_t prev = -1;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = json_array_get(array, i);
        int64_t frame = json_integer_value(one);
        FAIL_IF(!json_is_integer(one) || frame <= prev || frame > p->frames, ERR_INVALID,
                "segment %zu begins at frame %lld", i, (long long)frame);
        TRY(vec_push(&p->segments, frame));
        prev = frame;
    }
    FAIL_IF(p->segments.len < 2 || p->segments.data[0] != 0 || prev != p->frames,
            ERR_INVALID, "the segments do not cover the film");
    return 0;
}

static int chunks_from_json(const json_t *j, struct media_plan *p)
{
    json_t *array = NULL;
    TRY(json_get_array(j, "chunks", &array));
    int64_t segment = 0, segments = (int64_t)p->segments.len - 1;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *one = json_array_get(array, i);
        struct media_chunk c;
        TRY(json_get_i64(one, "first_segment", segment, segment, &c.first_segment));
        TRY(json_get_i64(one, "end_segment", segment + 1, segments, &c.end_segment));
        int64_t start = p->segments.data[c.first_segment];
        int64_t end = p->segments.data[c.end_segment];
        TRY(json_get_i64(one, "start_frame", start, start, &c.start_frame));
        TRY(json_get_i64(one, "end_frame", end, end, &c.end_frame));
        TRY(json_get_i64(one, "start_rap", -1, MAX_FRAMES, &c.start_rap));
        TRY(vec_push(&p->chunks, c));
        segment = c.end_segment;
    }
    FAIL_IF(segment != segments, ERR_INVALID, "the chunks do not cover the film");
    return 0;
}

static int group_from_json(const json_t *j, struct media_plan *p, struct media_group *ret)
{
    json_t *members = NULL;
    TRY(copy_str(j, "name", ret->name, sizeof ret->name));
    TRY(json_get_array(j, "renditions", &members));
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *one = json_array_get(members, i);
        int64_t at = json_integer_value(one);
        FAIL_IF(!json_is_integer(one) || at < 0 || at >= (int64_t)p->renditions.len ||
                    p->renditions.data[at].kind != MEDIA_RENDITION_VIDEO,
                ERR_INVALID, "group %s has no rendition %lld", ret->name, (long long)at);
        TRY(vec_push(&ret->renditions, (int)at));
    }
    return 0;
}

static int groups_from_json(const json_t *j, struct media_plan *p)
{
    json_t *array = NULL;
    TRY(json_get_array(j, "groups", &array));
    for (size_t i = 0; i < json_array_size(array); i++) {
        TRY(vec_push(&p->groups, (struct media_group){0}));
        TRY(group_from_json(json_array_get(array, i), p,
                            &p->groups.data[p->groups.len - 1]));
    }
    return 0;
}

int media_plan_from_json(const json_t *j, struct media_plan **ret)
{
    AUTO(media_plan_free) struct media_plan *p = calloc(1, sizeof *p);
    FAIL_IF(!p, ERR_NOMEM, "a plan");
    TRY(json_get_i64(j, "frames", 1, MAX_FRAMES, &p->frames));
    TRY(json_get_i64(j, "origin_pts", INT64_MIN, INT64_MAX, &p->origin_pts));
    TRY(json_get_double(j, "psnr_floor_db", &p->psnr_floor_db));
    TRY(renditions_from_json(j, p));
    TRY(segments_from_json(j, p));
    TRY(chunks_from_json(j, p));
    TRY(groups_from_json(j, p));
    *ret = TAKE(p);
    return 0;
}
