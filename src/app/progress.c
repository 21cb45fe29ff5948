// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_CELLS = 24, NAME_COLUMNS = 28, PLAIN_EVERY_PERCENT = 25 };

struct said { // how far a job was when a plain line was printed last
    char name[80];
    int percent;
};

struct progress {
    bool terminal;
    int rows;  // of the terminal
    int drawn; // lines of bars on the screen
    struct buf bars;
    int lines; // in `bars`
    VEC(struct said) said;
    char behind[80]; // what was said to be waited for
};

int progress_new(struct progress **ret)
{
    struct progress *p = calloc(1, sizeof *p);
    FAIL_IF(!p, ERR_NOMEM, "progress");
    struct winsize size = {0};
    const char *kind = getenv("TERM");
    p->terminal = isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
    p->rows = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4
                  ? size.ws_row
                  : 24;
    *ret = p;
    return 0;
}

// Up over what was drawn, and clear to the end of the screen (ECMA-48 CUU, ED).
static void erase(struct progress *p)
{
    if (p->drawn > 0) {
        fprintf(stderr, "\x1b[%dA\r\x1b[J", p->drawn);
        p->drawn = 0;
    }
}

void progress_free(struct progress **progress)
{
    struct progress *p = *progress;
    *progress = NULL;
    if (p) {
        erase(p);
        buf_free(&p->bars);
        vec_free(&p->said);
        free(p);
    }
}

static void duration(int64_t us, struct buf *out)
{
    long long s = (us + 999999) / 1000000;
    if (us < 0) {
        return;
    }
    if (s >= 3600) {
        buf_printf(out, "%lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
    } else {
        buf_printf(out, "%lld:%02lld left", s / 60, s % 60);
    }
}

static void bar(struct buf *out, const char *label, int indent, double share)
{
    int full = (int)(share * BAR_CELLS + 0.5);
    int width = NAME_COLUMNS - indent;
    int bytes = (int)strnlen(label, (size_t)width);
    while (bytes > 0 && ((unsigned char)label[bytes] & 0xC0) == 0x80) {
        bytes--; // never half of a character
    }
    buf_printf(out, "%*s%.*s%*s ", indent, "", bytes, label, width - bytes, "");
    for (int i = 0; i < BAR_CELLS; i++) {
        buf_cstr(out, i < full ? "█" : "░");
    }
    buf_printf(out, " %3d %%", (int)(share * 100));
}

// What people call the kinds of steps.
static const char *const phases[] = {"inspect", "encode", "package"};
static size_t phase_of(const char *type)
{
    if (strcmp(type, "probe") == 0 || strncmp(type, "inspect", 7) == 0) {
        return 0;
    }
    return strncmp(type, "encode", 6) == 0 || strcmp(type, "plan") == 0 ? 1 : 2;
}

struct phase {
    double done;
    size_t steps, running;
};

static void phases_sum(const json_t *job, struct phase sums[ARRAY_LEN(phases)])
{
    const json_t *steps = json_object_get(job, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        const char *state = json_str_or(step, "state", "");
        struct phase *sum = &sums[phase_of(json_str_or(step, "type", ""))];
        bool done = strcmp(state, "done") == 0;
        sum->steps++;
        sum->running += strcmp(state, "running") == 0;
        sum->done += done ? 1 : json_number_value(json_object_get(step, "progress"));
    }
}

static void plain(struct progress *p, const char *name, double share, int64_t left_us)
{
    int percent = (int)(share * 100) / PLAIN_EVERY_PERCENT * PLAIN_EVERY_PERCENT;
    struct said *known = NULL;
    vec_for_each (said, &p->said) {
        known = strncmp(said->name, name, sizeof said->name - 1) == 0 ? said : known;
    }
    if (known && known->percent >= percent) {
        return;
    }
    if (!known) {
        struct said said = {.percent = percent};
        snprintf(said.name, sizeof said.name, "%s", name);
        if (vec_push(&p->said, said) < 0) {
            return;
        }
    } else {
        known->percent = percent;
    }
    AUTO(buf_free) struct buf left = {0};
    duration(left_us, &left);
    fprintf(stderr, "%s: %d %%%s%s\n", name, percent, left.len ? ", " : "",
            left.data ? left.data : "");
}

void progress_job(struct progress *p, const char *name, const json_t *job)
{
    double share = json_number_value(json_object_get(job, "progress"));
    const json_t *left = json_object_get(job, "remaining_us");
    int64_t left_us = json_is_integer(left) ? json_integer_value(left) : -1;
    if (!p->terminal) {
        plain(p, name, share, left_us);
        return;
    }
    struct phase sums[ARRAY_LEN(phases)] = {0};
    phases_sum(job, sums);
    bool active = false;
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        active = active || sums[i].running > 0;
    }
    if (!active || p->lines + 4 >= p->rows) {
        return; // waits behind others
    }
    bar(&p->bars, name, 0, share);
    buf_cstr(&p->bars, "  ");
    duration(left_us, &p->bars);
    buf_char(&p->bars, '\n');
    p->lines++;
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        if (sums[i].steps > 0) {
            bar(&p->bars, phases[i], 2, sums[i].done / (double)sums[i].steps);
            buf_printf(&p->bars, "  %zu step%s\n", sums[i].steps,
                       sums[i].steps == 1 ? "" : "s");
            p->lines++;
        }
    }
}

bool progress_runs(const json_t *job)
{
    struct phase sums[ARRAY_LEN(phases)] = {0};
    size_t running = 0;
    phases_sum(job, sums);
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        running += sums[i].running;
    }
    return running > 0;
}

void progress_behind(struct progress *p, const char *name, const json_t *job)
{
    if (!p->terminal) {
        if (strncmp(p->behind, name, sizeof p->behind - 1) != 0) {
            snprintf(p->behind, sizeof p->behind, "%s", name);
            fprintf(stderr, "waits for %s\n", name);
        }
        return;
    }
    AUTO(buf_free) struct buf label = {0};
    buf_printf(&label, "waits for %s", name);
    if (!label.err) {
        progress_job(p, label.data, job);
    }
}

void progress_draw(struct progress *p)
{
    if (!p->terminal) {
        return;
    }
    erase(p);
    if (p->bars.len > 0 && !p->bars.err) {
        fwrite(p->bars.data, 1, p->bars.len, stderr);
        p->drawn = p->lines;
    }
    fflush(stderr);
    buf_clear(&p->bars);
    p->lines = 0;
}

void progress_say(struct progress *p, const char *fmt, ...)
{
    erase(p);
    va_list list;
    va_start(list, fmt);
    vfprintf(stderr, fmt, list);
    va_end(list);
    fputc('\n', stderr);
}

void progress_bytes(struct progress *p, const char *name, int64_t done, int64_t total)
{
    if (!p->terminal || total < (INT64_C(64) << 20)) {
        return; // gone before one could read it
    }
    bar(&p->bars, name, 0, (double)done / (double)total);
    buf_cstr(&p->bars, "  copying\n");
    p->lines++;
    progress_draw(p);
}
