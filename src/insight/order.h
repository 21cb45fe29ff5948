// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the robust methods of this room stand on: order statistics, ranks, the normal distribution. Inside
// the room only. Values are finite unless a line says otherwise.
#ifndef INSIGHT_ORDER_H
#define INSIGHT_ORDER_H

#include <stddef.h>

void insight_sort(double *values, size_t count);
// Of a sorted array, by linear interpolation (R's type 7); `q` within 0..1, count at least 1.
double insight_quantile_sorted(const double *sorted, size_t count, double q);
// Both reorder what they are given. NaN for no values.
double insight_median(double *values, size_t count);
// The median distance from `center`, times 1.4826: the standard deviation where values are normal.
double insight_spread(double *values, size_t count, double center);
// Ranks from 1, ties sharing their mean. `order` is scratch of `count`. Returns the sum of t^3 - t over the groups
// of ties, which corrections for ties are made of.
double insight_ranks(const double *values, size_t count, size_t *order,
                     double *ret_ranks);

double insight_normal_upper(double z); // P(Z > z)
double insight_normal_quantile(double p);

#endif
