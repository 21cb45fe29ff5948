// SPDX-License-Identifier: GPL-3.0-or-later
//
// Appenders, readers and the making of blocks at once: every value that is read is one that was appended.
// Meant for ThreadSanitizer too.
#include "telemetry/series.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define STEP      INT64_C(1000)
#define BASE      INT64_C(1700000640000)
#define APPENDERS 2
#define SERIES    20 // of each
#define STEPS     700

struct world {
    struct telemetry *store;
    _Atomic int64_t step[APPENDERS]; // that each is done with
    atomic_int wrong, appending;
    atomic_size_t seen;
};

struct appender {
    struct world *world;
    int number;
    pthread_t thread;
};

static int64_t slowest(struct world *w)
{
    return MIN(w->step[0], w->step[1]);
}

static int64_t now(void *user)
{
    return BASE + slowest(user) * STEP;
}

static double value_of(int64_t series, int64_t step)
{
    return (double)(series * 100000 + step);
}

static int append_step(struct appender *a, int64_t step)
{
    for (int s = 0; s < SERIES; s++) {
        char node[16];
        struct telemetry_sample sample = {.at_ms = BASE + step * STEP};
        // New ones come all the time.
        int64_t series = a->number * SERIES + s;
        snprintf(node, sizeof node, "%lld", (long long)series);
        struct telemetry_tag list[] = {{STR("name"), STR("test")},
                                       {STR("node"), str_of(node)}};
        if (s * 20 > step) {
            continue;
        }
        size_t refused = 0;
        sample.value = value_of(series, step);
        TRY(telemetry_series_of(a->world->store, &(struct telemetry_tags){list, 2},
                                TELEMETRY_GAUGE, &sample.series));
        TRY(telemetry_append(a->world->store, &sample, 1, &refused));
    }
    return 0;
}

static void *append(void *user)
{
    struct appender *a = user;
    for (int64_t step = 1; step <= STEPS; step++) {
        a->world->wrong += append_step(a, step) < 0;
        a->world->step[a->number] = step;
        if (step % 40 == 0) {
            a->world->wrong += telemetry_settle(a->world->store, BASE) < 0;
        }
    }
    a->world->appending--;
    return NULL;
}

static int look(void *user, const struct telemetry_view *v)
{
    struct world *w = user;
    int64_t series = 0;
    w->wrong += str_to_i64(v->tags.list[1].value, 0, APPENDERS * SERIES, &series) < 0;
    for (int64_t k = 1; k <= STEPS; k++) {
        double got = v->values[k - 1];
        w->seen += !isnan(got);
        w->wrong += !isnan(got) && got != value_of(series, k);
    }
    return 0;
}

static int read_all(struct world *w)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct telemetry_names names;
    struct str digits = STR("[0-9]+");
    const struct telemetry_match match = {.op = TELEMETRY_MATCH_RE,
                                          .key = STR("node"),
                                          .values = &digits,
                                          .value_count = 1};
    const struct telemetry_span span = {BASE + STEP, STEP, STEPS, TELEMETRY_CF_AVG};
    TRY(arena_new(&arena));
    TRY(telemetry_scan(w->store, &match, &span, look, w));
    const struct telemetry_page page = {.limit = 1000};
    return telemetry_values(w->store, &match, "node", &page, arena, &names);
}

static void *read_on(void *user)
{
    struct world *w = user;
    do {
        w->wrong += read_all(w) < 0;
    } while (w->appending > 0);
    return NULL;
}

static void readers_and_appenders_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct world w = {.appending = APPENDERS};
    struct appender appenders[APPENDERS];
    pthread_t readers[2];
    char dir[] = "/tmp/marquee-threads-XXXXXX";
    static const struct telemetry_tier tier = {STEP, 100000 * STEP};
    assert_non_null(mkdtemp(dir));
    const struct telemetry_config c = {
        .dir = dir, .tiers = &tier, .tier_count = 1, .now_ms = now, .user = &w};
    assert_int_equal(telemetry_open(&w.store, &c), 0);
    for (int i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){.world = &w, .number = i};
        assert_int_equal(
            pthread_create(&appenders[i].thread, NULL, append, &appenders[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &w), 0);
    }
    for (int i = 0; i < APPENDERS; i++) {
        assert_int_equal(pthread_join(appenders[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    assert_int_equal(w.wrong, 0);
    w.seen = 0;
    assert_int_equal(read_all(&w), 0);
    size_t want = 0;
    for (int64_t k = 1; k <= STEPS; k++) {
        want += APPENDERS * (size_t)MIN(k / 20 + 1, (int64_t)SERIES);
    }
    // The clock is the slower appender's; what the other one said more than two steps ahead of it was refused.
    assert_true(w.seen <= want && w.seen + telemetry_stats(w.store).refused == want);
    telemetry_close(&w.store);
    assert_int_equal(fs_remove_tree(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_appenders_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests_name("series_threads", tests, NULL, NULL);
}
