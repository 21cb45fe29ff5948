// SPDX-License-Identifier: GPL-3.0-or-later
//
// Binary results of steps: little-endian numbers between a magic with version and a checksum.
// Private to the room.
//
//     magic 8 bytes │ version u32 │ … │ SHA-256 of all before it, 32 bytes
//
// Reading trusts nothing: the checksum is looked at first, each number is bounded by what is
// left, and a failed read leaves a sticky error.
#ifndef MEDIA_WIRE_H
#define MEDIA_WIRE_H

#include "base/base.h"

#define WIRE_MAGIC_BYTES 8

void wire_begin(struct buf *, const char *magic, uint32_t version);
void wire_u8(struct buf *, uint8_t);
void wire_u32(struct buf *, uint32_t);
void wire_i64(struct buf *, int64_t);
void wire_double(struct buf *, double);
void wire_text(struct buf *, const char *text); // length and bytes, at most 65,535
// Appends the checksum of everything from `start` (the buffer's length before wire_begin).
int wire_end(struct buf *, size_t start);

struct wire {
    struct str rest;
    int err;
};

// ERR_CORRUPT: cut short, another kind of blob, another version, or damaged.
int wire_open(struct str bytes, const char *magic, uint32_t version, struct wire *ret);
uint8_t wire_get_u8(struct wire *);
uint32_t wire_get_u32(struct wire *);
int64_t wire_get_i64(struct wire *);
double wire_get_double(struct wire *);
// A count of items that take at least `item_bytes` each in what is left, at most `limit`.
size_t wire_get_count(struct wire *, size_t item_bytes, size_t limit);
struct str wire_get_bytes(struct wire *, size_t len);
void wire_get_text(struct wire *, char *ret, size_t ret_bytes);
// 0 when all was read and nothing is left.
int wire_close(struct wire *);

#endif
