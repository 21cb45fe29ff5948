// SPDX-License-Identifier: GPL-3.0-or-later
//
// The bytes as they are, and once more behind a checksum that fits, so that the reader behind it
// is reached.
#include "media/media.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(struct str bytes)
{
    AUTO(media_timeline_free) struct media_timeline *t = NULL, *again = NULL;
    if (media_timeline_read(bytes, &t) < 0) {
        return;
    }
    AUTO(buf_free) struct buf out = {0};
    ASSERT(media_timeline_write(t, &out) == 0);
    ASSERT(str_eq(buf_view(&out), bytes));
    ASSERT(media_timeline_read(buf_view(&out), &again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf whole = {0};
    buf_add(&whole, data, size);
    read_back(buf_view(&whole));
    struct hash sum;
    hash_of(data, size, &sum);
    buf_add(&whole, sum.bytes, sizeof sum.bytes);
    read_back(buf_view(&whole));
    return 0;
}
