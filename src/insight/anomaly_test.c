// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/insight.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { SEASON = 96, DAYS = 20, COUNT = SEASON * DAYS };

static uint64_t seed;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

// Days that are alike, with noise.
static void make(double *ret)
{
    for (size_t i = 0; i < COUNT; i++) {
        ret[i] = 10 * sin((double)(i % SEASON) * 6.2831853 / SEASON) + uniform();
    }
}

static void watch(const double *x, size_t count, struct insight_anomaly *ret)
{
    AUTO(insight_watch_free) struct insight_watch *w = NULL;
    assert_int_equal(insight_watch_new(&w, SEASON), 0);
    for (size_t i = 0; i < count; i++) {
        insight_watch_next(w, x[i], &ret[i]);
    }
}

static void usual_days_are_usual(void **state)
{
    (void)state;
    double x[COUNT];
    struct insight_anomaly a[COUNT];
    size_t told = 0;
    for (uint64_t number = 0; number < 50; number++) {
        seed = number;
        make(x);
        watch(x, COUNT, a);
        for (size_t i = 0; i < COUNT; i++) {
            told += a[i].score >= 1;
        }
    }
    assert_true(told <= 50); // one in a series of 20 days
}

// 10 o'clock at night in the morning: within the range of the day, not of its time.
static void a_value_at_the_wrong_time_is_told(void **state)
{
    (void)state;
    double x[COUNT];
    struct insight_anomaly a[COUNT];
    for (uint64_t number = 0; number < 20; number++) {
        seed = number;
        make(x);
        size_t at = 10 * SEASON + SEASON / 4;
        x[at] = -5;
        x[at + 1] = NAN;
        watch(x, COUNT, a);
        assert_true(a[at].score > 2 && a[at + 1].score == 0);
        assert_true(a[at].view == INSIGHT_VIEW_VALUE || a[at].view == INSIGHT_VIEW_JUMP);
        assert_true(a[at].seen < a[at].low && a[at].low <= a[at].high);
        // Once: what comes right after and is not worse is not told again.
        for (size_t i = at + 2; i < at + SEASON; i++) {
            assert_true(a[i].score < 1);
        }
    }
}

static void a_flat_day_is_told_by_its_spread_or_value(void **state)
{
    (void)state;
    double x[COUNT];
    struct insight_anomaly a[COUNT];
    seed = 4;
    make(x);
    for (size_t i = 12 * SEASON; i < 13 * SEASON; i++) {
        x[i] = 0;
    }
    watch(x, COUNT, a);
    double most = 0;
    for (size_t i = 12 * SEASON; i < 13 * SEASON; i++) {
        most = fmax(most, a[i].score);
    }
    assert_true(most > 1);
}

// What is said of a value depends on nothing behind it.
static void nothing_is_known_before_it_comes(void **state)
{
    (void)state;
    double x[COUNT];
    struct insight_anomaly whole[COUNT], part[COUNT];
    seed = 11;
    make(x);
    for (size_t i = 5 * SEASON; i < COUNT; i += 97) {
        x[i] += 20 * uniform();
    }
    watch(x, COUNT, whole);
    for (size_t count = SEASON; count < COUNT; count += 131) {
        watch(x, count, part);
        for (size_t i = 0; i < count; i++) {
            assert_true(part[i].score == whole[i].score);
        }
    }
}

// The envelope by its definition: all values within the reach of a time of day, of the last 14 seasons.
static void envelopes_are_those_of_the_definition(void **state)
{
    (void)state;
    double x[COUNT];
    struct insight_anomaly a[COUNT];
    const size_t reach = SEASON / 13 + 1;
    size_t told = 0;
    for (uint64_t number = 0; number < 30; number++) {
        seed = number;
        make(x);
        for (size_t i = 3 * SEASON; i < COUNT; i++) {
            x[i] += uniform() < 0.02 ? 30 * (uniform() - 0.5) : 0;
        }
        watch(x, COUNT, a);
        for (size_t i = 2 * SEASON + 1; i < COUNT; i++) {
            if (a[i].score == 0 || a[i].view != INSIGHT_VIEW_VALUE) {
                continue;
            }
            double low = INFINITY, high = -INFINITY;
            for (size_t back = SEASON; back <= i && back <= 14 * SEASON; back += SEASON) {
                size_t from = i - back > reach ? i - back - reach : 0;
                for (size_t k = from; k <= i - back + reach; k++) {
                    low = fmin(low, x[k]);
                    high = fmax(high, x[k]);
                }
            }
            assert_true(a[i].low == low && a[i].high == high);
            told++;
        }
    }
    assert_true(told > 20);
}

static void seasons(void **state)
{
    (void)state;
    struct insight_watch *w = NULL;
    assert_int_equal(insight_watch_new(&w, 3), ERR_INVALID);
    assert_int_equal(insight_watch_new(&w, 100001), ERR_INVALID);
    assert_null(w);
    const int64_t times[] = {0, 300000, 600000, 900000, 5000000};
    size_t season = 0;
    assert_int_equal(insight_season_of(times, 5, &season), 0);
    assert_int_equal(season, 288);
    assert_int_equal(insight_season_of(times, 1, &season), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_days_are_usual),
        cmocka_unit_test(a_value_at_the_wrong_time_is_told),
        cmocka_unit_test(a_flat_day_is_told_by_its_spread_or_value),
        cmocka_unit_test(nothing_is_known_before_it_comes),
        cmocka_unit_test(envelopes_are_those_of_the_definition),
        cmocka_unit_test(seasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
