// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/wire.h"

#include <string.h>

void wire_begin(struct buf *out, const char *magic, uint32_t version)
{
    buf_add(out, magic, WIRE_MAGIC_BYTES);
    wire_u32(out, version);
}

void wire_u8(struct buf *out, uint8_t v)
{
    buf_add(out, &v, 1);
}

void wire_u32(struct buf *out, uint32_t v)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(v >> (8 * i));
    }
    buf_add(out, bytes, sizeof bytes);
}

void wire_i64(struct buf *out, int64_t signed_v)
{
    uint64_t v = (uint64_t)signed_v;
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(v >> (8 * i));
    }
    buf_add(out, bytes, sizeof bytes);
}

void wire_double(struct buf *out, double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    wire_i64(out, bits);
}

void wire_text(struct buf *out, const char *text)
{
    size_t len = MIN(strlen(text), (size_t)UINT16_MAX);
    wire_u32(out, (uint32_t)len);
    buf_add(out, text, len);
}

int wire_end(struct buf *out, size_t start)
{
    TRY(out->err);
    struct hash sum;
    hash_of(out->data + start, out->len - start, &sum);
    buf_add(out, sum.bytes, sizeof sum.bytes);
    return out->err;
}

int wire_open(struct str bytes, const char *magic, uint32_t version, struct wire *ret)
{
    FAIL_IF(bytes.len < WIRE_MAGIC_BYTES + 4 + HASH_BYTES, ERR_CORRUPT, "%s: cut short",
            magic);
    size_t len = bytes.len - HASH_BYTES;
    FAIL_IF(memcmp(bytes.data, magic, WIRE_MAGIC_BYTES) != 0, ERR_CORRUPT, "not a %s",
            magic);
    struct hash sum;
    hash_of(bytes.data, len, &sum);
    FAIL_IF(memcmp(sum.bytes, bytes.data + len, HASH_BYTES) != 0, ERR_CORRUPT,
            "%s: damaged", magic);
    struct wire wire = {.rest = {bytes.data + WIRE_MAGIC_BYTES, len - WIRE_MAGIC_BYTES}};
    uint32_t found = wire_get_u32(&wire);
    FAIL_IF(found != version, ERR_CORRUPT, "%s: version %u", magic, found);
    *ret = wire;
    return 0;
}

struct str wire_get_bytes(struct wire *wire, size_t len)
{
    if (wire->err == 0 && len > wire->rest.len) {
        wire->err = err_fail(ERR_CORRUPT, "a blob ends early");
    }
    if (wire->err < 0) {
        return (struct str){0};
    }
    struct str got = {wire->rest.data, len};
    wire->rest.data += len;
    wire->rest.len -= len;
    return got;
}

uint8_t wire_get_u8(struct wire *wire)
{
    struct str s = wire_get_bytes(wire, 1);
    return s.len ? (uint8_t)s.data[0] : 0;
}

static uint64_t get_le(struct wire *wire, size_t len)
{
    struct str s = wire_get_bytes(wire, len);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        v |= (uint64_t)(uint8_t)s.data[i] << (8 * i);
    }
    return v;
}

uint32_t wire_get_u32(struct wire *wire)
{
    return (uint32_t)get_le(wire, 4);
}

int64_t wire_get_i64(struct wire *wire)
{
    return (int64_t)get_le(wire, 8);
}

double wire_get_double(struct wire *wire)
{
    int64_t bits = wire_get_i64(wire);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

size_t wire_get_count(struct wire *wire, size_t item_bytes, size_t limit)
{
    int64_t n = wire_get_i64(wire);
    if (wire->err == 0 &&
        (n < 0 || (uint64_t)n > limit || (uint64_t)n > wire->rest.len / item_bytes)) {
        wire->err = err_fail(ERR_CORRUPT, "a blob counts more than it holds");
    }
    return wire->err < 0 ? 0 : (size_t)n;
}

void wire_get_text(struct wire *wire, char *ret, size_t ret_bytes)
{
    struct str s = wire_get_bytes(wire, wire_get_u32(wire));
    if (wire->err == 0 && (s.len >= ret_bytes || !str_is_utf8(s))) {
        wire->err = err_fail(ERR_CORRUPT, "a blob holds no text where it should");
    }
    ret[0] = 0;
    if (wire->err == 0) {
        memcpy(ret, s.data, s.len);
        ret[s.len] = 0;
    }
}

int wire_close(struct wire *wire)
{
    TRY(wire->err);
    FAIL_IF(wire->rest.len != 0, ERR_CORRUPT, "a blob has bytes left");
    return 0;
}
