// SPDX-License-Identifier: GPL-3.0-or-later
#include "flow/toy.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

// --- the stage ---------------------------------------------------------------------------------------

struct stage {
    char dir[64];
    char *data;
    struct store *store;
    struct bus_follower *follower;
    struct flow_executor *executor;
    pthread_mutex_t lock;
    pthread_cond_t heard;
    int64_t step_ppm;   // highest progress of a step that was told
    VEC(char *) events; // "job.done.v1 job/<id>"
};

static void hear(void *user, int64_t seq, const json_t *event)
{
    struct stage *s = user;
    char *text = NULL;
    (void)seq;
    pthread_mutex_lock(&s->lock);
    if (cstr_printf(&text, "%s %s", json_str_or(event, "type", ""),
                    json_str_or(event, "subject", "")) == 0) {
        (void)vec_push(&s->events, text);
    }
    pthread_cond_broadcast(&s->heard);
    pthread_mutex_unlock(&s->lock);
}

static void hear_progress(void *user, const struct flow_progress *p)
{
    struct stage *s = user;
    pthread_mutex_lock(&s->lock);
    if (p->step) {
        s->step_ppm = MAX(s->step_ppm, p->done_ppm);
    }
    pthread_cond_broadcast(&s->heard);
    pthread_mutex_unlock(&s->lock);
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    memcpy(s->dir, "/tmp/marquee-flow-XXXXXX", sizeof "/tmp/marquee-flow-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    setenv("TOY_DIR", s->dir, 1);
    assert_int_equal(cstr_printf(&s->data, "%s/data", s->dir), 0);
    assert_int_equal(toy_open(s->data, &s->store), 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->heard, NULL);
    assert_int_equal(
        bus_follower_start(&s->follower, &(struct bus_follower_config){.store = s->store,
                                                                       .after = -1,
                                                                       .on_event = hear,
                                                                       .user = s}),
        0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    flow_executor_stop(&s->executor);
    bus_follower_stop(&s->follower);
    store_close(&s->store);
    vec_for_each (e, &s->events) {
        cstr_free(e);
    }
    vec_free(&s->events);
    pthread_cond_destroy(&s->heard);
    pthread_mutex_destroy(&s->lock);
    assert_int_equal(fs_remove_tree(s->dir), 0);
    cstr_free(&s->data);
    free(s);
    return 0;
}

static void start_with(struct stage *s, unsigned slots, int64_t memory_bytes)
{
    struct flow_executor_config config = toy_config(s->store);
    config.slots = slots;
    config.memory_bytes = memory_bytes;
    config.on_progress = hear_progress;
    config.user = s;
    assert_int_equal(flow_executor_start(&s->executor, &config), 0);
}

static void start(struct stage *s)
{
    start_with(s, 2, 0);
}

static void submit(struct stage *s, const char *workflow, json_t *params, char *job)
{
    assert_non_null(params);
    assert_int_equal(toy_submit(s->store, workflow, params, job), 0);
    if (s->executor) {
        flow_executor_wake(s->executor);
    }
}

// How often an event was heard; waits until it was so often.
static int heard_times(struct stage *s, const char *type, const char *job, int times)
{
    AUTO(cstr_free) char *text = NULL;
    assert_int_equal(cstr_printf(&text, "%s job/%s", type, job), 0);
    struct timespec until = {.tv_sec = clock_wall_us() / 1000000 + 300};
    pthread_mutex_lock(&s->lock);
    int count = 0, err = 0;
    for (;;) {
        count = 0;
        vec_for_each (e, &s->events) {
            count += strcmp(*e, text) == 0;
        }
        if (count >= times || err) {
            break;
        }
        err = pthread_cond_timedwait(&s->heard, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

// How often an event was heard; waits for the first.
static int heard(struct stage *s, const char *type, const char *job, bool wait)
{
    return heard_times(s, type, job, wait ? 1 : 0);
}

static json_t *look(struct stage *s, const char *job)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *object = NULL;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(flow_job(tx, job, &object), 0);
    return object;
}

static const json_t *step_of(const json_t *job, size_t i)
{
    return json_array_get(json_object_get(job, "steps"), i);
}

static int64_t number(struct stage *s, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = -1;
    assert_int_equal(store_begin(s->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

// --- tests --------------------------------------------------------------------------------------------

// Bytes that became free.
static int64_t collect(struct stage *s)
{
    struct store_collected made = {0};
    const struct store_collect_config now = {.min_age_us = 0};
    assert_int_equal(store_collect(s->store, &now, &made), 0);
    return made.bytes;
}

static void a_job_runs_and_its_twin_is_reused(void **state)
{
    struct stage *s = *state;
    char first[UUID_BYTES], second[UUID_BYTES];
    start(s);
    submit(s, "squares", json_pack("{s:i}", "count", 5), first);
    assert_int_equal(heard(s, "job.done.v1", first, true), 1);
    AUTO(json_free) json_t *job = look(s, first);
    assert_string_equal(json_str_or(job, "state", ""), "done");
    assert_int_equal(json_array_size(json_object_get(job, "steps")), 6);
    assert_true(json_number_value(json_object_get(job, "progress")) == 1.0);
    assert_int_equal(json_i64_or(json_object_get(job, "result"), "bytes", 0), 5 * 10);
    assert_true(json_i64_or(step_of(job, 0), "wall_us", 0) > 0);
    assert_true(json_i64_or(step_of(job, 0), "max_rss_bytes", 0) > 0);
    assert_true(json_is_false(json_object_get(step_of(job, 0), "reused")));
    assert_int_equal(toy_noted("squared"), 5);

    submit(s, "squares", json_pack("{s:i}", "count", 5), second);
    assert_int_equal(heard(s, "job.done.v1", second, true), 1);
    assert_int_equal(toy_noted("squared"), 5);
    AUTO(json_free) json_t *twin = look(s, second);
    assert_true(
        json_equal(json_object_get(job, "result"), json_object_get(twin, "result")));
    assert_true(json_is_true(json_object_get(step_of(twin, 0), "reused")));
    assert_int_equal(number(s, "SELECT applied FROM toy"), 2);
    // What no result refers to may go; the results stay whole.
    assert_int_equal(collect(s), 0);
}

static void a_lost_blob_is_made_again(void **state)
{
    struct stage *s = *state;
    char first[UUID_BYTES], second[UUID_BYTES];
    start(s);
    submit(s, "squares", json_pack("{s:i}", "count", 3), first);
    assert_int_equal(heard(s, "job.done.v1", first, true), 1);
    struct hash h;
    char hex[HASH_HEX_BYTES];
    AUTO(cstr_free) char *path = NULL;
    hash_of("1 squared\n", 10, &h);
    hash_hex(&h, hex);
    assert_int_equal(cstr_printf(&path, "%s/blobs/%.2s/%s", s->data, hex, hex + 2), 0);
    assert_int_equal(unlink(path), 0);
    submit(s, "squares", json_pack("{s:i}", "count", 3), second);
    assert_int_equal(heard(s, "job.done.v1", second, true), 1);
    assert_int_equal(toy_noted("squared"), 4);
    assert_true(fs_exists(path));
}

static void a_run_is_asked_only_for_missing_parts(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(
        s, "one",
        json_pack("{s:s, s:[{s:i}, {s:i}]}", "type", "square", "parts", "n", 2, "n", 3),
        job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(toy_noted("squared"), 2);
    submit(s, "one",
           json_pack("{s:s, s:[{s:i}, {s:i}, {s:i}]}", "type", "square", "parts", "n", 3,
                     "n", 5, "n", 2),
           job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(toy_noted("squared"), 3);
    AUTO(json_free) json_t *object = look(s, job);
    AUTO(json_free)
    json_t *expected = json_pack("[[{s:i}, b], [{s:i}, b], [{s:i}, b]]", "square", 9, 1,
                                 "square", 25, 0, "square", 4, 1);
    assert_true(json_equal(json_object_get(object, "result"), expected));
}

static void errors_that_repeat_are_final_at_once(void **state)
{
    struct stage *s = *state;
    static const char *const codes[] = {"INVALID", "CORRUPT", "UNSUPPORTED", "REFUSED"};
    start(s);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        char job[UUID_BYTES];
        submit(s, "one",
               json_pack("{s:s, s:{s:s}}", "type", "fail", "params", "how", codes[i]),
               job);
        assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
        assert_int_equal(toy_noted("failed"), (int64_t)i + 1);
        AUTO(json_free) json_t *object = look(s, job);
        assert_string_equal(json_str_or(object, "state", ""), "failed");
        assert_string_equal(json_str_or(object, "error_code", ""), codes[i]);
        assert_non_null(strstr(json_str_or(object, "error", ""), "step only: told to: "));
        assert_string_equal(json_str_or(step_of(object, 0), "state", ""), "failed");
        assert_int_equal(json_i64_or(step_of(object, 0), "attempts", 0), 1);
        AUTO(buf_free) struct buf log = {0};
        assert_int_equal(flow_step_log_read(s->store, job, "only", 0, &log), 0);
        assert_non_null(strstr(log.data, " fail of\n"));
        assert_non_null(strstr(log.data, "about to fail by "));
    }
    assert_int_equal(number(s, "SELECT count(*) FROM toy_failed WHERE error = 'CORRUPT'"),
                     1);
}

static void crashes_are_tried_three_times(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "one",
           json_pack("{s:s, s:{s:s}}", "type", "fail", "params", "how", "signal"), job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    assert_int_equal(toy_noted("failed"), 3);
    AUTO(json_free) json_t *object = look(s, job);
    assert_string_equal(json_str_or(object, "error_code", ""), "CRASHED");
    assert_non_null(strstr(json_str_or(object, "error", ""), "SIGUSR1"));
    assert_non_null(strstr(json_str_or(object, "error", ""), "about to fail by signal"));
}

// Who is killed by others, for want of memory say, is not to blame: that is no crash.
static void what_others_kill_goes_on(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "one",
           json_pack("{s:s, s:{s:s, s:i}}", "type", "fail", "params", "how", "kill",
                     "times", 4),
           job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    AUTO(json_free) json_t *object = look(s, job);
    assert_int_equal(json_i64_or(step_of(object, 0), "attempts", 0), 5);
    submit(
        s, "one",
        json_pack("{s:s, s:{s:s, s:i}}", "type", "fail", "params", "how", "kill", "n", 2),
        job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    json_free(&object);
    object = look(s, job);
    assert_string_equal(json_str_or(object, "error_code", ""), "KILLED");
}

static void what_passes_is_tried_until_it_does(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "one",
           json_pack("{s:s, s:{s:s, s:i}}", "type", "fail", "params", "how", "IO",
                     "times", 1),
           job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    submit(s, "one",
           json_pack("{s:s, s:{s:s, s:i}}", "type", "fail", "params", "how", "exit",
                     "times", 4),
           job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    AUTO(json_free) json_t *object = look(s, job);
    assert_int_equal(json_i64_or(step_of(object, 0), "attempts", 0), 3);
    assert_true(json_is_null(json_object_get(step_of(object, 0), "error")));
}

static void a_rerun_keeps_what_is_done(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "one",
           json_pack("{s:s, s:{s:s, s:i}}", "type", "fail", "params", "how", "INVALID",
                     "times", 1),
           job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(flow_rerun(tx, job, "user/o"), 0);
    assert_int_equal(flow_rerun(tx, job, "user/o"), ERR_CONFLICT);
    assert_int_equal(flow_rerun(tx, "no-such-job", "user/o"), ERR_NOT_FOUND);
    assert_int_equal(store_commit(&tx), 0);
    // No wake: the executor sees what others write.
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(toy_noted("failed"), 2);
}

static int forget(struct stage *s, int64_t before_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    int forgotten = flow_forget(tx, before_us, 1000);
    assert_int_equal(store_commit(&tx), 0);
    return forgotten;
}

static void change(struct stage *s, const char *sql, const char *job)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx, sql, "s", job), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static void results_are_forgotten_when_nobody_wants_them(void **state)
{
    struct stage *s = *state;
    char first[UUID_BYTES], second[UUID_BYTES];
    start(s);
    submit(s, "squares", json_pack("{s:i}", "count", 3), first);
    assert_int_equal(heard(s, "job.done.v1", first, true), 1);
    int64_t later_us = clock_wall_us() + 1;
    assert_int_equal(forget(s, later_us - INT64_C(3600000000)), 0); // it ended since
    change(s, "UPDATE flow_job SET state = 'running', finished_us = NULL WHERE id = ?",
           first);
    assert_int_equal(forget(s, later_us), 0);
    change(s, "UPDATE flow_job SET state = 'done', finished_us = 1 WHERE id = ?", first);
    assert_int_equal(collect(s), 0);
    assert_int_equal(forget(s, later_us), 4);
    assert_int_equal(number(s, "SELECT count(*) FROM blob_ref"), 0);
    assert_int_equal(collect(s), 60); // three texts of 10 bytes, and the join of them
    AUTO(json_free) json_t *job = look(s, first);
    assert_int_equal(json_array_size(json_object_get(job, "steps")), 4);
    submit(s, "squares", json_pack("{s:i}", "count", 3), second);
    assert_int_equal(heard(s, "job.done.v1", second, true), 1);
    assert_int_equal(toy_noted("squared"), 6);
    assert_int_equal(collect(s), 0);
}

static void a_rerun_makes_anew_what_was_forgotten(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "squares", json_pack("{s:i}", "count", 3), job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    // As if its last step had failed, long ago.
    change(s, "UPDATE flow_step SET state = 'failed' WHERE name = 'join' AND job = ?",
           job);
    change(s,
           "UPDATE flow_job SET state = 'failed', result = NULL, finished_us = 1"
           " WHERE id = ?",
           job);
    assert_int_equal(forget(s, clock_wall_us() + 1), 4);
    assert_int_equal(collect(s), 60);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(flow_rerun(tx, job, "user/o"), 0);
    assert_int_equal(store_commit(&tx), 0);
    flow_executor_wake(s->executor);
    assert_int_equal(heard_times(s, "job.done.v1", job, 2), 2);
    assert_int_equal(toy_noted("squared"), 6);
}

static void logs_go_with_their_jobs_age(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    AUTO(cstr_free) char *path = NULL;
    int64_t jobs = -1;
    start(s);
    submit(s, "squares", json_pack("{s:i}", "count", 1), job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(cstr_printf(&path, "%s/logs/%s", s->data, job), 0);
    assert_int_equal(flow_forget_logs(s->store, 1, &jobs), 0);
    assert_int_equal(jobs, 0);
    assert_true(fs_exists(path));
    assert_int_equal(flow_forget_logs(s->store, clock_wall_us() + 1, &jobs), 0);
    assert_int_equal(jobs, 1);
    assert_false(fs_exists(path));
    AUTO(json_free) json_t *object = look(s, job);
    assert_true(json_is_false(json_object_get(step_of(object, 0), "log")));
}

static void cancelling_kills_what_runs(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "one", json_pack("{s:s}", "type", "hang"), job);
    pthread_mutex_lock(&s->lock);
    while (s->step_ppm == 0) {
        pthread_cond_wait(&s->heard, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(flow_cancel(tx, job, "user/o"), 0);
    assert_int_equal(flow_cancel(tx, job, "user/o"), ERR_CONFLICT);
    assert_int_equal(store_commit(&tx), 0);
    // The step held this lock as long as it lived.
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/alive", s->dir), 0);
    AUTO(fd_close) int fd = open(path, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(heard(s, "job.cancelled.v1", job, true), 1);
    flow_executor_stop(&s->executor);
    start(s);
    char other[UUID_BYTES];
    submit(s, "squares", json_pack("{s:i}", "count", 1), other);
    assert_int_equal(heard(s, "job.done.v1", other, true), 1);
    AUTO(json_free) json_t *object = look(s, job);
    assert_string_equal(json_str_or(object, "state", ""), "cancelled");
    assert_int_equal(
        number(s, "SELECT count(*) FROM toy_failed WHERE error = 'CANCELLED'"), 1);
}

static void a_step_that_stands_still_is_ended(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    struct flow_executor_config config = toy_config(s->store);
    config.stall_us = 100000;
    assert_int_equal(flow_executor_start(&s->executor, &config), 0);
    submit(s, "one", json_pack("{s:s}", "type", "hang"), job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    AUTO(json_free) json_t *object = look(s, job);
    assert_string_equal(json_str_or(object, "error_code", ""), "TIMEOUT");
    assert_int_equal(json_i64_or(step_of(object, 0), "attempts", 0), 3);
}

static void a_deleted_result_is_made_again(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start_with(s, 1, 0);
    submit(s, "list",
           json_pack("{s:[{s:s, s:s, s:i}, {s:s, s:s, s:s, s:i}]}", "steps", "name", "a",
                     "type", "order", "cost", 2, "name", "b", "type", "fail", "how",
                     "INVALID", "times", 1),
           job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    assert_int_equal(toy_noted("order"), 1);
    // The executor that comes next has nothing in memory.
    flow_executor_stop(&s->executor);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx, "DELETE FROM flow_result", ""), 0);
    assert_int_equal(flow_rerun(tx, job, "user/o"), 0);
    assert_int_equal(store_commit(&tx), 0);
    start(s);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(toy_noted("order"), 2);
}

static void slots_and_memory_are_respected(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    // Room for one of 600 MB, and two slots: nobody ever meets another.
    start_with(s, 2, 1000 << 20);
    submit(s, "list",
           json_pack("{s:[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]}", "steps", "name", "a",
                     "type", "meet", "name", "b", "type", "meet", "name", "c", "type",
                     "meet"),
           job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(toy_noted("met"), 3);
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/met", s->dir), 0);
    assert_int_equal(fs_read_file(path, 1000, &text), 0);
    assert_null(strstr(text.data, "company"));
}

static void priority_goes_first_then_length(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    submit(s, "list",
           json_pack("{s:[{s:s, s:i}, {s:s, s:i}, {s:s, s:i, s:i}, {s:s, s:i}]}", "steps",
                     "name", "short", "cost", 1, "name", "long", "cost", 9, "name",
                     "first", "cost", 1, "priority", 5, "name", "middle", "cost", 5),
           job);
    start_with(s, 1, 0);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/order", s->dir), 0);
    assert_int_equal(fs_read_file(path, 1000, &text), 0);
    assert_string_equal(text.data, "first\nlong\nmiddle\nshort\n");
}

static void older_jobs_go_first(void **state)
{
    struct stage *s = *state;
    char job[3][UUID_BYTES];
    static const int priorities[3] = {0, 0, 3};
    for (int i = 0; i < 3; i++) {
        // Ids sort by the millisecond of their making.
        int64_t now_ms = clock_wall_us() / 1000;
        while (clock_wall_us() / 1000 == now_ms) {
            sched_yield();
        }
        AUTO(json_free)
        json_t *params = json_pack("{s:[{s:s+, s:i}, {s:s+, s:i}]}", "steps", "name",
                                   i == 0   ? "old"
                                   : i == 1 ? "new"
                                            : "urgent",
                                   " short", "cost", 1, "name",
                                   i == 0   ? "old"
                                   : i == 1 ? "new"
                                            : "urgent",
                                   " long", "cost", 10 * (i + 1));
        AUTO(store_rollback) struct store_tx *tx = NULL;
        assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
        assert_int_equal(flow_submit(tx,
                                     &(struct flow_job_spec){.workflow = "list",
                                                             .subject = "toy/1",
                                                             .params = params,
                                                             .priority = priorities[i]},
                                     job[i]),
                         0);
        assert_int_equal(store_commit(&tx), 0);
    }
    start_with(s, 1, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(heard(s, "job.done.v1", job[i], true), 1);
    }
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/order", s->dir), 0);
    assert_int_equal(fs_read_file(path, 1000, &text), 0);
    assert_string_equal(
        text.data,
        "urgent long\nurgent short\nold long\nold short\nnew long\nnew short\n");
}

static void a_moments_work_goes_before_older_jobs(void **state)
{
    struct stage *s = *state;
    char older[UUID_BYTES], newer[UUID_BYTES];
    submit(s, "list",
           json_pack("{s:[{s:s}, {s:s}]}", "steps", "name", "old a", "name", "old b"),
           older);
    submit(s, "list",
           json_pack("{s:[{s:s, s:i}, {s:s}]}", "steps", "name", "look", "urgency", 1,
                     "name", "rest"),
           newer);
    start_with(s, 1, 0);
    assert_int_equal(heard(s, "job.done.v1", older, true), 1);
    assert_int_equal(heard(s, "job.done.v1", newer, true), 1);
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/order", s->dir), 0);
    assert_int_equal(fs_read_file(path, 1000, &text), 0);
    assert_true(str_starts(buf_view(&text), "look\n"));
    assert_true(str_ends(buf_view(&text), "rest\n"));
}

static void cancel(struct stage *s, const char *job)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(s->store, STORE_WRITE, &tx), 0);
    assert_int_equal(flow_cancel(tx, job, "user/o"), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static void a_job_behind_others_waits_and_does_not_work(void **state)
{
    struct stage *s = *state;
    char first[UUID_BYTES], second[UUID_BYTES];
    start_with(s, 1, 0);
    submit(s, "one", json_pack("{s:s}", "type", "hang"), first);
    pthread_mutex_lock(&s->lock);
    while (s->step_ppm == 0) {
        pthread_cond_wait(&s->heard, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    submit(s, "squares", json_pack("{s:i}", "count", 1), second);
    for (bool waits = false; !waits;) {
        AUTO(json_free) json_t *job = look(s, second);
        waits = json_is_integer(json_object_get(job, "waits_behind"));
        if (waits) {
            assert_int_equal(json_i64_or(job, "waits_behind", -1), 1);
            assert_true(json_is_null(json_object_get(job, "remaining_us")));
            assert_int_equal(json_i64_or(job, "worked_us", -1), 0);
        }
        sched_yield();
    }
    int64_t waited_us = clock_wall_us();
    AUTO(json_free) json_t *one = look(s, first);
    assert_true(json_is_null(json_object_get(one, "waits_behind")));
    assert_true(json_i64_or(one, "worked_us", 0) > 0);
    // What a job took is no more than the time in which one of its steps ran.
    cancel(s, first);
    assert_int_equal(heard(s, "job.done.v1", second, true), 1);
    AUTO(json_free) json_t *two = look(s, second);
    assert_true(json_is_null(json_object_get(two, "waits_behind")));
    int64_t worked_us = json_i64_or(two, "worked_us", 0);
    assert_true(worked_us > 0 && worked_us <= clock_wall_us() - waited_us);
    AUTO(json_free) json_t *stopped = look(s, first);
    int64_t stopped_us = json_i64_or(stopped, "worked_us", 0);
    assert_true(stopped_us > 0);
    AUTO(json_free) json_t *later = look(s, first);
    assert_int_equal(json_i64_or(later, "worked_us", 0), stopped_us);
}

static void one_executor_a_folder(void **state)
{
    struct stage *s = *state;
    struct flow_executor *other = NULL;
    struct flow_executor_config config = toy_config(s->store);
    start(s);
    assert_int_equal(flow_executor_start(&other, &config), ERR_BUSY);
    assert_null(other);
    flow_executor_stop(&s->executor);
    assert_int_equal(flow_executor_start(&other, &config), 0);
    flow_executor_stop(&other);
}

static void mistakes_of_workflows_end_their_job(void **state)
{
    struct stage *s = *state;
    char job[UUID_BYTES];
    start(s);
    submit(s, "lost", json_object(), job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    submit(s, "unheard of", json_object(), job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    submit(s, "one", json_pack("{s:s}", "type", "unheard of"), job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    AUTO(json_free) json_t *object = look(s, job);
    assert_string_equal(json_str_or(object, "error_code", ""), "UNSUPPORTED");
    static const char *const names[] = {"../out", "/etc/passwd", "a/../b",
                                        "",       ".hidden",     "a//b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        submit(s, "one",
               json_pack("{s:s, s:{s:s}}", "type", "bad", "params", "name", names[i]),
               job);
        assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
    }
    // A name is given and nothing written to it.
    submit(s, "one",
           json_pack("{s:s, s:{s:s}}", "type", "bad", "params", "name", "fine.txt"), job);
    assert_int_equal(heard(s, "job.failed.v1", job, true), 1);
}

// FLOW_STEPS=2000 in the environment: what a step costs beside its work, and that many steps cost
// no more each than few.
static void the_cost_of_a_step_is_that_of_its_process(void **state)
{
    struct stage *s = *state;
    const char *asked = getenv("FLOW_STEPS");
    int64_t steps = 30;
    char job[UUID_BYTES];
    if (asked) {
        assert_int_equal(str_to_i64(str_of(asked), 1, 100000, &steps), 0);
    }
    start(s);
    int64_t start_us = clock_mono_us();
    submit(s, "squares", json_pack("{s:I}", "count", (json_int_t)steps), job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    int64_t wall_us = clock_mono_us() - start_us;
    print_message("%lld steps, %lld us each\n", (long long)steps,
                  (long long)(wall_us / steps));
    AUTO(json_free) json_t *object = look(s, job);
    assert_int_equal(json_array_size(json_object_get(object, "steps")), steps + 1);
}

int main(int argc, char **argv)
{
    int code = toy_main(argc, argv);
    if (code >= 0) {
        return code;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_runs_and_its_twin_is_reused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lost_blob_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_is_asked_only_for_missing_parts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(errors_that_repeat_are_final_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(crashes_are_tried_three_times, setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_kill_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_passes_is_tried_until_it_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rerun_keeps_what_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(results_are_forgotten_when_nobody_wants_them,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_rerun_makes_anew_what_was_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(logs_go_with_their_jobs_age, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelling_kills_what_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_step_that_stands_still_is_ended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_deleted_result_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_and_memory_are_respected, setup, teardown),
        cmocka_unit_test_setup_teardown(priority_goes_first_then_length, setup, teardown),
        cmocka_unit_test_setup_teardown(older_jobs_go_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_moments_work_goes_before_older_jobs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_job_behind_others_waits_and_does_not_work,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_executor_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_of_workflows_end_their_job, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_cost_of_a_step_is_that_of_its_process, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
