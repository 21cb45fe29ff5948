// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writing ISO base media boxes (ISO/IEC 14496-12 section 4.2) into a buffer: integers are
// big-endian, a box's size is put in when it ends.
#ifndef MEDIA_BOX_H
#define MEDIA_BOX_H

#include "base/base.h"

void box_u8(struct buf *, unsigned value);
void box_u16(struct buf *, unsigned value);
void box_u24(struct buf *, uint32_t value);
void box_u32(struct buf *, uint32_t value);
void box_i32(struct buf *, int32_t value);
void box_u64(struct buf *, uint64_t value);
void box_zeros(struct buf *, size_t count);
void box_fourcc(struct buf *, const char code[4]);

// `size_t at = box_begin(b, "moov"); … box_end(b, at);`
size_t box_begin(struct buf *, const char type[4]);
size_t box_begin_full(struct buf *, const char type[4], unsigned version, uint32_t flags);
void box_end(struct buf *, size_t at);
// Overwrites four bytes that were written before.
void box_patch_u32(struct buf *, size_t at, uint32_t value);

#endif
