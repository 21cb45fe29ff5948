// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the intake share. Data flows one way:
//
//     datagrams ─▶ lines ─▶ meters ─┐ at each flush
//     publish ──────────────────────┼─▶ telemetry_append
//     remote write, exposition ─────┘   (by known_series: label bytes -> series)
#ifndef TELEMETRY_INTAKE_H
#define TELEMETRY_INTAKE_H

#include "telemetry/id_table.h"
#include "telemetry/lines.h"
#include "telemetry/wire.h"

#include <pthread.h>
#include <stdatomic.h>

// --- tags (tags.c) --------------------------------------------------------------------------

#define TAGS_MAX 64 // while they are put together; the store's limit is its own
struct tag_list {
    struct telemetry_tag list[TAGS_MAX];
    size_t count;
    bool over; // there were more
};
// Sets a tag: a later one of the same key counts. Texts are borrowed.
void tag_list_set(struct tag_list *, struct str key, struct str value);
bool tag_list_has(const struct tag_list *, const char *key);
// A Prometheus label: __name__ becomes name, name exported_name; an empty value is no label. ERR_INVALID: it is
// no text.
int tag_list_label(struct tag_list *, struct str name, struct str value);
// Sorts by key, so that it can be given to the store.
struct telemetry_tags tag_list_tags(struct tag_list *);

// --- meters (meters.c) ----------------------------------------------------------------------

#define METER_SERIES 4 // count, total, squares, max

// Percentile buckets that came up, sorted. A timer meets some thirty of the 276.
struct meter_bucket {
    uint32_t series;
    uint16_t bucket;
    uint32_t count; // in this step
};

struct intake_meter {
    int64_t seen_ms; // the last line; INT64_MIN: free
    int64_t ttl_ms;
    uint8_t type;
    bool has_base;                     // of monotonic ones: `base` or `base_whole` is one
    bool touched;                      // since the last flush that took it
    bool expired;                      // its time was over at a flush
    double count, total, squares, max; // of this step
    double value;                      // of gauges
    union {
        double base;
        uint64_t base_whole;
    };
    int64_t at_ms;    // of MONOTONE_AT: of its base
    int64_t shown_ms; // of gauges: when `shown` went to the store
    double shown;
    uint32_t series[METER_SERIES];
    VEC(struct meter_bucket) buckets;
    char *id; // as the store knows it, for series that come later
    uint32_t id_len;
};

typedef VEC(struct telemetry_sample) sample_list;

// Used under the intake's lock.
struct meters {
    struct telemetry *store;
    struct tag_list common; // its texts are in `texts`
    struct arena *texts;
    uint32_t max, max_ages;
    struct id_table ids; // as sent -> index of a meter
    VEC(struct intake_meter) list;
    VEC(uint32_t) unused;
    uint32_t ages, expired;
};

int meters_open(struct meters *, const struct telemetry_intake_config *);
void meters_close(struct meters *);

// What became of a datagram's lines.
struct line_counts {
    uint64_t lines, malformed, bad_value, over_limit;
};
void meters_line(struct meters *, struct str text, int64_t now_ms, struct line_counts *);
// What goes to the store at `at_ms`; with `step_ends` what was counted too, which begins anew.
enum meters_flush { METERS_WITHIN_STEP, METERS_STEP_ENDS };
int meters_flush(struct meters *, int64_t at_ms, int64_t step_ms, enum meters_flush,
                 sample_list *out);

// --- series by the bytes of their labels (known_series.c) --------------------------------------

#define KNOWN_MAX       1000000
#define KNOWN_MAX_BYTES (256u << 20)

struct known_series {
    pthread_rwlock_t lock;
    struct id_table ids; // -> series; KNOWN_REFUSED: the store does not take it
};
#define KNOWN_REFUSED (UINT32_MAX - 1)

int known_series_open(struct known_series *);
void known_series_close(struct known_series *);
// Under a reader's lock. ID_NONE: not known.
static inline uint32_t known_series_find(const struct known_series *k, struct str labels)
{
    return id_table_find(&k->ids, id_hash(&k->ids, 0, labels), labels);
}
// Without a lock: finds or makes the gauge of these tags in the store and remembers it by `labels`, also that
// the store refuses it. When too much is remembered, all is forgotten.
int known_series_learn(struct known_series *, struct telemetry *, struct str labels,
                       struct tag_list *, uint32_t *ret);
// The store has forgotten series: what it refused it may take now.
int known_series_retry(struct known_series *);

// --- the intake -----------------------------------------------------------------------------

struct telemetry_intake {
    struct telemetry *store;
    int64_t (*now_ms)(void *user);
    void *user;
    int64_t step_ms, every_ms;

    pthread_mutex_t lock; // guards `meters`
    struct meters meters;

    struct known_series by_labels;     // of remote write: the bytes of label messages
    struct known_series by_exposition; // of exposition: what precedes the value

    pthread_mutex_t flush_lock; // one flush at a time; before `lock`
    sample_list flushed;
    int64_t last_flush_ms;
    uint64_t forgotten; // by the store, when it was last asked

    struct {
#define X(name, text) atomic_uint_fast64_t name;
        TELEMETRY_INTAKE_COUNTS(X)
#undef X
    } counts;

    pthread_t thread; // flushes
    bool has_thread;
    pthread_mutex_t wake_lock; // guards `closing`
    pthread_cond_t wake;
    bool closing;
};

#define intake_count(intake, name, more) \
    atomic_fetch_add_explicit(&(intake)->counts.name, (more), memory_order_relaxed)

int64_t intake_now_ms(const struct telemetry_intake *);

// One series' samples on their way to the store, in pieces.
#define BATCH_SAMPLES 1024
struct batch {
    struct telemetry_intake *intake;
    struct telemetry_taken *taken;
    size_t count;
    struct telemetry_sample list[BATCH_SAMPLES];
};
// What is no finite number is dropped, and what is of a series that may be KNOWN_REFUSED.
int batch_add_known(struct batch *, struct telemetry_sample);
int batch_end(struct batch *);
// Notes that something is dropped, and why, in words.
void taken_drop(struct telemetry_taken *, size_t count, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
