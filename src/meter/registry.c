// SPDX-License-Identifier: Apache-2.0
//
// Meters by type, name and tags. Ids are compared as they are sent: what differs only in characters that
// the protocol does not have, or in the order of tags, is the same meter.
#include "meter/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- ids ------------------------------------------------------------------------------------------

static void put_word(struct buf *out, const char *text, size_t max)
{
    size_t n = 0;
    for (; text[n] && n < max; n++) {
        buf_char(out, meter_is_of_word(text[n]) ? text[n] : '_');
    }
    if (n == 0) {
        buf_char(out, '_');
    }
}

void meter_tag_write(const struct meter_tag *tag, struct buf *out)
{
    buf_char(out, ',');
    put_word(out, tag->key, KEY_BYTES_MAX);
    buf_char(out, '=');
    put_word(out, tag->value ? tag->value : "", VALUE_BYTES_MAX);
}

struct sorted {
    const struct meter_tag *list[TAGS_MAX];
    size_t count;
};

// By key; the first of equal ones stays. ERR_LIMIT.
static int sort_in(struct sorted *s, const struct meter_tag *tags)
{
    for (const struct meter_tag *t = tags; t && t->key; t++) {
        size_t at = 0;
        while (at < s->count && strcmp(s->list[at]->key, t->key) < 0) {
            at++;
        }
        if (at < s->count && strcmp(s->list[at]->key, t->key) == 0) {
            continue;
        }
        FAIL_IF(s->count == TAGS_MAX, ERR_LIMIT, "a meter with over %u tags", TAGS_MAX);
        memmove(&s->list[at + 1], &s->list[at], (s->count - at) * sizeof s->list[0]);
        s->list[at] = t;
        s->count++;
    }
    return 0;
}

int meter_id_write(const struct meter *m, const char *name, const struct meter_tag *tags,
                   struct buf *out)
{
    struct sorted s = {.count = 0};
    size_t begin = out->len;
    FAIL_IF(!*name, ERR_LIMIT, "a meter without a name");
    TRY(sort_in(&s, tags));
    TRY(sort_in(&s, m->common_tags));
    put_word(out, name, NAME_BYTES_MAX);
    for (size_t i = 0; i < s.count; i++) {
        meter_tag_write(s.list[i], out);
    }
    TRY(out->err);
    FAIL_IF(out->len - begin > ID_BYTES_MAX, ERR_LIMIT, "a meter's id over %u bytes",
            ID_BYTES_MAX);
    return 0;
}

// FNV-1a (draft-eastlake-fnv), of ids that this program chose.
static uint64_t hash_of_id(enum meter_type type, struct str id)
{
    uint64_t h = (UINT64_C(0xcbf29ce484222325) ^ type) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < id.len; i++) {
        h = (h ^ (unsigned char)id.data[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

// --- finding and making ---------------------------------------------------------------------------

static struct item *find_locked(struct meter *m, enum meter_type type, struct str id,
                                uint64_t hash)
{
    struct item *item = m->registry[hash % REGISTRY_BUCKETS];
    while (item && !(item->hash == hash && item->type == type &&
                     str_eq(id, (struct str){item->id, item->id_bytes}))) {
        item = item->next;
    }
    return item;
}

static struct item *make_locked(struct meter *m, enum meter_type type, struct buf *id,
                                uint64_t hash)
{
    struct item *item =
        m->item_count < m->config.max_meters ? calloc(1, sizeof *item) : NULL;
    if (!item) {
        return NULL;
    }
    item->client = m->client;
    item->slot = m->slot_count++;
    item->type = type;
    item->meter = m;
    item->hash = hash;
    item->id_bytes = id->len;
    if (buf_take(id, &item->id) < 0) {
        free(item);
        return NULL;
    }
    atomic_init(&item->value, type == METER_MAX ? meter_bits_of(-INFINITY) : 0);
    item->next = m->registry[hash % REGISTRY_BUCKETS];
    m->registry[hash % REGISTRY_BUCKETS] = item;
    m->item_count++;
    return item;
}

static void *item_of(struct meter *m, enum meter_type type, const char *name,
                     const struct meter_tag *tags)
{
    AUTO(buf_free) struct buf id = {0};
    if (!m || !m->listens) {
        return NULL;
    }
    struct item *item = NULL;
    if (meter_id_write(m, name, tags, &id) == 0) {
        uint64_t hash = hash_of_id(type, buf_view(&id));
        pthread_mutex_lock(&m->lock);
        item = find_locked(m, type, buf_view(&id), hash);
        item = item ? item : make_locked(m, type, &id, hash);
        pthread_mutex_unlock(&m->lock);
    }
    if (!item) {
        METER_REFUSED(m);
    }
    return item;
}

void items_free(struct meter *m)
{
    for (size_t i = 0; i < REGISTRY_BUCKETS; i++) {
        while (m->registry[i]) {
            struct item *item = m->registry[i];
            m->registry[i] = item->next;
            cells_free_locked(item);
            free(item->id);
            free(item);
        }
    }
}

// --- what is added up -------------------------------------------------------------------------------

struct meter_counter *meter_counter_of(struct meter *m, const char *name,
                                       const struct meter_tag *tags)
{
    return item_of(m, METER_COUNTER, name, tags);
}

struct meter_timer *meter_timer_of(struct meter *m, const char *name,
                                   const struct meter_tag *tags)
{
    return item_of(m, METER_TIMER, name, tags);
}

struct meter_timer *meter_percentile_timer_of(struct meter *m, const char *name,
                                              const struct meter_tag *tags)
{
    return item_of(m, METER_PERCENTILE_TIMER, name, tags);
}

struct meter_summary *meter_summary_of(struct meter *m, const char *name,
                                       const struct meter_tag *tags)
{
    return item_of(m, METER_SUMMARY, name, tags);
}

struct meter_summary *meter_percentile_summary_of(struct meter *m, const char *name,
                                                  const struct meter_tag *tags)
{
    return item_of(m, METER_PERCENTILE_SUMMARY, name, tags);
}

// --- what is set ------------------------------------------------------------------------------------

static void set_bits(struct item *item, uint64_t bits)
{
    atomic_store_explicit(&item->value, bits, memory_order_relaxed);
    atomic_store_explicit(&item->is_set, true, memory_order_release);
}

static void set_real(struct item *item, double v)
{
    if (isfinite(v)) {
        set_bits(item, meter_bits_of(v));
    } else {
        METER_REFUSED(item->meter); // no number is no value, and never 0
    }
}

struct meter_gauge *meter_gauge_of(struct meter *m, const char *name,
                                   const struct meter_tag *tags, int ttl_s)
{
    struct meter_gauge *g = item_of(m, METER_GAUGE, name, tags);
    if (g) {
        atomic_store_explicit(&g->item.ttl_s, ttl_s ? MAX(ttl_s, 5) : 0,
                              memory_order_relaxed);
    }
    return g;
}

void meter_gauge_set(struct meter_gauge *g, double value)
{
    if (g) {
        set_real(&g->item, value);
    }
}

struct meter_max *meter_max_of(struct meter *m, const char *name,
                               const struct meter_tag *tags)
{
    return item_of(m, METER_MAX, name, tags);
}

void meter_max_set(struct meter_max *x, double value)
{
    if (!x) {
        return;
    }
    if (!isfinite(value)) {
        METER_REFUSED(x->item.meter);
        return;
    }
    uint64_t present = atomic_load_explicit(&x->item.value, memory_order_relaxed);
    while (meter_real_of(present) < value &&
           !atomic_compare_exchange_weak_explicit(
               &x->item.value, &present, meter_bits_of(value), memory_order_relaxed,
               memory_order_relaxed)) {
    }
}

struct meter_age *meter_age_of(struct meter *m, const char *name,
                               const struct meter_tag *tags)
{
    return item_of(m, METER_AGE, name, tags);
}

void meter_age_set(struct meter_age *a, int64_t wall_us)
{
    if (a) {
        int64_t when_us = wall_us > 0 ? wall_us : clock_wall_us();
        set_bits(&a->item, (uint64_t)MIN(when_us, INT64_MAX / 1000));
    }
}

struct meter_monotone *meter_monotone_of(struct meter *m, const char *name,
                                         const struct meter_tag *tags)
{
    return item_of(m, METER_MONOTONE, name, tags);
}

void meter_monotone_set(struct meter_monotone *x, double total)
{
    if (x) {
        set_real(&x->item, total);
    }
}

struct meter_monotone_uint *meter_monotone_uint_of(struct meter *m, const char *name,
                                                   const struct meter_tag *tags)
{
    return item_of(m, METER_MONOTONE_UINT, name, tags);
}

void meter_monotone_uint_set(struct meter_monotone_uint *x, uint64_t total)
{
    if (x) {
        set_bits(&x->item, total);
    }
}

struct meter_monotone_at *meter_monotone_at_of(struct meter *m, const char *name,
                                               const struct meter_tag *tags)
{
    return item_of(m, METER_MONOTONE_AT, name, tags);
}

// The number and its time belong together, so they are set under the lock.
void meter_monotone_at_set(struct meter_monotone_at *x, double total, int64_t wall_ms)
{
    if (!x) {
        return;
    }
    if (wall_ms < 0) {
        METER_REFUSED(x->item.meter);
        return;
    }
    pthread_mutex_lock(&x->item.meter->lock);
    x->item.at_ms = wall_ms;
    set_real(&x->item, total);
    pthread_mutex_unlock(&x->item.meter->lock);
}
