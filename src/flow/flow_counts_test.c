// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an executor counts, as a receiver of its meter's lines adds it up.
#include "flow/toy.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the ones above it.
#include <cmocka.h>

struct stage {
    char dir[64];
    struct store *store;
    struct bus_follower *follower;
    struct flow_executor *executor;
    struct meter *meter;
    struct buf lines;
    sem_t ended;
};

static void hear(void *user, int64_t seq, const json_t *event)
{
    struct stage *s = user;
    const char *type = json_str_or(event, "type", "");
    (void)seq;
    if (strcmp(type, "job.done.v1") == 0 || strcmp(type, "job.failed.v1") == 0) {
        sem_post(&s->ended);
    }
}

static void keep(void *user, struct str lines)
{
    struct stage *s = user;
    buf_str(&s->lines, lines);
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-flow-XXXXXX", sizeof "/tmp/marquee-flow-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    setenv("TOY_DIR", s->dir, 1);
    AUTO(cstr_free) char *data = NULL;
    assert_int_equal(cstr_printf(&data, "%s/data", s->dir), 0);
    assert_int_equal(toy_open(data, &s->store), 0);
    sem_init(&s->ended, 0, 0);
    const struct meter_config meter = {.sink = keep, .user = s, .flush_us = -1};
    assert_int_equal(meter_new(&s->meter, &meter), 0);
    const struct bus_follower_config follower = {
        .store = s->store, .after = -1, .on_event = hear, .user = s};
    assert_int_equal(bus_follower_start(&s->follower, &follower), 0);
    struct flow_executor_config config = toy_config(s->store);
    config.slots = 2;
    config.meter = s->meter;
    assert_int_equal(flow_executor_start(&s->executor, &config), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    flow_executor_stop(&s->executor);
    bus_follower_stop(&s->follower);
    meter_free(&s->meter);
    store_close(&s->store);
    sem_destroy(&s->ended);
    buf_free(&s->lines);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

// Runs a job to its end; the executor is stopped, so that all that it counts is counted.
static void run(struct stage *s, const char *workflow, json_t *params, int times)
{
    for (int i = 0; i < times; i++) {
        char job[UUID_BYTES];
        assert_int_equal(toy_submit(s->store, workflow, json_deep_copy(params), job), 0);
        flow_executor_wake(s->executor);
        assert_int_equal(sem_wait(&s->ended), 0);
    }
    json_decref(params);
    flow_executor_stop(&s->executor);
    meter_flush(s->meter);
}

// The sum of all lines that begin so; -1 when there is none.
static double sum_of(const struct stage *s, const char *head)
{
    struct str rest = buf_view(&s->lines), line;
    double sum = -1;
    while (str_next(&rest, '\n', &line)) {
        double v = 0;
        if (str_starts(line, head)) {
            const struct str number = {line.data + strlen(head), line.len - strlen(head)};
            assert_int_equal(str_to_double(number, 0, 1e15, &v), 0);
            sum = MAX(sum, 0.0) + v;
        }
    }
    return sum;
}

static void steps_are_counted_by_type_and_end(void **state)
{
    struct stage *s = *state;
    run(s, "squares", json_pack("{s:i}", "count", 5), 2);
    assert_true(sum_of(s, "c:marquee.flow.steps.started,type=square:") == 5);
    assert_true(sum_of(s, "c:marquee.flow.steps.ended,result=done,type=square:") == 5);
    assert_true(sum_of(s, "c:marquee.flow.steps.ended,result=done,type=join:") == 1);
    assert_true(sum_of(s, "c:marquee.flow.step.time,type=square,statistic=count:") == 5);
    assert_true(sum_of(s, "c:marquee.flow.step.time,type=square,statistic=totalTime:") >
                0);
    assert_true(sum_of(s, "c:marquee.flow.step.cpu,type=square,statistic=totalTime:") >
                0);
    assert_true(sum_of(s, "m:marquee.flow.step.rss,type=square:") > 500e3);
    assert_true(sum_of(s, "g,30:marquee.flow.slots:") >= 2);
    assert_true(sum_of(s, "g,30:marquee.flow.steps.waiting:") >= 0);
    assert_true(sum_of(s, "g,30:marquee.flow.jobs.running:") >= 0);
}

static void what_a_step_counts_comes_with_its_result_and_once(void **state)
{
    struct stage *s = *state;
    run(s, "squares", json_pack("{s:i}", "count", 4), 2); // the second time reused
    assert_true(sum_of(s, "c:toy.squared:") == 4);
}

static void failures_are_counted_by_their_code(void **state)
{
    struct stage *s = *state;
    run(s, "one", json_pack("{s:s, s:{s:s}}", "type", "fail", "params", "how", "signal"),
        1);
    assert_true(sum_of(s, "c:marquee.flow.steps.started,type=fail:") == 3);
    assert_true(sum_of(s, "c:marquee.flow.steps.ended,result=CRASHED,type=fail:") == 3);
    assert_true(sum_of(s, "c:marquee.flow.steps.ended,result=done,type=fail:") == -1);
    assert_true(sum_of(s, "c:toy.failed:") == -1); // nothing was taken of it
}

int main(int argc, char **argv)
{
    int code = toy_main(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_are_counted_by_type_and_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_step_counts_comes_with_its_result_and_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_counted_by_their_code, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("flow_counts", tests, NULL, NULL);
}
