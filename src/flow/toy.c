// SPDX-License-Identifier: GPL-3.0-or-later
#include "flow/toy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

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
int64_t toy_noted(const char *file)
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
    meter_counter_add(meter_counter_of(flow_step_meter(s), "toy.squared", NULL), 1);
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
    if (toy_noted("failed") > times) {
        return flow_step_result(s, "main", json_true());
    }
    flow_step_log(s, "about to fail by %s", how);
    meter_counter_add(meter_counter_of(flow_step_meter(s), "toy.failed", NULL), 1);
    if (strcmp(how, "signal") == 0) {
        raise(SIGUSR1);
    }
    if (strcmp(how, "kill") == 0) {
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

// A step for each of params.steps ({"name","priority","urgency","cost","type"}), all at once.
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
                                     .urgency = (int)json_i64_or(step, "urgency", 0),
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

// --- what the tests share ---------------------------------------------------------------------------

int toy_open(const char *dir, struct store **ret)
{
    TRY(store_open(ret, dir));
    TRY(store_migrate(*ret, bus_migrations, bus_migration_count));
    TRY(store_migrate(*ret, flow_migrations, flow_migration_count));
    return store_migrate(*ret, toy_migrations, ARRAY_LEN(toy_migrations));
}

struct flow_executor_config toy_config(struct store *store)
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

int toy_submit(struct store *store, const char *workflow, json_t *params, char *job)
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

// `… execute DATA`: an executor in a process of its own, until it is killed.
static int execute(const char *data)
{
    struct store *store = NULL;
    struct flow_executor *x = NULL;
    int err = toy_open(data, &store);
    if (err == 0) {
        struct flow_executor_config config = toy_config(store);
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

int toy_main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "step") == 0) {
        return flow_step_main(types, ARRAY_LEN(types), argv[3], argv[5]);
    }
    return argc == 3 && strcmp(argv[1], "execute") == 0 ? execute(argv[2]) : -1;
}
