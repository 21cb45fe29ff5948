// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/caption_text.h"

#include <string.h>

// --- writing ------------------------------------------------------------------------------

// Cue text under construction: lines are kept from being empty, and it stops at its limit.
struct writer {
    struct buf *out;
    size_t start;      // of this cue in `out`
    size_t line_start; // in `out`
    bool is_full;
};

static void put(struct writer *w, const char *bytes, size_t len)
{
    if (w->is_full || w->out->len - w->start + len > CAPTION_TEXT_MAX) {
        w->is_full = true;
        return;
    }
    buf_add(w->out, bytes, len);
}

static void put_c(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void trim_line(struct writer *w)
{
    while (w->out->len > w->line_start && w->out->data[w->out->len - 1] == ' ') {
        w->out->data[--w->out->len] = '\0';
    }
}

static void put_line_end(struct writer *w)
{
    trim_line(w);
    if (w->out->len > w->line_start) { // an empty line would end the cue
        put_c(w, "\n");
        w->line_start = w->out->len;
    }
}

static size_t character_bytes(const char *p, size_t len)
{
    unsigned char lead = (unsigned char)*p;
    size_t want = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return MIN(want, len);
}

// One character of text, escaped; returns how many bytes it took.
static size_t put_character(struct writer *w, const char *p, size_t len)
{
    size_t bytes = character_bytes(p, len);
    switch (*p) {
    case '&':
        put_c(w, "&amp;");
        break;
    case '<':
        put_c(w, "&lt;");
        break;
    case '>':
        put_c(w, "&gt;");
        break;
    case '\n':
        put_line_end(w);
        break;
    case '\t':
    case ' ':
        if (w->out->len > w->line_start) {
            put_c(w, " ");
        }
        break;
    default:
        if ((unsigned char)*p >= 0x20 && *p != 0x7f) {
            put(w, p, bytes);
        }
    }
    return bytes;
}

static void finish(struct writer *w)
{
    trim_line(w);
    while (w->out->len > w->start && (w->out->data[w->out->len - 1] == '\n' ||
                                      w->out->data[w->out->len - 1] == ' ')) {
        w->out->data[--w->out->len] = '\0';
    }
}

// --- ASS ----------------------------------------------------------------------------------

#define STYLES "ibu"

struct styles {
    bool is_on[3];
    char stack[3]; // indices, in the order of opening, so that tags nest
    size_t open;
};

static void close_above(struct writer *w, struct styles *s, size_t keep)
{
    while (s->open > keep) {
        char tag[5] = {'<', '/', STYLES[(int)s->stack[--s->open]], '>', 0};
        put_c(w, tag);
    }
}

static void close_ended(struct writer *w, struct styles *s)
{
    size_t keep = 0;
    while (keep < s->open && s->is_on[(int)s->stack[keep]]) {
        keep++;
    }
    close_above(w, s, keep);
}

// Makes the open tags those that are on.
static void set_styles(struct writer *w, struct styles *s)
{
    close_ended(w, s);
    for (char i = 0; i < 3; i++) {
        bool is_open = memchr(s->stack, i, s->open) != NULL;
        if (s->is_on[(int)i] && !is_open) {
            char tag[4] = {'<', STYLES[(int)i], '>', 0};
            put_c(w, tag);
            s->stack[s->open++] = i;
        }
    }
}

struct override {
    struct styles styles;
    enum caption_place place;
    bool is_drawing;
};

// One override, from behind its backslash: "i1", "b700", "an8", "p1", "r".
static void read_override(const char *p, size_t len, struct override *o)
{
    char value = len > 1 ? p[1] : '0';
    bool has_number = len == 1 || (value >= '0' && value <= '9');
    const char *style = len > 0 ? strchr(STYLES, p[0]) : NULL;
    if (style != NULL && has_number) {
        o->styles.is_on[style - STYLES] = value != '0';
    } else if (len >= 3 && p[0] == 'a' && p[1] == 'n' && p[2] >= '1' && p[2] <= '9') {
        o->place = p[2] >= '7'   ? CAPTION_TOP
                   : p[2] >= '4' ? CAPTION_MIDDLE
                                 : CAPTION_BOTTOM;
    } else if (len > 1 && p[0] == 'p' && has_number) {
        o->is_drawing = value != '0';
    } else if (len >= 1 && p[0] == 'r') {
        memset(o->styles.is_on, 0, sizeof o->styles.is_on);
    }
}

// Everything between braces; returns the place behind the closing one.
static const char *read_overrides(const char *p, const char *end, struct override *o)
{
    const char *close = memchr(p, '}', (size_t)(end - p));
    const char *stop = close != NULL ? close : end;
    while (p < stop) {
        const char *slash = memchr(p, '\\', (size_t)(stop - p));
        if (slash == NULL) {
            break;
        }
        const char *next = memchr(slash + 1, '\\', (size_t)(stop - slash - 1));
        next = next != NULL ? next : stop;
        read_override(slash + 1, (size_t)(next - slash - 1), o);
        p = next;
    }
    return close != NULL ? close + 1 : end;
}

void caption_text_from_ass(const char *ass, struct buf *out,
                           enum caption_place *ret_place)
{
    const char *p = ass, *end = ass + strlen(ass);
    struct writer w = {.out = out, .start = out->len, .line_start = out->len};
    struct override o = {.place = CAPTION_BOTTOM};
    while (p < end) {
        if (*p == '{') {
            p = read_overrides(p + 1, end, &o);
            continue;
        }
        if (*p == '\\' && p + 1 < end && strchr("Nnh", p[1]) != NULL) {
            if (!o.is_drawing) {
                close_ended(&w, &o.styles);
                p[1] == 'h' ? put_c(&w, "&nbsp;") : put_line_end(&w);
            }
            p += 2;
            continue;
        }
        if (o.is_drawing) {
            p++;
            continue;
        }
        if (strchr(" \t\r\n", *p) == NULL) {
            set_styles(&w, &o.styles);
        } else {
            close_ended(&w, &o.styles);
        }
        p += put_character(&w, p, (size_t)(end - p));
    }
    w.is_full = false; // closing tags are always written
    finish(&w);
    size_t start = w.start;
    w.start = out->len;
    close_above(&w, &o.styles, 0);
    w.start = start;
    *ret_place = o.place;
}

// --- WebVTT -------------------------------------------------------------------------------

// The length of a tag at `p` that WebVTT knows, 0 when it is none.
static size_t known_tag(const char *p, size_t len)
{
    static const char *const names[] = {"b", "i", "u", "c", "v", "lang", "ruby", "rt"};
    const char *close = memchr(p, '>', len);
    if (close == NULL || memchr(p + 1, '<', (size_t)(close - p - 1)) != NULL ||
        memchr(p, '\n', (size_t)(close - p)) != NULL) {
        return 0;
    }
    const char *name = p + 1 + (p[1] == '/' ? 1 : 0);
    size_t name_len = strcspn(name, " .>");
    bool is_known =
        name < close && strspn(name, "0123456789:.") == (size_t)(close - name);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        is_known |= strlen(names[i]) == name_len && memcmp(names[i], name, name_len) == 0;
    }
    return is_known ? (size_t)(close - p) + 1 : 0;
}

static size_t known_entity(const char *p, size_t len)
{
    static const char *const names[] = {"&amp;",  "&lt;",  "&gt;",
                                        "&nbsp;", "&lrm;", "&rlm;"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        if (n <= len && memcmp(p, names[i], n) == 0) {
            return n;
        }
    }
    return 0;
}

void caption_text_from_vtt(struct str text, struct buf *out)
{
    struct writer w = {.out = out, .start = out->len, .line_start = out->len};
    for (size_t i = 0; i < text.len && text.data[i] != '\0';) {
        const char *p = text.data + i;
        size_t left = text.len - i;
        size_t whole = *p == '<'   ? known_tag(p, left)
                       : *p == '&' ? known_entity(p, left)
                                   : 0;
        if (whole > 0) {
            put(&w, p, whole);
            i += whole;
        } else {
            i += put_character(&w, p, left);
        }
    }
    finish(&w);
}

void caption_settings_clean(struct str settings, struct buf *out)
{
    static const char *const names[] = {
        "vertical:", "line:", "position:", "size:", "align:"};
    struct str one = {0}, rest = settings;
    size_t start = out->len;
    while (str_next(&rest, ' ', &one)) {
        bool is_known = false, is_plain = one.len < 40;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            is_known |= str_starts(one, names[i]);
        }
        for (size_t i = 0; i < one.len; i++) {
            char c = one.data[i];
            is_plain &= (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                        memchr(":%.,-", c, 5) != NULL;
        }
        if (is_known && is_plain && out->len - start < 200) {
            buf_cstr(out, out->len > start ? " " : "");
            buf_str(out, one);
        }
    }
}
