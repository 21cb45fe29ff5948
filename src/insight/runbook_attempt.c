// SPDX-License-Identifier: GPL-3.0-or-later
//
// One attempt at a run, on the machine that it is for.
//
//     lock the target ─▶ was it begun? ─no─▶ write that it begins ─▶ end what is left there ─▶ run ─▶ judge
//                              └─yes─▶ end what is left of it, answer "lost"
//
// The lock is the kernel's (flock), so it ends with the process that holds it; the program's leader ends with
// that process, too (PR_SET_PDEATHSIG), and what else it started is found by the mark in its environment.
// "It begins" is on the disk before the program starts: so often as the files say was it started, at most.
#include "insight/runbook_parts.h"
#include "insight/runbook_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define S_US         INT64_C(1000000)
#define LOCK_US      (15 * S_US)
#define KEPT_US      (7 * 86400 * S_US)
#define SECRET_BYTES 6 // shorter values are no secrets
#define ENV_MAX      64

void insight_attempt_clear(struct insight_attempt *a)
{
    json_free(&a->value);
    buf_free(&a->out);
    buf_free(&a->err);
}

struct scene {
    const struct insight_attempt_config *config;
    struct insight_attempt *ret;
    const char *run;
    int64_t attempt;
    char lock_name[HASH_HEX_BYTES]; // of the target
    int lock_fd;
    bool timed_out;
    VEC(char *) env; // NAME=value
};

static void scene_clear(struct scene *s)
{
    fd_close(&s->lock_fd);
    vec_for_each (e, &s->env) {
        if (*e) {
            explicit_bzero(*e, strlen(*e));
        }
        cstr_free(e);
    }
    vec_free(&s->env);
}

static int came_of(struct scene *s, const char *outcome, const char *reason)
{
    json_free(&s->ret->value);
    return json_made(json_pack("{s:s, s:s?}", "outcome", outcome, "reason", reason),
                     &s->ret->value);
}

// --- the lock and the journal ----------------------------------------------------------------------------

// 1: it is ours. Whoever holds it is about to end: a cancelled run, or one whose lease was lost.
static int lock_target(struct scene *s)
{
    AUTO(cstr_free) char *path = NULL;
    int64_t until_us = clock_mono_us() + LOCK_US;
    TRY(fs_make_dirs(s->config->folder));
    TRY(cstr_printf(&path, "%s/%s.lock", s->config->folder, s->lock_name));
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        return err_fail_errno("%s", path);
    }
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        bool stopped = s->config->stop && s->config->stop(s->config->user);
        if (stopped || clock_mono_us() > until_us) {
            return 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return 1;
}

// 1: nobody began this attempt before, and now it is written down.
static int write_begun(const struct scene *s)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/%s-%lld.begun", s->config->folder, s->run,
                    (long long)s->attempt));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return 0;
    }
    if (fd < 0 || fsync(fd) != 0) {
        return err_fail_errno("%s", path);
    }
    TRY(fs_sync_dir(s->config->folder));
    return 1;
}

int insight_attempts_tidy(const char *folder)
{
    DIR *dir = opendir(folder);
    int64_t before_us = clock_wall_us() - KEPT_US;
    if (!dir) {
        return errno == ENOENT ? 0 : err_fail_errno("%s", folder);
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct stat st;
        bool ours = str_ends(str_of(e->d_name), ".begun") ||
                    str_ends(str_of(e->d_name), ".ended");
        if (ours && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (int64_t)st.st_mtime * S_US < before_us) {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    closedir(dir);
    return 0;
}

// --- the program ----------------------------------------------------------------------------------------------

static int add_variable(struct scene *s, const char *name, const char *value)
{
    char *text = NULL;
    TRY(cstr_printf(&text, "%s=%s", name, value));
    if (vec_push(&s->env, text) < 0) {
        cstr_free(&text);
        return ERR_NOMEM;
    }
    return 0;
}

static int environment(struct scene *s)
{
    const json_t *names = json_object_get(s->config->order, "env");
    TRY(add_variable(s, RUNBOOK_RUN_MARK, s->run));
    TRY(add_variable(s, RUNBOOK_TARGET_MARK, s->lock_name));
    for (size_t i = 0; i < json_array_size(names) && i < ENV_MAX; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *value = name ? getenv(name) : NULL;
        TRY(value ? add_variable(s, name, value) : 0);
    }
    return vec_push(&s->env, NULL);
}

// What was passed on by name must not be kept by value.
static int hide_one(struct buf *text, const char *variable)
{
    const char *value = strchr(variable, '=') + 1;
    size_t len = strlen(value);
    AUTO(buf_free) struct buf hidden = {0};
    struct str rest = buf_view(text);
    const char *at = NULL;
    if (len < SECRET_BYTES || !rest.len) {
        return 0;
    }
    while ((at = memmem(rest.data, rest.len, value, len)) != NULL) {
        buf_add(&hidden, rest.data, (size_t)(at - rest.data));
        buf_printf(&hidden, "[%.*s]", (int)(value - 1 - variable), variable);
        rest = (struct str){at + len, rest.len - (size_t)(at + len - rest.data)};
    }
    buf_str(&hidden, rest);
    TRY(hidden.err);
    struct buf before = *text;
    *text = hidden;
    hidden = before;
    return 0;
}

static int hide_secrets(struct scene *s, struct buf *text)
{
    for (size_t i = 2; i + 1 < s->env.len; i++) { // behind the marks
        TRY(hide_one(text, s->env.data[i]));
    }
    return 0;
}

static int request(const struct scene *s, struct buf *out)
{
    const json_t *o = s->config->order;
    AUTO(json_free) json_t *in = NULL;
    TRY(json_made(json_pack("{s:i, s:s, s:s, s:O, s:s, s:O, s:I}", "schema", 1, "run",
                            s->run, "runbook", json_str_or(o, "runbook", ""), "event",
                            json_object_get(o, "event"), "target",
                            json_str_or(o, "target", ""), "dry_run",
                            json_object_get(o, "dry_run"), "attempt",
                            (json_int_t)s->attempt),
                  &in));
    json_write_canonical(out, in);
    buf_char(out, '\n');
    return out->err;
}

static int argv_of(const struct scene *s, const char **argv, size_t most)
{
    const json_t *list = json_object_get(s->config->order, "argv");
    size_t count = json_array_size(list);
    FAIL_IF(count == 0 || count >= most, ERR_INVALID, "an order without a program");
    for (size_t i = 0; i < count; i++) {
        argv[i] = json_string_value(json_array_get(list, i));
        FAIL_IF(!argv[i], ERR_INVALID, "an argument is text");
    }
    argv[count] = NULL;
    return 0;
}

// --- judgement ----------------------------------------------------------------------------------------------

static int judge_exit(struct scene *s, const struct proc_answer *a, int64_t timeout_ms)
{
    AUTO(buf_free) struct buf why = {0}, line = {0};
    struct str said = str_trim(buf_view(&s->ret->err));
    if (a->timed_out) {
        buf_printf(&why,
                   "it took longer than %lld s, and was ended with all that it had "
                   "started",
                   (long long)(timeout_ms / 1000));
        return why.err < 0 ? why.err : came_of(s, "timeout", why.data);
    }
    if (a->stopped) {
        return came_of(s, "stopped", "it was called off");
    }
    buf_line(&line, (struct str){said.data, MIN(said.len, (size_t)300)});
    if (a->exit.signal) {
        buf_printf(&why, "it was ended by signal %d", a->exit.signal);
    } else {
        buf_printf(&why, "it ended with %d", a->exit.code);
    }
    buf_printf(&why, "%s%s", line.len ? ": " : "", line.len ? line.data : "");
    TRY(why.err);
    return came_of(s, "failed", why.data);
}

static int judge_answer(struct scene *s, const struct proc_answer *a)
{
    AUTO(json_free) json_t *answer = NULL;
    int64_t most = json_i64_or(s->config->order, "stdout_bytes", 1 << 20);
    if (a->out_cut) {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_printf(&why, "its answer has more than %lld bytes", (long long)most));
        return came_of(s, "malformed", why);
    }
    if (insight_answer_parse(buf_view(&s->ret->out), (size_t)most, &answer) < 0) {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_printf(&why, "its answer: %s", err_reason()));
        return came_of(s, "malformed", why);
    }
    bool failed = strcmp(json_str_or(answer, "status", ""), "failed") == 0;
    TRY(came_of(s, failed ? "failed" : "ok",
                failed ? json_str_or(answer, "summary", "") : NULL));
    FAIL_IF(json_object_set(s->ret->value, "answer", answer) != 0, ERR_NOMEM,
            "an answer");
    return 0;
}

static int add_facts(struct scene *s, const struct proc_answer *a, int64_t began_us,
                     int64_t wall_us)
{
    AUTO(json_free) json_t *facts = NULL;
    char began[CLOCK_RFC3339_BYTES];
    clock_rfc3339(began_us, began);
    TRY(json_made(json_pack("{s:i, s:i, s:I, s:I, s:s, s:b, s:I, s:I}", "code",
                            a->exit.code, "signal", a->exit.signal, "wall_us",
                            (json_int_t)wall_us, "cpu_us", (json_int_t)a->exit.cpu_us,
                            "began", began, "cut", a->cut, "stdout_bytes",
                            (json_int_t)a->out.len, "stderr_bytes",
                            (json_int_t)a->err.len),
                  &facts));
    return json_object_update(s->ret->value, facts) == 0 ? 0
                                                         : err_fail(ERR_NOMEM, "facts");
}

static int run(struct scene *s)
{
    const json_t *o = s->config->order;
    const char *argv[ENV_MAX + 2];
    AUTO(buf_free) struct buf in = {0};
    AUTO(proc_answer_free) struct proc_answer a = {0};
    int64_t timeout_ms = json_i64_or(o, "timeout_ms", 60000);
    int64_t began_us = clock_wall_us(), since_us = clock_mono_us();
    TRY(argv_of(s, argv, ARRAY_LEN(argv)));
    TRY(environment(s));
    TRY(request(s, &in));
    int err = proc_ask(
        &(struct proc_question){
            .argv = argv,
            .cwd = "/",
            .in = buf_view(&in),
            .timeout_us = timeout_ms * 1000,
            .max_bytes = (size_t)json_i64_or(o, "stdout_bytes", 1 << 20),
            .max_err_bytes = (size_t)json_i64_or(o, "stderr_bytes", 64 << 10),
            .env = (const char *const *)s->env.data,
            .ends_group = true,
            .stop = s->config->stop,
            .user = s->config->user},
        &a);
    if (err < 0) {
        return came_of(s, "failed", err_reason());
    }
    int64_t wall_us = clock_mono_us() - since_us;
    if (a.timed_out || a.stopped) {
        (void)runbook_sweep(RUNBOOK_RUN_MARK, s->run); // who left the group, too
    }
    buf_str(&s->ret->out, buf_view(&a.out));
    buf_str(&s->ret->err, buf_view(&a.err));
    TRY(hide_secrets(s, &s->ret->out));
    TRY(hide_secrets(s, &s->ret->err));
    bool bad = a.timed_out || a.stopped || a.exit.code != 0;
    TRY(bad ? judge_exit(s, &a, timeout_ms) : judge_answer(s, &a));
    return add_facts(s, &a, began_us, wall_us);
}

int insight_attempt_run(const struct insight_attempt_config *config,
                        struct insight_attempt *ret)
{
    AUTO(scene_clear)
    struct scene s = {.config = config, .ret = ret, .lock_fd = -1};
    struct hash target;
    const char *name = NULL;
    TRY(json_get_str(config->order, "run", &s.run));
    TRY(json_get_str(config->order, "target", &name));
    TRY(json_get_i64(config->order, "attempt", 1, 1000000, &s.attempt));
    FAIL_IF(!uuid_is_valid(str_of(s.run)), ERR_INVALID, "a run without an id");
    hash_of(name, strlen(name), &target);
    hash_hex(&target, s.lock_name);
    int ours = lock_target(&s);
    TRY(ours);
    if (!ours) {
        return came_of(&s, "busy", "another run is at its target and does not end");
    }
    int fresh = write_begun(&s);
    TRY(fresh);
    TRY(runbook_sweep(RUNBOOK_TARGET_MARK, s.lock_name));
    if (!fresh) {
        return came_of(&s, "lost", "who ran it ended in the midst of it");
    }
    return run(&s);
}
