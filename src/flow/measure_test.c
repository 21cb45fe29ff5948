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

static void rate(struct stage *s, const char *type, double us_per_cost)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx, "INSERT INTO flow_rate VALUES (?, ?)", "sd", type, us_per_cost),
        0);
    assert_int_equal(store_commit(&tx), 0);
}

static void assert_measured(struct stage *s, int64_t ppm, int64_t remaining_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t got = -1, left = -1;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(job_measure(tx, s->job, 1), 0);
    assert_int_equal(store_get_i64(tx, &got, "SELECT progress_ppm FROM flow_job", ""), 0);
    assert_int_equal(
        store_get_i64(tx, &left, "SELECT coalesce(remaining_us, -1) FROM flow_job", ""),
        0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(got, ppm);
    assert_int_equal(left, remaining_us);
}

static void what_is_expected_counts(void **state)
{
    struct stage *s = *state;
    step(s, "look", 10, "done");
    expect(s, "make", 90);
    assert_measured(s, 100000, -1); // never seen: no time is told
}

static void what_is_wanted_replaces_what_was_expected(void **state)
{
    struct stage *s = *state;
    step(s, "look", 10, "done");
    expect(s, "make", 5);
    step(s, "make", 30, "waiting");
    assert_measured(s, 250000, -1);
    expect(s, "make", 0);
    assert_measured(s, 250000, -1);
}

static void types_weigh_by_what_they_were_seen_to_take(void **state)
{
    struct stage *s = *state;
    rate(s, "look", 1);
    rate(s, "make", 9);
    step(s, "look", 10, "done");
    step(s, "make", 10, "waiting");
    assert_measured(s, 100000, 90);
}

static void only_an_end_is_everything(void **state)
{
    struct stage *s = *state;
    assert_measured(s, 0, 0);
    step(s, "look", 10, "done");
    assert_measured(s, 999000, 0);
    step(s, "make", 90, "waiting");
    assert_measured(s, 999000, -1); // what was told is not taken back
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
        cmocka_unit_test_setup_teardown(types_weigh_by_what_they_were_seen_to_take, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_an_end_is_everything, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
