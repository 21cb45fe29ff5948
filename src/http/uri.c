// SPDX-License-Identifier: GPL-3.0-or-later
//
// Request targets. Decoding happens once, here, so that no later code meets an escape.
#include "http/internal.h"

#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// In queries '+' is a space (HTML's form encoding), in paths it is itself.
enum plus { PLUS_IS_PLUS, PLUS_IS_SPACE };

static int decode(struct str text, enum plus plus, struct arena *arena, char **ret)
{
    char *out = arena_alloc(arena, text.len + 1, 1);
    FAIL_IF(!out, ERR_NOMEM, "a path");
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            FAIL_IF(text.len - i < 3, ERR_INVALID, "an escape is cut short");
            int hi = hex_digit(text.data[i + 1]), lo = hex_digit(text.data[i + 2]);
            FAIL_IF(hi < 0 || lo < 0, ERR_INVALID, "an escape without hex digits");
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus == PLUS_IS_SPACE) {
            c = ' ';
        }
        FAIL_IF((unsigned char)c < 0x20 || c == 0x7F, ERR_INVALID,
                "a control character in the address");
        out[n++] = c;
    }
    FAIL_IF(!str_is_utf8((struct str){out, n}), ERR_INVALID, "the address is not UTF-8");
    *ret = out;
    return 0;
}

static int add_segment(struct uri *u, struct str raw, struct arena *arena)
{
    FAIL_IF(u->segment_count == HTTP_MAX_SEGMENTS, ERR_LIMIT, "a path over %d segments",
            HTTP_MAX_SEGMENTS);
    char *segment = NULL;
    TRY(decode(raw, PLUS_IS_PLUS, arena, &segment));
    FAIL_IF(strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0, ERR_INVALID,
            "'.' and '..' are not followed");
    FAIL_IF(strchr(segment, '/') || strchr(segment, '\\'), ERR_INVALID,
            "a slash inside a segment");
    u->segments[u->segment_count++] = segment;
    return 0;
}

int uri_parse(struct str target, struct arena *arena, struct uri *ret)
{
    FAIL_IF(target.len > HTTP_MAX_URI, ERR_LIMIT, "an address over %d bytes",
            HTTP_MAX_URI);
    FAIL_IF(target.len == 0 || target.data[0] != '/', ERR_INVALID,
            "an address begins with '/'");
    struct uri u = {0};
    struct str rest = target, path;
    str_next(&rest, '?', &path);
    u.query = rest.data ? rest : STR("");
    path.data++;
    path.len--;
    struct str segment;
    for (struct str walk = path; str_next(&walk, '/', &segment);) {
        TRY(add_segment(&u, segment, arena));
    }
    struct buf whole = {0};
    for (size_t i = 0; i < u.segment_count; i++) {
        buf_char(&whole, '/');
        buf_cstr(&whole, u.segments[i]);
    }
    u.path = whole.err ? NULL : arena_dup(arena, buf_view(&whole));
    buf_free(&whole);
    FAIL_IF(!u.path, ERR_NOMEM, "a path");
    *ret = u;
    return 0;
}

const char *uri_query(const struct uri *u, struct arena *arena, const char *name)
{
    struct str pair, rest = u->query;
    while (str_next(&rest, '&', &pair)) {
        struct str key, value = pair;
        str_next(&value, '=', &key);
        char *name_found = NULL, *found = NULL;
        if (decode(key, PLUS_IS_SPACE, arena, &name_found) < 0 ||
            strcmp(name_found, name) != 0) {
            continue;
        }
        if (decode(value.data ? value : STR(""), PLUS_IS_SPACE, arena, &found) < 0) {
            return NULL;
        }
        return found;
    }
    return NULL;
}

static bool add_param(struct path_params *p, struct str name, const char *value)
{
    ASSERT(p->count < ARRAY_LEN(p->items));
    p->items[p->count].name = name;
    p->items[p->count].value = value;
    p->count++;
    return value != NULL;
}

static const char *join(const struct uri *u, size_t from, struct arena *arena)
{
    struct buf b = {0};
    for (size_t i = from; i < u->segment_count; i++) {
        if (i > from) {
            buf_char(&b, '/');
        }
        buf_cstr(&b, u->segments[i]);
    }
    const char *text = b.err ? NULL : arena_dup(arena, buf_view(&b));
    buf_free(&b);
    return text;
}

// "{id}.jpg": a name in braces, then a literal ending.
static bool match_segment(struct str t, const char *segment, struct arena *arena,
                          struct path_params *p)
{
    if (t.len == 0 || t.data[0] != '{') {
        return str_eq_c(t, segment);
    }
    const char *close = memchr(t.data, '}', t.len);
    ASSERT(close);
    struct str name = {t.data + 1, (size_t)(close - t.data) - 1};
    struct str ending = {close + 1, t.len - name.len - 2};
    struct str s = str_of(segment);
    if (s.len <= ending.len ||
        memcmp(s.data + s.len - ending.len, ending.data, ending.len) != 0) {
        return false;
    }
    return add_param(p, name, arena_dup(arena, (struct str){s.data, s.len - ending.len}));
}

bool path_match(const char *template, const struct uri *u, struct arena *arena,
                struct path_params *ret)
{
    struct path_params p = {0};
    struct str t, rest = str_of(template + 1);
    size_t i = 0;
    for (; str_next(&rest, '/', &t); i++) {
        if (i == u->segment_count) {
            return false;
        }
        if (t.len && t.data[0] == '{' && str_ends(t, "*}")) {
            if (!add_param(&p, (struct str){t.data + 1, t.len - 3}, join(u, i, arena))) {
                return false;
            }
            i = u->segment_count;
            break;
        }
        if (!match_segment(t, u->segments[i], arena, &p)) {
            return false;
        }
    }
    if (i != u->segment_count) {
        return false;
    }
    *ret = p;
    return true;
}
