// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *cstr)
{
    return (struct str){cstr ? cstr : "", cstr ? strlen(cstr) : 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

bool str_ends(struct str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.len >= n && memcmp(s.data + s.len - n, suffix, n) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && is_space(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool str_next(struct str *rest, char sep, struct str *ret_head)
{
    if (!rest->data) {
        return false;
    }
    const char *at = rest->len ? memchr(rest->data, sep, rest->len) : NULL;
    if (!at) {
        *ret_head = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    size_t head = (size_t)(at - rest->data);
    *ret_head = (struct str){rest->data, head};
    *rest = (struct str){at + 1, rest->len - head - 1};
    return true;
}

int str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret)
{
    char text[32];
    FAIL_IF(s.len == 0 || is_space(s.data[0]) || str_copy(text, sizeof text, s) < 0,
            ERR_INVALID, "'" STR_FMT "' is not a whole number", STR_ARG(s));
    char *end = NULL;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    FAIL_IF(errno || end != text + s.len, ERR_INVALID, "'%s' is not a whole number",
            text);
    FAIL_IF(v < min || v > max, ERR_INVALID, "%lld is not between %lld and %lld", v,
            (long long)min, (long long)max);
    *ret = v;
    return 0;
}

int str_to_double(struct str s, double min, double max, double *ret)
{
    char text[64];
    FAIL_IF(s.len == 0 || is_space(s.data[0]) || str_copy(text, sizeof text, s) < 0,
            ERR_INVALID, "'" STR_FMT "' is not a number", STR_ARG(s));
    char *end = NULL;
    errno = 0;
    double v = strtod(text, &end);
    FAIL_IF(errno || end != text + s.len || !(v >= min && v <= max), ERR_INVALID,
            "'%s' is not a number between %g and %g", text, min, max);
    *ret = v;
    return 0;
}

int str_copy(char *dst, size_t dst_bytes, struct str s)
{
    FAIL_IF(s.len >= dst_bytes, ERR_LIMIT, "a text of %zu bytes is over %zu", s.len,
            dst_bytes - 1);
    if (s.len) {
        memcpy(dst, s.data, s.len);
    }
    dst[s.len] = '\0';
    return 0;
}

// The bytes of the character at the front of `s`, 0 where there is none. RFC 3629 section 4: shortest
// forms only, no surrogates, at most U+10FFFF; here no NUL either.
static size_t char_bytes(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    unsigned char c = p[0];
    if (c < 0x80) {
        return c != 0;
    }
    unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (c < 0xC2 || c > 0xF4 || s.len <= more) {
        return 0;
    }
    uint32_t v = c & (0x3Fu >> more);
    for (unsigned k = 1; k <= more; k++) {
        if ((p[k] & 0xC0) != 0x80) {
            return 0;
        }
        v = v << 6 | (p[k] & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    bool valid = v >= least[more] && v <= 0x10FFFF && !(v >= 0xD800 && v <= 0xDFFF);
    return valid ? more + 1 : 0;
}

bool str_is_utf8(struct str s)
{
    while (s.len) {
        size_t n = char_bytes(s);
        if (n == 0) {
            return false;
        }
        s = (struct str){s.data + n, s.len - n};
    }
    return true;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

bool str_is_line(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_control(s.data[i])) {
            return false;
        }
    }
    return str_is_utf8(s);
}

void buf_line(struct buf *b, struct str s)
{
    while (s.len) {
        size_t n = char_bytes(s);
        if (is_control(s.data[0])) {
            buf_char(b, ' ');
        } else if (n == 0) {
            buf_cstr(b, "\xEF\xBF\xBD");
        } else {
            buf_add(b, s.data, n);
        }
        n = MAX(n, (size_t)1);
        s = (struct str){s.data + n, s.len - n};
    }
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->err = 0;
    if (b->data) {
        b->data[0] = '\0';
    }
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need;
    if (b->err) {
        return;
    }
    if (ADD_OVERFLOWS(b->len, more, &need) || ADD_OVERFLOWS(need, 1u, &need)) {
        b->err = err_fail(ERR_LIMIT, "a buffer over the size of memory");
        return;
    }
    if (need <= b->cap) {
        return;
    }
    size_t cap = MAX(b->cap * 2, MAX(need, (size_t)64));
    char *data = realloc(b->data, cap);
    if (!data) {
        b->err = err_fail(ERR_NOMEM, "a buffer of %zu bytes", cap);
        return;
    }
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    buf_reserve(b, len);
    if (b->err || len == 0) {
        return;
    }
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.data, s.len);
}

void buf_cstr(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

static void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0) {
        b->err = err_fail(ERR_INTERNAL, "a bad format");
    } else {
        buf_reserve(b, (size_t)n);
        if (!b->err) {
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

struct str buf_view(const struct buf *b)
{
    return (struct str){b->data ? b->data : "", b->len};
}

int buf_take(struct buf *b, char **ret)
{
    buf_reserve(b, 0);
    TRY(b->err);
    *ret = b->data;
    *b = (struct buf){0};
    return 0;
}

void cstr_free(char **s)
{
    free(*s);
    *s = NULL;
}

int cstr_dup(char **ret, const char *s)
{
    char *copy = strdup(s);
    FAIL_IF(!copy, ERR_NOMEM, "a text");
    *ret = copy;
    return 0;
}

int cstr_printf(char **ret, const char *fmt, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    int err = buf_take(&b, ret);
    buf_free(&b);
    return err;
}
