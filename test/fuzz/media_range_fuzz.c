// SPDX-License-Identifier: GPL-3.0-or-later
//
// A range's features: the bytes as they are, and behind a checksum that fits; what can be read must
// be written the same.
#include "media/feature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(struct str bytes)
{
    AUTO(media_features_clear) struct media_features f = {0};
    if (media_features_read(bytes, &f) < 0) {
        return;
    }
    AUTO(buf_free) struct buf out = {0};
    ASSERT(media_features_write(&f, &out) == 0);
    ASSERT(str_eq(buf_view(&out), bytes));
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
