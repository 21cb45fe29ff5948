// SPDX-License-Identifier: GPL-3.0-or-later
//
// Answering a question: each node of its tree gives lines over the whole span, once, however often the tree
// refers to it. Only what is read from the store is large, and it is put together while it is read
// (evaluate_data.c); all else works on what is left.
#ifndef TELEMETRY_EVALUATE_H
#define TELEMETRY_EVALUATE_H

#include "telemetry/plan.h"

#define EVALUATE_LINES_MAX  20000    // of a part of a question
#define EVALUATE_ANSWER_MAX 10000    // of the answer
#define EVALUATE_VALUES_MAX 40000000 // in memory at once: 320 MB
#define EVALUATE_LINE       64 // values that take as much memory as a line's tags and label
#define EVALUATE_US         INT64_C(60000000) // nobody waits longer for an answer

struct line {
    struct telemetry_tags tags;
    struct str label;
    const double *values; // span.count
};
struct lines {
    const struct line *list;
    size_t count;
};

struct evaluation {
    struct telemetry *store;
    struct arena *arena;
    struct telemetry_span span;
    int64_t until_us;  // by the monotonic clock
    size_t values;     // made so far, and what else is as large
    struct lines *had; // by id of the node; list NULL: not yet
    // What was read, by its text: `a,:sum,a,:sum,:add` reads once.
    VEC(struct {
        struct str text;
        struct lines lines;
    })
    reads;
};

int evaluate_node(struct evaluation *, const struct node *, struct lines *ret);
// In evaluate_data.c.
int evaluate_data(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_aggregate(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_binary(struct evaluation *, const struct node *, struct lines *ret);
// In evaluate_time.c.
int evaluate_stateful(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_consolidate(struct evaluation *, const struct node *, struct lines *ret);
// In evaluate_pick.c.
int evaluate_stat(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_filter(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_pick(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_percentiles(struct evaluation *, const struct node *, struct lines *ret);
// In evaluate_window.c, evaluate_gather.c, evaluate_matched.c, evaluate_call.c.
int evaluate_window(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_gather(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_matched(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_call(struct evaluation *, const struct node *, struct lines *ret);
int evaluate_prom_answer(struct evaluation *, const struct node *,
                         struct telemetry_line *out, size_t *count);
// In evaluate_label.c: names, sorts and cuts the lines of one expression, and puts them to the answer.
int evaluate_style(struct evaluation *, const struct styled *, struct lines,
                   struct telemetry_line *out, size_t *count);

// ERR_LIMIT: the question takes longer than anybody waits. Whoever works for long asks now and then.
int evaluate_in_time(const struct evaluation *);
// What takes as much memory as so many values. ERR_LIMIT: over EVALUATE_VALUES_MAX.
int evaluate_charge(struct evaluation *, size_t values);
// span.count values, not set. ERR_LIMIT: over EVALUATE_VALUES_MAX, or not in time.
int evaluate_values(struct evaluation *, double **ret);
int evaluate_lines(struct evaluation *, size_t count, struct line **ret);
// The line that stands where nothing is.
int evaluate_no_data(struct evaluation *, struct lines *ret);
int evaluate_text(struct evaluation *, struct buf *, struct str *ret);
// "(a=1 b=2)" of the keys.
int evaluate_key_label(struct evaluation *, const struct telemetry_tags *, struct names,
                       struct str *ret);
// The value of a key; data NULL: it has none.
struct str tag_value(const struct telemetry_tags *, struct str key);
// Those of `keys`, and all but those, sorted. Texts are shared.
int tags_of(struct arena *, const struct telemetry_tags *, struct names keys,
            struct telemetry_tags *ret);
int tags_without(struct arena *, const struct telemetry_tags *, struct names keys,
                 struct telemetry_tags *ret);
// With texts of their own: those of a view live no longer than it.
int tags_keep(struct arena *, const struct telemetry_tags *, struct telemetry_tags *ret);
uint64_t tags_hash(const struct telemetry_tags *, struct names keys);
bool tags_equal(const struct telemetry_tags *, const struct telemetry_tags *,
                struct names keys);
void tags_sort(struct telemetry_tag *list, size_t count);

// Puts values upon values. `into` begins as NaN.
void accumulate(enum plan_aggregate, double *into, const double *values, size_t count);
struct summary {
    double total, max, min, last;
    size_t count;
};
struct summary summary_of(const double *values, size_t count);
double summary_stat(const struct summary *, enum plan_stat);

#endif
