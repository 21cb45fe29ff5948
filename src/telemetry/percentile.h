// SPDX-License-Identifier: GPL-3.0-or-later
//
// The buckets of percentile timers and summaries, as spectator's PercentileBuckets has them: 1, 2, 3,
// then from each power of 4 in steps of a third of it. An amount belongs to the first bucket whose bound
// is over it; what lies between the last third and the next power of 4 goes one further, as spectator's does.
// https://netflix.github.io/spectator/en/latest/javadoc/spectator-api/com/netflix/spectator/api/histogram/PercentileBuckets.html
#ifndef TELEMETRY_PERCENTILE_H
#define TELEMETRY_PERCENTILE_H

#include <stdint.h>

#define PERCENTILE_BUCKETS 276

// 0 for what is not over 0.
unsigned percentile_bucket(int64_t amount);
// The upper bound of a bucket, INT64_MAX for the last.
int64_t percentile_bound(unsigned bucket);

#endif
