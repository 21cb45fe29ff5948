// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers out of a text. Most numbers that programs write have 16 or 17 digits: too many for doubles to hold before the
// division by a power of ten, not for x87's 64 bits. Digits and power are exact there, so their quotient is
// rounded once to 64 bits; a second rounding to 53 is right unless the first fell on the very middle, and
// then, as for what is longer, the C library reads the number.
#include "insight/cluster.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX_CHARS 400
#define EXACT_DIGITS     19 // below 2^64
#define EXACT_POWER      27 // 10^27 has 63 bits behind its twos

void insight_table_free(struct insight_table *t)
{
    free(t->values);
    *t = (struct insight_table){0};
}

struct reader {
    const char *at, *end;
    const char *file;
    size_t line;
};

static bool is_digit(char c)
{
    return (unsigned)(c - '0') < 10;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// What the digits said: value = mantissa * 10^power, where `exact`.
struct decimal {
    uint64_t mantissa;
    int power;
    bool negative, exact;
};

static void take_digit(struct decimal *n, unsigned *digits, char c)
{
    n->exact &= *digits < EXACT_DIGITS;
    if (n->exact) {
        n->mantissa = n->mantissa * 10 + (uint64_t)(c - '0');
        *digits += n->mantissa != 0;
    }
}

// The end of the number that starts at `at`, or NULL where there is none.
static const char *scan(const char *at, const char *end, struct decimal *ret)
{
    struct decimal n = {.exact = true};
    unsigned digits = 0;
    if (at < end && (*at == '-' || *at == '+')) {
        n.negative = *at++ == '-';
    }
    const char *first = at;
    for (; at < end && is_digit(*at); at++) {
        take_digit(&n, &digits, *at);
    }
    size_t figures = (size_t)(at - first);
    if (at < end && *at == '.') {
        const char *point = ++at;
        for (; at < end && is_digit(*at); at++) {
            take_digit(&n, &digits, *at);
        }
        figures += (size_t)(at - point);
        n.power = -(int)MIN(at - point, 1 << 20);
    }
    if (figures == 0) {
        return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const char *e = at + 1;
        bool down = e < end && *e == '-';
        e += e < end && (*e == '-' || *e == '+');
        if (e == end || !is_digit(*e)) {
            return NULL;
        }
        int power = 0;
        for (; e < end && is_digit(*e); e++) {
            power = MIN(power * 10 + (*e - '0'), 1 << 20);
        }
        n.power += down ? -power : power;
        at = e;
    }
    *ret = n;
    return at;
}

#if LDBL_MANT_DIG == 64
static bool convert(const struct decimal *n, double *ret)
{
    static const long double powers[EXACT_POWER + 1] = {
        1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
        1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
        1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (!n->exact || abs(n->power) > EXACT_POWER) {
        return false;
    }
    long double wide = (long double)n->mantissa;
    wide = n->power < 0 ? wide / powers[-n->power] : wide * powers[n->power];
    uint64_t bits;
    memcpy(&bits, &wide, sizeof bits); // the 64 bits of the significand
    if ((bits & 0x7ff) == 0x400) {
        return false;
    }
    *ret = (double)(n->negative ? -wide : wide);
    return true;
}
#else
static bool convert(const struct decimal *n, double *ret)
{
    (void)n, (void)ret;
    return false;
}
#endif

static int not_a_number(const struct reader *r, const char *end)
{
    while (end < r->end && *end != ',' && *end != '\n') {
        end++;
    }
    struct str text = str_trim((struct str){r->at, (size_t)(end - r->at)});
    AUTO(buf_free) struct buf shown = {0};
    buf_line(&shown, (struct str){text.data, MIN(text.len, 40)});
    FAIL(ERR_INVALID, "%s:%zu: %s%s%s", r->file, r->line, text.len ? "'" : "",
         text.len ? (shown.err ? "?" : shown.data) : "a number is missing",
         text.len ? "' is not a number" : "");
}

static int read_number(struct reader *r, double *ret)
{
    while (r->at < r->end && is_blank(*r->at)) {
        r->at++;
    }
    struct decimal n;
    const char *end = scan(r->at, r->end, &n);
    const char *behind = end;
    while (behind && behind < r->end && is_blank(*behind)) {
        behind++;
    }
    if (!end || (behind < r->end && *behind != ',' && *behind != '\n')) {
        return not_a_number(r, r->at);
    }
    if (!convert(&n, ret)) {
        char text[NUMBER_MAX_CHARS + 1];
        FAIL_IF(end - r->at > NUMBER_MAX_CHARS, ERR_INVALID,
                "%s:%zu: a number of over %d characters", r->file, r->line,
                NUMBER_MAX_CHARS);
        memcpy(text, r->at, (size_t)(end - r->at));
        text[end - r->at] = 0;
        *ret = strtod(text, NULL);
        FAIL_IF(!isfinite(*ret), ERR_INVALID, "%s:%zu: %s is too large for a double",
                r->file, r->line, text);
    }
    r->at = behind;
    return 0;
}

// One line of numbers to `row`, at most `most`; the reader then stands behind the line.
static int read_line(struct reader *r, double *row, size_t most, size_t *ret_count)
{
    size_t count = 0;
    for (;;) {
        double value;
        TRY(read_number(r, &value));
        if (count < most) {
            row[count] = value;
        }
        count++;
        if (r->at == r->end || *r->at++ == '\n') {
            *ret_count = count;
            return 0;
        }
    }
}

static struct str without_last_lines(struct str text)
{
    while (text.len &&
           (is_blank(text.data[text.len - 1]) || text.data[text.len - 1] == '\n')) {
        text.len--;
    }
    return text;
}

static int make_room(const struct reader *r, size_t dims, struct insight_table *ret)
{
    size_t lines = 1, all;
    for (const char *at = r->at; (at = memchr(at, '\n', (size_t)(r->end - at))) != NULL;
         at++) {
        lines++;
    }
    FAIL_IF(dims > INSIGHT_TABLE_MAX_DIMS, ERR_LIMIT,
            "%s:1: %zu numbers on a line; at most %d are taken", r->file, dims,
            INSIGHT_TABLE_MAX_DIMS);
    FAIL_IF(MUL_OVERFLOWS(lines, dims, &all) || all > INSIGHT_TABLE_MAX_VALUES, ERR_LIMIT,
            "%s: %zu lines of %zu numbers; at most %zu numbers are taken", r->file, lines,
            dims, (size_t)INSIGHT_TABLE_MAX_VALUES);
    ret->values = malloc(all * sizeof *ret->values);
    FAIL_IF(!ret->values, ERR_NOMEM, "%zu numbers", all);
    ret->dims = dims;
    return 0;
}

int insight_table_parse(struct str text, const char *file, struct insight_table *ret)
{
    text = without_last_lines(text);
    FAIL_IF(text.len == 0, ERR_INVALID, "%s:1: there are no points", file);
    struct reader r = {text.data, text.data + text.len, file, 1};
    AUTO(insight_table_free) struct insight_table made = {0};
    double first;
    size_t dims;
    TRY(read_line(&r, &first, 1, &dims));
    r.at = text.data;
    TRY(make_room(&r, dims, &made));
    for (; r.at < r.end; r.line++) {
        size_t count;
        TRY(read_line(&r, made.values + made.count * dims, dims, &count));
        FAIL_IF(count != dims, ERR_INVALID,
                "%s:%zu: %zu numbers, where the first line has %zu", file, r.line, count,
                dims);
        made.count++;
    }
    *ret = made;
    made = (struct insight_table){0};
    return 0;
}

int insight_table_read(const char *file, struct insight_table *ret)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(fs_read_file(file, (size_t)INSIGHT_TABLE_MAX_BYTES, &text));
    return insight_table_parse(buf_view(&text), file, ret);
}
