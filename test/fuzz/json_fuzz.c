// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON and findings from outside: parse, read as findings, write, and read the same again.
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) json_t *value = NULL;
    if (json_parse(&value, (struct str){(const char *)data, size}, 1u << 20) < 0) {
        return 0;
    }
    AUTO(buf_free) struct buf text = {0};
    AUTO(json_free) json_t *again = NULL;
    json_write_canonical(&text, value);
    ASSERT(text.err == 0);
    ASSERT(json_parse(&again, buf_view(&text), 8u << 20) == 0);
    ASSERT(json_equal(value, again));
    AUTO(findings_free) struct findings list = {0};
    (void)findings_from_json(value, &list);
    return 0;
}
