// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/buckets.h"

#include <math.h>

// From each power of four up the bounds stand a third of it apart, as long as the next power is further than
// that; 1, 2 and 3 come before.
void buckets_bounds(int64_t ret[BUCKETS_COUNT])
{
    size_t n = 0;
    for (int64_t v = 1; v <= 3; v++) {
        ret[n++] = v;
    }
    for (int exp = 2; exp < 62; exp += 2) {
        int64_t from = INT64_C(1) << exp, third = from / 3;
        for (int64_t v = from; v < 4 * from - third && n < BUCKETS_COUNT - 1;
             v += third) {
            ret[n++] = v;
        }
    }
    while (n < BUCKETS_COUNT) {
        ret[n++] = INT64_MAX;
    }
}

// The first bound that is larger; the small ones have a bucket each.
unsigned buckets_index(int64_t value)
{
    int64_t bounds[BUCKETS_COUNT];
    if (value <= 0) {
        return 0;
    }
    if (value <= 4) {
        return (unsigned)value;
    }
    buckets_bounds(bounds);
    unsigned lo = 0, hi = BUCKETS_COUNT - 1;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (bounds[mid] > value) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

void buckets_percentiles(const double counts[BUCKETS_COUNT], const double *p,
                         size_t count, double *ret)
{
    int64_t bounds[BUCKETS_COUNT];
    double total = 0, seen = 0, before_p = 0, before = 0;
    size_t at = 0;
    buckets_bounds(bounds);
    for (size_t i = 0; i < BUCKETS_COUNT; i++) {
        total += counts[i];
    }
    for (size_t i = 0; i < BUCKETS_COUNT && at < count && total > 0; i++) {
        seen += counts[i];
        double now_p = 100 * seen / total, bound = (double)bounds[i];
        for (; at < count && now_p >= p[at]; at++) {
            double part = now_p > before_p ? (p[at] - before_p) / (now_p - before_p) : 0;
            ret[at] = before + part * (bound - before);
        }
        before_p = now_p;
        before = bound;
    }
    // Rounding may leave the last a hair below 100.
    for (; at < count; at++) {
        ret[at] = total > 0 ? before : (double)NAN;
    }
}
