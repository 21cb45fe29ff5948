// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series: numbers over time, named by tags. Time is a grid of `step_ms` (a minute unless configured): the
// value at `t`, a multiple of the step, stands for (t - step, t], as Atlas has it. NaN means that there
// is no value; it is never 0.
#ifndef TELEMETRY_SERIES_H
#define TELEMETRY_SERIES_H

#include "base/base.h"

struct telemetry;

struct telemetry_tag {
    struct str key, value;
};

// Sorted by key, each key once; one of them is "name".
struct telemetry_tags {
    const struct telemetry_tag *list;
    size_t count;
};

// What a value is (the tag atlas.dstype), which says how it comes onto the grid:
// GAUGE the last value of the step; RATE per second already, weighted by time onto the step; COUNTER a
// count that only grows, from which the rate is taken, a smaller value being a restart; SUM added up
// within the step.
enum telemetry_dstype {
    TELEMETRY_GAUGE,
    TELEMETRY_RATE,
    TELEMETRY_COUNTER,
    TELEMETRY_SUM
};

// --- the store ----------------------------------------------------------------------------

// Values of `step_ms` are kept for `keep_ms`, then only those of the next, coarser tier.
struct telemetry_tier {
    int64_t step_ms; // the next tier's is a multiple of it
    int64_t keep_ms;
};

struct telemetry_config {
    const char *dir;                    // made; one process holds it, by a lock
    const struct telemetry_tier *tiers; // fine to coarse; NULL: see telemetry_tiers_usual
    size_t tier_count;
    size_t max_series;          // 0: 2,000,000
    size_t max_series_per_name; // 0: 100,000
    // Significant bits of a value on disk, at least 16; 0: all 53. Whole numbers are never rounded.
    unsigned precision_bits;
    // A name has more series than that: told once an hour and name, from the thread that appends.
    void (*on_limit)(void *user, struct str name);
    // A block or a log that cannot be read: the rest is served. From any thread.
    void (*on_corrupt)(void *user, const char *path, const char *why);
    void *user;
    // Now, in ms of the wall clock; NULL: the system's. For replays and tests.
    int64_t (*now_ms)(void *user);
};

extern const struct telemetry_tier telemetry_tiers_usual[];
extern const size_t telemetry_tier_usual_count;

// Reads what an earlier process left, its log included. ERR_BUSY: another process holds the folder.
int telemetry_open(struct telemetry **ret, const struct telemetry_config *);
void telemetry_close(struct telemetry **); // after what is in memory is on disk
int64_t telemetry_step_ms(const struct telemetry *);

// A series to append to: a small number that stays valid until the store is closed. Finds or makes.
// ERR_LIMIT: too many series, or more than 20 tags beside name and atlas.dstype, or keys outside 2..60 or
// values outside 1..120 characters (Atlas' limits). Tags are what a series is: where it is there already
// with another dstype, it keeps its own. Any thread.
int telemetry_series_of(struct telemetry *, const struct telemetry_tags *,
                        enum telemetry_dstype, uint32_t *ret);
// How many series were forgotten since the store was opened: those whose last value has left every tier, or that
// never had one for a quarter of an hour. They count for no limit. Their numbers can still be appended to, which
// makes them anew, or refuses where that would be over a limit.
uint64_t telemetry_forgotten(struct telemetry *);
struct telemetry_sample {
    uint32_t series;
    // Later than the last of its series, which may be long ago (an import; of SUM in a later step), or out of
    // order within two steps of now: then a GAUGE fills a step that has no value, a SUM adds to its step,
    // RATE and COUNTER are refused. Never more than two steps ahead of now, nor older than the first tier.
    int64_t at_ms;
    double value; // NaN and infinities are refused
};
// Appends those that can be: how many were not (too old, too new, not a number) in *ret_refused. What is
// acknowledged by telemetry_sync's return outlives kill -9; else a step may be lost. ERR_BUSY: the past waits.
int telemetry_append(struct telemetry *, const struct telemetry_sample *, size_t count,
                     size_t *ret_refused);
int telemetry_sync(struct telemetry *);
// What was appended can be read once its step is over; this ends the steps until `until_ms` as if they were. A
// RATE's or COUNTER's step has its value when a later sample reaches its end. For imports and tests.
int telemetry_settle(struct telemetry *, int64_t until_ms);

// --- reading ------------------------------------------------------------------------------

enum telemetry_match_op {
    TELEMETRY_MATCH_ALL, // no operands
    TELEMETRY_MATCH_NONE,
    TELEMETRY_MATCH_HAS, // the key is there
    TELEMETRY_MATCH_IN,  // its value is one of `values`; one value: equality
    TELEMETRY_MATCH_RE, // values[0] is a regular expression, anchored at the start (Atlas' :re)
    TELEMETRY_MATCH_REIC, // as RE, whatever the case
    TELEMETRY_MATCH_LT,   // by text, as Atlas compares
    TELEMETRY_MATCH_LE,
    TELEMETRY_MATCH_GT,
    TELEMETRY_MATCH_GE,
    TELEMETRY_MATCH_AND, // left, right
    TELEMETRY_MATCH_OR,
    TELEMETRY_MATCH_NOT // left
};

struct telemetry_match {
    enum telemetry_match_op op;
    struct str key;
    const struct str *values;
    size_t value_count;
    const struct telemetry_match *left, *right;
};

enum telemetry_consolidate {
    TELEMETRY_CF_AVG,
    TELEMETRY_CF_SUM,
    TELEMETRY_CF_MIN,
    TELEMETRY_CF_MAX
};

// `count` values: at start_ms, start_ms + step_ms, … Both are multiples of the store's step, and step_ms
// of start_ms; a coarser step consolidates by `cf`, over the values that are there. Of what is no gauge
// TELEMETRY_CF_AVG takes a value that is not there for none (0) where another of the step is there, as
// Atlas has it: a counter that rested is no higher on average.
struct telemetry_span {
    int64_t start_ms;
    int64_t step_ms;
    size_t count;
    enum telemetry_consolidate cf;
};

struct telemetry_view {
    struct telemetry_tags tags;
    enum telemetry_dstype dstype; // of COUNTER the values are rates
    const double *values;         // span.count of them
};
// <0 ends the scan with that error. The view is valid during the call.
typedef int telemetry_visit_f(void *user, const struct telemetry_view *);
// Every series that fits and has a value in the span, in no promised order, from memory and disk. Any
// thread; several at once.
int telemetry_scan(struct telemetry *, const struct telemetry_match *,
                   const struct telemetry_span *, telemetry_visit_f *, void *user);

struct telemetry_page {
    const char *after; // names behind it; NULL: from the first
    size_t limit;
};
struct telemetry_names {
    const struct str *list; // sorted; texts are the arena's
    size_t count;
    bool more; // there are others behind them
};
// Keys, or the values of `key`, of the series that fit (NULL: all).
int telemetry_keys(struct telemetry *, const struct telemetry_match *,
                   const struct telemetry_page *, struct arena *,
                   struct telemetry_names *ret);
int telemetry_values(struct telemetry *, const struct telemetry_match *, const char *key,
                     const struct telemetry_page *, struct arena *,
                     struct telemetry_names *ret);

struct telemetry_stats {
    uint64_t series, samples, refused, over_limit;
    uint64_t disk_bytes, log_bytes, memory_bytes;
};
struct telemetry_stats telemetry_stats(struct telemetry *);

#endif
