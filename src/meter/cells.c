// SPDX-License-Identifier: Apache-2.0
//
// The cells: each thread has one of its own for each meter that it ever updated, so that an update is
// loads and stores of memory that no other thread writes.
//
//     this thread ──▶ latest {client, cells[]} ──slot──▶ cell ◀──list── meter ◀── flusher
//          └──▶ root ──▶ thread_cells of client 1 ──▶ thread_cells of client 2
//
// A cell only grows. The flusher keeps what it has seen and sends differences, so nothing is lost or
// counted twice however reads and writes interleave: what a read just missed is in the next difference.
// Only the maximum must be reset; it is exchanged for "none", and its writer, who stores rarely, compares
// and swaps. Count, sum and squares are read together under the cell's version (a sequence lock with one
// writer: H.-J. Boehm, "Can seqlocks get along with programming language memory models?", 2012); a cell
// whose writer was interrupted in the middle is read at the next flush.
//
// Ends. A thread's destructor marks its cells as ended under the lock of their client, and the next fold
// frees them. A client that ends first takes its lists out of the threads' roots. Both are guarded by
// one lock of the process, because neither outlives the other for certain.
//
// Order of locks: roots_lock, then a client's lock.
#include "meter/internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define READ_TRIES 200

struct thread_cells { // of one thread at one client
    struct meter *meter;
    uint64_t client;
    struct cell **cells; // by slot; the thread's own
    size_t count;
    struct root *root;
    struct thread_cells *next_of_thread; // under roots_lock
    struct thread_cells *next_of_client; // under the client's lock
};

struct root { // of one thread
    struct thread_cells *first;
};

// What the system keeps for each thread cannot be passed around: the key of its destructor, and what it
// guards.
static pthread_mutex_t roots_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t root_key;
static bool has_key;

// The client that this thread updated last. Numbers of clients are never given twice, so one that has
// ended is never taken for another.
static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
    uint64_t client;
    size_t count;
    struct cell **cells;
} latest;

// --- the beginning and the end of threads -------------------------------------------------------

static void take_out_locked(struct thread_cells *t)
{
    struct thread_cells **at = &t->meter->threads;
    while (*at != t) {
        at = &(*at)->next_of_client;
    }
    *at = t->next_of_client;
}

static void end_cells(struct thread_cells *t)
{
    pthread_mutex_lock(&t->meter->lock);
    for (size_t i = 0; i < t->count; i++) {
        if (t->cells[i]) {
            t->cells[i]->ended = true;
        }
    }
    take_out_locked(t);
    pthread_mutex_unlock(&t->meter->lock);
}

static void thread_cells_free(struct thread_cells *t)
{
    free(t->cells);
    free(t);
}

static void end_thread(void *user)
{
    struct root *root = user;
    pthread_mutex_lock(&roots_lock);
    while (root->first) {
        struct thread_cells *t = root->first;
        root->first = t->next_of_thread;
        end_cells(t);
        thread_cells_free(t);
    }
    pthread_mutex_unlock(&roots_lock);
    free(root);
    latest.client = 0; // other destructors of this thread may still count
}

static void make_key(void)
{
    has_key = pthread_key_create(&root_key, end_thread) == 0;
}

void cells_forget_client(struct meter *m)
{
    pthread_mutex_lock(&roots_lock);
    while (m->threads) {
        struct thread_cells *t = m->threads, **at = &t->root->first;
        m->threads = t->next_of_client;
        while (*at != t) {
            at = &(*at)->next_of_thread;
        }
        *at = t->next_of_thread;
        thread_cells_free(t);
    }
    pthread_mutex_unlock(&roots_lock);
}

static struct root *own_root(void)
{
    pthread_once(&key_once, make_key);
    struct root *root = has_key ? pthread_getspecific(root_key) : NULL;
    if (root || !has_key) {
        return root;
    }
    root = calloc(1, sizeof *root);
    if (root && pthread_setspecific(root_key, root) != 0) {
        free(root);
        root = NULL;
    }
    return root;
}

static struct thread_cells *own_cells(struct meter *m)
{
    struct root *root = own_root();
    if (!root) {
        return NULL;
    }
    pthread_mutex_lock(&roots_lock);
    struct thread_cells *t = root->first;
    while (t && t->client != m->client) {
        t = t->next_of_thread;
    }
    if (!t && (t = calloc(1, sizeof *t)) != NULL) {
        *t = (struct thread_cells){
            .meter = m, .client = m->client, .root = root, .next_of_thread = root->first};
        root->first = t;
        pthread_mutex_lock(&m->lock);
        t->next_of_client = m->threads;
        m->threads = t;
        pthread_mutex_unlock(&m->lock);
    }
    pthread_mutex_unlock(&roots_lock);
    return t;
}

// --- cells ----------------------------------------------------------------------------------------

static bool has_percentiles(const struct item *item)
{
    return item->type == METER_PERCENTILE_TIMER || item->type == METER_PERCENTILE_SUMMARY;
}

static void cell_free(struct cell *cell)
{
    if (cell) {
        free((void *)cell->buckets);
        free(cell->buckets_seen);
        free(cell);
    }
}

static struct cell *cell_new(const struct item *item)
{
    struct cell *cell = aligned_alloc(_Alignof(struct cell), sizeof *cell);
    if (!cell) {
        return NULL;
    }
    memset(cell, 0, sizeof *cell);
    if (has_percentiles(item)) {
        cell->buckets = calloc(METER_BUCKETS, sizeof *cell->buckets);
        cell->buckets_seen = calloc(METER_BUCKETS, sizeof *cell->buckets_seen);
        if (!cell->buckets || !cell->buckets_seen) {
            cell_free(cell);
            return NULL;
        }
    }
    return cell;
}

static bool make_room(struct thread_cells *t, size_t slot)
{
    if (slot < t->count) {
        return true;
    }
    size_t count = (slot + 64) & ~(size_t)63;
    count = count > slot ? count : count + 64;
    struct cell **cells = realloc(t->cells, count * sizeof(struct cell *));
    if (!cells) {
        return false;
    }
    memset(cells + t->count, 0, (count - t->count) * sizeof(struct cell *));
    t->cells = cells;
    t->count = count;
    return true;
}

// The first update of this meter by this thread, or the first after one of another client. NULL: out of
// memory, and the update is lost.
static __attribute__((noinline)) struct cell *cell_find(struct item *item)
{
    struct thread_cells *t = own_cells(item->meter);
    if (!t || !make_room(t, item->slot)) {
        METER_REFUSED(item->meter);
        return NULL;
    }
    latest.client = t->client;
    latest.count = t->count;
    latest.cells = t->cells;
    struct cell **at = &t->cells[item->slot];
    if (!*at && (*at = cell_new(item)) != NULL) {
        pthread_mutex_lock(&item->meter->lock);
        (*at)->next = item->cells;
        item->cells = *at;
        pthread_mutex_unlock(&item->meter->lock);
    }
    return *at;
}

// NULL: it is not at hand, and is to be found.
static inline struct cell *cell_here(const struct item *item)
{
    bool known = latest.client == item->client && item->slot < latest.count;
    return __builtin_expect(known, 1) ? latest.cells[item->slot] : NULL;
}

// One writer: a load and a store, and no instruction that locks.
static inline void grow(_Atomic uint64_t *at, uint64_t more, memory_order order)
{
    atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + more,
                          order);
}

static __attribute__((noinline)) void count_first(struct item *item, uint64_t more)
{
    struct cell *cell = cell_find(item);
    if (cell) {
        grow(&cell->count, more, memory_order_relaxed);
    }
}

// The rare way is a call at the end, so that the usual one needs no frame.
void meter_counter_add(struct meter_counter *c, uint64_t more)
{
    if (c) {
        struct cell *cell = cell_here(&c->item);
        if (__builtin_expect(cell != NULL, 1)) {
            grow(&cell->count, more, memory_order_relaxed);
        } else {
            count_first(&c->item, more);
        }
    }
}

static void raise_max(struct cell *cell, uint64_t amount)
{
    uint64_t present = atomic_load_explicit(&cell->max, memory_order_relaxed);
    while (present < amount + 1 && !atomic_compare_exchange_weak_explicit(
                                       &cell->max, &present, amount + 1,
                                       memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void record(struct item *item, uint64_t amount)
{
    struct cell *cell = cell_here(item);
    if (!cell && !(cell = cell_find(item))) {
        return;
    }
    unsigned __int128 square = (unsigned __int128)amount * amount;
    uint64_t low = atomic_load_explicit(&cell->squares_low, memory_order_relaxed);
    uint64_t carry = low + (uint64_t)square < low;
    // Each store of the sums is behind the first of the version, and before the second; two of them are
    // one record, so that the version counts as well.
    grow(&cell->version, 1, memory_order_relaxed);
    grow(&cell->total, amount, memory_order_release);
    grow(&cell->squares_low, (uint64_t)square, memory_order_release);
    if (carry || square >> 64) {
        grow(&cell->squares_high, (uint64_t)(square >> 64) + carry, memory_order_release);
    }
    grow(&cell->version, 1, memory_order_release);
    raise_max(cell, amount);
    if (cell->buckets) {
        grow(&cell->buckets[meter_bucket(amount)], 1, memory_order_relaxed);
    }
}

void meter_timer_add_ns(struct meter_timer *t, int64_t ns)
{
    if (t) {
        record(&t->item, (uint64_t)MAX(ns, INT64_C(0)));
    }
}

void meter_timer_add_us(struct meter_timer *t, int64_t us)
{
    meter_timer_add_ns(t, CLAMP(us, INT64_C(0), INT64_MAX / 1000) * 1000);
}

void meter_summary_add(struct meter_summary *s, int64_t amount)
{
    if (s) {
        record(&s->item, (uint64_t)CLAMP(amount, INT64_C(0), INT64_C(1) << 53));
    }
}

// --- folding ----------------------------------------------------------------------------------------

static bool sums_read(struct cell *cell, struct sums *ret)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint64_t before = atomic_load_explicit(&cell->version, memory_order_acquire);
        uint64_t count = atomic_load_explicit(&cell->count, memory_order_acquire);
        uint64_t total = atomic_load_explicit(&cell->total, memory_order_acquire);
        uint64_t low = atomic_load_explicit(&cell->squares_low, memory_order_acquire);
        uint64_t high = atomic_load_explicit(&cell->squares_high, memory_order_acquire);
        uint64_t after = atomic_load_explicit(&cell->version, memory_order_relaxed);
        if (before == after && (before & 1) == 0) {
            *ret = (struct sums){count + before / 2, total,
                                 (unsigned __int128)high << 64 | low};
            return true;
        }
        if (i % 20 == 19) {
            sched_yield(); // its writer may need this core to go on
        }
    }
    return false;
}

static void fold_sums(struct cell *cell, struct folded *ret)
{
    struct sums now;
    if (!sums_read(cell, &now)) {
        return;
    }
    ret->sums.count += now.count - cell->seen.count;
    ret->sums.total += now.total - cell->seen.total;
    ret->sums.squares += now.squares - cell->seen.squares;
    cell->seen = now;
    uint64_t max = atomic_exchange_explicit(&cell->max, 0, memory_order_relaxed);
    if (max) {
        ret->max = MAX(ret->has_max ? ret->max : 0, max - 1);
        ret->has_max = true;
    }
}

static void fold_buckets(struct cell *cell, struct folded *ret)
{
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        uint64_t now = atomic_load_explicit(&cell->buckets[i], memory_order_relaxed);
        uint64_t more = now - cell->buckets_seen[i];
        ret->buckets[i] += more;
        ret->has_buckets = ret->has_buckets || more;
        cell->buckets_seen[i] = now;
    }
}

void cells_fold_locked(struct item *item, struct folded *ret)
{
    for (struct cell **at = &item->cells; *at;) {
        struct cell *cell = *at;
        fold_sums(cell, ret);
        if (cell->buckets) {
            fold_buckets(cell, ret);
        }
        if (cell->ended) {
            *at = cell->next;
            cell_free(cell);
        } else {
            at = &cell->next;
        }
    }
}

void cells_free_locked(struct item *item)
{
    while (item->cells) {
        struct cell *cell = item->cells;
        item->cells = cell->next;
        cell_free(cell);
    }
}
