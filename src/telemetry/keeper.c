// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/tend.h"

#include <time.h>

#define EACH_S     1
#define IDLE_US    10000000
#define HEAD_BYTES (512U << 20)

// Windows that nobody wrote to since then are frozen: while an import goes on, and there is memory, they
// gather what comes.
static int64_t idle_since(struct telemetry *t)
{
    pthread_mutex_lock(&t->head.lock);
    bool full = t->head.bytes > HEAD_BYTES;
    pthread_mutex_unlock(&t->head.lock);
    return full ? INT64_MAX : clock_mono_us() - IDLE_US;
}

static void *keep(void *user)
{
    struct telemetry *t = user;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    pthread_mutex_lock(&t->keeper_lock);
    while (!t->closing) {
        at.tv_sec += EACH_S;
        while (!t->closing &&
               pthread_cond_timedwait(&t->keeper_wake, &t->keeper_lock, &at) == 0) {
        }
        pthread_mutex_unlock(&t->keeper_lock);
        // Whether it can be written is told to those who append.
        if (journal_sync(t->journal) == 0) {
            (void)tend(t, idle_since(t));
        }
        pthread_mutex_lock(&t->keeper_lock);
    }
    pthread_mutex_unlock(&t->keeper_lock);
    return NULL;
}

int keeper_start(struct telemetry *t)
{
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&t->keeper_wake, &clock);
    pthread_condattr_destroy(&clock);
    FAIL_IF(pthread_create(&t->keeper, NULL, keep, t) != 0, ERR_NOMEM, "a thread");
    t->keeper_runs = true;
    return 0;
}

void keeper_stop(struct telemetry *t)
{
    if (!t->keeper_runs) {
        return;
    }
    pthread_mutex_lock(&t->keeper_lock);
    t->closing = true;
    pthread_cond_signal(&t->keeper_wake);
    pthread_mutex_unlock(&t->keeper_lock);
    pthread_join(t->keeper, NULL);
    pthread_cond_destroy(&t->keeper_wake);
}
