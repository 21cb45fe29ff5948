// SPDX-License-Identifier: GPL-3.0-or-later
//
// PromQL as dashboards write it. By precedence, from loose to tight: or; and, unless; comparisons; + -;
// * / %; ^; signs. What is not here is refused by name: subqueries, @, native histograms.
#include "telemetry/promql.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <string.h>

struct parser {
    struct lexer lexer;
    struct token token; // the next
    struct maker *maker;
    int depth;
};

static int expression(struct parser *, int precedence, const struct node **ret);

static int advance(struct parser *p)
{
    return lexer_next(&p->lexer, &p->token);
}

static bool is_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN && str_eq_c(p->token.text, sign);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_NAME && str_eq_c(p->token.text, word);
}

static int expect(struct parser *p, const char *sign)
{
    FAIL_IF(!is_sign(p, sign), ERR_INVALID, "'%s' is missing at %zu", sign, p->token.at);
    return advance(p);
}

// The name of a metric is a tag like others here.
static struct str label_key(struct str label)
{
    return str_eq_c(label, "__name__") ? STR("name") : label;
}

// --- selectors --------------------------------------------------------------------------------

static int leaf(struct parser *p, enum telemetry_match_op op, struct str key,
                struct str value, const struct query **ret)
{
    struct str *values = arena_alloc(p->maker->arena, 1, sizeof *values);
    FAIL_IF(!values, ERR_NOMEM, "a query");
    *values = value;
    struct telemetry_match m = {.op = op, .key = key, .values = values, .value_count = 1};
    if (op == TELEMETRY_MATCH_HAS) {
        m.values = NULL;
        m.value_count = 0;
    }
    return query_leaf(p->maker, &m, ret);
}

// Anchored at both ends. *ret_empty: it fits what is not there, too.
static int regex(struct parser *p, struct str value, struct str *ret, bool *ret_empty)
{
    int error = 0;
    size_t at = 0;
    char *text = arena_printf(p->maker->arena, "^(?:" STR_FMT ")$", STR_ARG(value));
    FAIL_IF(!text, ERR_NOMEM, "a query");
    FAIL_IF(value.len > 1024, ERR_LIMIT, "a regular expression of more than 1024 bytes");
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF,
                                     &error, &at, NULL);
    FAIL_IF(!code, ERR_INVALID, "'" STR_FMT "' is no regular expression", STR_ARG(value));
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
    *ret_empty = match && pcre2_match(code, (PCRE2_SPTR) "", 0, 0, 0, match, NULL) >= 0;
    pcre2_match_data_free(match);
    pcre2_code_free(code);
    *ret = str_of(text);
    return 0;
}

static int matcher(struct parser *p, struct str key, struct str sign, struct str value,
                   const struct query **ret)
{
    bool is_not = sign.data[0] == '!', is_re = sign.len == 2 && sign.data[1] == '~';
    bool empty = value.len == 0;
    const struct query *q = NULL, *has = NULL;
    struct str text = value;
    TRY(leaf(p, TELEMETRY_MATCH_HAS, key, value, &has));
    if (is_re) {
        TRY(regex(p, value, &text, &empty));
    }
    // A label that is not there is one that is empty.
    if (value.len == 0) {
        TRY(query_not(p->maker, has, &q));
    } else {
        TRY(leaf(p, is_re ? TELEMETRY_MATCH_RE : TELEMETRY_MATCH_IN, key, text, &q));
        if (empty) {
            TRY(query_not(p->maker, has, &has));
            TRY(query_or(p->maker, q, has, &q));
        }
    }
    if (is_not) {
        TRY(query_not(p->maker, q, &q));
    }
    *ret = q;
    return 0;
}

static int matchers(struct parser *p, const struct query **q)
{
    p->lexer.in_braces = true;
    TRY(expect(p, "{"));
    while (!is_sign(p, "}")) {
        struct token key = p->token, sign;
        const struct query *one = NULL;
        FAIL_IF(key.kind != TOKEN_NAME, ERR_INVALID, "a label is missing at %zu", key.at);
        TRY(advance(p));
        sign = p->token;
        FAIL_IF(!is_sign(p, "=") && !is_sign(p, "!=") && !is_sign(p, "=~") &&
                    !is_sign(p, "!~"),
                ERR_INVALID, "one of = != =~ !~ is missing at %zu", sign.at);
        TRY(advance(p));
        FAIL_IF(p->token.kind != TOKEN_TEXT, ERR_INVALID, "a text is missing at %zu",
                p->token.at);
        TRY(matcher(p, label_key(key.text), sign.text, p->token.text, &one));
        TRY(*q ? query_and(p->maker, *q, one, q) : (*q = one, 0));
        TRY(advance(p));
        if (!is_sign(p, "}")) {
            TRY(expect(p, ","));
        }
    }
    p->lexer.in_braces = false;
    return advance(p);
}

static int window_make(struct parser *p, const struct window *w, const struct node **ret)
{
    struct window *copy = arena_alloc(p->maker->arena, 1, sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a selector");
    *copy = *w;
    struct node n = {.kind = NODE_WINDOW, .window = copy};
    return node_make(p->maker, &n, ret);
}

// [5m], offset 1h behind a selector.
static int modifiers(struct parser *p, struct window *w)
{
    if (is_sign(p, "[")) {
        TRY(advance(p));
        FAIL_IF(p->token.kind != TOKEN_DURATION || p->token.ms == 0, ERR_INVALID,
                "a length of time is missing at %zu", p->token.at);
        w->has_range = true;
        w->range_ms = p->token.ms;
        TRY(advance(p));
        FAIL_IF(
            is_sign(p, ":"), ERR_INVALID,
            "subqueries (the ':' at %zu) are not supported: let the inner question be a "
            "series of its own",
            p->token.at);
        TRY(expect(p, "]"));
    }
    if (is_word(p, "offset")) {
        TRY(advance(p));
        bool back = is_sign(p, "-");
        if (back) {
            TRY(advance(p));
        }
        FAIL_IF(p->token.kind != TOKEN_DURATION, ERR_INVALID,
                "a length of time is missing at %zu", p->token.at);
        w->offset_ms = back ? -p->token.ms : p->token.ms;
        TRY(advance(p));
    }
    FAIL_IF(is_sign(p, "@"), ERR_INVALID, "the modifier @ is not supported");
    FAIL_IF(is_sign(p, "["), ERR_INVALID, "a range stands in front of its offset");
    return 0;
}

static int selector(struct parser *p, struct str name, const struct node **ret)
{
    struct window w = {.fn = WINDOW_LAST};
    if (name.len) {
        TRY(leaf(p, TELEMETRY_MATCH_IN, STR("name"), name, &w.query));
    }
    if (is_sign(p, "{")) {
        TRY(matchers(p, &w.query));
    }
    FAIL_IF(!w.query, ERR_INVALID, "a selector that selects nothing");
    TRY(modifiers(p, &w));
    return window_make(p, &w, ret);
}

// --- aggregations -----------------------------------------------------------------------------

static const struct {
    const char *word;
    enum gather_op op;
    bool has_number;
} gathers[] = {
    {"sum", GATHER_SUM, false},          {"avg", GATHER_AVG, false},
    {"min", GATHER_MIN, false},          {"max", GATHER_MAX, false},
    {"count", GATHER_COUNT, false},      {"group", GATHER_GROUP, false},
    {"stddev", GATHER_STDDEV, false},    {"stdvar", GATHER_STDVAR, false},
    {"topk", GATHER_TOPK, true},         {"bottomk", GATHER_BOTTOMK, true},
    {"quantile", GATHER_QUANTILE, true},
};

static int labels(struct parser *p, struct names *ret)
{
    VEC(struct str) list = {0};
    int err = expect(p, "(");
    while (err == 0 && !is_sign(p, ")")) {
        if (p->token.kind != TOKEN_NAME) {
            err = err_fail(ERR_INVALID, "a label is missing at %zu", p->token.at);
            break;
        }
        err = vec_push(&list, label_key(p->token.text));
        err = err < 0 ? err : advance(p);
        if (err == 0 && !is_sign(p, ")")) {
            err = expect(p, ",");
        }
    }
    struct str *copy = arena_alloc(p->maker->arena, list.len + 1, sizeof *copy);
    if (copy && list.len) {
        memcpy(copy, list.data, list.len * sizeof *copy);
    }
    *ret = (struct names){copy, list.len};
    vec_free(&list);
    TRY(err);
    FAIL_IF(!copy, ERR_NOMEM, "labels");
    return expect(p, ")");
}

static int grouping(struct parser *p, struct gather *g)
{
    if (is_word(p, "by") || is_word(p, "without")) {
        g->is_without = is_word(p, "without");
        TRY(advance(p));
        TRY(labels(p, &g->labels));
    }
    return 0;
}

static bool is_range(const struct node *n)
{
    return n->kind == NODE_WINDOW && n->window->has_range &&
           n->window->fn == WINDOW_LAST && !n->window->param;
}

static int want_vector(const struct node *n)
{
    FAIL_IF(n->is_scalar, ERR_INVALID, "a number stands where series are wanted");
    return 0;
}

static int want_number(const struct node *n)
{
    FAIL_IF(!n->is_scalar, ERR_INVALID, "series stand where a number is wanted");
    return 0;
}

static int gather(struct parser *p, size_t which, const struct node **ret)
{
    struct gather *g = arena_alloc(p->maker->arena, 1, sizeof *g);
    struct node n = {.kind = NODE_GATHER, .gather = g};
    FAIL_IF(!g, ERR_NOMEM, "an aggregation");
    g->op = gathers[which].op;
    TRY(grouping(p, g));
    TRY(expect(p, "("));
    if (gathers[which].has_number) {
        TRY(expression(p, 0, &n.b));
        TRY(want_number(n.b));
        TRY(expect(p, ","));
    }
    TRY(expression(p, 0, &n.a));
    TRY(want_vector(n.a));
    TRY(expect(p, ")"));
    TRY(grouping(p, g));
    return node_make(p->maker, &n, ret);
}

// --- functions --------------------------------------------------------------------------------

// What stands between the parentheses: v a vector, n a number, s a text, in capitals where it may be left out; a
// star: the last again and again.
static const struct function {
    const char *word, *takes;
    enum call_fn fn;
    int op;
} functions[] = {
    {"abs", "v", CALL_UNARY, UNARY_ABS},
    {"ceil", "v", CALL_UNARY, UNARY_CEIL},
    {"floor", "v", CALL_UNARY, UNARY_FLOOR},
    {"exp", "v", CALL_UNARY, UNARY_EXP},
    {"ln", "v", CALL_UNARY, UNARY_LN},
    {"log2", "v", CALL_UNARY, UNARY_LOG2},
    {"log10", "v", CALL_UNARY, UNARY_LOG10},
    {"sqrt", "v", CALL_UNARY, UNARY_SQRT},
    {"sgn", "v", CALL_UNARY, UNARY_SGN},
    {"sin", "v", CALL_UNARY, UNARY_SIN},
    {"round", "vN", CALL_ROUND, 0},
    {"clamp", "vnn", CALL_CLAMP, 0},
    {"clamp_min", "vn", CALL_CLAMP_MIN, 0},
    {"clamp_max", "vn", CALL_CLAMP_MAX, 0},
    {"absent", "v", CALL_ABSENT, 0},
    {"histogram_quantile", "nv", CALL_HISTOGRAM_QUANTILE, 0},
    {"label_replace", "vssss", CALL_LABEL_REPLACE, 0},
    {"label_join", "vsss*", CALL_LABEL_JOIN, 0},
    {"scalar", "v", CALL_SCALAR, 0},
    {"vector", "n", CALL_VECTOR, 0},
    {"sort", "v", CALL_SORT, 0},
    {"sort_desc", "v", CALL_SORT_DESC, 0},
    {"minute", "V", CALL_DATE, TIME_MINUTE_OF_HOUR},
    {"hour", "V", CALL_DATE, TIME_HOUR_OF_DAY},
    {"day_of_week", "V", CALL_DATE, TIME_DAY_OF_WEEK},
    {"day_of_month", "V", CALL_DATE, TIME_DAY_OF_MONTH},
    {"day_of_year", "V", CALL_DATE, TIME_DAY_OF_YEAR},
    {"days_in_month", "V", CALL_DATE, -1},
    {"month", "V", CALL_DATE, TIME_MONTH_OF_YEAR},
    {"year", "V", CALL_DATE, TIME_YEAR},
};

static int windowed(struct parser *p, enum window_fn fn, const struct node **ret)
{
    const struct node *param = NULL, *range = NULL;
    TRY(expect(p, "("));
    if (fn == WINDOW_QUANTILE) {
        TRY(expression(p, 0, &param));
        TRY(want_number(param));
        TRY(expect(p, ","));
    }
    TRY(expression(p, 0, &range));
    FAIL_IF(!is_range(range), ERR_INVALID, "a range is missing, as in [5m], at %zu",
            p->token.at);
    TRY(expect(p, ")"));
    struct window w = *range->window;
    w.fn = fn;
    w.param = param;
    // last_over_time's window is spoken for, too: it is no range any more.
    struct window *copy = arena_alloc(p->maker->arena, 1, sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a window");
    *copy = w;
    struct node n = {.kind = NODE_CALL};
    if (fn != WINDOW_LAST) {
        n = (struct node){.kind = NODE_WINDOW, .window = copy, .b = param};
        return node_make(p->maker, &n, ret);
    }
    TRY(window_make(p, &w, &n.a));
    struct call *call = arena_alloc(p->maker->arena, 1, sizeof *call);
    FAIL_IF(!call, ERR_NOMEM, "a window");
    call->fn = CALL_LAST;
    n.call = call;
    return node_make(p->maker, &n, ret);
}

struct argued {
    struct node n;
    struct call *call;
    struct str *texts;
    size_t text_count, number_count;
};

static int argument(struct parser *p, char takes, struct argued *a)
{
    const struct node *x = NULL;
    if (takes == 's') {
        FAIL_IF(p->token.kind != TOKEN_TEXT, ERR_INVALID, "a text is missing at %zu",
                p->token.at);
        FAIL_IF(a->text_count == 32, ERR_LIMIT, "more than 32 texts");
        a->texts[a->text_count++] = p->token.text;
        return advance(p);
    }
    TRY(expression(p, 0, &x));
    if (takes == 'v' || takes == 'V') {
        TRY(want_vector(x));
        FAIL_IF(is_range(x), ERR_INVALID,
                "a range stands where a moment is wanted, at %zu", p->token.at);
        a->n.a = x;
        return 0;
    }
    TRY(want_number(x));
    a->call->more[a->number_count++] = x;
    return 0;
}

static int arguments(struct parser *p, const char *takes, struct argued *a)
{
    TRY(expect(p, "("));
    for (bool first = true; *takes; first = false) {
        bool optional = *takes == 'V' || *takes == 'N' || *takes == '*';
        if (is_sign(p, ")") && optional) {
            break;
        }
        if (!first) {
            TRY(expect(p, ","));
        }
        TRY(argument(p, *takes == '*' ? takes[-1] : (char)(*takes == 'N' ? 'n' : *takes),
                     a));
        takes += *takes != '*';
    }
    return expect(p, ")");
}

static int called(struct parser *p, const struct function *f, const struct node **ret)
{
    struct argued a = {.n = {.kind = NODE_CALL}};
    a.call = arena_alloc(p->maker->arena, 1, sizeof *a.call);
    a.texts = arena_alloc(p->maker->arena, 32, sizeof *a.texts);
    FAIL_IF(!a.call || !a.texts, ERR_NOMEM, "a call");
    TRY(arguments(p, f->takes, &a));
    a.call->fn = f->fn;
    a.call->op = f->fn == CALL_UNARY ? (enum plan_unary)f->op : UNARY_ABS;
    a.call->is_days_in_month = f->op < 0;
    a.call->mode =
        f->fn == CALL_DATE && f->op >= 0 ? (enum plan_time)f->op : TIME_SECONDS;
    a.call->texts = (struct names){a.texts, a.text_count};
    a.n.call = a.call;
    a.n.is_scalar = f->fn == CALL_SCALAR;
    if (f->fn == CALL_LABEL_REPLACE) {
        bool empty = false;
        TRY(regex(p, a.texts[3], &a.texts[3], &empty));
    }
    if (!a.n.a && f->fn == CALL_DATE) { // of now
        struct node t = {
            .kind = NODE_TIME, .is_scalar = true, .time = {TIME_SECONDS, STR("seconds")}};
        TRY(node_make(p->maker, &t, &a.n.a));
    }
    return node_make(p->maker, &a.n, ret);
}

static int number_node(struct parser *p, double v, const struct node **ret)
{
    struct node n = {.kind = NODE_CONST, .number = v, .is_scalar = true};
    return node_make(p->maker, &n, ret);
}

// A name: an aggregation, a function, a number, or a metric.
static int named(struct parser *p, const struct node **ret)
{
    static const char *const windows[] = {
#define X(name, word, keeps) [WINDOW_##name] = word,
        PROMQL_WINDOWS(X)
#undef X
    };
    struct str name = p->token.text;
    TRY(advance(p));
    bool open = is_sign(p, "(");
    for (size_t i = 0; i < ARRAY_LEN(gathers); i++) {
        if (str_eq_c(name, gathers[i].word) &&
            (open || is_word(p, "by") || is_word(p, "without"))) {
            return gather(p, i, ret);
        }
    }
    if (!open && (str_eq_c(name, "Inf") || str_eq_c(name, "inf") ||
                  str_eq_c(name, "NaN") || str_eq_c(name, "nan"))) {
        bool inf = name.data[0] == 'I' || name.data[0] == 'i';
        return number_node(p, inf ? (double)INFINITY : (double)NAN, ret);
    }
    if (!open) {
        return selector(p, name, ret);
    }
    if (str_eq_c(name, "time")) {
        struct node n = {
            .kind = NODE_TIME, .is_scalar = true, .time = {TIME_SECONDS, STR("seconds")}};
        TRY(advance(p));
        TRY(expect(p, ")"));
        return node_make(p->maker, &n, ret);
    }
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        if (str_eq_c(name, windows[i])) {
            return windowed(p, (enum window_fn)i, ret);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (str_eq_c(name, functions[i].word)) {
            return called(p, &functions[i], ret);
        }
    }
    FAIL(ERR_INVALID, "the function " STR_FMT " is not supported", STR_ARG(name));
}

static int primary(struct parser *p, const struct node **ret)
{
    const struct token t = p->token;
    if (t.kind == TOKEN_NUMBER) {
        TRY(advance(p));
        return number_node(p, t.number, ret);
    }
    if (t.kind == TOKEN_NAME) {
        return named(p, ret);
    }
    if (is_sign(p, "{")) {
        return selector(p, (struct str){0}, ret);
    }
    FAIL_IF(!is_sign(p, "("), ERR_INVALID,
            t.kind == TOKEN_END ? "the question ends too early, at %zu"
                                : "something else is wanted at %zu",
            t.at);
    TRY(advance(p));
    TRY(expression(p, 0, ret));
    return expect(p, ")");
}

// --- operators --------------------------------------------------------------------------------

static const struct operator
{
    const char *sign;
    enum matched_op op;
    int precedence;
}
operators[] = {
    {"or", MATCHED_OR, 1}, {"and", MATCHED_AND, 2}, {"unless", MATCHED_UNLESS, 2},
    {"==", MATCHED_EQ, 3}, {"!=", MATCHED_NE, 3},   {">", MATCHED_GT, 3},
    {"<", MATCHED_LT, 3},  {">=", MATCHED_GE, 3},   {"<=", MATCHED_LE, 3},
    {"+", MATCHED_ADD, 4}, {"-", MATCHED_SUB, 4},   {"*", MATCHED_MUL, 5},
    {"/", MATCHED_DIV, 5}, {"%", MATCHED_MOD, 5},   {"^", MATCHED_POW, 7},
};
#define SIGN_PRECEDENCE 6

static const struct operator* operator_at(const struct parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        bool word = operators[i].precedence < 3;
        if (word ? is_word(p, operators[i].sign) : is_sign(p, operators[i].sign)) {
            return &operators[i];
        }
    }
    return NULL;
}

static int matching(struct parser *p, struct matched *m)
{
    if (is_word(p, "bool")) {
        FAIL_IF(m->op < MATCHED_EQ || m->op > MATCHED_LE, ERR_INVALID,
                "bool stands behind comparisons only, not at %zu", p->token.at);
        m->is_bool = true;
        TRY(advance(p));
    }
    if (is_word(p, "on") || is_word(p, "ignoring")) {
        m->is_on = is_word(p, "on");
        TRY(advance(p));
        TRY(labels(p, &m->labels));
        if (is_word(p, "group_left") || is_word(p, "group_right")) {
            FAIL_IF(m->op >= MATCHED_AND, ERR_INVALID, "sets are not grouped, at %zu",
                    p->token.at);
            m->card = is_word(p, "group_left") ? MANY_TO_ONE : ONE_TO_MANY;
            TRY(advance(p));
            if (is_sign(p, "(")) {
                TRY(labels(p, &m->include));
            }
        }
    }
    return 0;
}

static int pair(struct parser *p, const struct operator* o, const struct node *left,
                const struct node **ret)
{
    struct matched *m = arena_alloc(p->maker->arena, 1, sizeof *m);
    FAIL_IF(!m, ERR_NOMEM, "an operator");
    struct node n = {.kind = NODE_MATCHED, .a = left, .matched = m};
    m->op = o->op;
    TRY(advance(p));
    TRY(matching(p, m));
    // ^ binds to the right, the others to the left.
    TRY(expression(p, o->precedence + (o->op != MATCHED_POW), &n.b));
    FAIL_IF(is_range(n.a) || is_range(n.b), ERR_INVALID,
            "a range stands where a moment is wanted, at %zu", p->token.at);
    bool both = n.a->is_scalar && n.b->is_scalar;
    FAIL_IF(m->op >= MATCHED_AND && (n.a->is_scalar || n.b->is_scalar), ERR_INVALID,
            "and, or and unless are of series, at %zu", p->token.at);
    FAIL_IF(both && m->op >= MATCHED_EQ && m->op <= MATCHED_LE && !m->is_bool,
            ERR_INVALID, "a comparison of two numbers needs bool, at %zu", p->token.at);
    FAIL_IF((n.a->is_scalar || n.b->is_scalar) && (m->is_on || m->labels.count),
            ERR_INVALID, "labels are matched between series only, at %zu", p->token.at);
    n.is_scalar = both;
    return node_make(p->maker, &n, ret);
}

static int signed_value(struct parser *p, const struct node **ret)
{
    bool minus = is_sign(p, "-");
    const struct node *x = NULL;
    if (!minus && !is_sign(p, "+")) {
        TRY(primary(p, ret));
        FAIL_IF(
            is_sign(p, "["), ERR_INVALID,
            "subqueries (the '[' at %zu) are not supported: let the inner question be a "
            "series of its own",
            p->token.at);
        return 0;
    }
    TRY(advance(p));
    TRY(expression(p, SIGN_PRECEDENCE, &x));
    if (!minus) {
        *ret = x;
        return 0;
    }
    if (x->kind == NODE_CONST) {
        return number_node(p, -x->number, ret);
    }
    struct call *call = arena_alloc(p->maker->arena, 1, sizeof *call);
    FAIL_IF(!call, ERR_NOMEM, "a sign");
    call->fn = CALL_UNARY;
    call->op = UNARY_NEG;
    struct node n = {.kind = NODE_CALL, .a = x, .call = call, .is_scalar = x->is_scalar};
    return node_make(p->maker, &n, ret);
}

static int expression(struct parser *p, int precedence, const struct node **ret)
{
    const struct node *left = NULL;
    FAIL_IF(++p->depth > PROMQL_DEPTH_MAX, ERR_LIMIT,
            "the question is too deep: more than %d parentheses and signs",
            PROMQL_DEPTH_MAX);
    TRY(signed_value(p, &left));
    for (const struct operator* o; (o = operator_at(p)) && o->precedence >= precedence;) {
        TRY(pair(p, o, left, &left));
    }
    p->depth--;
    *ret = left;
    return 0;
}

int promql_parse(struct str text, struct maker *m, const struct node **ret)
{
    struct parser p = {.lexer = {.text = text, .arena = m->arena}, .maker = m};
    const struct node *n = NULL;
    FAIL_IF(text.len > PLAN_TEXT_MAX, ERR_LIMIT, "a question of more than %d bytes",
            PLAN_TEXT_MAX);
    FAIL_IF(!str_is_utf8(text), ERR_INVALID, "a question that is not UTF-8");
    TRY(advance(&p));
    TRY(expression(&p, 0, &n));
    FAIL_IF(p.token.kind != TOKEN_END, ERR_INVALID, "more than one question, at %zu",
            p.token.at);
    FAIL_IF(is_range(n), ERR_INVALID,
            "a range is no answer: rate(x[5m]) and its like are");
    *ret = n;
    return 0;
}

int telemetry_promql_parse(struct str text, struct arena *a,
                           const struct telemetry_expr **ret)
{
    struct maker m = {.arena = a, .zone = "UTC", .now_ms = clock_wall_us() / 1000};
    struct telemetry_expr *e = arena_alloc(a, 1, sizeof *e);
    struct styled *line = arena_alloc(a, 1, sizeof *line);
    char *copy = arena_dup(a, text);
    FAIL_IF(!e || !line || !copy, ERR_NOMEM, "a question");
    // Names point into it.
    TRY(promql_parse((struct str){copy, text.len}, &m, &line->node));
    line->limit = -1;
    *e = (struct telemetry_expr){.lines = line,
                                 .count = 1,
                                 .made = m.made,
                                 .is_promql = true,
                                 .text = {copy, text.len}};
    *ret = e;
    return 0;
}
