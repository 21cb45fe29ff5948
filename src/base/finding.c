// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/finding.h"

#include <stdlib.h>
#include <string.h>

static const char *const severities[] = {"info", "warning", "error"};

const char *finding_severity_name(enum finding_severity s)
{
    return severities[s];
}

int finding_severity_parse(struct str text, enum finding_severity *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
        if (str_eq_c(text, severities[i])) {
            *ret = (enum finding_severity)i;
            return 0;
        }
    }
    FAIL(ERR_INVALID, "a severity is info, warning or error, not '" STR_FMT "'",
         STR_ARG(text));
}

struct finding finding_about_file(const char *kind, enum finding_severity severity)
{
    struct finding f = {
        .severity = severity,
        .stream = -1,
        .start_frame = FINDING_NONE,
        .end_frame = FINDING_NONE,
        .start_pts = FINDING_NONE,
        .end_pts = FINDING_NONE,
        .time_base = {1, 1},
    };
    ASSERT(str_copy(f.kind, sizeof f.kind, str_of(kind)) == 0);
    return f;
}

int findings_add(struct findings *list, const struct finding *f)
{
    int err = vec_push(&list->items, *f);
    if (err < 0) {
        json_decref(f->evidence);
    }
    return err;
}

void findings_free(struct findings *list)
{
    vec_for_each (f, &list->items) {
        json_decref(f->evidence);
    }
    vec_free(&list->items);
}

static int by_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *pa, const void *pb)
{
    const struct finding *a = pa, *b = pb;
    int d = by_i64(a->stream, b->stream);
    d = d ? d : by_i64(a->start_pts, b->start_pts);
    d = d ? d : by_i64(a->start_frame, b->start_frame);
    d = d ? d : strcmp(a->kind, b->kind);
    return d ? d : by_i64(a->end_pts, b->end_pts);
}

void findings_sort(struct findings *list)
{
    if (list->items.len) {
        qsort(list->items.data, list->items.len, sizeof *list->items.data, by_place);
    }
}

static json_t *number_or_null(int64_t n)
{
    return n == FINDING_NONE ? json_null() : json_integer(n);
}

int finding_to_json(const struct finding *f, json_t **ret)
{
    return json_made(
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:[i,i], s:o}", "kind", f->kind,
                  "severity", severities[f->severity], "stream",
                  number_or_null(f->stream < 0 ? FINDING_NONE : f->stream), "start_frame",
                  number_or_null(f->start_frame), "end_frame",
                  number_or_null(f->end_frame), "start_pts", number_or_null(f->start_pts),
                  "end_pts", number_or_null(f->end_pts), "time_base", f->time_base.num,
                  f->time_base.den, "evidence",
                  f->evidence ? json_incref(f->evidence) : json_object()),
        ret);
}

static int64_t place_of(const json_t *object, const char *key)
{
    return json_i64_or(object, key, FINDING_NONE);
}

int finding_from_json(const json_t *object, struct finding *ret)
{
    const char *kind = NULL, *severity = NULL;
    json_t *tb = NULL;
    int64_t stream = json_i64_or(object, "stream", -1);
    TRY(json_get_str(object, "kind", &kind));
    TRY(json_get_str(object, "severity", &severity));
    TRY(json_get_array(object, "time_base", &tb));
    int64_t num = json_integer_value(json_array_get(tb, 0));
    int64_t den = json_integer_value(json_array_get(tb, 1));
    FAIL_IF(stream < -1 || stream > INT32_MAX || num < 0 || num > INT32_MAX || den < 0 ||
                den > INT32_MAX,
            ERR_INVALID, "a finding of kind '%s' is nowhere", kind);
    struct finding f = {
        .stream = (int)stream,
        .start_frame = place_of(object, "start_frame"),
        .end_frame = place_of(object, "end_frame"),
        .start_pts = place_of(object, "start_pts"),
        .end_pts = place_of(object, "end_pts"),
        .time_base = {(int32_t)num, (int32_t)den},
    };
    TRY(str_copy(f.kind, sizeof f.kind, str_of(kind)));
    TRY(finding_severity_parse(str_of(severity), &f.severity));
    f.evidence = json_incref(json_object_get(object, "evidence"));
    *ret = f;
    return 0;
}

int findings_to_json(const struct findings *list, json_t **ret)
{
    AUTO(json_free) json_t *array = json_array();
    FAIL_IF(!array, ERR_NOMEM, "a list of findings");
    vec_for_each (f, &list->items) {
        json_t *one = NULL;
        TRY(finding_to_json(f, &one));
        FAIL_IF(json_array_append_new(array, one) != 0, ERR_NOMEM, "a list of findings");
    }
    *ret = TAKE(array);
    return 0;
}

int findings_from_json(const json_t *array, struct findings *out)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct finding f;
        TRY(finding_from_json(json_array_get(array, i), &f));
        TRY(findings_add(out, &f));
    }
    return 0;
}
