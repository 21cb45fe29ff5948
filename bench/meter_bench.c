// SPDX-License-Identifier: GPL-3.0-or-later
//
// meter_bench
//
// What an update of a meter costs its caller, beside looking a string up in a hash table, which is what a
// call by name and tags would have to do at least: nanoseconds each and their ratios, with 1 and 2 threads.
// The table holds 1,024 ids as long as meters' are, chained and compared by length and bytes, looked up in an
// order that no cache foresees: by FNV-1a, a byte at a time, and by the quickest that is still simple, eight
// bytes at a time, rotated and multiplied as Firefox does.
#include "meter/meter.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS     1024
#define BUCKETS 2048 // 2^11
#define ROUNDS  31
#define UPDATES 93000000
#define LOOKUPS 6200000

struct id {
    char text[96];
    size_t len;
    struct id *next, *next_by_fnv1a;
    uint64_t hash, value;
};

struct bench {
    struct id ids[IDS];
    struct id *buckets[BUCKETS], *by_fnv1a[BUCKETS];
    uint32_t order[IDS];
    struct meter *on, *off;
    struct meter_counter *counter, *none, *each[IDS];
    struct meter_timer *timer, *percentile;
    struct meter_gauge *gauge;
    _Atomic uint64_t shared;
};

static uint64_t hash_of_text(const char *text, size_t len)
{
    uint64_t h = len;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, text + i, i + 8 <= len ? 8 : len - i);
        h = ((h << 5 | h >> 59) ^ word) * UINT64_C(0x517cc1b727220a95);
    }
    return h;
}

// FNV-1a, a byte at a time: what most programs take.
static uint64_t fnv1a_of_text(const char *text, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static struct id *look_up(const struct bench *b, const char *text, size_t len)
{
    uint64_t hash = hash_of_text(text, len);
    struct id *id = b->buckets[hash >> 53]; // the upper bits are the mixed ones
    while (id &&
           !(id->hash == hash && id->len == len && memcmp(id->text, text, len) == 0)) {
        id = id->next;
    }
    return id;
}

static void fill(struct bench *b)
{
    uint64_t seed = 1;
    for (uint32_t i = 0; i < IDS; i++) {
        struct id *id = &b->ids[i];
        int n =
            snprintf(id->text, sizeof id->text,
                     "marquee.http.requests,method=GET,route=_api_v1_%u,status=200", i);
        id->len = (size_t)n;
        id->hash = hash_of_text(id->text, id->len);
        struct id **at = &b->buckets[id->hash >> 53];
        id->next = *at;
        *at = id;
        at = &b->by_fnv1a[fnv1a_of_text(id->text, id->len) % BUCKETS];
        id->next_by_fnv1a = *at;
        *at = id;
        b->order[i] = i;
    }
    for (uint32_t i = IDS - 1; i > 0; i--) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t k = (uint32_t)(seed >> 33) % (i + 1), kept = b->order[i];
        b->order[i] = b->order[k];
        b->order[k] = kept;
    }
}

// --- what is measured: so many of them ------------------------------------------------------------

typedef uint64_t work_f(struct bench *, int64_t times);

static uint64_t work_lookup(struct bench *b, int64_t times)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < times; i++) {
        const struct id *asked = &b->ids[b->order[i % IDS]];
        sum += look_up(b, asked->text, asked->len)->value;
    }
    return sum;
}

static uint64_t work_fnv1a(struct bench *b, int64_t times)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < times; i++) {
        const struct id *asked = &b->ids[b->order[i % IDS]];
        const struct id *id =
            b->by_fnv1a[fnv1a_of_text(asked->text, asked->len) % BUCKETS];
        while (id->len != asked->len || memcmp(id->text, asked->text, id->len) != 0) {
            id = id->next_by_fnv1a;
        }
        sum += id->value;
    }
    return sum;
}

static uint64_t work_counter(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        meter_counter_add(b->counter, 1);
    }
    return 0;
}

static uint64_t work_counters(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        meter_counter_add(b->each[b->order[i % IDS]], 1);
    }
    return 0;
}

static uint64_t work_none(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        meter_counter_add(b->none, 1);
    }
    return 0;
}

static uint64_t work_timer(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        meter_timer_add_ns(b->timer, i & 0xfffff);
    }
    return 0;
}

static uint64_t work_percentile(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        meter_timer_add_ns(b->percentile, i & 0xfffff);
    }
    return 0;
}

static uint64_t work_gauge(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        meter_gauge_set(b->gauge, (double)i);
    }
    return 0;
}

static uint64_t work_shared(struct bench *b, int64_t times)
{
    for (int64_t i = 0; i < times; i++) {
        atomic_fetch_add_explicit(&b->shared, 1, memory_order_relaxed);
    }
    return 0;
}

static const struct {
    const char *name;
    work_f *work;
    int64_t times;
} kinds[] = {
    {"lookup, FNV-1a", work_fnv1a, LOOKUPS},
    {"lookup, eight bytes a step", work_lookup, LOOKUPS},
    {"counter", work_counter, UPDATES},
    {"1,024 counters in turn", work_counters, UPDATES},
    {"counter, no receiver", work_none, UPDATES},
    {"timer", work_timer, UPDATES},
    {"percentile timer", work_percentile, UPDATES},
    {"gauge (one word for all)", work_gauge, UPDATES},
    {"a shared atomic add", work_shared, UPDATES},
};

struct hand {
    struct bench *bench;
    work_f *work;
    int64_t times;
    unsigned core;
    atomic_uint *waiting; // each is on its core and ready
    double ns;
    uint64_t sum;
};

static void *work(void *user)
{
    struct hand *h = user;
    struct timespec from, to;
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(h->core, &core);
    (void)pthread_setaffinity_np(pthread_self(), sizeof core, &core);
    h->sum = h->work(h->bench, 1000); // its cells are there
    atomic_fetch_sub(h->waiting, 1);
    while (atomic_load(h->waiting) > 0) {
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    h->sum += h->work(h->bench, h->times);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    h->ns =
        ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
        (double)h->times;
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// CPU time of the slower thread, the median of the rounds: what other processes take does not count, and a
// round in which the threads did not meet is no better than the others.
static double measure(struct bench *b, size_t kind, unsigned threads)
{
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        struct hand hands[2];
        pthread_t ids[2];
        atomic_uint waiting = threads;
        double slowest = 0;
        for (unsigned i = 0; i < threads; i++) {
            hands[i] = (struct hand){
                b, kinds[kind].work, kinds[kind].times / ROUNDS, i, &waiting, 0, 0};
            ASSERT(pthread_create(&ids[i], NULL, work, &hands[i]) == 0);
        }
        for (unsigned i = 0; i < threads; i++) {
            pthread_join(ids[i], NULL);
            slowest = MAX(slowest, hands[i].ns);
        }
        rounds[round] = slowest;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], compare);
    return rounds[ROUNDS / 2];
}

static void drop(void *user, struct str lines)
{
    *(uint64_t *)user += lines.len;
}

int main(void)
{
    uint64_t bytes = 0;
    struct bench *b = calloc(1, sizeof *b);
    const struct meter_config config = {.sink = drop, .user = &bytes};
    ASSERT(b && meter_new(&b->on, &config) == 0 &&
           meter_new(&b->off, &(struct meter_config){0}) == 0);
    fill(b);
    b->counter = meter_counter_of(b->on, "one", NULL);
    b->none = meter_counter_of(b->off, "none", NULL);
    b->timer = meter_timer_of(b->on, "timer", NULL);
    b->percentile = meter_percentile_timer_of(b->on, "percentile", NULL);
    b->gauge = meter_gauge_of(b->on, "gauge", NULL, 0);
    for (size_t i = 0; i < IDS; i++) {
        b->each[i] = meter_counter_of(b->on, b->ids[i].text, NULL);
    }
    double lookup[2][2]; // by kind and threads
    for (size_t i = 0; i < 4; i++) {
        lookup[i / 2][i % 2] = measure(b, i / 2, (unsigned)(i % 2) + 1);
    }
    printf(
        "ns each, and that over a lookup by FNV-1a and by a hash of eight bytes a step\n"
        "%-26s %9s %7s %7s %11s %7s %7s\n",
        "", "1 thread", "/FNV", "/fast", "2 threads", "/FNV", "/fast");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        double one = i < 2 ? lookup[i][0] : measure(b, i, 1);
        double two = i < 2 ? lookup[i][1] : measure(b, i, 2);
        printf("%-26s %9.2f %7.3f %7.3f %11.2f %7.3f %7.3f\n", kinds[i].name, one,
               one / lookup[0][0], one / lookup[1][0], two, two / lookup[0][1],
               two / lookup[1][1]);
    }
    meter_free(&b->on);
    meter_free(&b->off);
    free(b);
    return bytes == 0; // something was sent
}
