// SPDX-License-Identifier: Apache-2.0
//
// What the files of the telemetry client share: its state, meters, and their cells.
#ifndef METER_INTERNAL_H
#define METER_INTERNAL_H

#include "meter/meter.h"

#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

//  name          letter  what it is
#define METER_TYPES(X)                                          \
    X(COUNTER, 'c') /* how much more */                         \
    X(SUMMARY, 'd') /* an amount */                             \
    X(PERCENTILE_SUMMARY, 'D')                                  \
    X(TIMER, 't') /* seconds */                                 \
    X(PERCENTILE_TIMER, 'T')                                    \
    X(MAX, 'm')           /* the largest since the last */      \
    X(GAUGE, 'g')         /* the latest; option: seconds */     \
    X(AGE, 'A')           /* when it was, in seconds of 1970 */ \
    X(MONOTONE, 'C')      /* a double that only grows */        \
    X(MONOTONE_UINT, 'U') /* an integer that rolls over */      \
    X(MONOTONE_AT, 'X')   /* as C; option: at this ms of 1970 */

enum meter_type {
#define X(name, letter) METER_##name,
    METER_TYPES(X)
#undef X
        METER_TYPE_COUNT
};

extern const char meter_letters[METER_TYPE_COUNT];

#define NAME_BYTES_MAX  200u
#define KEY_BYTES_MAX   60u
#define VALUE_BYTES_MAX 120u
#define TAGS_MAX        20u
#define ID_BYTES_MAX    1000u
// 60 for letter, option, statistic and number: with the longest id below what a datagram holds.
#define LINE_BYTES_MAX    1200u
#define UDP_BYTES_MAX     1400u // below the path MTU of any Ethernet
#define UNIX_BYTES_MAX    8192u
#define PENDING_BYTES_MAX (1u << 20)
#define HOOKS_MAX         16u
#define METER_BUCKETS     276u
#define REGISTRY_BUCKETS  1024u
#define AGE_TOLD_AGAIN_US INT64_C(60000000)

// --- cells (cells.c) ----------------------------------------------------------------------

struct sums {
    uint64_t count;
    uint64_t total;            // ns, or amounts
    unsigned __int128 squares; // of those
};

// One thread's share of one meter. All of it only grows, modulo 2^64; the flusher takes differences
// to what it saw before, so that nothing is ever reset under the writer's hands.
struct cell {
    // Written by its thread alone, read by the flusher. `version` is odd while the sums are written, and
    // counts twice each record of a timer or a summary; `count` is a counter's.
    _Alignas(64) _Atomic uint64_t version;
    _Atomic uint64_t count, total, squares_low, squares_high;
    _Atomic uint64_t max; // and one: 0 is none yet; the flusher takes it out

    _Atomic uint64_t *buckets; // METER_BUCKETS; NULL: no percentiles

    // The flusher's, under the meter's lock.
    struct sums seen;
    uint64_t *buckets_seen;
    struct cell *next;
    bool ended; // its thread has, and what it left is there to be read
};

struct item {
    uint64_t client; // of its meter; never given twice in a process
    uint32_t slot;   // of its cells, in each thread's list
    enum meter_type type;
    struct meter *meter;
    char *id; // "name,key=value"
    size_t id_bytes;
    uint64_t hash;
    struct item *next; // of the same bucket of the registry

    // What is set and not added up: the bits of a double, or an integer.
    _Atomic uint64_t value;
    atomic_bool is_set;
    atomic_int ttl_s;

    // Under the meter's lock.
    struct cell *cells;
    int64_t at_ms;       // of a MONOTONE_AT
    int64_t told_age_us; // when an age was last sent
};

// Each kind of handle is an item; the types differ so that the compiler tells them apart.
struct meter_counter {
    struct item item;
};
struct meter_timer {
    struct item item;
};
struct meter_summary {
    struct item item;
};
struct meter_gauge {
    struct item item;
};
struct meter_max {
    struct item item;
};
struct meter_age {
    struct item item;
};
struct meter_monotone {
    struct item item;
};
struct meter_monotone_uint {
    struct item item;
};
struct meter_monotone_at {
    struct item item;
};

struct thread_cells;

// What the threads left since the last time, summed up; ended cells are freed.
struct folded {
    struct sums sums;
    bool has_max;
    uint64_t max;
    uint64_t buckets[METER_BUCKETS];
    bool has_buckets;
};
void cells_fold_locked(struct item *, struct folded *ret);
void cells_free_locked(struct item *);
// Ends what living threads hold of this client.
void cells_forget_client(struct meter *);

// --- meters (registry.c) ------------------------------------------------------------------

struct meter {
    uint64_t client;
    bool listens; // somebody does
    size_t packet_bytes;
    struct meter_config config;
    struct meter_tag *common_tags;

    // Where to.
    int fd; // -1: only the sink
    struct sockaddr_storage to;
    socklen_t to_bytes;
    locale_t locale; // numbers have a point

    pthread_mutex_t lock; // guards what follows
    struct item *registry[REGISTRY_BUCKETS];
    size_t item_count;
    uint32_t slot_count;
    struct thread_cells *threads;
    struct buf pending; // lines of those without a handle
    struct {
        void (*call)(void *user);
        void *user;
    } hooks[HOOKS_MAX];
    size_t hook_count;

    // One flush at a time; taken before `lock`.
    pthread_mutex_t flush_lock;
    struct buf lines;
    struct process_watch *process;

    pthread_mutex_t stop_lock;
    pthread_cond_t stop;
    bool stopping;
    bool has_thread;
    pthread_t thread;

    _Atomic uint64_t stat_lines, stat_datagrams, stat_lost, stat_refused;
};

// The bits of a double, which stand in one word.
static inline uint64_t meter_bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline double meter_real_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

// What names, keys and values are made of.
static inline bool meter_is_of_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '.' || c == '_';
}

#define METER_REFUSED(m) \
    (void)atomic_fetch_add_explicit(&(m)->stat_refused, 1, memory_order_relaxed)

// "name,key=value,…" as it is sent. ERR_LIMIT.
int meter_id_write(const struct meter *, const char *name, const struct meter_tag *tags,
                   struct buf *out);
void meter_tag_write(const struct meter_tag *, struct buf *out); // ",key=value"
void items_free(struct meter *);

// --- lines (line.c) -----------------------------------------------------------------------

unsigned meter_bucket(uint64_t amount);
void line_begin(struct buf *out, enum meter_type);
void line_real(struct buf *out, double value); // in the C locale
void line_seconds(struct buf *out, uint64_t ns);
// All lines of this meter since the last time.
void item_write_locked(struct item *, struct buf *out);
// One line without its end.
bool line_is_good(struct str line);

// --- sending (send.c) -----------------------------------------------------------------------

int send_open(struct meter *, const char *address);
void send_lines(struct meter *, struct str lines);

// --- the process itself (process.c) ---------------------------------------------------------

void process_watch_free(struct process_watch **);

#endif
