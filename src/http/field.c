// SPDX-License-Identifier: GPL-3.0-or-later
//
// Grammars of single header fields.
#include "http/internal.h"

#include <string.h>
#include <strings.h>

static bool digits_only(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
    }
    return s.len > 0;
}

// Digits as a number; what is over int64_t reads as its maximum, as a position behind any end.
static bool read_position(struct str s, int64_t *ret)
{
    if (!digits_only(s)) {
        return false;
    }
    if (str_to_i64(s, 0, INT64_MAX, ret) < 0) {
        *ret = INT64_MAX;
    }
    return true;
}

int field_range(struct str header, int64_t size, int64_t *ret_start, int64_t *ret_end)
{
    struct str unit, set = str_trim(header);
    str_next(&set, '=', &unit);
    if (!set.data || unit.len != 5 || strncasecmp(unit.data, "bytes", 5) != 0 ||
        (set.len && memchr(set.data, ',', set.len))) {
        return 0;
    }
    struct str last = str_trim(set), first;
    str_next(&last, '-', &first);
    if (!last.data) {
        return 0;
    }
    int64_t start = 0, end = size;
    if (first.len == 0) {
        int64_t suffix;
        if (!read_position(last, &suffix)) {
            return 0;
        }
        FAIL_IF(suffix == 0 || size == 0, ERR_LIMIT, "an empty range");
        start = suffix >= size ? 0 : size - suffix;
    } else {
        int64_t stop = INT64_MAX;
        if (!read_position(first, &start) || (last.len && !read_position(last, &stop)) ||
            stop < start) {
            return 0;
        }
        FAIL_IF(start >= size, ERR_LIMIT, "the range begins behind the end");
        end = stop >= size - 1 ? size : stop + 1;
    }
    *ret_start = start;
    *ret_end = end;
    return 1;
}

bool field_etag_listed(struct str header, struct str etag)
{
    struct str item, rest = header;
    while (str_next(&rest, ',', &item)) {
        item = str_trim(item);
        if (str_eq_c(item, "*")) {
            return true;
        }
        if (str_starts(item, "W/")) {
            item.data += 2;
            item.len -= 2;
        }
        if (item.len == etag.len + 2 && item.data[0] == '"' &&
            item.data[item.len - 1] == '"' &&
            str_eq((struct str){item.data + 1, etag.len}, etag)) {
            return true;
        }
    }
    return false;
}

struct str field_cookie(struct str header, const char *name)
{
    struct str pair, rest = header;
    while (str_next(&rest, ';', &pair)) {
        struct str key, value = str_trim(pair);
        str_next(&value, '=', &key);
        if (!value.data || !str_eq_c(key, name)) {
            continue;
        }
        if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"') {
            value.data++;
            value.len -= 2;
        }
        return value;
    }
    return (struct str){NULL, 0};
}

bool field_accepts(struct str accept_encoding, const char *coding)
{
    struct str item, rest = accept_encoding;
    while (str_next(&rest, ',', &item)) {
        struct str params = item, name;
        str_next(&params, ';', &name);
        name = str_trim(name);
        if (name.len != strlen(coding) || strncasecmp(name.data, coding, name.len) != 0) {
            continue;
        }
        double q = 1;
        struct str weight = params.data ? str_trim(params) : STR("");
        if (str_starts(weight, "q=")) {
            weight.data += 2;
            weight.len -= 2;
            if (str_to_double(weight, 0, 1, &q) < 0) {
                q = 0;
            }
        }
        return q > 0;
    }
    return false;
}

bool field_origin_is_host(struct str origin, struct str host)
{
    struct str o = origin;
    size_t skip = str_starts(o, "http://") ? 7 : str_starts(o, "https://") ? 8 : 0;
    o.data += skip;
    o.len -= skip;
    return skip && host.len && o.len == host.len &&
           strncasecmp(o.data, host.data, host.len) == 0;
}

int64_t field_last_event_id(struct str header)
{
    int64_t id = -1;
    if (!digits_only(header) || str_to_i64(header, 0, INT64_MAX, &id) < 0) {
        return -1;
    }
    return id;
}

// Standard base64 (RFC 4648 section 4) by way of base's URL-safe reader.
static int decode_base64(struct str text, struct buf *out)
{
    struct buf url = {0};
    while (text.len && text.data[text.len - 1] == '=') {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buf_char(&url, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    int err = url.err ? url.err : base64url_decode(out, buf_view(&url));
    buf_free(&url);
    return err;
}

int http_basic_password(struct str header, struct arena *arena, const char **ret)
{
    AUTO(buf_free) struct buf text = {0};
    FAIL_IF(header.len < 6 || strncasecmp(header.data, "Basic ", 6) != 0, ERR_INVALID,
            "no basic authorization");
    TRY(decode_base64(str_trim((struct str){header.data + 6, header.len - 6}), &text));
    struct str rest = buf_view(&text), user;
    FAIL_IF(!str_is_line(rest) || !str_next(&rest, ':', &user) || !rest.data, ERR_INVALID,
            "a basic authorization is name:password");
    *ret = arena_dup(arena, rest);
    FAIL_IF(!*ret, ERR_NOMEM, "a password");
    return 0;
}

int http_tus_metadata(struct str header, const char *key, struct arena *arena,
                      const char **ret)
{
    struct str pair, rest = header;
    while (str_next(&rest, ',', &pair)) {
        struct str name, value = str_trim(pair);
        str_next(&value, ' ', &name);
        if (!str_eq_c(name, key)) {
            continue;
        }
        AUTO(buf_free) struct buf text = {0};
        if (value.data) {
            TRY(decode_base64(str_trim(value), &text));
        }
        TRY(text.err);
        FAIL_IF(!str_is_utf8(buf_view(&text)), ERR_INVALID,
                "the upload's %s is not UTF-8", key);
        const char *copy = arena_dup(arena, buf_view(&text));
        FAIL_IF(!copy, ERR_NOMEM, "an upload's metadata");
        *ret = copy;
        return 0;
    }
    FAIL(ERR_NOT_FOUND, "the upload has no %s", key);
}
