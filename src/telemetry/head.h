// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is in memory: the state of each series, and windows of HEAD_SLOTS steps with a row a series. A window
// is open while values come into it, then frozen (nobody writes any more) until a block has it.
// Private to the room.
#ifndef TELEMETRY_HEAD_H
#define TELEMETRY_HEAD_H

#include "telemetry/grid.h"

#include <pthread.h>
#include <stdatomic.h>

#define HEAD_SLOTS       30
#define HEAD_STATE_PIECE 4096
#define HEAD_SLAB_ROWS   128

// Rows of an open window are read and written under the head's lock; those of a frozen one need none.
struct head_window {
    atomic_int refs;
    int64_t first;   // slot number of its first value
    uint32_t *rows;  // by series: 1 + row; 0: none
    size_t rows_cap; // series that `rows` has room for
    double **slabs;  // of HEAD_SLAB_ROWS rows
    uint32_t row_count;
    int64_t touched_us; // by the monotonic clock
};
typedef VEC(struct head_window *) head_windows;

struct head {
    pthread_mutex_t lock; // guards all below
    int64_t step_ms;
    struct grid_state **states; // pieces of HEAD_STATE_PIECE
    size_t state_pieces;
    uint32_t series;     // states that there are
    head_windows open;   // ascending by `first`
    head_windows frozen; // in the order of freezing
    int64_t now_us;      // by the monotonic clock, of those who write
    int64_t visible;     // slots up to this one can be read
    uint64_t samples, refused;
    size_t bytes;
};

int head_init(struct head *, int64_t step_ms);
void head_free(struct head *);

void head_window_ref(struct head_window *);
void head_window_unref(struct head_window *);
// NULL: the series has none. With the lock for an open window.
const double *head_row(const struct head_window *, uint32_t series);

// Times that are taken: not before `oldest_ms`, not behind `newest_ms`; from `recent_ms` on also out of order.
struct head_bounds {
    int64_t oldest_ms, recent_ms, newest_ms;
};
int head_add_series_locked(struct head *, enum telemetry_dstype);
struct grid_state *head_state_locked(struct head *, uint32_t series);
// 1: taken, 0: refused, HEAD_FORGOTTEN: its series has gone.
#define HEAD_FORGOTTEN 2
int head_take_locked(struct head *, const struct head_bounds *,
                     const struct telemetry_sample *);
// Sets what a log says a slot had.
int head_put_locked(struct head *, uint32_t series, int64_t slot, double value);
// Freezes the open windows whose last slot is at most `until`, and that nobody wrote since `idle_us`.
int head_freeze_locked(struct head *, int64_t until, int64_t idle_us);
// A block has it.
void head_drop_frozen_locked(struct head *, struct head_window *);

#endif
