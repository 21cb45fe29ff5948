// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/correlate.h"

#include <math.h>
#include <stdlib.h>

// One body for both: the same lanes, so that the same bits come out.
static inline __attribute__((always_inline)) double
dot_of(const double *restrict a, const double *restrict b, size_t count)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            lane[k] += a[i + k] * b[i + k];
        }
    }
    for (size_t k = 0; i < count; i++, k++) {
        lane[k] += a[i] * b[i];
    }
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) +
           ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

static double dot_plain(const double *a, const double *b, size_t count)
{
    return dot_of(a, b, count);
}

__attribute__((target("avx2"))) static double dot_avx2(const double *a, const double *b,
                                                       size_t count)
{
    return dot_of(a, b, count);
}

correlate_dot_f *correlate_dot_plain(void)
{
    return dot_plain;
}

correlate_dot_f *correlate_dot_best(void)
{
    return __builtin_cpu_supports("avx2") ? dot_avx2 : dot_plain;
}

void correlate_side_fill(struct correlate_side *s)
{
    s->sum[0] = s->squares[0] = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->sum[i + 1] = s->sum[i] + s->values[i];
        s->squares[i + 1] = s->squares[i] + s->values[i] * s->values[i];
    }
}

double correlate_at(correlate_dot_f *dot, const struct correlate_side *a,
                    const struct correlate_side *b, int lag)
{
    size_t shift = (size_t)abs(lag), at_a = lag > 0 ? shift : 0,
           at_b = lag < 0 ? shift : 0;
    if (shift + 3 > a->count) {
        return 0;
    }
    size_t count = a->count - shift;
    double n = (double)count;
    double sa = a->sum[at_a + count] - a->sum[at_a];
    double sb = b->sum[at_b + count] - b->sum[at_b];
    double va = a->squares[at_a + count] - a->squares[at_a] - sa * sa / n;
    double vb = b->squares[at_b + count] - b->squares[at_b] - sb * sb / n;
    if (!(va > 1e-12 * a->squares[a->count] && vb > 1e-12 * b->squares[b->count])) {
        return 0;
    }
    double both = dot(a->values + at_a, b->values + at_b, count) - sa * sb / n;
    double r = both / sqrt(va * vb);
    return r > 1 ? 1 : r < -1 ? -1 : r;
}
