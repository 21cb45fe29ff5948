// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/xml.h"

#include <stdarg.h>

struct xml xml_begin(struct buf *out)
{
    buf_cstr(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    return (struct xml){.out = out};
}

static void add_escaped(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '&':
            buf_cstr(out, "&amp;");
            break;
        case '<':
            buf_cstr(out, "&lt;");
            break;
        case '>':
            buf_cstr(out, "&gt;");
            break;
        case '"':
            buf_cstr(out, "&quot;");
            break;
        case '\t':
        case '\n':
        case '\r':
            buf_printf(out, "&#%d;", *p);
            break;
        default:
            if ((unsigned char)*p < 0x20) {
                buf_cstr(out, "\xef\xbf\xbd");
            } else {
                buf_char(out, *p);
            }
        }
    }
}

static void indent(struct xml *x)
{
    for (size_t i = 0; i < x->depth; i++) {
        buf_cstr(x->out, "  ");
    }
}

static void close_tag(struct xml *x)
{
    if (x->is_tag_open) {
        buf_char(x->out, '>');
        x->is_tag_open = false;
    }
}

void xml_start(struct xml *x, const char *name)
{
    ASSERT(x->depth < XML_DEPTH_MAX && !x->has_text);
    if (x->is_tag_open) {
        close_tag(x);
        buf_char(x->out, '\n');
    }
    indent(x);
    buf_char(x->out, '<');
    buf_cstr(x->out, name);
    x->open[x->depth++] = name;
    x->is_tag_open = true;
}

void xml_end(struct xml *x)
{
    ASSERT(x->depth > 0);
    const char *name = x->open[--x->depth];
    if (x->is_tag_open) {
        buf_cstr(x->out, "/>\n");
    } else {
        if (!x->has_text) {
            indent(x);
        }
        buf_cstr(x->out, "</");
        buf_cstr(x->out, name);
        buf_cstr(x->out, ">\n");
    }
    x->is_tag_open = false;
    x->has_text = false;
}

void xml_attr(struct xml *x, const char *name, const char *value)
{
    ASSERT(x->is_tag_open);
    buf_char(x->out, ' ');
    buf_cstr(x->out, name);
    buf_cstr(x->out, "=\"");
    add_escaped(x->out, value);
    buf_char(x->out, '"');
}

void xml_attr_i64(struct xml *x, const char *name, int64_t value)
{
    xml_attr_printf(x, name, "%lld", (long long)value);
}

void xml_attr_printf(struct xml *x, const char *name, const char *fmt, ...)
{
    va_list args;
    char text[160];
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(len >= 0 && (size_t)len < sizeof text);
    xml_attr(x, name, text);
}

void xml_text(struct xml *x, const char *text)
{
    ASSERT(x->depth > 0);
    close_tag(x);
    add_escaped(x->out, text);
    x->has_text = true;
}
