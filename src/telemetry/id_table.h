// SPDX-License-Identifier: GPL-3.0-or-later
//
// Raw bytes that name something -> a small number. Senders choose the bytes, so the hash is keyed by
// random numbers of this table.
#ifndef TELEMETRY_ID_TABLE_H
#define TELEMETRY_ID_TABLE_H

#include "base/base.h"

#include <string.h>

#define ID_NONE UINT32_MAX

// Open addressing, linear probing, at most half full. One line of a cache tells most misses; a hit reads
// the bytes as well.
struct id_slot {
    uint64_t hash;
    char *bytes; // owned; NULL: free
    uint32_t len;
    uint32_t value;
};

struct id_table {
    uint64_t keys[2];
    struct id_slot *slots;
    size_t mask; // slots - 1
    size_t count;
    size_t bytes; // of all names
};

int id_table_new(struct id_table *);
void id_table_free(struct id_table *);
// ERR_NOMEM. The bytes are copied, and are not in the table yet.
int id_table_add(struct id_table *, uint64_t hash, struct str bytes, uint32_t value);
// Drops what `keep` does not want.
typedef bool id_table_keep_f(void *user, uint32_t value);
int id_table_sweep(struct id_table *, id_table_keep_f *, void *user);
void id_table_clear(struct id_table *);

static inline uint64_t id_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t id_load(const char *p, size_t bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, bytes);
    return v;
}

// Folded 64 x 64 -> 128 bit products, 16 bytes each; the last 16 may be read twice. `kind` tells names of
// different kinds apart.
static inline uint64_t id_hash(const struct id_table *t, uint64_t kind, struct str s)
{
    uint64_t h = t->keys[0] ^ kind * UINT64_C(0x9e3779b97f4a7c15);
    const char *p = s.data;
    size_t left = s.len;
    for (; left > 16; p += 16, left -= 16) {
        h = id_fold(id_load(p, 8) ^ t->keys[1], id_load(p + 8, 8) ^ h);
    }
    uint64_t a = 0, b = 0;
    if (s.len >= 16) {
        p = s.data + s.len - 16;
        a = id_load(p, 8);
        b = id_load(p + 8, 8);
    } else if (left >= 8) {
        a = id_load(p, 8);
        b = id_load(p + left - 8, 8);
    } else if (left >= 4) {
        a = id_load(p, 4);
        b = id_load(p + left - 4, 4);
    } else {
        for (size_t i = 0; i < left; i++) {
            a = a << 8 | (unsigned char)p[i];
        }
    }
    h = id_fold(a ^ t->keys[1], b ^ h);
    return id_fold(h ^ s.len, t->keys[1] ^ UINT64_C(0xd6e8feb86659fd93));
}

static inline uint32_t id_table_find(const struct id_table *t, uint64_t hash,
                                     struct str s)
{
    for (size_t at = hash & t->mask;; at = (at + 1) & t->mask) {
        const struct id_slot *slot = &t->slots[at];
        if (!slot->bytes) {
            return ID_NONE;
        }
        if (slot->hash == hash && slot->len == s.len &&
            memcmp(slot->bytes, s.data, s.len) == 0) {
            return slot->value;
        }
    }
}

#endif
