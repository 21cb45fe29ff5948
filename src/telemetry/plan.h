// SPDX-License-Identifier: GPL-3.0-or-later
//
// A question as a tree. Both languages (stack.c, promql_parse.c) make it, evaluate.c answers it. Nodes are
// made once, never changed, shared by those above them, and belong to the arena of the question.
//
// What somebody sends can say `:dup,:add` forty times, so that a tree of a few nodes has 2^40 leaves. Each
// node knows how large and how deep it would be written out, and none is made over a limit: whoever walks
// a tree may recurse.
#ifndef TELEMETRY_PLAN_H
#define TELEMETRY_PLAN_H

#include "telemetry/telemetry.h"

#define PLAN_NODES_MAX 40000 // made for a question, rewritten ones included
#define PLAN_SIZE_MAX  8000  // of a tree written out
#define PLAN_DEPTH_MAX 250
#define PLAN_TEXT_MAX  65536 // of a question

struct names {
    const struct str *list;
    size_t count;
};

// What series are meant.
struct query {
    struct telemetry_match match; // left and right point into queries
    uint32_t size, depth;
};

#define PLAN_UNARY(X) \
    X(ABS, abs)       \
    X(NEG, neg)       \
    X(SIN, sin)       \
    X(SQRT, sqrt)     \
    X(CEIL, ceil)     \
    X(FLOOR, floor)   \
    X(EXP, exp)       \
    X(LN, ln)         \
    X(LOG2, log2)     \
    X(LOG10, log10)   \
    X(SGN, sgn)

// name, word
#define PLAN_BINARY(X) \
    X(ADD, add)        \
    X(SUB, sub)        \
    X(MUL, mul)        \
    X(DIV, div)        \
    X(POW, pow)        \
    X(GT, gt)          \
    X(GE, ge)          \
    X(LT, lt)          \
    X(LE, le)          \
    X(FADD, fadd)      \
    X(FSUB, fsub)      \
    X(FMUL, fmul)      \
    X(FDIV, fdiv)      \
    X(AND, and)        \
    X(OR, or)

enum plan_unary {
#define X(name, word) UNARY_##name,
    PLAN_UNARY(X)
#undef X
        UNARY_PER_STEP,
    UNARY_CLAMP_MIN,
    UNARY_CLAMP_MAX,
    UNARY_ROUND // to the nearest multiple of the parameter
};

enum plan_binary {
#define X(name, word) BINARY_##name,
    PLAN_BINARY(X)
#undef X
};

enum plan_aggregate {
    AGGREGATE_ALL, // none: every line
    AGGREGATE_SUM,
    AGGREGATE_COUNT,
    AGGREGATE_MIN,
    AGGREGATE_MAX
};

enum plan_stat { STAT_AVG, STAT_MAX, STAT_MIN, STAT_LAST, STAT_TOTAL, STAT_COUNT };

// name, word, whole numbers before it, a number of training and two factors
#define PLAN_STATEFUL(X)                 \
    X(INTEGRAL, "integral", 0)           \
    X(DERIVATIVE, "derivative", 0)       \
    X(CUMULATIVE, "cumulative-max", 0)   \
    X(DELAY, "delay", 1)                 \
    X(ROLLING_COUNT, "rolling-count", 1) \
    X(ROLLING_MIN, "rolling-min", 1)     \
    X(ROLLING_MAX, "rolling-max", 1)     \
    X(ROLLING_SUM, "rolling-sum", 1)     \
    X(ROLLING_MEAN, "rolling-mean", 2)   \
    X(TREND, "trend", -1)                \
    X(DES, "des", 3)                     \
    X(SDES, "sdes", 3)

enum plan_stateful {
#define X(name, word, numbers) STATEFUL_##name,
    PLAN_STATEFUL(X)
#undef X
};

enum plan_time {
    TIME_SECOND_OF_MINUTE,
    TIME_SECOND_OF_DAY,
    TIME_MINUTE_OF_HOUR,
    TIME_MINUTE_OF_DAY,
    TIME_HOUR_OF_DAY,
    TIME_DAY_OF_WEEK,
    TIME_DAY_OF_MONTH,
    TIME_DAY_OF_YEAR,
    TIME_MONTH_OF_YEAR,
    TIME_YEAR,
    TIME_SECONDS,
    TIME_MINUTES,
    TIME_HOURS,
    TIME_DAYS,
    TIME_WEEKS
};

enum node_kind {
    NODE_CONST,
    NODE_RANDOM,
    NODE_TIME,
    NODE_SPAN,
    NODE_DATA,
    NODE_UNARY,
    NODE_BINARY,
    NODE_AGGREGATE,
    NODE_PERCENTILES,
    NODE_STATEFUL,
    NODE_STAT,
    NODE_STAT_OF, // :stat-avg in front of :filter
    NODE_FILTER,
    NODE_PICK, // topk, bottomk and what becomes of the others
    NODE_CONSOLIDATE,
    NODE_AS,
    NODE_REWRITE,
    // PromQL's own (promql.h)
    NODE_WINDOW,
    NODE_GATHER,
    NODE_MATCHED,
    NODE_CALL
};

enum pick_others { OTHERS_NONE, OTHERS_MIN, OTHERS_MAX, OTHERS_SUM, OTHERS_AVG };

struct node {
    enum node_kind kind;
    uint32_t id; // from 1, below maker.made
    uint32_t size, depth;
    bool is_grouped;
    bool is_scalar;    // PromQL: one number a moment
    struct names keys; // by which its lines are told apart
    const struct node *a, *b;
    union {
        double number;
        struct {
            int64_t seed;
            bool is_seeded;
        } random;
        struct {
            enum plan_time mode;
            struct str name;
        } time;
        struct {
            struct str start, end;
            const char *zone;
            int64_t now_ms;
        } span;
        struct {
            const struct query *query;
            enum plan_aggregate by;
            enum telemetry_consolidate cf;
            int64_t offset_ms;
        } data;
        struct {
            enum plan_unary op;
            double to;
        } unary;
        enum plan_binary binary;
        enum plan_aggregate aggregate;
        struct {
            const double *list; // rising
            size_t count;
        } percentiles;
        struct {
            enum plan_stateful op;
            int64_t n, least; // :trend's n is in ms
            double alpha, beta;
        } stateful;
        struct {
            enum plan_stat of;
            bool is_short; // came of :stat-avg
        } stat;
        struct {
            enum plan_stat by;
            bool is_bottom;
            enum pick_others others;
            int64_t k;
        } pick;
        struct {
            enum telemetry_consolidate cf;
            int64_t step_ms;
        } consolidate;
        struct {
            struct str from, to;
        } as;
        // `a` is evaluated; what is shown is `query` or `b`, then `params`, then the name.
        struct {
            struct str name;
            const struct query *query;
            struct names params;
            struct names by;
            int64_t offset_ms;
        } rewrite;
        const struct window *window;
        const struct gather *gather;
        const struct matched *matched;
        const struct call *call;
    };
};

// What makes nodes for one question.
struct maker {
    struct arena *arena;
    size_t made;
    const char *zone; // IANA name, of :time-span
    int64_t now_ms;
};

// Fills in size, depth, grouping and keys, and copies. ERR_LIMIT: too many, too large, too deep;
// ERR_INVALID: its operands do not fit.
int node_make(struct maker *, const struct node *proto, const struct node **ret);
int node_const(struct maker *, double, const struct node **ret);
int node_data(struct maker *, const struct query *, enum plan_aggregate,
              const struct node **ret);
int node_unary(struct maker *, enum plan_unary, double to, const struct node *,
               const struct node **ret);
int node_binary(struct maker *, enum plan_binary, const struct node *,
                const struct node *, const struct node **ret);

int query_leaf(struct maker *, const struct telemetry_match *proto,
               const struct query **ret);
int query_and(struct maker *, const struct query *, const struct query *,
              const struct query **ret);
int query_or(struct maker *, const struct query *, const struct query *,
             const struct query **ret);
int query_not(struct maker *, const struct query *, const struct query **ret);
// The keys that the query ties to one value each, and those values.
int query_exact(const struct query *, struct arena *, struct telemetry_tags *ret);
static inline const struct query *query_of(const struct telemetry_match *m)
{
    return (const struct query *)(const void *)m; // its first member
}

// What :by, :cq, :cg, :offset and :cf-… do to a tree: another tree.
int rewrite_by(struct maker *, const struct node *, struct names keys,
               const struct node **ret);
int rewrite_common_by(struct maker *, const struct node *, struct names keys,
                      const struct node **ret);
int rewrite_common_query(struct maker *, const struct node *, const struct query *,
                         const struct node **ret);
int rewrite_offset(struct maker *, const struct node *, int64_t offset_ms,
                   const struct node **ret);
int rewrite_cf(struct maker *, const struct node *, enum telemetry_consolidate,
               const struct node **ret);
// :stat-avg in a condition of :filter means that of what is filtered.
int rewrite_stat(struct maker *, const struct node *condition, const struct node *of,
                 const struct node **ret);
// The averages with a denominator of their own (:node-avg, :eureka-avg). NULL: there is none of that name.
struct custom_average {
    const char *name;
    const char *denominator[2][2]; // key, value
};
const struct custom_average *custom_average_find(struct str name);
int custom_average(struct maker *, const struct custom_average *, const struct query *,
                   struct names by, const struct node **ret);
bool node_names_equal(struct names, struct names);
bool names_hold(struct names, struct str);

// Operators on values, with Atlas' rules for NaN.
double plan_binary_of(enum plan_binary, double, double);
double plan_unary_of(enum plan_unary, double to, double);
const char *plan_binary_word(enum plan_binary);
const char *plan_unary_word(enum plan_unary);
const char *plan_stat_word(enum plan_stat);
int plan_stat_find(struct str, enum plan_stat *ret);
const char *plan_aggregate_word(enum plan_aggregate);
const char *plan_stateful_word(enum plan_stateful);
const char *plan_cf_word(enum telemetry_consolidate);

// --- styled lines -----------------------------------------------------------------------------

// As they are printed, which is from Z to A, as Atlas does.
#define PLAN_SETTINGS(X)  \
    X(SORT, "sort")       \
    X(PALETTE, "palette") \
    X(ORDER, "order")     \
    X(OFFSET, "offset")   \
    X(LW, "lw")           \
    X(LS, "ls")           \
    X(LIMIT, "limit")     \
    X(LEGEND, "legend")   \
    X(COLOR, "color")     \
    X(AXIS, "axis")       \
    X(ALPHA, "alpha")

enum setting {
#define X(name, word) SETTING_##name,
    PLAN_SETTINGS(X)
#undef X
        SETTING_COUNT
};
extern const char *const setting_words[SETTING_COUNT];

// A change of a legend: :decode (replace.data NULL) or :s.
struct sed {
    struct str search, replace;
    const struct sed *before; // what is done first
};

struct styled {
    const struct node *node;
    struct str settings[SETTING_COUNT]; // data NULL: not said; offset: "1d,1w"
    const struct sed *sed;
    // As telemetry_style wants it, and how many lines at most; made at the end.
    struct telemetry_style style;
    enum { SORT_LEGEND, SORT_STAT } sort_by;
    enum plan_stat sort_stat;
    bool is_descending;
    int64_t limit; // -1: all
};
// Settings as numbers; ERR_INVALID names the one that is none.
int styled_resolve(struct styled *);
// "f00", "ff0000", "40ff0000", "blue1".
int plan_color(struct str, uint32_t *ret);

struct telemetry_expr {
    const struct styled *lines; // in the order of the stack, from the bottom
    size_t count;
    size_t made;     // ids of its nodes are up to here
    bool is_promql;  // then one line without style
    struct str text; // as PromQL was written
};

// In times.c.
int times_duration(struct str, int64_t *ret_ms);
struct times_refs {
    const struct zone *zone; // NULL: UTC
    int64_t now_ms;
    struct {
        const char *name; // "s", "e", "gs", "ge"
        int64_t ms;
    } list[4];
    size_t count;
};
int times_parse(struct str, const struct times_refs *, int64_t *ret_ms);
// Start and end, either relative to the other.
int times_range(struct str start, struct str end, const struct times_refs *,
                int64_t ret[2]);
// "1w", "0w", "90s", "PT0.5S".
void times_print(int64_t ms, struct buf *out);
bool plan_number(struct str, double *ret); // "42", "1e3", "NaN", "-Infinity"
void plan_number_print(double, struct buf *out);
// A token as it must be written to be read as this text.
void plan_escape(struct str, struct buf *out);

int stack_parse(struct str text, const char *zone, int64_t now_ms, struct arena *,
                const struct telemetry_expr **ret);
void node_print(const struct node *, struct buf *out);
void query_print(const struct query *, struct buf *out);
// What a line is called that nobody named.
void query_label(const struct query *, struct buf *out);

#endif
