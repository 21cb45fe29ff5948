// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading, and putting lines together: of the store's series while they are read, each of them once and none
// kept; of lines that are there; and pairs of lines.
#include "telemetry/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- groups -----------------------------------------------------------------------------------

// Lines by the values of some keys: open addressing, at most half full.
struct groups {
    struct evaluation *e;
    struct names keys;
    struct group {
        struct telemetry_tags tags; // of the first that came
        double *values;
        uint64_t hash;
    } * list;
    size_t count, cap;
    uint32_t *slots; // place in `list` + 1
    size_t mask;
};

static void groups_free(struct groups *g)
{
    free(g->list);
    free(g->slots);
}

static int groups_grow(struct groups *g)
{
    size_t cap = g->cap ? g->cap * 2 : 64;
    struct group *list = realloc(g->list, cap * sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "lines");
    g->list = list;
    uint32_t *slots = calloc(cap * 2, sizeof *slots);
    FAIL_IF(!slots, ERR_NOMEM, "lines");
    free(g->slots);
    g->slots = slots;
    g->cap = cap;
    g->mask = cap * 2 - 1;
    for (size_t i = 0; i < g->count; i++) {
        size_t at = g->list[i].hash & g->mask;
        while (slots[at]) {
            at = (at + 1) & g->mask;
        }
        slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

static int groups_add(struct groups *g, const struct telemetry_tags *tags, uint64_t hash,
                      struct group **ret)
{
    if (g->count == g->cap) {
        TRY(groups_grow(g));
    }
    FAIL_IF(g->count == EVALUATE_LINES_MAX, ERR_LIMIT,
            "more than %d lines: group by fewer keys", EVALUATE_LINES_MAX);
    struct group made = {.hash = hash};
    TRY(tags_keep(g->e->arena, tags, &made.tags));
    TRY(evaluate_values(g->e, &made.values));
    for (size_t i = 0; i < g->e->span.count; i++) {
        made.values[i] = (double)NAN;
    }
    size_t at = hash & g->mask;
    while (g->slots[at]) {
        at = (at + 1) & g->mask;
    }
    g->list[g->count] = made;
    g->slots[at] = (uint32_t)++g->count;
    *ret = &g->list[g->count - 1];
    return 0;
}

static int groups_find(struct groups *g, const struct telemetry_tags *tags,
                       struct group **ret)
{
    uint64_t hash = tags_hash(tags, g->keys);
    for (size_t at = hash & g->mask; g->slots && g->slots[at]; at = (at + 1) & g->mask) {
        struct group *one = &g->list[g->slots[at] - 1];
        if (one->hash == hash && tags_equal(&one->tags, tags, g->keys)) {
            *ret = one;
            return 0;
        }
    }
    return groups_add(g, tags, hash, ret);
}

static bool has_keys(const struct telemetry_tags *tags, struct names keys)
{
    for (size_t i = 0; i < keys.count; i++) {
        if (!tag_value(tags, keys.list[i]).data) {
            return false;
        }
    }
    return true;
}

// --- reading ----------------------------------------------------------------------------------

struct reading {
    struct groups groups;
    const struct node *node;
};

static int read_one(void *user, const struct telemetry_view *view)
{
    struct reading *r = user;
    TRY(evaluate_in_time(r->groups.e));
    struct group *g = NULL;
    if (r->node->data.by == AGGREGATE_ALL) {
        // A hash of its own for each.
        TRY(groups_add(&r->groups, &view->tags, r->groups.count, &g));
    } else if (!has_keys(&view->tags, r->groups.keys)) {
        return 0; // what lacks a key belongs to no group
    } else {
        TRY(groups_find(&r->groups, &view->tags, &g));
    }
    accumulate(r->node->data.by, g->values, view->values, r->groups.e->span.count);
    return 0;
}

// Tags of an aggregate: what the query under it ties to one value, and what it is grouped by.
static int grouped_tags(struct arena *a, const struct query *query, struct names by,
                        const struct telemetry_tags *of, struct telemetry_tags *ret)
{
    struct telemetry_tags exact;
    TRY(query_exact(query, a, &exact));
    struct str *keys = arena_alloc(a, exact.count + by.count + 1, sizeof *keys);
    FAIL_IF(!keys, ERR_NOMEM, "keys");
    size_t count = 0;
    for (size_t i = 0; i < exact.count; i++) {
        keys[count++] = exact.list[i].key;
    }
    for (size_t i = 0; i < by.count; i++) {
        keys[count++] = by.list[i];
    }
    return tags_of(a, of, (struct names){keys, count}, ret);
}

static int data_tags(struct evaluation *e, const struct node *n,
                     const struct telemetry_tags *of, struct telemetry_tags *ret)
{
    TRY(grouped_tags(e->arena, n->data.query, n->keys, of, ret));
    if (ret->count == 0) {
        struct telemetry_tag *unknown = arena_alloc(e->arena, 1, sizeof *unknown);
        FAIL_IF(!unknown, ERR_NOMEM, "tags");
        *unknown = (struct telemetry_tag){STR("name"), STR("unknown")};
        *ret = (struct telemetry_tags){unknown, 1};
    }
    return 0;
}

static void all_tags_label(const struct telemetry_tags *tags, struct buf *b)
{
    for (size_t i = 0; i < tags->count; i++) {
        buf_cstr(b, i ? ", " : "");
        buf_str(b, tags->list[i].key);
        buf_char(b, '=');
        buf_str(b, tags->list[i].value);
    }
}

static int data_label(struct evaluation *e, const struct node *n, struct line *l)
{
    AUTO(buf_free) struct buf b = {0};
    if (n->data.by == AGGREGATE_ALL) {
        all_tags_label(&l->tags, &b);
    } else if (n->is_grouped) {
        return evaluate_key_label(e, &l->tags, n->keys, &l->label);
    } else {
        buf_cstr(&b, plan_aggregate_word(n->data.by));
        buf_char(&b, '(');
        query_label(n->data.query, &b);
        buf_char(&b, ')');
    }
    return evaluate_text(e, &b, &l->label);
}

static int by_label(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int c = memcmp(x->label.data, y->label.data, MIN(x->label.len, y->label.len));
    return c ? c : (x->label.len > y->label.len) - (x->label.len < y->label.len);
}

static int read_lines(struct evaluation *e, const struct node *n, struct reading *r,
                      struct lines *ret)
{
    struct line *out = NULL;
    TRY(evaluate_lines(e, r->groups.count, &out));
    for (size_t i = 0; i < r->groups.count; i++) {
        const struct group *g = &r->groups.list[i];
        out[i].values = g->values;
        out[i].tags = g->tags;
        if (n->data.by != AGGREGATE_ALL) {
            TRY(data_tags(e, n, &g->tags, &out[i].tags));
        }
        TRY(data_label(e, n, &out[i]));
    }
    qsort(out, r->groups.count, sizeof *out, by_label);
    *ret = (struct lines){out, r->groups.count};
    return 0;
}

// Counts are of series that have a value in the step; the sum of the counts of a coarse step is as many
// times that as it has fine ones.
static double count_scale(const struct evaluation *e, const struct node *n)
{
    return n->data.by == AGGREGATE_COUNT && n->data.cf == TELEMETRY_CF_SUM
               ? (double)e->span.step_ms / (double)telemetry_step_ms(e->store)
               : 1;
}

static int read_data(struct evaluation *e, const struct node *n, struct reading *r,
                     struct lines *ret)
{
    struct telemetry_span span = e->span;
    span.cf = n->data.by == AGGREGATE_COUNT ? TELEMETRY_CF_MAX : n->data.cf;
    span.start_ms -= n->data.offset_ms;
    span.start_ms -= ((span.start_ms % span.step_ms) + span.step_ms) % span.step_ms;
    if (n->data.query->match.op != TELEMETRY_MATCH_NONE && span.start_ms >= 0) {
        TRY(telemetry_scan(e->store, &n->data.query->match, &span, read_one, r));
    }
    double scale = count_scale(e, n);
    for (size_t i = 0; scale != 1 && i < r->groups.count; i++) {
        for (size_t k = 0; k < e->span.count; k++) {
            r->groups.list[i].values[k] *= scale;
        }
    }
    if (r->groups.count == 0 && !n->is_grouped && n->data.by != AGGREGATE_ALL) {
        return evaluate_no_data(e, ret);
    }
    return read_lines(e, n, r, ret);
}

int evaluate_data(struct evaluation *e, const struct node *n, struct lines *ret)
{
    AUTO(buf_free) struct buf text = {0};
    node_print(n, &text);
    TRY(text.err);
    vec_for_each (had, &e->reads) {
        if (str_eq(had->text, buf_view(&text))) {
            *ret = had->lines;
            return 0;
        }
    }
    struct reading r = {.groups = {.e = e, .keys = n->keys}, .node = n};
    int err = read_data(e, n, &r, ret);
    groups_free(&r.groups);
    TRY(err);
    char *copy = arena_dup(e->arena, buf_view(&text));
    FAIL_IF(!copy, ERR_NOMEM, "a text");
    typeof(*e->reads.data) had = {{copy, text.len}, *ret};
    return vec_push(&e->reads, had);
}

// --- lines that are there ---------------------------------------------------------------------

static const struct node *first_data(const struct node *n)
{
    if (n->kind == NODE_DATA) {
        return n;
    }
    const struct node *found = n->a ? first_data(n->a) : NULL;
    return found || !n->b || n->kind == NODE_REWRITE ? found : first_data(n->b);
}

static int aggregate_tags(struct evaluation *e, const struct node *n, struct line *l)
{
    const struct node *data = first_data(n->a);
    return data ? grouped_tags(e->arena, data->data.query, n->keys, &l->tags, &l->tags)
                : 0;
}

static int aggregate_lines(struct evaluation *e, const struct node *n,
                           const struct groups *g, struct lines *ret)
{
    struct line *out = NULL;
    TRY(evaluate_lines(e, g->count, &out));
    for (size_t i = 0; i < g->count; i++) {
        out[i] = (struct line){.tags = g->list[i].tags, .values = g->list[i].values};
        TRY(aggregate_tags(e, n, &out[i]));
        if (n->is_grouped) {
            TRY(evaluate_key_label(e, &out[i].tags, n->keys, &out[i].label));
            continue;
        }
        AUTO(buf_free) struct buf b = {0};
        buf_printf(&b, "%s(", plan_aggregate_word(n->aggregate));
        all_tags_label(&out[i].tags, &b);
        buf_char(&b, ')');
        TRY(evaluate_text(e, &b, &out[i].label));
    }
    qsort(out, g->count, sizeof *out, by_label);
    *ret = (struct lines){out, g->count};
    return 0;
}

static int aggregate_into(const struct node *n, struct lines a, struct groups *g)
{
    for (size_t i = 0; i < a.count; i++) {
        struct group *into = NULL;
        if (has_keys(&a.list[i].tags, g->keys)) {
            TRY(groups_find(g, &a.list[i].tags, &into));
            accumulate(n->aggregate, into->values, a.list[i].values, g->e->span.count);
        }
    }
    return 0;
}

int evaluate_aggregate(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct groups g = {.e = e, .keys = n->keys};
    TRY(evaluate_node(e, n->a, &a));
    if (a.count == 0 && !n->is_grouped) {
        return evaluate_no_data(e, ret);
    }
    int err = aggregate_into(n, a, &g);
    err = err < 0 ? err : aggregate_lines(e, n, &g, ret);
    groups_free(&g);
    return err;
}

// --- pairs ------------------------------------------------------------------------------------

// The lines of the side with fewer keys, by them.
struct partners {
    struct lines lines;
    bool is_grouped;
    struct names keys;
    uint32_t *slots;
    size_t mask;
};

static uint64_t partner_hash(const struct partners *p, const struct telemetry_tags *tags)
{
    return p->is_grouped ? tags_hash(tags, p->keys) : 0;
}

static bool is_partner(const struct partners *p, size_t i, const struct telemetry_tags *t)
{
    return !p->is_grouped || tags_equal(&p->lines.list[i].tags, t, p->keys);
}

static int partners_new(struct evaluation *e, struct partners *p)
{
    size_t cap = 4;
    while (cap < p->lines.count * 2) {
        cap *= 2;
    }
    p->slots = arena_alloc(e->arena, cap, sizeof *p->slots);
    FAIL_IF(!p->slots, ERR_NOMEM, "lines");
    p->mask = cap - 1;
    for (size_t i = 0; i < p->lines.count; i++) {
        const struct telemetry_tags *tags = &p->lines.list[i].tags;
        size_t at = partner_hash(p, tags) & p->mask;
        for (; p->slots[at]; at = (at + 1) & p->mask) {
            FAIL_IF(is_partner(p, p->slots[at] - 1, tags), ERR_INVALID,
                    "one side has several lines for one of the other: group or aggregate "
                    "it");
        }
        p->slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

static const struct line *partner_of(const struct partners *p,
                                     const struct telemetry_tags *tags)
{
    size_t at = partner_hash(p, tags) & p->mask;
    for (; p->slots[at]; at = (at + 1) & p->mask) {
        if (is_partner(p, p->slots[at] - 1, tags)) {
            return &p->lines.list[p->slots[at] - 1];
        }
    }
    return NULL;
}

static int pair_line(struct evaluation *e, const struct node *n, const struct line *a,
                     const struct line *b, struct line *out)
{
    double *v = NULL;
    TRY(evaluate_values(e, &v));
    for (size_t k = 0; k < e->span.count; k++) {
        v[k] = plan_binary_of(n->binary, a->values[k], b->values[k]);
    }
    out->values = v;
    if (n->is_grouped) {
        return evaluate_key_label(e, &out->tags, n->keys, &out->label);
    }
    AUTO(buf_free) struct buf text = {0};
    static const char *const signs[] = {
        [BINARY_ADD] = "+",  [BINARY_SUB] = "-",   [BINARY_MUL] = "×",
        [BINARY_DIV] = "/",  [BINARY_POW] = "^",   [BINARY_GT] = ">",
        [BINARY_GE] = ">=",  [BINARY_LT] = "<",    [BINARY_LE] = "<=",
        [BINARY_FADD] = "+", [BINARY_FSUB] = "-",  [BINARY_FMUL] = "×",
        [BINARY_FDIV] = "/", [BINARY_AND] = "and", [BINARY_OR] = "or"};
    buf_printf(&text, "(" STR_FMT " %s " STR_FMT ")", STR_ARG(a->label), signs[n->binary],
               STR_ARG(b->label));
    return evaluate_text(e, &text, &out->label);
}

static bool all_in(struct names few, struct names many)
{
    for (size_t i = 0; i < few.count; i++) {
        if (!names_hold(many, few.list[i])) {
            return false;
        }
    }
    return true;
}

int evaluate_binary(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a, b;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_node(e, n->b, &b));
    bool left_leads = all_in(n->b->keys, n->a->keys);
    const struct node *small = left_leads ? n->b : n->a;
    struct lines lead = left_leads ? a : b;
    struct partners p = {.lines = left_leads ? b : a,
                         .is_grouped = small->is_grouped,
                         .keys = small->keys};
    size_t count = 0;
    TRY(partners_new(e, &p));
    TRY(evaluate_lines(e, lead.count, &out));
    for (size_t i = 0; i < lead.count; i++) {
        const struct line *one = &lead.list[i], *other = partner_of(&p, &one->tags);
        if (!other) {
            continue;
        }
        out[count] = *one;
        TRY(pair_line(e, n, left_leads ? one : other, left_leads ? other : one,
                      &out[count]));
        count++;
    }
    *ret = (struct lines){out, count};
    return 0;
}
