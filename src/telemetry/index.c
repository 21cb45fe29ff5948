// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/index_parts.h"

#include <stdlib.h>
#include <string.h>

#define LIST_PIECE (INDEX_PIECE * 16)
#define TEXT_PIECE 65536
#define KEYS_MAX   16384

// --- hashing ------------------------------------------------------------------------------------

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_text(uint64_t h, const char *text, size_t len)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word;
    h = fold(h ^ len, odd);
    for (; len >= 8; text += 8, len -= 8) {
        memcpy(&word, text, 8);
        h = fold(h ^ word, odd);
    }
    word = 0;
    memcpy(&word, text, len);
    return fold(h ^ word, UINT64_C(0xd6e8feb86659fd93));
}

static uint64_t hash_pair(const struct index *ix, uint32_t key, struct str value)
{
    return hash_text(ix->seed + key, value.data, value.len);
}

static uint64_t hash_tags(const struct index *ix, const struct telemetry_tags *tags)
{
    uint64_t h = ix->seed;
    for (size_t i = 0; i < tags->count; i++) {
        h = hash_text(h, tags->list[i].key.data, tags->list[i].key.len);
        h = hash_text(h, tags->list[i].value.data, tags->list[i].value.len);
    }
    return h;
}

static void account(struct index *ix, size_t bytes)
{
    atomic_fetch_add_explicit(&ix->bytes, bytes, memory_order_relaxed);
}

static void table_put(struct index_table *t, uint64_t hash, uint32_t number)
{
    size_t at = hash & t->mask;
    while (t->slots[at]) {
        at = (at + 1) & t->mask;
    }
    t->slots[at] = number + 1;
}

// Room for one more at a load of at most 3/4. The hashes of those that are there come from `hash_number`.
static int table_grow(struct index *ix, struct index_table *t,
                      uint64_t (*hash_number)(const struct index *, uint32_t))
{
    size_t old = t->slots ? t->mask + 1 : 0;
    if ((t->used + 1) * 4 <= old * 3) {
        return 0;
    }
    size_t now = old ? old * 2 : 1024;
    struct index_table bigger = {
        .slots = calloc(now, sizeof *bigger.slots), .mask = now - 1, .used = t->used};
    FAIL_IF(!bigger.slots, ERR_NOMEM, "the index of series");
    for (size_t i = 0; i < old; i++) {
        if (t->slots[i]) {
            table_put(&bigger, hash_number(ix, t->slots[i] - 1), t->slots[i] - 1);
        }
    }
    free(t->slots);
    *t = bigger;
    account(ix, (now - old) * sizeof *t->slots);
    return 0;
}

static uint64_t hash_of_pair(const struct index *ix, uint32_t number)
{
    const struct index_pair *p = index_pair_at(ix, number);
    return hash_pair(ix, p->key, (struct str){p->value, p->value_len});
}

static uint64_t hash_of_series(const struct index *ix, uint32_t number)
{
    return index_entry_at(ix, number)->hash;
}

// --- lifecycle ----------------------------------------------------------------------------------

int index_new(struct index **ret)
{
    AUTO(index_free) struct index *ix = calloc(1, sizeof *ix);
    FAIL_IF(!ix, ERR_NOMEM, "the index of series");
    pthread_rwlock_init(&ix->lock, NULL);
    account(ix, sizeof *ix);
    TRY(random_bytes(&ix->seed, sizeof ix->seed));
    *ret = TAKE(ix);
    return 0;
}

void index_free(struct index **ixp)
{
    struct index *ix = TAKE(*ixp);
    if (!ix) {
        return;
    }
    for (uint32_t p = 0; p < ix->pair_count; p++) {
        struct index_postings *list = &index_pair_at(ix, p)->postings;
        if (list->cap) {
            free(list->many);
        }
    }
    for (size_t i = 0; i < INDEX_PIECES; i++) {
        free(ix->pairs[i]);
        free(ix->series[i]);
        free(ix->lists[i]);
    }
    vec_for_each (k, &ix->keys) {
        vec_free(&k->pairs);
    }
    vec_free(&ix->keys);
    vec_for_each (t, &ix->texts) {
        free(*t);
    }
    vec_free(&ix->texts);
    free(ix->pair_table.slots);
    free(ix->series_table.slots);
    pthread_rwlock_destroy(&ix->lock);
    free(ix);
}

void index_lock_read(struct index *ix)
{
    pthread_rwlock_rdlock(&ix->lock);
}

void index_lock_write(struct index *ix)
{
    pthread_rwlock_wrlock(&ix->lock);
}

void index_unlock(struct index *ix)
{
    pthread_rwlock_unlock(&ix->lock);
}

uint32_t index_numbers(const struct index *ix)
{
    return atomic_load_explicit(&ix->numbers, memory_order_acquire);
}

size_t index_series(const struct index *ix)
{
    return atomic_load_explicit(&ix->alive, memory_order_relaxed);
}

size_t index_bytes(const struct index *ix)
{
    return atomic_load_explicit(&ix->bytes, memory_order_relaxed);
}

// --- finding ------------------------------------------------------------------------------------

// The name of a key is in the table of pairs too, as a value of no key; `few` then has its number.
uint32_t index_key_locked(const struct index *ix, struct str key)
{
    uint32_t p = index_pair_locked(ix, INDEX_NONE, key);
    return p == INDEX_NONE ? INDEX_NONE : index_pair_at(ix, p)->postings.few[0];
}

uint32_t index_pair_locked(const struct index *ix, uint32_t key, struct str value)
{
    const struct index_table *t = &ix->pair_table;
    if (!t->slots) {
        return INDEX_NONE;
    }
    for (size_t at = hash_pair(ix, key, value) & t->mask; t->slots[at];
         at = (at + 1) & t->mask) {
        const struct index_pair *p = index_pair_at(ix, t->slots[at] - 1);
        if (p->key == key && p->value_len == value.len &&
            memcmp(p->value, value.data, value.len) == 0) {
            return t->slots[at] - 1;
        }
    }
    return INDEX_NONE;
}

static bool entry_is(const struct index *ix, const struct index_entry *e,
                     const struct telemetry_tags *tags)
{
    if (e->count != tags->count) {
        return false;
    }
    const uint32_t *list = &ix->lists[e->list / LIST_PIECE][e->list % LIST_PIECE];
    for (size_t i = 0; i < tags->count; i++) {
        const struct index_pair *p = index_pair_at(ix, list[i]);
        const struct telemetry_tag *tag = &tags->list[i];
        const struct index_key *k = &ix->keys.data[p->key];
        if (p->value_len != tag->value.len || k->len != tag->key.len ||
            memcmp(p->value, tag->value.data, tag->value.len) != 0 ||
            memcmp(k->text, tag->key.data, tag->key.len) != 0) {
            return false;
        }
    }
    return true;
}

uint32_t index_find_locked(const struct index *ix, const struct telemetry_tags *tags)
{
    const struct index_table *t = &ix->series_table;
    if (!t->slots) {
        return INDEX_NONE;
    }
    uint32_t hash = (uint32_t)hash_tags(ix, tags);
    for (size_t at = hash & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
        const struct index_entry *e = index_entry_at(ix, t->slots[at] - 1);
        if (e->hash == hash && entry_is(ix, e, tags)) {
            return t->slots[at] - 1;
        }
    }
    return INDEX_NONE;
}

size_t index_count_locked(const struct index *ix, struct str key, struct str value)
{
    uint32_t k = index_key_locked(ix, key);
    uint32_t p = k == INDEX_NONE ? INDEX_NONE : index_pair_locked(ix, k, value);
    return p == INDEX_NONE ? 0 : index_pair_at(ix, p)->postings.count;
}

void index_tags(const struct index *ix, uint32_t series,
                struct telemetry_tag ret[INDEX_TAGS_MAX], size_t *ret_count)
{
    const struct index_entry *e = index_entry_at(ix, series);
    *ret_count = e->count;
    if (e->count == 0) {
        return;
    }
    const uint32_t *list = &ix->lists[e->list / LIST_PIECE][e->list % LIST_PIECE];
    for (size_t i = 0; i < e->count; i++) {
        const struct index_pair *p = index_pair_at(ix, list[i]);
        const struct index_key *k = &ix->keys.data[p->key];
        ret[i] = (struct telemetry_tag){{k->text, k->len}, {p->value, p->value_len}};
    }
}

enum telemetry_dstype index_dstype(const struct index *ix, uint32_t series)
{
    return index_entry_at(ix, series)->dstype;
}

// --- adding -------------------------------------------------------------------------------------

static int keep_text(struct index *ix, struct str s, const char **ret)
{
    if (s.len > ix->text_left) {
        char *piece = malloc(TEXT_PIECE);
        FAIL_IF(!piece, ERR_NOMEM, "the texts of series");
        int err = vec_push(&ix->texts, piece);
        if (err < 0) {
            free(piece);
            return err;
        }
        ix->text = piece;
        ix->text_left = TEXT_PIECE;
        account(ix, TEXT_PIECE);
    }
    *ret = memcpy(ix->text, s.data, s.len);
    ix->text += s.len;
    ix->text_left -= s.len;
    return 0;
}

static int piece_at(struct index *ix, void **pieces, size_t piece, size_t bytes)
{
    FAIL_IF(piece >= INDEX_PIECES, ERR_LIMIT, "the index of series is full");
    if (!pieces[piece]) {
        pieces[piece] = calloc(1, bytes);
        FAIL_IF(!pieces[piece], ERR_NOMEM, "the index of series");
        account(ix, bytes);
    }
    return 0;
}

static int add_pair(struct index *ix, uint32_t key, struct str value, uint32_t *ret)
{
    uint32_t p = ix->pair_count;
    TRY(piece_at(ix, (void **)ix->pairs, p / INDEX_PIECE,
                 INDEX_PIECE * sizeof(struct index_pair)));
    TRY(table_grow(ix, &ix->pair_table, hash_of_pair));
    struct index_pair *pair = index_pair_at(ix, p);
    *pair = (struct index_pair){.key = key, .value_len = (uint32_t)value.len};
    TRY(keep_text(ix, value, &pair->value));
    table_put(&ix->pair_table, hash_pair(ix, key, value), p);
    ix->pair_table.used++;
    ix->pair_count++;
    *ret = p;
    return 0;
}

static int key_of(struct index *ix, struct str key, uint32_t *ret)
{
    uint32_t k = index_key_locked(ix, key), p;
    if (k == INDEX_NONE) {
        FAIL_IF(ix->keys.len >= KEYS_MAX, ERR_LIMIT, "over %d keys of tags", KEYS_MAX);
        // Reserved whole, once: readers follow it without the lock.
        TRY(vec_reserve(&ix->keys, KEYS_MAX));
        k = (uint32_t)ix->keys.len;
        TRY(add_pair(ix, INDEX_NONE, key, &p));
        struct index_pair *name = index_pair_at(ix, p);
        name->postings.few[0] = k;
        TRY(vec_push(&ix->keys,
                     (struct index_key){.text = name->value, .len = name->value_len}));
    }
    *ret = k;
    return 0;
}

static int pair_of(struct index *ix, uint32_t key, struct str value, uint32_t *ret)
{
    uint32_t p = index_pair_locked(ix, key, value);
    if (p == INDEX_NONE) {
        TRY(vec_reserve(&ix->keys.data[key].pairs, ix->keys.data[key].pairs.len + 1));
        TRY(add_pair(ix, key, value, &p));
        TRY(vec_push(&ix->keys.data[key].pairs, p));
        account(ix, sizeof(uint32_t));
    }
    *ret = p;
    return 0;
}

static int postings_reserve(struct index *ix, struct index_postings *list)
{
    if (list->count < (list->cap ? list->cap : ARRAY_LEN(list->few))) {
        return 0;
    }
    // By half, so that the last growth of two million costs four megabytes, not eight.
    uint32_t cap = list->cap ? list->cap + list->cap / 2 : 8;
    uint32_t *many = realloc(list->cap ? list->many : NULL, cap * sizeof *many);
    FAIL_IF(!many, ERR_NOMEM, "the postings of series");
    if (!list->cap) {
        memcpy(many, list->few, sizeof list->few);
    }
    account(ix, (cap - list->cap) * sizeof *many);
    list->many = many;
    list->cap = cap;
    return 0;
}

static int list_place(struct index *ix, size_t count, uint32_t *ret)
{
    uint32_t at = ix->list_count;
    if (at % LIST_PIECE + count > LIST_PIECE) {
        at += LIST_PIECE - at % LIST_PIECE;
    }
    TRY(piece_at(ix, (void **)ix->lists, at / LIST_PIECE, LIST_PIECE * sizeof(uint32_t)));
    *ret = at;
    return 0;
}

int index_add_locked(struct index *ix, const struct telemetry_tags *tags,
                     enum telemetry_dstype dstype, uint32_t *ret)
{
    ASSERT(tags->count > 0 && tags->count <= INDEX_TAGS_MAX);
    uint32_t number = index_numbers(ix), at, pairs[INDEX_TAGS_MAX];
    // All that can fail comes first; what it leaves is a pair without series.
    TRY(piece_at(ix, (void **)ix->series, number / INDEX_PIECE,
                 INDEX_PIECE * sizeof(struct index_entry)));
    TRY(table_grow(ix, &ix->series_table, hash_of_series));
    TRY(list_place(ix, tags->count, &at));
    for (size_t i = 0; i < tags->count; i++) {
        uint32_t key = 0;
        TRY(key_of(ix, tags->list[i].key, &key));
        TRY(pair_of(ix, key, tags->list[i].value, &pairs[i]));
        TRY(postings_reserve(ix, &index_pair_at(ix, pairs[i])->postings));
    }
    for (size_t i = 0; i < tags->count; i++) {
        struct index_postings *list = &index_pair_at(ix, pairs[i])->postings;
        (list->cap ? list->many : list->few)[list->count++] = number;
        ix->lists[at / LIST_PIECE][at % LIST_PIECE + i] = pairs[i];
    }
    ix->list_count = at + (uint32_t)tags->count;
    uint64_t hash = hash_tags(ix, tags);
    *index_entry_at(ix, number) = (struct index_entry){.list = at,
                                                       .hash = (uint32_t)hash,
                                                       .count = (uint8_t)tags->count,
                                                       .dstype = (uint8_t)dstype};
    table_put(&ix->series_table, (uint32_t)hash, number);
    ix->series_table.used++;
    atomic_fetch_add_explicit(&ix->alive, 1, memory_order_relaxed);
    atomic_store_explicit(&ix->numbers, number + 1, memory_order_release);
    *ret = number;
    return 0;
}

int index_skip_locked(struct index *ix, uint32_t until)
{
    while (index_numbers(ix) < until) {
        uint32_t number = index_numbers(ix);
        TRY(piece_at(ix, (void **)ix->series, number / INDEX_PIECE,
                     INDEX_PIECE * sizeof(struct index_entry)));
        *index_entry_at(ix, number) = (struct index_entry){0};
        atomic_store_explicit(&ix->numbers, number + 1, memory_order_release);
    }
    return 0;
}

// --- forgetting -----------------------------------------------------------------------------------

// Those behind move up, so that no search ends early.
static void table_remove(const struct index *ix, struct index_table *t, uint32_t number)
{
    size_t hole = index_entry_at(ix, number)->hash & t->mask;
    while (t->slots[hole] && t->slots[hole] != number + 1) {
        hole = (hole + 1) & t->mask;
    }
    if (!t->slots[hole]) {
        return;
    }
    for (size_t at = (hole + 1) & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
        size_t home = index_entry_at(ix, t->slots[at] - 1)->hash & t->mask;
        if (((at - home) & t->mask) >= ((at - hole) & t->mask)) {
            t->slots[hole] = t->slots[at];
            hole = at;
        }
    }
    t->slots[hole] = 0;
    t->used--;
}

void index_forget_locked(struct index *ix, uint32_t series)
{
    struct index_entry *e = index_entry_at(ix, series);
    if (e->count == 0 || e->forgotten) {
        return;
    }
    table_remove(ix, &ix->series_table, series);
    atomic_store_explicit(&e->forgotten, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&ix->alive, 1, memory_order_relaxed);
    ix->uncompacted = true;
}

void index_compact_locked(struct index *ix)
{
    for (uint32_t p = 0; ix->uncompacted && p < ix->pair_count; p++) {
        struct index_pair *pair = index_pair_at(ix, p);
        if (pair->key == INDEX_NONE) {
            continue; // the name of a key
        }
        struct index_postings *list = &pair->postings;
        uint32_t *ids = list->cap ? list->many : list->few, kept = 0;
        for (uint32_t i = 0; i < list->count; i++) {
            if (!index_entry_at(ix, ids[i])->forgotten) {
                ids[kept++] = ids[i];
            }
        }
        list->count = kept;
    }
    ix->uncompacted = false;
}

bool index_is_used(const struct index *ix, uint32_t series)
{
    const struct index_entry *e = index_entry_at(ix, series);
    return e->count > 0 && !atomic_load_explicit(&e->forgotten, memory_order_relaxed);
}
