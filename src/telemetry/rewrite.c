// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words that change what stands before them: :by, :cg, :cq, :offset, :cf-… and :filter's short forms.
// Each walks the tree and makes another.
#include "telemetry/plan.h"

#include <string.h>

// What becomes of a node: *ret stays NULL where its operands are to be looked at.
typedef int change_f(struct maker *, const struct node *, const void *user,
                     const struct node **ret);

static int walk(struct maker *m, const struct node *n, change_f *change, const void *user,
                const struct node **ret)
{
    const struct node *other = NULL, *a = n->a, *b = n->b;
    TRY(change(m, n, user, &other));
    if (other) {
        *ret = other;
        return 0;
    }
    // What a rewrite shows stays as it is unless `change` did it.
    if (n->a) {
        TRY(walk(m, n->a, change, user, &a));
    }
    if (n->b && n->kind != NODE_REWRITE) {
        TRY(walk(m, n->b, change, user, &b));
    }
    if (a == n->a && b == n->b) {
        *ret = n;
        return 0;
    }
    struct node copy = *n;
    copy.a = a;
    copy.b = b;
    copy.is_grouped = n->kind == NODE_AGGREGATE && n->is_grouped;
    return node_make(m, &copy, ret);
}

// --- :by --------------------------------------------------------------------------------------

static int grouped(struct maker *m, const struct node *n, struct names keys,
                   const struct node **ret)
{
    struct node copy = *n;
    copy.is_grouped = true;
    copy.keys = keys;
    return node_make(m, &copy, ret);
}

static int by_change(struct maker *m, const struct node *n, const void *user,
                     const struct node **ret)
{
    const struct names *keys = user;
    if (n->kind == NODE_DATA && !n->is_grouped && n->data.by != AGGREGATE_ALL) {
        return grouped(m, n, *keys, ret);
    }
    if (n->kind == NODE_AGGREGATE && !n->is_grouped && n->a->is_grouped) {
        return grouped(m, n, *keys, ret);
    }
    if (n->kind == NODE_REWRITE && !n->is_grouped) {
        struct node copy = *n;
        const struct custom_average *c = custom_average_find(n->rewrite.name);
        copy.rewrite.by = *keys;
        if (c) {
            TRY(custom_average(m, c, n->rewrite.query, *keys, &copy.a));
            copy.a = copy.a->a;
            TRY(rewrite_offset(m, copy.a, n->rewrite.offset_ms, &copy.a));
        } else {
            TRY(walk(m, n->a, by_change, user, &copy.a));
        }
        return node_make(m, &copy, ret);
    }
    return 0;
}

int rewrite_by(struct maker *m, const struct node *n, struct names keys,
               const struct node **ret)
{
    const struct node *made = NULL;
    FAIL_IF(keys.count == 0, ERR_INVALID, "no keys to group by");
    FAIL_IF(n->is_grouped, ERR_INVALID,
            "it is grouped already, and not aggregated since");
    TRY(walk(m, n, by_change, &keys, &made));
    FAIL_IF(!made->is_grouped, ERR_INVALID, "there is nothing to group");
    *ret = made;
    return 0;
}

static int merged(struct maker *m, struct names old, struct names more, struct names *ret)
{
    struct str *list = arena_alloc(m->arena, old.count + more.count + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "keys");
    size_t n = 0;
    for (size_t i = 0; i < old.count; i++) {
        list[n++] = old.list[i];
    }
    for (size_t i = 0; i < more.count; i++) {
        if (!names_hold(old, more.list[i])) {
            list[n++] = more.list[i];
        }
    }
    *ret = (struct names){list, n};
    return 0;
}

static int common_by_change(struct maker *m, const struct node *n, const void *user,
                            const struct node **ret)
{
    const struct names *more = user;
    struct names keys;
    if (n->kind == NODE_DATA && n->data.by != AGGREGATE_ALL) {
        TRY(merged(m, n->keys, *more, &keys));
        return grouped(m, n, keys, ret);
    }
    if (n->kind == NODE_AGGREGATE) {
        struct node copy = *n;
        TRY(merged(m, n->keys, *more, &copy.keys));
        copy.is_grouped = true;
        TRY(walk(m, n->a, common_by_change, user, &copy.a));
        return node_make(m, &copy, ret);
    }
    if (n->kind == NODE_REWRITE) {
        struct node copy = *n;
        const struct custom_average *c = custom_average_find(n->rewrite.name);
        TRY(merged(m, n->rewrite.by, *more, &copy.rewrite.by));
        if (c) {
            TRY(custom_average(m, c, n->rewrite.query, copy.rewrite.by, &copy.a));
            copy.a = copy.a->a;
            TRY(rewrite_offset(m, copy.a, n->rewrite.offset_ms, &copy.a));
        } else if (n->rewrite.query) {
            TRY(walk(m, n->a, common_by_change, user, &copy.a));
        } else {
            TRY(walk(m, n->a, common_by_change, user, &copy.a));
            TRY(walk(m, n->b, common_by_change, user, &copy.b));
            copy.rewrite.by = n->rewrite.by;
        }
        return node_make(m, &copy, ret);
    }
    return 0;
}

int rewrite_common_by(struct maker *m, const struct node *n, struct names keys,
                      const struct node **ret)
{
    FAIL_IF(keys.count == 0, ERR_INVALID, "no keys to group by");
    return walk(m, n, common_by_change, &keys, ret);
}

// --- :cq --------------------------------------------------------------------------------------

static int common_query_change(struct maker *m, const struct node *n, const void *user,
                               const struct node **ret)
{
    struct node copy = *n;
    if (n->kind == NODE_DATA) {
        TRY(query_and(m, n->data.query, user, &copy.data.query));
        return node_make(m, &copy, ret);
    }
    if (n->kind != NODE_REWRITE) {
        return 0;
    }
    const struct custom_average *c = custom_average_find(n->rewrite.name);
    if (n->rewrite.query) {
        TRY(query_and(m, n->rewrite.query, user, &copy.rewrite.query));
    } else {
        TRY(walk(m, n->b, common_query_change, user, &copy.b));
    }
    if (c) {
        TRY(custom_average(m, c, copy.rewrite.query, n->rewrite.by, &copy.a));
        copy.a = copy.a->a;
        TRY(rewrite_offset(m, copy.a, n->rewrite.offset_ms, &copy.a));
    } else {
        TRY(walk(m, n->a, common_query_change, user, &copy.a));
    }
    return node_make(m, &copy, ret);
}

int rewrite_common_query(struct maker *m, const struct node *n, const struct query *q,
                         const struct node **ret)
{
    return walk(m, n, common_query_change, q, ret);
}

// --- :offset, :cf-… ---------------------------------------------------------------------------

static int offset_change(struct maker *m, const struct node *n, const void *user,
                         const struct node **ret)
{
    const int64_t *ms = user;
    struct node copy = *n;
    if (n->kind == NODE_DATA) {
        copy.data.offset_ms = *ms;
        return node_make(m, &copy, ret);
    }
    if (n->kind == NODE_REWRITE) {
        copy.rewrite.offset_ms = *ms;
        TRY(walk(m, n->a, offset_change, user, &copy.a));
        return node_make(m, &copy, ret);
    }
    return 0;
}

int rewrite_offset(struct maker *m, const struct node *n, int64_t offset_ms,
                   const struct node **ret)
{
    return walk(m, n, offset_change, &offset_ms, ret);
}

static int cf_change(struct maker *m, const struct node *n, const void *user,
                     const struct node **ret)
{
    const enum telemetry_consolidate *cf = user;
    struct node copy = *n;
    if (n->kind == NODE_DATA && n->data.by != AGGREGATE_ALL) {
        copy.data.cf = *cf;
        return node_make(m, &copy, ret);
    }
    // It is no longer what its name says.
    return n->kind == NODE_REWRITE ? walk(m, n->a, cf_change, user, ret) : 0;
}

int rewrite_cf(struct maker *m, const struct node *n, enum telemetry_consolidate cf,
               const struct node **ret)
{
    return walk(m, n, cf_change, &cf, ret);
}

static int stat_change(struct maker *m, const struct node *n, const void *user,
                       const struct node **ret)
{
    if (n->kind != NODE_STAT_OF) {
        return 0;
    }
    struct node copy = {
        .kind = NODE_STAT, .a = user, .stat = {n->stat.of, .is_short = true}};
    return node_make(m, &copy, ret);
}

int rewrite_stat(struct maker *m, const struct node *condition, const struct node *of,
                 const struct node **ret)
{
    return walk(m, condition, stat_change, of, ret);
}

// --- averages by another count ----------------------------------------------------------------

static const struct custom_average customs[] = {
    {"node-avg", {{"name", "poller.asg.instance"}}},
    {"eureka-avg", {{"name", "discovery.status"}, {"state", "UP"}}},
};
static const char *const shared_keys[] = {
    "nf.account", "nf.app",    "nf.ami",  "nf.asg", "nf.cluster", "nf.stack",
    "nf.zone",    "nf.region", "nf.node", "nf.ns",  "nf.vmtype"};

const struct custom_average *custom_average_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(customs); i++) {
        if (str_eq_c(name, customs[i].name)) {
            return &customs[i];
        }
    }
    return NULL;
}

static bool is_shared(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(shared_keys); i++) {
        if (str_eq_c(key, shared_keys[i])) {
            return true;
        }
    }
    return false;
}

// The part of the query that speaks of keys that the denominator has; the rest is left out, also below
// :not, where leaving out means that all are meant.
static int shared_part(struct maker *m, const struct telemetry_match *q,
                       const struct query **ret)
{
    static const struct telemetry_match all = {.op = TELEMETRY_MATCH_ALL};
    const struct query *l = NULL, *r = NULL;
    switch (q->op) {
    case TELEMETRY_MATCH_AND:
    case TELEMETRY_MATCH_OR:
        TRY(shared_part(m, q->left, &l));
        TRY(shared_part(m, q->right, &r));
        return q->op == TELEMETRY_MATCH_AND ? query_and(m, l, r, ret)
                                            : query_or(m, l, r, ret);
    case TELEMETRY_MATCH_NOT:
        TRY(shared_part(m, q->left, &l));
        if (l->match.op == TELEMETRY_MATCH_ALL) {
            *ret = l;
            return 0;
        }
        return query_not(m, l, ret);
    case TELEMETRY_MATCH_ALL:
    case TELEMETRY_MATCH_NONE:
        *ret = query_of(q);
        return 0;
    case TELEMETRY_MATCH_HAS:
    case TELEMETRY_MATCH_IN:
    case TELEMETRY_MATCH_RE:
    case TELEMETRY_MATCH_REIC:
    case TELEMETRY_MATCH_LT:
    case TELEMETRY_MATCH_LE:
    case TELEMETRY_MATCH_GT:
    case TELEMETRY_MATCH_GE:
        break;
    }
    if (is_shared(q->key)) {
        *ret = query_of(q);
        return 0;
    }
    return query_leaf(m, &all, ret);
}

static int denominator(struct maker *m, const struct custom_average *c,
                       const struct query *of, const struct node **ret)
{
    const struct query *q = NULL;
    TRY(shared_part(m, &of->match, &q));
    for (size_t i = ARRAY_LEN(c->denominator); i-- > 0;) {
        const struct query *one = NULL;
        if (!c->denominator[i][0]) {
            continue;
        }
        struct str *value = arena_alloc(m->arena, 1, sizeof *value);
        FAIL_IF(!value, ERR_NOMEM, "a query");
        *value = str_of(c->denominator[i][1]);
        struct telemetry_match t = {.op = TELEMETRY_MATCH_IN,
                                    .key = str_of(c->denominator[i][0]),
                                    .values = value,
                                    .value_count = 1};
        TRY(query_leaf(m, &t, &one));
        TRY(query_and(m, one, q, &q));
    }
    return node_data(m, q, AGGREGATE_SUM, ret);
}

int custom_average(struct maker *m, const struct custom_average *c, const struct query *q,
                   struct names by, const struct node **ret)
{
    const struct node *over = NULL, *under = NULL, *ratio = NULL;
    struct str *keys = arena_alloc(m->arena, by.count + 1, sizeof *keys);
    FAIL_IF(!keys, ERR_NOMEM, "keys");
    size_t n = 0;
    for (size_t i = 0; i < by.count; i++) {
        if (is_shared(by.list[i])) {
            keys[n++] = by.list[i];
        }
    }
    TRY(node_data(m, q, AGGREGATE_SUM, &over));
    TRY(denominator(m, c, q, &under));
    if (by.count) {
        TRY(grouped(m, over, by, &over));
    }
    if (n) {
        TRY(grouped(m, under, (struct names){keys, n}, &under));
    }
    TRY(node_binary(m, BINARY_DIV, over, under, &ratio));
    struct node rewrite = {.kind = NODE_REWRITE,
                           .a = ratio,
                           .rewrite = {.name = str_of(c->name), .query = q, .by = by}};
    return node_make(m, &rewrite, ret);
}
