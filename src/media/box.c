// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/box.h"

void box_u8(struct buf *b, unsigned value)
{
    buf_char(b, (char)(value & 0xff));
}

void box_u16(struct buf *b, unsigned value)
{
    box_u8(b, value >> 8);
    box_u8(b, value);
}

void box_u24(struct buf *b, uint32_t value)
{
    box_u8(b, value >> 16);
    box_u16(b, value);
}

void box_u32(struct buf *b, uint32_t value)
{
    box_u16(b, value >> 16);
    box_u16(b, value);
}

void box_i32(struct buf *b, int32_t value)
{
    box_u32(b, (uint32_t)value);
}

void box_u64(struct buf *b, uint64_t value)
{
    box_u32(b, (uint32_t)(value >> 32));
    box_u32(b, (uint32_t)value);
}

void box_zeros(struct buf *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_char(b, 0);
    }
}

void box_fourcc(struct buf *b, const char code[4])
{
    buf_add(b, code, 4);
}

size_t box_begin(struct buf *b, const char type[4])
{
    size_t at = b->len;
    box_u32(b, 0);
    box_fourcc(b, type);
    return at;
}

size_t box_begin_full(struct buf *b, const char type[4], unsigned version, uint32_t flags)
{
    size_t at = box_begin(b, type);
    box_u8(b, version);
    box_u24(b, flags);
    return at;
}

void box_patch_u32(struct buf *b, size_t at, uint32_t value)
{
    if (b->err < 0) {
        return; // the buffer stopped growing, `at` may lie behind its end
    }
    ASSERT(at + 4 <= b->len);
    for (unsigned i = 0; i < 4; i++) {
        b->data[at + i] = (char)((value >> (24 - 8 * i)) & 0xff);
    }
}

void box_end(struct buf *b, size_t at)
{
    if (b->err < 0) {
        return;
    }
    size_t size = b->len - at;
    ASSERT(size <= UINT32_MAX);
    box_patch_u32(b, at, (uint32_t)size);
}
