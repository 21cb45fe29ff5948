// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/insight.h"

#include "insight/segment.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { LONGEST = 400 };

static uint64_t seed;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static double normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        sum += uniform();
    }
    return sum;
}

// Steps, ramps and changes of noise at random; every third series in whole numbers, so that ties are met.
static size_t make(uint64_t number, double *ret)
{
    seed = number * 0x9e3779b97f4a7c15u + 1;
    size_t n = 1 + (size_t)(uniform() * LONGEST * 0.999);
    double level = 0, slope = 0, noise = 1;
    for (size_t i = 0; i < n; i++) {
        if (uniform() < 0.02) {
            level += 6 * normal();
            slope = uniform() < 0.3 ? normal() : 0;
            noise = 0.2 + 2 * uniform();
        }
        level += slope;
        ret[i] = level + noise * normal();
        ret[i] = number % 3 == 0 ? round(ret[i]) : ret[i];
    }
    return n;
}

static void pelt_is_the_dynamic_program(void **state)
{
    (void)state;
    static double x[LONGEST];
    size_t changes = 0;
    for (uint64_t number = 0; number < 600; number++) {
        size_t n = make(number, x);
        struct insight_segmenting how = {.cost = (enum insight_cost)(number % 4)};
        how.penalty = 0.5 + 40 * uniform();
        how.tilt = 20 * uniform();
        how.min_length = (size_t)(uniform() * 7);
        AUTO(insight_changes_free) struct insight_changes fast = {0}, truth = {0};
        assert_int_equal(insight_pelt(x, n, &how, &fast), 0);
        assert_int_equal(insight_optimal(x, n, &how, &truth), 0);
        assert_true(fabs(fast.cost - truth.cost) <= 1e-9 * (1 + fabs(truth.cost)));
        assert_int_equal(fast.count, truth.count);
        for (size_t i = 0; i < truth.count; i++) {
            assert_int_equal(fast.at[i], truth.at[i]);
        }
        changes += truth.count;
    }
    assert_true(changes > 2000); // there was something to find
}

// The least over every segmentation there is, each cost from its definition: what the programs are held against.
static double brute_cost(const double *x, size_t n)
{
    double mean = 0, cost = 0;
    for (size_t i = 0; i < n; i++) {
        mean += x[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        cost += (x[i] - mean) * (x[i] - mean);
    }
    return cost;
}

static void the_dynamic_program_is_the_least_of_all(void **state)
{
    (void)state;
    double x[12];
    for (uint64_t number = 0; number < 40; number++) {
        seed = number + 7;
        for (size_t i = 0; i < 12; i++) {
            x[i] = normal() + (i > 6 ? 3 : 0);
        }
        double least = INFINITY;
        for (unsigned cuts = 0; cuts < 1u << 11; cuts++) {
            double cost = 0;
            for (size_t start = 0, i = 0; i < 12; i++) {
                if (i == 11 || cuts >> i & 1) {
                    cost += brute_cost(x + start, i + 1 - start) + (i < 11 ? 2.5 : 0);
                    start = i + 1;
                }
            }
            least = fmin(least, cost);
        }
        struct insight_segmenting how = {.cost = INSIGHT_COST_MEAN, .penalty = 2.5};
        AUTO(insight_changes_free) struct insight_changes found = {0};
        assert_int_equal(insight_optimal(x, 12, &how, &found), 0);
        assert_true(fabs(found.cost - least) < 1e-9);
    }
}

static void kernels_agree_to_the_bit(void **state)
{
    (void)state;
    static double arrays[5][103], plain[103], best[103];
    const struct segment_kernels *a = segment_kernels_plain(),
                                 *b = segment_kernels_best();
    for (uint64_t round = 0; round < 200; round++) {
        seed = round;
        size_t n = (size_t)(uniform() * 103);
        for (size_t i = 0; i < n; i++) {
            arrays[0][i] = (double)i;
            for (int k = 1; k < 5; k++) {
                arrays[k][i] = 100 * normal();
            }
        }
        struct segment_starts starts = {arrays[0], arrays[1], arrays[2],
                                        arrays[3], arrays[4], n};
        struct segment_point end = {120, normal(), 900, 50 * normal(), 1e-6, 4};
        for (int cost = 0; cost < 4; cost++) {
            a->totals[cost](&starts, end, plain);
            b->totals[cost](&starts, end, best);
            assert_memory_equal(plain, best, n * sizeof *plain);
            assert_true(a->least(plain, n) == b->least(plain, n));
            assert_true(a->above(plain, n, 50) == b->above(plain, n, 50));
        }
    }
}

static void binary_finds_clear_steps(void **state)
{
    (void)state;
    double x[300];
    for (uint64_t number = 0; number < 20; number++) {
        seed = number;
        for (size_t i = 0; i < 300; i++) {
            x[i] = normal() + (i < 100 ? 0 : i < 220 ? 20 : -15);
        }
        struct insight_segmenting how = {.cost = INSIGHT_COST_MEAN, .penalty = 60};
        AUTO(insight_changes_free) struct insight_changes c = {0}, exact = {0};
        assert_int_equal(insight_binary(x, 300, &how, &c), 0);
        assert_int_equal(insight_pelt(x, 300, &how, &exact), 0);
        assert_int_equal(c.count, 2);
        assert_int_equal(c.at[0], 100);
        assert_int_equal(c.at[1], 220);
        assert_true(fabs(c.cost - exact.cost) < 1e-6);
    }
}

static const struct insight_online_config prior = {
    .hazard = 200, .mean_weight = 0.1, .shape = 1, .scale = 1};

static void online_tells_soon_and_backwards_exactly(void **state)
{
    (void)state;
    double x[240];
    for (uint64_t number = 0; number < 20; number++) {
        seed = number;
        for (size_t i = 0; i < 240; i++) {
            x[i] = normal() + (i < 90 ? 0 : 12);
        }
        AUTO(insight_online_free) struct insight_online *online = NULL;
        assert_int_equal(insight_online_new(&online, &prior), 0);
        size_t run = 0;
        for (size_t i = 0; i < 95; i++) {
            assert_int_equal(insight_online_next(online, x[i], &run), 0);
            assert_true(i != 89 || run > 45);
        }
        assert_in_range(run, 3, 6); // of the five values since
        AUTO(insight_changes_free) struct insight_changes c = {0};
        assert_int_equal(insight_online_changes(x, 240, &prior, &c), 0);
        assert_int_equal(c.count, 1);
        assert_in_range(c.at[0], 89, 91);
    }
}

// Whatever the unit, and with values missing.
static void a_step_is_found_in_any_unit(void **state)
{
    (void)state;
    double x[200], y[200];
    for (uint64_t number = 0; number < 30; number++) {
        seed = number;
        for (size_t i = 0; i < 200; i++) {
            x[i] = normal() + (i < 120 ? 0 : 8);
            y[i] = 1e9 + 1e-3 * x[i];
            x[i] = i % 17 == 3 ? NAN : x[i] * 1e200;
        }
        AUTO(insight_changes_free) struct insight_changes a = {0}, b = {0};
        assert_int_equal(insight_changes_find(x, 200, &a), 0);
        assert_int_equal(insight_changes_find(y, 200, &b), 0);
        assert_int_equal(a.count, 1);
        assert_int_equal(b.count, 1);
        assert_in_range(a.at[0], 119, 122);
        assert_int_equal(b.at[0], 120);
    }
}

static void noise_trends_and_little_hold_no_change(void **state)
{
    (void)state;
    double x[1000];
    size_t found = 0;
    for (uint64_t number = 0; number < 200; number++) {
        seed = number;
        size_t n = 50 + (size_t)(uniform() * 949);
        double slope = number % 2 ? 0.05 * normal() : 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = normal() + slope * (double)i;
        }
        AUTO(insight_changes_free) struct insight_changes c = {0};
        assert_int_equal(insight_changes_find(x, n, &c), 0);
        found += c.count;
    }
    assert_true(found <= 2);
    for (size_t n = 0; n < 12; n++) {
        double few[12] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5};
        AUTO(insight_changes_free) struct insight_changes c = {0};
        assert_int_equal(insight_changes_find(few, n, &c), 0);
        assert_int_equal(c.count, 0);
    }
}

static void long_series_are_found_in_place(void **state)
{
    (void)state;
    size_t n = 90001, changed = 60007;
    double *x = calloc(n, sizeof *x);
    assert_non_null(x);
    seed = 5;
    for (size_t i = 0; i < n; i++) {
        x[i] = normal() + (i < changed ? 0 : 8);
    }
    AUTO(insight_changes_free) struct insight_changes c = {0};
    assert_int_equal(insight_changes_find(x, n, &c), 0);
    free(x);
    assert_int_equal(c.count, 1);
    assert_in_range(c.at[0], changed - 1, changed + 1);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    double x[] = {1, 2, INFINITY, 4, 5, 6, 7};
    struct insight_segmenting how = {.penalty = 1};
    struct insight_changes c = {0};
    assert_int_equal(insight_pelt(x, 7, &how, &c), ERR_INVALID);
    assert_int_equal(insight_binary(x, 7, &how, &c), ERR_INVALID);
    assert_int_equal(insight_online_changes(x, 7, &prior, &c), ERR_INVALID);
    how.penalty = 0;
    assert_int_equal(insight_pelt(x, 2, &how, &c), ERR_INVALID);
    assert_null(c.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pelt_is_the_dynamic_program),
        cmocka_unit_test(the_dynamic_program_is_the_least_of_all),
        cmocka_unit_test(kernels_agree_to_the_bit),
        cmocka_unit_test(binary_finds_clear_steps),
        cmocka_unit_test(online_tells_soon_and_backwards_exactly),
        cmocka_unit_test(a_step_is_found_in_any_unit),
        cmocka_unit_test(noise_trends_and_little_hold_no_change),
        cmocka_unit_test(long_series_are_found_in_place),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
