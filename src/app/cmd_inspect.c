// SPDX-License-Identifier: GPL-3.0-or-later
//
// `marquee inspect`: without a data folder. Every decoder runs in a child of its own, ranges side by
// side; a child leaves its result in anonymous memory, so that a crash leaves nothing behind.
#include "app/commands.h"
#include "app/written.h"
#include "ingest/ingest.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct piece { // one child's work
    int (*run)(void *user, size_t index, struct buf *out);
    size_t index;
    pid_t pid;
    int fd;
    int err; // how it ended
    char *reason;
    struct buf out;
};

struct film {
    int fd;
    struct media_input input;
    struct media_source *source;
    struct media_timeline *timeline;
    struct media_ranges ranges;
    int wanted;
};

enum { RESULT_BYTES_MAX = 1 << 28, CPU_LIMIT_S = 24 * 3600 };

static int64_t film_read(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct film *film = opaque;
    ssize_t n = 0;
    do {
        n = pread(film->fd, ret, len, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_fail_errno("reading the film") : n;
}

// --- children -----------------------------------------------------------------------------------------

// The result's form: err (int32), then bytes: of the result, or of the reason.
static _Noreturn void child_main(const struct piece *piece, void *user)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit core = {0}, cpu = {CPU_LIMIT_S, CPU_LIMIT_S + 5};
    setrlimit(RLIMIT_CORE, &core);
    setrlimit(RLIMIT_CPU, &cpu);
    AUTO(buf_free) struct buf out = {0};
    int32_t err = piece->run(user, piece->index, &out);
    if (err < 0) {
        buf_clear(&out);
        buf_cstr(&out, err_reason());
    }
    bool written = fd_write_all(piece->fd, &err, sizeof err) == 0 &&
                   fd_write_all(piece->fd, out.data, out.len) == 0;
    _exit(written ? 0 : 1);
}

static int piece_start(struct piece *piece, void *user)
{
    piece->fd = memfd_create("piece", MFD_CLOEXEC);
    if (piece->fd < 0) {
        return err_fail_errno("memory for a range");
    }
    fflush(NULL);
    piece->pid = fork();
    if (piece->pid < 0) {
        return err_fail_errno("a process for a range");
    }
    if (piece->pid == 0) {
        child_main(piece, user);
    }
    return 0;
}

static int piece_read(struct piece *piece)
{
    off_t size = lseek(piece->fd, 0, SEEK_END);
    int32_t err = 0;
    FAIL_IF(size < (off_t)sizeof err || size > RESULT_BYTES_MAX, ERR_INTERNAL,
            "a result of %lld bytes", (long long)size);
    FAIL_IF(pread(piece->fd, &err, sizeof err, 0) != sizeof err, ERR_IO, "a result");
    size_t len = (size_t)size - sizeof err;
    buf_reserve(&piece->out, len);
    TRY(piece->out.err);
    FAIL_IF(pread(piece->fd, piece->out.data, len, sizeof err) != (ssize_t)len, ERR_IO,
            "a result");
    piece->out.len = len;
    piece->out.data[len] = 0;
    piece->err = err;
    return err < 0 ? cstr_dup(&piece->reason, piece->out.data) : 0;
}

static int piece_finish(struct piece *piece, int status)
{
    piece->pid = 0;
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        piece->err = killed ? ERR_KILLED : ERR_CRASHED; // by the kernel, short of memory
        return cstr_printf(&piece->reason, "the decoder ended by signal %d",
                           WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    return piece_read(piece);
}

// Runs all pieces, at most `slots` at once.
static int pieces_run(struct piece *pieces, size_t count, size_t slots, void *user)
{
    size_t started = 0, running = 0;
    while (started < count || running > 0) {
        if (started < count && running < slots) {
            TRY(piece_start(&pieces[started++], user));
            running++;
            continue;
        }
        int status = 0;
        pid_t pid = wait(&status);
        if (pid < 0 && errno != EINTR) {
            return err_fail_errno("waiting for a range");
        }
        for (size_t i = 0; i < started; i++) {
            if (pid > 0 && pieces[i].pid == pid) {
                running--;
                TRY(piece_finish(&pieces[i], status));
            }
        }
    }
    return 0;
}

static void pieces_free(struct piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].pid > 0) {
            kill(pieces[i].pid, SIGKILL);
            waitpid(pieces[i].pid, NULL, 0);
        }
        if (pieces[i].fd > 0) {
            close(pieces[i].fd);
        }
        cstr_free(&pieces[i].reason);
        buf_free(&pieces[i].out);
    }
    free(pieces);
}

// --- the work of children -------------------------------------------------------------------------------

// {"err","reason","source","timeline":hex…} would be large; source and findings as JSON in one line
// each, the timeline behind them.
static int probe_piece(void *user, size_t index, struct buf *out)
{
    (void)index;
    struct film *film = user;
    AUTO(findings_free) struct findings findings = {0};
    int err = media_probe(&film->input, &film->source, &film->timeline, &findings);
    if (err < 0) {
        TRY(ingest_fault(&findings, "probe", err, err_reason()));
    }
    AUTO(json_free) json_t *list = NULL, *source = NULL;
    TRY(findings_to_json(&findings, &list));
    json_write_canonical(out, list);
    buf_char(out, '\n');
    if (err == 0) {
        TRY(media_source_to_json(film->source, &source));
        json_write_canonical(out, source);
        buf_char(out, '\n');
        TRY(media_timeline_write(film->timeline, out));
    }
    return out->err;
}

static int still_ignore(void *user, int64_t grid_index, int64_t frame, const void *jpeg,
                        size_t len)
{
    (void)user, (void)grid_index, (void)frame, (void)jpeg, (void)len;
    return 0;
}

// The first piece is the sound, which lasts longest without being divided.
static int inspect_piece(void *user, size_t index, struct buf *out)
{
    struct film *film = user;
    if (index == 0) {
        return media_inspect_audio(&film->input, film->source, NULL, NULL, out);
    }
    struct media_inspect_config config = {.source = film->source,
                                          .timeline = film->timeline,
                                          .range = film->ranges.items.data[index - 1],
                                          .still_every_us = INT64_MAX / 4,
                                          .still_width = 16,
                                          .still = still_ignore};
    return media_inspect_video(&film->input, &config, out);
}

// --- putting together -------------------------------------------------------------------------------------

static int probe_take(struct film *film, struct str bytes, struct findings *findings)
{
    struct str line = {0};
    AUTO(json_free) json_t *list = NULL, *source = NULL;
    FAIL_IF(!str_next(&bytes, '\n', &line), ERR_INTERNAL, "a probe without findings");
    TRY(json_parse(&list, line, RESULT_BYTES_MAX));
    TRY(findings_from_json(list, findings));
    if (bytes.len == 0 || !str_next(&bytes, '\n', &line)) {
        return 0;
    }
    TRY(json_parse(&source, line, RESULT_BYTES_MAX));
    TRY(media_source_from_json(source, &film->source));
    return media_timeline_read(bytes, &film->timeline);
}

static int probe(struct film *film, struct findings *findings)
{
    struct piece *piece = calloc(1, sizeof *piece);
    FAIL_IF(!piece, ERR_NOMEM, "a probe");
    piece->run = probe_piece;
    int err = pieces_run(piece, 1, 1, film);
    if (err == 0) {
        err = piece->err < 0 ? ingest_fault(findings, "probe", piece->err, piece->reason)
                             : probe_take(film, buf_view(&piece->out), findings);
    }
    pieces_free(piece, 1);
    return err;
}

static int merge(const struct film *film, const struct piece *pieces,
                 struct findings *findings, struct media_report **ret)
{
    size_t count = film->ranges.items.len;
    struct str *views = calloc(count + 1, sizeof *views);
    FAIL_IF(!views, ERR_NOMEM, "ranges");
    for (size_t i = 0; i < count; i++) {
        views[i] = buf_view(&pieces[i + 1].out);
    }
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    int err = media_inspect_merge(film->source, film->timeline, views, count,
                                  buf_view(&pieces[0].out), findings, ret, &timeline);
    free(views);
    return err < 0 ? ingest_fault(findings, "merge", err, err_reason()) : 0;
}

// *ret stays NULL where the film could not be decoded to its end; `findings` then say why.
static int inspect(struct film *film, struct findings *findings,
                   struct media_report **ret)
{
    TRY(media_ranges_plan(film->source, film->timeline, film->wanted, &film->ranges));
    size_t count = film->ranges.items.len + 1;
    struct piece *pieces = calloc(count, sizeof *pieces);
    FAIL_IF(!pieces, ERR_NOMEM, "ranges");
    for (size_t i = 0; i < count; i++) {
        pieces[i].run = inspect_piece;
        pieces[i].index = i;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int err = pieces_run(pieces, count, cores > 0 ? (size_t)cores : 1, film);
    bool whole = err == 0;
    for (size_t i = 0; err == 0 && i < count; i++) {
        if (pieces[i].err < 0) {
            whole = false;
            err = ingest_fault(findings, i == 0 ? "sound" : "pictures", pieces[i].err,
                               pieces[i].reason);
        }
    }
    if (whole) {
        err = merge(film, pieces, findings, ret);
    }
    pieces_free(pieces, count);
    return err;
}

// --- saying it -----------------------------------------------------------------------------------------------

static int report_json(struct film *film, const struct media_report *report,
                       const struct findings *findings, json_t **ret)
{
    return report ? media_report_to_json(report, ret)
                  : ingest_report_partial(film->source, findings, ret);
}

static void finding_line(const json_t *finding, struct buf *out)
{
    AUTO(buf_free) struct buf place = {0};
    command_place(finding, &place);
    buf_printf(out, "  %-8s %s%s%s", json_str_or(finding, "severity", "?"),
               ingest_kind_words(json_str_or(finding, "kind", "?")),
               place.len ? "  " : "", place.len ? place.data : "");
    const char *reason =
        json_str_or(json_object_get(finding, "evidence"), "reason", NULL);
    buf_printf(out, "%s%s\n", reason ? "  " : "", reason ? reason : "");
}

static void stream_line(const json_t *s, struct buf *out)
{
    const char *kind = json_str_or(s, "kind", "?");
    buf_printf(out, "  %-6s %s", kind, json_str_or(s, "codec", "?"));
    if (strcmp(kind, "video") == 0) {
        buf_printf(out, " %lldx%lld %s", (long long)json_i64_or(s, "width", 0),
                   (long long)json_i64_or(s, "height", 0),
                   json_str_or(s, "pixel_format", ""));
    } else if (strcmp(kind, "audio") == 0) {
        buf_printf(out, " %lld Hz, %lld channels",
                   (long long)json_i64_or(s, "sample_rate", 0),
                   (long long)json_i64_or(s, "channels", 0));
    }
    buf_printf(out, " [%s]\n", json_str_or(s, "language", "und"));
}

static void loudness_line(const json_t *l, struct buf *out)
{
    const json_t *lufs = json_object_get(l, "integrated_lufs");
    if (json_is_number(lufs)) {
        buf_printf(out, "  stream %lld: %.1f LUFS, peak %.1f dBTP, range %.1f LU\n",
                   (long long)json_i64_or(l, "stream", 0), json_number_value(lufs),
                   json_number_value(json_object_get(l, "true_peak_dbtp")),
                   json_number_value(json_object_get(l, "range_lu")));
    } else {
        buf_printf(out, "  stream %lld: silent\n",
                   (long long)json_i64_or(l, "stream", 0));
    }
}

static int print_for_people(const json_t *report, const char *file)
{
    AUTO(buf_free) struct buf out = {0};
    const json_t *list = json_object_get(report, "streams");
    size_t shots = json_array_size(json_object_get(report, "shots"));
    buf_printf(&out, "%s: %s, %lld frames, %zu shot%s\n", file,
               json_str_or(report, "verdict", "?"),
               (long long)json_i64_or(report, "frames", 0), shots, shots == 1 ? "" : "s");
    for (size_t i = 0; i < json_array_size(list); i++) {
        stream_line(json_array_get(list, i), &out);
    }
    list = json_object_get(report, "loudness");
    for (size_t i = 0; i < json_array_size(list); i++) {
        loudness_line(json_array_get(list, i), &out);
    }
    list = json_object_get(report, "findings");
    buf_printf(&out, "%zu finding%s\n", json_array_size(list),
               json_array_size(list) == 1 ? "" : "s");
    for (size_t i = 0; i < json_array_size(list); i++) {
        finding_line(json_array_get(list, i), &out);
    }
    fputs(out.err ? "" : out.data, stdout);
    return fflush(stdout) == 0 && !out.err ? 0 : ERR_IO;
}

static int policy_of(const struct args *args, struct ingest_policy **ret)
{
    const char *file = args_text(args, "policy", NULL);
    return file ? written_policy(file, ret) : ingest_policy_default(ret);
}

static void film_free(struct film *film)
{
    fd_close(&film->fd);
    media_source_free(&film->source);
    media_timeline_free(&film->timeline);
    vec_free(&film->ranges.items);
}

static int film_open(struct film *film, const char *path, int wanted)
{
    // O_NONBLOCK: a FIFO that nobody writes is refused, not waited for.
    *film = (struct film){.wanted = wanted,
                          .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat st;
    if (film->fd < 0 || fstat(film->fd, &st) < 0) {
        return err_fail_errno("%s", path);
    }
    FAIL_IF(!S_ISREG(st.st_mode), ERR_INVALID, "%s is no file", path);
    film->input =
        (struct media_input){.opaque = film, .size = st.st_size, .read = film_read};
    return 0;
}

static int inspect_film(const struct args *args, struct film *film,
                        enum ingest_verdict *ret_verdict, json_t **ret)
{
    AUTO(findings_free) struct findings findings = {0};
    AUTO(media_report_free) struct media_report *report = NULL;
    AUTO(ingest_policy_free) struct ingest_policy *policy = NULL;
    TRY(policy_of(args, &policy));
    TRY(probe(film, &findings));
    if (film->source && film->timeline && film->source->video >= 0 &&
        film->timeline->count > 0) {
        TRY(inspect(film, &findings, &report));
    } else if (findings.items.len == 0) {
        struct finding none = finding_about_file("no_video", FINDING_ERROR);
        TRY(findings_add(&findings, &none));
    }
    findings_sort(&findings);
    TRY(report_json(film, report, &findings, ret));
    TRY(ingest_policy_decide(policy, report ? &report->findings : &findings,
                             film->source ? film->source->duration_us : 0, NULL, 0,
                             clock_wall_us(), ret_verdict, NULL));
    return json_object_set_new(*ret, "verdict",
                               json_string(ingest_verdict_name(*ret_verdict))) == 0
               ? 0
               : err_fail(ERR_NOMEM, "a report");
}

static int inspect_run(const struct args *args)
{
    static const int codes[] = {ARGS_DONE, ARGS_REVIEW, ARGS_REFUSED};
    const char *path = args_operand(args, 0);
    AUTO(film_free) struct film film = {.fd = -1};
    AUTO(json_free) json_t *report = NULL;
    enum ingest_verdict verdict = INGEST_REFUSE;
    int err = film_open(&film, path, (int)args_number(args, "ranges", 0));
    if (err == 0) {
        err = inspect_film(args, &film, &verdict, &report);
    }
    if (err < 0) {
        return command_failed(args, err);
    }
    if (args_has(args, "json")) {
        err = command_print(report) == ARGS_DONE ? 0 : ERR_IO;
    } else {
        err = print_for_people(report, path);
    }
    return err < 0 ? ARGS_FAILED : codes[verdict];
}

static const struct args_option inspect_options[] = {
    {.name = "ranges",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Ranges inspected side by side (by length)",
     .min = 1,
     .max = 1000},
    {.name = "policy", .kind = ARGS_FILE, .value = "FILE", .help = "A policy (YAML)"},
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "inspect",
     .summary = "Says what is in a film and what is wrong with it",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(inspect_options),
     .run = inspect_run,
     .about = "Needs no data folder and keeps nothing."},
};
const struct command_family inspect_commands = {rows, ARRAY_LEN(rows)};
