// SPDX-License-Identifier: GPL-3.0-or-later
#include "insight/insight.h"

#include "insight/correlate.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

enum { LENGTH = 480, COUNT = 200, CHANGED = 300 };

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

static void kernels_agree_to_the_bit(void **state)
{
    (void)state;
    double a[200], b[200];
    for (uint64_t round = 0; round < 200; round++) {
        seed = round;
        size_t n = (size_t)(uniform() * 200);
        for (size_t i = 0; i < 200; i++) {
            a[i] = normal();
            b[i] = normal();
        }
        assert_true(correlate_dot_plain()(a, b, n) == correlate_dot_best()(a, b, n));
    }
}

// Pearson's r by its definition.
static double plain_r(const double *a, const double *b, size_t n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ma += a[i] / (double)n;
        mb += b[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        ab += (a[i] - ma) * (b[i] - mb);
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

static void lags_are_those_of_the_definition(void **state)
{
    (void)state;
    double x[100], y[100], sums[4][101];
    for (uint64_t round = 0; round < 50; round++) {
        seed = round + 3;
        for (size_t i = 0; i < 100; i++) {
            x[i] = normal();
            y[i] = 0.5 * x[i > 4 ? i - 4 : 0] + normal();
        }
        struct correlate_side a = {x, sums[0], sums[1], 100},
                              b = {y, sums[2], sums[3], 100};
        correlate_side_fill(&a);
        correlate_side_fill(&b);
        for (int lag = -20; lag <= 20; lag++) {
            size_t shift = (size_t)abs(lag);
            double r = plain_r(x + (lag > 0 ? shift : 0), y + (lag < 0 ? shift : 0),
                               100 - shift);
            assert_true(fabs(correlate_at(correlate_dot_best(), &a, &b, lag) - r) < 1e-9);
        }
    }
}

// A fleet on a common day: each series has the daily cycle, larger than any change, and noise of its own.
struct fleet {
    double *values;
    const double *series[COUNT];
    double target[LENGTH];
};

static void fleet_make(struct fleet *f, uint64_t number)
{
    seed = number * 7919 + 1;
    f->values = calloc(COUNT * LENGTH, sizeof *f->values);
    assert_non_null(f->values);
    double phase = uniform() * 6;
    for (size_t k = 0; k <= COUNT; k++) {
        double *x = k < COUNT ? f->values + k * LENGTH : f->target;
        double size = 5 + 10 * uniform(), unit = exp(4 * normal());
        for (size_t i = 0; i < LENGTH; i++) {
            x[i] = unit *
                   (size * sin(phase + (double)i * 6.2831853 / 1440) + normal() + 100);
        }
        if (k < COUNT) {
            f->series[k] = x;
        }
    }
}

static void step(double *x, size_t at, double spreads)
{
    double unit = 0;
    for (size_t i = 1; i < LENGTH; i++) {
        unit += fabs(x[i] - x[i - 1]) / (1.128 * LENGTH);
    }
    for (size_t i = at; i < LENGTH; i++) {
        x[i] += spreads * unit;
    }
}

static void the_cause_ranks_in_the_first_three(void **state)
{
    (void)state;
    int lags = 0;
    for (uint64_t number = 0; number < 60; number++) {
        struct fleet f;
        fleet_make(&f, number);
        step(f.target, CHANGED, 6);
        step(f.values + 17 * LENGTH, CHANGED - 3, number % 2 ? 5 : -5); // the cause
        step(f.values + 40 * LENGTH, 150, 8); // something else, earlier
        step(f.values + 41 * LENGTH, 420, 8); // and later
        struct insight_relate_config config = {.changed = SIZE_MAX};
        AUTO(insight_relations_free) struct insight_relations r = {0};
        assert_int_equal(insight_relate(f.target, LENGTH, f.series, COUNT, &config, &r),
                         0);
        assert_in_range(r.changed, CHANGED - 2, CHANGED + 2);
        assert_true(r.count > 0);
        assert_int_equal(r.list[0].candidate, 17);
        assert_in_range(r.list[0].changed, CHANGED - 5, CHANGED - 1);
        lags += r.list[0].lag;
        assert_true(fabs(r.list[0].pearson) > 0.6 && fabs(r.list[0].spearman) > 0.5);
        assert_true((r.list[0].pearson > 0) == (number % 2 == 1));
        assert_true((r.list[0].after > r.list[0].before) == (number % 2 == 1));
        // The daily cycle, which all share, relates nothing.
        assert_true(r.count < 2 || r.list[1].score < 0.6 * r.list[0].score);
        free(f.values);
    }
    assert_in_range(lags, 60 * 2, 60 * 4); // three, on average
}

static void births_and_deaths(void **state)
{
    (void)state;
    for (uint64_t number = 0; number < 20; number++) {
        struct fleet f;
        fleet_make(&f, number);
        step(f.target, CHANGED, 8);
        for (size_t i = 0; i < LENGTH; i++) {
            f.values[5 * LENGTH + i] = i < CHANGED + 1 ? NAN : 3;  // born
            f.values[6 * LENGTH + i] = i >= CHANGED - 2 ? NAN : 4; // died
            f.values[7 * LENGTH + i] = i < 100 ? NAN : normal();   // long ago
            f.values[8 * LENGTH + i] = NAN;                        // never there
            f.values[9 * LENGTH + i] = i % 2 ? NAN : normal();     // sparse
            f.values[10 * LENGTH + i] = 7;                         // constant
        }
        struct insight_relate_config config = {.changed = CHANGED, .keep = 3};
        AUTO(insight_relations_free) struct insight_relations r = {0};
        assert_int_equal(insight_relate(f.target, LENGTH, f.series, COUNT, &config, &r),
                         0);
        assert_true(r.count >= 2 && r.count <= 3);
        assert_int_equal(r.list[0].candidate, 5);
        assert_int_equal(r.list[0].relation, INSIGHT_BORN);
        assert_true(r.list[0].changed == CHANGED + 1 && r.list[0].after == 3 &&
                    isnan(r.list[0].before));
        assert_int_equal(r.list[1].candidate, 6);
        assert_int_equal(r.list[1].relation, INSIGHT_DIED);
        assert_true(r.list[1].before == 4 && isnan(r.list[1].after));
        free(f.values);
    }
}

static void what_cannot_be_related(void **state)
{
    (void)state;
    double flat[50] = {0}, ramp[50];
    const double *one[] = {flat};
    for (size_t i = 0; i < 50; i++) {
        ramp[i] = (double)i;
    }
    struct insight_relate_config config = {.changed = SIZE_MAX};
    struct insight_relations r = {0};
    assert_int_equal(insight_relate(flat, 50, one, 1, &config, &r), ERR_NOT_FOUND);
    assert_int_equal(insight_relate(ramp, 50, one, 1, &config, &r), ERR_NOT_FOUND);
    assert_int_equal(insight_relate(ramp, 5, one, 1, &config, &r), ERR_INVALID);
    config.changed = 50;
    assert_int_equal(insight_relate(ramp, 50, one, 1, &config, &r), ERR_INVALID);
    assert_null(r.list);
}

// front -> middle -> {back, store}, side -> store: the fault is in `middle`, and `store` takes more of each caller's.
static void what_callees_took_is_not_ones_own(void **state)
{
    (void)state;
    double calls[5][8], cost[5][8];
    static const double per_call[5] = {10, 6, 2, 1, 4};
    for (size_t p = 0; p < 5; p++) {
        for (size_t i = 0; i < 8; i++) {
            calls[p][i] = p == 3 ? 200 : 100;
            cost[p][i] = per_call[p];
        }
    }
    for (size_t i = 5; i < 8; i++) {
        cost[0][i] += 7; // front waits for middle
        cost[1][i] += 7; // 5 of its own, 2 for store: a call of it each
        cost[3][i] += 2;
        cost[4][i] += 2;
    }
    const struct insight_part parts[] = {{"front", calls[0], cost[0]},
                                         {"middle", calls[1], cost[1]},
                                         {"back", calls[2], cost[2]},
                                         {"store", calls[3], cost[3]},
                                         {"side", calls[4], cost[4]}};
    const struct insight_call edges[] = {{0, 1}, {1, 2}, {1, 3}, {0, 4}, {4, 3}};
    struct insight_calls system = {parts, 5, 8, edges, 5};
    struct insight_window window = {0, 5, 8};
    AUTO(insight_blames_free) struct insight_blames b = {0};
    assert_int_equal(insight_blame(&system, 0, &window, &b), 0);
    assert_int_equal(b.count, 5);
    assert_int_equal(b.list[0].part, 1);
    assert_true(fabs(b.list[0].own - 1500) < 1e-9 && fabs(b.list[0].whole - 2100) < 1e-9);
    assert_int_equal(b.list[1].part, 3);
    assert_true(fabs(b.list[1].own - 1200) < 1e-9);
    window.changed = 0;
    assert_int_equal(insight_blame(&system, 0, &window, &b), ERR_INVALID);
}

// The newest steps are not over for everybody: who is a little late has not ended, who is silent for longer has.
static void late_values_are_no_end(void **state)
{
    (void)state;
    enum { STEPS = 124, AT = 112 };
    double target[STEPS], late[STEPS], dead[STEPS];
    for (size_t i = 0; i < STEPS; i++) {
        double noise = sin((double)(i * i)), step = i >= AT ? 20 : 0;
        target[i] = i + 1 < STEPS ? 50 + noise + step : NAN;
        late[i] = i + 3 < STEPS ? 40 - noise + step : NAN;
        dead[i] = i < AT ? 30 + noise : NAN;
    }
    const double *candidates[] = {late, dead};
    const struct insight_relate_config config = {.changed = AT};
    AUTO(insight_relations_free) struct insight_relations found = {0};
    assert_int_equal(insight_relate(target, STEPS, candidates, 2, &config, &found), 0);
    assert_int_equal(found.end, STEPS - 1);
    assert_int_equal(found.count, 2);
    for (size_t i = 0; i < found.count; i++) {
        assert_int_equal(found.list[i].relation,
                         found.list[i].candidate == 0 ? INSIGHT_MOVED : INSIGHT_DIED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_values_are_no_end),
        cmocka_unit_test(kernels_agree_to_the_bit),
        cmocka_unit_test(lags_are_those_of_the_definition),
        cmocka_unit_test(the_cause_ranks_in_the_first_three),
        cmocka_unit_test(births_and_deaths),
        cmocka_unit_test(what_cannot_be_related),
        cmocka_unit_test(what_callees_took_is_not_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
