// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/id_table.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024

static int make_slots(size_t count, struct id_slot **ret)
{
    struct id_slot *slots = calloc(count, sizeof *slots);
    FAIL_IF(!slots, ERR_NOMEM, "a table of %zu names", count);
    *ret = slots;
    return 0;
}

int id_table_new(struct id_table *t)
{
    *t = (struct id_table){.mask = FIRST_SLOTS - 1};
    TRY(random_bytes(t->keys, sizeof t->keys));
    t->keys[1] |= 1;
    return make_slots(FIRST_SLOTS, &t->slots);
}

void id_table_clear(struct id_table *t)
{
    for (size_t i = 0; t->slots && i <= t->mask; i++) {
        free(t->slots[i].bytes);
        t->slots[i] = (struct id_slot){0};
    }
    t->count = 0;
    t->bytes = 0;
}

void id_table_free(struct id_table *t)
{
    id_table_clear(t);
    free(t->slots);
    *t = (struct id_table){0};
}

static void place(struct id_slot *slots, size_t mask, struct id_slot slot)
{
    size_t at = slot.hash & mask;
    while (slots[at].bytes) {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

static bool keep_all(void *user, uint32_t value)
{
    (void)user, (void)value;
    return true;
}

static int rebuild(struct id_table *t, size_t count, id_table_keep_f *keep, void *user)
{
    struct id_slot *slots = NULL;
    TRY(make_slots(count, &slots));
    for (size_t i = 0; i <= t->mask; i++) {
        struct id_slot *slot = &t->slots[i];
        if (slot->bytes && keep(user, slot->value)) {
            place(slots, count - 1, *slot);
        } else if (slot->bytes) {
            t->count--;
            t->bytes -= slot->len;
            free(slot->bytes);
        }
    }
    free(t->slots);
    t->slots = slots;
    t->mask = count - 1;
    return 0;
}

int id_table_add(struct id_table *t, uint64_t hash, struct str bytes, uint32_t value)
{
    if (t->count * 2 > t->mask) {
        TRY(rebuild(t, (t->mask + 1) * 2, keep_all, NULL));
    }
    char *copy = malloc(bytes.len ? bytes.len : 1);
    FAIL_IF(!copy || bytes.len > UINT32_MAX, ERR_NOMEM, "a name of %zu bytes", bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    place(t->slots, t->mask,
          (struct id_slot){
              .hash = hash, .bytes = copy, .len = (uint32_t)bytes.len, .value = value});
    t->count++;
    t->bytes += bytes.len;
    return 0;
}

int id_table_sweep(struct id_table *t, id_table_keep_f *keep, void *user)
{
    return rebuild(t, t->mask + 1, keep, user);
}
