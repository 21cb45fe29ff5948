// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/json.h"
#include "base/fs.h"

#include <string.h>

void json_free(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

int json_parse(json_t **ret, struct str text, size_t max_bytes)
{
    FAIL_IF(text.len > max_bytes, ERR_LIMIT, "a JSON text of %zu bytes is over %zu",
            text.len, max_bytes);
    json_error_t at;
    json_t *j =
        json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    FAIL_IF(!j, ERR_INVALID, "JSON line %d column %d: %s", at.line, at.column, at.text);
    *ret = j;
    return 0;
}

int json_parse_file(json_t **ret, const char *path, size_t max_bytes)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(fs_read_file(path, max_bytes, &text));
    return json_parse(ret, buf_view(&text), max_bytes);
}

static int add_chunk(const char *bytes, size_t len, void *out)
{
    struct buf *b = out;
    buf_add(b, bytes, len);
    return b->err ? -1 : 0;
}

static void write_with(struct buf *out, const json_t *value, size_t flags)
{
    if (json_dump_callback(value, add_chunk, out, flags | JSON_ENCODE_ANY) != 0 &&
        !out->err) {
        out->err = err_fail(ERR_INTERNAL, "a value that JSON cannot hold");
    }
}

void json_write_canonical(struct buf *out, const json_t *value)
{
    write_with(out, value, JSON_COMPACT | JSON_SORT_KEYS);
}

void json_write_pretty(struct buf *out, const json_t *value)
{
    write_with(out, value, JSON_INDENT(2));
    buf_char(out, '\n');
}

void json_hash(const json_t *value, struct hash *ret)
{
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, value);
    ASSERT(text.err == 0);
    hash_of(text.data, text.len, ret);
}

int json_made(json_t *value, json_t **ret)
{
    FAIL_IF(!value, ERR_NOMEM, "a JSON value");
    *ret = value;
    return 0;
}

int json_get_str(const json_t *object, const char *key, const char **ret)
{
    const char *s = json_string_value(json_object_get(object, key));
    FAIL_IF(!s, ERR_INVALID, "'%s' must be a text", key);
    *ret = s;
    return 0;
}

int json_get_i64(const json_t *object, const char *key, int64_t min, int64_t max,
                 int64_t *ret)
{
    const json_t *v = json_object_get(object, key);
    FAIL_IF(!json_is_integer(v), ERR_INVALID, "'%s' must be a whole number", key);
    int64_t n = json_integer_value(v);
    FAIL_IF(n < min || n > max, ERR_INVALID, "'%s' must be between %lld and %lld", key,
            (long long)min, (long long)max);
    *ret = n;
    return 0;
}

int json_get_int(const json_t *object, const char *key, int min, int max, int *ret)
{
    int64_t n = 0;
    TRY(json_get_i64(object, key, min, max, &n));
    *ret = (int)n;
    return 0;
}

int json_get_double(const json_t *object, const char *key, double *ret)
{
    const json_t *v = json_object_get(object, key);
    FAIL_IF(!json_is_number(v), ERR_INVALID, "'%s' must be a number", key);
    *ret = json_number_value(v);
    return 0;
}

int json_get_bool(const json_t *object, const char *key, bool *ret)
{
    const json_t *v = json_object_get(object, key);
    FAIL_IF(!json_is_boolean(v), ERR_INVALID, "'%s' must be true or false", key);
    *ret = json_is_true(v);
    return 0;
}

int json_get_array(const json_t *object, const char *key, json_t **ret)
{
    json_t *v = json_object_get(object, key);
    FAIL_IF(!json_is_array(v), ERR_INVALID, "'%s' must be a list", key);
    *ret = v;
    return 0;
}

int json_get_object(const json_t *object, const char *key, json_t **ret)
{
    json_t *v = json_object_get(object, key);
    FAIL_IF(!json_is_object(v), ERR_INVALID, "'%s' must be an object", key);
    *ret = v;
    return 0;
}

const char *json_str_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : otherwise;
}

int64_t json_i64_or(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(object, key);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}
