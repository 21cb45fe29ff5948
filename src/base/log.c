// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int level = LOG_INFO;

void log_set_level(enum log_level l)
{
    atomic_store(&level, (int)l);
}

bool log_enabled(enum log_level l)
{
    return (int)l <= atomic_load(&level);
}

void log_write(enum log_level l, const char *room, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (!log_enabled(l)) {
        return;
    }
    char line[1024];
    char now[CLOCK_RFC3339_BYTES];
    clock_rfc3339(clock_wall_us(), now);
    int head = snprintf(line, sizeof line, "%s %s %s: ", now, names[l], room);
    size_t used = head > 0 ? (size_t)head : 0;
    va_list args;
    va_start(args, fmt);
    int body = vsnprintf(line + used, sizeof line - used - 1, fmt, args);
    va_end(args);
    size_t len = MIN(used + (body > 0 ? (size_t)body : 0), sizeof line - 2);
    for (size_t i = used; i < len; i++) {
        // A line break in what a stranger sent must not forge a second entry.
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }
    line[len] = '\n';
    // One write a line, so that threads and children do not interleave.
    ssize_t written = write(STDERR_FILENO, line, len + 1);
    (void)written; // a full or closed stderr leaves nobody to tell
}
