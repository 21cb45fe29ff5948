// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which lines to keep, by a number for the whole of each; and percentiles, which are lines made of lines.
#include "telemetry/evaluate.h"
#include "telemetry/percentile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int evaluate_stat(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    for (size_t i = 0; i < a.count; i++) {
        struct summary s = summary_of(a.list[i].values, e->span.count);
        double value = summary_stat(&s, n->stat.of), *v = NULL;
        TRY(evaluate_values(e, &v));
        for (size_t k = 0; k < e->span.count; k++) {
            v[k] = value;
        }
        out[i] = a.list[i];
        out[i].values = v;
        if (!n->is_grouped) {
            AUTO(buf_free) struct buf b = {0};
            buf_printf(&b, "stat-%s(" STR_FMT ")", plan_stat_word(n->stat.of),
                       STR_ARG(a.list[i].label));
            TRY(evaluate_text(e, &b, &out[i].label));
        }
    }
    *ret = (struct lines){out, a.count};
    return 0;
}

static bool is_ever_true(const struct evaluation *e, const struct line *l)
{
    for (size_t k = 0; k < e->span.count; k++) {
        if (fabs(l->values[k]) >= 1e-12) {
            return true;
        }
    }
    return false;
}

// Of conditions grouped by some of the keys: the one for this line; NULL where there is none or more.
static const struct line *condition_for(const struct node *n, struct lines conditions,
                                        const struct line *l)
{
    const struct line *found = NULL;
    for (size_t i = 0; i < conditions.count; i++) {
        if (tags_equal(&conditions.list[i].tags, &l->tags, n->b->keys)) {
            if (found) {
                return NULL;
            }
            found = &conditions.list[i];
        }
    }
    return found;
}

int evaluate_filter(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a, b;
    struct line *out = NULL;
    size_t count = 0;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_node(e, n->b, &b));
    FAIL_IF(!n->b->is_grouped && b.count > 1, ERR_INVALID,
            "a condition of more than one line");
    // The usual condition is of the lines themselves: then they stand side by side.
    bool aligned = n->b->is_grouped && a.count == b.count;
    for (size_t i = 0; aligned && i < a.count; i++) {
        aligned = tags_equal(&a.list[i].tags, &b.list[i].tags, n->keys);
    }
    FAIL_IF(n->b->is_grouped && !aligned && a.count * b.count > 20000000, ERR_LIMIT,
            "too many lines to find the condition of each");
    TRY(evaluate_lines(e, a.count, &out));
    for (size_t i = 0; i < a.count; i++) {
        const struct line *c = !b.count            ? NULL
                               : !n->b->is_grouped ? &b.list[0]
                               : aligned           ? &b.list[i]
                                                   : condition_for(n, b, &a.list[i]);
        if (c && is_ever_true(e, c)) {
            out[count++] = a.list[i];
        }
    }
    *ret = (struct lines){out, count};
    return 0;
}

// --- topk -------------------------------------------------------------------------------------

struct ranked {
    double stat;
    size_t at;
    bool is_bottom;
};

// What has no statistic comes last either way; what is equal stays as it was.
static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    bool no_x = isnan(x->stat), no_y = isnan(y->stat);
    int c = no_x || no_y ? no_x - no_y : (x->stat < y->stat) - (x->stat > y->stat);
    c = x->is_bottom && !no_x && !no_y ? -c : c;
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

// One line out of those that are not among the first.
static int others_line(struct evaluation *e, const struct node *n, struct lines rest,
                       struct line *ret)
{
    static const enum plan_aggregate by[] = {[OTHERS_MIN] = AGGREGATE_MIN,
                                             [OTHERS_MAX] = AGGREGATE_MAX,
                                             [OTHERS_SUM] = AGGREGATE_SUM,
                                             [OTHERS_AVG] = AGGREGATE_SUM};
    double *v = NULL, *times = NULL;
    TRY(evaluate_values(e, &v));
    TRY(evaluate_values(e, &times));
    for (size_t k = 0; k < e->span.count; k++) {
        v[k] = times[k] = (double)NAN;
    }
    for (size_t i = 0; i < rest.count; i++) {
        accumulate(by[n->pick.others], v, rest.list[i].values, e->span.count);
        accumulate(AGGREGATE_COUNT, times, rest.list[i].values, e->span.count);
    }
    for (size_t k = 0; n->pick.others == OTHERS_AVG && k < e->span.count; k++) {
        v[k] /= times[k];
    }
    const struct telemetry_tags *from = &rest.list[0].tags;
    struct telemetry_tag *list = arena_alloc(e->arena, from->count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    for (size_t i = 0; i < from->count; i++) {
        list[i] = from->list[i];
        if (names_hold(n->keys, list[i].key)) {
            list[i].value = STR("--others--");
        }
    }
    *ret = (struct line){.tags = {list, from->count}, .values = v};
    return n->is_grouped ? evaluate_key_label(e, &ret->tags, n->keys, &ret->label)
                         : (ret->label = STR("--others--"), 0);
}

int evaluate_pick(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    struct ranked *ranked = arena_alloc(e->arena, a.count + 1, sizeof *ranked);
    FAIL_IF(!ranked, ERR_NOMEM, "lines");
    for (size_t i = 0; i < a.count; i++) {
        struct summary s = summary_of(a.list[i].values, e->span.count);
        ranked[i] = (struct ranked){summary_stat(&s, n->pick.by), i, n->pick.is_bottom};
    }
    qsort(ranked, a.count, sizeof *ranked, by_rank);
    size_t k = MIN((size_t)n->pick.k, a.count), count = k;
    TRY(evaluate_lines(e, a.count, &out));
    for (size_t i = 0; i < a.count; i++) {
        out[i] = a.list[ranked[i].at];
    }
    if (n->pick.others != OTHERS_NONE && a.count > k) {
        struct line others;
        TRY(others_line(e, n, (struct lines){out + k, a.count - k}, &others));
        out[count++] = others;
    }
    *ret = (struct lines){out, count};
    return 0;
}

// --- percentiles ------------------------------------------------------------------------------

// Estimates the percentiles `p` (rising, 0..100) out of the counts of the buckets, by a straight line within a
// bucket. NaN where nothing was counted.
static void estimate(const double counts[PERCENTILE_BUCKETS], const double *p,
                     size_t count, double *ret)
{
    double total = 0, seen = 0, before_p = 0, before = 0;
    size_t at = 0;
    for (unsigned i = 0; i < PERCENTILE_BUCKETS; i++) {
        total += counts[i];
    }
    for (unsigned i = 0; i < PERCENTILE_BUCKETS && at < count && total > 0; i++) {
        seen += counts[i];
        double now_p = 100 * seen / total, bound = (double)percentile_bound(i);
        for (; at < count && now_p >= p[at]; at++) {
            double part = now_p > before_p ? (p[at] - before_p) / (now_p - before_p) : 0;
            ret[at] = before + part * (bound - before);
        }
        before_p = now_p;
        before = bound;
    }
    // Rounding may leave the last a hair below 100.
    for (; at < count; at++) {
        ret[at] = total > 0 ? before : (double)NAN;
    }
}

// "T00A4" of a timer, whose bounds are nanoseconds; "D00A4" of anything else.
static int bucket_of(struct str tag, unsigned *ret, double *ret_unit)
{
    unsigned v = 0;
    FAIL_IF(tag.len != 5 || (tag.data[0] != 'T' && tag.data[0] != 'D'), ERR_INVALID,
            "'" STR_FMT "' is no bucket of percentiles", STR_ARG(tag));
    for (size_t i = 1; i < 5; i++) {
        char c = tag.data[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
        FAIL_IF(d < 0, ERR_INVALID, "'" STR_FMT "' is no bucket of percentiles",
                STR_ARG(tag));
        v = v << 4 | (unsigned)d;
    }
    FAIL_IF(v >= PERCENTILE_BUCKETS, ERR_INVALID,
            "'" STR_FMT "' is no bucket of percentiles", STR_ARG(tag));
    *ret = v;
    *ret_unit = tag.data[0] == 'T' ? 1e-9 : 1;
    return 0;
}

static int percentile_label(struct evaluation *e, const struct node *n,
                            const struct telemetry_tags *tags, double p, struct line *out)
{
    const struct node *data = n->a;
    struct names keys = {data->keys.list + 1, data->keys.count - 1};
    struct telemetry_tag *list = arena_alloc(e->arena, tags->count + 1, sizeof *list);
    char *shown = arena_printf(e->arena, "%5.1f", p);
    FAIL_IF(!list || !shown, ERR_NOMEM, "tags");
    for (size_t i = 0; i < tags->count; i++) {
        list[i] = tags->list[i];
        if (str_eq_c(list[i].key, "percentile")) {
            list[i].value = str_of(shown);
        }
    }
    out->tags = (struct telemetry_tags){list, tags->count};
    AUTO(buf_free) struct buf b = {0};
    struct str base = {0};
    buf_cstr(&b, "percentile(");
    if (keys.count) {
        TRY(evaluate_key_label(e, tags, keys, &base));
        buf_str(&b, base);
    } else {
        query_label(data->data.query, &b);
    }
    buf_printf(&b, ", %s)", shown);
    return evaluate_text(e, &b, &out->label);
}

// Lines of one group, which stand behind each other.
static int percentile_group(struct evaluation *e, const struct node *n,
                            const struct line *const *group, size_t size,
                            struct line *out)
{
    size_t count = n->percentiles.count;
    double **v = arena_alloc(e->arena, count + 1, sizeof *v);
    double *at = arena_alloc(e->arena, count + 1, sizeof *at), unit = 1;
    unsigned *buckets = arena_alloc(e->arena, size, sizeof *buckets);
    FAIL_IF(!v || !at || !buckets, ERR_NOMEM, "percentiles");
    for (size_t i = 0; i < count; i++) {
        TRY(evaluate_values(e, &v[i]));
        TRY(percentile_label(e, n, &group[0]->tags, n->percentiles.list[i], &out[i]));
        out[i].values = v[i];
    }
    for (size_t i = 0; i < size; i++) {
        TRY(bucket_of(tag_value(&group[i]->tags, STR("percentile")), &buckets[i], &unit));
    }
    for (size_t k = 0; k < e->span.count; k++) {
        double counts[PERCENTILE_BUCKETS] = {0};
        for (size_t i = 0; i < size; i++) {
            double c = group[i]->values[k];
            counts[buckets[i]] += isfinite(c) && c > 0 ? c : 0;
        }
        estimate(counts, n->percentiles.list, count, at);
        for (size_t i = 0; i < count; i++) {
            v[i][k] = at[i] * unit;
        }
    }
    return 0;
}

static int by_group(const void *a, const void *b, void *user)
{
    const struct line *x = *(const struct line *const *)a;
    const struct line *y = *(const struct line *const *)b;
    const struct names *keys = user;
    for (size_t i = 1; i < keys->count; i++) { // the first is "percentile"
        struct str p = tag_value(&x->tags, keys->list[i]);
        struct str q = tag_value(&y->tags, keys->list[i]);
        int c = memcmp(p.data, q.data, MIN(p.len, q.len));
        c = c ? c : (p.len > q.len) - (p.len < q.len);
        if (c) {
            return c;
        }
    }
    return 0;
}

int evaluate_percentiles(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    struct names keys = n->a->keys;
    size_t count = 0, per = n->percentiles.count;
    TRY(evaluate_node(e, n->a, &a));
    const struct line **sorted = arena_alloc(e->arena, a.count + 1, sizeof *sorted);
    FAIL_IF(!sorted, ERR_NOMEM, "lines");
    for (size_t i = 0; i < a.count; i++) {
        sorted[i] = &a.list[i];
    }
    qsort_r(sorted, a.count, sizeof *sorted, by_group, &keys);
    TRY(evaluate_lines(e, a.count * per, &out));
    for (size_t i = 0, end; i < a.count; i = end) {
        end = i + 1;
        while (end < a.count && by_group(&sorted[i], &sorted[end], &keys) == 0) {
            end++;
        }
        TRY(percentile_group(e, n, sorted + i, end - i, out + count));
        count += per;
    }
    *ret = (struct lines){out, count};
    return 0;
}
