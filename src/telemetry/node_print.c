// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tree as words again, so that reading them gives the same tree. What PromQL made is kept as it was
// written (telemetry_expr.text).
#include "telemetry/plan.h"

#include <math.h>
#include <stdlib.h>

const char *const setting_words[SETTING_COUNT] = {
#define X(name, word) [SETTING_##name] = word,
    PLAN_SETTINGS(X)
#undef X
};

const char *plan_binary_word(enum plan_binary op)
{
    static const char *const words[] = {
#define X(name, word) [BINARY_##name] = #word,
        PLAN_BINARY(X)
#undef X
    };
    return words[op];
}

const char *plan_unary_word(enum plan_unary op)
{
    static const char *const words[] = {
#define X(name, word) [UNARY_##name] = #word,
        PLAN_UNARY(X)
#undef X
            [UNARY_PER_STEP] = "per-step",
        [UNARY_CLAMP_MIN] = "clamp-min",
        [UNARY_CLAMP_MAX] = "clamp-max",
        [UNARY_ROUND] = "round",
    };
    return words[op];
}

const char *plan_stateful_word(enum plan_stateful op)
{
    static const char *const words[] = {
#define X(name, word, numbers) [STATEFUL_##name] = word,
        PLAN_STATEFUL(X)
#undef X
    };
    return words[op];
}

static const char *const stat_words[] = {
    [STAT_AVG] = "avg",   [STAT_MAX] = "max",     [STAT_MIN] = "min",
    [STAT_LAST] = "last", [STAT_TOTAL] = "total", [STAT_COUNT] = "count",
};

const char *plan_stat_word(enum plan_stat stat)
{
    return stat_words[stat];
}

int plan_stat_find(struct str s, enum plan_stat *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(stat_words); i++) {
        if (str_eq_c(s, stat_words[i])) {
            *ret = (enum plan_stat)i;
            return 0;
        }
    }
    FAIL(ERR_INVALID,
         "'" STR_FMT "' is no statistic: avg, max, min, last, total and count are",
         STR_ARG(s));
}

const char *plan_aggregate_word(enum plan_aggregate by)
{
    static const char *const words[] = {
        [AGGREGATE_ALL] = "all", [AGGREGATE_SUM] = "sum", [AGGREGATE_COUNT] = "count",
        [AGGREGATE_MIN] = "min", [AGGREGATE_MAX] = "max",
    };
    return words[by];
}

const char *plan_cf_word(enum telemetry_consolidate cf)
{
    static const char *const words[] = {
        [TELEMETRY_CF_AVG] = "avg",
        [TELEMETRY_CF_SUM] = "sum",
        [TELEMETRY_CF_MIN] = "min",
        [TELEMETRY_CF_MAX] = "max",
    };
    return words[cf];
}

bool plan_number(struct str s, double *ret)
{
    static const struct {
        const char *text;
        double value;
    } named[] = {{"NaN", (double)NAN},
                 {"Infinity", (double)INFINITY},
                 {"+Infinity", (double)INFINITY},
                 {"-Infinity", -(double)INFINITY}};
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        if (str_eq_c(s, named[i].text)) {
            *ret = named[i].value;
            return true;
        }
    }
    // strtod knows more than the language: hexadecimal, "inf", "nan(…)".
    bool digit = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        digit = digit || (c >= '0' && c <= '9');
        if (!(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '+' &&
            !(digit && (c == 'e' || c == 'E'))) {
            return false;
        }
    }
    char text[64];
    char *end = NULL;
    if (!digit || str_copy(text, sizeof text, s) < 0) {
        return false;
    }
    double v = strtod(text, &end); // too large is infinite, as in Java
    if (end != text + s.len) {
        return false;
    }
    *ret = v;
    return true;
}

void plan_number_print(double v, struct buf *out)
{
    char text[40];
    if (isnan(v) || isinf(v)) {
        buf_cstr(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) {
            break;
        }
    }
    buf_cstr(out, text);
    for (const char *p = text; *p; p++) {
        if (*p == '.' || *p == 'e') {
            return;
        }
    }
    buf_cstr(out, ".0");
}

static bool must_escape(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.data[i];
    bool edge = i == 0 || i + 1 == s.len;
    return c == ',' || c < 0x20 || c == 0x7f || (c == ' ' && edge) ||
           (c == ':' && i == 0) || ((c == '(' || c == ')') && s.len == 1) ||
           (c == '/' && i + 1 < s.len && s.data[i + 1] == '*') ||
           (c == '\\' && i + 1 < s.len && s.data[i + 1] == 'u');
}

void plan_escape(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (must_escape(s, i)) {
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)s.data[i]);
        } else {
            buf_char(out, s.data[i]);
        }
    }
}

static void print_list(struct names list, struct buf *out)
{
    buf_cstr(out, "(,");
    for (size_t i = 0; i < list.count; i++) {
        plan_escape(list.list[i], out);
        buf_char(out, ',');
    }
    buf_char(out, ')');
}

void query_print(const struct query *q, struct buf *out)
{
    static const char *const words[] = {
        [TELEMETRY_MATCH_ALL] = ":true", [TELEMETRY_MATCH_NONE] = ":false",
        [TELEMETRY_MATCH_HAS] = ":has",  [TELEMETRY_MATCH_IN] = ":in",
        [TELEMETRY_MATCH_RE] = ":re",    [TELEMETRY_MATCH_REIC] = ":reic",
        [TELEMETRY_MATCH_LT] = ":lt",    [TELEMETRY_MATCH_LE] = ":le",
        [TELEMETRY_MATCH_GT] = ":gt",    [TELEMETRY_MATCH_GE] = ":ge",
        [TELEMETRY_MATCH_AND] = ":and",  [TELEMETRY_MATCH_OR] = ":or",
        [TELEMETRY_MATCH_NOT] = ":not",
    };
    const struct telemetry_match *m = &q->match;
    if (m->left) {
        query_print(query_of(m->left), out);
        buf_char(out, ',');
    }
    if (m->right) {
        query_print(query_of(m->right), out);
        buf_char(out, ',');
    }
    if (m->key.data) {
        plan_escape(m->key, out);
        buf_char(out, ',');
    }
    if (m->op == TELEMETRY_MATCH_IN && m->value_count != 1) {
        print_list((struct names){m->values, m->value_count}, out);
        buf_cstr(out, ",:in");
        return;
    }
    if (m->value_count) {
        plan_escape(m->values[0], out);
        buf_char(out, ',');
    }
    buf_cstr(out, m->op == TELEMETRY_MATCH_IN ? ":eq" : words[m->op]);
}

static void label_values(const struct telemetry_match *m, struct buf *out)
{
    buf_cstr(out, " in (");
    for (size_t i = 0; i < m->value_count && i < 8; i++) {
        buf_cstr(out, i ? "," : "");
        buf_str(out, m->values[i]);
    }
    buf_cstr(out, m->value_count > 8 ? ",…)" : ")");
}

void query_label(const struct query *q, struct buf *out)
{
    static const char *const signs[] = {
        [TELEMETRY_MATCH_IN] = "=",     [TELEMETRY_MATCH_RE] = "~/^",
        [TELEMETRY_MATCH_REIC] = "~/^", [TELEMETRY_MATCH_LT] = "<",
        [TELEMETRY_MATCH_LE] = "<=",    [TELEMETRY_MATCH_GT] = ">",
        [TELEMETRY_MATCH_GE] = ">=",
    };
    const struct telemetry_match *m = &q->match;
    switch (m->op) {
    case TELEMETRY_MATCH_ALL:
    case TELEMETRY_MATCH_NONE:
        buf_cstr(out, m->op == TELEMETRY_MATCH_ALL ? "true" : "false");
        return;
    case TELEMETRY_MATCH_NOT:
    case TELEMETRY_MATCH_HAS:
        buf_cstr(out, m->op == TELEMETRY_MATCH_NOT ? "not(" : "has(");
        if (m->left) {
            query_label(query_of(m->left), out);
        } else {
            buf_str(out, m->key);
        }
        buf_char(out, ')');
        return;
    case TELEMETRY_MATCH_AND:
    case TELEMETRY_MATCH_OR:
        query_label(query_of(m->left), out);
        buf_cstr(out, m->op == TELEMETRY_MATCH_AND ? " and " : " or ");
        query_label(query_of(m->right), out);
        return;
    case TELEMETRY_MATCH_IN:
    case TELEMETRY_MATCH_RE:
    case TELEMETRY_MATCH_REIC:
    case TELEMETRY_MATCH_LT:
    case TELEMETRY_MATCH_LE:
    case TELEMETRY_MATCH_GT:
    case TELEMETRY_MATCH_GE:
        break;
    }
    buf_str(out, m->key);
    if (m->op == TELEMETRY_MATCH_IN && m->value_count != 1) {
        label_values(m, out);
        return;
    }
    buf_cstr(out, signs[m->op]);
    buf_str(out, m->values[0]);
    buf_cstr(out, m->op == TELEMETRY_MATCH_RE     ? "/"
                  : m->op == TELEMETRY_MATCH_REIC ? "/i"
                                                  : "");
}

static void print_word(const char *word, struct buf *out)
{
    buf_cstr(out, ",:");
    buf_cstr(out, word);
}

static void print_by(struct names keys, struct buf *out)
{
    buf_char(out, ',');
    print_list(keys, out);
    buf_cstr(out, ",:by");
}

static void print_offset(int64_t ms, struct buf *out)
{
    if (ms) {
        buf_char(out, ',');
        times_print(ms, out);
        buf_cstr(out, ",:offset");
    }
}

static void print_data(const struct node *n, struct buf *out)
{
    static const enum telemetry_consolidate usual[] = {
        [AGGREGATE_ALL] = TELEMETRY_CF_SUM,   [AGGREGATE_SUM] = TELEMETRY_CF_AVG,
        [AGGREGATE_COUNT] = TELEMETRY_CF_AVG, [AGGREGATE_MIN] = TELEMETRY_CF_MIN,
        [AGGREGATE_MAX] = TELEMETRY_CF_MAX,
    };
    query_print(n->data.query, out);
    print_word(plan_aggregate_word(n->data.by), out);
    if (n->data.cf != usual[n->data.by]) {
        buf_printf(out, ",:cf-%s", plan_cf_word(n->data.cf));
    }
    if (n->is_grouped) {
        print_by(n->keys, out);
    }
    print_offset(n->data.offset_ms, out);
}

static void print_stateful(const struct node *n, struct buf *out)
{
    static const int numbers[] = {
#define X(name, word, count) [STATEFUL_##name] = count,
        PLAN_STATEFUL(X)
#undef X
    };
    int count = numbers[n->stateful.op];
    if (count < 0) {
        buf_char(out, ',');
        times_print(n->stateful.n, out);
    }
    if (count >= 1) {
        buf_printf(out, ",%lld", (long long)n->stateful.n);
    }
    if (count == 2) {
        buf_printf(out, ",%lld", (long long)n->stateful.least);
    }
    if (count == 3) {
        buf_char(out, ',');
        plan_number_print(n->stateful.alpha, out);
        buf_char(out, ',');
        plan_number_print(n->stateful.beta, out);
    }
    print_word(plan_stateful_word(n->stateful.op), out);
}

static void print_percentiles(const struct node *n, struct buf *out)
{
    const struct node *data = n->a;
    query_print(data->data.query, out);
    if (data->keys.count > 1) { // the first is "percentile"
        print_by((struct names){data->keys.list + 1, data->keys.count - 1}, out);
    }
    buf_cstr(out, ",(,");
    for (size_t i = 0; i < n->percentiles.count; i++) {
        plan_number_print(n->percentiles.list[i], out);
        buf_char(out, ',');
    }
    buf_cstr(out, "),:percentiles");
    print_offset(data->data.offset_ms, out);
}

static void print_pick(const struct node *n, struct buf *out)
{
    static const char *const others[] = {"", "-others-min", "-others-max", "-others-sum",
                                         "-others-avg"};
    buf_printf(out, ",%s,%lld,:%s%s", plan_stat_word(n->pick.by), (long long)n->pick.k,
               n->pick.is_bottom ? "bottomk" : "topk", others[n->pick.others]);
}

static void print_rewrite(const struct node *n, struct buf *out)
{
    if (n->rewrite.query) {
        query_print(n->rewrite.query, out);
    } else {
        node_print(n->b, out);
    }
    for (size_t i = 0; i < n->rewrite.params.count; i++) {
        buf_char(out, ',');
        buf_str(out, n->rewrite.params.list[i]);
    }
    buf_cstr(out, ",:");
    buf_str(out, n->rewrite.name);
    if (n->rewrite.by.count) {
        print_by(n->rewrite.by, out);
    }
    print_offset(n->rewrite.offset_ms, out);
}

static void print_leaf(const struct node *n, struct buf *out)
{
    switch ((int)n->kind) {
    case NODE_CONST:
        plan_number_print(n->number, out);
        print_word("const", out);
        return;
    case NODE_RANDOM:
        if (n->random.is_seeded) {
            buf_printf(out, "%lld,:srandom", (long long)n->random.seed);
        } else {
            buf_cstr(out, ":random");
        }
        return;
    case NODE_TIME:
        buf_str(out, n->time.name);
        print_word("time", out);
        return;
    case NODE_SPAN:
        plan_escape(n->span.start, out);
        buf_char(out, ',');
        plan_escape(n->span.end, out);
        print_word("time-span", out);
        return;
    case NODE_STAT_OF:
        buf_printf(out, ":stat-%s", plan_stat_word(n->stat.of));
        return;
    default:
        return;
    }
}

static void print_tail(const struct node *n, struct buf *out)
{
    switch ((int)n->kind) {
    case NODE_UNARY:
        if (n->unary.op == UNARY_CLAMP_MIN || n->unary.op == UNARY_CLAMP_MAX) {
            buf_char(out, ',');
            plan_number_print(n->unary.to, out);
        }
        print_word(plan_unary_word(n->unary.op), out);
        return;
    case NODE_BINARY:
        print_word(plan_binary_word(n->binary), out);
        return;
    case NODE_FILTER:
        print_word("filter", out);
        return;
    case NODE_AGGREGATE:
        print_word(plan_aggregate_word(n->aggregate), out);
        if (n->is_grouped) {
            print_by(n->keys, out);
        }
        return;
    case NODE_STATEFUL:
        print_stateful(n, out);
        return;
    case NODE_STAT:
        buf_printf(out, ",%s,:stat", plan_stat_word(n->stat.of));
        return;
    case NODE_PICK:
        print_pick(n, out);
        return;
    case NODE_CONSOLIDATE:
        buf_printf(out, ",%s,", plan_cf_word(n->consolidate.cf));
        times_print(n->consolidate.step_ms, out);
        print_word("consolidate", out);
        return;
    case NODE_AS:
        buf_char(out, ',');
        plan_escape(n->as.from, out);
        buf_char(out, ',');
        plan_escape(n->as.to, out);
        print_word("as", out);
        return;
    default:
        return;
    }
}

void node_print(const struct node *n, struct buf *out)
{
    if (n->kind == NODE_DATA) {
        print_data(n, out);
    } else if (n->kind == NODE_PERCENTILES) {
        print_percentiles(n, out);
    } else if (n->kind == NODE_REWRITE) {
        print_rewrite(n, out);
    } else if (n->kind == NODE_STAT && n->stat.is_short) {
        buf_printf(out, ":stat-%s", plan_stat_word(n->stat.of));
    } else if (!n->a) {
        print_leaf(n, out);
    } else {
        node_print(n->a, out);
        if (n->b) {
            buf_char(out, ',');
            node_print(n->b, out);
        }
        print_tail(n, out);
    }
}

static void print_sed(const struct sed *s, struct buf *out)
{
    if (!s) {
        return;
    }
    print_sed(s->before, out);
    buf_char(out, ',');
    plan_escape(s->search, out);
    if (s->replace.data) {
        buf_char(out, ',');
        plan_escape(s->replace, out);
    }
    print_word(s->replace.data ? "s" : "decode", out);
}

static void print_setting(enum setting k, struct str value, struct buf *out)
{
    if (!value.data) {
        return;
    }
    buf_char(out, ',');
    if (k == SETTING_LS) {
        buf_char(out, ':');
        buf_str(out, value);
        return;
    }
    // A list of colours is written as the list that it was.
    if (k == SETTING_PALETTE && value.data[0] == '(') {
        buf_str(out, value);
    } else {
        plan_escape(value, out);
    }
    print_word(setting_words[k], out);
}

int telemetry_expr_print(const struct telemetry_expr *e, struct buf *out)
{
    if (e->is_promql) {
        buf_str(out, e->text);
        return out->err;
    }
    for (size_t i = 0; i < e->count; i++) {
        const struct styled *s = &e->lines[i];
        buf_cstr(out, i ? "," : "");
        node_print(s->node, out);
        for (int k = 0; k < SETTING_COUNT; k++) {
            print_setting((enum setting)k, s->settings[k], out);
            if (k == SETTING_SORT) {
                print_sed(s->sed, out);
            }
        }
    }
    return out->err;
}
