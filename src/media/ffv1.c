// SPDX-License-Identifier: GPL-3.0-or-later
//
//     slice   content │ slice_size u24 │ with error correction: error_status u8, CRC-32
//
// A picture is its slices one behind the other, read from the last: the sizes must lead back to
// the first byte exactly. Whether there is error correction stands in a header coded by range
// coder; it is found by which of the two footers adds up.
#include "media/ffv1.h"

#include <libavutil/crc.h>
#include <stdbool.h>

#define MAX_SLICES 1024

struct outcome {
    bool adds_up;
    bool bad_sum, bad_status;
};

static struct outcome walk(const uint8_t *bytes, size_t len, size_t footer)
{
    struct outcome o = {0};
    size_t end = len;
    for (int slices = 0; end > 0; slices++) {
        if (end < footer || slices >= MAX_SLICES) {
            return o;
        }
        const uint8_t *f = bytes + end - footer;
        size_t size = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        if (size > end - footer) {
            return o;
        }
        size_t start = end - footer - size;
        if (footer == 8) {
            // CRC over the slice with its footer is 0 (RFC 9043 4.9.3).
            o.bad_status = o.bad_status || f[3] != 0;
            o.bad_sum = o.bad_sum || av_crc(av_crc_get_table(AV_CRC_32_IEEE), 0,
                                            bytes + start, end - start) != 0;
        }
        end = start;
    }
    o.adds_up = true;
    return o;
}

const char *media_ffv1_check(const uint8_t *bytes, size_t len)
{
    struct outcome with = walk(bytes, len, 8), without = walk(bytes, len, 3);
    if (!with.adds_up && !without.adds_up) {
        return "the sizes of its slices do not add up";
    }
    if (!with.adds_up) {
        return NULL;
    }
    return with.bad_status ? "a slice says that it is damaged"
           : with.bad_sum  ? "a slice does not have its check sum"
                           : NULL;
}
