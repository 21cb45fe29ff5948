// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/lines.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_DIGITS   19 // that fit into 64 bits
#define EXACT_MANTISSA (UINT64_C(1) << 53)
#define EXACT_POWER    22

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// What the fast way cannot say exactly. Only digits, signs, points and exponents come here.
static enum line_fault number_by_library(struct str text, double *ret)
{
    char copy[64];
    if (text.len >= sizeof copy) {
        return LINE_BAD_VALUE;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    double v = strtod(copy, NULL);
    if (!(v >= -DBL_MAX && v <= DBL_MAX)) {
        return LINE_BAD_VALUE;
    }
    *ret = v;
    return LINE_GOOD;
}

// Spelled as a number that is none ("NaN", "-inf"), which is no mistake of the grammar.
static enum line_fault no_number(struct str s)
{
    if (s.len && (s.data[0] == '-' || s.data[0] == '+')) {
        s = (struct str){s.data + 1, s.len - 1};
    }
    bool known = (s.len == 3 && (strncasecmp(s.data, "nan", 3) == 0 ||
                                 strncasecmp(s.data, "inf", 3) == 0)) ||
                 (s.len == 8 && strncasecmp(s.data, "infinity", 8) == 0);
    return known ? LINE_BAD_VALUE : LINE_MALFORMED;
}

struct digits {
    uint64_t mantissa;
    int count; // significant ones
    int scale; // power of ten of the last
    bool any;
};

static const char *read_digits(const char *p, const char *end, int step, struct digits *d)
{
    for (; p < end && is_digit(*p); p++) {
        d->any = true;
        if (d->count < EXACT_DIGITS) {
            d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
            d->count += d->mantissa != 0;
            d->scale -= step;
        } else {
            d->count++; // the library reads it
        }
    }
    return p;
}

static bool read_exponent(const char **at, const char *end, int *ret)
{
    const char *p = *at;
    bool minus = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || !is_digit(*p)) {
        return false;
    }
    int n = 0;
    for (; p < end && is_digit(*p); p++) {
        n = n < 10000 ? n * 10 + (*p - '0') : n;
    }
    *ret = minus ? -n : n;
    *at = p;
    return true;
}

// A mantissa under 2^53 and a power of ten up to 22 are exact doubles, so their product or quotient is
// rounded once, and right (W. D. Clinger, "How to read floating point numbers accurately", 1990).
enum line_fault number_read(struct str text, double *ret)
{
    static const double powers[EXACT_POWER + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = text.data, *end = text.data + text.len;
    bool minus = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    struct digits d = {0};
    int exponent = 0;
    p = read_digits(p, end, 0, &d);
    if (p < end && *p == '.') {
        p = read_digits(p + 1, end, 1, &d);
    }
    if (!d.any) {
        return no_number(text);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (!read_exponent(&p, end, &exponent)) {
            return LINE_MALFORMED;
        }
    }
    if (p != end) {
        return LINE_MALFORMED;
    }
    int power = d.scale + exponent;
    if (d.count > EXACT_DIGITS || d.mantissa > EXACT_MANTISSA || power < -EXACT_POWER ||
        power > EXACT_POWER) {
        return number_by_library(text, ret);
    }
    double v = (double)d.mantissa;
    v = power < 0 ? v / powers[-power] : v * powers[power];
    *ret = minus ? -v : v;
    return LINE_GOOD;
}

static bool whole_read(struct str text, uint64_t *ret)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]) || MUL_OVERFLOWS(n, (uint64_t)10, &n) ||
            ADD_OVERFLOWS(n, (uint64_t)(text.data[i] - '0'), &n)) {
            return false;
        }
    }
    *ret = n;
    return text.len > 0;
}

static bool type_of(char letter, enum line_type *ret)
{
    switch (letter) {
#define X(c, name)          \
    case c:                 \
        *ret = LINE_##name; \
        return true;
        LINE_TYPES(X)
#undef X
    default:
        return false;
    }
}

// "g,60", "X,1543160297100": only these two have one, and X needs it.
static bool option_read(enum line_type type, struct str text, int64_t *ret)
{
    uint64_t n = 0;
    bool has = text.len > 0;
    if (has && (text.data[0] != ',' || (type != LINE_GAUGE && type != LINE_MONOTONE_AT) ||
                !whole_read((struct str){text.data + 1, text.len - 1}, &n) ||
                n > INT64_MAX / 1000)) {
        return false;
    }
    *ret = has ? (int64_t)n : -1;
    return has || type != LINE_MONOTONE_AT;
}

static enum line_fault value_read(struct str text, struct line *l)
{
    if (l->type != LINE_MONOTONE_U) {
        return number_read(text, &l->value);
    }
    if (whole_read(text, &l->whole)) {
        return LINE_GOOD;
    }
    enum line_fault fault = number_read(text, &l->value);
    return fault == LINE_GOOD ? LINE_BAD_VALUE : fault;
}

enum line_fault line_read(struct str text, struct line *ret)
{
    const char *p = text.data, *end = text.data + text.len;
    while (end > p && (end[-1] == '\r' || end[-1] == ' ')) {
        end--;
    }
    if (end - p < 4 || !type_of(*p, &ret->type)) {
        return LINE_MALFORMED;
    }
    const char *head = p[1] == ':' ? p + 1 : memchr(p, ':', (size_t)(end - p));
    if (!head || !option_read(ret->type, (struct str){p + 1, (size_t)(head - p - 1)},
                              &ret->option)) {
        return LINE_MALFORMED;
    }
    const char *id = head + 1, *tail = memchr(id, ':', (size_t)(end - id));
    if (!tail || tail == id || tail - id > LINE_ID_MAX) {
        return LINE_MALFORMED;
    }
    ret->id = (struct str){id, (size_t)(tail - id)};
    return value_read((struct str){tail + 1, (size_t)(end - tail - 1)}, ret);
}

enum line_fault line_id_split(struct str id, struct str *ret_name,
                              struct line_tag tags[LINE_TAGS_MAX], size_t *ret_count)
{
    struct str rest = id, part;
    size_t count = 0;
    if (!str_next(&rest, ',', ret_name) || ret_name->len == 0) {
        return LINE_MALFORMED;
    }
    while (str_next(&rest, ',', &part)) {
        struct str value = part, key;
        if (!str_next(&value, '=', &key) || !value.data || key.len == 0 ||
            value.len == 0) {
            return LINE_MALFORMED;
        }
        if (count < LINE_TAGS_MAX) {
            tags[count] = (struct line_tag){key, value};
        }
        count++;
    }
    *ret_count = count;
    return LINE_GOOD;
}

void line_map(struct str s, char *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool fine = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '.' || c == '_';
        out[i] = fine ? c : '_';
    }
}
