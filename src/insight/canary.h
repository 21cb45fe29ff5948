// SPDX-License-Identifier: GPL-3.0-or-later
//
// Is the canary worse than its baseline? Each metric of both is compared by Mann and Whitney's test (1947)
// with the shift between them as Hodges and Lehmann (1963) estimate it; what a person tolerates decides.
#ifndef INSIGHT_CANARY_H
#define INSIGHT_CANARY_H

#include "base/base.h"

#include <jansson.h>

// A sample, in any order, finite. Borrowed.
struct insight_sample {
    const double *values;
    size_t count;
};

struct insight_rank_test {
    double w;     // of the first sample: pairs in which its value is larger, ties half
    double p;     // two-sided
    double shift; // first - second (Hodges-Lehmann)
    double low, high; // the confidence interval of the shift
    double
        confidence; // that was reached: exact intervals can only be wider than asked for
    double effect;  // 2 w / (n m) - 1 (Cliff's delta): -1 all smaller, 1 all larger
    bool exact; // both below 50 values and no ties; otherwise normal, with corrections
};
// As R's wilcox.test(first, second, conf.int = TRUE, conf.level = confidence) has it, its choice of exact or
// normal and its root finding included, so that figures agree. Where all values are one: p 1, shift 0.
// ERR_INVALID: an empty sample, a value that is not finite. ERR_LIMIT: over a million values.
int insight_rank_test(struct insight_sample first, struct insight_sample second,
                      double confidence, struct insight_rank_test *ret);

// --- the judge ----------------------------------------------------------------------------

enum insight_direction {
    INSIGHT_EITHER,   // any shift is bad
    INSIGHT_INCREASE, // only higher is bad: latency, errors
    INSIGHT_DECREASE  // only lower is bad: throughput
};
enum insight_canary_verdict {
    INSIGHT_CANARY_PASS,
    INSIGHT_CANARY_HIGH,
    INSIGHT_CANARY_LOW,
    INSIGHT_CANARY_NODATA
};
const char *insight_canary_verdict_name(enum insight_canary_verdict);

struct insight_canary_metric {
    char *name;
    char *group;
    enum insight_direction direction;
    double tolerance;  // of the baseline's median: a shift within it is no matter
    double min_effect; // |effect| below it is no matter
    bool critical;     // if it fails, all fails
    bool must_have;    // without data it fails
};
struct insight_canary_group {
    char *name;
    double weight; // of 100; groups without one share what is left
};
struct insight_canary_config {
    double confidence;
    double pass, marginal; // scores: at least `pass` passes, below `marginal` fails
    size_t min_values;     // fewer on a side: no data
    VEC(struct insight_canary_metric) metrics;
    VEC(struct insight_canary_group) groups;
};
// YAML; mistakes as `file:line: message`.
int insight_canary_parse(struct str text, const char *file,
                         struct insight_canary_config **ret, struct diag *);
void insight_canary_free(struct insight_canary_config **);

struct insight_canary_result {
    enum insight_canary_verdict verdict;
    struct insight_rank_test test;       // of canary against baseline; zero without data
    double baseline_median, tolerated;   // in the metric's unit
    size_t baseline_count, canary_count; // finite values
};
// Values that are not finite (no value) are left out.
int insight_canary_compare(const struct insight_canary_config *,
                           const struct insight_canary_metric *,
                           struct insight_sample baseline, struct insight_sample canary,
                           struct insight_canary_result *ret);
// `results`, one a metric of the config, as the object that --json prints:
// {"schema":1,"verdict":"pass|marginal|fail|nodata","score","why","groups":[…],"metrics":[…]}
int insight_canary_judge(const struct insight_canary_config *,
                         const struct insight_canary_result *results, json_t **ret);

#endif
