// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which points of a block are within a distance of one: the loop under clustering. Plain C is the truth; AVX2
// beside it gives the same answers bit for bit (the same operations in the same order on each point, no
// fused multiplication), and is chosen at run time. Private to the room.
#ifndef INSIGHT_NEAR_H
#define INSIGHT_NEAR_H

#include "base/base.h"

// Dimension by dimension: value d of point i is values[d * stride + i].
struct near_block {
    const double *values; // NEAR_SLACK more can be read behind the last
    size_t stride, dims;
};
#define NEAR_SLACK 3

struct near_query {
    const double *point; // dims
    double limit;        // of the squared distance, included
};

struct near_range {
    uint32_t start, end; // of points, end exclusive
};

// Boxes in the same form: value d of box i is lows[d * stride + i]; NEAR_SLACK more can be read behind the last.
struct near_boxes {
    const double *lows, *highs;
    size_t stride, dims;
};

struct near_kernels {
    const char *name;
    // Near points in all ranges; at least `enough` where it stopped early.
    size_t (*count)(const struct near_block *, const struct near_query *,
                    const struct near_range *, size_t ranges, size_t enough);
    // Bit i: whether point start + i is near. At most 64 points.
    uint64_t (*mask)(const struct near_block *, const struct near_query *,
                     struct near_range);
    // Bit i: whether box start + i may hold a near point. At most 64 boxes.
    uint64_t (*boxes)(const struct near_boxes *, const struct near_query *,
                      struct near_range);
};

extern const struct near_kernels near_c;
// NULL where this build or this processor has none.
const struct near_kernels *near_avx2(void);
const struct near_kernels *near_best(void);

#endif
