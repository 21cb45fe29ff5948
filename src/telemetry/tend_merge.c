// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/tend.h"

#include <math.h>
#include <stdlib.h>

// Several blocks of one window, read together in the order of their series; what a later one says stands.
struct together {
    block_list blocks; // by number
    VEC(struct block_cursor *) cursors;
    VEC(uint32_t) next; // series of each cursor
    int64_t first;
    size_t slots;
    uint32_t columns;
    double rows[BLOCK_COLUMNS_MAX][CODEC_VALUES_MAX];
};

static void together_free(struct together **gp)
{
    struct together *g = TAKE(*gp);
    if (!g) {
        return;
    }
    vec_for_each (c, &g->cursors) {
        block_cursor_free(c);
    }
    vec_free(&g->cursors);
    vec_free(&g->next);
    vec_free(&g->blocks);
    free(g);
}

// Those of `tier` in the window that begins at `first`.
static int find_blocks(struct telemetry *t, uint32_t tier, int64_t first, block_list *ret)
{
    int err = 0;
    pthread_mutex_lock(&t->head.lock);
    for (size_t i = 0; err == 0 && i < t->blocks.len; i++) {
        const struct block_shape *s = block_shape(t->blocks.data[i]);
        if (s->tier == tier && grid_window(s->first, t->windows[tier]) == first) {
            err = vec_push(ret, t->blocks.data[i]);
        }
    }
    pthread_mutex_unlock(&t->head.lock);
    return err;
}

static int together_new(struct telemetry *t, uint32_t tier, int64_t first,
                        struct together **ret)
{
    AUTO(together_free) struct together *g = calloc(1, sizeof *g);
    FAIL_IF(!g, ERR_NOMEM, "a merge of blocks");
    g->first = first;
    g->slots = (size_t)t->windows[tier];
    g->columns = tier == 0 ? 1 : BLOCK_COLUMNS_MAX;
    TRY(find_blocks(t, tier, first, &g->blocks));
    vec_for_each (b, &g->blocks) {
        struct block_cursor *c = NULL;
        TRY(vec_reserve(&g->cursors, g->cursors.len + 1));
        TRY(block_cursor_new(&c, *b));
        TRY(vec_push(&g->cursors, c));
        TRY(vec_push(&g->next, block_cursor_seek(c, 0)));
    }
    *ret = TAKE(g);
    return 0;
}

static void lay_over(struct together *g, size_t i)
{
    double row[CODEC_VALUES_MAX];
    const struct block_shape *s = block_shape(g->blocks.data[i]);
    for (uint32_t c = 0; c < g->columns; c++) {
        if (!block_cursor_read(g->cursors.data[i], c, row)) {
            continue;
        }
        double *onto = g->rows[c] + (s->first - g->first);
        for (uint32_t k = 0; k < s->slots; k++) {
            onto[k] = isnan(row[k]) ? onto[k] : row[k];
        }
    }
}

// The next series, its rows in `rows`; BLOCK_NONE at the end.
static uint32_t together_next(struct together *g)
{
    uint32_t series = BLOCK_NONE;
    vec_for_each (next, &g->next) {
        series = MIN(series, *next);
    }
    if (series == BLOCK_NONE) {
        return BLOCK_NONE;
    }
    for (uint32_t c = 0; c < g->columns; c++) {
        for (size_t k = 0; k < g->slots; k++) {
            g->rows[c][k] = NAN;
        }
    }
    for (size_t i = 0; i < g->next.len; i++) {
        if (g->next.data[i] == series) {
            lay_over(g, i);
            g->next.data[i] = block_cursor_seek(g->cursors.data[i], series + 1);
        }
    }
    return series;
}

// --- one window, one block --------------------------------------------------------------------------

static int merge_window(struct telemetry *t, uint32_t tier, int64_t first)
{
    AUTO(together_free) struct together *g = NULL;
    AUTO(block_writer_free) struct block_writer *w = NULL;
    TRY(together_new(t, tier, first, &g));
    const struct block_shape shape = {
        .tier = tier, .first = first, .slots = (uint32_t)t->windows[tier]};
    TRY(tend_writer(t, &shape, &g->blocks, &w));
    const double *columns[BLOCK_COLUMNS_MAX];
    for (uint32_t c = 0; c < g->columns; c++) {
        columns[c] = g->rows[c];
    }
    for (uint32_t s = together_next(g); s != BLOCK_NONE; s = together_next(g)) {
        TRY(block_writer_add(w, s, columns));
    }
    vec_for_each (b, &g->blocks) {
        if (block_is_damaged(*b)) {
            return 0; // what is in it may be read another time, or by another disk
        }
    }
    return tend_publish(t, w, &g->blocks);
}

// Several blocks, none of them damaged, and nothing in memory that will be one more.
static bool is_mergeable(const struct telemetry *t, uint32_t tier, int64_t first)
{
    int64_t window = t->windows[tier];
    size_t count = 0;
    for (size_t i = 0; i < t->blocks.len; i++) {
        const struct block_shape *s = block_shape(t->blocks.data[i]);
        if (s->tier == tier && grid_window(s->first, window) == first) {
            if (block_is_damaged(t->blocks.data[i])) {
                return false;
            }
            count++;
        }
    }
    for (size_t i = 0; tier == 0 && i < t->head.open.len; i++) {
        if (grid_window(t->head.open.data[i]->first, window) == first) {
            return false;
        }
    }
    return count > 1;
}

// A window that is over.
static bool find_mergeable(struct telemetry *t, int64_t due, uint32_t *ret_tier,
                           int64_t *ret_first)
{
    bool found = false;
    pthread_mutex_lock(&t->head.lock);
    for (size_t i = 0; !found && i < t->blocks.len; i++) {
        const struct block_shape *s = block_shape(t->blocks.data[i]);
        int64_t window = t->windows[s->tier], first = grid_window(s->first, window);
        int64_t end_ms = (first + window - 1) * s->step_ms;
        bool over = s->tier == 0 ? end_ms <= due * t->step_ms
                                 : end_ms <= t->rolled_until_ms[s->tier - 1];
        if (over && is_mergeable(t, s->tier, first)) {
            *ret_tier = s->tier;
            *ret_first = first;
            found = true;
        }
    }
    pthread_mutex_unlock(&t->head.lock);
    return found;
}

int tend_merge(struct telemetry *t, int64_t due)
{
    uint32_t tier = 0;
    int64_t first = 0;
    while (find_mergeable(t, due, &tier, &first)) {
        TRY(merge_window(t, tier, first));
    }
    return 0;
}

// --- to the next tier ---------------------------------------------------------------------------------

// Columns of a coarser slot.
enum cell { CELL_SUM, CELL_LEAST, CELL_GREATEST, CELL_COUNT };

static void roll_cell(const struct together *g, size_t from, size_t ratio, double ret[4])
{
    double sum = 0, least = INFINITY, greatest = -INFINITY, count = 0;
    for (size_t k = from; k < from + ratio; k++) {
        double v = g->rows[CELL_SUM][k];
        if (isnan(v)) {
            continue;
        }
        bool fine = g->columns == 1;
        sum += v;
        least = fmin(least, fine ? v : g->rows[CELL_LEAST][k]);
        greatest = fmax(greatest, fine ? v : g->rows[CELL_GREATEST][k]);
        count += fine ? 1 : g->rows[CELL_COUNT][k];
    }
    ret[CELL_SUM] = count > 0 && isfinite(sum) ? sum : NAN;
    ret[CELL_LEAST] = count > 0 ? least : NAN;
    ret[CELL_GREATEST] = count > 0 ? greatest : NAN;
    ret[CELL_COUNT] = count > 0 ? count : NAN;
}

static int roll_series(const struct together *g, size_t ratio, struct block_writer *w,
                       uint32_t series)
{
    double cells[BLOCK_COLUMNS_MAX][CODEC_VALUES_MAX];
    const double *columns[BLOCK_COLUMNS_MAX];
    for (size_t k = 0; k < g->slots / ratio; k++) {
        double cell[BLOCK_COLUMNS_MAX];
        roll_cell(g, k * ratio, ratio, cell);
        for (size_t c = 0; c < BLOCK_COLUMNS_MAX; c++) {
            cells[c][k] = cell[c];
        }
    }
    for (size_t c = 0; c < BLOCK_COLUMNS_MAX; c++) {
        columns[c] = cells[c];
    }
    return block_writer_add(w, series, columns);
}

static int roll_window(struct telemetry *t, uint32_t tier, int64_t first)
{
    AUTO(together_free) struct together *g = NULL;
    AUTO(block_writer_free) struct block_writer *w = NULL;
    TRY(together_new(t, tier, first, &g));
    bool last = tier + 1 == t->config.tier_count;
    size_t ratio =
        last ? 1 : (size_t)(t->tiers[tier + 1].step_ms / t->tiers[tier].step_ms);
    const struct block_shape shape = {.tier = last ? tier : tier + 1,
                                      .first = (first - 1) / (int64_t)ratio + 1,
                                      .slots = (uint32_t)(g->slots / ratio)};
    TRY(tend_writer(t, &shape, &g->blocks, &w));
    for (uint32_t s = last ? BLOCK_NONE : together_next(g); s != BLOCK_NONE;
         s = together_next(g)) {
        TRY(roll_series(g, ratio, w, s));
    }
    return tend_publish(t, w, &g->blocks);
}

void tend_mark_rolled(struct telemetry *t)
{
    for (size_t i = 0; i < t->blocks.len; i++) {
        const struct block_shape *s = block_shape(t->blocks.data[i]);
        if (s->tier > 0) {
            int64_t *until = &t->rolled_until_ms[s->tier - 1];
            *until = MAX(*until, (s->first + s->slots - 1) * s->step_ms);
        }
    }
}

static bool find_rollable(struct telemetry *t, uint32_t *ret_tier, int64_t *ret_first)
{
    int64_t now = series_now(t);
    bool found = false;
    pthread_mutex_lock(&t->head.lock);
    for (size_t i = 0; i < t->blocks.len; i++) {
        const struct block_shape *s = block_shape(t->blocks.data[i]);
        int64_t window = t->windows[s->tier], first = grid_window(s->first, window);
        int64_t end_ms = (first + window - 1) * s->step_ms;
        // The oldest of a tier first, so that what is rolled has one end.
        if (end_ms + t->tiers[s->tier].keep_ms <= now &&
            (!found || s->tier < *ret_tier ||
             (s->tier == *ret_tier && first < *ret_first))) {
            *ret_tier = s->tier;
            *ret_first = first;
            found = true;
        }
    }
    pthread_mutex_unlock(&t->head.lock);
    return found;
}

int tend_roll(struct telemetry *t)
{
    uint32_t tier = 0;
    int64_t first = 0;
    while (find_rollable(t, &tier, &first)) {
        TRY(roll_window(t, tier, first));
    }
    return 0;
}
