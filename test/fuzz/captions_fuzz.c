// SPDX-License-Identifier: GPL-3.0-or-later
//
// Side-loaded caption files: whatever comes out is WebVTT that converts to itself.
#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf out = {0}, again = {0};
    struct diag diag = {0};
    struct str file = {.data = (const char *)data, .len = size};
    int err = media_captions_convert(file, "fuzz", &out, &diag);
    ASSERT(err == 0 || diag.items.len > 0 || err == ERR_LIMIT);
    if (err == 0) {
        ASSERT(str_is_utf8(buf_view(&out)));
        ASSERT(media_captions_convert(buf_view(&out), "again", &again, &diag) == 0);
    }
    diag_free(&diag);
    return 0;
}
