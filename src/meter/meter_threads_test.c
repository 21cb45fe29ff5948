// SPDX-License-Identifier: Apache-2.0
//
// Sums are exact while threads come and go, clients come and go, and flushes run beside them. For
// ThreadSanitizer as well: `./check` builds this suite with it.
#include "meter/internal.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the ones above it.
#include <cmocka.h>

#define THREADS 8
#define ROUNDS  25
#define UPDATES 2000

// Adds up what the lines say, by the text between their colons.
struct totals {
    uint64_t plain, count, amount, buckets;
    double squares, max;
};

static void add_line(struct totals *t, struct str line)
{
    struct str rest = line, type, id;
    double v = 0;
    (void)str_next(&rest, ':', &type);
    (void)str_next(&rest, ':', &id);
    assert_int_equal(str_to_double(rest, 0, 1e30, &v), 0);
    if (str_eq_c(id, "plain")) {
        t->plain += (uint64_t)v;
    } else if (str_ends(id, "statistic=count")) {
        t->count += (uint64_t)v;
    } else if (str_ends(id, "statistic=totalAmount")) {
        t->amount += (uint64_t)v;
    } else if (str_ends(id, "statistic=totalOfSquares")) {
        t->squares += v;
    } else if (str_ends(id, "statistic=percentile")) {
        t->buckets += (uint64_t)v;
    } else if (str_ends(id, "statistic=max")) {
        t->max = MAX(t->max, v);
    } else {
        fail_msg("a line nobody asked for: " STR_FMT, STR_ARG(line));
    }
}

static void take_lines(void *user, struct str lines)
{
    struct str line;
    while (str_next(&lines, '\n', &line)) {
        if (line.len) {
            add_line(user, line);
        }
    }
}

struct work {
    struct meter *meter;
    struct meter_counter *counter;
    struct meter_summary *summary;
    uint64_t seed;
    struct totals made;
};

static void *update(void *user)
{
    struct work *w = user;
    for (int i = 0; i < UPDATES; i++) {
        w->seed = w->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t v = w->seed >> 40;
        meter_counter_add(w->counter, v);
        meter_summary_add(w->summary, (int64_t)v);
        w->made.plain += v;
        w->made.count++;
        w->made.amount += v;
        w->made.squares += (double)v * (double)v;
        w->made.max = MAX(w->made.max, (double)v);
    }
    return NULL;
}

static struct meter *new_meter(struct totals *got, int64_t flush_us)
{
    struct meter *m = NULL;
    const struct meter_config config = {
        .sink = take_lines, .user = got, .flush_us = flush_us};
    assert_int_equal(meter_new(&m, &config), 0);
    return m;
}

static void assert_same(const struct totals *got, const struct totals *made)
{
    assert_int_equal(got->plain, made->plain);
    assert_int_equal(got->count, made->count);
    assert_int_equal(got->amount, made->amount);
    assert_int_equal(got->buckets, made->count);
    assert_true(got->max == made->max);
    double off = got->squares / made->squares - 1;
    assert_true(off < 1e-9 && off > -1e-9);
}

// A flusher that never rests, this thread flushing too, and threads that end in the middle of it all.
static void sums_are_exact_while_threads_come_and_go(void **state)
{
    (void)state;
    struct totals got = {0}, made = {0};
    struct meter *m = new_meter(&got, 100);
    for (int round = 0; round < ROUNDS; round++) {
        struct work work[THREADS];
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            work[i] = (struct work){
                .meter = m,
                .counter = meter_counter_of(m, "plain", NULL),
                .summary = meter_percentile_summary_of(m, "distribution", NULL),
                .seed = (uint64_t)(round * THREADS + i)};
            assert_int_equal(pthread_create(&threads[i], NULL, update, &work[i]), 0);
        }
        meter_flush(m);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            made.plain += work[i].made.plain;
            made.count += work[i].made.count;
            made.amount += work[i].made.amount;
            made.squares += work[i].made.squares;
            made.max = MAX(made.max, work[i].made.max);
        }
    }
    meter_free(&m);
    assert_same(&got, &made);
}

static size_t cell_count_of(const struct meter *m)
{
    size_t n = 0;
    for (size_t i = 0; i < REGISTRY_BUCKETS; i++) {
        for (const struct item *item = m->registry[i]; item; item = item->next) {
            for (const struct cell *c = item->cells; c; c = c->next) {
                n++;
            }
        }
    }
    return n;
}

static void cells_of_ended_threads_are_freed(void **state)
{
    (void)state;
    struct totals got = {0};
    AUTO(meter_free) struct meter *m = new_meter(&got, -1);
    struct work work = {.meter = m,
                        .counter = meter_counter_of(m, "plain", NULL),
                        .summary = meter_percentile_summary_of(m, "d", NULL)};
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, update, &work), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(cell_count_of(m), 10);
    meter_flush(m);
    assert_int_equal(cell_count_of(m), 0);
    assert_null(m->threads);
    meter_counter_add(work.counter, 1); // of this thread, which lives on
    meter_flush(m);
    assert_int_equal(cell_count_of(m), 1);
    assert_int_equal(got.plain, work.made.plain + 1);
}

// Clients end while threads that used them live on and use others.
struct shift {
    pthread_barrier_t meet;
    struct meter_counter *counter;
    bool over;
};

static void *work_shifts(void *user)
{
    struct shift *s = user;
    for (;;) {
        pthread_barrier_wait(&s->meet);
        if (s->over) {
            return NULL;
        }
        for (int i = 0; i < UPDATES; i++) {
            meter_counter_add(s->counter, 1);
        }
        pthread_barrier_wait(&s->meet);
    }
}

static void clients_come_and_go_too(void **state)
{
    (void)state;
    struct shift shift = {.over = false};
    pthread_t threads[THREADS];
    pthread_barrier_init(&shift.meet, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work_shifts, &shift), 0);
    }
    struct totals other = {0};
    AUTO(meter_free) struct meter *stays = new_meter(&other, 100);
    for (int round = 0; round < ROUNDS; round++) {
        struct totals got = {0};
        struct meter *m = round % 2 ? stays : new_meter(&got, 100);
        shift.counter = meter_counter_of(m, "plain", NULL);
        pthread_barrier_wait(&shift.meet);
        pthread_barrier_wait(&shift.meet);
        if (m != stays) {
            meter_free(&m);
            assert_int_equal(got.plain, THREADS * UPDATES);
        }
    }
    shift.over = true;
    pthread_barrier_wait(&shift.meet);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&shift.meet);
    meter_free(&stays);
    assert_int_equal(other.plain, (uint64_t)(ROUNDS / 2) * THREADS * UPDATES);
}

static void *make_and_set(void *user)
{
    struct meter *m = user;
    for (int i = 0; i < 200; i++) {
        char name[] = "plain";
        meter_counter_add(meter_counter_of(m, name, NULL), 1);
        meter_count(m, name, NULL, 1);
    }
    return NULL;
}

static void meters_are_made_by_many_threads_at_once(void **state)
{
    (void)state;
    struct totals got = {0};
    struct meter *m = new_meter(&got, 100);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_set, m), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(m->item_count, 1);
    meter_free(&m);
    assert_int_equal(got.plain, 2 * 200 * THREADS);
}

static void *set_many(void *user)
{
    struct meter *m = user;
    struct meter_max *top =
        meter_max_of(m, "top", (const struct meter_tag[]){{"statistic", "max"}, {0}});
    for (int i = 0; i < UPDATES; i++) {
        meter_max_set(top, i);
    }
    return NULL;
}

static void the_largest_is_never_lost(void **state)
{
    (void)state;
    struct totals got = {0};
    struct meter *m = new_meter(&got, 100);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, set_many, m), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    meter_free(&m);
    assert_true(got.max == UPDATES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_exact_while_threads_come_and_go),
        cmocka_unit_test(cells_of_ended_threads_are_freed),
        cmocka_unit_test(clients_come_and_go_too),
        cmocka_unit_test(meters_are_made_by_many_threads_at_once),
        cmocka_unit_test(the_largest_is_never_lost),
    };
    return cmocka_run_group_tests_name("meter_threads", tests, NULL, NULL);
}
