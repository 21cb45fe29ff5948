// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/forget.h"

#include "telemetry/roster.h"

#include <stdlib.h>
#include <string.h>

#define REWRITE_LEAST  64 // forgotten series, before the list on disk is written anew,
#define REWRITE_ONE_IN 16 // and one so many

static void set_bit(uint64_t *words, uint32_t n)
{
    words[n / 64] |= UINT64_C(1) << (n % 64);
}

static bool has_bit(const uint64_t *words, uint32_t numbers, uint32_t n)
{
    return n < numbers && (words[n / 64] >> (n % 64) & 1);
}

static int bits_new(uint32_t numbers, uint64_t **ret)
{
    *ret = calloc(numbers / 64 + 1, sizeof **ret);
    FAIL_IF(!*ret, ERR_NOMEM, "a set of series");
    return 0;
}

static void bits_free(uint64_t **words)
{
    free(*words);
    *words = NULL;
}

// --- who has values ---------------------------------------------------------------------------------

static int mark_block(struct block *b, uint64_t *there, uint32_t numbers)
{
    AUTO(block_cursor_free) struct block_cursor *c = NULL;
    TRY(block_cursor_new(&c, b));
    for (uint32_t s = block_cursor_seek(c, 0); s < numbers;
         s = block_cursor_seek(c, s + 1)) {
        set_bit(there, s);
    }
    return 0;
}

// *ret_sound: every block told all of its series.
static int mark_blocks(struct telemetry *t, uint64_t *there, uint32_t numbers,
                       bool *ret_sound)
{
    block_list blocks = {0};
    pthread_mutex_lock(&t->head.lock);
    int err = vec_reserve(&blocks, t->blocks.len);
    for (size_t i = 0; err == 0 && i < t->blocks.len; i++) {
        blocks.data[blocks.len++] = block_ref(t->blocks.data[i]);
    }
    pthread_mutex_unlock(&t->head.lock);
    *ret_sound = !t->unread_blocks;
    vec_for_each (b, &blocks) {
        err = err < 0 ? err : mark_block(*b, there, numbers);
        *ret_sound = *ret_sound && !block_is_damaged(*b);
        block_unref(b);
    }
    vec_free(&blocks);
    return err;
}

static bool has_row_locked(const struct telemetry *t, uint32_t series)
{
    vec_for_each (w, &t->head.open) {
        if (head_row(*w, series)) {
            return true;
        }
    }
    vec_for_each (w, &t->head.frozen) {
        if (head_row(*w, series)) {
            return true;
        }
    }
    return false;
}

// --- forgetting -------------------------------------------------------------------------------------

// Needs the index' lock and the head's.
static void forget_locked(struct telemetry *t, uint32_t series)
{
    index_forget_locked(t->index, series);
    head_state_locked(&t->head, series)->dstype = GRID_FORGOTTEN;
}

void forget_one(struct telemetry *t, uint32_t series)
{
    index_lock_write(t->index);
    pthread_mutex_lock(&t->head.lock);
    forget_locked(t, series);
    pthread_mutex_unlock(&t->head.lock);
    index_unlock(t->index);
}

struct look {
    const uint64_t *there;  // in blocks
    const uint64_t *before; // silent at the last look
    uint32_t numbers, before_numbers;
    int64_t now_ms;
    uint64_t *silent;
};

// The next count makes a rate with the last one, as long as that may be followed.
static bool is_silent_locked(const struct telemetry *t, const struct grid_state *s,
                             int64_t now_ms)
{
    bool counts = s->dstype == TELEMETRY_RATE || s->dstype == TELEMETRY_COUNTER;
    return s->last_ms <= now_ms - (counts ? t->tiers[0].keep_ms : FORGET_LIFETIME_MS);
}

static size_t forget_seen(struct telemetry *t, const struct look *l)
{
    size_t gone = 0;
    index_lock_write(t->index);
    pthread_mutex_lock(&t->head.lock);
    for (uint32_t s = 0; s < l->numbers; s++) {
        if (has_bit(l->there, l->numbers, s) || !index_is_used(t->index, s) ||
            !is_silent_locked(t, head_state_locked(&t->head, s), l->now_ms) ||
            has_row_locked(t, s)) {
            continue;
        }
        if (has_bit(l->before, l->before_numbers, s)) {
            forget_locked(t, s);
            gone++;
        } else {
            set_bit(l->silent, s);
        }
    }
    pthread_mutex_unlock(&t->head.lock);
    index_compact_locked(t->index);
    index_unlock(t->index);
    atomic_fetch_add(&t->forgotten, gone);
    return gone;
}

int forget_silent(struct telemetry *t)
{
    int64_t now = series_now(t);
    if (now >= t->looked_ms && now - t->looked_ms < FORGET_LIFETIME_MS) {
        return 0;
    }
    AUTO(bits_free) uint64_t *there = NULL, *silent = NULL;
    bool sound;
    uint32_t numbers = index_numbers(t->index);
    TRY(bits_new(numbers, &there));
    TRY(bits_new(numbers, &silent));
    TRY(mark_blocks(t, there, numbers, &sound));
    t->looked_ms = now;
    if (!sound) {
        return 0;
    }
    (void)forget_seen(t, &(struct look){.there = there,
                                        .before = t->silent,
                                        .numbers = numbers,
                                        .before_numbers = t->silent_numbers,
                                        .now_ms = now,
                                        .silent = silent});
    free(t->silent);
    t->silent = TAKE(silent);
    t->silent_numbers = numbers;
    return 0;
}

int forget_at_opening(struct telemetry *t)
{
    AUTO(bits_free) uint64_t *there = NULL, *all = NULL;
    bool sound;
    uint32_t numbers = index_numbers(t->index);
    TRY(bits_new(numbers, &there));
    TRY(bits_new(numbers, &all));
    memset(all, 0xff, (numbers / 64 + 1) * sizeof *all);
    TRY(mark_blocks(t, there, numbers, &sound));
    t->looked_ms = series_now(t);
    if (!sound) {
        index_lock_write(t->index);
        index_compact_locked(t->index); // of those that were restored anew
        index_unlock(t->index);
        return 0;
    }
    size_t gone = forget_seen(t, &(struct look){.there = there,
                                                .before = all,
                                                .numbers = numbers,
                                                .before_numbers = numbers,
                                                .now_ms = t->looked_ms,
                                                .silent = there});
    bool many = gone >= REWRITE_LEAST && gone * REWRITE_ONE_IN >= index_series(t->index);
    return many ? roster_rewrite(t) : 0;
}
