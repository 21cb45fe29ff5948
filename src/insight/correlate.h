// SPDX-License-Identifier: GPL-3.0-or-later
//
// Correlations of two series at many lags. Inside the room.
#ifndef INSIGHT_CORRELATE_H
#define INSIGHT_CORRELATE_H

#include <stddef.h>

// The sum of products; 8 sums side by side, in the same order in both.
typedef double correlate_dot_f(const double *a, const double *b, size_t count);
correlate_dot_f *correlate_dot_plain(void);
correlate_dot_f *correlate_dot_best(void);

// A series with the sums that overlaps are cut out of: sum[i], squares[i] of the first i values.
struct correlate_side {
    const double *values;
    double *sum, *squares; // count + 1 each
    size_t count;
};
void correlate_side_fill(struct correlate_side *);
// Of a[i + lag] and b[i] over all i where both are: b leads by `lag`. 0 where one side is constant.
double correlate_at(correlate_dot_f *, const struct correlate_side *a,
                    const struct correlate_side *b, int lag);

#endif
