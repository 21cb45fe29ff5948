// SPDX-License-Identifier: GPL-3.0-or-later
//
// PromQL's operators between series and numbers, and between series that share labels.
#include "telemetry/evaluate_prom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_comparison(enum matched_op op)
{
    return op >= MATCHED_EQ && op <= MATCHED_LE;
}

static double arithmetic(enum matched_op op, double a, double b)
{
    switch ((int)op) {
    case MATCHED_ADD:
        return a + b;
    case MATCHED_SUB:
        return a - b;
    case MATCHED_MUL:
        return a * b;
    case MATCHED_DIV:
        return a / b;
    case MATCHED_MOD:
        return fmod(a, b);
    default:
        return pow(a, b);
    }
}

static bool holds(enum matched_op op, double a, double b)
{
    switch ((int)op) {
    case MATCHED_EQ:
        return a == b;
    case MATCHED_NE:
        return a != b;
    case MATCHED_GT:
        return a > b;
    case MATCHED_LT:
        return a < b;
    case MATCHED_GE:
        return a >= b;
    default:
        return a <= b;
    }
}

// A comparison keeps `kept` where it holds, or says 1 or 0.
static double one(const struct matched *m, double a, double b, double kept)
{
    if (isnan(a) || isnan(b)) {
        return (double)NAN;
    }
    if (!is_comparison(m->op)) {
        return arithmetic(m->op, a, b);
    }
    bool is = holds(m->op, a, b);
    return m->is_bool ? is : is ? kept : (double)NAN;
}

static bool drops_name(const struct matched *m)
{
    return !is_comparison(m->op) || m->is_bool;
}

// --- series and numbers -------------------------------------------------------------------------

static int with_number(struct evaluation *e, const struct node *n, struct lines *ret)
{
    bool left = n->a->is_scalar;
    const double *number = NULL;
    struct lines v;
    struct line *out = NULL;
    TRY(prom_number(e, left ? n->a : n->b, &number));
    TRY(evaluate_node(e, left ? n->b : n->a, &v));
    TRY(evaluate_lines(e, v.count, &out));
    for (size_t i = 0; i < v.count; i++) {
        double *values = NULL;
        TRY(evaluate_values(e, &values));
        for (size_t t = 0; t < e->span.count; t++) {
            double x = v.list[i].values[t];
            values[t] = left ? one(n->matched, number[t], x, x)
                             : one(n->matched, x, number[t], x);
        }
        out[i] = v.list[i];
        out[i].values = values;
        if (drops_name(n->matched)) {
            TRY(prom_nameless(e, &out[i].tags, &out[i].tags));
        }
    }
    *ret = (struct lines){out, v.count};
    return 0;
}

// --- series and series --------------------------------------------------------------------------

// One side by what must be the same; lines of one place follow each other in time.
struct side {
    struct lines lines;
    struct places places;
    size_t *place;   // of each line
    double **values; // of each place
    size_t *first;   // line of each place
};

static int key_of(struct evaluation *e, const struct matched *m,
                  const struct telemetry_tags *tags, struct telemetry_tags *ret)
{
    struct telemetry_tags named;
    TRY(m->is_on ? tags_of(e->arena, tags, m->labels, &named)
                 : tags_without(e->arena, tags, m->labels, &named));
    // A name is the same only where it is asked for.
    if (!m->is_on) {
        return prom_nameless(e, &named, ret);
    }
    *ret = named;
    return 0;
}

static int side_new(struct evaluation *e, const struct matched *m, const struct node *n,
                    struct side *s)
{
    TRY(evaluate_node(e, n, &s->lines));
    s->place = arena_alloc(e->arena, s->lines.count + 1, sizeof *s->place);
    s->values = arena_alloc(e->arena, s->lines.count + 1, sizeof *s->values);
    s->first = arena_alloc(e->arena, s->lines.count + 1, sizeof *s->first);
    FAIL_IF(!s->place || !s->values || !s->first, ERR_NOMEM, "lines");
    for (size_t i = 0; i < s->lines.count; i++) {
        struct telemetry_tags key;
        bool is_new = false;
        TRY(key_of(e, m, &s->lines.list[i].tags, &key));
        TRY(places_find(&s->places, &key, &s->place[i], &is_new));
        if (is_new) {
            s->first[s->place[i]] = i;
            TRY(prom_values(e, &s->values[s->place[i]]));
        }
    }
    return 0;
}

// Into one line a place; two values at a moment are one too many.
static int side_merge(struct evaluation *e, struct side *s)
{
    for (size_t i = 0; i < s->lines.count; i++) {
        double *into = s->values[s->place[i]];
        const double *v = s->lines.list[i].values;
        for (size_t t = 0; t < e->span.count; t++) {
            FAIL_IF(
                !isnan(v[t]) && !isnan(into[t]), ERR_INVALID,
                "several series match on one side: name more labels, or group_left or "
                "group_right");
            into[t] = isnan(v[t]) ? into[t] : v[t];
        }
    }
    return 0;
}

static int one_to_one(struct evaluation *e, const struct node *n, struct side *a,
                      struct side *b, struct lines *ret)
{
    struct line *out = NULL;
    size_t count = 0;
    TRY(side_merge(e, a));
    TRY(side_merge(e, b));
    TRY(evaluate_lines(e, a->places.count, &out));
    for (size_t i = 0; i < a->places.count; i++) {
        const struct telemetry_tags *key = &a->places.list[i].tags;
        size_t at = places_at(&b->places, key);
        if (at == PLACES_NONE) {
            continue;
        }
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        for (size_t t = 0; t < e->span.count; t++) {
            v[t] = one(n->matched, a->values[i][t], b->values[at][t], a->values[i][t]);
        }
        out[count].values = v;
        out[count].tags = *key;
        // A comparison leaves what it compared, but for the labels that it looked past.
        if (!drops_name(n->matched) && !n->matched->is_on) {
            TRY(tags_without(e->arena, &a->lines.list[a->first[i]].tags,
                             n->matched->labels, &out[count].tags));
        }
        count++;
    }
    *ret = (struct lines){out, count};
    return 0;
}

static int included(struct evaluation *e, const struct matched *m,
                    const struct line *from, struct telemetry_tags *tags)
{
    struct telemetry_tags kept;
    TRY(tags_without(e->arena, tags, m->include, &kept));
    struct telemetry_tag *list =
        arena_alloc(e->arena, kept.count + m->include.count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    size_t n = 0;
    for (size_t i = 0; i < kept.count; i++) {
        list[n++] = kept.list[i];
    }
    for (size_t i = 0; i < m->include.count; i++) {
        struct str v = tag_value(&from->tags, m->include.list[i]);
        if (v.len) {
            list[n++] = (struct telemetry_tag){m->include.list[i], v};
        }
    }
    tags_sort(list, n);
    *tags = (struct telemetry_tags){list, n};
    return 0;
}

static int many_to_one(struct evaluation *e, const struct node *n, struct side *many,
                       struct side *few, struct lines *ret)
{
    const struct matched *m = n->matched;
    bool left = m->card == MANY_TO_ONE;
    struct line *out = NULL;
    size_t count = 0;
    TRY(side_merge(e, few));
    TRY(evaluate_lines(e, many->lines.count, &out));
    for (size_t i = 0; i < many->lines.count; i++) {
        const struct line *l = &many->lines.list[i];
        size_t at = places_at(&few->places, &many->places.list[many->place[i]].tags);
        if (at == PLACES_NONE) {
            continue;
        }
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        for (size_t t = 0; t < e->span.count; t++) {
            double x = l->values[t], y = few->values[at][t];
            v[t] = left ? one(m, x, y, x) : one(m, y, x, y);
        }
        out[count] = (struct line){.tags = l->tags, .values = v};
        if (drops_name(m)) {
            TRY(prom_nameless(e, &l->tags, &out[count].tags));
        }
        TRY(included(e, m, &few->lines.list[few->first[at]], &out[count].tags));
        count++;
    }
    *ret = (struct lines){out, count};
    return 0;
}

// Where any line of each place has a value.
static void side_presence(struct evaluation *e, struct side *s)
{
    for (size_t i = 0; i < s->lines.count; i++) {
        accumulate(AGGREGATE_COUNT, s->values[s->place[i]], s->lines.list[i].values,
                   e->span.count);
    }
}

// The lines of `from` where the other side has something of the same place (AND), or has not. As many go to
// `out` as there are.
static int masked(struct evaluation *e, enum matched_op op, const struct side *from,
                  const struct side *other, struct line *out)
{
    for (size_t i = 0; i < from->lines.count; i++) {
        double *v = NULL;
        const struct line *l = &from->lines.list[i];
        size_t at = places_at(&other->places, &from->places.list[from->place[i]].tags);
        const double *there = at == PLACES_NONE ? NULL : other->values[at];
        TRY(evaluate_values(e, &v));
        for (size_t t = 0; t < e->span.count; t++) {
            bool is = there && !isnan(there[t]);
            v[t] = is == (op == MATCHED_AND) ? l->values[t] : (double)NAN;
        }
        out[i] = *l;
        out[i].values = v;
    }
    return 0;
}

static int sets(struct evaluation *e, const struct node *n, struct side *a,
                struct side *b, struct lines *ret)
{
    struct line *out = NULL;
    size_t count = a->lines.count;
    enum matched_op op = n->matched->op;
    TRY(evaluate_lines(e, a->lines.count + b->lines.count, &out));
    if (op == MATCHED_OR) {
        side_presence(e, a);
        for (size_t i = 0; i < a->lines.count; i++) {
            out[i] = a->lines.list[i];
        }
        TRY(masked(e, op, b, a, out + count));
        count += b->lines.count;
    } else {
        side_presence(e, b);
        TRY(masked(e, op, a, b, out));
    }
    *ret = (struct lines){out, count};
    return 0;
}

static int with_series(struct evaluation *e, const struct node *n, struct side *a,
                       struct side *b, struct lines *ret)
{
    TRY(side_new(e, n->matched, n->a, a));
    TRY(side_new(e, n->matched, n->b, b));
    if (n->matched->op >= MATCHED_AND) {
        return sets(e, n, a, b, ret);
    }
    return n->matched->card == ONE_TO_ONE    ? one_to_one(e, n, a, b, ret)
           : n->matched->card == MANY_TO_ONE ? many_to_one(e, n, a, b, ret)
                                             : many_to_one(e, n, b, a, ret);
}

int evaluate_matched(struct evaluation *e, const struct node *n, struct lines *ret)
{
    if (n->a->is_scalar || n->b->is_scalar) {
        return with_number(e, n, ret);
    }
    struct side a = {0}, b = {0};
    int err = with_series(e, n, &a, &b, ret);
    places_free(&a.places);
    places_free(&b.places);
    return err;
}
