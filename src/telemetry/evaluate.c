// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int evaluate_in_time(const struct evaluation *e)
{
    FAIL_IF(clock_mono_us() > e->until_us, ERR_LIMIT,
            "the question takes too long: ask for less time or fewer series");
    return 0;
}

int evaluate_charge(struct evaluation *e, size_t values)
{
    e->values += values;
    FAIL_IF(e->values > EVALUATE_VALUES_MAX, ERR_LIMIT,
            "the answer needs more than %d values: ask for less time or fewer lines",
            EVALUATE_VALUES_MAX);
    return 0;
}

int evaluate_values(struct evaluation *e, double **ret)
{
    TRY(evaluate_in_time(e));
    TRY(evaluate_charge(e, e->span.count));
    double *v = arena_alloc(e->arena, e->span.count, sizeof *v);
    FAIL_IF(!v, ERR_NOMEM, "values");
    *ret = v;
    return 0;
}

int evaluate_lines(struct evaluation *e, size_t count, struct line **ret)
{
    FAIL_IF(count > EVALUATE_LINES_MAX, ERR_LIMIT, "more than %d lines",
            EVALUATE_LINES_MAX);
    TRY(evaluate_charge(e, count * EVALUATE_LINE));
    struct line *list = arena_alloc(e->arena, count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "lines");
    *ret = list;
    return 0;
}

int evaluate_text(struct evaluation *e, struct buf *b, struct str *ret)
{
    // What describes itself at length describes nothing.
    size_t len = b->len;
    if (len > 300) {
        for (len = 297; len && (b->data[len] & 0xC0) == 0x80; len--) {
        }
    }
    TRY(b->err);
    char *text = arena_printf(e->arena, "%.*s%s", (int)len, b->data ? b->data : "",
                              len < b->len ? "…" : "");
    FAIL_IF(!text, ERR_NOMEM, "a label");
    *ret = str_of(text);
    return 0;
}

static int one_line(struct evaluation *e, const char *name, struct line *l)
{
    struct telemetry_tag *tag = arena_alloc(e->arena, 1, sizeof *tag);
    char *text = arena_dup(e->arena, str_of(name));
    FAIL_IF(!tag || !text, ERR_NOMEM, "a line");
    *tag = (struct telemetry_tag){STR("name"), str_of(text)};
    l->tags = (struct telemetry_tags){tag, 1};
    l->label = tag->value;
    return 0;
}

int evaluate_no_data(struct evaluation *e, struct lines *ret)
{
    struct line *l = NULL;
    double *v = NULL;
    TRY(evaluate_lines(e, 1, &l));
    TRY(one_line(e, "NO_DATA", l));
    TRY(evaluate_values(e, &v));
    for (size_t i = 0; i < e->span.count; i++) {
        v[i] = (double)NAN;
    }
    l->label = STR("NO DATA");
    l->values = v;
    *ret = (struct lines){l, 1};
    return 0;
}

// --- lines out of nothing ---------------------------------------------------------------------

// splitmix64's finalizer: the same moment has the same number.
static double random_at(int64_t t, int64_t seed)
{
    uint64_t x = ((uint64_t)t ^ (uint64_t)seed) + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) % 1000) / 1000;
}

static double time_at(enum plan_time mode, int64_t ms)
{
    struct zone_date d = zone_date(ms / 1000);
    switch (mode) {
    case TIME_SECOND_OF_MINUTE:
        return d.second;
    case TIME_SECOND_OF_DAY:
        return d.hour * 3600 + d.minute * 60 + d.second;
    case TIME_MINUTE_OF_HOUR:
        return d.minute;
    case TIME_MINUTE_OF_DAY:
        return d.hour * 60 + d.minute;
    case TIME_HOUR_OF_DAY:
        return d.hour;
    case TIME_DAY_OF_WEEK:
        return d.weekday;
    case TIME_DAY_OF_MONTH:
        return d.day;
    case TIME_DAY_OF_YEAR:
        return d.year_day;
    case TIME_MONTH_OF_YEAR:
        return d.month;
    case TIME_YEAR:
        return (double)d.year;
    case TIME_SECONDS:
        return (double)ms / 1000;
    case TIME_MINUTES:
        return (double)ms / 60000;
    case TIME_HOURS:
        return (double)ms / 3600000;
    case TIME_DAYS:
        return (double)ms / 86400000;
    case TIME_WEEKS:
        return (double)ms / 604800000;
    }
    return (double)NAN;
}

static int span_range(const struct evaluation *e, const struct node *n, int64_t ret[2])
{
    AUTO(zone_free) struct zone *zone = NULL;
    const struct telemetry_span *s = &e->span;
    TRY(zone_open(&zone, n->span.zone));
    struct times_refs refs = {
        .zone = zone,
        .now_ms = n->span.now_ms,
        .list = {{"gs", s->start_ms - s->step_ms},
                 {"ge", s->start_ms + (int64_t)(s->count - 1) * s->step_ms}},
        .count = 2};
    return times_range(n->span.start, n->span.end, &refs, ret);
}

static int leaf_values(struct evaluation *e, const struct node *n, double *v)
{
    int64_t range[2] = {0, 0};
    if (n->kind == NODE_SPAN) {
        TRY(span_range(e, n, range));
    }
    for (size_t i = 0; i < e->span.count; i++) {
        int64_t t = e->span.start_ms + (int64_t)i * e->span.step_ms;
        v[i] = n->kind == NODE_CONST    ? n->number
               : n->kind == NODE_RANDOM ? random_at(t, n->random.seed)
               : n->kind == NODE_TIME   ? time_at(n->time.mode, t)
                                        : t >= range[0] && t <= range[1];
    }
    return 0;
}

static int leaf(struct evaluation *e, const struct node *n, struct lines *ret)
{
    AUTO(buf_free) struct buf name = {0};
    struct line *l = NULL;
    double *v = NULL;
    switch ((int)n->kind) {
    case NODE_CONST:
        plan_number_print(n->number, &name);
        break;
    case NODE_RANDOM:
        if (n->random.is_seeded) {
            buf_printf(&name, "seeded-random(%lld)", (long long)n->random.seed);
        } else {
            buf_cstr(&name, "random");
        }
        break;
    case NODE_TIME:
        buf_str(&name, n->time.name);
        break;
    default:
        buf_printf(&name, STR_FMT " to " STR_FMT, STR_ARG(n->span.start),
                   STR_ARG(n->span.end));
    }
    TRY(name.err);
    TRY(evaluate_lines(e, 1, &l));
    TRY(one_line(e, name.data, l));
    TRY(evaluate_values(e, &v));
    TRY(leaf_values(e, n, v));
    l->values = v;
    *ret = (struct lines){l, 1};
    return 0;
}

// --- lines out of lines -----------------------------------------------------------------------

static int unary(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    double to =
        n->unary.op == UNARY_PER_STEP ? (double)e->span.step_ms / 1000 : n->unary.to;
    for (size_t i = 0; i < a.count; i++) {
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        for (size_t k = 0; k < e->span.count; k++) {
            v[k] = plan_unary_of(n->unary.op, to, a.list[i].values[k]);
        }
        out[i] = a.list[i];
        out[i].values = v;
        if (!n->is_grouped) {
            AUTO(buf_free) struct buf b = {0};
            buf_printf(&b, "%s(" STR_FMT ")", plan_unary_word(n->unary.op),
                       STR_ARG(a.list[i].label));
            TRY(evaluate_text(e, &b, &out[i].label));
        }
    }
    *ret = (struct lines){out, a.count};
    return 0;
}

static int renamed(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    for (size_t i = 0; i < a.count; i++) {
        const struct telemetry_tags *from = &a.list[i].tags;
        struct telemetry_tag *list = arena_alloc(e->arena, from->count + 1, sizeof *list);
        FAIL_IF(!list, ERR_NOMEM, "tags");
        size_t count = 0;
        bool has = tag_value(from, n->as.from).data != NULL;
        for (size_t k = 0; k < from->count; k++) {
            // The new name takes the place of a tag that was there.
            if (has && str_eq(from->list[k].key, n->as.to)) {
                continue;
            }
            list[count] = from->list[k];
            if (str_eq(list[count].key, n->as.from)) {
                list[count].key = n->as.to;
            }
            count++;
        }
        tags_sort(list, count);
        out[i] = a.list[i];
        out[i].tags = (struct telemetry_tags){list, count};
        if (n->is_grouped) {
            TRY(evaluate_key_label(e, &out[i].tags, n->keys, &out[i].label));
        }
    }
    *ret = (struct lines){out, a.count};
    return 0;
}

static int compute(struct evaluation *e, const struct node *n, struct lines *ret)
{
    switch (n->kind) {
    case NODE_CONST:
    case NODE_RANDOM:
    case NODE_TIME:
    case NODE_SPAN:
        return leaf(e, n, ret);
    case NODE_DATA:
        return evaluate_data(e, n, ret);
    case NODE_UNARY:
        return unary(e, n, ret);
    case NODE_BINARY:
        return evaluate_binary(e, n, ret);
    case NODE_AGGREGATE:
        return evaluate_aggregate(e, n, ret);
    case NODE_PERCENTILES:
        return evaluate_percentiles(e, n, ret);
    case NODE_STATEFUL:
        return evaluate_stateful(e, n, ret);
    case NODE_STAT:
        return evaluate_stat(e, n, ret);
    case NODE_STAT_OF: // without a :filter it is of nothing
        return evaluate_no_data(e, ret);
    case NODE_FILTER:
        return evaluate_filter(e, n, ret);
    case NODE_PICK:
        return evaluate_pick(e, n, ret);
    case NODE_CONSOLIDATE:
        return evaluate_consolidate(e, n, ret);
    case NODE_AS:
        return renamed(e, n, ret);
    case NODE_REWRITE:
        return evaluate_node(e, n->a, ret);
    case NODE_WINDOW:
        return evaluate_window(e, n, ret);
    case NODE_GATHER:
        return evaluate_gather(e, n, ret);
    case NODE_MATCHED:
        return evaluate_matched(e, n, ret);
    case NODE_CALL:
        return evaluate_call(e, n, ret);
    }
    FAIL(ERR_INTERNAL, "a node of no kind");
}

int evaluate_node(struct evaluation *e, const struct node *n, struct lines *ret)
{
    if (!e->had[n->id].list) {
        struct lines made = {0};
        TRY(compute(e, n, &made));
        e->had[n->id] = made;
    }
    *ret = e->had[n->id];
    return 0;
}

static int check_span(struct telemetry *store, const struct telemetry_expr *x,
                      const struct telemetry_span *s)
{
    int64_t step = telemetry_step_ms(store);
    FAIL_IF(s->count == 0 || s->step_ms <= 0, ERR_INVALID, "a span of no time");
    FAIL_IF(s->count > 20000, ERR_LIMIT, "more than 20000 values a line");
    // PromQL looks at moments, whatever they are.
    FAIL_IF(!x->is_promql && (s->step_ms % step || s->start_ms % s->step_ms), ERR_INVALID,
            "a span that is not of the store's steps");
    return 0;
}

static int evaluate_all(struct evaluation *e, const struct telemetry_expr *x,
                        struct telemetry_answer *ret)
{
    size_t count = 0;
    struct telemetry_line *out = arena_alloc(e->arena, EVALUATE_ANSWER_MAX, sizeof *out);
    FAIL_IF(!out, ERR_NOMEM, "an answer");
    if (x->is_promql) {
        TRY(evaluate_prom_answer(e, x->lines[0].node, out, &count));
    }
    for (size_t i = 0; !x->is_promql && i < x->count; i++) {
        struct lines lines;
        TRY(evaluate_node(e, x->lines[i].node, &lines));
        TRY(evaluate_style(e, &x->lines[i], lines, out, &count));
    }
    *ret = (struct telemetry_answer){out, count, e->span};
    return 0;
}

int telemetry_evaluate(struct telemetry *store, const struct telemetry_expr *x,
                       const struct telemetry_span *span, struct arena *a,
                       struct telemetry_answer *ret)
{
    struct evaluation e = {.store = store,
                           .arena = a,
                           .span = *span,
                           .until_us = clock_mono_us() + EVALUATE_US};
    TRY(check_span(store, x, span));
    e.had = arena_alloc(a, x->made + 1, sizeof *e.had);
    FAIL_IF(!e.had, ERR_NOMEM, "an answer");
    int err = evaluate_all(&e, x, ret);
    vec_free(&e.reads);
    return err;
}
