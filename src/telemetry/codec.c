// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/codec.h"

#include "telemetry/rice.h"

#include <math.h>
#include <stdlib.h>

enum codec_form { FORM_CONSTANT, FORM_DENSE, FORM_SPARSE };

enum predictor { P_NONE, P_BEFORE, P_LINE, P_HALF, P_QUARTER, P_EIGHTH, P_COUNT };

#define KIND_GAPS      4
#define KIND_UNSIGNED  64
#define KIND_NUDGED    128
#define DIVISOR_BITS   255
#define EXACT          9007199254740992.0 // 2^53
#define INFINITE       UINT64_C(0x7ff0000000000000)
#define MISFITS_ONE_IN 16
#define PLAIN_BITS     4 // a decimal is one when it has this many bits less than are kept
#define CHEAP_BITS     24 // a value: no use to try others

static const double divisors[] = {
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    // seconds of a step
    60, 10, 5, 30, 15, 300, 600, 3600, 3, 6, 12, 7, 9, 20, 120, 900, 86400};
#define POWERS 16

// A row without its gaps, and what became of it.
struct row {
    size_t count;
    double values[CODEC_VALUES_MAX];
    int64_t numbers[CODEC_VALUES_MAX];
    int64_t nudges[CODEC_VALUES_MAX]; // where `nudged`
    bool nudged;
    uint8_t divisor;
    int64_t first;
    uint64_t gcd;
};

struct places {
    size_t count;
    uint64_t at[CODEC_VALUES_MAX]; // zeros before each number that is none
    uint64_t numbers[CODEC_VALUES_MAX];
};

// How near m / d has to be, as a part of the value, and what m has to be below.
struct nearness {
    double error, limit;
};

// What a predictor leaves, and what it costs.
struct guess {
    enum predictor predictor;
    bool is_unsigned, is_sparse;
    int64_t center;
    unsigned k, k_at; // of the numbers, of the places
    uint64_t bits;
    uint64_t left[CODEC_VALUES_MAX];
    struct places places;
};

static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

// --- integers -------------------------------------------------------------------------------------

// Whether v is about m / d for an m below `limit`.
static bool is_part(double v, double d, const struct nearness *near, int64_t *ret)
{
    double scaled = v * d;
    if (!(fabs(scaled) < near->limit)) {
        return false;
    }
    *ret = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    return fabs((double)*ret / d - v) <= fabs(v) * near->error;
}

static bool divide(struct row *r, size_t divisor, const struct nearness *near)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!is_part(r->values[i], divisors[divisor], near, &r->numbers[i])) {
            return false;
        }
    }
    r->divisor = (uint8_t)divisor;
    return true;
}

// v = m / 10^e is also 10 m / 10^(e+1): so e only ever grows along the row.
static bool find_power(struct row *r, const struct nearness *near)
{
    size_t e = 0;
    int64_t m;
    for (size_t i = 0; i < r->count; i++) {
        while (!is_part(r->values[i], divisors[e], near, &m)) {
            if (++e == POWERS) {
                return false;
            }
        }
    }
    return divide(r, e, near);
}

static bool find_seconds(struct row *r, const struct nearness *near)
{
    for (size_t d = POWERS; d < ARRAY_LEN(divisors); d++) {
        if (divide(r, d, near)) {
            return true;
        }
    }
    return false;
}

static int64_t ordered(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? -(bits & INT64_MAX) : bits;
}

static double from_ordered(int64_t m)
{
    uint64_t bits = m < 0 ? -(uint64_t)m | UINT64_C(1) << 63 : (uint64_t)m;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

// Most values are near to m / d; where one is, `ret` is its m.
static bool is_near(double v, size_t divisor, int64_t *ret)
{
    const struct nearness near = {.error = 0x1p-48, .limit = 0x1p44};
    return is_part(v, divisors[divisor], &near, ret);
}

static bool too_many(size_t misfits, size_t seen)
{
    return misfits > 1 + seen / MISFITS_ONE_IN;
}

// As find_power, but for a few that are far from all.
static bool find_near_power(const struct row *r, size_t *ret)
{
    size_t e = 0, misfits = 0;
    int64_t m;
    for (size_t i = 0; i < r->count; i++) {
        size_t more = e;
        while (more < POWERS && !is_near(r->values[i], more, &m)) {
            more++;
        }
        misfits += more == POWERS;
        e = more < POWERS ? more : e;
        if (too_many(misfits, i)) {
            return false;
        }
    }
    *ret = e;
    return true;
}

// One that is far from all is as the one before, nudged a long way.
static bool nudge(struct row *r, size_t divisor)
{
    size_t misfits = 0, begin = 0;
    int64_t m = 0;
    while (begin < r->count && !is_near(r->values[begin], divisor, &m)) {
        begin++;
    }
    for (size_t i = 0; i < r->count; i++) {
        misfits += !is_near(r->values[i], divisor, &m);
        if (too_many(misfits, i)) {
            return false;
        }
        r->numbers[i] = m;
        r->nudges[i] =
            minus(ordered(r->values[i]), ordered((double)m / divisors[divisor]));
    }
    r->divisor = (uint8_t)divisor;
    r->nudged = true;
    return true;
}

static uint64_t gcd_of(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void take_divisor_out(struct row *r)
{
    int64_t low = r->numbers[0], high = low;
    for (size_t i = 1; i < r->count; i++) {
        low = MIN(low, r->numbers[i]);
        high = MAX(high, r->numbers[i]);
    }
    r->first = r->numbers[0];
    r->gcd = (uint64_t)high - (uint64_t)low > INT64_MAX ? 1 : 0;
    for (size_t i = 1; i < r->count && r->gcd != 1; i++) {
        int64_t more = minus(r->numbers[i], r->first);
        r->gcd = gcd_of(r->gcd, more < 0 ? -(uint64_t)more : (uint64_t)more);
    }
    for (size_t i = 0; i < r->count; i++) {
        r->numbers[i] = minus(r->numbers[i], r->first);
        if (r->gcd > 1) {
            r->numbers[i] /= (int64_t)r->gcd;
        }
    }
}

// To `precision` significant bits, to the nearest, which may be the next power of two.
static int64_t rounded(int64_t m, unsigned precision)
{
    uint64_t half = precision < 53 ? UINT64_C(1) << (52 - precision) : 0;
    uint64_t size = m < 0 ? -(uint64_t)m : (uint64_t)m;
    uint64_t up = size + half;
    up = up < INFINITE ? up & ~(2 * half - (half > 0)) : size;
    return m < 0 ? -(int64_t)up : (int64_t)up;
}

static void take_bits(struct row *r, unsigned precision)
{
    r->divisor = DIVISOR_BITS;
    r->nudged = false;
    for (size_t i = 0; i < r->count; i++) {
        r->numbers[i] = rounded(ordered(r->values[i]), precision);
    }
    take_divisor_out(r);
}

static bool take_decimals(struct row *r, const struct nearness *near)
{
    if (!find_power(r, near) && !find_seconds(r, near)) {
        return false;
    }
    r->nudged = false;
    take_divisor_out(r);
    return true;
}

static bool take_near(struct row *r)
{
    size_t divisor;
    bool found = find_near_power(r, &divisor) && nudge(r, divisor);
    for (size_t d = POWERS; !found && d < ARRAY_LEN(divisors); d++) {
        found = nudge(r, d);
    }
    if (found) {
        take_divisor_out(r);
    }
    return found;
}

// --- predictors -----------------------------------------------------------------------------------
// A slow follower keeps six bits behind the point, in wrapping arithmetic: encoder and decoder do the same.

#define FOLLOW_BITS 6

static int64_t follow(int64_t at, int64_t value, unsigned shift)
{
    int64_t target = (int64_t)((uint64_t)value << FOLLOW_BITS);
    return plus(at, minus(target, at) >> shift);
}

static int64_t followed(int64_t at)
{
    return plus(at, 1 << (FOLLOW_BITS - 1)) >> FOLLOW_BITS;
}

// The first number is 0 (`first` has it): left[i] belongs to m[i + 1].
static void predict(const int64_t *m, size_t n, enum predictor p, int64_t *left)
{
    int64_t at = 0;
    switch (p) {
    case P_NONE:
        memcpy(left, m + 1, (n - 1) * sizeof *left);
        return;
    case P_BEFORE:
        for (size_t i = 1; i < n; i++) {
            left[i - 1] = minus(m[i], m[i - 1]);
        }
        return;
    case P_LINE:
        for (size_t i = 1; i < n; i++) {
            left[i - 1] = minus(minus(m[i], m[i - 1]), at);
            at = minus(m[i], m[i - 1]);
        }
        return;
    case P_HALF:
    case P_QUARTER:
    case P_EIGHTH:
        for (size_t i = 1; i < n; i++) {
            left[i - 1] = minus(m[i], followed(at));
            at = follow(at, m[i], (unsigned)(p - P_HALF) + 1);
        }
        return;
    case P_COUNT:
        return;
    }
}

// From what is left, in place.
static void unpredict(int64_t *m, size_t n, enum predictor p, int64_t center)
{
    int64_t at = 0, step = 0;
    switch (p) {
    case P_NONE:
        for (size_t i = 1; i < n; i++) {
            m[i] = plus(m[i], center);
        }
        return;
    case P_BEFORE:
        for (size_t i = 1; i < n; i++) {
            m[i] = at = plus(at, plus(m[i], center));
        }
        return;
    case P_LINE:
        for (size_t i = 1; i < n; i++) {
            step = plus(step, plus(m[i], center));
            m[i] = at = plus(at, step);
        }
        return;
    case P_HALF:
    case P_QUARTER:
    case P_EIGHTH:
        for (size_t i = 1; i < n; i++) {
            m[i] = plus(plus(followed(at), m[i]), center);
            at = follow(at, m[i], (unsigned)(p - P_HALF) + 1);
        }
        return;
    case P_COUNT:
        return;
    }
}

static int64_t mean_of(const int64_t *left, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)left[i];
    }
    double mean = sum / (double)n;
    return fabs(mean) < EXACT ? (int64_t)(mean + (mean < 0 ? -0.5 : 0.5)) : 0;
}

// About as many bits as the numbers have, and one each.
static uint64_t bits_about(const int64_t *left, size_t n, int64_t center)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits +=
            64 - (unsigned)__builtin_clzll(pack_zigzag(minus(left[i], center)) << 1 | 1);
    }
    return bits;
}

static void find_places(const uint64_t *left, size_t n, struct places *ret)
{
    uint64_t zeros = 0;
    ret->count = 0;
    for (size_t i = 0; i < n; i++) {
        if (left[i] == 0) {
            zeros++;
            continue;
        }
        ret->at[ret->count] = zeros;
        ret->numbers[ret->count++] = left[i] - 1;
        zeros = 0;
    }
}

#define PLACES_BITS 24 // their count and a second parameter

static void weigh_sparse(size_t n, struct guess *g)
{
    uint64_t at, numbers;
    find_places(g->left, n, &g->places);
    if (g->places.count > n / 2) {
        return;
    }
    unsigned k_at = rice_parameter(g->places.at, g->places.count, &at);
    unsigned k = rice_parameter(g->places.numbers, g->places.count, &numbers);
    if (at + numbers + PLACES_BITS < g->bits) {
        g->is_sparse = true;
        g->k = k;
        g->k_at = k_at;
        g->bits = at + numbers + PLACES_BITS;
    }
}

// What it really costs, by the cheapest of three ways: around a center; of that only what is not 0; or from
// the least number on (what is bounded below has no sign).
static void weigh(const int64_t *left, size_t n, struct guess *g)
{
    for (size_t i = 0; i < n; i++) {
        g->left[i] = pack_zigzag(minus(left[i], g->center));
    }
    g->is_unsigned = g->is_sparse = false;
    g->k = rice_parameter(g->left, n, &g->bits);
    weigh_sparse(n, g);
    int64_t least = left[0];
    for (size_t i = 1; i < n; i++) {
        least = MIN(least, left[i]);
    }
    uint64_t from_least[CODEC_VALUES_MAX], bits;
    for (size_t i = 0; i < n; i++) {
        from_least[i] = (uint64_t)minus(left[i], least);
    }
    unsigned k = rice_parameter(from_least, n, &bits);
    if (bits < g->bits) {
        memcpy(g->left, from_least, n * sizeof *from_least);
        g->is_unsigned = true;
        g->is_sparse = false;
        g->center = least;
        g->k = k;
        g->bits = bits;
    }
}

// The two predictors that look best are weighed.
static const struct guess *choose(const struct row *r, struct guess guesses[2])
{
    int64_t left[CODEC_VALUES_MAX];
    size_t n = r->count - 1;
    struct {
        enum predictor predictor;
        int64_t center;
        uint64_t bits;
    } best[2] = {{.bits = UINT64_MAX}, {.bits = UINT64_MAX}};
    for (enum predictor p = P_NONE; p < P_COUNT; p++) {
        predict(r->numbers, r->count, p, left);
        int64_t center = mean_of(left, n);
        uint64_t bits = bits_about(left, n, center), plain = bits_about(left, n, 0);
        if (MIN(bits, plain) < best[1].bits) {
            best[1].predictor = p;
            best[1].center = bits < plain ? center : 0;
            best[1].bits = MIN(bits, plain);
        }
        if (best[1].bits < best[0].bits) {
            typeof(best[0]) swap = best[0];
            best[0] = best[1];
            best[1] = swap;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        guesses[i].predictor = best[i].predictor;
        guesses[i].center = best[i].center;
        predict(r->numbers, r->count, best[i].predictor, left);
        weigh(left, n, &guesses[i]);
    }
    return &guesses[guesses[1].bits < guesses[0].bits];
}

// --- writing --------------------------------------------------------------------------------------

static void write_gaps(const double *values, size_t count, struct buf *out)
{
    uint64_t runs[CODEC_VALUES_MAX + 1];
    size_t n = 0;
    bool there = true;
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i]) == there) {
            runs[n++] = length;
            length = 0;
            there = !there;
        }
        length++;
    }
    uint64_t bits;
    unsigned k = rice_parameter(runs, n, &bits);
    pack_varint(out, n);
    rice_write(out, runs, n, k);
}

static void write_row(const struct row *r, const struct guess *g, struct buf *out,
                      size_t kind_at)
{
    out->data[kind_at] =
        (char)(out->data[kind_at] | (g->is_sparse ? FORM_SPARSE : FORM_DENSE) |
               (int)g->predictor << 3 | (g->is_unsigned ? KIND_UNSIGNED : 0));
    pack_varint(out, r->gcd);
    pack_varint(out, pack_zigzag(g->center));
    if (g->is_sparse) {
        pack_varint(out, g->places.count);
        rice_write(out, g->places.at, g->places.count, g->k_at);
        rice_write(out, g->places.numbers, g->places.count, g->k);
    } else {
        rice_write(out, g->left, r->count - 1, g->k);
    }
}

// Either all of them, or, behind their count and one, those that are not 0.
static void write_nudges(const struct row *r, struct buf *out)
{
    uint64_t all[CODEC_VALUES_MAX], dense, at, numbers;
    struct places places;
    for (size_t i = 0; i < r->count; i++) {
        all[i] = pack_zigzag(r->nudges[i]);
    }
    unsigned k = rice_parameter(all, r->count, &dense);
    find_places(all, r->count, &places);
    unsigned k_at = rice_parameter(places.at, places.count, &at);
    unsigned k_numbers = rice_parameter(places.numbers, places.count, &numbers);
    if (at + numbers + PLACES_BITS < dense) {
        pack_varint(out, places.count + 1);
        rice_write(out, places.at, places.count, k_at);
        rice_write(out, places.numbers, places.count, k_numbers);
    } else {
        pack_varint(out, 0);
        rice_write(out, all, r->count, k);
    }
}

// The form and all behind the gaps, for the integers that `r` has now.
static void write_integers(const struct row *r, uint8_t kind, const struct buf *gaps,
                           struct buf *out)
{
    size_t kind_at = out->len;
    buf_char(out, (char)kind);
    buf_char(out, (char)r->divisor);
    buf_add(out, gaps->data, gaps->len);
    pack_varint(out, pack_zigzag(r->first));
    if (r->gcd > 0) { // else all are the first: constant
        struct guess guesses[2];
        const struct guess *g = choose(r, guesses);
        if (out->err == 0) {
            write_row(r, g, out, kind_at);
        }
    }
    if (r->nudged && out->err == 0) {
        out->data[kind_at] = (char)(out->data[kind_at] | KIND_NUDGED);
        write_nudges(r, out);
    }
}

enum way { WAY_NEAR, WAY_EXACT, WAY_BITS, WAYS };

static bool take(struct row *r, enum way way, unsigned precision)
{
    const struct nearness exact = {.limit = EXACT - 1};
    switch (way) {
    case WAY_NEAR: // what rounding takes off needs no nudge
        return precision == 53 && take_near(r);
    case WAY_EXACT:
        return take_decimals(r, &exact);
    case WAY_BITS:
        take_bits(r, precision);
        return true;
    case WAYS:
        break;
    }
    return false;
}

// A decimal of few digits is one, whatever the last bits say. One of more digits may be one by chance, and longer
// than the bits are.
static void write_best(struct row *r, uint8_t kind, unsigned precision,
                       const struct buf *gaps, struct buf *out)
{
    const struct nearness plain = {
        .error = precision < 53 ? ldexp(1, -(int)precision - 1) : 0,
        .limit = ldexp(1, (int)MIN(precision, 40U) - PLAIN_BITS)};
    const struct nearness exact = {.limit = EXACT - 1};
    if (divide(r, 0, &exact)) { // whole numbers are never rounded
        take_divisor_out(r);
        write_integers(r, kind, gaps, out);
        return;
    }
    if (take_decimals(r, &plain)) {
        write_integers(r, kind, gaps, out);
        return;
    }
    AUTO(buf_free) struct buf best = {0}, other = {0};
    for (enum way way = 0; way < WAYS; way++) {
        if (!take(r, way, precision)) {
            continue;
        }
        write_integers(r, kind, gaps, &other);
        if (best.len == 0 || other.len < best.len) {
            struct buf swap = best;
            best = other;
            other = swap;
        }
        out->err = out->err < 0 ? out->err : other.err;
        buf_clear(&other);
        if (best.len * 8 < r->count * CHEAP_BITS) {
            break;
        }
    }
    buf_add(out, best.data, best.len);
    out->err = out->err < 0 ? out->err : best.err;
}

void codec_encode(const double *values, size_t count, unsigned precision, struct buf *out)
{
    ASSERT(count > 0 && count <= CODEC_VALUES_MAX && precision > 8 && precision <= 53);
    struct row r;
    r.count = 0;
    r.nudged = false;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i])) {
            r.values[r.count++] = values[i] + 0.0; // -0 is 0
        }
    }
    ASSERT(r.count > 0);
    AUTO(buf_free) struct buf gaps = {0};
    if (r.count < count) {
        write_gaps(values, count, &gaps);
    }
    write_best(&r, r.count < count ? KIND_GAPS : 0, precision, &gaps, out);
    out->err = out->err < 0 ? out->err : gaps.err;
}

// --- reading --------------------------------------------------------------------------------------

// Which values are there, as runs: lengths of those that are and of those that are not, in turn.
struct gaps {
    size_t count;
    uint64_t runs[CODEC_VALUES_MAX + 1];
};

static size_t read_gaps(struct unpack *u, size_t count, struct gaps *ret)
{
    ret->count = unpack_varint(u);
    if (ret->count > count) {
        u->bad = true;
        return 0;
    }
    rice_read(u, ret->runs, ret->count);
    uint64_t there = 0, seen = 0;
    for (size_t i = 0; !u->bad && i < ret->count; i++) {
        if (ret->runs[i] > count - seen) {
            u->bad = true;
            return 0;
        }
        seen += ret->runs[i];
        there += i % 2 == 0 ? ret->runs[i] : 0;
    }
    return ret->count % 2 == 0 ? there + count - seen : there;
}

static void spread(double *values, size_t count, const struct gaps *gaps, size_t there)
{
    // From the back, in place: a value never moves before one that is not yet moved.
    size_t from = there, to = count, rest = count;
    for (size_t i = 0; i < gaps->count; i++) {
        rest -= gaps->runs[i];
    }
    for (size_t i = gaps->count + 1; i > 0; i--) {
        size_t length = i > gaps->count ? rest : gaps->runs[i - 1];
        for (size_t k = 0; k < length; k++) {
            values[--to] = i % 2 == 1 ? values[--from] : NAN;
        }
    }
}

static void read_places(struct unpack *u, int64_t *ret, size_t n, size_t count)
{
    uint64_t at[CODEC_VALUES_MAX], numbers[CODEC_VALUES_MAX];
    size_t place = 0;
    memset(ret, 0, n * sizeof *ret);
    if (count > n) {
        u->bad = true;
        return;
    }
    rice_read(u, at, count);
    rice_read(u, numbers, count);
    for (size_t i = 0; !u->bad && i < count; i++) {
        if (at[i] >= n - place) {
            u->bad = true;
            return;
        }
        place += at[i];
        ret[place++] = (int64_t)(numbers[i] + 1);
    }
}

static void read_numbers(struct unpack *u, uint8_t kind, int64_t *m, size_t n)
{
    m[0] = 0;
    int64_t center = pack_unzigzag(unpack_varint(u));
    if ((kind & 3) == FORM_SPARSE) {
        read_places(u, m + 1, n - 1, unpack_varint(u));
    } else if ((kind & 3) == FORM_DENSE) {
        rice_read(u, (uint64_t *)m + 1, n - 1);
    } else {
        u->bad = true;
    }
    if (u->bad) {
        return;
    }
    if (!(kind & KIND_UNSIGNED)) {
        for (size_t i = 1; i < n; i++) {
            m[i] = pack_unzigzag((uint64_t)m[i]);
        }
    }
    unpredict(m, n, (enum predictor)(kind >> 3 & 7), center);
}

static void to_values(const int64_t *m, size_t n, uint8_t divisor, double *ret)
{
    if (divisor == DIVISOR_BITS) {
        for (size_t i = 0; i < n; i++) {
            ret[i] = from_ordered(m[i]);
        }
    } else if (divisor == 0) {
        for (size_t i = 0; i < n; i++) {
            ret[i] = (double)m[i];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            ret[i] = (double)m[i] / divisors[divisor];
        }
    }
}

// `room` has as many places.
static void read_nudges(struct unpack *u, int64_t *room, double *values, size_t n)
{
    uint64_t count = unpack_varint(u);
    if (count > 0) {
        read_places(u, room, n, count - 1);
    } else {
        rice_read(u, (uint64_t *)room, n);
    }
    for (size_t i = 0; !u->bad && i < n; i++) {
        if (room[i] != 0) {
            values[i] =
                from_ordered(plus(ordered(values[i]), pack_unzigzag((uint64_t)room[i])));
        }
    }
}

static void read_row(struct unpack *u, uint8_t kind, size_t n, double *ret)
{
    int64_t m[CODEC_VALUES_MAX];
    uint8_t divisor = unpack_u8(u);
    struct gaps gaps; // not cleared: it is large, and most rows have none
    gaps.count = 0;
    size_t there = kind & KIND_GAPS ? read_gaps(u, n, &gaps) : n;
    int64_t first = pack_unzigzag(unpack_varint(u));
    u->bad = u->bad || there == 0 ||
             (divisor >= ARRAY_LEN(divisors) && divisor != DIVISOR_BITS);
    if (u->bad) {
        return;
    }
    uint64_t gcd = 1;
    if ((kind & 3) == FORM_CONSTANT) {
        memset(m, 0, there * sizeof *m);
    } else {
        gcd = unpack_varint(u);
        read_numbers(u, kind, m, there);
        for (size_t i = 0; gcd != 1 && !u->bad && i < there; i++) {
            m[i] = (int64_t)((uint64_t)m[i] * gcd);
        }
    }
    if (u->bad) {
        return;
    }
    for (size_t i = 0; i < there; i++) {
        m[i] = plus(m[i], first);
    }
    to_values(m, there, divisor, ret);
    if (kind & KIND_NUDGED) {
        read_nudges(u, m, ret, there);
    }
    if (there < n) {
        spread(ret, n, &gaps, there);
    }
}

int codec_decode(const void *bytes, size_t len, double *ret, size_t count)
{
    ASSERT(count > 0 && count <= CODEC_VALUES_MAX);
    struct unpack u = unpack_of(bytes, len);
    uint8_t kind = unpack_u8(&u);
    read_row(&u, kind, count, ret);
    FAIL_IF(u.bad || unpack_left(&u) > 0, ERR_CORRUPT, "a row of values is damaged");
    return 0;
}
