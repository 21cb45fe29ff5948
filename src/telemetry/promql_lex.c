// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/promql.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct lexer *l, size_t more)
{
    return l->at + more < l->text.len ? l->text.data[l->at + more] : '\0';
}

static void skip_space(struct lexer *l)
{
    while (l->at < l->text.len) {
        char c = l->text.data[l->at];
        if (c == '#') {
            while (l->at < l->text.len && l->text.data[l->at] != '\n') {
                l->at++;
            }
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            l->at++;
        } else {
            return;
        }
    }
}

// "1h30m" from where the lexer stands; false where that is no length of time.
static bool take_duration(struct lexer *l, int64_t *ret_ms)
{
    size_t at = l->at;
    int64_t sum = 0;
    bool any = false;
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},      {"m", 60000},        {"h", 3600000},
                 {"d", 86400000}, {"w", 604800000}, {"y", 31536000000LL}};
    while (at < l->text.len && is_digit(l->text.data[at])) {
        int64_t n = 0;
        size_t digits = 0, i;
        for (; at < l->text.len && is_digit(l->text.data[at]); at++, digits++) {
            if (digits == 9) {
                return false;
            }
            n = n * 10 + (l->text.data[at] - '0');
        }
        for (i = 0; i < ARRAY_LEN(units); i++) {
            size_t len = strlen(units[i].unit);
            if (l->text.len - at >= len &&
                memcmp(l->text.data + at, units[i].unit, len) == 0) {
                break;
            }
        }
        if (i == ARRAY_LEN(units)) {
            return false;
        }
        at += strlen(units[i].unit);
        int64_t part;
        if (MUL_OVERFLOWS(n, units[i].ms, &part) || ADD_OVERFLOWS(sum, part, &sum)) {
            return false;
        }
        any = true;
    }
    if (!any ||
        (at < l->text.len && (is_alpha(l->text.data[at]) || l->text.data[at] == '.'))) {
        return false;
    }
    l->at = at;
    *ret_ms = sum;
    return true;
}

static int take_number(struct lexer *l, struct token *t)
{
    size_t from = l->at;
    char text[64], *end = NULL;
    if (take_duration(l, &t->ms)) {
        t->kind = TOKEN_DURATION;
        t->text = (struct str){l->text.data + from, l->at - from};
        return 0;
    }
    while (is_digit(peek(l, 0)) || is_alpha(peek(l, 0)) || peek(l, 0) == '.' ||
           ((peek(l, 0) == '-' || peek(l, 0) == '+') &&
            (l->text.data[l->at - 1] | 0x20) == 'e')) {
        l->at++;
    }
    t->text = (struct str){l->text.data + from, l->at - from};
    FAIL_IF(str_copy(text, sizeof text, t->text) < 0, ERR_INVALID,
            "a number is too long at %zu", from);
    t->kind = TOKEN_NUMBER;
    t->number = strtod(text, &end);
    FAIL_IF(end != text + t->text.len, ERR_INVALID, "'%s' is no number, at %zu", text,
            from);
    return 0;
}

static int hex_digits(struct lexer *l, size_t count, unsigned *ret)
{
    unsigned v = 0;
    for (size_t i = 0; i < count; i++) {
        char c = peek(l, 0);
        int d = is_digit(c)            ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        FAIL_IF(d < 0, ERR_INVALID, "an escape is not hexadecimal, at %zu", l->at);
        v = v << 4 | (unsigned)d;
        l->at++;
    }
    *ret = v;
    return 0;
}

static int take_escape(struct lexer *l, struct buf *out)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = peek(l, 0);
    const char *at = c ? strchr(from, c) : NULL;
    unsigned v = 0;
    l->at++;
    if (at) {
        buf_char(out, to[at - from]);
        return 0;
    }
    FAIL_IF(c != 'x' && c != 'u', ERR_INVALID, "an escape that is not known, at %zu",
            l->at - 1);
    TRY(hex_digits(l, c == 'x' ? 2 : 4, &v));
    FAIL_IF(v == 0 || v > 0x7f, ERR_INVALID,
            "escapes beyond ASCII: write the character itself");
    buf_char(out, (char)v);
    return 0;
}

static int take_text(struct lexer *l, struct token *t)
{
    char quote = peek(l, 0);
    AUTO(buf_free) struct buf out = {0};
    size_t from = l->at++;
    buf_reserve(&out, 1);
    while (peek(l, 0) != quote) {
        FAIL_IF(l->at >= l->text.len, ERR_INVALID, "a text that does not end, from %zu",
                from);
        char c = l->text.data[l->at++];
        if (c == '\\' && quote != '`') {
            TRY(take_escape(l, &out));
        } else {
            buf_char(&out, c);
        }
    }
    l->at++;
    TRY(out.err);
    char *copy = arena_dup(l->arena, buf_view(&out));
    FAIL_IF(!copy, ERR_NOMEM, "a text");
    t->kind = TOKEN_TEXT;
    t->text = (struct str){copy, out.len};
    return 0;
}

int lexer_next(struct lexer *l, struct token *ret)
{
    skip_space(l);
    struct token t = {.kind = TOKEN_END, .at = l->at};
    char c = peek(l, 0), d = peek(l, 1);
    if (l->at >= l->text.len) {
        *ret = t;
        return 0;
    }
    if (is_alpha(c) || (c == ':' && !l->in_braces && is_alpha(d))) {
        size_t from = l->at;
        while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)) ||
               (peek(l, 0) == ':' && !l->in_braces)) {
            l->at++;
        }
        t.kind = TOKEN_NAME;
        t.text = (struct str){l->text.data + from, l->at - from};
    } else if (is_digit(c) || (c == '.' && is_digit(d))) {
        TRY(take_number(l, &t));
    } else if (c == '"' || c == '\'' || c == '`') {
        TRY(take_text(l, &t));
    } else {
        FAIL_IF(!strchr("(){}[],:@+-*/%^=!><", c), ERR_INVALID,
                "'%c' is not understood, at %zu", c >= ' ' && c < 0x7f ? c : '?', l->at);
        size_t n =
            (d == '=' && strchr("=!><", c)) || (d == '~' && strchr("=!", c)) ? 2 : 1;
        t.kind = TOKEN_SIGN;
        t.text = (struct str){l->text.data + l->at, n};
        l->at += n;
    }
    *ret = t;
    return 0;
}
