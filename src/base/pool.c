// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>

struct task {
    pool_task_f *run;
    void *user;
};

struct pool {
    pthread_mutex_t lock; // guards all below
    pthread_cond_t work;
    struct task *ring;
    size_t limit, first, count;
    bool closing;

    pthread_t *threads; // only the owner touches these
    unsigned thread_count;
};

static void *worker(void *user)
{
    struct pool *p = user;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->count == 0 && !p->closing) {
            pthread_cond_wait(&p->work, &p->lock);
        }
        if (p->count == 0) {
            break;
        }
        struct task t = p->ring[p->first];
        p->first = (p->first + 1) % p->limit;
        p->count--;
        pthread_mutex_unlock(&p->lock);
        t.run(t.user);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int pool_new(struct pool **ret, unsigned threads, size_t queue_limit)
{
    ASSERT(threads > 0 && queue_limit > 0);
    AUTO(pool_free) struct pool *p = calloc(1, sizeof *p);
    FAIL_IF(!p, ERR_NOMEM, "a thread pool");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    p->limit = queue_limit;
    p->ring = calloc(queue_limit, sizeof *p->ring);
    p->threads = calloc(threads, sizeof *p->threads);
    FAIL_IF(!p->ring || !p->threads, ERR_NOMEM, "a thread pool");
    for (; p->thread_count < threads; p->thread_count++) {
        FAIL_IF(pthread_create(&p->threads[p->thread_count], NULL, worker, p) != 0,
                ERR_NOMEM, "a thread");
    }
    *ret = TAKE(p);
    return 0;
}

void pool_free(struct pool **pool)
{
    struct pool *p = TAKE(*pool);
    if (!p) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++) {
        pthread_join(p->threads[i], NULL);
    }
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p->ring);
    free(p);
}

int pool_submit(struct pool *p, pool_task_f *run, void *user)
{
    pthread_mutex_lock(&p->lock);
    bool full = p->count == p->limit || p->closing;
    if (!full) {
        p->ring[(p->first + p->count) % p->limit] = (struct task){run, user};
        p->count++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    FAIL_IF(full, ERR_BUSY, "the queue of %zu tasks is full", p->limit);
    return 0;
}
