// SPDX-License-Identifier: GPL-3.0-or-later
//
// diagnose: what a machine says of itself in /proc, as a runbook answers. For agents, and for people at a terminal.
#include "app/commands.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_BYTES (16u << 20)
#define LISTED_MAX     200
#define TOP            15
#define SAMPLE_NS      1000000000L

static int set(json_t *object, const char *key, json_t *value)
{
    return value && json_object_set_new(object, key, value) == 0
               ? 0
               : err_fail(ERR_NOMEM, "a diagnosis");
}

static int add(json_t *array, json_t *value)
{
    return value && json_array_append_new(array, value) == 0
               ? 0
               : err_fail(ERR_NOMEM, "a diagnosis");
}

static int find(json_t *answer, const char *kind, const char *severity, json_t *evidence)
{
    TRY(set(answer, "status", json_string("attention")));
    return add(json_object_get(answer, "findings"),
               json_pack("{s:s, s:s, s:o}", "kind", kind, "severity", severity,
                         "evidence", evidence));
}

// The words of a line, at most `most`: how many.
static size_t words_of(struct str line, struct str *words, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < line.len && count < most;) {
        size_t from = i;
        while (i < line.len && line.data[i] != ' ' && line.data[i] != '\t') {
            i++;
        }
        if (i > from) {
            words[count++] = (struct str){line.data + from, i - from};
        }
        i++;
    }
    return count;
}

static int64_t number(struct str text)
{
    int64_t value = 0;
    return str_to_i64(text, 0, INT64_MAX, &value) < 0 ? 0 : value;
}

static uint64_t hex(struct str text)
{
    char digits[17] = "";
    return str_copy(digits, sizeof digits, text) < 0 ? 0 : strtoull(digits, NULL, 16);
}

static void wait_between(void)
{
    nanosleep(&(struct timespec){.tv_nsec = SAMPLE_NS - 1}, NULL);
}

// --- sockets ---------------------------------------------------------------------------------------------

// include/net/tcp_states.h
static const char *const states[] = {"",           "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                     "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                     "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
enum { LISTENS = 10, QUEUE_LONG = 128 };

// "sl local_address rem_address st tx_queue:rx_queue …": of a listener rx_queue are those who wait for accept.
static int tcp_file(json_t *answer, const char *path, int64_t *counts)
{
    AUTO(buf_free) struct buf text = {0};
    json_t *listening = json_object_get(answer, "listening");
    struct str rest, line, w[6];
    if (fs_read_file(path, FILE_MAX_BYTES, &text) < 0) {
        return 0; // no IPv6 here
    }
    rest = buf_view(&text);
    while (rest.len && str_next(&rest, '\n', &line)) {
        size_t n = words_of(line, w, ARRAY_LEN(w));
        uint64_t state = n >= 5 ? hex(w[3]) : 0;
        const char *colon = n >= 5 ? memrchr(w[1].data, ':', w[1].len) : NULL;
        if (state == 0 || state >= ARRAY_LEN(states) || !colon) {
            continue; // the heading
        }
        counts[state]++;
        struct str port = {colon + 1, (size_t)(w[1].data + w[1].len - colon - 1)};
        const char *queue = memchr(w[4].data, ':', w[4].len);
        int64_t waiting = queue ? (int64_t)hex((struct str){queue + 1, 8}) : 0;
        if (state != LISTENS || json_array_size(listening) >= LISTED_MAX) {
            continue;
        }
        TRY(add(listening, json_pack("{s:I, s:I}", "port", (json_int_t)hex(port),
                                     "waiting", (json_int_t)waiting)));
        if (waiting >= QUEUE_LONG) {
            TRY(find(answer, "listen_queue_long", "warning",
                     json_pack("{s:I, s:I}", "port", (json_int_t)hex(port), "waiting",
                               (json_int_t)waiting)));
        }
    }
    return 0;
}

// A counter of "TcpExt:", whose names stand in the line before its values.
static int64_t tcp_counter(const char *name)
{
    AUTO(buf_free) struct buf text = {0};
    struct str names[256], values[256], rest, line;
    size_t known = 0;
    if (fs_read_file("/proc/net/netstat", FILE_MAX_BYTES, &text) < 0) {
        return 0;
    }
    rest = buf_view(&text);
    while (rest.len && str_next(&rest, '\n', &line)) {
        if (!str_starts(line, "TcpExt:")) {
            continue;
        }
        if (!known) {
            known = words_of(line, names, ARRAY_LEN(names));
            continue;
        }
        size_t count = words_of(line, values, ARRAY_LEN(values));
        for (size_t i = 1; i < MIN(count, known); i++) {
            if (str_eq_c(names[i], name)) {
                return number(values[i]);
            }
        }
    }
    return 0;
}

static int sockets(json_t *answer)
{
    int64_t counts[ARRAY_LEN(states)] = {0};
    AUTO(cstr_free) char *summary = NULL;
    AUTO(json_free) json_t *by_state = json_object();
    int64_t before = tcp_counter("ListenOverflows");
    TRY(set(answer, "listening", json_array()));
    TRY(tcp_file(answer, "/proc/net/tcp", counts));
    TRY(tcp_file(answer, "/proc/net/tcp6", counts));
    for (size_t i = 1; i < ARRAY_LEN(states); i++) {
        TRY(set(by_state, states[i], json_integer(counts[i])));
    }
    TRY(set(answer, "states", json_incref(by_state)));
    wait_between();
    int64_t after = tcp_counter("ListenOverflows");
    TRY(set(answer, "overflows", json_integer(after)));
    TRY(set(answer, "drops", json_integer(tcp_counter("ListenDrops"))));
    if (after > before) {
        TRY(find(answer, "listen_overflow", "error",
                 json_pack("{s:I}", "in_a_second", (json_int_t)(after - before))));
    }
    TRY(cstr_printf(&summary, "%lld listen, %lld connections, %lld overflows of queues",
                    (long long)counts[LISTENS], (long long)counts[1], (long long)after));
    return set(answer, "summary", json_string(summary));
}

// --- processes -------------------------------------------------------------------------------------------

struct process {
    int64_t pid, ticks, rss_pages;
    char state;
    char name[20];
};
struct processes {
    VEC(struct process) list;
};

static void processes_free(struct processes *p)
{
    vec_free(&p->list);
}

// proc(5): "pid (name) state …", utime and stime are 14 and 15, rss is 24; a name may hold anything.
static bool read_stat(const char *pid, struct process *ret)
{
    AUTO(buf_free) struct buf text = {0};
    char path[64];
    struct str w[24];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    if (fs_read_file(path, 8192, &text) < 0) {
        return false; // it ended
    }
    const char *open = memchr(text.data, '(', text.len);
    const char *close = memrchr(text.data, ')', text.len);
    if (!open || !close || close < open) {
        return false;
    }
    struct str behind = {close + 1, text.len - (size_t)(close + 1 - text.data)};
    if (words_of(behind, w, ARRAY_LEN(w)) < 22) {
        return false;
    }
    AUTO(buf_free) struct buf name = {0};
    buf_line(&name, (struct str){open + 1, MIN((size_t)(close - open - 1), (size_t)15)});
    *ret = (struct process){.pid = strtoll(pid, NULL, 10),
                            .ticks = number(w[11]) + number(w[12]),
                            .rss_pages = number(w[21]),
                            .state = w[0].data[0]};
    snprintf(ret->name, sizeof ret->name, "%.16s",
             name.len && !name.err ? name.data : "");
    return true;
}

static int read_processes(struct processes *ret)
{
    DIR *proc = opendir("/proc");
    int err = proc ? 0 : err_fail_errno("/proc");
    for (struct dirent *e = proc ? readdir(proc) : NULL; e && err == 0;
         e = readdir(proc)) {
        struct process p;
        if (isdigit((unsigned char)e->d_name[0]) && read_stat(e->d_name, &p)) {
            err = vec_push(&ret->list, p);
        }
    }
    if (proc) {
        closedir(proc);
    }
    return err;
}

static int by_ticks(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return (x->ticks < y->ticks) - (x->ticks > y->ticks);
}

static int by_memory(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return (x->rss_pages < y->rss_pages) - (x->rss_pages > y->rss_pages);
}

static int list_top(json_t *answer, const char *key, const struct processes *p)
{
    AUTO(json_free) json_t *list = json_array();
    int64_t page = sysconf(_SC_PAGESIZE), hertz = sysconf(_SC_CLK_TCK);
    for (size_t i = 0; i < p->list.len && i < TOP; i++) {
        const struct process *one = &p->list.data[i];
        char state[2] = {one->state, '\0'};
        TRY(add(list, json_pack("{s:I, s:s, s:s, s:I, s:I}", "pid", (json_int_t)one->pid,
                                "name", one->name, "state", state, "cpu_percent",
                                (json_int_t)(one->ticks * 100 / hertz), "rss_bytes",
                                (json_int_t)(one->rss_pages * page))));
    }
    return set(answer, key, json_incref(list));
}

// What each took within the second between.
static void take_away(struct processes *now, const struct processes *before)
{
    vec_for_each (p, &now->list) {
        int64_t then = p->ticks;
        vec_for_each (q, &before->list) {
            then = q->pid == p->pid ? q->ticks : then;
        }
        p->ticks = MAX(p->ticks - then, INT64_C(0));
    }
}

static int processes(json_t *answer)
{
    AUTO(processes_free) struct processes before = {0}, now = {0};
    AUTO(cstr_free) char *summary = NULL;
    int64_t stuck = 0;
    TRY(read_processes(&before));
    wait_between();
    TRY(read_processes(&now));
    take_away(&now, &before);
    vec_for_each (p, &now.list) {
        stuck += p->state == 'D';
    }
    qsort(now.list.data, now.list.len, sizeof *now.list.data, by_ticks);
    TRY(list_top(answer, "by_cpu", &now));
    const char *first = now.list.len ? now.list.data[0].name : "-";
    TRY(cstr_printf(&summary, "%zu processes, %lld wait for a device; most CPU: %s",
                    now.list.len, (long long)stuck, first));
    qsort(now.list.data, now.list.len, sizeof *now.list.data, by_memory);
    TRY(list_top(answer, "by_memory", &now));
    if (stuck >= 3) {
        TRY(find(answer, "processes_stuck", "warning",
                 json_pack("{s:I}", "waiting", (json_int_t)stuck)));
    }
    return set(answer, "summary", json_string(summary));
}

// --- pressure --------------------------------------------------------------------------------------------

// "some avg10=0.00 avg60=0.00 …": /proc/pressure of kernels that have it.
static double pressure_of(json_t *answer, const char *what)
{
    AUTO(buf_free) struct buf text = {0};
    char path[64];
    double value = 0;
    struct str w[3], line, rest;
    snprintf(path, sizeof path, "/proc/pressure/%s", what);
    if (fs_read_file(path, 4096, &text) < 0) {
        return 0;
    }
    rest = buf_view(&text);
    if (str_next(&rest, '\n', &line) && words_of(line, w, 3) == 3 && w[1].len > 6 &&
        str_to_double((struct str){w[1].data + 6, w[1].len - 6}, 0, 100, &value) == 0) {
        (void)set(answer, what, json_real(value));
    }
    return value;
}

static int64_t memory_of(const struct buf *text, const char *name)
{
    struct str rest = buf_view(text), line, w[2];
    while (rest.len && str_next(&rest, '\n', &line)) {
        if (words_of(line, w, 2) == 2 && str_eq_c(w[0], name)) {
            return number(w[1]) * 1024;
        }
    }
    return 0;
}

static int memory(json_t *answer, int64_t *ret_percent)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(fs_read_file("/proc/meminfo", 65536, &text));
    int64_t all = memory_of(&text, "MemTotal:"), left = memory_of(&text, "MemAvailable:");
    TRY(set(answer, "memory_bytes", json_integer(all)));
    TRY(set(answer, "available_bytes", json_integer(left)));
    *ret_percent = all ? left * 100 / all : 0;
    return *ret_percent >= 5
               ? 0
               : find(answer, "memory_short", "error",
                      json_pack("{s:I}", "available_bytes", (json_int_t)left));
}

static int disk(json_t *answer, json_t *list, struct str mount)
{
    AUTO(cstr_free) char *path = NULL;
    struct statvfs fs;
    TRY(cstr_printf(&path, STR_FMT, STR_ARG(mount)));
    if (statvfs(path, &fs) < 0 || fs.f_blocks == 0) {
        return 0;
    }
    int64_t all = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
    int64_t left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    int64_t used = 100 - left * 100 / all;
    AUTO(json_free)
    json_t *one =
        json_pack("{s:s, s:I, s:I, s:I}", "mount", path, "bytes", (json_int_t)all,
                  "free_bytes", (json_int_t)left, "used_percent", (json_int_t)used);
    FAIL_IF(!one, ERR_NOMEM, "a disk");
    TRY(add(list, json_incref(one)));
    return used < 95 ? 0
                     : find(answer, "disk_nearly_full", used < 99 ? "warning" : "error",
                            json_incref(one));
}

static int disks(json_t *answer)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(json_free) json_t *list = json_array();
    struct str rest, line, w[3];
    TRY(fs_read_file("/proc/self/mounts", FILE_MAX_BYTES, &text));
    rest = buf_view(&text);
    while (rest.len && str_next(&rest, '\n', &line) && json_array_size(list) < 50) {
        if (words_of(line, w, 3) == 3 && w[0].data[0] == '/') {
            TRY(disk(answer, list, w[1]));
        }
    }
    return set(answer, "disks", json_incref(list));
}

static int pressure(json_t *answer)
{
    AUTO(cstr_free) char *summary = NULL;
    int64_t percent = 0;
    double cpu = pressure_of(answer, "cpu"), io = pressure_of(answer, "io");
    double memory_waits = pressure_of(answer, "memory");
    TRY(memory(answer, &percent));
    TRY(disks(answer));
    if (MAX(io, memory_waits) > 50) {
        TRY(find(answer, "pressure", "warning",
                 json_pack("{s:f, s:f}", "io", io, "memory", memory_waits)));
    }
    TRY(cstr_printf(&summary,
                    "%lld %% of memory available; of ten seconds some waited %.0f %% for "
                    "CPU, %.0f %% for disks, %.0f %% for memory",
                    (long long)percent, cpu, io, memory_waits));
    return set(answer, "summary", json_string(summary));
}

// --- the command -------------------------------------------------------------------------------------------

static int diagnose(const char *what, json_t **ret)
{
    static const struct {
        const char *name;
        int (*look)(json_t *answer);
    } known[] = {{"sockets", sockets}, {"processes", processes}, {"pressure", pressure}};
    AUTO(json_free) json_t *answer = NULL;
    TRY(json_made(json_pack("{s:i, s:s, s:s, s:[]}", "schema", 1, "status", "ok",
                            "summary", "", "findings"),
                  &answer));
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, what) == 0) {
            TRY(known[i].look(answer));
            *ret = TAKE(answer);
            return 0;
        }
    }
    FAIL(ERR_INVALID, "%s is not sockets, processes or pressure", what);
}

static int diagnose_run(const struct args *args)
{
    AUTO(json_free) json_t *answer = NULL;
    int err = diagnose(args_operand(args, 0), &answer);
    if (err == ERR_INVALID) {
        return args_wrong(args, "%s", err_reason());
    }
    return err < 0 ? command_failed(args, err) : command_print(answer);
}

static const struct args_command rows[] = {
    {.path = "diagnose",
     .summary =
         "Says what this machine's kernel knows of its state, as a runbook answers",
     .operands = "sockets|processes|pressure",
     .operand_kind = ARGS_CHOICE,
     .operands_min = 1,
     .operands_max = 1,
     .run = diagnose_run,
     .about =
         "JSON on stdout, in about a second, with findings where something is wrong. "
         "Needs no data folder: it is\nwhat agents run on their servers."},
};
const struct command_family diagnose_commands = {rows, ARRAY_LEN(rows)};
