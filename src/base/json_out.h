// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON into a buffer as it comes, for answers of millions of numbers: commas and quotes are the
// writer's, nesting is checked.
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include "base/str.h"

#define JSON_OUT_DEPTH_MAX 16

struct json_out {
    struct buf *out;
    size_t depth;
    char closers[JSON_OUT_DEPTH_MAX];
    bool needs_comma;
};

struct json_out json_out_to(struct buf *out);
void json_out_object(struct json_out *); // {
void json_out_array(struct json_out *);  // [
void json_out_end(struct json_out *);    // of what was opened last
void json_out_key(struct json_out *, const char *key);
void json_out_key_str(struct json_out *, struct str key);
// Bytes that are no UTF-8 become U+FFFD.
void json_out_str(struct json_out *, struct str value);
void json_out_cstr(struct json_out *, const char *value);
void json_out_i64(struct json_out *, int64_t value);
void json_out_bool(struct json_out *, bool value);
void json_out_null(struct json_out *);
// The shortest text that reads as the same number. Not finite: null.
void json_out_double(struct json_out *, double value);
// As above, but NaN, Infinity and -Infinity in words: bare, which no standard reader takes but Atlas' do,
// or quoted.
void json_out_double_bare(struct json_out *, double value);
void json_out_double_quoted(struct json_out *, double value);

#endif
