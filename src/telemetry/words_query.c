// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words that say which series are meant, and those of data: how they are put together.
#include "telemetry/stack.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

static int push_match(struct stack *s, const struct telemetry_match *m)
{
    const struct query *q = NULL;
    TRY(query_leaf(&s->maker, m, &q));
    return stack_push_query(s, q);
}

static int fixed_run(struct stack *s, const struct word *w)
{
    return push_match(s, &(struct telemetry_match){.op = (enum telemetry_match_op)w->op});
}

static int has_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct telemetry_match m = {.op = TELEMETRY_MATCH_HAS};
    TRY(stack_pop_text(s, &m.key));
    return push_match(s, &m);
}

// What cannot be read is better said now than at each series.
static int check_re(struct str re)
{
    int error = 0;
    size_t at = 0;
    FAIL_IF(re.len > 1024, ERR_LIMIT, "a regular expression of more than 1024 bytes");
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)re.data, re.len, PCRE2_UTF, &error, &at, NULL);
    if (!code) {
        char why[128];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
        FAIL(ERR_INVALID, "'" STR_FMT "' is no regular expression: %s", STR_ARG(re), why);
    }
    pcre2_code_free(code);
    return 0;
}

// key,value,:eq and its like.
int words_key_value(struct stack *s, enum telemetry_match_op op)
{
    struct telemetry_match m = {.op = op, .value_count = 1};
    struct str *value = arena_alloc(s->maker.arena, 1, sizeof *value);
    FAIL_IF(!value, ERR_NOMEM, "a query");
    TRY(stack_pop_text(s, value));
    TRY(stack_pop_text(s, &m.key));
    m.values = value;
    if (op == TELEMETRY_MATCH_RE || op == TELEMETRY_MATCH_REIC) {
        TRY(check_re(*value));
    }
    return push_match(s, &m);
}

static int key_value_run(struct stack *s, const struct word *w)
{
    return words_key_value(s, (enum telemetry_match_op)w->op);
}

// :contains, :starts and :ends are regular expressions around a text taken literally.
enum { AROUND_CONTAINS, AROUND_STARTS, AROUND_ENDS };

static int around_run(struct stack *s, const struct word *w)
{
    struct str value;
    TRY(stack_pop_text(s, &value));
    AUTO(buf_free) struct buf re = {0};
    buf_cstr(&re, w->op == AROUND_STARTS ? "" : ".*");
    for (size_t i = 0; i < value.len; i++) {
        if (strchr("\\^$.|?*+()[]{}", value.data[i])) {
            buf_char(&re, '\\');
        }
        buf_char(&re, value.data[i]);
    }
    buf_cstr(&re, w->op == AROUND_ENDS ? "$" : "");
    TRY(re.err);
    char *text = arena_dup(s->maker.arena, buf_view(&re));
    FAIL_IF(!text, ERR_NOMEM, "a query");
    TRY(stack_push_text(s, str_of(text)));
    return words_key_value(s, TELEMETRY_MATCH_RE);
}

static int in_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct names values;
    struct telemetry_match m = {.op = TELEMETRY_MATCH_IN};
    TRY(stack_pop_texts(s, &values));
    TRY(stack_pop_text(s, &m.key));
    if (values.count == 0) {
        return push_match(s, &(struct telemetry_match){.op = TELEMETRY_MATCH_NONE});
    }
    m.values = values.list;
    m.value_count = values.count;
    return push_match(s, &m);
}

static int not_run(struct stack *s, const struct word *w)
{
    (void)w;
    const struct query *q = NULL;
    TRY(stack_pop_query(s, &q));
    TRY(query_not(&s->maker, q, &q));
    return stack_push_query(s, q);
}

static int common_run(struct stack *s, const struct word *w)
{
    (void)w;
    const struct query *q = NULL;
    struct item i;
    TRY(stack_pop_query(s, &q));
    TRY(stack_pop(s, &i));
    switch (i.kind) {
    case ITEM_QUERY:
        TRY(query_and(&s->maker, i.query, q, &i.query));
        break;
    case ITEM_NODE:
        TRY(rewrite_common_query(&s->maker, i.node, q, &i.node));
        break;
    case ITEM_STYLED: {
        const struct node *n = NULL;
        TRY(rewrite_common_query(&s->maker, i.styled->node, q, &n));
        return stack_push_styled(s, n, i.styled);
    }
    case ITEM_TEXT: // speaks of no series
    case ITEM_LIST:
        break;
    }
    return stack_push(s, i);
}

// --- data -------------------------------------------------------------------------------------

static int all_run(struct stack *s, const struct word *w)
{
    (void)w;
    const struct query *q = NULL;
    const struct node *n = NULL;
    TRY(stack_pop_query(s, &q));
    TRY(node_data(&s->maker, q, AGGREGATE_ALL, &n));
    return stack_push_node(s, n);
}

// Of a query: over its series. Of lines: over those. Of what is aggregated and not grouped: itself, only
// that there is one can be counted.
static int aggregate_run(struct stack *s, const struct word *w)
{
    enum plan_aggregate by = (enum plan_aggregate)w->op;
    const struct node *n = NULL;
    if (stack_has(s, 0, ITEM_QUERY)) {
        const struct query *q = NULL;
        TRY(stack_pop_query(s, &q));
        TRY(node_data(&s->maker, q, by, &n));
        return stack_push_node(s, n);
    }
    const struct styled *style = NULL;
    TRY(stack_pop_lines(s, &n, &style));
    bool is_one = n->kind == NODE_DATA && !n->is_grouped && n->data.by != AGGREGATE_ALL;
    if (!is_one || by == AGGREGATE_COUNT) {
        struct node m = {.kind = NODE_AGGREGATE, .a = n, .aggregate = by};
        TRY(node_make(&s->maker, &m, &n));
    }
    return stack_push_styled(s, n, style);
}

static int by_run(struct stack *s, const struct word *w)
{
    struct names keys;
    const struct node *n = NULL;
    const struct styled *style = NULL;
    TRY(stack_pop_texts(s, &keys));
    if (w->op) { // :cg
        TRY(stack_pop_lines(s, &n, &style));
        TRY(rewrite_common_by(&s->maker, n, keys, &n));
        return stack_push_styled(s, n, style);
    }
    TRY(stack_pop_lines(s, &n, NULL));
    TRY(rewrite_by(&s->maker, n, keys, &n));
    return stack_push_node(s, n);
}

static int offset_run(struct stack *s, const struct word *w)
{
    (void)w;
    const struct node *n = NULL;
    const struct styled *style = NULL;
    if (stack_has(s, 0, ITEM_LIST)) {
        struct names list;
        struct styled styled;
        TRY(stack_pop_texts(s, &list));
        TRY(stack_pop_styled(s, &styled));
        AUTO(buf_free) struct buf text = {0};
        for (size_t i = 0; i < list.count; i++) {
            buf_str(&text, list.list[i]);
            buf_char(&text, ',');
        }
        TRY(text.err);
        char *copy = arena_dup(s->maker.arena, buf_view(&text));
        FAIL_IF(!copy, ERR_NOMEM, "a text");
        styled.settings[SETTING_OFFSET] = str_of(copy);
        return stack_push_style(s, &styled);
    }
    int64_t ms = 0;
    TRY(stack_pop_duration(s, &ms));
    TRY(stack_pop_lines(s, &n, &style));
    TRY(rewrite_offset(&s->maker, n, ms, &n));
    return stack_push_styled(s, n, style);
}

static int cf_run(struct stack *s, const struct word *w)
{
    const struct node *n = NULL;
    TRY(stack_pop_lines(s, &n, NULL));
    TRY(rewrite_cf(&s->maker, n, (enum telemetry_consolidate)w->op, &n));
    return stack_push_node(s, n);
}

static int custom_run(struct stack *s, const struct word *w)
{
    const struct query *q = NULL;
    const struct node *n = NULL;
    TRY(stack_pop_query(s, &q));
    TRY(custom_average(&s->maker, custom_average_find(str_of(w->name)), q,
                       (struct names){0}, &n));
    return stack_push_node(s, n);
}

static const struct word list[] = {
    {"true", fixed_run, TELEMETRY_MATCH_ALL, NULL},
    {"false", fixed_run, TELEMETRY_MATCH_NONE, NULL},
    {"has", has_run, 0, NULL},
    {"eq", key_value_run, TELEMETRY_MATCH_IN, NULL},
    {"re", key_value_run, TELEMETRY_MATCH_RE, NULL},
    {"reic", key_value_run, TELEMETRY_MATCH_REIC, NULL},
    {"contains", around_run, AROUND_CONTAINS, NULL},
    {"starts", around_run, AROUND_STARTS, NULL},
    {"ends", around_run, AROUND_ENDS, NULL},
    {"in", in_run, 0, NULL},
    {"not", not_run, 0, NULL},
    {"cq", common_run, 0, NULL},
    {"all", all_run, 0, NULL},
    {"sum", aggregate_run, AGGREGATE_SUM, NULL},
    {"count", aggregate_run, AGGREGATE_COUNT, NULL},
    {"min", aggregate_run, AGGREGATE_MIN, NULL},
    {"max", aggregate_run, AGGREGATE_MAX, NULL},
    {"by", by_run, 0, NULL},
    {"cg", by_run, 1, NULL},
    {"offset", offset_run, 0, NULL},
    {"cf-avg", cf_run, TELEMETRY_CF_AVG, NULL},
    {"cf-sum", cf_run, TELEMETRY_CF_SUM, NULL},
    {"cf-min", cf_run, TELEMETRY_CF_MIN, NULL},
    {"cf-max", cf_run, TELEMETRY_CF_MAX, NULL},
    {"node-avg", custom_run, 0, NULL},
    {"eureka-avg", custom_run, 0, NULL},
};
const struct words words_query = {list, ARRAY_LEN(list)};
