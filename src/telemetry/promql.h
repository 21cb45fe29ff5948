// SPDX-License-Identifier: GPL-3.0-or-later
//
// What PromQL needs beside the nodes that it shares: windows over single series, its own grouping and
// matching, and its functions. https://prometheus.io/docs/prometheus/latest/querying/
//
// Prometheus looks at samples wherever they are; here they stand on the store's grid, the last of each step
// where it ends. The window (t - range, t] then holds range/step of them, as many as a scrape of that
// interval would have left. For rates each is taken for what it is on average: half a step old.
#ifndef TELEMETRY_PROMQL_H
#define TELEMETRY_PROMQL_H

#include "telemetry/plan.h"

#define PROMQL_LOOKBACK_MS 300000 // how old a value may be and still be the present one
#define PROMQL_DEPTH_MAX   100    // of parentheses and calls
#define PROMQL_READ_MAX    600000 // steps of the store in front of a pixel

// word, needs a range, keeps the name
#define PROMQL_WINDOWS(X)                  \
    X(LAST, "last_over_time", true)        \
    X(RATE, "rate", false)                 \
    X(IRATE, "irate", false)               \
    X(INCREASE, "increase", false)         \
    X(DELTA, "delta", false)               \
    X(IDELTA, "idelta", false)             \
    X(DERIV, "deriv", false)               \
    X(CHANGES, "changes", false)           \
    X(RESETS, "resets", false)             \
    X(AVG, "avg_over_time", false)         \
    X(MIN, "min_over_time", false)         \
    X(MAX, "max_over_time", false)         \
    X(SUM, "sum_over_time", false)         \
    X(COUNT, "count_over_time", false)     \
    X(PRESENT, "present_over_time", false) \
    X(STDDEV, "stddev_over_time", false)   \
    X(STDVAR, "stdvar_over_time", false)   \
    X(QUANTILE, "quantile_over_time", false)

enum window_fn {
#define X(name, word, keeps) WINDOW_##name,
    PROMQL_WINDOWS(X)
#undef X
};

// A selector, and what is made of the values of each series in the window before each moment.
struct window {
    const struct query *query;
    enum window_fn fn;
    bool has_range; // else the latest value
    int64_t range_ms, offset_ms;
    const struct node *param; // of QUANTILE
};

enum gather_op {
    GATHER_SUM,
    GATHER_AVG,
    GATHER_MIN,
    GATHER_MAX,
    GATHER_COUNT,
    GATHER_GROUP,
    GATHER_STDDEV,
    GATHER_STDVAR,
    GATHER_TOPK,
    GATHER_BOTTOMK,
    GATHER_QUANTILE
};

// a: what is aggregated; b: the number of topk, bottomk and quantile.
struct gather {
    enum gather_op op;
    bool is_without;
    struct names labels;
};

enum matched_op {
    MATCHED_ADD,
    MATCHED_SUB,
    MATCHED_MUL,
    MATCHED_DIV,
    MATCHED_MOD,
    MATCHED_POW,
    MATCHED_EQ,
    MATCHED_NE,
    MATCHED_GT,
    MATCHED_LT,
    MATCHED_GE,
    MATCHED_LE,
    MATCHED_AND,
    MATCHED_OR,
    MATCHED_UNLESS
};

struct matched {
    enum matched_op op;
    bool is_bool;
    bool is_on; // labels are those that must be the same; else those that need not
    enum { ONE_TO_ONE, MANY_TO_ONE, ONE_TO_MANY } card; // group_left, group_right
    struct names labels, include;
};

enum call_fn {
    CALL_UNARY, // op
    CALL_ROUND,
    CALL_CLAMP,
    CALL_CLAMP_MIN,
    CALL_CLAMP_MAX,
    CALL_ABSENT,
    CALL_HISTOGRAM_QUANTILE,
    CALL_LABEL_REPLACE,
    CALL_LABEL_JOIN,
    CALL_SCALAR,
    CALL_VECTOR,
    CALL_SORT,
    CALL_SORT_DESC,
    CALL_DATE, // mode, days_in_month
    CALL_LAST  // of a window: what it gave
};

struct call {
    enum call_fn fn;
    enum plan_unary op;
    enum plan_time mode;
    bool is_days_in_month;
    const struct node *more[2]; // numbers, behind `a`
    struct names texts;
};

int promql_parse(struct str text, struct maker *, const struct node **ret);

// --- words ------------------------------------------------------------------------------------

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_TEXT,
    TOKEN_SIGN // one of ( ) { } [ ] , : @ + - * / % ^ = == != =~ !~ > < >= <=
};
struct token {
    enum token_kind kind;
    struct str text; // of TEXT what it means
    double number;
    int64_t ms; // of DURATION
    size_t at;
};
struct lexer {
    struct str text;
    size_t at;
    struct arena *arena;
    bool in_braces; // where a name holds no colon and a number is no duration
};
int lexer_next(struct lexer *, struct token *ret);

#endif
