// SPDX-License-Identifier: GPL-3.0-or-later
//
// A step seen from inside its process. Its folder:
//
//     request.json        {"type","version","params","inputs":[{"name","hash"}],
//                          "parts":[{"name","params"}]}
//     out/<part>/<name>   outputs, by the number of the part in the request
//     result.json         {"parts":[{"value","outputs":[name]}],"meters"?} or {"error":{"code","reason"}}
//
// Standard output is the pipe of progress lines ({"done","total"}); what libraries print there is
// sent to the log instead. Nothing of this folder needs to be durable: the executor adopts it.
#include "flow/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRESS_EVERY_US 100000

struct part {
    const char *name;
    const json_t *params;
    json_t *value;
    json_t *outputs; // names
};

struct flow_step {
    const char *dir;
    json_t *request;
    const json_t *params;
    const json_t *inputs;
    json_t *no_params;
    struct store_blobs *blobs;
    VEC(struct part) parts;
    struct meter *meter;
    struct buf meters; // what it sent
    int progress_fd;
    int64_t progress_told_us;
};

const json_t *flow_step_params(const struct flow_step *s)
{
    return s->params;
}

static int input_hash(const struct flow_step *s, const char *name, struct hash *ret)
{
    size_t i;
    json_t *input;
    json_array_foreach(s->inputs, i, input)
    {
        if (strcmp(json_str_or(input, "name", ""), name) == 0) {
            return hash_parse(str_of(json_str_or(input, "hash", "")), ret);
        }
    }
    FAIL(ERR_NOT_FOUND, "the step has no input '%s'", name);
}

int flow_step_input(struct flow_step *s, const char *name, struct store_blob **ret)
{
    struct hash h;
    TRY(input_hash(s, name, &h));
    return store_blob_open(s->blobs, &h, ret);
}

bool flow_step_has_input(const struct flow_step *s, const char *name)
{
    struct hash h;
    return input_hash(s, name, &h) == 0;
}

int flow_step_input_json(struct flow_step *s, const char *name, json_t **ret)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(flow_step_input(s, name, &blob));
    int64_t size = store_blob_size(blob);
    FAIL_IF(size > (int64_t)RESULT_BYTES_MAX, ERR_LIMIT, "input '%s' has %lld bytes",
            name, (long long)size);
    AUTO(buf_free) struct buf text = {0};
    buf_reserve(&text, (size_t)size + 1);
    TRY(text.err);
    while ((int64_t)text.len < size) {
        int64_t n = store_blob_read(blob, (int64_t)text.len, text.data + text.len,
                                    (size_t)size - text.len);
        TRY((int)MIN(n, 0));
        FAIL_IF(n == 0, ERR_CORRUPT, "input '%s' is shorter than it was", name);
        text.len += (size_t)n;
    }
    return json_parse(ret, buf_view(&text), RESULT_BYTES_MAX);
}

size_t flow_step_part_count(const struct flow_step *s)
{
    return s->parts.len;
}

const char *flow_step_part_name(const struct flow_step *s, size_t i)
{
    ASSERT(i < s->parts.len);
    return s->parts.data[i].name;
}

const json_t *flow_step_part_params(const struct flow_step *s, size_t i)
{
    ASSERT(i < s->parts.len);
    return s->parts.data[i].params;
}

static int find_part(struct flow_step *s, const char *name, struct part **ret)
{
    vec_for_each (p, &s->parts) {
        if (strcmp(p->name, name) == 0) {
            *ret = p;
            return 0;
        }
    }
    FAIL(ERR_NOT_FOUND, "the step was not asked for part '%s'", name);
}

static bool has_name(const json_t *names, const char *name)
{
    size_t i;
    json_t *n;
    json_array_foreach(names, i, n)
    {
        if (strcmp(json_string_value(n), name) == 0) {
            return true;
        }
    }
    return false;
}

int flow_step_output(struct flow_step *s, const char *part, const char *name,
                     char **ret_path)
{
    struct part *p = NULL;
    TRY(find_part(s, part, &p));
    FAIL_IF(!flow_name_is_safe(name), ERR_INVALID, "'%s' is no name for an output", name);
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/out/%zu/%s", s->dir, (size_t)(p - s->parts.data), name));
    char *slash = strrchr(path, '/');
    *slash = '\0';
    int err = fs_make_dirs(path);
    *slash = '/';
    TRY(err);
    FAIL_IF(!has_name(p->outputs, name) &&
                json_array_append_new(p->outputs, json_string(name)) < 0,
            ERR_NOMEM, "an output");
    *ret_path = TAKE(path);
    return 0;
}

int flow_step_result(struct flow_step *s, const char *part, json_t *value)
{
    AUTO(json_free) json_t *owned = value;
    AUTO(buf_free) struct buf text = {0};
    struct part *p = NULL;
    FAIL_IF(!owned, ERR_NOMEM, "a result");
    TRY(find_part(s, part, &p));
    json_write_canonical(&text, owned);
    TRY(text.err);
    FAIL_IF(text.len > VALUE_BYTES_MAX, ERR_LIMIT, "the value of part '%s' has %zu bytes",
            part, text.len);
    json_free(&p->value);
    p->value = TAKE(owned);
    return 0;
}

void flow_step_progress(struct flow_step *s, int64_t done, int64_t total)
{
    int64_t now_us = clock_mono_us();
    if (s->progress_fd < 0 ||
        (done < total && now_us - s->progress_told_us < PROGRESS_EVERY_US)) {
        return;
    }
    s->progress_told_us = now_us;
    AUTO(buf_free) struct buf line = {0};
    AUTO(json_free)
    json_t *j =
        json_pack("{s:I, s:I}", "done", (json_int_t)done, "total", (json_int_t)total);
    if (!j) {
        return;
    }
    json_write_canonical(&line, j);
    buf_char(&line, '\n');
    // Nobody listens: the executor is gone, and this process ends with it.
    if (line.err || fd_write_all(s->progress_fd, line.data, line.len) < 0) {
        fd_close(&s->progress_fd);
    }
}

void flow_step_log(struct flow_step *s, const char *fmt, ...)
{
    (void)s;
    AUTO(buf_free) struct buf line = {0};
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    char time[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_us(), time);
    buf_printf(&line, "%s %s\n", time, text);
    free(text);
    if (line.err == 0) {
        // A log that cannot be written is no reason to fail the work.
        ssize_t told = write(STDERR_FILENO, line.data, line.len);
        (void)told;
    }
}

static void keep_lines(void *user, struct str lines)
{
    struct flow_step *s = user;
    buf_str(&s->meters, lines);
}

// Made by the first who counts. NULL, as for every meter, when it cannot be had.
struct meter *flow_step_meter(struct flow_step *s)
{
    const struct meter_config config = {.sink = keep_lines, .user = s, .flush_us = -1};
    if (!s->meter && meter_new(&s->meter, &config) < 0) {
        s->meter = NULL;
    }
    return s->meter;
}

// --- the process -----------------------------------------------------------------------------

static int read_request(struct flow_step *s)
{
    AUTO(cstr_free) char *path = NULL;
    json_t *parts = NULL, *inputs = NULL, *part = NULL;
    size_t i;
    TRY(cstr_printf(&path, "%s/" REQUEST_FILE, s->dir));
    TRY(json_parse_file(&s->request, path, RESULT_BYTES_MAX));
    TRY(json_get_array(s->request, "parts", &parts));
    TRY(json_get_array(s->request, "inputs", &inputs));
    TRY(json_made(json_object(), &s->no_params));
    s->inputs = inputs;
    s->params = json_object_get(s->request, "params");
    json_array_foreach(parts, i, part)
    {
        struct part p = {.params = json_object_get(part, "params")};
        TRY(json_get_str(part, "name", &p.name));
        p.params = p.params ? p.params : s->no_params;
        TRY(json_made(json_array(), &p.outputs));
        TRY(vec_push(&s->parts, p));
    }
    return 0;
}

static int check_outputs(struct flow_step *s, const struct part *p)
{
    size_t i;
    json_t *name;
    json_array_foreach(p->outputs, i, name)
    {
        AUTO(cstr_free) char *path = NULL;
        TRY(cstr_printf(&path, "%s/out/%zu/%s", s->dir, (size_t)(p - s->parts.data),
                        json_string_value(name)));
        FAIL_IF(!fs_exists(path), ERR_INTERNAL,
                "output '%s' of part '%s' was not written", json_string_value(name),
                p->name);
    }
    return 0;
}

static int gather(struct flow_step *s, json_t **ret)
{
    AUTO(json_free) json_t *parts = json_array();
    vec_for_each (p, &s->parts) {
        TRY(check_outputs(s, p));
        json_t *made = NULL;
        TRY(json_made(json_pack("{s:O*, s:O}", "value", p->value, "outputs", p->outputs),
                      &made));
        FAIL_IF(json_array_append_new(parts, made) < 0, ERR_NOMEM, "results");
    }
    meter_flush(s->meter);
    const struct buf *m = &s->meters;
    bool counted = m->err == 0 && m->len > 0 && m->len <= METERS_BYTES_MAX;
    return json_made(
        json_pack("{s:O, s:s*}", "parts", parts, STEP_METERS, counted ? m->data : NULL),
        ret);
}

static int write_result(const struct flow_step *s, const json_t *result)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(cstr_printf(&path, "%s/" RESULT_FILE, s->dir));
    json_write_canonical(&text, result);
    TRY(text.err);
    // Not synced: an executor that outlives this process reads it from memory.
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("creating %s", path);
    }
    return fd_write_all(fd, text.data, text.len);
}

// --- its log: what it did, in two lines ---------------------------------------------------------

enum { LOG_NAMES = 8 };

static void name_one(struct buf *out, size_t i, size_t count, const char *name)
{
    if (i < LOG_NAMES) {
        buf_printf(out, "%s%s", i ? ", " : " ", name);
    } else if (i == LOG_NAMES) {
        buf_printf(out, " and %zu more", count - LOG_NAMES);
    }
}

static void log_begin(struct flow_step *s, const char *type)
{
    AUTO(buf_free) struct buf line = {0};
    size_t count = json_array_size(s->inputs);
    buf_printf(&line, "%s of", type);
    for (size_t i = 0; i < count; i++) {
        name_one(&line, i, count, json_str_or(json_array_get(s->inputs, i), "name", "?"));
    }
    if (s->parts.len > 1) {
        buf_cstr(&line, "; parts");
        for (size_t i = 0; i < s->parts.len; i++) {
            name_one(&line, i, s->parts.len, s->parts.data[i].name);
        }
    }
    if (line.err == 0) {
        flow_step_log(s, "%s", line.data);
    }
}

static int64_t bytes_of(const struct flow_step *s, size_t part, const char *name)
{
    AUTO(cstr_free) char *path = NULL;
    struct stat st;
    bool known = cstr_printf(&path, "%s/out/%zu/%s", s->dir, part, name) == 0 &&
                 stat(path, &st) == 0;
    return known ? st.st_size : 0;
}

static void log_end(struct flow_step *s, int64_t start_us)
{
    AUTO(buf_free) struct buf names = {0};
    int64_t bytes = 0;
    size_t count = 0, at = 0, i;
    const json_t *name;
    vec_for_each (p, &s->parts) {
        count += json_array_size(p->outputs);
    }
    vec_for_each (p, &s->parts) {
        json_array_foreach(p->outputs, i, name)
        {
            bytes += bytes_of(s, (size_t)(p - s->parts.data), json_string_value(name));
            name_one(&names, at++, count, json_string_value(name));
        }
    }
    if (names.err == 0) {
        flow_step_log(s, "done in %.2f s, %.2f s of CPU; outputs: %zu, %lld bytes%s%s",
                      (double)(clock_mono_us() - start_us) / 1e6,
                      (double)clock_cpu_us() / 1e6, count, (long long)bytes,
                      count ? ":" : "", count ? names.data : "");
    }
}

static int run_type(struct flow_step *s, const struct flow_step_type *types,
                    size_t type_count, const char *data_dir)
{
    const char *name = NULL;
    TRY(read_request(s));
    TRY(json_get_str(s->request, "type", &name));
    TRY(store_blobs_open(&s->blobs, data_dir));
    for (size_t i = 0; i < type_count; i++) {
        if (strcmp(types[i].name, name) != 0) {
            continue;
        }
        AUTO(json_free) json_t *result = NULL;
        int64_t start_us = clock_mono_us();
        log_begin(s, name);
        TRY(types[i].run(s));
        TRY(gather(s, &result));
        log_end(s, start_us);
        return write_result(s, result);
    }
    FAIL(ERR_UNSUPPORTED, "this program has no step '%s'", name);
}

static void report_failure(struct flow_step *s, int err)
{
    AUTO(json_free) json_t *result = NULL;
    flow_step_log(s, "failed: %s: %s", err_name(err), err_reason());
    // The reason may quote bytes of a broken file.
    const char *why = str_is_utf8(str_of(err_reason())) ? err_reason() : err_text(err);
    if (json_made(
            json_pack("{s:{s:s, s:s}}", "error", "code", err_name(err), "reason", why),
            &result) == 0) {
        (void)write_result(s, result);
    }
}

// Progress keeps the pipe; whatever prints to standard output from now on prints to the log.
static int take_stdout(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// When memory is out the system ends a step, which is made again, and not the service.
static void go_first(void)
{
    AUTO(fd_close) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t told = fd < 0 ? -1 : write(fd, "500", 3);
    (void)told;
}

int flow_step_main(const struct flow_step_type *types, size_t type_count,
                   const char *data_dir, const char *dir)
{
    go_first();
    struct flow_step s = {.dir = dir, .progress_fd = take_stdout()};
    int err = run_type(&s, types, type_count, data_dir);
    if (err < 0) {
        report_failure(&s, err);
    }
    fd_close(&s.progress_fd);
    meter_free(&s.meter);
    buf_free(&s.meters);
    vec_for_each (p, &s.parts) {
        json_free(&p->value);
        json_free(&p->outputs);
    }
    vec_free(&s.parts);
    store_blobs_close(&s.blobs);
    json_free(&s.no_params);
    json_free(&s.request);
    return err < 0 ? 1 : 0;
}
