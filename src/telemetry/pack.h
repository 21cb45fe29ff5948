// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers as bytes: little-endian, and LEB128 with seven bits a byte. A reader of bytes that may be damaged
// goes on with zeros after the end and says so once, at the end. Private to the room.
#ifndef TELEMETRY_PACK_H
#define TELEMETRY_PACK_H

#include "base/base.h"

#include <endian.h>
#include <string.h>

#define PACK_VARINT_MAX 10

static inline uint64_t pack_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t pack_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

// How many bytes were written.
static inline size_t pack_varint_to(uint8_t *at, uint64_t v)
{
    size_t n = 0;
    for (; v >= 128; v >>= 7) {
        at[n++] = (uint8_t)(v | 128);
    }
    at[n++] = (uint8_t)v;
    return n;
}

static inline void pack_varint(struct buf *out, uint64_t v)
{
    uint8_t bytes[PACK_VARINT_MAX];
    buf_add(out, bytes, pack_varint_to(bytes, v));
}

static inline void pack_u32(struct buf *out, uint32_t v)
{
    v = htole32(v);
    buf_add(out, &v, sizeof v);
}

static inline void pack_u64(struct buf *out, uint64_t v)
{
    v = htole64(v);
    buf_add(out, &v, sizeof v);
}

static inline void pack_double(struct buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    pack_u64(out, bits);
}

struct unpack {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct unpack unpack_of(const void *bytes, size_t len)
{
    return (struct unpack){.at = bytes, .end = (const uint8_t *)bytes + len};
}

static inline size_t unpack_left(const struct unpack *u)
{
    return (size_t)(u->end - u->at);
}

// NULL, and bad, where there are not as many.
static inline const uint8_t *unpack_bytes(struct unpack *u, size_t len)
{
    if (unpack_left(u) < len) {
        u->bad = true;
        u->at = u->end;
        return NULL;
    }
    const uint8_t *at = u->at;
    u->at += len;
    return at;
}

static inline uint8_t unpack_u8(struct unpack *u)
{
    const uint8_t *at = unpack_bytes(u, 1);
    return at ? *at : 0;
}

static inline uint32_t unpack_u32(struct unpack *u)
{
    uint32_t v = 0;
    const uint8_t *at = unpack_bytes(u, sizeof v);
    if (at) {
        memcpy(&v, at, sizeof v);
    }
    return le32toh(v);
}

static inline uint64_t unpack_u64(struct unpack *u)
{
    uint64_t v = 0;
    const uint8_t *at = unpack_bytes(u, sizeof v);
    if (at) {
        memcpy(&v, at, sizeof v);
    }
    return le64toh(v);
}

static inline double unpack_double(struct unpack *u)
{
    uint64_t bits = unpack_u64(u);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint64_t unpack_varint(struct unpack *u)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && u->at < u->end; shift += 7) {
        uint8_t byte = *u->at++;
        v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            return v;
        }
    }
    u->bad = true;
    u->at = u->end;
    return 0;
}

#endif
