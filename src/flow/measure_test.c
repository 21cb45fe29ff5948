// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far a job is, when more is coming than it wants yet.
#include "flow/internal.h"
#include "flow/toy.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

struct stage {
    char dir[64];
    struct store *store;
    char job[UUID_BYTES];
};

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-measure-XXXXXX", sizeof "/tmp/marquee-measure-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(toy_open(s->dir, &s->store), 0);
    assert_int_equal(toy_submit(s->store, "list", json_object(), s->job), 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    store_close(&s->store);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    free(s);
    return 0;
}

static void step(struct stage *s, const char *type, int64_t cost, const char *step_state)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx,
                   "INSERT INTO flow_step (job, name, type, version, sum, priority, cost,"
                   " spec, state) VALUES (?1, ?2 || ?4, ?2, 1, x'', 0, ?3, '{}', ?4)",
                   "ssis", s->job, type, cost, step_state),
        0);
    assert_int_equal(store_commit(&tx), 0);
}

static void expect(struct stage *s, const char *type, int64_t cost)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx,
                                "INSERT OR REPLACE INTO flow_expected VALUES (?, ?, ?)",
                                "ssi", s->job, type, cost),
                     0);
    assert_int_equal(store_commit(&tx), 0);
}

static void took(struct stage *s, const char *type, int64_t cost, int64_t wall_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(rate_learn(tx, type, cost, wall_us), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static void assert_measured_beside(struct stage *s, const json_t *running, int64_t ppm,
                                   int64_t remaining_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t got = -1, left = -1;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(job_measure(tx, s->job, 1, running), 0);
    assert_int_equal(store_get_i64(tx, &got, "SELECT progress_ppm FROM flow_job", ""), 0);
    assert_int_equal(
        store_get_i64(tx, &left, "SELECT coalesce(remaining_us, -1) FROM flow_job", ""),
        0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(got, ppm);
    assert_int_equal(left, remaining_us);
}

static void assert_measured(struct stage *s, int64_t ppm, int64_t remaining_us)
{
    assert_measured_beside(s, NULL, ppm, remaining_us);
}

static void what_is_expected_counts(void **state)
{
    struct stage *s = *state;
    step(s, "look", 10, "done");
    expect(s, "make", 90);
    assert_measured(s, 100000, 90000); // never seen: a cost is a millisecond
}

static void what_nobody_can_say_is_not_told(void **state)
{
    struct stage *s = *state;
    step(s, "look", 10, "running");
    expect(s, "make", -1);
    assert_measured(s, 0, -1);
    expect(s, "make", 90);
    assert_measured(s, 0, 100000);
}

static void what_is_done_is_no_share_of_what_nobody_knows(void **state)
{
    struct stage *s = *state;
    step(s, "look", 10, "done");
    expect(s, "make", -1);
    assert_measured(s, 0, -1);
    expect(s, "make", 90);
    assert_measured(s, 100000, 90000);
}

static void what_is_wanted_replaces_what_was_expected(void **state)
{
    struct stage *s = *state;
    step(s, "look", 10, "done");
    expect(s, "make", 5);
    step(s, "make", 30, "waiting");
    assert_measured(s, 250000, 30000);
    expect(s, "make", 0);
    assert_measured(s, 250000, 30000);
}

static void types_weigh_by_what_they_were_seen_to_take(void **state)
{
    struct stage *s = *state;
    took(s, "look", 10, 10);
    took(s, "make", 10, 90);
    step(s, "look", 10, "done");
    step(s, "make", 10, "waiting");
    assert_measured(s, 100000, 90);
}

// A machine half as fast as the costs say: what was seen at length speaks for what was not.
static void a_machine_errs_alike_everywhere(void **state)
{
    struct stage *s = *state;
    took(s, "look", 1000000, 2000000000);
    step(s, "make", 100, "waiting");
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t left = 0;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(job_measure(tx, s->job, 1, NULL), 0);
    assert_int_equal(store_get_i64(tx, &left, "SELECT remaining_us FROM flow_job", ""),
                     0);
    assert_in_range(left, 199000, 200000);
}

static void what_runs_tells_its_pace(void **state)
{
    struct stage *s = *state;
    step(s, "make", 10000, "running");
    AUTO(json_free)
    json_t *running =
        json_pack("[{s:s, s:f, s:i}]", "type", "make", "cost", 500.0, "wall_us", 2000000);
    assert_measured_beside(s, running, 0, 40000000); // four times slower than expected
}

static void look(void *user, const struct flow_progress *p)
{
    struct buf *out = user;
    buf_printf(out, "%s %lld %lld\n", p->step ? p->step : p->subject,
               (long long)p->done_ppm, (long long)p->remaining_us);
}

static void rows_tell_who_does_not_execute(void **state)
{
    struct stage *s = *state;
    step(s, "make", 100, "waiting");
    step(s, "look", 100, "running");
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(buf_free) struct buf out = {0};
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx,
                                "UPDATE flow_step SET progress_ppm = 500000 WHERE state"
                                " = 'running'",
                                ""),
                     0);
    assert_int_equal(job_measure(tx, s->job, 1, NULL), 0);
    assert_int_equal(flow_progress_look(tx, look, &out), 0);
    assert_string_equal(out.data, "toy/1 250000 150000\nlookrunning 500000 -1\n");
}

static void only_an_end_is_everything(void **state)
{
    struct stage *s = *state;
    assert_measured(s, 0, 0);
    step(s, "look", 10, "done");
    assert_measured(s, 999000, 0);
    step(s, "make", 90, "waiting");
    assert_measured(s, 999000, 90000); // what was told is not taken back
}

int main(int argc, char **argv)
{
    int code = toy_main(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_expected_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wanted_replaces_what_was_expected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_done_is_no_share_of_what_nobody_knows,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_can_say_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_machine_errs_alike_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(what_runs_tells_its_pace, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_tell_who_does_not_execute, setup, teardown),
        cmocka_unit_test_setup_teardown(types_weigh_by_what_they_were_seen_to_take, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_an_end_is_everything, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
