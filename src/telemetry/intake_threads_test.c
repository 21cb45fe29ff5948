// SPDX-License-Identifier: GPL-3.0-or-later
//
// Several threads send while another flushes: nothing is lost or counted twice. Built with ThreadSanitizer too.
#include "telemetry/fake_store.h"
#include "telemetry/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SENDERS   3
#define DATAGRAMS 2000
#define STEP_MS   INT64_C(60000)

struct world {
    struct telemetry *store;
    struct telemetry_intake *intake;
    atomic_int running;
};

static void *send_lines(void *user)
{
    struct world *w = user;
    const struct str text =
        STR("c:hits,a1=1,b1=2:1\nc:hits,b1=2,a1=1:1\nt:wait:0.5\nnonsense");
    for (int i = 0; i < DATAGRAMS; i++) {
        telemetry_intake_lines(w->intake, text);
    }
    atomic_fetch_sub(&w->running, 1);
    return NULL;
}

static void *send_bodies(void *user)
{
    struct world *w = user;
    struct telemetry_taken taken;
    for (int i = 0; i < DATAGRAMS; i++) {
        char text[100];
        snprintf(text, sizeof text,
                 "exposed{n=\"x\",id=\"%d\"} 1\nexposed{id=\"same\"} 2\n", i % 50);
        ASSERT(telemetry_take_exposition(w->intake, str_of(text), NULL, STEP_MS,
                                         &taken) == 0);
    }
    atomic_fetch_sub(&w->running, 1);
    return NULL;
}

// What a name's values come to, over all that the store was given.
static double sum_of(const char *stored, const char *name)
{
    double sum = 0;
    struct str line, rest = str_of(stored);
    while (str_next(&rest, '\n', &line)) {
        const char *value = line.len ? memmem(line.data, line.len, " = ", 3) : NULL;
        sum += value && str_starts(line, name) ? strtod(value + 3, NULL) : 0;
    }
    return sum;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct world w = {.running = 2 * SENDERS};
    AUTO(arena_free) struct arena *arena = NULL;
    pthread_t threads[2 * SENDERS];
    assert_int_equal(arena_new(&arena), 0);
    assert_int_equal(fake_store_open(&w.store, STEP_MS), 0);
    const struct telemetry_intake_config config = {.store = w.store, .flush_ms = -1};
    assert_int_equal(telemetry_intake_new(&w.intake, &config), 0);
    for (int i = 0; i < 2 * SENDERS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, i % 2 ? send_lines : send_bodies, &w), 0);
    }
    int64_t now_ms = clock_wall_us() / 1000;
    while (atomic_load(&w.running) > 0) {
        now_ms += STEP_MS;
        assert_int_equal(telemetry_intake_flush(w.intake, now_ms), 0);
    }
    for (int i = 0; i < 2 * SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(telemetry_intake_flush(w.intake, now_ms + STEP_MS), 0);
    struct telemetry_intake_counts counts = telemetry_intake_counts(w.intake);
    assert_int_equal(counts.malformed, SENDERS * DATAGRAMS);
    const char *stored = fake_store_take(w.store, arena);
    double hits = sum_of(stored, "hits,") * 60,
           waited = sum_of(stored, "wait,atlas.dstype=rate,statistic=totalTime") * 60;
    assert_true(hits > SENDERS * DATAGRAMS * 2 - 0.01 &&
                hits < SENDERS * DATAGRAMS * 2 + 0.01);
    assert_true(waited > SENDERS * DATAGRAMS * 0.5 - 0.01 &&
                waited < SENDERS * DATAGRAMS * 0.5 + 0.01);
    assert_true(sum_of(stored, "exposed,id=same") > SENDERS * DATAGRAMS * 2 - 0.5);
    telemetry_intake_free(&w.intake);
    fake_store_close(&w.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_between_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
