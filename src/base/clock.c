// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    ASSERT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_rfc3339(int64_t wall_us, char ret[CLOCK_RFC3339_BYTES])
{
    time_t s = (time_t)(wall_us / 1000000);
    struct tm tm;
    ASSERT(gmtime_r(&s, &tm));
    char day[24];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret, CLOCK_RFC3339_BYTES, "%s.%06dZ", day, (int)(wall_us % 1000000));
}

int clock_parse(struct str text, int64_t *ret_wall_us)
{
    char s[CLOCK_RFC3339_BYTES];
    FAIL_IF(str_copy(s, sizeof s, text) < 0, ERR_INVALID,
            "a time longer than RFC 3339 has");
    struct tm tm = {0};
    int micros = 0;
    const char *rest = strptime(s, "%Y-%m-%d", &tm);
    if (rest && *rest == 'T') {
        rest = strptime(rest, "T%H:%M:%S", &tm);
        if (rest && *rest == '.') {
            int scale = 100000;
            for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10) {
                micros += (*rest - '0') * scale;
            }
        }
        rest = rest && *rest == 'Z' ? rest + 1 : NULL;
    }
    FAIL_IF(!rest || *rest, ERR_INVALID,
            "'%s' is not a date (2026-12-31) or a UTC time (2026-12-31T23:59:59Z)", s);
    struct tm asked = tm;
    int64_t seconds = timegm(&tm);
    FAIL_IF(tm.tm_mday != asked.tm_mday || tm.tm_sec != asked.tm_sec, ERR_INVALID,
            "there is no '%s'", s);
    *ret_wall_us = seconds * 1000000 + micros;
    return 0;
}
