// SPDX-License-Identifier: GPL-3.0-or-later
//
// The process of a step, as its executor sees it. The folder, the pipe and the log are made here;
// step.c is the other side. What the process left is not trusted: names are checked, files are
// opened without following links, sizes are bounded.
#include "flow/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096
// At a time: a child that never stops talking must not hold this thread.
#define READS_MAX     64
#define LOG_BYTES_MAX (32 << 20)

int attempt_new(struct attempt **ret)
{
    struct attempt *a = calloc(1, sizeof *a);
    FAIL_IF(!a, ERR_NOMEM, "an attempt");
    a->pid_fd = a->out_fd = -1;
    *ret = a;
    return 0;
}

void attempt_free(struct attempt **attempt)
{
    struct attempt *a = TAKE(*attempt);
    if (!a) {
        return;
    }
    if (a->pid) {
        kill(a->pid, SIGKILL);
        (void)proc_wait(a->pid, true, &a->exit);
    }
    if (a->dir) {
        (void)fs_remove_tree(a->dir);
    }
    vec_for_each (part, &a->parts) {
        cstr_free(&part->name);
        json_free(&part->params);
    }
    vec_free(&a->parts);
    vec_for_each (output, &a->outputs) {
        cstr_free(&output->name);
    }
    vec_free(&a->outputs);
    fd_close(&a->pid_fd);
    fd_close(&a->out_fd);
    buf_free(&a->line);
    json_free(&a->spec);
    json_free(&a->result);
    cstr_free(&a->name);
    cstr_free(&a->subject);
    cstr_free(&a->dir);
    cstr_free(&a->log_path);
    cstr_free(&a->reason);
    free(a);
}

void attempt_fail(struct attempt *a, int err, const char *reason)
{
    a->ended = true;
    a->err = err;
    cstr_free(&a->reason);
    (void)cstr_dup(&a->reason, reason);
}

void attempt_kill(struct attempt *a)
{
    if (a->pid) {
        kill(a->pid, SIGKILL);
    }
}

// --- start ---------------------------------------------------------------------------------------

static int request_json(const struct attempt *a, json_t **ret)
{
    AUTO(json_free) json_t *parts = json_array();
    vec_for_each (part, &a->parts) {
        json_t *asked =
            json_pack("{s:s, s:O*}", "name", part->name, "params", part->params);
        FAIL_IF(json_array_append_new(parts, asked) < 0, ERR_NOMEM, "a request");
    }
    return json_made(json_pack("{s:s, s:I, s:O, s:O, s:O}", "type", a->type->name,
                               "version", (json_int_t)a->type->version, "params",
                               json_object_get(a->spec, "params"), "inputs",
                               json_object_get(a->spec, "inputs"), "parts", parts),
                     ret);
}

static int make_folder(struct attempt *a, struct store *store)
{
    AUTO(json_free) json_t *request = NULL;
    AUTO(buf_free) struct buf text = {0};
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&a->dir, "%s/scratch/" SCRATCH_PREFIX "%lld-%lld", store_dir(store),
                    (long long)a->step, (long long)a->fence));
    TRY(fs_remove_tree(a->dir));
    TRY(fs_make_dirs(a->dir));
    TRY(request_json(a, &request));
    json_write_canonical(&text, request);
    TRY(text.err);
    TRY(cstr_printf(&path, "%s/" REQUEST_FILE, a->dir));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("creating %s", path);
    }
    return fd_write_all(fd, text.data, text.len);
}

static int open_log(struct attempt *a, struct store *store, int *ret_fd)
{
    TRY(flow_log_path(store, a->job, a->step, &a->log_path));
    char *slash = strrchr(a->log_path, '/');
    *slash = '\0';
    int err = fs_make_dirs(a->log_path);
    *slash = '/';
    TRY(err);
    // For appending, so that a log that is cut while it is written has no hole.
    int fd = open(a->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("creating %s", a->log_path);
    }
    *ret_fd = fd;
    return 0;
}

static int start(struct attempt *a, const struct flow_executor_config *c)
{
    struct store *store = c->store;
    AUTO(fd_close) int log = -1;
    int ends[2];
    TRY(make_folder(a, store));
    TRY(open_log(a, store, &log));
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_fail_errno("a pipe");
    }
    AUTO(fd_close) int child_end = ends[1];
    a->out_fd = ends[0];
    if (fcntl(a->out_fd, F_SETFL, O_NONBLOCK) < 0) {
        return err_fail_errno("a pipe");
    }
    const char *argv[] = {c->program, "step", "--data", store_dir(store),
                          "--dir",    a->dir, NULL};
    TRY(proc_spawn(&(struct proc_config){.argv = argv,
                                         .cwd = a->dir,
                                         .in_fd = -1,
                                         .out_fd = child_end,
                                         .err_fd = log,
                                         .nice = c->nice},
                   &a->pid));
    // Without it (a kernel before 5.3) ends are seen a poll later.
    a->pid_fd = pidfd_open(a->pid, 0);
    return 0;
}

void attempt_start(struct attempt *a, const struct flow_executor_config *config)
{
    a->started_us = a->heard_us = clock_mono_us();
    int err = start(a, config);
    if (err < 0) {
        attempt_fail(a, err, err_reason());
    }
}

// --- while it runs ---------------------------------------------------------------------------------

static bool take_line(struct attempt *a, struct str text)
{
    AUTO(json_free) json_t *line = NULL;
    int64_t done = 0, total = 0;
    if (json_parse(&line, text, LINE_BYTES_MAX) < 0 ||
        json_get_i64(line, "done", 0, INT64_MAX, &done) < 0 ||
        json_get_i64(line, "total", 1, INT64_MAX, &total) < 0) {
        return false;
    }
    int64_t ppm = (int64_t)((double)MIN(done, total) / (double)total * PPM);
    bool changed = ppm > a->done_ppm;
    a->done_ppm = MAX(ppm, a->done_ppm);
    return changed;
}

bool attempt_listen(struct attempt *a)
{
    char block[LINE_BYTES_MAX];
    bool changed = false;
    ssize_t n;
    for (int reads = 0; a->out_fd >= 0; reads++) {
        n = reads < READS_MAX ? read(a->out_fd, block, sizeof block) : -1;
        if (n < 0) {
            return changed;
        }
        if (n == 0) {
            break;
        }
        a->heard_us = clock_mono_us();
        buf_add(&a->line, block, (size_t)n);
        struct str rest = buf_view(&a->line), head;
        const char *end;
        while (rest.len && (end = memchr(rest.data, '\n', rest.len)) != NULL) {
            (void)str_next(&rest, '\n', &head);
            changed = take_line(a, head) || changed;
        }
        // Half a line stays; what is longer than a line may be is none of ours.
        struct buf kept = {0};
        if (rest.len <= LINE_BYTES_MAX) {
            buf_str(&kept, rest);
        }
        buf_free(&a->line);
        a->line = kept;
    }
    fd_close(&a->out_fd);
    return changed;
}

void attempt_trim_log(struct attempt *a)
{
    struct stat st;
    if (!a->log_path || stat(a->log_path, &st) < 0 || st.st_size < LOG_BYTES_MAX) {
        return;
    }
    AUTO(fd_close) int fd = open(a->log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, 0) == 0) {
        static const char note[] =
            "(the log was over 32 MiB; its beginning was dropped)\n";
        (void)fd_write_all(fd, note, sizeof note - 1);
    }
}

// --- the end -----------------------------------------------------------------------------------------

static void add_log_tail(const struct attempt *a, struct buf *out)
{
    char tail[LOG_TAIL_BYTES];
    struct stat st;
    AUTO(fd_close) int fd = a->log_path ? open(a->log_path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) < 0) {
        return;
    }
    int64_t from = MAX(st.st_size - (int64_t)sizeof tail, INT64_C(0));
    ssize_t n = pread(fd, tail, sizeof tail, from);
    struct str text = {tail, n > 0 ? (size_t)n : 0};
    const char *line = from > 0 && text.len ? memchr(text.data, '\n', text.len) : NULL;
    if (line) {
        text = (struct str){line + 1, text.len - (size_t)(line + 1 - text.data)};
    }
    text = str_trim(text);
    if (!text.len) {
        return;
    }
    buf_cstr(out, "; the log ends: ");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        buf_char(out, c == '\n' ? '\n' : c < 0x20 || c >= 0x7f ? '?' : (char)c);
    }
}

// Nothing in a step sends these: the kernel does, short of memory, or a person, or a system that stops.
static bool is_from_outside(int signal)
{
    return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

static void fail_crashed(struct attempt *a)
{
    AUTO(buf_free) struct buf why = {0};
    if (a->exit.signal) {
        const char *name = sigabbrev_np(a->exit.signal);
        buf_printf(&why, "the process was ended by SIG%s (%d)", name ? name : "?",
                   a->exit.signal);
    } else {
        buf_printf(&why, "the process ended with %d and left no result", a->exit.code);
    }
    add_log_tail(a, &why);
    attempt_fail(a, is_from_outside(a->exit.signal) ? ERR_KILLED : ERR_CRASHED,
                 why.err ? "a process ended abnormally" : why.data);
}

static int adopt_part(struct attempt *a, struct store_blobs *blobs, size_t i,
                      const json_t *part)
{
    json_t *names = NULL, *name = NULL;
    size_t k;
    TRY(json_get_array(part, "outputs", &names));
    json_array_foreach(names, k, name)
    {
        AUTO(cstr_free) char *path = NULL;
        struct made_output made = {.part = i};
        const char *text = json_string_value(name);
        FAIL_IF(!text || !flow_name_is_safe(text), ERR_INTERNAL,
                "a bad name of an output");
        TRY(cstr_printf(&path, "%s/out/%zu/%s", a->dir, i, text));
        TRY(store_blob_adopt(blobs, path, &made.blob, &made.size));
        TRY(cstr_dup(&made.name, text));
        if (vec_push(&a->outputs, made) < 0) {
            cstr_free(&made.name);
            return ERR_NOMEM;
        }
    }
    return 0;
}

static int take_result(struct attempt *a, struct store_blobs *blobs)
{
    AUTO(cstr_free) char *path = NULL;
    json_t *parts = NULL, *part = NULL;
    size_t i;
    TRY(cstr_printf(&path, "%s/" RESULT_FILE, a->dir));
    TRY(json_parse_file(&a->result, path, RESULT_BYTES_MAX));
    json_t *error = json_object_get(a->result, "error");
    if (error) {
        int code = err_from_name(json_str_or(error, "code", "INTERNAL"));
        FAIL(code, "%s", json_str_or(error, "reason", err_text(code)));
    }
    TRY(json_get_array(a->result, "parts", &parts));
    FAIL_IF(a->exit.code != 0 || json_array_size(parts) != a->parts.len, ERR_INTERNAL,
            "the step answered %zu parts of %zu and ended with %d",
            json_array_size(parts), a->parts.len, a->exit.code);
    json_array_foreach(parts, i, part)
    {
        TRY(adopt_part(a, blobs, i, part));
    }
    return 0;
}

void attempt_reap(struct attempt *a, struct store_blobs *blobs)
{
    if (!a->pid || proc_wait(a->pid, false, &a->exit) == ERR_BUSY) {
        return;
    }
    a->pid = 0;
    a->ended = true;
    a->wall_us = clock_mono_us() - a->started_us;
    (void)attempt_listen(a);
    AUTO(cstr_free) char *result = NULL;
    if (a->lost) {
        return;
    }
    if (a->stalled) {
        attempt_fail(a, ERR_TIMEOUT,
                     "the step made no progress for too long and was ended");
    } else if (cstr_printf(&result, "%s/" RESULT_FILE, a->dir) < 0) {
        attempt_fail(a, ERR_NOMEM, "a path");
    } else if (a->exit.signal || !fs_exists(result)) {
        fail_crashed(a);
    } else {
        int err = take_result(a, blobs);
        if (err < 0) {
            attempt_fail(a, err, err_reason());
        }
    }
}
