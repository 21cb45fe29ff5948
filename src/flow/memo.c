// SPDX-License-Identifier: GPL-3.0-or-later
//
// Results of done steps, read from rows once an executor's life. A workflow that joins a thousand
// steps is called a thousand times; without this each call would parse all results again.
#include "flow/internal.h"

#include <stdlib.h>
#include <string.h>

#define TRIM_BYTES (64u << 20)

struct entry {
    struct hash sum;
    struct flow_result *results;
    size_t count;
};

struct memo {
    struct arena *arena; // results, outputs, names
    VEC(json_t *) values;
    struct entry *slots; // open addressing; results NULL: free
    size_t cap;          // a power of two
    size_t len;
    size_t bytes; // about
};

int memo_new(struct memo **ret)
{
    AUTO(memo_free) struct memo *m = calloc(1, sizeof *m);
    FAIL_IF(!m, ERR_NOMEM, "a memo");
    TRY(arena_new(&m->arena));
    *ret = TAKE(m);
    return 0;
}

static void forget(struct memo *m)
{
    vec_for_each (v, &m->values) {
        json_free(v);
    }
    vec_free(&m->values);
    arena_free(&m->arena);
    free(m->slots);
    m->slots = NULL;
    m->cap = m->len = m->bytes = 0;
}

void memo_free(struct memo **memo)
{
    struct memo *m = TAKE(*memo);
    if (m) {
        forget(m);
        free(m);
    }
}

void memo_trim(struct memo *m)
{
    if (m->bytes > TRIM_BYTES) {
        forget(m);
    }
}

// The slot of a sum, or the free one where it belongs. Sums are SHA-256: any bytes of them spread.
static struct entry *slot_of(struct entry *slots, size_t cap, const struct hash *sum)
{
    uint64_t at;
    memcpy(&at, sum->bytes, sizeof at);
    for (;; at++) {
        struct entry *e = &slots[at & (cap - 1)];
        if (!e->results || hash_eq(&e->sum, sum)) {
            return e;
        }
    }
}

static int make_room(struct memo *m)
{
    if (!m->arena) {
        TRY(arena_new(&m->arena));
    }
    if (m->len * 2 < m->cap) {
        return 0;
    }
    size_t cap = m->cap ? m->cap * 2 : 64;
    struct entry *slots = calloc(cap, sizeof *slots);
    FAIL_IF(!slots, ERR_NOMEM, "a memo");
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].results) {
            *slot_of(slots, cap, &m->slots[i].sum) = m->slots[i];
        }
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return 0;
}

static int hash_column(const struct store_rows *r, int column, struct hash *ret)
{
    size_t len = 0;
    const void *bytes = store_bytes(r, column, &len);
    FAIL_IF(len != HASH_BYTES, ERR_CORRUPT, "a hash of %zu bytes", len);
    memcpy(ret->bytes, bytes, HASH_BYTES);
    return 0;
}

static int load_outputs(struct memo *m, struct store_tx *tx, const struct hash *key,
                        struct flow_result *result)
{
    VEC(struct flow_output) found = {0};
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r, "SELECT name, hash, size FROM flow_output WHERE key = ? ORDER BY name",
        "b", STORE_HASH(key)));
    int more, err = 0;
    while (err == 0 && (more = store_next(r)) != 0) {
        struct flow_output o = {0};
        if (more < 0) {
            err = more;
            break;
        }
        o.name = arena_dup(m->arena, str_of(store_text(r, 0)));
        o.size = store_i64(r, 2);
        err = o.name ? hash_column(r, 1, &o.blob) : err_fail(ERR_NOMEM, "outputs");
        err = err < 0 ? err : vec_push(&found, o);
    }
    if (err == 0 && found.len) {
        struct flow_output *kept = arena_alloc(m->arena, found.len, sizeof *kept);
        err = kept ? 0 : err_fail(ERR_NOMEM, "outputs");
        if (kept) {
            memcpy(kept, found.data, found.len * sizeof *kept);
            result->outputs = kept;
            result->output_count = found.len;
            m->bytes += found.len * 100;
        }
    }
    vec_free(&found);
    return err;
}

static int load(struct memo *m, struct store_tx *tx, int64_t step, size_t part_count,
                struct flow_result *results)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT p.position, p.key, p.reused, r.value, length(r.value)"
                    " FROM flow_part p JOIN flow_result r ON r.key = p.key"
                    " WHERE p.step = ? ORDER BY p.position",
                    "i", step));
    size_t got = 0;
    int more;
    while ((more = store_next(r)) > 0) {
        struct hash key;
        json_t *value = NULL;
        FAIL_IF(got >= part_count || store_i64(r, 0) != (int64_t)got, ERR_CORRUPT,
                "the parts of step %lld", (long long)step);
        TRY(hash_column(r, 1, &key));
        TRY(store_json(r, 3, &value));
        if (vec_push(&m->values, value) < 0) {
            json_decref(value);
            return ERR_NOMEM;
        }
        results[got].value = value;
        results[got].reused = store_i64(r, 2) != 0;
        m->bytes += 200 + 4 * (size_t)store_i64(r, 4);
        TRY(load_outputs(m, tx, &key, &results[got]));
        got++;
    }
    TRY(more);
    FAIL_IF(got != part_count, ERR_NOT_FOUND, "a result of step %lld is gone",
            (long long)step);
    return 0;
}

int memo_results(struct memo *m, struct store_tx *tx, int64_t step,
                 const struct hash *sum, size_t part_count,
                 const struct flow_result **ret)
{
    TRY(make_room(m));
    struct entry *e = slot_of(m->slots, m->cap, sum);
    if (e->results) {
        ASSERT(e->count == part_count);
        *ret = e->results;
        return 0;
    }
    struct flow_result *results =
        arena_alloc(m->arena, MAX(part_count, (size_t)1), sizeof *results);
    FAIL_IF(!results, ERR_NOMEM, "results");
    TRY(load(m, tx, step, part_count, results));
    *e = (struct entry){*sum, results, part_count};
    m->len++;
    *ret = results;
    return 0;
}

int result_exists(struct store_tx *tx, struct store_blobs *blobs, const struct hash *key)
{
    int64_t one = 0;
    int err = store_get_i64(tx, &one, "SELECT 1 FROM flow_result WHERE key = ?", "b",
                            STORE_HASH(key));
    if (err < 0) {
        return err == ERR_NOT_FOUND ? 0 : err;
    }
    bool whole = true;
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(tx, &r, "SELECT hash FROM flow_output WHERE key = ?", "b",
                        STORE_HASH(key)));
        int more = 0;
        while (whole && (more = store_next(r)) > 0) {
            struct hash h;
            TRY(hash_column(r, 0, &h));
            whole = store_blob_exists(blobs, &h);
        }
        TRY(more);
    }
    if (!whole) {
        TRY(result_forget(tx, key));
    }
    return whole;
}

const struct flow_output *flow_result_output(const struct flow_result *result,
                                             const char *name)
{
    for (size_t i = 0; i < result->output_count; i++) {
        if (strcmp(result->outputs[i].name, name) == 0) {
            return &result->outputs[i];
        }
    }
    return NULL;
}
