// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/sse.h"

#include "base/macro.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint64_t row_sse(const uint8_t *a, const uint8_t *b, int from, int width)
{
    uint64_t sum = 0;
    for (int x = from; x < width; x++) {
        int d = a[x] - b[x];
        sum += (uint64_t)(d * d);
    }
    return sum;
}

uint64_t sse_c(struct plane8 a, struct plane8 b, int width, int height)
{
    uint64_t sum = 0;
    for (int y = 0; y < height; y++) {
        sum += row_sse(a.data + y * a.stride, b.data + y * b.stride, 0, width);
    }
    return sum;
}

#if defined(__x86_64__)
// Differences as 16 bits, squared and added in pairs to 32. A lane gets at most
// 65536 / 16 × 2 × 255² < 2^31 in a row; rows are added in 64 bits.
__attribute__((target("avx2"))) static uint64_t sse_avx2(struct plane8 a, struct plane8 b,
                                                         int width, int height)
{
    __m256i sum = _mm256_setzero_si256();
    uint64_t rest = 0;
    int wide = width & ~31;
    for (int y = 0; y < height; y++) {
        const uint8_t *pa = a.data + y * a.stride, *pb = b.data + y * b.stride;
        __m256i row = _mm256_setzero_si256(), zero = _mm256_setzero_si256();
        for (int x = 0; x < wide; x += 32) {
            __m256i va = _mm256_loadu_si256((const __m256i *)(const void *)(pa + x));
            __m256i vb = _mm256_loadu_si256((const __m256i *)(const void *)(pb + x));
            // |a − b| in 8 bits, then widened: order within the row does not matter.
            __m256i d =
                _mm256_or_si256(_mm256_subs_epu8(va, vb), _mm256_subs_epu8(vb, va));
            __m256i lo = _mm256_unpacklo_epi8(d, zero);
            __m256i hi = _mm256_unpackhi_epi8(d, zero);
            row = _mm256_add_epi32(row, _mm256_madd_epi16(lo, lo));
            row = _mm256_add_epi32(row, _mm256_madd_epi16(hi, hi));
        }
        sum = _mm256_add_epi64(sum, _mm256_unpacklo_epi32(row, zero));
        sum = _mm256_add_epi64(sum, _mm256_unpackhi_epi32(row, zero));
        rest += row_sse(pa, pb, wide, width);
    }
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)(void *)lanes, sum);
    return rest + lanes[0] + lanes[1] + lanes[2] + lanes[3];
}
#endif

sse_f *sse_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        return sse_avx2;
    }
#endif
    return sse_c;
}
