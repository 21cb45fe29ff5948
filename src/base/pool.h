// SPDX-License-Identifier: GPL-3.0-or-later
//
// Worker threads behind a bounded queue.
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/err.h"

typedef void pool_task_f(void *user);

struct pool;

int pool_new(struct pool **ret, unsigned threads, size_t queue_limit);
// Runs what is queued, then ends the threads.
void pool_free(struct pool **);
// ERR_BUSY, and nothing queued, when the queue is full: the caller sheds load.
int pool_submit(struct pool *, pool_task_f *run, void *user);

#endif
