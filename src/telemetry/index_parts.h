// SPDX-License-Identifier: GPL-3.0-or-later
//
// What index.c builds and index_match.c reads.
//
//   keys[k]    text, pairs: the pairs of this key
//   pairs[p]   key, value, postings: ascending numbers; one or two lie in the pair itself
//   series[s]  where in `lists` its pairs are, and how many
//   lists      the pair numbers of each series, in the order of its keys
//
// `pairs`, `series` and `lists` are in pieces that never move; a reader who knows a number needs no lock to
// follow it. Postings and a key's list of pairs do move: they need the lock.
//
// A series of five tags costs 12 (series) + 20 (list) + 20..30 (postings) + 8 (slot of the hash) bytes, and
// what is new of its texts.
#ifndef TELEMETRY_INDEX_PARTS_H
#define TELEMETRY_INDEX_PARTS_H

#include "telemetry/index.h"

#include <pthread.h>
#include <stdatomic.h>

#define INDEX_PIECE  4096
#define INDEX_PIECES 16384

struct index_postings {
    uint32_t count, cap; // cap 0: they lie in `few`
    union {
        uint32_t few[2];
        uint32_t *many;
    };
};

struct index_pair {
    const char *value;
    uint32_t key;
    uint32_t value_len;
    struct index_postings postings;
};

struct index_key {
    const char *text;
    size_t len;
    VEC(uint32_t) pairs;
};

struct index_entry {
    uint32_t list; // in `lists`
    uint32_t hash;
    uint8_t count;
    uint8_t dstype;
    _Atomic uint8_t forgotten;
};

struct index_table {
    uint32_t *slots; // number + 1; 0: free
    size_t mask;
    size_t used;
};

struct index {
    pthread_rwlock_t lock; // guards all that moves
    uint64_t seed;         // of the hash, so that nobody can aim at one slot
    VEC(struct index_key) keys;
    struct index_pair *pairs[INDEX_PIECES];
    struct index_entry *series[INDEX_PIECES];
    uint32_t *lists[INDEX_PIECES]; // of INDEX_PIECE * 16
    uint32_t pair_count, list_count;
    struct index_table pair_table, series_table;

    char *text; // where the next one goes
    size_t text_left;
    VEC(char *) texts;

    bool uncompacted; // postings have numbers of the forgotten

    _Atomic uint32_t numbers;
    _Atomic size_t alive, bytes;
};

static inline struct index_pair *index_pair_at(const struct index *ix, uint32_t p)
{
    return &ix->pairs[p / INDEX_PIECE][p % INDEX_PIECE];
}

static inline struct index_entry *index_entry_at(const struct index *ix, uint32_t s)
{
    return &ix->series[s / INDEX_PIECE][s % INDEX_PIECE];
}

static inline const uint32_t *index_ids(const struct index_postings *p)
{
    return p->cap ? p->many : p->few;
}

// INDEX_NONE: no such key.
uint32_t index_key_locked(const struct index *, struct str key);
uint32_t index_pair_locked(const struct index *, uint32_t key, struct str value);

#endif
