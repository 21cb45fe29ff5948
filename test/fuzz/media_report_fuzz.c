// SPDX-License-Identifier: GPL-3.0-or-later
//
// A report of an inspection, from a step's process that untrusted bytes passed through: what can be read is written
// and read again the same.
#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) json_t *value = NULL, *written = NULL, *rewritten = NULL;
    AUTO(media_report_free) struct media_report *report = NULL, *again = NULL;
    if (json_parse(&value, (struct str){(const char *)data, size}, 1u << 20) < 0 ||
        media_report_from_json(value, &report) < 0) {
        return 0;
    }
    ASSERT(media_report_to_json(report, &written) == 0);
    ASSERT(media_report_from_json(written, &again) == 0);
    ASSERT(media_report_to_json(again, &rewritten) == 0);
    ASSERT(json_equal(written, rewritten));
    return 0;
}
