// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/json_out.h"

#include "base/macro.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_out json_out_to(struct buf *out)
{
    return (struct json_out){.out = out};
}

static void begin_value(struct json_out *o)
{
    if (o->needs_comma) {
        buf_char(o->out, ',');
    }
    o->needs_comma = true;
}

static void open_with(struct json_out *o, char opener, char closer)
{
    begin_value(o);
    ASSERT(o->depth < JSON_OUT_DEPTH_MAX);
    o->closers[o->depth++] = closer;
    buf_char(o->out, opener);
    o->needs_comma = false;
}

void json_out_object(struct json_out *o)
{
    open_with(o, '{', '}');
}

void json_out_array(struct json_out *o)
{
    open_with(o, '[', ']');
}

void json_out_end(struct json_out *o)
{
    ASSERT(o->depth > 0);
    buf_char(o->out, o->closers[--o->depth]);
    o->needs_comma = true;
}

static void quoted(struct buf *out, struct str s)
{
    AUTO(buf_free) struct buf mended = {0};
    if (!str_is_utf8(s)) {
        buf_line(&mended, s);
        s = buf_view(&mended);
    }
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '"' || c == '\\') {
            buf_char(out, '\\');
            buf_char(out, (char)c);
        } else if (c < 0x20) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_char(out, (char)c);
        }
    }
    buf_char(out, '"');
}

void json_out_key_str(struct json_out *o, struct str key)
{
    ASSERT(o->depth > 0 && o->closers[o->depth - 1] == '}');
    begin_value(o);
    quoted(o->out, key);
    buf_char(o->out, ':');
    o->needs_comma = false;
}

void json_out_key(struct json_out *o, const char *key)
{
    json_out_key_str(o, str_of(key));
}

void json_out_str(struct json_out *o, struct str value)
{
    begin_value(o);
    quoted(o->out, value);
}

void json_out_cstr(struct json_out *o, const char *value)
{
    json_out_str(o, str_of(value));
}

void json_out_i64(struct json_out *o, int64_t value)
{
    begin_value(o);
    buf_printf(o->out, "%lld", (long long)value);
}

void json_out_bool(struct json_out *o, bool value)
{
    begin_value(o);
    buf_cstr(o->out, value ? "true" : "false");
}

void json_out_null(struct json_out *o)
{
    begin_value(o);
    buf_cstr(o->out, "null");
}

static void number(struct buf *out, double value)
{
    // Most numbers are whole, or short: 15 digits always come back, 17 tell any two apart.
    if (value == rint(value) && fabs(value) < 1e15) {
        buf_printf(out, "%lld.0", (long long)value);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    buf_cstr(out, text);
}

static const char *word_of(double value)
{
    return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

void json_out_double(struct json_out *o, double value)
{
    begin_value(o);
    if (isfinite(value)) {
        number(o->out, value);
    } else {
        buf_cstr(o->out, "null");
    }
}

void json_out_double_bare(struct json_out *o, double value)
{
    begin_value(o);
    if (isfinite(value)) {
        number(o->out, value);
    } else {
        buf_cstr(o->out, word_of(value));
    }
}

void json_out_double_quoted(struct json_out *o, double value)
{
    if (isfinite(value)) {
        json_out_double(o, value);
    } else {
        json_out_cstr(o, word_of(value));
    }
}
