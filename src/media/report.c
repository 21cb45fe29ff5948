// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct media_report as JSON: the object of `marquee inspect --json` without its verdict.
#include "media/report.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA       1
#define POINTS_MAX   4000
#define MAX_SHOTS    1000000
#define MAX_LOUDNESS 100

void media_report_free(struct media_report **ptr)
{
    struct media_report *r = TAKE(*ptr);
    if (!r) {
        return;
    }
    media_source_free(&r->source);
    vec_free(&r->shots);
    vec_free(&r->loudness);
    findings_free(&r->findings);
    json_decref(r->series);
    free(r);
}

// --- series ---------------------------------------------------------------------------------------

static int picture_series(const struct media_film *film, json_t *series)
{
    int64_t step = MAX((film->count + POINTS_MAX - 1) / POINTS_MAX, 1);
    json_t *luma = json_array(), *motion = json_array();
    bool ok = json_object_set_new(series, "luma", luma) == 0 &&
              json_object_set_new(series, "motion", motion) == 0 &&
              json_object_set_new(series, "step_frames", json_integer(step)) == 0;
    for (int64_t i = 0; i < film->count && ok; i += step) {
        int64_t end = MIN(i + step, film->count), sum = 0, most = 0;
        for (int64_t k = i; k < end; k++) {
            sum += film->frames[k].mean;
            most = MAX(most, (int64_t)film->frames[k].difference);
        }
        // Levels of 8 bits, in hundredths.
        int64_t mean = sum * 100 / (end - i) / FEATURE_ONE;
        ok = json_array_append_new(luma, json_real((double)mean / 100)) == 0 &&
             json_array_append_new(
                 motion, json_real((double)(most * 100 / FEATURE_ONE) / 100)) == 0;
    }
    FAIL_IF(!ok, ERR_NOMEM, "series");
    return 0;
}

int media_series_make(const struct media_film *film, const json_t *audio, json_t **ret)
{
    AUTO(json_free) json_t *series = json_object(), *sound = json_array();
    FAIL_IF(!series, ERR_NOMEM, "series");
    TRY(picture_series(film, series));
    const json_t *tracks = json_object_get(audio, "tracks");
    for (size_t i = 0; i < json_array_size(tracks); i++) {
        const json_t *t = json_array_get(tracks, i);
        json_t *one = json_pack("{s:O, s:O, s:O}", "stream", json_object_get(t, "stream"),
                                "peaks", json_object_get(t, "peaks"), "step_us",
                                json_object_get(t, "step_us"));
        FAIL_IF(json_array_append_new(sound, one) != 0, ERR_CORRUPT,
                "a waveform is missing");
    }
    FAIL_IF(json_object_set(series, "audio", sound) != 0, ERR_NOMEM, "series");
    *ret = TAKE(series);
    return 0;
}

// --- out ------------------------------------------------------------------------------------------

static int loudness_to_json(const struct media_report *r, json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    vec_for_each (l, &r->loudness) {
        json_t *one =
            l->measured
                ? json_pack("{s:i, s:f, s:f, s:f}", "stream", l->stream,
                            "integrated_lufs", l->integrated_lufs, "true_peak_dbtp",
                            l->true_peak_dbtp, "range_lu", l->range_lu)
                : json_pack("{s:i, s:n, s:n, s:n}", "stream", l->stream,
                            "integrated_lufs", "true_peak_dbtp", "range_lu");
        FAIL_IF(json_array_append_new(list, one) != 0, ERR_NOMEM, "loudness");
    }
    return json_made(TAKE(list), ret);
}

static int shots_to_json(const struct media_report *r, json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    vec_for_each (s, &r->shots) {
        json_t *one = json_pack("{s:I, s:I}", "start_frame", (json_int_t)s->start_frame,
                                "end_frame", (json_int_t)s->end_frame);
        FAIL_IF(json_array_append_new(list, one) != 0, ERR_NOMEM, "shots");
    }
    return json_made(TAKE(list), ret);
}

int media_report_to_json(const struct media_report *r, json_t **ret)
{
    AUTO(json_free)
    json_t *source = NULL, *findings = NULL, *loudness = NULL, *shots = NULL;
    TRY(media_source_to_json(r->source, &source));
    TRY(findings_to_json(&r->findings, &findings));
    TRY(loudness_to_json(r, &loudness));
    TRY(shots_to_json(r, &shots));
    AUTO(json_free) json_t *whole = NULL;
    TRY(json_made(
        json_pack(
            "{s:i, s:I, s:O, s:O, s:O, s:O, s:s, s:b, s:I, s:I, s:{s:i, s:i, s:i, s:i}, "
            "s:I, s:O}",
            "schema", SCHEMA, "frames", (json_int_t)r->frames, "streams",
            json_object_get(source, "streams"), "findings", findings, "loudness",
            loudness, "shots", shots, "scan", r->scan, "vfr", r->vfr, "start_pts",
            (json_int_t)r->start_pts, "end_pts", (json_int_t)r->end_pts, "crop", "left",
            r->crop.left, "top", r->crop.top, "width", r->crop.width, "height",
            r->crop.height, "poster_frame", (json_int_t)r->poster_frame, "series",
            r->series),
        &whole));
    FAIL_IF(json_object_update_missing(whole, source) != 0, ERR_NOMEM, "a report");
    *ret = TAKE(whole);
    return 0;
}

// --- in -------------------------------------------------------------------------------------------

static int loudness_from_json(const json_t *list, struct media_report *r)
{
    FAIL_IF(json_array_size(list) > MAX_LOUDNESS, ERR_LIMIT, "too many streams");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        struct media_loudness l = {0};
        TRY(json_get_int(one, "stream", 0, INT32_MAX, &l.stream));
        l.measured = json_is_number(json_object_get(one, "integrated_lufs"));
        if (l.measured) {
            TRY(json_get_double(one, "integrated_lufs", &l.integrated_lufs));
            TRY(json_get_double(one, "true_peak_dbtp", &l.true_peak_dbtp));
            TRY(json_get_double(one, "range_lu", &l.range_lu));
        }
        TRY(vec_push(&r->loudness, l));
    }
    return 0;
}

static int shots_from_json(const json_t *list, struct media_report *r)
{
    FAIL_IF(json_array_size(list) > MAX_SHOTS, ERR_LIMIT, "too many shots");
    int64_t at = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        struct media_shot s;
        TRY(json_get_i64(one, "start_frame", at, at, &s.start_frame));
        TRY(json_get_i64(one, "end_frame", at + 1, r->frames, &s.end_frame));
        TRY(vec_push(&r->shots, s));
        at = s.end_frame;
    }
    FAIL_IF(at != r->frames, ERR_INVALID, "shots do not cover the film");
    return 0;
}

static int crop_from_json(const json_t *json, struct media_report *r)
{
    json_t *crop = NULL;
    TRY(json_get_object(json, "crop", &crop));
    TRY(json_get_int(crop, "left", 0, FEATURE_MAX_SIDE, &r->crop.left));
    TRY(json_get_int(crop, "top", 0, FEATURE_MAX_SIDE, &r->crop.top));
    TRY(json_get_int(crop, "width", 0, FEATURE_MAX_SIDE, &r->crop.width));
    return json_get_int(crop, "height", 0, FEATURE_MAX_SIDE, &r->crop.height);
}

static int scalars_from_json(const json_t *json, struct media_report *r)
{
    int schema;
    const char *scan = NULL;
    TRY(json_get_int(json, "schema", SCHEMA, SCHEMA, &schema));
    TRY(json_get_i64(json, "frames", 0, INT64_MAX, &r->frames));
    TRY(json_get_str(json, "scan", &scan));
    TRY(str_copy(r->scan, sizeof r->scan, str_of(scan)));
    TRY(json_get_bool(json, "vfr", &r->vfr));
    TRY(json_get_i64(json, "start_pts", INT64_MIN, INT64_MAX, &r->start_pts));
    TRY(json_get_i64(json, "end_pts", INT64_MIN, INT64_MAX, &r->end_pts));
    return json_get_i64(json, "poster_frame", 0, INT64_MAX, &r->poster_frame);
}

int media_report_from_json(const json_t *json, struct media_report **ret)
{
    AUTO(media_report_free) struct media_report *r = calloc(1, sizeof *r);
    FAIL_IF(!r, ERR_NOMEM, "a report");
    TRY(media_source_from_json(json, &r->source));
    TRY(scalars_from_json(json, r));
    TRY(crop_from_json(json, r));
    json_t *list = NULL;
    TRY(json_get_array(json, "findings", &list));
    TRY(findings_from_json(list, &r->findings));
    TRY(json_get_array(json, "loudness", &list));
    TRY(loudness_from_json(list, r));
    TRY(json_get_array(json, "shots", &list));
    TRY(shots_from_json(list, r));
    TRY(json_get_object(json, "series", &list));
    r->series = json_incref(list);
    *ret = TAKE(r);
    return 0;
}
