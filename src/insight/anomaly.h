// SPDX-License-Identifier: GPL-3.0-or-later
//
// A single series, value by value: is this one unlike all that was seen at its time of day? No look-ahead, one set of
// parameters.
#ifndef INSIGHT_ANOMALY_H
#define INSIGHT_ANOMALY_H

#include "base/base.h"

// How a value was looked at.
enum insight_view {
    INSIGHT_VIEW_VALUE,
    INSIGHT_VIEW_LEVEL,  // the mean of the last six
    INSIGHT_VIEW_SPREAD, // of the last dozen
    INSIGHT_VIEW_JUMP,   // from the value before
    INSIGHT_VIEWS
};
const char *insight_view_name(enum insight_view);

struct insight_anomaly {
    double score;           // 0: usual, or told already; 1 and above: an anomaly
    enum insight_view view; // that says so
    double seen;            // by that view
    double low, high;       // what that view saw at this time of day before
};
struct insight_watch;
// `season`: values a day, or whatever repeats; 4 to 100,000. Nothing is said in the first two seasons.
int insight_watch_new(struct insight_watch **ret, size_t season);
void insight_watch_free(struct insight_watch **);
// The next value; NaN is none, and usual.
void insight_watch_next(struct insight_watch *, double value,
                        struct insight_anomaly *ret);

// Values a day, by the median of the first 49 differences of times; ERR_INVALID: times that do not ascend.
int insight_season_of(const int64_t *times_ms, size_t count, size_t *ret);

#endif
