// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON through jansson: strict on the way in (no duplicate keys, bounded size), one spelling on
// the way out. json_pack and json_unpack are the binders.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/hash.h"

#include <jansson.h>

// For AUTO(json_free) json_t *j.
void json_free(json_t **);

// Parses one value and nothing behind it. Rejects duplicate keys, bad UTF-8, "\u0000" and texts
// over `max_bytes`. The caller owns *ret. ERR_INVALID names line and column.
int json_parse(json_t **ret, struct str text, size_t max_bytes);
int json_parse_file(json_t **ret, const char *path, size_t max_bytes);

// Compact, keys sorted: equal values have equal texts, so that it can be hashed.
void json_write_canonical(struct buf *out, const json_t *value);
// Indented by two, keys in their order, with a final newline: for people and --json.
void json_write_pretty(struct buf *out, const json_t *value);
void json_hash(const json_t *value, struct hash *ret);

// Takes the reference that json_pack gave; ERR_NOMEM when it is NULL. For
// `TRY(json_made(json_pack(…), &out))`.
int json_made(json_t *value, json_t **ret);

// Members of an object. ERR_INVALID with the key's name when missing or of another type;
// strings stay owned by the object.
int json_get_str(const json_t *object, const char *key, const char **ret);
int json_get_i64(const json_t *object, const char *key, int64_t min, int64_t max,
                 int64_t *ret);
int json_get_int(const json_t *object, const char *key, int min, int max, int *ret);
int json_get_double(const json_t *object, const char *key, double *ret);
int json_get_bool(const json_t *object, const char *key, bool *ret);
int json_get_array(const json_t *object, const char *key, json_t **ret);  // borrowed
int json_get_object(const json_t *object, const char *key, json_t **ret); // borrowed
// The member, or the given value where it is absent or null.
const char *json_str_or(const json_t *object, const char *key, const char *otherwise);
int64_t json_i64_or(const json_t *object, const char *key, int64_t otherwise);

#endif
