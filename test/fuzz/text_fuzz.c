// SPDX-License-Identifier: GPL-3.0-or-later
//
// The small parsers of base: UTF-8, numbers, times, base64url, hashes.
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    int64_t n;
    double d;
    struct hash h;
    AUTO(buf_free) struct buf out = {0}, back = {0};
    (void)str_is_utf8(text);
    (void)str_to_i64(text, INT64_MIN, INT64_MAX, &n);
    (void)str_to_double(text, -1e300, 1e300, &d);
    (void)clock_parse(text, &n);
    (void)hash_parse(text, &h);
    (void)uuid_is_valid(text);
    if (base64url_decode(&out, text) == 0) {
        base64url_encode(&back, out.data, out.len);
        ASSERT(back.err == 0 && str_eq(buf_view(&back), text));
    }
    return 0;
}
