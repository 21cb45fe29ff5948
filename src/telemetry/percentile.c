// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bounds by index, where d(k) = 4^k / 3 rounded down:
//
//     index   0  1  2 | 3 …                        | …
//     bound   1  2  3 | 4, 4 + d(1), 4 + 2 d(1), … | 16, 16 + d(2), …      while below 4^(k+1) - d(k)
//
// From 4 on d(1) = 1 gives 11 bounds (4 … 14), every later power 9.
#include "telemetry/percentile.h"

#define FIRST_OF_4  3
#define COUNT_OF_4  11
#define COUNT_LATER 9

static unsigned first_of(unsigned power)
{
    return power == 1 ? FIRST_OF_4 : FIRST_OF_4 + COUNT_OF_4 + (power - 2) * COUNT_LATER;
}

unsigned percentile_bucket(int64_t amount)
{
    if (amount <= 4) {
        return amount <= 0 ? 0 : (unsigned)amount;
    }
    unsigned power = (63 - (unsigned)__builtin_clzll((unsigned long long)amount)) / 2;
    int64_t base = INT64_C(1) << 2 * power;
    unsigned bucket = first_of(power) + (unsigned)((amount - base) / (base / 3)) + 1;
    return bucket < PERCENTILE_BUCKETS ? bucket : PERCENTILE_BUCKETS - 1;
}

int64_t percentile_bound(unsigned bucket)
{
    if (bucket < FIRST_OF_4) {
        return (int64_t)bucket + 1;
    }
    if (bucket >= PERCENTILE_BUCKETS - 1) {
        return INT64_MAX;
    }
    unsigned power = 1;
    while (first_of(power + 1) <= bucket) {
        power++;
    }
    int64_t base = INT64_C(1) << 2 * power;
    return base + (int64_t)(bucket - first_of(power)) * (base / 3);
}
