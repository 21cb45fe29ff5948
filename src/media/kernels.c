// SPDX-License-Identifier: GPL-3.0-or-later
//
// The digest: 32 bytes at a time, a lane for each 8. A lane turns left by 23, then adds the word
// (whitened by the lane's key) and the product of its halves; the product mixes, the word alone
// keeps it from losing what a half of zero would hide, the turn makes order count. A row's tail is
// padded with zeros and followed by the row's length.
#include "media/kernels.h"

#include <string.h>

#define STRIPE 32

static const uint64_t keys[4] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f,
                                 0x165667b19e3779f9, 0x27d4eb2f165667c5};

void kernel_digest_init(struct kernel_digest *d)
{
    memcpy(d->lane, keys, sizeof d->lane);
}

static uint64_t fold(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93;
    return x ^ x >> 32;
}

uint64_t kernel_digest_finish(const struct kernel_digest *d)
{
    uint64_t h = 0;
    for (int i = 0; i < 4; i++) {
        h = fold(h ^ d->lane[i]) + keys[i];
    }
    return h;
}

static void digest_stripe(struct kernel_digest *d, const uint8_t *bytes)
{
    for (int i = 0; i < 4; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, sizeof word);
        word ^= keys[i];
        uint64_t turned = d->lane[i] << 23 | d->lane[i] >> 41;
        d->lane[i] = turned + word + (word & 0xffffffff) * (word >> 32);
    }
}

// What is left of a row behind whole stripes, and its length.
static void digest_tail(struct kernel_digest *d, const uint8_t *bytes, size_t n)
{
    size_t rest = n % STRIPE;
    if (rest) {
        uint8_t padded[STRIPE] = {0};
        memcpy(padded, bytes + n - rest, rest);
        digest_stripe(d, padded);
    }
    d->lane[0] ^= n;
}

static void digest_c(struct kernel_digest *d, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i + STRIPE <= n; i += STRIPE) {
        digest_stripe(d, row + i);
    }
    digest_tail(d, row, n);
}

static void count_c(struct kernel_scan *s, const uint8_t *row, size_t n, uint8_t black)
{
    for (size_t i = 0; i < n; i++) {
        s->sum += row[i];
        s->black += row[i] <= black;
        s->min = row[i] < s->min ? row[i] : s->min;
        s->max = row[i] > s->max ? row[i] : s->max;
    }
}

static void scan_c(struct kernel_scan *s, const uint8_t *row, size_t n, uint8_t black)
{
    digest_c(&s->digest, row, n);
    count_c(s, row, n, black);
}

static void narrow_c(uint8_t *ret, const uint16_t *row, size_t n, int shift)
{
    for (size_t i = 0; i < n; i++) {
        int v = row[i] >> shift;
        ret[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

static uint32_t sad_c(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (uint32_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
    }
    return sum;
}

static uint64_t comb_c(const uint8_t *above, const uint8_t *middle, const uint8_t *below,
                       size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        int d = above[i] - 2 * middle[i] + below[i];
        sum += (uint64_t)(d < 0 ? -d : d);
    }
    return sum;
}

static void column_max_c(uint8_t *columns, const uint8_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        columns[i] = row[i] > columns[i] ? row[i] : columns[i];
    }
}

const struct kernels kernels_c = {
    .name = "c",
    .digest = digest_c,
    .scan = scan_c,
    .narrow = narrow_c,
    .sad = sad_c,
    .comb = comb_c,
    .column_max = column_max_c,
};

// --- AVX2 -----------------------------------------------------------------------------------

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

AVX2 static inline __m256i digest_step(__m256i lanes, __m256i words, __m256i key)
{
    words = _mm256_xor_si256(words, key);
    __m256i product = _mm256_mul_epu32(words, _mm256_srli_epi64(words, 32));
    __m256i turned =
        _mm256_or_si256(_mm256_slli_epi64(lanes, 23), _mm256_srli_epi64(lanes, 41));
    return _mm256_add_epi64(_mm256_add_epi64(turned, words), product);
}

AVX2 static inline uint64_t sum_lanes(__m256i v)
{
    uint64_t lane[4];
    _mm256_storeu_si256((__m256i *)(void *)lane, v);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

AVX2 static void digest_avx2(struct kernel_digest *d, const uint8_t *row, size_t n)
{
    __m256i key = load((const uint8_t *)keys);
    __m256i lanes = load((const uint8_t *)d->lane);
    for (size_t i = 0; i + STRIPE <= n; i += STRIPE) {
        lanes = digest_step(lanes, load(row + i), key);
    }
    _mm256_storeu_si256((__m256i *)(void *)d->lane, lanes);
    digest_tail(d, row, n);
}

AVX2 static void scan_avx2(struct kernel_scan *s, const uint8_t *row, size_t n,
                           uint8_t black)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i limit = _mm256_set1_epi8((char)black);
    __m256i key = load((const uint8_t *)keys);
    __m256i lanes = load((const uint8_t *)s->digest.lane);
    __m256i sum = zero, dark = zero, low = _mm256_set1_epi8((char)s->min),
            high = _mm256_set1_epi8((char)s->max);
    for (size_t i = 0; i + STRIPE <= n; i += STRIPE) {
        __m256i v = load(row + i);
        lanes = digest_step(lanes, v, key);
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(v, zero));
        low = _mm256_min_epu8(low, v);
        high = _mm256_max_epu8(high, v);
        __m256i is_dark = _mm256_cmpeq_epi8(_mm256_min_epu8(v, limit), v);
        dark =
            _mm256_add_epi64(dark, _mm256_sad_epu8(_mm256_sub_epi8(zero, is_dark), zero));
    }
    _mm256_storeu_si256((__m256i *)(void *)s->digest.lane, lanes);
    digest_tail(&s->digest, row, n);
    s->sum += sum_lanes(sum);
    s->black += sum_lanes(dark);
    uint8_t lows[STRIPE], highs[STRIPE];
    _mm256_storeu_si256((__m256i *)(void *)lows, low);
    _mm256_storeu_si256((__m256i *)(void *)highs, high);
    for (int i = 0; i < STRIPE; i++) {
        s->min = lows[i] < s->min ? lows[i] : s->min;
        s->max = highs[i] > s->max ? highs[i] : s->max;
    }
    size_t rest = n % STRIPE;
    count_c(s, row + n - rest, rest, black);
}

AVX2 static void narrow_avx2(uint8_t *ret, const uint16_t *row, size_t n, int shift)
{
    const __m128i by = _mm_cvtsi32_si128(shift);
    const __m256i top = _mm256_set1_epi16(255);
    size_t i = 0;
    for (; i + STRIPE <= n; i += STRIPE) {
        __m256i a = _mm256_srl_epi16(load((const uint8_t *)(row + i)), by);
        __m256i b = _mm256_srl_epi16(load((const uint8_t *)(row + i + 16)), by);
        __m256i packed =
            _mm256_packus_epi16(_mm256_min_epu16(a, top), _mm256_min_epu16(b, top));
        packed = _mm256_permute4x64_epi64(packed, 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(ret + i), packed);
    }
    narrow_c(ret + i, row + i, n - i, shift);
}

AVX2 static uint32_t sad_avx2(const uint8_t *a, const uint8_t *b, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + STRIPE <= n; i += STRIPE) {
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(load(a + i), load(b + i)));
    }
    return (uint32_t)sum_lanes(sum) + sad_c(a + i, b + i, n - i);
}

AVX2 static uint64_t comb_avx2(const uint8_t *above, const uint8_t *middle,
                               const uint8_t *below, size_t n)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum = zero;
    size_t i = 0;
    for (; i + STRIPE <= n; i += STRIPE) {
        __m256i a = load(above + i), m = load(middle + i), b = load(below + i);
        __m256i low =
            _mm256_sub_epi16(_mm256_add_epi16(_mm256_unpacklo_epi8(a, zero),
                                              _mm256_unpacklo_epi8(b, zero)),
                             _mm256_slli_epi16(_mm256_unpacklo_epi8(m, zero), 1));
        __m256i high =
            _mm256_sub_epi16(_mm256_add_epi16(_mm256_unpackhi_epi8(a, zero),
                                              _mm256_unpackhi_epi8(b, zero)),
                             _mm256_slli_epi16(_mm256_unpackhi_epi8(m, zero), 1));
        __m256i both = _mm256_add_epi16(_mm256_abs_epi16(low), _mm256_abs_epi16(high));
        __m256i wide = _mm256_madd_epi16(both, ones); // at most 4 × 510, eight sums
        sum = _mm256_add_epi64(sum, _mm256_unpacklo_epi32(wide, zero));
        sum = _mm256_add_epi64(sum, _mm256_unpackhi_epi32(wide, zero));
    }
    return sum_lanes(sum) + comb_c(above + i, middle + i, below + i, n - i);
}

AVX2 static void column_max_avx2(uint8_t *columns, const uint8_t *row, size_t n)
{
    size_t i = 0;
    for (; i + STRIPE <= n; i += STRIPE) {
        _mm256_storeu_si256((__m256i *)(void *)(columns + i),
                            _mm256_max_epu8(load(columns + i), load(row + i)));
    }
    column_max_c(columns + i, row + i, n - i);
}

static const struct kernels table_avx2 = {
    .name = "avx2",
    .digest = digest_avx2,
    .scan = scan_avx2,
    .narrow = narrow_avx2,
    .sad = sad_avx2,
    .comb = comb_avx2,
    .column_max = column_max_avx2,
};

const struct kernels *kernels_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &table_avx2 : NULL;
}

#else

const struct kernels *kernels_avx2(void)
{
    return NULL;
}

#endif

const struct kernels *kernels_best(void)
{
    const struct kernels *fast = kernels_avx2();
    return fast ? fast : &kernels_c;
}
