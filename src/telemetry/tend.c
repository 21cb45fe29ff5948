// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/tend.h"

#include "telemetry/forget.h"
#include "telemetry/roster.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WINDOW_LEAST 480
#define LATE_SLOTS   3 // what comes out of order, two steps late, finds its window open

// --- windows --------------------------------------------------------------------------------------

static int64_t gcd_of(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t lcm_of(int64_t a, int64_t b)
{
    return a / gcd_of(a, b) * b;
}

int tend_windows(struct telemetry *t)
{
    int64_t piece = 1; // what a window of the tier before becomes
    for (size_t i = 0; i < t->config.tier_count; i++) {
        bool last = i + 1 == t->config.tier_count;
        int64_t ratio = last ? 1 : t->tiers[i + 1].step_ms / t->tiers[i].step_ms;
        int64_t least = ratio > CODEC_VALUES_MAX
                            ? CODEC_VALUES_MAX + 1
                            : lcm_of(lcm_of(HEAD_SLOTS, ratio), piece);
        int64_t window = (WINDOW_LEAST + least - 1) / least * least;
        FAIL_IF(
            window > CODEC_VALUES_MAX, ERR_INVALID,
            "a step of %lld ms does not go well with the next one, of %lld times that",
            (long long)t->tiers[i].step_ms, (long long)ratio);
        t->windows[i] = window;
        piece = window / ratio;
    }
    return 0;
}

// --- the list of blocks -----------------------------------------------------------------------------

static int by_number(const void *a, const void *b)
{
    uint64_t x = block_shape(*(struct block *const *)a)->number;
    uint64_t y = block_shape(*(struct block *const *)b)->number;
    return (x > y) - (x < y);
}

static bool fits_tiers(const struct telemetry *t, const struct block_shape *s)
{
    return s->tier < t->config.tier_count && s->step_ms == t->tiers[s->tier].step_ms &&
           s->first > 0 && s->columns == (s->tier == 0 ? 1 : BLOCK_COLUMNS_MAX) &&
           (s->first - 1) % t->windows[s->tier] + s->slots <= t->windows[s->tier];
}

static int open_one(struct telemetry *t, const char *name)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/%s", t->dir, name));
    struct block *b = NULL;
    int err = block_open(&b, path, series_corrupt, t);
    if (err < 0) {
        series_corrupt(t, path, err_reason());
        t->unread_blocks = true;
        return err == ERR_NOMEM ? err : 0;
    }
    if (!fits_tiers(t, block_shape(b))) {
        series_corrupt(t, path, "it is of other tiers than these");
        t->unread_blocks = true;
        block_unref(&b);
        return 0;
    }
    t->next_block = MAX(t->next_block, block_shape(b)->number + 1);
    err = vec_push(&t->blocks, b);
    if (err < 0) {
        block_unref(&b);
    }
    return err;
}

// Those whose place others took. A crash left their files behind.
static int remove_replaced(struct telemetry *t)
{
    block_list kept = {0}, gone = {0};
    TRY(vec_reserve(&kept, t->blocks.len));
    int err = vec_reserve(&gone, t->blocks.len);
    for (size_t i = 0; err == 0 && i < t->blocks.len; i++) {
        uint64_t number = block_shape(t->blocks.data[i])->number;
        bool is_gone = false;
        for (size_t k = 0; k < t->blocks.len; k++) {
            is_gone = is_gone || block_replaces(t->blocks.data[k], number);
        }
        if (is_gone) {
            gone.data[gone.len++] = t->blocks.data[i];
        } else {
            kept.data[kept.len++] = t->blocks.data[i];
        }
    }
    if (err < 0) {
        vec_free(&kept);
        return err;
    }
    vec_for_each (b, &gone) {
        block_remove(*b);
        block_unref(b);
    }
    vec_free(&gone);
    vec_free(&t->blocks);
    t->blocks = kept;
    return 0;
}

static int list_blocks(struct telemetry *t)
{
    DIR *d = opendir(t->dir);
    if (!d) {
        return err_fail_errno("opening %s", t->dir);
    }
    int err = 0;
    for (struct dirent *e = readdir(d); err == 0 && e; e = readdir(d)) {
        unsigned tier;
        uint64_t number;
        int end = 0;
        if (sscanf(e->d_name, "t%u-%16" SCNx64 ".block%n", &tier, &number, &end) == 2 &&
            end > 0 && e->d_name[end] == '\0') {
            t->next_block = MAX(t->next_block, number + 1); // a damaged one's too
            err = open_one(t, e->d_name);
        } else if (strncmp(e->d_name, "new-", 4) == 0) {
            unlinkat(dirfd(d), e->d_name, 0); // half a block
        }
    }
    closedir(d);
    return err;
}

int tend_open(struct telemetry *t)
{
    t->next_block = 1;
    TRY(list_blocks(t));
    TRY(remove_replaced(t));
    uint32_t numbers = 0;
    for (size_t i = 0; i < t->blocks.len; i++) {
        numbers = MAX(numbers, block_series_end(t->blocks.data[i]));
        t->disk_bytes += (uint64_t)block_bytes(t->blocks.data[i]);
    }
    if (t->blocks.len > 0) {
        qsort(t->blocks.data, t->blocks.len, sizeof *t->blocks.data, by_number);
    }
    tend_mark_rolled(t);
    // Numbers that a damaged roster forgot are not given again: blocks still mean other series by them.
    return series_skip_to(t, numbers);
}

// --- from memory to disk ----------------------------------------------------------------------------

// In the place of those in `old`, at once for every reader.
static int take_in(struct telemetry *t, struct block *b, const block_list *old)
{
    pthread_mutex_lock(&t->head.lock);
    int err = vec_reserve(&t->blocks, t->blocks.len + 1);
    size_t kept = 0;
    for (size_t i = 0; err == 0 && i < t->blocks.len; i++) {
        bool stays = true;
        for (size_t k = 0; old && k < old->len; k++) {
            stays = stays && old->data[k] != t->blocks.data[i];
        }
        if (stays) {
            t->blocks.data[kept++] = t->blocks.data[i];
        } else {
            t->disk_bytes -= (uint64_t)block_bytes(t->blocks.data[i]);
        }
    }
    if (err == 0) {
        t->blocks.len = kept;
        if (b) {
            t->blocks.data[t->blocks.len++] = b;
            t->disk_bytes += (uint64_t)block_bytes(b);
        }
        tend_mark_rolled(t);
    }
    pthread_mutex_unlock(&t->head.lock);
    return err;
}

int tend_publish(struct telemetry *t, struct block_writer *w, const block_list *old)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(block_unref) struct block *b = NULL;
    TRY(block_writer_publish(w, &path));
    if (path) {
        TRY(block_open(&b, path, series_corrupt, t));
    }
    TRY(take_in(t, b, old));
    b = NULL;
    for (size_t i = 0; old && i < old->len; i++) {
        struct block *gone = old->data[i];
        block_remove(gone);
        block_unref(&gone);
    }
    return 0;
}

int tend_writer(struct telemetry *t, const struct block_shape *shape,
                const block_list *old, struct block_writer **ret)
{
    VEC(uint64_t) replaces = {0};
    int err = 0;
    for (size_t i = 0; err == 0 && old && i < old->len; i++) {
        err = vec_push(&replaces, block_shape(old->data[i])->number);
    }
    struct block_writer_config c = {.dir = t->dir,
                                    .shape = *shape,
                                    .replaces = replaces.data,
                                    .replace_count = replaces.len,
                                    .precision = t->config.precision_bits};
    c.shape.number = t->next_block++;
    c.shape.columns = shape->tier == 0 ? 1 : BLOCK_COLUMNS_MAX;
    c.shape.step_ms = t->tiers[shape->tier].step_ms;
    err = err < 0 ? err : block_writer_new(ret, &c);
    vec_free(&replaces);
    return err;
}

static int write_window(struct telemetry *t, struct head_window *window)
{
    AUTO(block_writer_free) struct block_writer *w = NULL;
    const struct block_shape shape = {.first = window->first, .slots = HEAD_SLOTS};
    TRY(tend_writer(t, &shape, NULL, &w));
    for (uint32_t s = 0; s < window->rows_cap; s++) {
        const double *row = head_row(window, s);
        if (row) {
            TRY(block_writer_add(w, s, &row));
        }
    }
    TRY(tend_publish(t, w, NULL));
    pthread_mutex_lock(&t->head.lock);
    head_drop_frozen_locked(&t->head, window);
    pthread_mutex_unlock(&t->head.lock);
    return 0;
}

static int64_t due_slot(struct telemetry *t)
{
    return series_now(t) / t->step_ms - LATE_SLOTS;
}

static int write_frozen(struct telemetry *t, int64_t idle_us)
{
    int64_t due = due_slot(t);
    pthread_mutex_lock(&t->head.lock);
    int err = head_freeze_locked(&t->head, due, idle_us);
    size_t frozen = t->head.frozen.len;
    pthread_mutex_unlock(&t->head.lock);
    TRY(err);
    if (frozen == 0) {
        return 0;
    }
    // The state as it is goes into a new log; what is in those before it will be in blocks.
    uint64_t number = 0;
    TRY(journal_rotate(t->journal, &number));
    TRY(series_log_state(t));
    TRY(roster_write(t, index_numbers(t->index)));
    for (; frozen > 0; frozen--) {
        pthread_mutex_lock(&t->head.lock);
        struct head_window *w = t->head.frozen.data[0];
        pthread_mutex_unlock(&t->head.lock);
        TRY(write_window(t, w));
    }
    TRY(journal_sync(t->journal));
    return journal_drop(t->journal, number);
}

int tend(struct telemetry *t, int64_t idle_us)
{
    pthread_mutex_lock(&t->work);
    int err = write_frozen(t, idle_us);
    err = err < 0 ? err : tend_merge(t, due_slot(t));
    err = err < 0 ? err : tend_roll(t);
    err = err < 0 ? err : forget_silent(t);
    pthread_mutex_unlock(&t->work);
    return err;
}
