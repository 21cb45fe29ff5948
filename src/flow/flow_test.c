// SPDX-License-Identifier: GPL-3.0-or-later
//
// This program is its own step process: called as `flow_test step --data D --dir X` it runs the toy
// steps below. What they must tell beside their results they append to files in $TOY_DIR.
#include "bus/bus.h"
#include "flow/flow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

// --- toy steps -------------------------------------------------------------------------------------

static int note(const char *file, const char *text)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(cstr_free) char *line = NULL;
    TRY(cstr_printf(&path, "%s/%s", getenv("TOY_DIR"), file));
    TRY(cstr_printf(&line, "%s\n", text));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 ? err_fail_errno("%s", path) : fd_write_all(fd, line, strlen(line));
}

// Lines of a file in $TOY_DIR.
static int64_t noted(const char *file)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    int64_t lines = 0;
    if (cstr_printf(&path, "%s/%s", getenv("TOY_DIR"), file) < 0 ||
        fs_read_file(path, 1 << 20, &text) < 0) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n';
    }
    return lines;
}

static int write_output(struct flow_step *s, const char *part, const char *name,
                        const struct buf *text)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(flow_step_output(s, part, name, &path));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? err_fail_errno("%s", path) : fd_write_all(fd, text->data, text->len);
}

static int square_part(struct flow_step *s, size_t i)
{
    AUTO(buf_free) struct buf text = {0};
    int64_t n = json_i64_or(flow_step_part_params(s, i), "n", 0);
    const char *name = flow_step_part_name(s, i);
    buf_printf(&text, "%lld squared\n", (long long)n);
    TRY(text.err);
    TRY(note("squared", name));
    TRY(write_output(s, name, "text/square.txt", &text));
    printf("a library that prints\n");
    fflush(stdout);
    return flow_step_result(s, name, json_pack("{s:I}", "square", (json_int_t)(n * n)));
}

static int step_square(struct flow_step *s)
{
    for (size_t i = 0; i < flow_step_part_count(s); i++) {
        TRY(square_part(s, i));
        flow_step_progress(s, (int64_t)i + 1, (int64_t)flow_step_part_count(s));
    }
    return 0;
}

// Joins all inputs, in the order of their names.
static int step_join(struct flow_step *s)
{
    AUTO(buf_free) struct buf all = {0};
    int64_t count = json_i64_or(flow_step_params(s), "count", 0);
    for (int64_t i = 0; i < count; i++) {
        AUTO(cstr_free) char *name = NULL;
        AUTO(store_blob_close) struct store_blob *blob = NULL;
        char block[100];
        TRY(cstr_printf(&name, "in%lld", (long long)i));
        TRY(flow_step_input(s, name, &blob));
        int64_t n = store_blob_read(blob, 0, block, sizeof block);
        TRY((int)MIN(n, 0));
        buf_add(&all, block, (size_t)n);
    }
    TRY(all.err);
    TRY(write_output(s, "main", "all.txt", &all));
    return flow_step_result(s, "main", json_integer((json_int_t)all.len));
}

// Fails as it is told by params: {"how","times"}; runs well once it failed `times` times.
static int step_fail(struct flow_step *s)
{
    const char *how = json_str_or(flow_step_params(s), "how", "");
    int64_t times = json_i64_or(flow_step_params(s), "times", 1000);
    TRY(note("failed", how));
    if (noted("failed") > times) {
        return flow_step_result(s, "main", json_true());
    }
    flow_step_log(s, "about to fail by %s", how);
    if (strcmp(how, "signal") == 0) {
        raise(SIGKILL);
    }
    if (strcmp(how, "exit") == 0) {
        _exit(7);
    }
    FAIL(err_from_name(how), "told to: %s", how);
}

// Runs until it is killed; holds a lock meanwhile.
static int step_hang(struct flow_step *s)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/alive", getenv("TOY_DIR")));
    AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    TRY(fd < 0 || flock(fd, LOCK_EX) < 0 ? err_fail_errno("%s", path) : 0);
    flow_step_progress(s, 1, 2);
    flow_step_progress(s, 2, 2);
    for (;;) {
        pause();
    }
}

// Counts who is here at the same time; each waits for company, for a moment.
static int step_meet(struct flow_step *s)
{
    char text[32] = "";
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/here", getenv("TOY_DIR")));
    AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int turn = 0; turn < 2; turn++) {
        TRY(fd < 0 || flock(fd, LOCK_EX) < 0 ? err_fail_errno("%s", path) : 0);
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        int64_t here = n > 0 ? text[0] - 'a' : 0;
        here += turn == 0 ? 1 : -1;
        text[0] = (char)('a' + here);
        TRY(pwrite(fd, text, 1, 0) == 1 ? 0 : err_fail_errno("%s", path));
        if (turn == 0) {
            TRY(note("met", here > 1 ? "company" : "alone"));
        }
        flock(fd, LOCK_UN);
        struct timespec moment = {.tv_nsec = 100000000};
        nanosleep(&moment, NULL);
    }
    return flow_step_result(s, "main", json_null());
}

static int step_bad_output(struct flow_step *s)
{
    AUTO(cstr_free) char *path = NULL;
    const char *name = json_str_or(flow_step_params(s), "name", "");
    return flow_step_output(s, "main", name, &path);
}

static int step_order(struct flow_step *s)
{
    return note("order", json_str_or(flow_step_params(s), "name", ""));
}

static const struct flow_step_type types[] = {
    {"square", 1, 1 << 20, step_square}, {"join", 1, 1 << 20, step_join},
    {"fail", 1, 1 << 20, step_fail},     {"hang", 1, 1 << 20, step_hang},
    {"meet", 1, 600 << 20, step_meet},   {"bad", 1, 1 << 20, step_bad_output},
    {"order", 1, 1 << 20, step_order},
};

// --- toy workflows -----------------------------------------------------------------------------------

// The output "text/square.txt" of each of `count` steps, joined. 1 when all are done.
static int want_squares(struct flow_run *run, int64_t count, struct flow_input *inputs)
{
    int64_t done = 0;
    for (int64_t i = 0; i < count; i++) {
        AUTO(cstr_free) char *name = NULL;
        AUTO(json_free) json_t *n = json_pack("{s:I}", "n", (json_int_t)i);
        const struct flow_result *r = NULL;
        TRY(cstr_printf(&name, "square/%04lld", (long long)i));
        const struct flow_part part = {.name = "main", .params = n};
        const struct flow_step_spec spec = {.name = name,
                                            .type = "square",
                                            .parts = &part,
                                            .part_count = 1,
                                            .cost = 1 + i % 3};
        int ready = flow_want(run, &spec, &r);
        TRY(ready);
        if (ready) {
            done++;
            snprintf(inputs[i].name, sizeof inputs[i].name, "in%lld", (long long)i);
            inputs[i].blob = flow_result_output(r, "text/square.txt")->blob;
        }
    }
    return done == count;
}

static int apply_once(struct store_tx *tx, void *user)
{
    (void)user;
    return store_exec(tx, "UPDATE toy SET applied = applied + 1", "");
}

static int advance_squares(struct flow_run *run, void *user)
{
    (void)user;
    int64_t count = json_i64_or(flow_run_params(run), "count", 0);
    struct flow_input *inputs = calloc((size_t)count, sizeof *inputs);
    FAIL_IF(!inputs, ERR_NOMEM, "inputs");
    int ready = want_squares(run, count, inputs);
    const struct flow_result *r = NULL;
    if (ready > 0) {
        AUTO(json_free) json_t *params = json_pack("{s:I}", "count", (json_int_t)count);
        ready = flow_want(run,
                          &(struct flow_step_spec){.name = "join",
                                                   .type = "join",
                                                   .params = params,
                                                   .inputs = inputs,
                                                   .input_count = (size_t)count},
                          &r);
    }
    free(inputs);
    if (ready <= 0) {
        return ready;
    }
    char hex[HASH_HEX_BYTES];
    hash_hex(&r->outputs[0].blob, hex);
    TRY(flow_once(run, "apply", apply_once, NULL));
    return flow_finish(run, json_pack("{s:s, s:O}", "hash", hex, "bytes", r->value));
}

// Wants one step of type params.type with params.params, in parts params.parts.
static int advance_one(struct flow_run *run, void *user)
{
    (void)user;
    const json_t *p = flow_run_params(run);
    struct flow_part parts[4];
    size_t count = 0, i;
    json_t *part;
    json_array_foreach(json_object_get(p, "parts"), i, part)
    {
        parts[count] = (struct flow_part){.params = part};
        snprintf(parts[count].name, sizeof parts[count].name, "part%zu", i);
        count++;
    }
    const struct flow_result *r = NULL;
    int ready = flow_want(run,
                          &(struct flow_step_spec){.name = "only",
                                                   .type = json_str_or(p, "type", ""),
                                                   .params = json_object_get(p, "params"),
                                                   .parts = count ? parts : NULL,
                                                   .part_count = count},
                          &r);
    if (ready <= 0) {
        return ready;
    }
    AUTO(json_free) json_t *values = json_array();
    for (i = 0; i < MAX(count, (size_t)1); i++) {
        AUTO(json_free) json_t *value = json_incref((json_t *)(uintptr_t)r[i].value);
        json_array_append_new(values, json_pack("[O, b]", value, r[i].reused));
    }
    return flow_finish(run, TAKE(values));
}

// A step for each of params.steps ({"name","priority","cost","type"}), all at once.
static int advance_list(struct flow_run *run, void *user)
{
    (void)user;
    size_t i;
    json_t *step;
    bool all = true;
    json_array_foreach(json_object_get(flow_run_params(run), "steps"), i, step)
    {
        const struct flow_result *r = NULL;
        int ready = flow_want(
            run,
            &(struct flow_step_spec){.name = json_str_or(step, "name", ""),
                                     .type = json_str_or(step, "type", "order"),
                                     .params = step,
                                     .priority = (int)json_i64_or(step, "priority", 0),
                                     .cost = json_i64_or(step, "cost", 1)},
            &r);
        TRY(ready);
        all = all && ready;
    }
    return all ? flow_finish(run, json_null()) : 0;
}

static int advance_lost(struct flow_run *run, void *user)
{
    (void)run;
    (void)user;
    return 0;
}

static int on_failed(struct store_tx *tx, const char *job, const json_t *params, int err,
                     const char *reason, void *user)
{
    (void)params;
    (void)user;
    return store_exec(tx, "INSERT INTO toy_failed (job, error, reason) VALUES (?, ?, ?)",
                      "sss", job, err_name(err), reason);
}

static const struct flow_workflow workflows[] = {
    {"squares", advance_squares, NULL, on_failed},
    {"one", advance_one, NULL, on_failed},
    {"list", advance_list, NULL, NULL},
    {"lost", advance_lost, NULL, NULL},
};

static const struct store_migration toy_migrations[] = {
    {"toy", 1,
     "CREATE TABLE toy (applied INTEGER NOT NULL); INSERT INTO toy VALUES (0);"
     "CREATE TABLE toy_failed (job TEXT, error TEXT, reason TEXT)"},
};

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

static int open_data(const char *dir, struct store **ret)
{
    TRY(store_open(ret, dir));
    TRY(store_migrate(*ret, bus_migrations, bus_migration_count));
    TRY(store_migrate(*ret, flow_migrations, flow_migration_count));
    return store_migrate(*ret, toy_migrations, ARRAY_LEN(toy_migrations));
}

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
    assert_int_equal(open_data(s->data, &s->store), 0);
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

static struct flow_executor_config config_of(struct store *store)
{
    return (struct flow_executor_config){
        .store = store,
        .types = types,
        .type_count = ARRAY_LEN(types),
        .workflows = workflows,
        .workflow_count = ARRAY_LEN(workflows),
        .slots = 2,
        .toolchain = "toy 1",
        .retry_us = 1000,
    };
}

static void start_with(struct stage *s, unsigned slots, int64_t memory_bytes)
{
    struct flow_executor_config config = config_of(s->store);
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

static int try_submit(struct store *store, const char *workflow, json_t *params,
                      char *job)
{
    AUTO(json_free) json_t *owned = params;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(flow_submit(
        tx,
        &(struct flow_job_spec){
            .workflow = workflow, .subject = "toy/1", .params = owned, .actor = "user/t"},
        job));
    return store_commit(&tx);
}

static void submit(struct stage *s, const char *workflow, json_t *params, char *job)
{
    assert_non_null(params);
    assert_int_equal(try_submit(s->store, workflow, params, job), 0);
    if (s->executor) {
        flow_executor_wake(s->executor);
    }
}

// How often an event was heard; waits for the first.
static int heard(struct stage *s, const char *type, const char *job, bool wait)
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
        if (count || !wait || err) {
            break;
        }
        err = pthread_cond_timedwait(&s->heard, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return count;
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
    assert_int_equal(noted("squared"), 5);

    submit(s, "squares", json_pack("{s:i}", "count", 5), second);
    assert_int_equal(heard(s, "job.done.v1", second, true), 1);
    assert_int_equal(noted("squared"), 5);
    AUTO(json_free) json_t *twin = look(s, second);
    assert_true(
        json_equal(json_object_get(job, "result"), json_object_get(twin, "result")));
    assert_true(json_is_true(json_object_get(step_of(twin, 0), "reused")));
    assert_int_equal(number(s, "SELECT applied FROM toy"), 2);
    // What no result refers to may go; the results stay whole.
    int64_t freed = 0;
    assert_int_equal(store_collect(s->store, 0, &freed), 0);
    assert_int_equal(freed, 0);
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
    assert_int_equal(noted("squared"), 4);
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
    assert_int_equal(noted("squared"), 2);
    submit(s, "one",
           json_pack("{s:s, s:[{s:i}, {s:i}, {s:i}]}", "type", "square", "parts", "n", 3,
                     "n", 5, "n", 2),
           job);
    assert_int_equal(heard(s, "job.done.v1", job, true), 1);
    assert_int_equal(noted("squared"), 3);
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
        assert_int_equal(noted("failed"), (int64_t)i + 1);
        AUTO(json_free) json_t *object = look(s, job);
        assert_string_equal(json_str_or(object, "state", ""), "failed");
        assert_string_equal(json_str_or(object, "error_code", ""), codes[i]);
        assert_non_null(strstr(json_str_or(object, "error", ""), "step only: told to: "));
        assert_string_equal(json_str_or(step_of(object, 0), "state", ""), "failed");
        assert_int_equal(json_i64_or(step_of(object, 0), "attempts", 0), 1);
        AUTO(buf_free) struct buf log = {0};
        assert_int_equal(flow_step_log_read(s->store, job, "only", 0, &log), 0);
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
    assert_int_equal(noted("failed"), 3);
    AUTO(json_free) json_t *object = look(s, job);
    assert_string_equal(json_str_or(object, "error_code", ""), "CRASHED");
    assert_non_null(strstr(json_str_or(object, "error", ""), "SIGKILL"));
    assert_non_null(strstr(json_str_or(object, "error", ""), "about to fail by signal"));
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
    assert_int_equal(noted("failed"), 2);
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
    assert_int_equal(noted("met"), 3);
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

static void one_executor_a_folder(void **state)
{
    struct stage *s = *state;
    struct flow_executor *other = NULL;
    struct flow_executor_config config = config_of(s->store);
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
    int64_t steps = 60;
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

// --- kills ----------------------------------------------------------------------------------------------

#define KILL_STEPS 16

// `flow_test execute DATA`: an executor in a process of its own, until it is killed.
static int execute(const char *data)
{
    struct store *store = NULL;
    struct flow_executor *x = NULL;
    int err = open_data(data, &store);
    if (err == 0) {
        struct flow_executor_config config = config_of(store);
        err = flow_executor_start(&x, &config);
    }
    if (err < 0) {
        dprintf(2, "executor: %s: %s\n", err_name(err), err_reason());
        return 1;
    }
    for (;;) {
        pause();
    }
}

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

static void killed_executors_lose_nothing(void **state)
{
    struct stage *s = *state;
    const char *asked = getenv("FLOW_KILLS");
    int64_t kills = 4, seed = clock_wall_us();
    if (asked) {
        assert_int_equal(str_to_i64(str_of(asked), 1, 100000, &kills), 0);
    }
    print_message("%lld kills, seed %lld\n", (long long)kills, (long long)seed);
    srandom((unsigned)seed);
    struct hash expected;
    char hex[HASH_HEX_BYTES];
    AUTO(buf_free) struct buf text = {0};
    for (int i = 0; i < KILL_STEPS; i++) {
        buf_printf(&text, "%d squared\n", i);
    }
    hash_of(text.data, text.len, &expected);
    hash_hex(&expected, hex);
    for (int64_t killed = 0, round = 0; killed < kills; round++) {
        AUTO(cstr_free) char *data = NULL;
        AUTO(store_close) struct store *store = NULL;
        char job[UUID_BYTES];
        assert_int_equal(cstr_printf(&data, "%s/round%lld", s->dir, (long long)round), 0);
        assert_int_equal(open_data(data, &store), 0);
        assert_int_equal(
            try_submit(store, "squares", json_pack("{s:i}", "count", KILL_STEPS), job),
            0);
        int64_t had = 0;
        for (; had <= KILL_STEPS; killed++) {
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
        // The last one ends the job, if none did.
        struct flow_executor_config config = config_of(store);
        struct flow_executor *x = NULL;
        assert_int_equal(flow_executor_start(&x, &config), 0);
        int64_t until_us = clock_mono_us() + 60000000;
        AUTO(store_rollback) struct store_tx *tx = NULL;
        AUTO(json_free) json_t *object = NULL;
        do {
            json_free(&object);
            store_rollback(&tx);
            assert_true(clock_mono_us() < until_us);
            assert_int_equal(store_begin(store, STORE_READ, &tx), 0);
            assert_int_equal(flow_job(tx, job, &object), 0);
        } while (strcmp(json_str_or(object, "state", ""), "running") == 0);
        assert_string_equal(json_str_or(object, "state", ""), "done");
        assert_string_equal(json_str_or(json_object_get(object, "result"), "hash", ""),
                            hex);
        int64_t n = 0;
        assert_int_equal(store_get_i64(tx, &n, "SELECT applied FROM toy", ""), 0);
        assert_int_equal(n, 1);
        assert_int_equal(
            store_get_i64(tx, &n, "SELECT count(*) FROM event WHERE type = 'job.done.v1'",
                          ""),
            0);
        assert_int_equal(n, 1);
        assert_int_equal(store_get_i64(tx, &n, "SELECT count(*) FROM flow_result", ""),
                         0);
        assert_int_equal(n, KILL_STEPS + 1);
        store_rollback(&tx);
        flow_executor_stop(&x);
        assert_scratch_is_empty(data);
    }
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "step") == 0) {
        return flow_step_main(types, ARRAY_LEN(types), argv[3], argv[5]);
    }
    if (argc == 3 && strcmp(argv[1], "execute") == 0) {
        return execute(argv[2]);
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
        cmocka_unit_test_setup_teardown(what_passes_is_tried_until_it_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rerun_keeps_what_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelling_kills_what_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_and_memory_are_respected, setup, teardown),
        cmocka_unit_test_setup_teardown(priority_goes_first_then_length, setup, teardown),
        cmocka_unit_test_setup_teardown(one_executor_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_of_workflows_end_their_job, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_cost_of_a_step_is_that_of_its_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(killed_executors_lose_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
