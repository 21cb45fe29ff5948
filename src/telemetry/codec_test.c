// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows of all shapes come back bit for bit; damaged ones never crash.
#include "telemetry/codec.h"

#include "telemetry/crc32c.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static uint64_t random_state = 88172645463325252;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double uniform(void)
{
    return (double)(draw() >> 11) / 9007199254740992.0;
}

static double near_normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        sum += uniform();
    }
    return sum;
}

static double any_double(void)
{
    uint64_t bits = draw();
    double v;
    memcpy(&v, &bits, sizeof v);
    return isfinite(v) ? v : 1;
}

enum shape {
    CONSTANT,
    COUNTER,
    CENTS,
    NOISE,
    WALK,
    SWITCH,
    SEASON,
    RATES,
    MULTIPLES,
    ANYTHING,
    EXTREMES,
    OUTLIERS,
    FLOATS,
    SUMS,
    THIRDS,
    SHAPES
};

static double value_of(enum shape shape, double before, size_t i)
{
    static const double extremes[] = {0,       -1,      1e308,    -1e308, 5e-324,
                                      -5e-324, DBL_MAX, -DBL_MAX, 0x1p53, -0x1p53};
    switch (shape) {
    case CONSTANT:
        return 3.25;
    case COUNTER:
        return before + 1000 + (double)(draw() % 60);
    case CENTS:
        return (double)(int64_t)(4000 + 300 * near_normal()) / 100;
    case NOISE:
        return 50 + 10 * near_normal();
    case WALK:
        return before + near_normal();
    case SWITCH:
        return draw() % 50 == 0 ? 1 - before : before;
    case SEASON:
        return (double)(int64_t)(1000 + 500 * sin((double)i / 60) + 20 * near_normal());
    case RATES:
        return (double)(draw() % 5000) / 60;
    case MULTIPLES:
        return 4096.0 * (double)(draw() % 1000);
    case ANYTHING:
        return any_double();
    case EXTREMES:
        return extremes[draw() % ARRAY_LEN(extremes)];
    case OUTLIERS:
        return draw() % 40 == 0 ? any_double() : (double)(draw() % 8);
    case FLOATS:
        return (double)(float)(20 + near_normal());
    case SUMS: // of five decimals: off by some last bits, as means of a monitor are
        return ((double)(draw() % 400) * 0.1 + (double)(draw() % 400) * 0.01 + 0.3 +
                0.02 + 0.07);
    case THIRDS: // few are no decimals at all
        return draw() % 40 == 0 ? (double)(draw() % 100) / 3
                                : (double)(draw() % 1000) / 10;
    case SHAPES:
        break;
    }
    return 0;
}

static void fill(double *row, size_t n, enum shape shape, unsigned gaps)
{
    double before = shape == SWITCH ? 0 : 100;
    bool gap = false;
    for (size_t i = 0; i < n; i++) {
        before = value_of(shape, before, i);
        gap = gaps == 1   ? draw() % 10 == 0
              : gaps == 2 ? (draw() % 30 == 0) != gap
                          : false;
        row[i] = gap ? NAN : before;
    }
    if (gaps) {
        row[draw() % n] = before; // one at least
    }
}

static void assert_same(const double *want, const double *got, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double w = want[i] + 0.0;
        if (isnan(w) ? !isnan(got[i]) : memcmp(&w, &got[i], sizeof w) != 0) {
            fail_msg("at %zu of %zu: %.17g, not %.17g", i, n, got[i], w);
        }
    }
}

static void rows_come_back_bit_for_bit(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 30, 64, 480, 1440, CODEC_VALUES_MAX};
    for (int round = 0; round < 30; round++) {
        for (unsigned c = 0; c < SHAPES * 3 * ARRAY_LEN(sizes); c++) {
            size_t n = sizes[c / (SHAPES * 3)];
            double row[CODEC_VALUES_MAX], again[CODEC_VALUES_MAX];
            fill(row, n, (enum shape)(c % SHAPES), c / SHAPES % 3);
            AUTO(buf_free) struct buf b = {0};
            codec_encode(row, n, 53, &b);
            assert_int_equal(b.err, 0);
            // Of just this size, so that a read past the end is seen.
            void *tight = malloc(b.len);
            memcpy(tight, b.data, b.len);
            assert_int_equal(codec_decode(tight, b.len, again, n), 0);
            free(tight);
            assert_same(row, again, n);
        }
    }
}

static void a_lower_precision_errs_by_no_more(void **state)
{
    (void)state;
    for (unsigned c = 0; c < SHAPES * 300; c++) {
        double row[480], again[480], third[480];
        size_t n = 1 + draw() % 480;
        unsigned precision = 12 + (unsigned)(draw() % 41);
        AUTO(buf_free) struct buf b = {0}, b2 = {0};
        fill(row, n, (enum shape)(c % SHAPES), c / SHAPES % 3);
        codec_encode(row, n, precision, &b);
        assert_int_equal(codec_decode(b.data, b.len, again, n), 0);
        for (size_t i = 0; i < n; i++) {
            // Below DBL_MIN there are fewer bits to begin with.
            double most = ldexp(fmax(fabs(row[i]), DBL_MIN), -(int)precision);
            if (isnan(row[i]) != isnan(again[i]) || fabs(again[i] - row[i]) > most) {
                fail_msg("%.17g became %.17g at %u bits", row[i], again[i], precision);
            }
        }
        // Written again it stays what it is.
        codec_encode(again, n, precision, &b2);
        assert_int_equal(codec_decode(b2.data, b2.len, third, n), 0);
        assert_same(again, third, n);
    }
}

static void rows_are_small(void **state)
{
    (void)state;
    // Bits a value that the shape cannot do without, and what is granted beyond: a lower bound is entropy.
    static const struct {
        enum shape shape;
        double bits;
    } cases[] = {{CONSTANT, 0.2}, {COUNTER, 6.3}, {CENTS, 10.6}, {NOISE, 53.2},
                 {SWITCH, 0.4},   {SEASON, 7.2},  {RATES, 13},   {MULTIPLES, 10.3},
                 {FLOATS, 23},    {SUMS, 15},     {THIRDS, 14}};
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        double row[480];
        size_t bytes = 0;
        for (int round = 0; round < 20; round++) {
            AUTO(buf_free) struct buf b = {0};
            fill(row, 480, cases[c].shape, 0);
            codec_encode(row, 480, 53, &b);
            bytes += b.len;
        }
        double bits = (double)bytes * 8 / 480 / 20;
        print_message("shape %d: %.2f bits a value\n", (int)cases[c].shape, bits);
        if (bits > cases[c].bits) {
            fail_msg("shape %d takes %.2f bits a value, over %.2f", (int)cases[c].shape,
                     bits, cases[c].bits);
        }
    }
}

static void damaged_rows_never_crash(void **state)
{
    (void)state;
    double row[480], again[480];
    for (unsigned c = 0; c < SHAPES * 3; c++) {
        AUTO(buf_free) struct buf b = {0};
        fill(row, 480, (enum shape)(c % SHAPES), c / SHAPES);
        codec_encode(row, 480, 53, &b);
        for (int round = 0; round < 400; round++) {
            size_t len = round % 4 == 0 ? draw() % b.len : b.len;
            char *bad = malloc(len + 1);
            memcpy(bad, b.data, len);
            for (uint64_t flips = draw() % 4; len > 0 && flips > 0; flips--) {
                size_t at = draw() % (draw() % 2 ? len : MIN(len, (size_t)16));
                bad[at] = (char)(bad[at] ^ (1 << draw() % 8));
            }
            (void)codec_decode(bad, len, again, 480);
            free(bad);
        }
    }
}

static void checksums_are_castagnolis(void **state)
{
    (void)state;
    uint8_t bytes[300] = {0};
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa); // RFC 3720 B.4
    for (size_t n = 0; n < sizeof bytes; n++) {
        bytes[n] = (uint8_t)draw();
        assert_int_equal(crc32c(7, bytes, n), crc32c_plain(7, bytes, n));
        assert_int_equal(crc32c(crc32c(0, bytes, n / 2), bytes + n / 2, n - n / 2),
                         crc32c_plain(0, bytes, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_bit_for_bit),
        cmocka_unit_test(a_lower_precision_errs_by_no_more),
        cmocka_unit_test(rows_are_small),
        cmocka_unit_test(damaged_rows_never_crash),
        cmocka_unit_test(checksums_are_castagnolis),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
