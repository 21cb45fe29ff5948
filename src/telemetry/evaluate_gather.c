// SPDX-License-Identifier: GPL-3.0-or-later
//
// PromQL's aggregations. What can be added up as it comes is: series go from the store through their window
// into the groups, and none is kept.
#include "telemetry/evaluate_prom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- tags -------------------------------------------------------------------------------------

static bool same_tags(const struct telemetry_tags *a, const struct telemetry_tags *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!str_eq(a->list[i].key, b->list[i].key) ||
            !str_eq(a->list[i].value, b->list[i].value)) {
            return false;
        }
    }
    return true;
}

static uint64_t hash_text(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char)s.data[i]) * UINT64_C(0x100000001b3);
    }
    return (h ^ (s.len + 256)) * UINT64_C(0x100000001b3);
}

static uint64_t hash_tags(const struct telemetry_tags *tags)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < tags->count; i++) {
        h = hash_text(hash_text(h, tags->list[i].key), tags->list[i].value);
    }
    return h;
}

int prom_nameless(struct evaluation *e, const struct telemetry_tags *tags,
                  struct telemetry_tags *ret)
{
    static const struct str name[] = {{"name", 4}};
    return tags_without(e->arena, tags, (struct names){name, 1}, ret);
}

// --- places -----------------------------------------------------------------------------------

void places_free(struct places *p)
{
    free(p->list);
    free(p->slots);
}

static int places_grow(struct places *p)
{
    size_t cap = p->cap ? p->cap * 2 : 64;
    void *list = realloc(p->list, cap * sizeof *p->list);
    FAIL_IF(!list, ERR_NOMEM, "lines");
    p->list = list;
    uint32_t *slots = calloc(cap * 2, sizeof *slots);
    FAIL_IF(!slots, ERR_NOMEM, "lines");
    free(p->slots);
    p->slots = slots;
    p->cap = cap;
    p->mask = cap * 2 - 1;
    for (size_t i = 0; i < p->count; i++) {
        size_t at = p->list[i].hash & p->mask;
        while (slots[at]) {
            at = (at + 1) & p->mask;
        }
        slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

size_t places_at(const struct places *p, const struct telemetry_tags *tags)
{
    uint64_t hash = hash_tags(tags);
    for (size_t at = hash & p->mask; p->slots && p->slots[at]; at = (at + 1) & p->mask) {
        size_t i = p->slots[at] - 1;
        if (p->list[i].hash == hash && same_tags(&p->list[i].tags, tags)) {
            return i;
        }
    }
    return PLACES_NONE;
}

int places_find(struct places *p, const struct telemetry_tags *tags, size_t *ret,
                bool *ret_new)
{
    *ret = places_at(p, tags);
    *ret_new = *ret == PLACES_NONE;
    if (!*ret_new) {
        return 0;
    }
    FAIL_IF(p->count == EVALUATE_LINES_MAX, ERR_LIMIT, "more than %d lines",
            EVALUATE_LINES_MAX);
    if (p->count == p->cap) {
        TRY(places_grow(p));
    }
    uint64_t hash = hash_tags(tags);
    size_t at = hash & p->mask;
    while (p->slots[at]) {
        at = (at + 1) & p->mask;
    }
    p->list[p->count].tags = *tags;
    p->list[p->count].hash = hash;
    p->slots[at] = (uint32_t)p->count + 1;
    *ret = p->count++;
    return 0;
}

// --- groups -----------------------------------------------------------------------------------

// What is known so far of one group: span.count values each.
struct gathered {
    double *a, *n, *m2; // sum, min, max or mean; how many; squares
};

struct gathering {
    struct evaluation *e;
    const struct gather *g;
    struct places places;
    VEC(struct gathered) groups;
    struct names without; // with the name
};

int prom_values(struct evaluation *e, double **ret)
{
    TRY(evaluate_values(e, ret));
    for (size_t i = 0; i < e->span.count; i++) {
        (*ret)[i] = (double)NAN;
    }
    return 0;
}

static bool needs_mean(enum gather_op op)
{
    return op == GATHER_STDDEV || op == GATHER_STDVAR;
}

static int new_group(struct gathering *x)
{
    struct gathered h = {0};
    TRY(prom_values(x->e, &h.a));
    if (x->g->op == GATHER_AVG || needs_mean(x->g->op)) {
        TRY(prom_values(x->e, &h.n));
    }
    if (needs_mean(x->g->op)) {
        TRY(prom_values(x->e, &h.m2));
    }
    return vec_push(&x->groups, h);
}

static void add_mean(struct gathered *h, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (isnan(v[i])) {
            continue;
        }
        if (isnan(h->n[i])) {
            h->n[i] = h->a[i] = h->m2[i] = 0;
        }
        double d = v[i] - h->a[i];
        h->n[i]++;
        h->a[i] += d / h->n[i];
        h->m2[i] += d * (v[i] - h->a[i]);
    }
}

static int group_of(struct gathering *x, const struct telemetry_tags *tags, size_t *ret)
{
    struct telemetry_tag scratch[64];
    bool is_new = false;
    FAIL_IF(tags->count > ARRAY_LEN(scratch), ERR_LIMIT, "more than %zu tags",
            ARRAY_LEN(scratch));
    struct names names = x->g->is_without ? x->without : x->g->labels;
    struct telemetry_tags kept = {.list = scratch};
    for (size_t i = 0; i < tags->count; i++) {
        if (names_hold(names, tags->list[i].key) != x->g->is_without) {
            scratch[kept.count++] = tags->list[i];
        }
    }
    TRY(places_find(&x->places, &kept, ret, &is_new));
    if (is_new) {
        TRY(tags_keep(x->e->arena, &kept, &x->places.list[*ret].tags));
    }
    return 0;
}

static int add(void *user, const struct telemetry_tags *tags, const double *v)
{
    static const enum plan_aggregate by[] = {
        [GATHER_SUM] = AGGREGATE_SUM,     [GATHER_AVG] = AGGREGATE_SUM,
        [GATHER_MIN] = AGGREGATE_MIN,     [GATHER_MAX] = AGGREGATE_MAX,
        [GATHER_COUNT] = AGGREGATE_COUNT, [GATHER_GROUP] = AGGREGATE_COUNT};
    struct gathering *x = user;
    size_t at = 0, count = x->e->span.count;
    TRY(group_of(x, tags, &at));
    if (at == x->groups.len) {
        TRY(new_group(x));
    }
    struct gathered *h = &x->groups.data[at];
    if (needs_mean(x->g->op)) {
        add_mean(h, v, count);
        return 0;
    }
    accumulate(by[x->g->op], h->a, v, count);
    if (x->g->op == GATHER_AVG) {
        accumulate(AGGREGATE_COUNT, h->n, v, count);
    }
    return 0;
}

static void finish(const struct gathering *x, struct gathered *h)
{
    for (size_t i = 0; i < x->e->span.count; i++) {
        switch ((int)x->g->op) {
        case GATHER_AVG:
            h->a[i] /= h->n[i];
            break;
        case GATHER_GROUP:
            h->a[i] = isnan(h->a[i]) ? (double)NAN : 1;
            break;
        case GATHER_STDVAR:
            h->a[i] = h->m2[i] / h->n[i];
            break;
        case GATHER_STDDEV:
            h->a[i] = sqrt(h->m2[i] / h->n[i]);
            break;
        default:
            break;
        }
    }
}

static int add_up(struct gathering *x, const struct node *n, struct lines *ret)
{
    struct line *out = NULL;
    if (n->a->kind == NODE_WINDOW) {
        TRY(window_each(x->e, n->a->window, add, x));
    } else {
        struct lines a;
        TRY(evaluate_node(x->e, n->a, &a));
        for (size_t i = 0; i < a.count; i++) {
            TRY(add(x, &a.list[i].tags, a.list[i].values));
        }
    }
    TRY(evaluate_lines(x->e, x->groups.len, &out));
    for (size_t i = 0; i < x->groups.len; i++) {
        finish(x, &x->groups.data[i]);
        out[i].tags = x->places.list[i].tags;
        out[i].values = x->groups.data[i].a;
    }
    *ret = (struct lines){out, x->groups.len};
    return 0;
}

// --- what needs all the lines at once -----------------------------------------------------------

struct candidate {
    double value;
    size_t at;
    bool is_bottom;
};

static int by_value(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int c = (x->value < y->value) - (x->value > y->value);
    c = x->is_bottom ? -c : c;
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

// The lines of one group, by their place in all.
struct members {
    struct lines lines;
    size_t *at;
    size_t count;
};

// Each keeps its values where it is among the first k.
static int topk(struct evaluation *e, const struct gather *g, const struct members *m,
                const double *k, double **out)
{
    struct candidate *c = arena_alloc(e->arena, m->count + 1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "lines");
    for (size_t t = 0; t < e->span.count; t++) {
        size_t n = 0;
        for (size_t i = 0; i < m->count; i++) {
            double v = m->lines.list[m->at[i]].values[t];
            if (!isnan(v)) {
                c[n++] = (struct candidate){v, m->at[i], g->op == GATHER_BOTTOMK};
            }
        }
        qsort(c, n, sizeof *c, by_value);
        size_t few = k[t] >= 1 ? (size_t)MIN(k[t], (double)n) : 0;
        for (size_t i = 0; i < few; i++) {
            out[c[i].at][t] = c[i].value;
        }
    }
    return 0;
}

// `scratch` is of m->count.
static void quantiles(struct evaluation *e, const struct members *m, const double *q,
                      double *scratch, double *out)
{
    for (size_t t = 0; t < e->span.count; t++) {
        size_t n = 0;
        for (size_t i = 0; i < m->count; i++) {
            double v = m->lines.list[m->at[i]].values[t];
            if (!isnan(v)) {
                scratch[n++] = v;
            }
        }
        out[t] = prom_quantile(q[t], scratch, n);
    }
}

struct member {
    size_t group, at;
};

static int by_group(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = (x->group > y->group) - (x->group < y->group);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static bool is_there(const struct evaluation *e, const double *v)
{
    for (size_t t = 0; t < e->span.count; t++) {
        if (!isnan(v[t])) {
            return true;
        }
    }
    return false;
}

static int members_of(struct gathering *x, struct lines a, struct member **ret)
{
    struct member *m = arena_alloc(x->e->arena, a.count + 1, sizeof *m);
    FAIL_IF(!m, ERR_NOMEM, "lines");
    for (size_t i = 0; i < a.count; i++) {
        m[i].at = i;
        TRY(group_of(x, &a.list[i].tags, &m[i].group));
    }
    qsort(m, a.count, sizeof *m, by_group);
    *ret = m;
    return 0;
}

static int choose(struct gathering *x, const struct node *n, struct lines *ret)
{
    struct evaluation *e = x->e;
    struct lines a;
    struct member *m = NULL;
    struct line *out = NULL;
    const double *number = NULL;
    size_t count = 0;
    TRY(evaluate_node(e, n->a, &a));
    TRY(prom_number(e, n->b, &number));
    TRY(members_of(x, a, &m));
    bool is_top = x->g->op != GATHER_QUANTILE;
    struct members group = {.lines = a,
                            .at = arena_alloc(e->arena, a.count + 1, sizeof *group.at)};
    double *scratch = arena_alloc(e->arena, a.count + 1, sizeof *scratch);
    double **values = arena_alloc(e->arena, a.count + 1, sizeof *values);
    FAIL_IF(!group.at || !scratch || !values, ERR_NOMEM, "lines");
    TRY(evaluate_lines(e, a.count, &out));
    for (size_t i = 0; is_top && i < a.count; i++) {
        TRY(prom_values(e, &values[i]));
    }
    for (size_t i = 0, end; i < a.count; i = end) {
        for (end = i; end < a.count && m[end].group == m[i].group; end++) {
            group.at[end - i] = m[end].at;
        }
        group.count = end - i;
        if (is_top) {
            TRY(topk(e, x->g, &group, number, values));
        } else {
            double *v = NULL;
            TRY(evaluate_values(e, &v));
            quantiles(e, &group, number, scratch, v);
            out[count++] =
                (struct line){.tags = x->places.list[m[i].group].tags, .values = v};
        }
    }
    for (size_t i = 0; is_top && i < a.count; i++) {
        if (is_there(e, values[i])) {
            out[count] = a.list[i];
            out[count++].values = values[i];
        }
    }
    *ret = (struct lines){out, count};
    return 0;
}

int evaluate_gather(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct gathering x = {.e = e, .g = n->gather};
    struct str *names = arena_alloc(e->arena, x.g->labels.count + 1, sizeof *names);
    FAIL_IF(!names, ERR_NOMEM, "labels");
    for (size_t i = 0; i < x.g->labels.count; i++) {
        names[i] = x.g->labels.list[i];
    }
    names[x.g->labels.count] = STR("name");
    x.without = (struct names){names, x.g->labels.count + 1};
    bool whole = x.g->op >= GATHER_TOPK;
    int err = whole ? choose(&x, n, ret) : add_up(&x, n, ret);
    places_free(&x.places);
    vec_free(&x.groups);
    return err;
}
