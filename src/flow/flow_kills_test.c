// SPDX-License-Identifier: GPL-3.0-or-later
//
// kill -9 of executors at random moments: what comes out is what an undisturbed run gives, and
// nothing that was done is done again. FLOW_KILLS in the environment says how many kills.
#include "flow/toy.h"

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define KILL_STEPS 16

static pid_t executor_process(const char *data)
{
    AUTO(cstr_free) char *self = NULL;
    pid_t pid = 0;
    assert_int_equal(proc_self_path(&self), 0);
    const char *argv[] = {self, "execute", data, NULL};
    assert_int_equal(
        proc_spawn(
            &(struct proc_config){.argv = argv, .in_fd = -1, .out_fd = -1, .err_fd = -1},
            &pid),
        0);
    return pid;
}

static int64_t done_steps(struct store *store)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = 0;
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    assert_int_equal(
        store_get_i64(tx, &n, "SELECT count(*) FROM flow_step WHERE state = 'done'", ""),
        0);
    return n;
}

// Waits until `count` more steps are done, or all.
static int64_t await_steps(struct store *store, int64_t count)
{
    int64_t enough = MIN(done_steps(store) + count, INT64_C(KILL_STEPS + 1)), now;
    int64_t until_us = clock_mono_us() + 60000000;
    while ((now = done_steps(store)) < enough) {
        assert_true(clock_mono_us() < until_us);
        struct timespec moment = {.tv_nsec = 1000000};
        nanosleep(&moment, NULL);
    }
    return now;
}

static void assert_scratch_is_empty(const char *data)
{
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/scratch", data), 0);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        assert_true(e->d_name[0] == '.');
    }
    closedir(dir);
}

// What is done stays done: any second commit of a step or loss of a result is refused by the rows
// themselves, and then the job never ends.
static const struct store_migration guards[] = {
    {"guard", 1,
     "CREATE TRIGGER guard_step BEFORE UPDATE OF state ON flow_step WHEN old.state = "
     "'done'"
     " BEGIN SELECT RAISE(ABORT, 'a done step was touched'); END;"
     "CREATE TRIGGER guard_result BEFORE DELETE ON flow_result"
     " BEGIN SELECT RAISE(ABORT, 'a result was lost'); END;"
     "CREATE TRIGGER guard_value BEFORE UPDATE ON flow_result"
     " BEGIN SELECT RAISE(ABORT, 'a result was changed'); END"},
};

static void expected_hash(char ret[HASH_HEX_BYTES])
{
    AUTO(buf_free) struct buf text = {0};
    struct hash h;
    for (int i = 0; i < KILL_STEPS; i++) {
        buf_printf(&text, "%d squared\n", i);
    }
    assert_int_equal(text.err, 0);
    hash_of(text.data, text.len, &h);
    hash_hex(&h, ret);
}

static void assert_is(struct store *store, const char *sql, int64_t expected)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = -1;
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    assert_int_equal(n, expected);
}

static bool is_running(struct store *store, const char *job, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_free(ret);
    assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
    assert_int_equal(flow_job(tx, job, ret), 0);
    return strcmp(json_str_or(*ret, "state", ""), "running") == 0;
}

// Kills executors until one has ended the job; how many.
static int64_t kill_through(struct store *store, const char *data)
{
    int64_t killed = 0;
    for (int64_t had = 0; had <= KILL_STEPS; killed++) {
        pid_t pid = executor_process(data);
        int64_t now = await_steps(store, random() % 5);
        assert_true(now >= had);
        had = now;
        struct timespec moment = {.tv_nsec = random() % 30000000};
        nanosleep(&moment, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(done_steps(store) >= had);
    }
    return killed;
}

static void assert_job_ends_well(struct store *store, const char *job)
{
    char hex[HASH_HEX_BYTES];
    struct flow_executor_config config = toy_config(store);
    struct flow_executor *x = NULL;
    AUTO(json_free) json_t *object = NULL;
    expected_hash(hex);
    assert_int_equal(flow_executor_start(&x, &config), 0);
    int64_t until_us = clock_mono_us() + 60000000;
    while (is_running(store, job, &object)) {
        assert_true(clock_mono_us() < until_us);
        sched_yield();
    }
    flow_executor_stop(&x);
    assert_string_equal(json_str_or(object, "state", ""), "done");
    assert_string_equal(json_str_or(json_object_get(object, "result"), "hash", ""), hex);
    assert_is(store, "SELECT applied FROM toy", 1);
    assert_is(store, "SELECT count(*) FROM event WHERE type = 'job.done.v1'", 1);
    assert_is(store, "SELECT count(*) FROM flow_result", KILL_STEPS + 1);
}

static int64_t one_round(const char *dir, int64_t round)
{
    AUTO(cstr_free) char *data = NULL;
    AUTO(store_close) struct store *store = NULL;
    char job[UUID_BYTES];
    assert_int_equal(cstr_printf(&data, "%s/round%lld", dir, (long long)round), 0);
    assert_int_equal(toy_open(data, &store), 0);
    assert_int_equal(store_migrate(store, guards, ARRAY_LEN(guards)), 0);
    assert_int_equal(
        toy_submit(store, "squares", json_pack("{s:i}", "count", KILL_STEPS), job), 0);
    int64_t killed = kill_through(store, data);
    assert_job_ends_well(store, job);
    assert_scratch_is_empty(data);
    return killed;
}

static void killed_executors_lose_nothing(void **state)
{
    (void)state;
    char dir[] = "/tmp/marquee-kills-XXXXXX";
    const char *asked = getenv("FLOW_KILLS");
    int64_t kills = 4, killed = 0, rounds = 0, seed = clock_wall_us();
    if (asked) {
        assert_int_equal(str_to_i64(str_of(asked), 1, 100000, &kills), 0);
    }
    print_message("%lld kills, seed %lld\n", (long long)kills, (long long)seed);
    srandom((unsigned)seed);
    assert_non_null(mkdtemp(dir));
    setenv("TOY_DIR", dir, 1);
    while (killed < kills) {
        killed += one_round(dir, rounds++);
    }
    // A kill costs at most the steps that ran: two slots.
    assert_in_range(toy_noted("squared"), rounds * KILL_STEPS,
                    rounds * KILL_STEPS + 2 * (killed + rounds));
    assert_int_equal(fs_remove_tree(dir), 0);
}

int main(int argc, char **argv)
{
    int code = toy_main(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_executors_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
