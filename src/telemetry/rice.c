// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/rice.h"

#define PACKED 64

static unsigned bits_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static uint64_t cost_of(const uint64_t *u, size_t n, unsigned k)
{
    uint64_t bits = n * (k + 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t q = u[i] >> k;
        bits += MIN(q, (uint64_t)RICE_UNARY_MAX);
        if (__builtin_expect(q >= RICE_UNARY_MAX, 0)) {
            bits += 8 * (bits_of(q - RICE_UNARY_MAX) / 7 + 1);
        }
    }
    return bits;
}

// The cost has one valley in k, but for what exceptions do to it: from the mean on, downhill.
unsigned rice_parameter(const uint64_t *u, size_t n, uint64_t *ret_bits)
{
    double sum = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)u[i];
        all |= u[i];
    }
    double mean = n ? sum / (double)n : 0;
    unsigned k = 0;
    while (k < 62 && mean > 1.4 * (double)(UINT64_C(1) << k)) {
        k++;
    }
    uint64_t best = cost_of(u, n, k), cost;
    while (k > 0 && (cost = cost_of(u, n, k - 1)) < best) {
        best = cost;
        k--;
    }
    while (k < 63 && (cost = cost_of(u, n, k + 1)) < best) {
        best = cost;
        k++;
    }
    if (bits_of(all) < 64 && n * bits_of(all) < best) {
        best = n * bits_of(all);
        k = bits_of(all) | PACKED;
    }
    *ret_bits = best;
    return k;
}

// --- writing --------------------------------------------------------------------------------------

struct bits {
    struct buf *out;
    uint64_t word;
    unsigned used;
};

static void put_bits(struct bits *b, uint64_t value, unsigned count)
{
    b->word |= value << b->used;
    if (b->used + count >= 64) {
        pack_u64(b->out, b->word);
        b->word = b->used ? value >> (64 - b->used) : 0;
        b->used = b->used + count - 64;
    } else {
        b->used += count;
    }
}

static void end_bits(struct bits *b)
{
    uint64_t le = htole64(b->word);
    buf_add(b->out, &le, (b->used + 7) / 8);
    b->word = b->used = 0;
}

void rice_write(struct buf *out, const uint64_t *u, size_t n, unsigned k)
{
    struct bits b = {.out = out};
    bool packed = k & PACKED;
    buf_char(out, (char)k);
    k &= PACKED - 1;
    uint64_t mask = (UINT64_C(1) << k) - 1;
    for (size_t i = 0; i < n && k > 0; i++) {
        put_bits(&b, u[i] & mask, k);
    }
    end_bits(&b);
    if (packed) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned zeros = (unsigned)MIN(u[i] >> k, (uint64_t)RICE_UNARY_MAX);
        put_bits(&b, UINT64_C(1) << zeros, zeros + 1);
    }
    end_bits(&b);
    for (size_t i = 0; i < n; i++) {
        if (u[i] >> k >= RICE_UNARY_MAX) {
            pack_varint(out, (u[i] >> k) - RICE_UNARY_MAX);
        }
    }
}

// --- reading --------------------------------------------------------------------------------------

static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

// The last bytes of a text, zeros behind them.
static uint64_t word_near(const uint8_t *at, const uint8_t *end)
{
    uint64_t word = 0;
    memcpy(&word, at, (size_t)MIN(end - at, (ptrdiff_t)8));
    return le64toh(word);
}

static void read_low(const uint8_t *bytes, size_t len, unsigned k, uint64_t *ret,
                     size_t n)
{
    uint64_t mask = (UINT64_C(1) << k) - 1;
    // Where eight bytes can be read and 57 bits are enough. The rest byte by byte.
    size_t fast = k <= 57 && len >= 8 ? MIN(n, ((len - 8) * 8) / k + 1) : 0;
    for (size_t i = 0; i < fast; i++) {
        size_t bit = i * k;
        ret[i] = word_at(bytes + bit / 8) >> (bit % 8) & mask;
    }
    for (size_t i = fast; i < n; i++) {
        size_t bit = i * k, byte = bit / 8;
        unsigned shift = (unsigned)(bit % 8);
        uint64_t v = word_near(bytes + byte, bytes + len) >> shift;
        if (shift + k > 64) {
            v |= (uint64_t)bytes[byte + 8] << (64 - shift);
        }
        ret[i] = v & mask;
    }
}

// Adds what is in unary, << k. How many exceptions there are; behind the end when not all ones were there.
static size_t read_unary(struct unpack *from, unsigned k, uint64_t *ret, size_t n)
{
    size_t done = 0, exceptions = 0;
    uint64_t zeros = 0; // before the word, since the last one
    const uint8_t *at = from->at;
    while (done < n) {
        if (at >= from->end) {
            from->bad = true;
            return 0;
        }
        uint64_t word = from->end - at >= 8 ? word_at(at) : word_near(at, from->end);
        unsigned bit = 0, one = 0;
        for (; word && done < n; word &= word - 1) {
            one = (unsigned)__builtin_ctzll(word);
            uint64_t q = zeros + one - bit;
            ret[done++] += q << k;
            exceptions += q >= RICE_UNARY_MAX;
            bit = one + 1;
            zeros = 0;
        }
        zeros += 64 - bit;
        at += done < n ? 8 : one / 8 + 1;
    }
    from->at = MIN(at, from->end);
    return exceptions;
}

void rice_read(struct unpack *from, uint64_t *ret, size_t n)
{
    unsigned k = unpack_u8(from);
    if (n == 0) {
        return;
    }
    if (k >= 2 * PACKED) {
        from->bad = true;
        return;
    }
    bool packed = k & PACKED;
    k &= PACKED - 1;
    size_t len = (n * k + 7) / 8;
    const uint8_t *low = unpack_bytes(from, len);
    if (!low) {
        return;
    }
    if (k > 0) {
        read_low(low, len, k, ret, n);
    } else {
        memset(ret, 0, n * sizeof *ret);
    }
    if (packed) {
        return;
    }
    size_t exceptions = read_unary(from, k, ret, n);
    for (size_t i = 0; exceptions > 0 && i < n && !from->bad; i++) {
        if (ret[i] >> k >= RICE_UNARY_MAX) {
            ret[i] += unpack_varint(from) << k;
            exceptions--;
        }
    }
}
