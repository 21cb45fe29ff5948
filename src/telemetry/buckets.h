// SPDX-License-Identifier: GPL-3.0-or-later
//
// The buckets into which percentile timers and distributions count (the tag percentile=T0042): bounds that
// grow by thirds of powers of four, so that an estimate is within a few percent.
// https://netflix.github.io/spectator/en/latest/intro/timer/ (PercentileBuckets)
#ifndef TELEMETRY_BUCKETS_H
#define TELEMETRY_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#define BUCKETS_COUNT 276

unsigned buckets_index(int64_t value);
// The upper bounds, rising; the last is INT64_MAX.
void buckets_bounds(int64_t ret[BUCKETS_COUNT]);
// Estimates the percentiles `p` (rising, 0..100) out of the counts of the buckets, by a straight line within a
// bucket. NaN where nothing was counted.
void buckets_percentiles(const double counts[BUCKETS_COUNT], const double *p,
                         size_t count, double *ret);

#endif
