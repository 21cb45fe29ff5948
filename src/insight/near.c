// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/near.h"

static bool is_near(const struct near_block *b, const struct near_query *q, size_t i)
{
    double sum = 0;
    for (size_t d = 0; d < b->dims; d++) {
        double gap = b->values[d * b->stride + i] - q->point[d];
        sum += gap * gap;
    }
    return sum <= q->limit;
}

static size_t count_c(const struct near_block *b, const struct near_query *q,
                      const struct near_range *list, size_t ranges, size_t enough)
{
    size_t found = 0;
    for (size_t r = 0; r < ranges; r++) {
        for (size_t i = list[r].start; i < list[r].end; i++) {
            found += is_near(b, q, i);
            if (found >= enough) {
                return found;
            }
        }
    }
    return found;
}

static uint64_t mask_c(const struct near_block *b, const struct near_query *q,
                       struct near_range range)
{
    uint64_t bits = 0;
    for (size_t i = range.start; i < range.end; i++) {
        bits |= (uint64_t)is_near(b, q, i) << (i - range.start);
    }
    return bits;
}

static bool may_be_near(const struct near_boxes *b, const struct near_query *q, size_t i)
{
    double sum = 0;
    for (size_t d = 0; d < b->dims; d++) {
        double under = b->lows[d * b->stride + i] - q->point[d],
               over = q->point[d] - b->highs[d * b->stride + i];
        double gap = MAX(MAX(under, over), 0);
        sum += gap * gap;
    }
    return sum <= q->limit;
}

static uint64_t boxes_c(const struct near_boxes *b, const struct near_query *q,
                        struct near_range range)
{
    uint64_t bits = 0;
    for (size_t i = range.start; i < range.end; i++) {
        bits |= (uint64_t)may_be_near(b, q, i) << (i - range.start);
    }
    return bits;
}

const struct near_kernels near_c = {"c", count_c, mask_c, boxes_c};

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,popcnt")))
#define INLINE static inline __attribute__((always_inline))

// Four points from `at`: their near bits. `dims` is a constant where it is small.
AVX2 INLINE unsigned four(const double *at, size_t stride, size_t dims,
                          const struct near_query *q)
{
    __m256d sum = _mm256_setzero_pd();
    for (size_t d = 0; d < dims; d++) {
        __m256d gap = _mm256_sub_pd(_mm256_loadu_pd(at + d * stride),
                                    _mm256_broadcast_sd(q->point + d));
        sum = _mm256_add_pd(sum, _mm256_mul_pd(gap, gap));
    }
    return (unsigned)_mm256_movemask_pd(
        _mm256_cmp_pd(sum, _mm256_set1_pd(q->limit), _CMP_LE_OQ));
}

// Sixteen points. Squares only add up, so once all are past the limit the other dimensions are not read.
AVX2 static unsigned sixteen(const double *at, size_t stride, size_t dims,
                             const struct near_query *q)
{
    __m256d sum[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                      _mm256_setzero_pd()};
    __m256d limit = _mm256_set1_pd(q->limit);
    unsigned bits = 0;
    for (size_t d = 0; d < dims;) {
        for (size_t end = MIN(dims, d + 4); d < end; d++) {
            __m256d center = _mm256_broadcast_sd(q->point + d);
            for (size_t k = 0; k < 4; k++) {
                __m256d gap =
                    _mm256_sub_pd(_mm256_loadu_pd(at + d * stride + 4 * k), center);
                sum[k] = _mm256_add_pd(sum[k], _mm256_mul_pd(gap, gap));
            }
        }
        bits = 0;
        for (size_t k = 0; k < 4; k++) {
            bits |= (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(sum[k], limit, _CMP_LE_OQ))
                    << 4 * k;
        }
        if (!bits) {
            break;
        }
    }
    return bits;
}

AVX2 INLINE unsigned low_bits(unsigned bits, size_t n)
{
    return n >= 4 ? bits : bits & ((1u << n) - 1);
}

AVX2 INLINE size_t count_small(const struct near_block *b, size_t dims,
                               const struct near_query *q, const struct near_range *list,
                               size_t ranges, size_t enough)
{
    size_t found = 0;
    for (size_t r = 0; r < ranges; r++) {
        for (size_t i = list[r].start; i < list[r].end; i += 4) {
            unsigned bits = four(b->values + i, b->stride, dims, q);
            found += (size_t)__builtin_popcount(low_bits(bits, list[r].end - i));
            if (found >= enough) {
                return found;
            }
        }
    }
    return found;
}

AVX2 static size_t count_many(const struct near_block *b, const struct near_query *q,
                              const struct near_range *list, size_t ranges, size_t enough)
{
    size_t found = 0;
    for (size_t r = 0; r < ranges; r++) {
        size_t i = list[r].start, end = list[r].end;
        for (; i + 16 <= end && found < enough; i += 16) {
            found +=
                (size_t)__builtin_popcount(sixteen(b->values + i, b->stride, b->dims, q));
        }
        for (; i < end && found < enough; i += 4) {
            unsigned bits = four(b->values + i, b->stride, b->dims, q);
            found += (size_t)__builtin_popcount(low_bits(bits, end - i));
        }
    }
    return found;
}

AVX2 static size_t count_avx2(const struct near_block *b, const struct near_query *q,
                              const struct near_range *list, size_t ranges, size_t enough)
{
    switch (b->dims) {
    case 1:
        return count_small(b, 1, q, list, ranges, enough);
    case 2:
        return count_small(b, 2, q, list, ranges, enough);
    case 3:
        return count_small(b, 3, q, list, ranges, enough);
    default:
        return count_many(b, q, list, ranges, enough);
    }
}

AVX2 INLINE uint64_t mask_small(const struct near_block *b, size_t dims,
                                const struct near_query *q, struct near_range range)
{
    uint64_t bits = 0;
    for (size_t i = range.start; i < range.end; i += 4) {
        unsigned near = four(b->values + i, b->stride, dims, q);
        bits |= (uint64_t)low_bits(near, range.end - i) << (i - range.start);
    }
    return bits;
}

AVX2 static uint64_t mask_avx2(const struct near_block *b, const struct near_query *q,
                               struct near_range range)
{
    if (b->dims == 3) {
        return mask_small(b, 3, q, range);
    }
    if (b->dims == 2) {
        return mask_small(b, 2, q, range);
    }
    uint64_t bits = 0;
    size_t i = range.start;
    for (; i + 16 <= range.end; i += 16) {
        bits |= (uint64_t)sixteen(b->values + i, b->stride, b->dims, q)
                << (i - range.start);
    }
    for (; i < range.end; i += 4) {
        unsigned near = four(b->values + i, b->stride, b->dims, q);
        bits |= (uint64_t)low_bits(near, range.end - i) << (i - range.start);
    }
    return bits;
}

AVX2 static uint64_t boxes_avx2(const struct near_boxes *b, const struct near_query *q,
                                struct near_range range)
{
    uint64_t bits = 0;
    __m256d limit = _mm256_set1_pd(q->limit), zero = _mm256_setzero_pd();
    for (size_t i = range.start; i < range.end; i += 4) {
        __m256d sum = zero;
        unsigned near = 0;
        for (size_t d = 0; d < b->dims;) {
            for (size_t end = MIN(b->dims, d + 4); d < end; d++) {
                __m256d at = _mm256_broadcast_sd(q->point + d);
                __m256d under =
                    _mm256_sub_pd(_mm256_loadu_pd(b->lows + d * b->stride + i), at);
                __m256d over =
                    _mm256_sub_pd(at, _mm256_loadu_pd(b->highs + d * b->stride + i));
                __m256d gap = _mm256_max_pd(_mm256_max_pd(under, over), zero);
                sum = _mm256_add_pd(sum, _mm256_mul_pd(gap, gap));
            }
            near = (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(sum, limit, _CMP_LE_OQ));
            if (!near) {
                break;
            }
        }
        bits |= (uint64_t)low_bits(near, range.end - i) << (i - range.start);
    }
    return bits;
}

static const struct near_kernels table_avx2 = {"avx2", count_avx2, mask_avx2, boxes_avx2};

const struct near_kernels *near_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")
               ? &table_avx2
               : NULL;
}
#else
const struct near_kernels *near_avx2(void)
{
    return NULL;
}
#endif

const struct near_kernels *near_best(void)
{
    const struct near_kernels *fast = near_avx2();
    return fast ? fast : &near_c;
}
