// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int head_init(struct head *h, int64_t step_ms)
{
    *h = (struct head){.step_ms = step_ms, .visible = INT64_MIN};
    FAIL_IF(pthread_mutex_init(&h->lock, NULL) != 0, ERR_NOMEM, "a lock");
    return 0;
}

static void window_free(struct head_window *w)
{
    uint32_t slabs = (w->row_count + HEAD_SLAB_ROWS - 1) / HEAD_SLAB_ROWS;
    for (uint32_t i = 0; i < slabs; i++) {
        free(w->slabs[i]);
    }
    free(w->slabs);
    free(w->rows);
    free(w);
}

void head_window_ref(struct head_window *w)
{
    atomic_fetch_add(&w->refs, 1);
}

void head_window_unref(struct head_window *w)
{
    if (atomic_fetch_sub(&w->refs, 1) == 1) {
        window_free(w);
    }
}

void head_free(struct head *h)
{
    vec_for_each (w, &h->open) {
        head_window_unref(*w);
    }
    vec_free(&h->open);
    vec_for_each (w, &h->frozen) {
        head_window_unref(*w);
    }
    vec_free(&h->frozen);
    for (size_t i = 0; i < h->state_pieces; i++) {
        free(h->states[i]);
    }
    free(h->states);
    pthread_mutex_destroy(&h->lock);
}

// --- states -------------------------------------------------------------------------------------

int head_add_series_locked(struct head *h, enum telemetry_dstype dstype)
{
    size_t piece = h->series / HEAD_STATE_PIECE;
    if (piece == h->state_pieces) {
        struct grid_state **states = realloc(h->states, (piece + 1) * sizeof *states);
        FAIL_IF(!states, ERR_NOMEM, "the state of series");
        h->states = states;
        states[piece] = calloc(HEAD_STATE_PIECE, sizeof **states);
        FAIL_IF(!states[piece], ERR_NOMEM, "the state of series");
        h->state_pieces++;
        h->bytes += HEAD_STATE_PIECE * sizeof **states;
    }
    h->states[piece][h->series % HEAD_STATE_PIECE] = (struct grid_state){
        .last_ms = GRID_NEVER, .rated_ms = GRID_NEVER, .dstype = (uint8_t)dstype};
    h->series++;
    return 0;
}

struct grid_state *head_state_locked(struct head *h, uint32_t series)
{
    return &h->states[series / HEAD_STATE_PIECE][series % HEAD_STATE_PIECE];
}

// --- windows ------------------------------------------------------------------------------------

static int add_window(struct head *h, int64_t first, size_t place)
{
    TRY(vec_reserve(&h->open, h->open.len + 1));
    struct head_window *w = calloc(1, sizeof *w);
    FAIL_IF(!w, ERR_NOMEM, "a window of values");
    w->first = first;
    atomic_init(&w->refs, 1);
    memmove(h->open.data + place + 1, h->open.data + place,
            (h->open.len - place) * sizeof *h->open.data);
    h->open.data[place] = w;
    h->open.len++;
    return 0;
}

static int window_of(struct head *h, int64_t slot, struct head_window **ret)
{
    int64_t first = grid_window(slot, HEAD_SLOTS);
    size_t place = h->open.len, least = 0; // nearly always the last or the one before
    for (size_t back = 1; place > least; back *= 2) {
        size_t at = place > back ? place - back : 0;
        if (h->open.data[at]->first <= first) {
            least = at + 1;
            break;
        }
        place = at;
    }
    while (
        place >
        least) { // those before `least` begin at or before it, those from `place` on behind it
        size_t middle = least + (place - least) / 2;
        if (h->open.data[middle]->first <= first) {
            least = middle + 1;
        } else {
            place = middle;
        }
    }
    if (place == 0 || h->open.data[place - 1]->first != first) {
        TRY(add_window(h, first, place));
        place++;
    }
    *ret = h->open.data[place - 1];
    return 0;
}

static double *row_at(const struct head_window *w, uint32_t row)
{
    return w->slabs[row / HEAD_SLAB_ROWS] + (size_t)(row % HEAD_SLAB_ROWS) * HEAD_SLOTS;
}

const double *head_row(const struct head_window *w, uint32_t series)
{
    return series < w->rows_cap && w->rows[series] ? row_at(w, w->rows[series] - 1)
                                                   : NULL;
}

static int grow_rows(struct head *h, struct head_window *w, uint32_t series)
{
    size_t cap = MAX((size_t)h->series, (size_t)series + 1);
    cap = (cap + 1023) / 1024 * 1024;
    uint32_t *rows = realloc(w->rows, cap * sizeof *rows);
    FAIL_IF(!rows, ERR_NOMEM, "the rows of a window");
    memset(rows + w->rows_cap, 0, (cap - w->rows_cap) * sizeof *rows);
    h->bytes += (cap - w->rows_cap) * sizeof *rows;
    w->rows = rows;
    w->rows_cap = cap;
    return 0;
}

static int add_slab(struct head *h, struct head_window *w)
{
    const size_t bytes = sizeof(double) * HEAD_SLOTS * HEAD_SLAB_ROWS;
    size_t count = w->row_count / HEAD_SLAB_ROWS;
    double **slabs = realloc(w->slabs, (count + 1) * sizeof *slabs);
    FAIL_IF(!slabs, ERR_NOMEM, "the rows of a window");
    w->slabs = slabs;
    slabs[count] = malloc(bytes);
    FAIL_IF(!slabs[count], ERR_NOMEM, "the rows of a window");
    for (size_t i = 0; i < bytes / sizeof(double); i++) {
        slabs[count][i] = NAN;
    }
    h->bytes += bytes;
    return 0;
}

static int row_of(struct head *h, uint32_t series, int64_t slot, double **ret)
{
    struct head_window *w;
    TRY(window_of(h, slot, &w));
    if (series >= w->rows_cap) {
        TRY(grow_rows(h, w, series));
    }
    if (!w->rows[series]) {
        if (w->row_count % HEAD_SLAB_ROWS == 0) {
            TRY(add_slab(h, w));
        }
        w->rows[series] = ++w->row_count;
    }
    w->touched_us = h->now_us;
    *ret = row_at(w, w->rows[series] - 1) + (slot - w->first);
    return 0;
}

int head_put_locked(struct head *h, uint32_t series, int64_t slot, double value)
{
    double *at;
    TRY(row_of(h, series, slot, &at));
    *at = value;
    return 0;
}

// --- samples ------------------------------------------------------------------------------------

static bool is_in_time(const struct grid_state *s, const struct head_bounds *b,
                       int64_t step_ms, int64_t at_ms)
{
    if (at_ms < b->oldest_ms || at_ms > b->newest_ms) {
        return false;
    }
    if (at_ms >= b->recent_ms && s->dstype == TELEMETRY_SUM) {
        return true;
    }
    if (s->dstype == TELEMETRY_SUM) { // what is over may be in a block already
        return s->last_ms == GRID_NEVER ||
               grid_slot(at_ms, step_ms) > grid_slot(s->last_ms, step_ms);
    }
    return at_ms > s->last_ms || (at_ms >= b->recent_ms && s->dstype == TELEMETRY_GAUGE);
}

// A gauge's value from before its last one fills a step that has none.
static int put_late(struct head *h, const struct telemetry_sample *sample)
{
    double *at;
    TRY(row_of(h, sample->series, grid_slot(sample->at_ms, h->step_ms), &at));
    if (!isnan(*at)) {
        return 0;
    }
    *at = sample->value;
    return 1;
}

int head_take_locked(struct head *h, const struct head_bounds *b,
                     const struct telemetry_sample *sample)
{
    if (sample->series >= h->series || !isfinite(sample->value)) {
        return 0;
    }
    struct grid_state *s = head_state_locked(h, sample->series);
    if (s->dstype == GRID_FORGOTTEN) {
        return HEAD_FORGOTTEN;
    }
    if (!is_in_time(s, b, h->step_ms, sample->at_ms)) {
        return 0;
    }
    if (s->dstype == TELEMETRY_GAUGE && sample->at_ms < s->last_ms) {
        return put_late(h, sample);
    }
    struct grid_value out[GRID_OUT_MAX];
    int n = grid_take(s, h->step_ms, sample->at_ms, sample->value, out);
    for (int i = 0; i < n; i++) {
        double *at;
        if (out[i].slot < 1) {
            continue;
        }
        TRY(row_of(h, sample->series, out[i].slot, &at));
        double value =
            s->dstype == TELEMETRY_SUM && !isnan(*at) ? *at + out[i].value : out[i].value;
        if (isfinite(value)) { // a difference of two counts may be beyond all numbers
            *at = value;
        }
    }
    return 1;
}

// --- freezing -----------------------------------------------------------------------------------

static size_t window_bytes(const struct head_window *w)
{
    size_t slabs = (w->row_count + HEAD_SLAB_ROWS - 1) / HEAD_SLAB_ROWS;
    return w->rows_cap * sizeof *w->rows +
           slabs * sizeof(double) * HEAD_SLOTS * HEAD_SLAB_ROWS;
}

int head_freeze_locked(struct head *h, int64_t until, int64_t idle_us)
{
    TRY(vec_reserve(&h->frozen, h->frozen.len + h->open.len));
    size_t kept = 0;
    for (size_t i = 0; i < h->open.len; i++) {
        struct head_window *w = h->open.data[i];
        if (w->first + HEAD_SLOTS - 1 <= until && w->touched_us <= idle_us) {
            TRY(vec_push(&h->frozen, w));
        } else {
            h->open.data[kept++] = w;
        }
    }
    h->open.len = kept;
    return 0;
}

void head_drop_frozen_locked(struct head *h, struct head_window *w)
{
    for (size_t i = 0; i < h->frozen.len; i++) {
        if (h->frozen.data[i] == w) {
            memmove(h->frozen.data + i, h->frozen.data + i + 1,
                    (h->frozen.len - i - 1) * sizeof *h->frozen.data);
            h->frozen.len--;
            h->bytes -= window_bytes(w);
            head_window_unref(w);
            return;
        }
    }
}
