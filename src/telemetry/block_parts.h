// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the writer of blocks and their reader both know.
#ifndef TELEMETRY_BLOCK_PARTS_H
#define TELEMETRY_BLOCK_PARTS_H

#include "telemetry/block.h"
#include "telemetry/crc32c.h"

#define BLOCK_MARK         "MQSERBL1"
#define BLOCK_END          "MQSEREND"
#define PAGE_MARK          "MQPG"
#define BLOCK_HEADER_BYTES 52 // without what it replaces
#define BLOCK_FOOTER_BYTES 36
#define PAGE_FRAME_BYTES   12
#define PAGE_ENTRY_BYTES   16 // in the directory

// Of a column, so that one of another series is none.
static inline uint32_t block_sum(uint32_t series, uint32_t column, const void *bytes,
                                 size_t len)
{
    uint32_t owner[2] = {htole32(series), htole32(column)};
    return crc32c(crc32c(0, owner, sizeof owner), bytes, len);
}

#endif
