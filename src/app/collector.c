// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/collector.h"
#include "ingest/ingest.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_S 60 // a service that starts has better to do
#define LOOK_S  300

struct collector {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock; // guards stopping
    pthread_cond_t wake;
    bool stopping;
};

static bool is_stopping(void *user)
{
    struct collector *c = user;
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return stopping;
}

// False when it is time to end.
static bool rest(struct collector *c, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    int err = 0;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping && err == 0) {
        err = pthread_cond_timedwait(&c->wake, &c->lock, &until);
    }
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return !stopping;
}

static void collect(struct store *store, struct collector *c)
{
    struct ingest_collected made = {0};
    if (!ingest_collection_is_due(store, COLLECT_EVERY_US)) {
        return;
    }
    int err =
        ingest_collect(store, &ingest_retention_usual, c ? is_stopping : NULL, c, &made);
    if (err < 0) {
        log_warn("app", "collecting: %s: %s", err_name(err), err_reason());
    } else if (made.files || made.packages) {
        log_info("app", "collected %lld packages and %lld files: %lld bytes",
                 (long long)made.packages, (long long)made.files, (long long)made.bytes);
    }
}

static void *run(void *user)
{
    struct collector *c = user;
    for (int pause = FIRST_S; rest(c, pause); pause = LOOK_S) {
        collect(c->store, c);
    }
    return NULL;
}

void collector_run_once(struct store *store)
{
    collect(store, NULL);
}

int collector_start(struct collector **ret, struct store *store)
{
    struct collector *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "a collector");
    c->store = store;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&c->thread, NULL, run, c) != 0) {
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->lock);
        free(c);
        FAIL(ERR_NOMEM, "a thread for the collector");
    }
    *ret = c;
    return 0;
}

void collector_stop(struct collector **collector)
{
    struct collector *c = TAKE(*collector);
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
