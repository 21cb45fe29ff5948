// SPDX-License-Identifier: GPL-3.0-or-later
//
// Moments and lengths of time as Atlas reads them.
// https://netflix.github.io/atlas-docs/api/time-parameters/
#include "telemetry/plan.h"

#define DAY_MS     ((int64_t)86400000)
#define LENGTH_MAX (1000 * 365 * DAY_MS)
// Numbers up to here are seconds since 1970, those above are milliseconds.
#define SECONDS_MAX (INT64_C(1) << 31)
#define MOMENT_MAX  (INT64_C(253402300799) * 1000) // the year 9999

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    {"ms", 1},
    {"s", 1000},
    {"second", 1000},
    {"seconds", 1000},
    {"m", 60000},
    {"min", 60000},
    {"minute", 60000},
    {"minutes", 60000},
    {"h", 3600000},
    {"hour", 3600000},
    {"hours", 3600000},
    {"d", DAY_MS},
    {"day", DAY_MS},
    {"days", DAY_MS},
    {"w", 7 * DAY_MS},
    {"wk", 7 * DAY_MS},
    {"week", 7 * DAY_MS},
    {"weeks", 7 * DAY_MS},
    {"month", 30 * DAY_MS},
    {"months", 30 * DAY_MS},
    {"y", 365 * DAY_MS},
    {"year", 365 * DAY_MS},
    {"years", 365 * DAY_MS},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Digits at the front of *rest, at most 18 of them.
static bool take_number(struct str *rest, int64_t *ret)
{
    size_t n = 0;
    int64_t v = 0;
    while (n < rest->len && is_digit(rest->data[n])) {
        if (n == 18) {
            return false;
        }
        v = v * 10 + (rest->data[n++] - '0');
    }
    *rest = (struct str){rest->data + n, rest->len - n};
    *ret = v;
    return n > 0;
}

static bool take_char(struct str *rest, char c)
{
    if (rest->len == 0 || (rest->data[0] | 0x20) != (c | 0x20)) {
        return false;
    }
    *rest = (struct str){rest->data + 1, rest->len - 1};
    return true;
}

static bool add_part(int64_t *sum, int64_t n, int64_t ms)
{
    int64_t part;
    return !MUL_OVERFLOWS(n, ms, &part) && !ADD_OVERFLOWS(*sum, part, sum) &&
           *sum <= LENGTH_MAX;
}

// P[nD][T[nH][nM][n[.n]S]]
static bool iso_duration(struct str rest, int64_t *ret)
{
    static const struct {
        char letter;
        bool in_time;
        int64_t ms;
    } parts[] = {{'D', false, DAY_MS},
                 {'H', true, 3600000},
                 {'M', true, 60000},
                 {'S', true, 1000}};
    int64_t sum = 0, n = 0;
    bool in_time = false, any = false;
    if (!take_char(&rest, 'P')) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts) && rest.len;) {
        if (!in_time && take_char(&rest, 'T')) {
            in_time = true;
            any = false;
            continue;
        }
        struct str before = rest;
        int64_t fraction_ms = 0;
        if (!take_number(&rest, &n)) {
            return false;
        }
        if (parts[i].letter == 'S' && rest.len && rest.data[0] == '.') {
            int64_t scale = 100;
            rest = (struct str){rest.data + 1, rest.len - 1};
            for (; rest.len && is_digit(rest.data[0]); scale /= 10) {
                fraction_ms += (rest.data[0] - '0') * scale;
                rest = (struct str){rest.data + 1, rest.len - 1};
            }
        }
        if (parts[i].in_time == in_time && take_char(&rest, parts[i].letter)) {
            if (!add_part(&sum, n, parts[i].ms) || !add_part(&sum, fraction_ms, 1)) {
                return false;
            }
            any = true;
        } else {
            rest = before;
        }
        i++;
    }
    if (rest.len || !any) {
        return false;
    }
    *ret = sum;
    return true;
}

int times_duration(struct str s, int64_t *ret_ms)
{
    struct str rest = s;
    int64_t n = 0, sum = 0;
    if (s.len && (s.data[0] | 0x20) == 'p') {
        FAIL_IF(!iso_duration(s, &sum), ERR_INVALID, "'" STR_FMT "' is no length of time",
                STR_ARG(s));
        *ret_ms = sum;
        return 0;
    }
    FAIL_IF(!take_number(&rest, &n), ERR_INVALID, "'" STR_FMT "' is no length of time",
            STR_ARG(s));
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_eq_c(rest, units[i].name)) {
            FAIL_IF(!add_part(&sum, n, units[i].ms), ERR_INVALID,
                    "'" STR_FMT "' is too long a time", STR_ARG(s));
            *ret_ms = sum;
            return 0;
        }
    }
    FAIL(ERR_INVALID, "'" STR_FMT "' has no unit of time that is known", STR_ARG(s));
}

static int64_t local_to_utc_ms(const struct zone *zone, int64_t local_s)
{
    return (zone ? zone_to_utc(zone, local_s) : local_s) * 1000;
}

// "Z", "+02:00", "-0730" behind a time.
static bool zone_suffix(struct str rest, bool *ret_any, int64_t *ret_offset_s)
{
    int64_t sign = 1, h = 0, m = 0;
    *ret_any = rest.len > 0;
    *ret_offset_s = 0;
    if (rest.len == 0 || (rest.len == 1 && rest.data[0] == 'Z')) {
        return true;
    }
    if (rest.data[0] == '-') {
        sign = -1;
    } else if (rest.data[0] != '+') {
        return false;
    }
    struct str hh = {rest.data + 1, 2}, mm = {rest.data + rest.len - 2, 2};
    bool colon = rest.len == 6 && rest.data[3] == ':';
    if (!(colon || rest.len == 5) || !take_number(&hh, &h) || hh.len ||
        !take_number(&mm, &m) || mm.len || h > 18 || m > 59) {
        return false;
    }
    *ret_offset_s = sign * (h * 3600 + m * 60);
    return true;
}

static bool take_digits(struct str *rest, size_t n, int *ret)
{
    int v = 0;
    if (rest->len < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(rest->data[i])) {
            return false;
        }
        v = v * 10 + (rest->data[i] - '0');
    }
    *rest = (struct str){rest->data + n, rest->len - n};
    *ret = v;
    return true;
}

static int days_in(int month, int64_t year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

// 2012-01-12[T01:37[:27[.250]]][Z|-07:42]
static bool iso_moment(struct str rest, const struct zone *zone, int64_t *ret_ms)
{
    struct zone_date d = {0};
    int year = 0;
    int64_t ms = 0, offset_s = 0;
    bool has_zone = false;
    if (!take_digits(&rest, 4, &year) || !take_char(&rest, '-') ||
        !take_digits(&rest, 2, &d.month) || !take_char(&rest, '-') ||
        !take_digits(&rest, 2, &d.day)) {
        return false;
    }
    d.year = year;
    if (year < 1970 || d.month < 1 || d.month > 12 || d.day < 1 ||
        d.day > days_in(d.month, year)) {
        return false;
    }
    if (take_char(&rest, 'T')) {
        if (!take_digits(&rest, 2, &d.hour) || !take_char(&rest, ':') ||
            !take_digits(&rest, 2, &d.minute) || d.hour > 23 || d.minute > 59) {
            return false;
        }
        if (take_char(&rest, ':') &&
            (!take_digits(&rest, 2, &d.second) || d.second > 59)) {
            return false;
        }
        if (rest.len && rest.data[0] == '.') {
            rest = (struct str){rest.data + 1, rest.len - 1};
            int64_t scale = 100;
            for (; rest.len && is_digit(rest.data[0]); scale /= 10) {
                ms += (rest.data[0] - '0') * scale;
                rest = (struct str){rest.data + 1, rest.len - 1};
            }
        }
    }
    if (!zone_suffix(rest, &has_zone, &offset_s)) {
        return false;
    }
    int64_t local = zone_seconds(&d);
    *ret_ms = (has_zone ? (local - offset_s) * 1000 : local_to_utc_ms(zone, local)) + ms;
    return true;
}

static int named(struct str name, const struct times_refs *refs, int64_t *ret_ms)
{
    for (size_t i = 0; i < refs->count; i++) {
        if (str_eq_c(name, refs->list[i].name)) {
            *ret_ms = refs->list[i].ms;
            return 0;
        }
    }
    if (str_eq_c(name, "now")) {
        *ret_ms = refs->now_ms;
        return 0;
    }
    FAIL_IF(!str_eq_c(name, "epoch"), ERR_INVALID,
            "'" STR_FMT "' is no moment that is known here", STR_ARG(name));
    *ret_ms = 0;
    return 0;
}

// What stands before the sign of a relative time, else the whole.
static struct str head_of(struct str s, char *ret_sign, struct str *ret_length)
{
    *ret_sign = 0;
    for (size_t i = 1; i < s.len; i++) {
        if (s.data[i] == '-' || s.data[i] == '+') {
            *ret_sign = s.data[i];
            *ret_length = (struct str){s.data + i + 1, s.len - i - 1};
            return (struct str){s.data, i};
        }
    }
    return s;
}

static bool all_of(struct str s, char lo, char hi)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < lo || s.data[i] > hi) {
            return false;
        }
    }
    return s.len > 0;
}

int times_parse(struct str s, const struct times_refs *refs, int64_t *ret_ms)
{
    char sign = 0;
    struct str length = {0};
    struct str head = head_of(s, &sign, &length);
    int64_t at = 0, by = 0;
    FAIL_IF(s.len == 0, ERR_INVALID, "a moment is empty");
    if (all_of(head, 'a', 'z')) {
        TRY(named(head, refs, &at));
    } else if (all_of(head, '0', '9') && head.len != 4) {
        struct str rest = head;
        FAIL_IF(!take_number(&rest, &at), ERR_INVALID, "'" STR_FMT "' is no moment",
                STR_ARG(s));
        at = at <= SECONDS_MAX ? at * 1000 : at;
    } else if (all_of(s, '0', '9')) {
        TRY(str_to_i64(s, 0, SECONDS_MAX, &at));
        at *= 1000;
    } else {
        FAIL_IF(!iso_moment(s, refs->zone, &at), ERR_INVALID,
                "'" STR_FMT "' is no moment", STR_ARG(s));
        sign = 0;
    }
    if (sign) {
        TRY(times_duration(length, &by));
        at += sign == '-' ? -by : by;
    }
    FAIL_IF(at < -MOMENT_MAX || at > MOMENT_MAX, ERR_INVALID,
            "'" STR_FMT "' is too far away", STR_ARG(s));
    *ret_ms = at;
    return 0;
}

static bool leans_on(struct str s, const char *name)
{
    char sign = 0;
    struct str length = {0};
    return str_eq_c(head_of(s, &sign, &length), name);
}

int times_range(struct str start, struct str end, const struct times_refs *refs,
                int64_t ret[2])
{
    struct times_refs with = *refs;
    int64_t s = 0, e = 0;
    FAIL_IF(leans_on(start, "s"), ERR_INVALID, "the start is relative to itself");
    FAIL_IF(leans_on(end, "e"), ERR_INVALID, "the end is relative to itself");
    FAIL_IF(leans_on(start, "e") && leans_on(end, "s"), ERR_INVALID,
            "start and end are relative to each other");
    if (leans_on(start, "e")) {
        TRY(times_parse(end, refs, &e));
        with.list[with.count].name = "e";
        with.list[with.count++].ms = e;
        TRY(times_parse(start, &with, &s));
    } else {
        TRY(times_parse(start, refs, &s));
        with.list[with.count].name = "s";
        with.list[with.count++].ms = s;
        TRY(times_parse(end, &with, &e));
    }
    FAIL_IF(e < s, ERR_INVALID, "the end is before the start");
    ret[0] = s;
    ret[1] = e;
    return 0;
}

void times_print(int64_t ms, struct buf *out)
{
    static const struct {
        int64_t ms;
        char letter;
    } steps[] = {
        {7 * DAY_MS, 'w'}, {DAY_MS, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (ms % steps[i].ms == 0) {
            buf_printf(out, "%lld%c", (long long)(ms / steps[i].ms), steps[i].letter);
            return;
        }
    }
    buf_printf(out, "PT%lld.%03dS", (long long)(ms / 1000), (int)(ms % 1000));
}
