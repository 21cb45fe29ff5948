// SPDX-License-Identifier: GPL-3.0-or-later
//
// One thread that looks for new events whenever the rows changed: at once when this process says so,
// within POLL_MS when another process wrote. The look itself is one PRAGMA; the log is read only
// when it answers something new.
#include "bus/internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POLL_MS       150
#define BATCH         200
#define MESSAGE_LIMIT 4096

struct bus_follower {
    struct bus_follower_config config;
    pthread_t thread;
    int wake_fd;

    pthread_mutex_t lock; // what follows
    bool stopping;
    VEC(json_t *) messages;
};

// Delivers what is committed behind *seq; at most a batch. 1 when there may be more.
static int deliver(struct bus_follower *f, int64_t *seq)
{
    AUTO(json_free) json_t *events = NULL;
    {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(f->config.store, STORE_READ, &tx));
        TRY(bus_read(tx, *seq, NULL, BATCH, &events));
    }
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        int64_t at = 0;
        TRY(str_to_i64(str_of(json_str_or(event, "id", "")), 1, INT64_MAX, &at));
        f->config.on_event(f->config.user, at, event);
        *seq = at;
    }
    return json_array_size(events) == BATCH;
}

static void deliver_messages(struct bus_follower *f)
{
    VEC(json_t *) taken = {0};
    pthread_mutex_lock(&f->lock);
    taken.data = TAKE(f->messages.data);
    taken.len = f->messages.len;
    f->messages.len = f->messages.cap = 0;
    pthread_mutex_unlock(&f->lock);
    vec_for_each (m, &taken) {
        f->config.on_event(f->config.user, 0, *m);
        json_free(m);
    }
    vec_free(&taken);
}

static bool is_stopping(struct bus_follower *f)
{
    pthread_mutex_lock(&f->lock);
    bool stopping = f->stopping;
    pthread_mutex_unlock(&f->lock);
    return stopping;
}

static void *follow(void *user)
{
    struct bus_follower *f = user;
    int64_t seq = f->config.after;
    int64_t seen = -1;
    bool failing = false;
    while (!is_stopping(f)) {
        int64_t version = -1;
        int err = store_data_version(f->config.store, &version);
        if (err == 0 && version != seen) {
            do {
                err = deliver(f, &seq);
            } while (err > 0 && !is_stopping(f));
            seen = err < 0 ? -1 : version;
        }
        if (err < 0 && !failing) {
            log_warn("bus", "following events: %s", err_reason());
        }
        failing = err < 0; // said once, however long it lasts
        deliver_messages(f);
        struct pollfd wake = {.fd = f->wake_fd, .events = POLLIN};
        if (poll(&wake, 1, POLL_MS) > 0) {
            uint64_t n;
            ssize_t got = read(f->wake_fd, &n, sizeof n);
            (void)got;
        }
    }
    return NULL;
}

int bus_follower_start(struct bus_follower **ret,
                       const struct bus_follower_config *config)
{
    struct bus_follower *f = calloc(1, sizeof *f);
    FAIL_IF(!f, ERR_NOMEM, "a follower");
    f->config = *config;
    pthread_mutex_init(&f->lock, NULL);
    f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = f->wake_fd < 0 ? err_fail_errno("a follower") : 0;
    if (err == 0 && f->config.after < 0) {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        err = store_begin(config->store, STORE_READ, &tx);
        err = err < 0 ? err : bus_last_seq(tx, &f->config.after);
    }
    if (err == 0 && pthread_create(&f->thread, NULL, follow, f) != 0) {
        err = err_fail(ERR_NOMEM, "a thread for the follower");
    }
    if (err < 0) {
        fd_close(&f->wake_fd);
        pthread_mutex_destroy(&f->lock);
        free(f);
        return err;
    }
    *ret = f;
    return 0;
}

void bus_follower_wake(struct bus_follower *f)
{
    uint64_t one = 1;
    ssize_t told = write(f->wake_fd, &one, sizeof one);
    (void)told;
}

int bus_follower_tell(struct bus_follower *f, json_t *message)
{
    pthread_mutex_lock(&f->lock);
    int err = f->messages.len < MESSAGE_LIMIT
                  ? vec_push(&f->messages, message)
                  : err_fail(ERR_BUSY, "%d messages wait", MESSAGE_LIMIT);
    pthread_mutex_unlock(&f->lock);
    if (err < 0) {
        json_decref(message);
        return err;
    }
    bus_follower_wake(f);
    return 0;
}

void bus_follower_stop(struct bus_follower **follower)
{
    struct bus_follower *f = TAKE(*follower);
    if (!f) {
        return;
    }
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_mutex_unlock(&f->lock);
    bus_follower_wake(f);
    pthread_join(f->thread, NULL);
    vec_for_each (m, &f->messages) {
        json_free(m);
    }
    vec_free(&f->messages);
    fd_close(&f->wake_fd);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
