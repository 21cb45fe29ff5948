// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a series changes: penalised segmentation, exact (PELT, Killick 2012) and greedy (binary), online
// (Adams and MacKay 2007), and the judgement that stands on them with one set of parameters for all series.
#ifndef INSIGHT_CHANGE_H
#define INSIGHT_CHANGE_H

#include "base/base.h"

// What a segment costs. All are for finite values; scale matters to MEAN and LINE only, whose noise is taken as 1.
enum insight_cost {
    INSIGHT_COST_MEAN,     // squares about the segment's mean
    INSIGHT_COST_MEAN_VAR, // -2 log likelihood of a normal with mean and variance of its own
    INSIGHT_COST_LINE,     // squares about the segment's own line
    INSIGHT_COST_LEVEL_OR_LINE // the less of MEAN, and LINE with `tilt` more: a line must earn it
};

// Positions in ascending order: the index of each new segment's first value, never 0.
struct insight_changes {
    size_t *at;
    size_t count;
    double cost; // of all segments and a penalty a change; 0 where the method has none
};
void insight_changes_free(struct insight_changes *);

struct insight_segmenting {
    enum insight_cost cost;
    double penalty; // a change, above 0
    double tilt;    // of LEVEL_OR_LINE
    size_t
        min_length; // of a segment; 0: the least that the cost can judge: 1 for MEAN, else 2
};
// The segmentation of least cost. ERR_INVALID: a value that is not finite. ERR_LIMIT: over ten million
// values. Costs are sums of squares about the whole mean: values of 1e8 with noise of 1 are fine.
int insight_pelt(const double *values, size_t count, const struct insight_segmenting *,
                 struct insight_changes *ret);
// The same by the whole dynamic program without pruning: the truth that PELT is held against.
int insight_optimal(const double *values, size_t count, const struct insight_segmenting *,
                    struct insight_changes *ret);
// Splits where it gains most, then the parts: fast, not exact.
int insight_binary(const double *values, size_t count, const struct insight_segmenting *,
                   struct insight_changes *ret);

// --- online ----------------------------------------------------------------------------------

struct insight_online_config {
    double hazard; // the chance of a change at any value: 1 in so many
    double mean,
        mean_weight; // Normal-inverse-gamma prior: the mean, and worth how many values
    double shape, scale; // of the variance: scale / shape is its usual size
    size_t max_run;      // longer runs share one place; 0: 2,000
};
// Feeds a value at a time: the run lengths' distribution is the state.
struct insight_online;
int insight_online_new(struct insight_online **ret, const struct insight_online_config *);
void insight_online_free(struct insight_online **);
// The most probable length of the run that `value` ends (1: it begins one).
int insight_online_next(struct insight_online *, double value, size_t *ret_run);
// Over a whole series: the segmentation of the most probable path of run lengths.
int insight_online_changes(const double *values, size_t count,
                           const struct insight_online_config *,
                           struct insight_changes *ret);

// --- the judgement ------------------------------------------------------------------------------

// Changes of a series as a person would mark them: whatever its unit, noise, length, trend or season, with no
// parameter. Values that are not finite are no values, and get the nearest earlier one. See docs/rooms/insight.md.
int insight_changes_find(const double *values, size_t count, struct insight_changes *ret);

#endif
