// SPDX-License-Identifier: GPL-3.0-or-later
//
// The store and what its files share. The way of a sample:
//
//   telemetry_append ─▶ grid ─▶ head (open window) ─▶ frozen window ─▶ block ─▶ larger block ─▶ coarser tier
//                  └──▶ journal ─────────────────────────────┘ (dropped when the block is there)
//
// Locks, in the order in which they are taken: `work` (one at a time freezes, writes blocks, merges), the index'
// lock, the head's lock, the journal's. A reader takes the index' and the head's for some
// microseconds at a time, never both; whatever it works on it holds by reference.
#ifndef TELEMETRY_SERIES_PARTS_H
#define TELEMETRY_SERIES_PARTS_H

#include "telemetry/block.h"
#include "telemetry/head.h"
#include "telemetry/index.h"
#include "telemetry/journal.h"

#define SERIES_TIERS_MAX 8
#define SERIES_LATEST_MS (INT64_C(1) << 52)
#define SERIES_TEXT_MAX  480 // bytes of a key or a value: 120 characters at most

// What is in the journal's records.
enum series_record {
    SERIES_RECORD_SERIES = 1, // number, dstype, tags
    SERIES_RECORD_SAMPLES,    // differences of numbers and times, values
    // These three begin with the step in ms: under another one they mean nothing.
    SERIES_RECORD_VISIBLE, // the slot up to which can be read
    SERIES_RECORD_STATES,  // grid states, as they are here
    SERIES_RECORD_ROWS     // values of open windows, as they are here
};

typedef VEC(struct block *) block_list;

struct series_told { // that a name has too many series
    char *name;      // NULL: all together
    int64_t at_ms;
};

struct telemetry {
    struct telemetry_config config; // texts and tiers are below
    char *dir;
    struct telemetry_tier tiers[SERIES_TIERS_MAX];
    int64_t step_ms;
    int lock_fd;

    int64_t windows[SERIES_TIERS_MAX]; // slots of a window, see tend.h

    struct index *index;
    block_list blocks; // by number; guarded by the head's lock, as the two below
    uint64_t disk_bytes;
    int64_t rolled_until_ms[SERIES_TIERS_MAX]; // what is older went to the next tier
    struct head head;
    struct journal *journal;

    pthread_mutex_t told_lock; // guards these two
    VEC(struct series_told) told;
    uint64_t over_limit;

    pthread_mutex_t work; // guards these three
    uint64_t next_block;
    _Atomic uint64_t roster_bytes; // read by anybody
    uint32_t rostered;             // series that the roster has

    // forget.c's, guarded by `work`
    bool unread_blocks; // there are files that no series are known of
    int64_t looked_ms;
    uint64_t *silent; // a bit a series, of the last look
    uint32_t silent_numbers;
    _Atomic uint64_t forgotten; // read by anybody

    pthread_mutex_t keeper_lock; // guards `closing`
    pthread_cond_t keeper_wake;
    bool closing, keeper_runs;
    pthread_t keeper;
};

int64_t series_now(struct telemetry *);
void series_corrupt(void *telemetry, const char *path, const char *why);

// series_log.c: the store in the journal's words.
void series_log_series(struct telemetry *, uint32_t series, enum telemetry_dstype,
                       const struct telemetry_tags *);
// Those of `samples` whose bit is set in `taken`, at most 64.
void series_log_samples(struct telemetry *, const struct telemetry_sample *samples,
                        uint64_t taken);
void series_log_visible(struct telemetry *, int64_t slot);
// All that is needed to go on without the records before.
int series_log_state(struct telemetry *);
// Numbers below it are taken, whatever they were.
int series_skip_to(struct telemetry *, uint32_t number);
int series_log_open(struct telemetry *);
int series_read_tags(struct unpack *, struct telemetry_tag ret[INDEX_TAGS_MAX],
                     size_t *ret_count);
// A series as a file has it. What the store has already, and what cannot be, is left out.
int series_restore(struct telemetry *, uint32_t number, uint8_t dstype,
                   const struct telemetry_tags *);

// keeper.c: what is done beside: syncing, freezing, and all that has to do with blocks.
int keeper_start(struct telemetry *);
void keeper_stop(struct telemetry *);

#endif
