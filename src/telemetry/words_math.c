// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words that count: numbers, operators, what keeps a state over time, filters.
#include "telemetry/percentile.h"
#include "telemetry/stack.h"

#include <math.h>
#include <stdlib.h>

static int make_push(struct stack *s, const struct node *proto,
                     const struct styled *style)
{
    const struct node *n = NULL;
    TRY(node_make(&s->maker, proto, &n));
    return stack_push_styled(s, n, style);
}

static int const_run(struct stack *s, const struct word *w)
{
    const struct node *n = NULL;
    double v = 3.14159265358979323846;
    if (!w->op) {
        TRY(stack_pop_number(s, &v));
    }
    TRY(node_const(&s->maker, v, &n));
    return stack_push_node(s, n);
}

static int random_run(struct stack *s, const struct word *w)
{
    struct node n = {.kind = NODE_RANDOM, .random = {.is_seeded = w->op != 0}};
    if (w->op) {
        TRY(stack_pop_whole(s, INT32_MIN, INT32_MAX, &n.random.seed));
    }
    return make_push(s, &n, NULL);
}

static const struct {
    const char *name;
    enum plan_time mode;
} times[] = {
    {"secondOfMinute", TIME_SECOND_OF_MINUTE},
    {"SECOND_OF_MINUTE", TIME_SECOND_OF_MINUTE},
    {"secondOfDay", TIME_SECOND_OF_DAY},
    {"SECOND_OF_DAY", TIME_SECOND_OF_DAY},
    {"minuteOfHour", TIME_MINUTE_OF_HOUR},
    {"MINUTE_OF_HOUR", TIME_MINUTE_OF_HOUR},
    {"minuteOfDay", TIME_MINUTE_OF_DAY},
    {"MINUTE_OF_DAY", TIME_MINUTE_OF_DAY},
    {"hourOfDay", TIME_HOUR_OF_DAY},
    {"HOUR_OF_DAY", TIME_HOUR_OF_DAY},
    {"dayOfWeek", TIME_DAY_OF_WEEK},
    {"DAY_OF_WEEK", TIME_DAY_OF_WEEK},
    {"dayOfMonth", TIME_DAY_OF_MONTH},
    {"DAY_OF_MONTH", TIME_DAY_OF_MONTH},
    {"dayOfYear", TIME_DAY_OF_YEAR},
    {"DAY_OF_YEAR", TIME_DAY_OF_YEAR},
    {"monthOfYear", TIME_MONTH_OF_YEAR},
    {"MONTH_OF_YEAR", TIME_MONTH_OF_YEAR},
    {"yearOfCentury", TIME_YEAR},
    {"yearOfEra", TIME_YEAR},
    {"YEAR", TIME_YEAR},
    {"YEAR_OF_ERA", TIME_YEAR},
    {"seconds", TIME_SECONDS},
    {"minutes", TIME_MINUTES},
    {"hours", TIME_HOURS},
    {"days", TIME_DAYS},
    {"weeks", TIME_WEEKS},
};

static int time_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct str mode;
    TRY(stack_pop_text(s, &mode));
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        if (str_eq_c(mode, times[i].name)) {
            struct node n = {.kind = NODE_TIME, .time = {times[i].mode, mode}};
            return make_push(s, &n, NULL);
        }
    }
    FAIL(ERR_INVALID, "'" STR_FMT "' is no part of a time that is known", STR_ARG(mode));
}

static int time_span_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_SPAN,
                     .span = {.zone = s->maker.zone, .now_ms = s->maker.now_ms}};
    TRY(stack_pop_text(s, &n.span.end));
    TRY(stack_pop_text(s, &n.span.start));
    // What it means is known when it is asked for; whether it means anything is known now.
    struct times_refs refs = {.now_ms = s->maker.now_ms,
                              .list = {{"gs", s->maker.now_ms}, {"ge", s->maker.now_ms}},
                              .count = 2};
    int64_t range[2] = {0, 0};
    int err = times_range(n.span.start, n.span.end, &refs, range);
    // The graph may be longer than it is at this moment.
    FAIL_IF(err < 0 && !str_eq_c(str_of(err_reason()), "the end is before the start"),
            err, "%s", arena_dup(s->maker.arena, str_of(err_reason())));
    return make_push(s, &n, NULL);
}

static int unary_run(struct stack *s, const struct word *w)
{
    double to = 0;
    const struct node *n = NULL;
    const struct styled *style = NULL;
    if (w->op == UNARY_CLAMP_MIN || w->op == UNARY_CLAMP_MAX) {
        TRY(stack_pop_number(s, &to));
    }
    TRY(stack_pop_lines(s, &n, &style));
    TRY(node_unary(&s->maker, (enum plan_unary)w->op, to, n, &n));
    return stack_push_styled(s, n, style);
}

// Words of queries and of numbers: two texts are a key and a value, two queries are one.
static int query_form(struct stack *s, enum plan_binary op, bool *ret_done)
{
    bool texts = stack_has(s, 0, ITEM_TEXT) && stack_has(s, 1, ITEM_TEXT);
    bool queries = stack_has(s, 0, ITEM_QUERY) && stack_has(s, 1, ITEM_QUERY);
    *ret_done = true;
    if (texts && op == BINARY_LT) {
        return words_key_value(s, TELEMETRY_MATCH_LT);
    }
    if (texts && op == BINARY_LE) {
        return words_key_value(s, TELEMETRY_MATCH_LE);
    }
    if (texts && op == BINARY_GT) {
        return words_key_value(s, TELEMETRY_MATCH_GT);
    }
    if (texts && op == BINARY_GE) {
        return words_key_value(s, TELEMETRY_MATCH_GE);
    }
    if (queries && (op == BINARY_AND || op == BINARY_OR)) {
        const struct query *a = NULL, *b = NULL;
        TRY(stack_pop_query(s, &b));
        TRY(stack_pop_query(s, &a));
        TRY(op == BINARY_AND ? query_and(&s->maker, a, b, &a)
                             : query_or(&s->maker, a, b, &a));
        return stack_push_query(s, a);
    }
    *ret_done = false;
    return 0;
}

static int binary_run(struct stack *s, const struct word *w)
{
    enum plan_binary op = (enum plan_binary)w->op;
    const struct node *a = NULL, *b = NULL;
    const struct styled *left = NULL, *right = NULL;
    bool done = false;
    TRY(query_form(s, op, &done));
    if (done) {
        return 0;
    }
    TRY(stack_pop_lines(s, &b, &right));
    TRY(stack_pop_lines(s, &a, &left));
    TRY(node_binary(&s->maker, op, a, b, &a));
    // Of two styles neither is more right than the other.
    return stack_push_styled(s, a, left && right ? NULL : left ? left : right);
}

static int as_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_AS};
    TRY(stack_pop_text(s, &n.as.to));
    TRY(stack_pop_text(s, &n.as.from));
    TRY(stack_pop_lines(s, &n.a, NULL));
    return make_push(s, &n, NULL);
}

// original,rewritten,name,:named-rewrite
static int rewrite_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_REWRITE};
    const struct styled *new_style = NULL, *style = NULL;
    TRY(stack_pop_text(s, &n.rewrite.name));
    TRY(stack_pop_lines(s, &n.a, &new_style));
    if (stack_has(s, 0, ITEM_QUERY)) {
        TRY(stack_pop_query(s, &n.rewrite.query));
    } else {
        TRY(stack_pop_lines(s, &n.b, &style));
    }
    return make_push(s, &n, style ? style : new_style);
}

// --- distributions ----------------------------------------------------------------------------

static int cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int percentile_list(struct stack *s, struct node *n)
{
    const double *given = NULL;
    size_t count = 0, kept = 0;
    TRY(stack_pop_numbers(s, &given, &count));
    FAIL_IF(count == 0, ERR_INVALID, "no percentiles are named");
    double *list = arena_alloc(s->maker.arena, count, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "percentiles");
    for (size_t i = 0; i < count; i++) {
        FAIL_IF(!(given[i] >= 0 && given[i] <= 100), ERR_INVALID,
                "%g is no percentile: 0 to 100 are", given[i]);
        list[i] = given[i];
    }
    qsort(list, count, sizeof *list, cmp_double);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || list[i] != list[kept - 1]) {
            list[kept++] = list[i];
        }
    }
    n->percentiles.list = list;
    n->percentiles.count = kept;
    return 0;
}

static int percentiles_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_PERCENTILES};
    const struct node *data = NULL;
    TRY(percentile_list(s, &n));
    TRY(stack_pop_lines(s, &data, NULL));
    FAIL_IF(data->kind != NODE_DATA || data->data.by == AGGREGATE_ALL, ERR_INVALID,
            "percentiles are of a query, or of one that is grouped");
    struct str *keys = arena_alloc(s->maker.arena, data->keys.count + 1, sizeof *keys);
    FAIL_IF(!keys, ERR_NOMEM, "keys");
    size_t count = 0;
    keys[count++] = STR("percentile");
    for (size_t i = 0; i < data->keys.count; i++) {
        if (!str_eq_c(data->keys.list[i], "percentile")) {
            keys[count++] = data->keys.list[i];
        }
    }
    struct node copy = *data;
    copy.data.by = AGGREGATE_SUM;
    copy.data.cf = TELEMETRY_CF_AVG;
    copy.is_grouped = true;
    copy.keys = (struct names){keys, count};
    TRY(node_make(&s->maker, &copy, &n.a));
    return make_push(s, &n, NULL);
}

static int bucket_leaf(struct stack *s, char kind, double v, enum telemetry_match_op op)
{
    char *text = arena_printf(s->maker.arena, "%c%04X", kind,
                              percentile_bucket(v >= 9e18 ? INT64_MAX : (int64_t)v));
    FAIL_IF(!text, ERR_NOMEM, "a query");
    TRY(stack_push_text(s, STR("percentile")));
    TRY(stack_push_text(s, str_of(text)));
    return words_key_value(s, op);
}

static int bucket_range(struct stack *s, char kind, double min, double max,
                        const struct query **ret)
{
    const struct query *lo = NULL, *hi = NULL;
    TRY(bucket_leaf(s, kind, min, TELEMETRY_MATCH_GE));
    TRY(stack_pop_query(s, &lo));
    TRY(bucket_leaf(s, kind, max, TELEMETRY_MATCH_LE));
    TRY(stack_pop_query(s, &hi));
    return query_and(&s->maker, lo, hi, ret);
}

// The rate of what was recorded between two values: the sum of the buckets that they lie in.
static int sample_count_run(struct stack *s, const struct word *w)
{
    double min = 0, max = (double)INFINITY;
    bool all = stack_has(s, 0, ITEM_QUERY);
    struct node n = {.kind = NODE_REWRITE, .rewrite = {.name = str_of(w->name)}};
    const struct query *sizes = NULL, *times_q = NULL;
    if (!all) {
        TRY(stack_pop_number(s, &max));
        TRY(stack_pop_number(s, &min));
    }
    TRY(stack_pop_query(s, &n.rewrite.query));
    FAIL_IF(!(min >= 0 && min < max), ERR_INVALID,
            "from %g to %g is no range of what can be recorded", min, max);
    TRY(bucket_range(s, 'D', min, max, &sizes));
    TRY(bucket_range(s, 'T', min * 1e9, max * 1e9, &times_q));
    TRY(query_or(&s->maker, sizes, times_q, &sizes));
    TRY(query_and(&s->maker, n.rewrite.query, sizes, &sizes));
    TRY(node_data(&s->maker, sizes, AGGREGATE_SUM, &n.a));
    if (!all) {
        struct str *params = arena_alloc(s->maker.arena, 2, sizeof *params);
        FAIL_IF(!params, ERR_NOMEM, "numbers");
        for (int i = 0; i < 2; i++) {
            AUTO(buf_free) struct buf b = {0};
            plan_number_print(i ? max : min, &b);
            char *copy = arena_dup(s->maker.arena, buf_view(&b));
            FAIL_IF(!copy, ERR_NOMEM, "a number");
            params[i] = str_of(copy);
        }
        n.rewrite.params = (struct names){params, 2};
    }
    return make_push(s, &n, NULL);
}

// --- over time --------------------------------------------------------------------------------

static int stateful_run(struct stack *s, const struct word *w)
{
    struct node n = {.kind = NODE_STATEFUL,
                     .stateful = {.op = (enum plan_stateful)w->op}};
    const struct styled *style = NULL;
    switch (n.stateful.op) {
    case STATEFUL_DES:
    case STATEFUL_SDES:
        TRY(stack_pop_number(s, &n.stateful.beta));
        TRY(stack_pop_number(s, &n.stateful.alpha));
        TRY(stack_pop_whole(s, 1, 100000, &n.stateful.n));
        break;
    case STATEFUL_TREND:
        TRY(stack_pop_duration(s, &n.stateful.n));
        break;
    case STATEFUL_ROLLING_MEAN:
        TRY(stack_pop_whole(s, 1, 100000, &n.stateful.least));
        TRY(stack_pop_whole(s, n.stateful.least, 100000, &n.stateful.n));
        break;
    case STATEFUL_DELAY:
    case STATEFUL_ROLLING_COUNT:
    case STATEFUL_ROLLING_MIN:
    case STATEFUL_ROLLING_MAX:
    case STATEFUL_ROLLING_SUM:
        TRY(stack_pop_whole(s, 1, 100000, &n.stateful.n));
        break;
    case STATEFUL_INTEGRAL:
    case STATEFUL_DERIVATIVE:
    case STATEFUL_CUMULATIVE:
        break;
    }
    TRY(stack_pop_lines(s, &n.a, &style));
    return make_push(s, &n, style);
}

// --- filters ----------------------------------------------------------------------------------

static int stat_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_STAT};
    struct str name;
    const struct styled *style = NULL;
    TRY(stack_pop_text(s, &name));
    TRY(plan_stat_find(name, &n.stat.of));
    TRY(stack_pop_lines(s, &n.a, &style));
    return make_push(s, &n, style);
}

static int stat_of_run(struct stack *s, const struct word *w)
{
    struct node n = {.kind = NODE_STAT_OF, .stat = {.of = (enum plan_stat)w->op}};
    return make_push(s, &n, NULL);
}

static int filter_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_FILTER};
    const struct styled *style = NULL;
    TRY(stack_pop_lines(s, &n.b, NULL));
    TRY(stack_pop_lines(s, &n.a, &style));
    TRY(rewrite_stat(&s->maker, n.b, n.a, &n.b));
    return make_push(s, &n, style);
}

#define PICK(others, bottom) ((others)*2 + (bottom))

static int pick_run(struct stack *s, const struct word *w)
{
    struct node n = {
        .kind = NODE_PICK,
        .pick = {.is_bottom = w->op % 2 != 0, .others = (enum pick_others)(w->op / 2)}};
    struct str stat;
    const struct styled *style = NULL;
    TRY(stack_pop_whole(s, 1, 100000, &n.pick.k));
    TRY(stack_pop_text(s, &stat));
    TRY(plan_stat_find(stat, &n.pick.by));
    TRY(stack_pop_lines(s, &n.a, &style));
    return make_push(s, &n, style);
}

static int consolidate_run(struct stack *s, const struct word *w)
{
    (void)w;
    struct node n = {.kind = NODE_CONSOLIDATE};
    const struct styled *style = NULL;
    struct str cf;
    TRY(stack_pop_duration(s, &n.consolidate.step_ms));
    TRY(stack_pop_text(s, &cf));
    FAIL_IF(n.consolidate.step_ms == 0, ERR_INVALID, "a step of no time");
    for (int i = TELEMETRY_CF_AVG; i <= TELEMETRY_CF_MAX; i++) {
        n.consolidate.cf = (enum telemetry_consolidate)i;
        if (str_eq_c(cf, plan_cf_word(n.consolidate.cf))) {
            TRY(stack_pop_lines(s, &n.a, &style));
            return make_push(s, &n, style);
        }
    }
    FAIL(ERR_INVALID, "'" STR_FMT "' is none of avg, sum, min and max", STR_ARG(cf));
}

static const struct word list[] = {
    {"const", const_run, 0, NULL},
    {"pi", const_run, 1, NULL},
    {"random", random_run, 0, NULL},
    {"srandom", random_run, 1, NULL},
    {"time", time_run, 0, NULL},
    {"time-span", time_span_run, 0, NULL},
    {"abs", unary_run, UNARY_ABS, NULL},
    {"neg", unary_run, UNARY_NEG, NULL},
    {"sin", unary_run, UNARY_SIN, NULL},
    {"sqrt", unary_run, UNARY_SQRT, NULL},
    {"per-step", unary_run, UNARY_PER_STEP, NULL},
    {"clamp-min", unary_run, UNARY_CLAMP_MIN, NULL},
    {"clamp-max", unary_run, UNARY_CLAMP_MAX, NULL},
#define X(name, word) {#word, binary_run, BINARY_##name, NULL},
    PLAN_BINARY(X)
#undef X
        {"as", as_run, 0, NULL},
    {"named-rewrite", rewrite_run, 0, NULL},
    {"percentiles", percentiles_run, 0, NULL},
    {"sample-count", sample_count_run, 0, NULL},
#define X(name, word, numbers) {word, stateful_run, STATEFUL_##name, NULL},
    PLAN_STATEFUL(X)
#undef X
        {"stat", stat_run, 0, NULL},
    {"stat-avg", stat_of_run, STAT_AVG, NULL},
    {"stat-max", stat_of_run, STAT_MAX, NULL},
    {"stat-min", stat_of_run, STAT_MIN, NULL},
    {"stat-last", stat_of_run, STAT_LAST, NULL},
    {"stat-total", stat_of_run, STAT_TOTAL, NULL},
    {"stat-count", stat_of_run, STAT_COUNT, NULL},
    {"stat-avg-mf", NULL, 0, "avg,:stat"},
    {"stat-max-mf", NULL, 0, "max,:stat"},
    {"stat-min-mf", NULL, 0, "min,:stat"},
    {"filter", filter_run, 0, NULL},
    {"topk", pick_run, PICK(OTHERS_NONE, 0), NULL},
    {"topk-others-min", pick_run, PICK(OTHERS_MIN, 0), NULL},
    {"topk-others-max", pick_run, PICK(OTHERS_MAX, 0), NULL},
    {"topk-others-sum", pick_run, PICK(OTHERS_SUM, 0), NULL},
    {"topk-others-avg", pick_run, PICK(OTHERS_AVG, 0), NULL},
    {"bottomk", pick_run, PICK(OTHERS_NONE, 1), NULL},
    {"bottomk-others-min", pick_run, PICK(OTHERS_MIN, 1), NULL},
    {"bottomk-others-max", pick_run, PICK(OTHERS_MAX, 1), NULL},
    {"bottomk-others-sum", pick_run, PICK(OTHERS_SUM, 1), NULL},
    {"bottomk-others-avg", pick_run, PICK(OTHERS_AVG, 1), NULL},
    {"consolidate", consolidate_run, 0, NULL},
    {"avg", NULL, 0, ":dup,:dup,:sum,:swap,:count,:div,avg,:named-rewrite"},
    {"pct", NULL, 0, ":dup,:dup,:sum,:div,100,:mul,pct,:named-rewrite"},
    // sqrt((n * sum(x^2) - sum(x)^2) / n^2)
    {"stddev", NULL, 0,
     ":dup,0,:fadd,:dup,:count,:over,:dup,:mul,:sum,:mul,:over,:sum,:dup,:mul,:sub,:swap,"
     ":count,:dup,:mul,:div,:sqrt,stddev,:named-rewrite"},
    {"dist-avg", NULL, 0,
     ":dup,statistic,(,totalTime,totalAmount,),:in,:sum,statistic,count,:eq,:sum,:div,"
     ":swap,:cq,dist-avg,:named-rewrite"},
    {"dist-max", NULL, 0,
     ":dup,statistic,max,:eq,:max,:swap,:cq,dist-max,:named-rewrite"},
    {"dist-stddev", NULL, 0,
     ":dup,statistic,count,:eq,:sum,statistic,totalOfSquares,:eq,:sum,:mul,statistic,(,"
     "totalAmount,totalTime,),:in,:sum,:dup,:mul,:sub,statistic,count,:eq,:sum,:dup,:mul,"
     ":div,:sqrt,:swap,:cq,dist-stddev,:named-rewrite"},
    {"median", NULL, 0, "(,50,),:percentiles"},
    {"cos", NULL, 0, ":pi,2,:div,:swap,:sub,:sin"},
    {"tan", NULL, 0, ":dup,:sin,:swap,:cos,:div"},
    {"cot", NULL, 0, ":dup,:cos,:swap,:sin,:div"},
    {"sec", NULL, 0, "1,:swap,:cos,:div"},
    {"csc", NULL, 0, "1,:swap,:sin,:div"},
#define SMOOTH(name, word, numbers)                                         \
    {                                                                       \
        name, NULL, 0, ":dup," numbers ",:" word "," name ",:named-rewrite" \
    }
    SMOOTH("des-simple", "des", "10,0.1,0.5"),
    SMOOTH("des-fast", "des", "10,0.1,0.02"),
    SMOOTH("des-slower", "des", "10,0.05,0.03"),
    SMOOTH("des-slow", "des", "10,0.03,0.04"),
    SMOOTH("sdes-simple", "sdes", "10,0.1,0.5"),
    SMOOTH("sdes-fast", "sdes", "10,0.1,0.02"),
    SMOOTH("sdes-slower", "sdes", "10,0.05,0.03"),
    SMOOTH("sdes-slow", "sdes", "10,0.03,0.04"),
#undef SMOOTH
    // A line is out of bounds where it is further from its prediction than both the noise and the percentage.
    {"des-epic-signal", NULL, 0,
     "noise,:sset,minPercent,:sset,maxPercent,:sset,beta,:sset,alpha,:sset,"
     "trainingSize,:sset,line,:sset,"
     "pred,line,:get,trainingSize,:get,alpha,:get,beta,:get,:des,:set,"
     "minPredNoiseBound,pred,:get,noise,:get,:sub,:set,"
     "minPredPercentBound,pred,:get,1.0,minPercent,:get,:fsub,:fmul,:set,"
     "maxPredNoiseBound,pred,:get,noise,:get,:add,:set,"
     "maxPredPercentBound,pred,:get,1.0,maxPercent,:get,:fadd,:fmul,:set,"
     "line,:get,minPredNoiseBound,:get,:lt,line,:get,minPredPercentBound,:get,:lt,:and,"
     "line,:get,maxPredNoiseBound,:get,:gt,line,:get,maxPredPercentBound,:get,:gt,:and,"
     ":or"},
};
const struct words words_math = {list, ARRAY_LEN(list)};
