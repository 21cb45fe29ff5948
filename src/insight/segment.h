// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the segmentations share: prefix sums, and the costs of many segments with one end. Inside the room.
#ifndef INSIGHT_SEGMENT_H
#define INSIGHT_SEGMENT_H

#include "insight/change.h"

// Of the first i values less their mean: their sum, that of their squares, that of index times value.
struct segment_sums {
    double *memory;
    const double *y, *yy, *xy; // count + 1 each
    double floor;              // of a variance
    double tilt;
    enum insight_cost cost;
};
void segment_sums_free(struct segment_sums *);
int segment_sums_make(const double *values, size_t count,
                      const struct insight_segmenting *, struct segment_sums *ret);
size_t segment_min_length(const struct insight_segmenting *);
// Of values[start, end).
double segment_cost(const struct segment_sums *, size_t start, size_t end);

// Starts of segments side by side: where, what all before it cost, and the sums there.
struct segment_starts {
    double *at, *least, *y, *yy, *xy;
    size_t count;
};
struct segment_point { // where they end
    double at, y, yy, xy, floor, tilt;
};
struct segment_point segment_point_of(const struct segment_sums *, size_t end);

typedef void segment_totals_f(const struct segment_starts *, struct segment_point end,
                              double *restrict ret_totals);
struct segment_kernels {
    segment_totals_f *totals[4];                         // by enum insight_cost
    double (*least)(const double *totals, size_t count); // infinity for none
    size_t (*above)(const double *totals, size_t count, double limit);
};
const struct segment_kernels *segment_kernels_plain(void); // the truth
const struct segment_kernels *segment_kernels_best(void);  // what this machine can, equal

#endif
