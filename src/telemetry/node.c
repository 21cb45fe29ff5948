// SPDX-License-Identifier: GPL-3.0-or-later
//
// Making nodes and queries, within the limits of plan.h, and what operators do to numbers.
#include "telemetry/plan.h"

#include <math.h>
#include <string.h>

bool names_hold(struct names list, struct str name)
{
    for (size_t i = 0; i < list.count; i++) {
        if (str_eq(list.list[i], name)) {
            return true;
        }
    }
    return false;
}

static bool subset(struct names few, struct names many)
{
    for (size_t i = 0; i < few.count; i++) {
        if (!names_hold(many, few.list[i])) {
            return false;
        }
    }
    return true;
}

bool node_names_equal(struct names a, struct names b)
{
    return a.count == b.count && subset(a, b) && subset(b, a);
}

static int spend(struct maker *m)
{
    FAIL_IF(++m->made > PLAN_NODES_MAX, ERR_LIMIT,
            "the question is too large: more than %d parts", PLAN_NODES_MAX);
    return 0;
}

static int measure(uint32_t a_size, uint32_t b_size, uint32_t a_depth, uint32_t b_depth,
                   uint32_t ret[2])
{
    // Each is at most PLAN_SIZE_MAX.
    uint32_t size = 1 + a_size + b_size, depth = 1 + MAX(a_depth, b_depth);
    FAIL_IF(size > PLAN_SIZE_MAX, ERR_LIMIT,
            "the question is too large: it would be more than %d words long",
            PLAN_SIZE_MAX);
    FAIL_IF(depth > PLAN_DEPTH_MAX, ERR_LIMIT,
            "the question is too deep: more than %d words within each other",
            PLAN_DEPTH_MAX);
    ret[0] = size;
    ret[1] = depth;
    return 0;
}

static int renamed(struct maker *m, struct names keys, struct str from, struct str to,
                   struct names *ret)
{
    struct str *list = arena_alloc(m->arena, keys.count ? keys.count : 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "a key");
    for (size_t i = 0; i < keys.count; i++) {
        list[i] = str_eq(keys.list[i], from) ? to : keys.list[i];
    }
    *ret = (struct names){list, keys.count};
    return 0;
}

// By what its lines are told apart, out of its operands.
static int group(struct maker *m, struct node *n)
{
    const struct node *a = n->a, *b = n->b;
    switch (n->kind) {
    case NODE_BINARY:
        FAIL_IF(a->is_grouped && b->is_grouped && !subset(a->keys, b->keys) &&
                    !subset(b->keys, a->keys),
                ERR_INVALID,
                "both sides must be grouped by the same keys, or one by some of the "
                "other's");
        n->is_grouped = a->is_grouped || b->is_grouped;
        n->keys = subset(b->keys, a->keys) ? a->keys : b->keys;
        n->is_scalar = a->is_scalar && b->is_scalar;
        return 0;
    case NODE_FILTER:
        FAIL_IF(!a->is_grouped && b->is_grouped, ERR_INVALID,
                "a condition must be grouped as what it filters");
        break;
    case NODE_AGGREGATE:
        FAIL_IF(n->is_grouped && !subset(n->keys, a->keys), ERR_INVALID,
                "what is grouped again must be grouped by some of the same keys");
        return 0;
    case NODE_AS:
        n->is_grouped = a->is_grouped;
        return renamed(m, a->keys, n->as.from, n->as.to, &n->keys);
    case NODE_UNARY:
    case NODE_PERCENTILES:
    case NODE_STATEFUL:
    case NODE_STAT:
    case NODE_PICK:
    case NODE_CONSOLIDATE:
    case NODE_REWRITE:
        break;
    case NODE_CONST:
    case NODE_RANDOM:
    case NODE_TIME:
    case NODE_SPAN:
    case NODE_DATA:
    case NODE_STAT_OF:
    case NODE_WINDOW:
    case NODE_GATHER:
    case NODE_MATCHED:
    case NODE_CALL:
        return 0;
    }
    n->is_grouped = a->is_grouped;
    n->keys = a->keys;
    n->is_scalar = n->is_scalar || a->is_scalar;
    return 0;
}

int node_make(struct maker *m, const struct node *proto, const struct node **ret)
{
    uint32_t measured[2];
    const struct node *a = proto->a, *b = proto->b;
    TRY(spend(m));
    const struct query *q = proto->kind == NODE_DATA      ? proto->data.query
                            : proto->kind == NODE_REWRITE ? proto->rewrite.query
                                                          : NULL;
    TRY(measure((a ? a->size : 0) + (q ? q->size : 0), b ? b->size : 0,
                MAX(a ? a->depth : 0, q ? q->depth : 0), b ? b->depth : 0, measured));
    struct node *n = arena_alloc(m->arena, 1, sizeof *n);
    FAIL_IF(!n, ERR_NOMEM, "a question");
    *n = *proto;
    n->id = (uint32_t)m->made;
    n->size = measured[0];
    n->depth = measured[1];
    TRY(group(m, n));
    *ret = n;
    return 0;
}

int node_const(struct maker *m, double value, const struct node **ret)
{
    return node_make(m, &(struct node){.kind = NODE_CONST, .number = value}, ret);
}

int node_data(struct maker *m, const struct query *q, enum plan_aggregate by,
              const struct node **ret)
{
    static const enum telemetry_consolidate cf[] = {
        [AGGREGATE_ALL] = TELEMETRY_CF_SUM,   [AGGREGATE_SUM] = TELEMETRY_CF_AVG,
        [AGGREGATE_COUNT] = TELEMETRY_CF_AVG, [AGGREGATE_MIN] = TELEMETRY_CF_MIN,
        [AGGREGATE_MAX] = TELEMETRY_CF_MAX,
    };
    struct node n = {.kind = NODE_DATA, .data = {.query = q, .by = by, .cf = cf[by]}};
    return node_make(m, &n, ret);
}

int node_unary(struct maker *m, enum plan_unary op, double to, const struct node *a,
               const struct node **ret)
{
    if (a->kind == NODE_CONST && op != UNARY_PER_STEP) {
        return node_const(m, plan_unary_of(op, to, a->number), ret);
    }
    struct node n = {.kind = NODE_UNARY, .a = a, .unary = {op, to}};
    return node_make(m, &n, ret);
}

int node_binary(struct maker *m, enum plan_binary op, const struct node *a,
                const struct node *b, const struct node **ret)
{
    if (a->kind == NODE_CONST && b->kind == NODE_CONST) {
        return node_const(m, plan_binary_of(op, a->number, b->number), ret);
    }
    struct node n = {.kind = NODE_BINARY, .a = a, .b = b, .binary = op};
    return node_make(m, &n, ret);
}

// --- queries ----------------------------------------------------------------------------------

int query_leaf(struct maker *m, const struct telemetry_match *proto,
               const struct query **ret)
{
    const struct query *l = proto->left ? query_of(proto->left) : NULL;
    const struct query *r = proto->right ? query_of(proto->right) : NULL;
    uint32_t measured[2];
    TRY(spend(m));
    TRY(measure(l ? l->size : 0, r ? r->size : 0, l ? l->depth : 0, r ? r->depth : 0,
                measured));
    struct query *q = arena_alloc(m->arena, 1, sizeof *q);
    FAIL_IF(!q, ERR_NOMEM, "a query");
    *q = (struct query){*proto, measured[0], measured[1]};
    *ret = q;
    return 0;
}

static int query_pair(struct maker *m, enum telemetry_match_op op, const struct query *a,
                      const struct query *b, const struct query **ret)
{
    struct telemetry_match t = {.op = op, .left = &a->match, .right = &b->match};
    return query_leaf(m, &t, ret);
}

int query_and(struct maker *m, const struct query *a, const struct query *b,
              const struct query **ret)
{
    if (a->match.op == TELEMETRY_MATCH_ALL || b->match.op == TELEMETRY_MATCH_NONE) {
        *ret = b;
        return 0;
    }
    if (b->match.op == TELEMETRY_MATCH_ALL || a->match.op == TELEMETRY_MATCH_NONE) {
        *ret = a;
        return 0;
    }
    return query_pair(m, TELEMETRY_MATCH_AND, a, b, ret);
}

int query_or(struct maker *m, const struct query *a, const struct query *b,
             const struct query **ret)
{
    if (a->match.op == TELEMETRY_MATCH_ALL || b->match.op == TELEMETRY_MATCH_NONE) {
        *ret = a;
        return 0;
    }
    if (b->match.op == TELEMETRY_MATCH_ALL || a->match.op == TELEMETRY_MATCH_NONE) {
        *ret = b;
        return 0;
    }
    return query_pair(m, TELEMETRY_MATCH_OR, a, b, ret);
}

int query_not(struct maker *m, const struct query *a, const struct query **ret)
{
    struct telemetry_match t = {.op = TELEMETRY_MATCH_NOT, .left = &a->match};
    if (a->match.op == TELEMETRY_MATCH_ALL) {
        t = (struct telemetry_match){.op = TELEMETRY_MATCH_NONE};
    } else if (a->match.op == TELEMETRY_MATCH_NONE) {
        t = (struct telemetry_match){.op = TELEMETRY_MATCH_ALL};
    } else if (a->match.op == TELEMETRY_MATCH_NOT) {
        *ret = query_of(a->match.left);
        return 0;
    }
    return query_leaf(m, &t, ret);
}

// Sorted by key; where a key comes twice the first counts.
static size_t exact(const struct telemetry_match *m, struct telemetry_tag *list, size_t n)
{
    if (m->op == TELEMETRY_MATCH_AND) {
        return exact(m->right, list, exact(m->left, list, n));
    }
    if (m->op != TELEMETRY_MATCH_IN || m->value_count != 1) {
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i].key, m->key)) {
            return n;
        }
    }
    list[n] = (struct telemetry_tag){m->key, m->values[0]};
    return n + 1;
}

static int by_key(const void *a, const void *b)
{
    const struct telemetry_tag *x = a, *y = b;
    int c = memcmp(x->key.data, y->key.data, MIN(x->key.len, y->key.len));
    return c ? c : (x->key.len > y->key.len) - (x->key.len < y->key.len);
}

int query_exact(const struct query *q, struct arena *a, struct telemetry_tags *ret)
{
    struct telemetry_tag *list = arena_alloc(a, q->size, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "tags");
    size_t n = exact(&q->match, list, 0);
    qsort(list, n, sizeof *list, by_key);
    *ret = (struct telemetry_tags){list, n};
    return 0;
}

// --- numbers ----------------------------------------------------------------------------------

// Near zero is false, and so is what is not there.
static bool is_true(double v)
{
    return fabs(v) >= 1e-12;
}

static double add_nan(double a, double b)
{
    return isnan(a) ? b : isnan(b) ? a : a + b;
}

double plan_binary_of(enum plan_binary op, double a, double b)
{
    switch (op) {
    case BINARY_ADD:
        return add_nan(a, b);
    case BINARY_SUB:
        return add_nan(a, -b);
    case BINARY_DIV:
        return b == 0 ? (a == 0 ? 0 : (double)NAN) : a / b;
    case BINARY_POW:
        return pow(a, b);
    case BINARY_GT:
        return a > b;
    case BINARY_GE:
        return a >= b;
    case BINARY_LT:
        return a < b;
    case BINARY_LE:
        return a <= b;
    case BINARY_FADD:
        return a + b;
    case BINARY_FSUB:
        return a - b;
    case BINARY_MUL:
    case BINARY_FMUL:
        return a * b;
    case BINARY_FDIV:
        return a / b;
    case BINARY_AND:
        return is_true(a) && is_true(b);
    case BINARY_OR:
        return is_true(a) || is_true(b);
    }
    return (double)NAN;
}

double plan_unary_of(enum plan_unary op, double to, double v)
{
    switch (op) {
    case UNARY_ABS:
        return fabs(v);
    case UNARY_NEG:
        return -v;
    case UNARY_SIN:
        return sin(v);
    case UNARY_SQRT:
        return sqrt(v);
    case UNARY_CEIL:
        return ceil(v);
    case UNARY_FLOOR:
        return floor(v);
    case UNARY_EXP:
        return exp(v);
    case UNARY_LN:
        return log(v);
    case UNARY_LOG2:
        return log2(v);
    case UNARY_LOG10:
        return log10(v);
    case UNARY_SGN:
        return v > 0 ? 1 : v < 0 ? -1 : v;
    case UNARY_PER_STEP: // `to` is the step in seconds
        return v * to;
    case UNARY_CLAMP_MIN:
        return v < to ? to : v;
    case UNARY_CLAMP_MAX:
        return v > to ? to : v;
    case UNARY_ROUND: // halves go up, as in PromQL
        return floor(v / to + 0.5) * to;
    }
    return v;
}
