// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tags of lines, and which of them tell lines apart.
#include "telemetry/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct str tag_value(const struct telemetry_tags *tags, struct str key)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq(tags->list[i].key, key)) {
            return tags->list[i].value;
        }
    }
    return (struct str){0};
}

static int by_key(const void *a, const void *b)
{
    const struct telemetry_tag *x = a, *y = b;
    int c = memcmp(x->key.data, y->key.data, MIN(x->key.len, y->key.len));
    return c ? c : (x->key.len > y->key.len) - (x->key.len < y->key.len);
}

void tags_sort(struct telemetry_tag *list, size_t count)
{
    if (count > 1) {
        qsort(list, count, sizeof *list, by_key);
    }
}

int tags_of(struct arena *a, const struct telemetry_tags *tags, struct names keys,
            struct telemetry_tags *ret)
{
    struct telemetry_tag *list = arena_alloc(a, tags->count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    size_t n = 0;
    for (size_t i = 0; i < tags->count; i++) {
        if (names_hold(keys, tags->list[i].key)) {
            list[n++] = tags->list[i];
        }
    }
    *ret = (struct telemetry_tags){list, n};
    return 0;
}

int tags_without(struct arena *a, const struct telemetry_tags *tags, struct names keys,
                 struct telemetry_tags *ret)
{
    struct telemetry_tag *list = arena_alloc(a, tags->count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    size_t n = 0;
    for (size_t i = 0; i < tags->count; i++) {
        if (!names_hold(keys, tags->list[i].key)) {
            list[n++] = tags->list[i];
        }
    }
    *ret = (struct telemetry_tags){list, n};
    return 0;
}

int tags_keep(struct arena *a, const struct telemetry_tags *tags,
              struct telemetry_tags *ret)
{
    struct telemetry_tag *list = arena_alloc(a, tags->count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    for (size_t i = 0; i < tags->count; i++) {
        char *key = arena_dup(a, tags->list[i].key);
        char *value = arena_dup(a, tags->list[i].value);
        FAIL_IF(!key || !value, ERR_NOMEM, "tags");
        list[i] = (struct telemetry_tag){{key, tags->list[i].key.len},
                                         {value, tags->list[i].value.len}};
    }
    *ret = (struct telemetry_tags){list, tags->count};
    return 0;
}

// FNV-1a, with the length of each value so that "a","bc" is not "ab","c".
uint64_t tags_hash(const struct telemetry_tags *tags, struct names keys)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < keys.count; i++) {
        struct str v = tag_value(tags, keys.list[i]);
        for (size_t k = 0; k < v.len; k++) {
            h = (h ^ (unsigned char)v.data[k]) * UINT64_C(0x100000001b3);
        }
        h = (h ^ v.len) * UINT64_C(0x100000001b3);
    }
    return h;
}

bool tags_equal(const struct telemetry_tags *a, const struct telemetry_tags *b,
                struct names keys)
{
    for (size_t i = 0; i < keys.count; i++) {
        struct str x = tag_value(a, keys.list[i]), y = tag_value(b, keys.list[i]);
        if (!str_eq(x, y) || !x.data != !y.data) {
            return false;
        }
    }
    return true;
}

int evaluate_key_label(struct evaluation *e, const struct telemetry_tags *tags,
                       struct names keys, struct str *ret)
{
    AUTO(buf_free) struct buf b = {0};
    buf_char(&b, '(');
    for (size_t i = 0; i < keys.count; i++) {
        buf_cstr(&b, i ? " " : "");
        buf_str(&b, keys.list[i]);
        buf_char(&b, '=');
        buf_str(&b, tag_value(tags, keys.list[i]));
    }
    buf_char(&b, ')');
    return evaluate_text(e, &b, ret);
}

// Plain loops: what is not there adds nothing, and is only there where nothing else is.
void accumulate(enum plan_aggregate by, double *into, const double *v, size_t n)
{
    switch (by) {
    case AGGREGATE_ALL:
    case AGGREGATE_SUM:
        for (size_t i = 0; i < n; i++) {
            double sum = into[i] + v[i];
            sum = isnan(v[i]) ? into[i] : sum;
            into[i] = isnan(into[i]) ? v[i] : sum;
        }
        return;
    case AGGREGATE_COUNT:
        for (size_t i = 0; i < n; i++) {
            double more = (isnan(into[i]) ? 0 : into[i]) + 1;
            into[i] = isnan(v[i]) ? into[i] : more;
        }
        return;
    case AGGREGATE_MIN:
        for (size_t i = 0; i < n; i++) {
            bool take = isnan(into[i]) || v[i] < into[i];
            into[i] = take ? v[i] : into[i];
        }
        return;
    case AGGREGATE_MAX:
        for (size_t i = 0; i < n; i++) {
            bool take = isnan(into[i]) || v[i] > into[i];
            into[i] = take ? v[i] : into[i];
        }
        return;
    }
}

struct summary summary_of(const double *v, size_t n)
{
    struct summary s = {.max = (double)NAN, .min = (double)NAN, .last = (double)NAN};
    for (size_t i = 0; i < n; i++) {
        if (!isnan(v[i])) {
            s.total += v[i];
            s.max = s.count && s.max > v[i] ? s.max : v[i];
            s.min = s.count && s.min < v[i] ? s.min : v[i];
            s.last = v[i];
            s.count++;
        }
    }
    return s;
}

double summary_stat(const struct summary *s, enum plan_stat stat)
{
    switch (stat) {
    case STAT_AVG:
        return s->count ? s->total / (double)s->count : (double)NAN;
    case STAT_MAX:
        return s->max;
    case STAT_MIN:
        return s->min;
    case STAT_LAST:
        return s->last;
    case STAT_TOTAL:
        return s->count ? s->total : (double)NAN;
    case STAT_COUNT:
        return (double)s->count;
    }
    return (double)NAN;
}
