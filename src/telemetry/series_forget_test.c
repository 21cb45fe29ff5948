// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series whose values have left every tier, or that never had one, are forgotten; those with a value anywhere are
// not; a number that somebody still holds goes on.
#include "telemetry/series.h"

#include <math.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define STEP   INT64_C(10000)
#define BASE   INT64_C(1700000000000)
#define MINUTE INT64_C(60000)
#define LIMIT  200

struct world {
    _Atomic int64_t now_ms;
    char dir[64];
    struct telemetry *store;
};

static int64_t world_now(void *user)
{
    return ((struct world *)user)->now_ms;
}

static void open_store(struct world *w)
{
    const struct telemetry_tier tiers[] = {{STEP, 480 * STEP}, {6 * STEP, 3000 * STEP}};
    const struct telemetry_config c = {.dir = w->dir,
                                       .tiers = tiers,
                                       .tier_count = 2,
                                       .max_series_per_name = LIMIT,
                                       .user = w,
                                       .now_ms = world_now};
    assert_int_equal(telemetry_open(&w->store, &c), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->now_ms = BASE;
    snprintf(w->dir, sizeof w->dir, "/tmp/marquee-forget-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_store(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    telemetry_close(&w->store);
    assert_int_equal(fs_remove_tree(w->dir), 0);
    free(w);
    return 0;
}

static int make(struct world *w, int number, uint32_t *ret)
{
    char id[32];
    snprintf(id, sizeof id, "i-%d", number);
    struct telemetry_tag list[] = {{STR("name"), STR("load")}, {STR("node"), str_of(id)}};
    return telemetry_series_of(w->store, &(struct telemetry_tags){list, 2},
                               TELEMETRY_GAUGE, ret);
}

static size_t append(struct world *w, uint32_t series, double value)
{
    size_t refused;
    const struct telemetry_sample s = {
        .series = series, .at_ms = w->now_ms, .value = value};
    assert_int_equal(telemetry_append(w->store, &s, 1, &refused), 0);
    return refused;
}

static void fill(struct world *w, int from, int until, uint32_t *series)
{
    for (int i = from; i < until; i++) {
        assert_int_equal(make(w, i, &series[i]), 0);
        assert_int_equal(append(w, series[i], i), 0);
    }
}

// The store is tended at each of so many looks, a quarter of an hour apart.
// A window of the coarser tier is eight hours long, and kept for eight more.
static void pass(struct world *w, int64_t time_ms, int looks)
{
    w->now_ms += time_ms;
    for (int i = 0; i < looks; i++) {
        w->now_ms += 16 * MINUTE;
        assert_int_equal(telemetry_settle(w->store, w->now_ms), 0);
    }
}

static int count_views(void *user, const struct telemetry_view *v)
{
    (void)v;
    ++*(size_t *)user;
    return 0;
}

static size_t seen(struct world *w, int64_t since_ms)
{
    size_t n = 0;
    int64_t first = since_ms / (6 * STEP) * (6 * STEP);
    const struct telemetry_span span = {
        .start_ms = first,
        .step_ms = 6 * STEP,
        .count = (size_t)((w->now_ms - first) / (6 * STEP)) + 2};
    assert_int_equal(telemetry_scan(w->store, NULL, &span, count_views, &n), 0);
    return n;
}

static size_t nodes(struct world *w)
{
    AUTO(arena_free) struct arena *a = NULL;
    struct telemetry_names names;
    assert_int_equal(arena_new(&a), 0);
    assert_int_equal(telemetry_values(w->store, NULL, "node",
                                      &(struct telemetry_page){.limit = 1000}, a, &names),
                     0);
    return names.count;
}

static uint64_t there(struct world *w)
{
    return telemetry_stats(w->store).series;
}

static void what_left_every_tier_is_forgotten(void **state)
{
    struct world *w = *state;
    uint32_t series[LIMIT + 1];
    fill(w, 0, LIMIT, series);
    assert_int_equal(make(w, LIMIT, &series[LIMIT]), ERR_LIMIT);
    // In memory, in the fine tier, in the coarse one: it is there.
    pass(w, 0, 1);
    assert_int_equal(there(w), LIMIT);
    pass(w, 600 * STEP, 3);
    assert_int_equal(there(w), LIMIT);
    assert_int_equal(seen(w, BASE), LIMIT);
    assert_int_equal(make(w, LIMIT, &series[LIMIT]), ERR_LIMIT);
    // One of them goes on.
    pass(w, 7000 * STEP, 0);
    assert_int_equal(append(w, series[7], 7), 0);
    pass(w, 1000 * STEP, 4);
    assert_int_equal(telemetry_forgotten(w->store), LIMIT - 1);
    assert_int_equal(there(w), 1);
    assert_int_equal(nodes(w), 1);
    uint32_t again;
    assert_int_equal(make(w, 7, &again), 0);
    assert_int_equal(again, series[7]);
    // The limit counts what is there; a number that is still held makes its series anew.
    assert_int_equal(make(w, LIMIT, &series[LIMIT]), 0);
    assert_int_equal(append(w, series[3], 3), 0);
    assert_int_equal(append(w, series[3], 3.5), 0);
    assert_int_equal(there(w), 3);
    assert_int_equal(make(w, 3, &again), 0);
    assert_true(again > series[LIMIT]);
    assert_int_equal(seen(w, w->now_ms - 10 * STEP), 1);
    // A restart, which reads the log, makes no difference but to the one that never had a value.
    telemetry_close(&w->store);
    open_store(w);
    assert_int_equal(seen(w, w->now_ms - 10 * STEP), 1);
    assert_int_equal(there(w), 2);
    assert_int_equal(nodes(w), 2);
    uint32_t third;
    assert_int_equal(make(w, 3, &third), 0);
    assert_int_equal(third, again);
}

static void a_held_number_is_refused_beyond_the_limit(void **state)
{
    struct world *w = *state;
    uint32_t series[2 * LIMIT];
    fill(w, 0, LIMIT, series);
    pass(w, 8000 * STEP, 5);
    assert_int_equal(there(w), 0);
    fill(w, LIMIT, 2 * LIMIT, series);
    assert_int_equal(append(w, series[0], 1), 1);
    assert_int_equal(there(w), LIMIT);
    assert_int_equal(seen(w, w->now_ms - 10 * STEP), LIMIT);
}

static void what_never_had_a_value_is_forgotten(void **state)
{
    struct world *w = *state;
    uint32_t one, two;
    assert_int_equal(make(w, 1, &one), 0);
    assert_int_equal(make(w, 2, &two), 0);
    assert_int_equal(append(w, two, 2), 0);
    assert_int_equal(telemetry_settle(w->store, w->now_ms), 0);
    assert_int_equal(there(w), 2); // whoever made it may be about to use it
    pass(w, 0, 2);
    assert_int_equal(there(w), 1);
    assert_int_equal(append(w, one, 1), 0);
    assert_int_equal(there(w), 2);
}

static void numbers_are_not_given_again(void **state)
{
    struct world *w = *state;
    uint32_t series[LIMIT], last = 0;
    for (int round = 0; round < 3; round++) {
        fill(w, 0, LIMIT, series);
        assert_true(round == 0 || series[0] > last);
        last = series[LIMIT - 1];
        pass(w, 8000 * STEP, 5);
        assert_int_equal(there(w), 0);
        for (int i = 0; i < 2; i++) { // the list on disk is written anew, and read
            telemetry_close(&w->store);
            open_store(w);
        }
    }
    assert_int_equal(seen(w, BASE), 0);
}

#define test_of(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(what_left_every_tier_is_forgotten),
        test_of(a_held_number_is_refused_beyond_the_limit),
        test_of(what_never_had_a_value_is_forgotten),
        test_of(numbers_are_not_given_again),
    };
    return cmocka_run_group_tests_name("series forget", tests, NULL, NULL);
}
