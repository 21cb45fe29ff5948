// SPDX-License-Identifier: GPL-3.0-or-later
//
// Protocol Buffers' wire form, read in place and within bounds: what comes over the network in it is a few
// messages of a few fields. https://protobuf.dev/programming-guides/encoding/
#ifndef TELEMETRY_PROTO_H
#define TELEMETRY_PROTO_H

#include "base/base.h"

#include <string.h>

struct proto {
    const char *at, *end;
};

enum proto_kind {
    PROTO_VARINT = 0,
    PROTO_FIXED64 = 1,
    PROTO_BYTES = 2,
    PROTO_FIXED32 = 5
};

struct proto_field {
    uint32_t number;
    enum proto_kind kind;
    uint64_t value;   // of the three kinds of numbers
    struct str bytes; // of PROTO_BYTES: a text, a message
};

static inline struct proto proto_of(struct str s)
{
    return (struct proto){s.data, s.data + s.len};
}

static inline bool proto_varint(struct proto *p, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && p->at < p->end; shift += 7) {
        uint8_t byte = (uint8_t)*p->at++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static inline bool proto_fixed(struct proto *p, size_t bytes, uint64_t *ret)
{
    uint64_t v = 0;
    if ((size_t)(p->end - p->at) < bytes) {
        return false;
    }
    memcpy(&v, p->at, bytes); // little-endian, as this machine is
    p->at += bytes;
    *ret = v;
    return true;
}

// 1: a field, 0: the end, ERR_INVALID: it is none of this form. Groups, long gone, are none.
static inline int proto_next(struct proto *p, struct proto_field *ret)
{
    uint64_t key = 0;
    if (p->at == p->end) {
        return 0;
    }
    if (!proto_varint(p, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX) {
        return ERR_INVALID;
    }
    ret->number = (uint32_t)(key >> 3);
    ret->kind = (enum proto_kind)(key & 7);
    switch (ret->kind) {
    case PROTO_VARINT:
        return proto_varint(p, &ret->value) ? 1 : ERR_INVALID;
    case PROTO_FIXED64:
        return proto_fixed(p, 8, &ret->value) ? 1 : ERR_INVALID;
    case PROTO_FIXED32:
        return proto_fixed(p, 4, &ret->value) ? 1 : ERR_INVALID;
    case PROTO_BYTES:
        if (!proto_varint(p, &ret->value) || ret->value > (size_t)(p->end - p->at)) {
            return ERR_INVALID;
        }
        ret->bytes = (struct str){p->at, (size_t)ret->value};
        p->at += ret->value;
        return 1;
    }
    return ERR_INVALID;
}

static inline double proto_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

#endif
