// SPDX-License-Identifier: GPL-3.0-or-later
//
// The server's life. Threads: libmicrohttpd's loops (epoll, edge-triggered, LOOPS of them), the
// workers of a pool, and a ticker that closes what is overdue and beats the event streams.
//
// Invariants: a loop thread never waits for a worker, a file or a lock that is held over I/O. A
// suspended connection belongs to exactly one worker (or to the SSE hub) until it resumes it. Lock
// order: sse.lock or gate, then libmicrohttpd's own; connections_lock is taken alone.
//
// libmicrohttpd's own timeout counts from the last byte, so a client that sends one byte now and
// then would hold its place for ever; the deadline of http_connection counts from the first.
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPS             2u
#define QUEUE_LIMIT       2048u
#define CONNECTION_MEMORY ((size_t)64 << 10) // head and read buffer
#define BEAT_TICKS        15
#define SPARE_FILES       256 // descriptors that are not connections: rows, blobs, files served

static int64_t deadline_from_now(const struct http_server *s)
{
    return clock_mono_us() + (int64_t)s->config.idle_timeout_s * 1000000;
}

void connection_deadline(struct http_server *s, struct MHD_Connection *connection,
                         int64_t at_us)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_connection *c = info ? info->socket_context : NULL;
    if (!c) {
        return;
    }
    pthread_mutex_lock(&s->connections_lock);
    c->deadline_us = at_us ? at_us : deadline_from_now(s);
    pthread_mutex_unlock(&s->connections_lock);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = user;
    struct http_connection *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = calloc(1, sizeof *c);
        *context = c;
        if (!c) {
            return;
        }
        c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                    ->connect_fd;
        c->deadline_us = deadline_from_now(s);
        pthread_mutex_lock(&s->connections_lock);
        c->next = &s->connections;
        c->prev = s->connections.prev;
        c->prev->next = c;
        s->connections.prev = c;
        pthread_mutex_unlock(&s->connections_lock);
    } else if (c) {
        pthread_mutex_lock(&s->connections_lock);
        c->prev->next = c->next;
        c->next->prev = c->prev;
        pthread_mutex_unlock(&s->connections_lock);
        free(c);
        *context = NULL;
    }
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_request *r = *context;
    exchange_free(&r);
    *context = NULL;
    connection_deadline(user, connection, 0);
}

static void close_overdue(struct http_server *s)
{
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&s->connections_lock);
    for (struct http_connection *c = s->connections.next; c != &s->connections;
         c = c->next) {
        if (c->deadline_us < now) {
            shutdown(c->fd, SHUT_RDWR); // its loop sees the end and cleans up
            c->deadline_us = INT64_MAX;
        }
    }
    pthread_mutex_unlock(&s->connections_lock);
}

static void *tick(void *user)
{
    struct http_server *s = user;
    pthread_mutex_lock(&s->tick_lock);
    for (int n = 1; !s->stopping; n++) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&s->tick, &s->tick_lock, &until);
        if (s->stopping) {
            break;
        }
        pthread_mutex_unlock(&s->tick_lock);
        close_overdue(s);
        sse_hub_expire(&s->sse);
        if (n % BEAT_TICKS == 0) {
            sse_hub_beat(&s->sse);
        }
        pthread_mutex_lock(&s->tick_lock);
    }
    pthread_mutex_unlock(&s->tick_lock);
    return NULL;
}

int request_submit(struct http_request *r, pool_task_f *task)
{
    struct http_server *s = r->server;
    pthread_mutex_lock(&s->gate);
    int err = s->pool ? pool_submit(s->pool, task, r)
                      : err_fail(ERR_BUSY, "the server is stopping");
    pthread_mutex_unlock(&s->gate);
    return err;
}

static int listen_on(const struct http_config *c, uint16_t *ret_port, int *ret_fd)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(c->port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(c->port)};
    const char *host = c->bind ? c->bind : "127.0.0.1";
    bool is_six = strchr(host, ':') != NULL;
    void *address = is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr;
    FAIL_IF(inet_pton(is_six ? AF_INET6 : AF_INET, host, address) != 1, ERR_INVALID,
            "'%s' is not an address to listen on", host);
    struct sockaddr *name = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    socklen_t len = is_six ? sizeof six : sizeof four;
    AUTO(fd_close)
    int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, name, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, name, &len) < 0) {
        return err_fail_errno("listening on %s port %u", host, c->port);
    }
    *ret_port = ntohs(is_six ? six.sin6_port : four.sin_port);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static void on_mhd_log(void *user, const char *fmt, va_list args)
{
    (void)user, (void)fmt, (void)args; // its texts quote what clients sent
}

static void set_defaults(struct http_config *c)
{
    c->workers = c->workers ? c->workers : 4;
    c->max_connections = c->max_connections ? c->max_connections : 4096;
    c->idle_timeout_s = c->idle_timeout_s ? c->idle_timeout_s : 30;
    c->stream_life_s = c->stream_life_s ? c->stream_life_s : 300;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
        files.rlim_cur < c->max_connections + SPARE_FILES) {
        c->max_connections = files.rlim_cur > SPARE_FILES + 64
                                 ? (unsigned)files.rlim_cur - SPARE_FILES
                                 : 64;
    }
    c->max_per_ip = c->max_per_ip ? c->max_per_ip : MAX(c->max_connections / 2, 1u);
}

static int start_daemon(struct http_server *s, int fd)
{
    const struct http_config *c = &s->config;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     (c->bind && strchr(c->bind, ':') ? MHD_USE_IPv6 : 0);
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_advance, s, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, LOOPS,
        MHD_OPTION_CONNECTION_LIMIT, c->max_connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->max_per_ip, MHD_OPTION_CONNECTION_TIMEOUT,
        c->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, exchange_new, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_END);
    FAIL_IF(!s->daemon, ERR_IO, "the HTTP server did not start");
    return 0;
}

static void init_locks(struct http_server *s)
{
    pthread_mutex_init(&s->gate, NULL);
    pthread_mutex_init(&s->connections_lock, NULL);
    pthread_mutex_init(&s->tick_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->tick, &attr);
    pthread_condattr_destroy(&attr);
    sse_hub_init(&s->sse);
    s->connections.next = s->connections.prev = &s->connections;
}

int http_server_start(struct http_server **ret, const struct http_config *config)
{
    AUTO(http_server_stop) struct http_server *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a server");
    s->config = *config;
    set_defaults(&s->config);
    init_locks(s);
    TRY(pool_new(&s->pool, s->config.workers, QUEUE_LIMIT));
    AUTO(fd_close) int fd = -1;
    TRY(listen_on(&s->config, &s->port, &fd));
    TRY(start_daemon(s, fd));
    fd = -1; // the daemon closes it
    FAIL_IF(pthread_create(&s->ticker, NULL, tick, s) != 0, ERR_NOMEM, "a thread");
    s->ticker_runs = true;
    *ret = TAKE(s);
    return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_stop(struct http_server **server)
{
    struct http_server *s = TAKE(*server);
    if (!s) {
        return;
    }
    if (s->ticker_runs) {
        pthread_mutex_lock(&s->tick_lock);
        s->stopping = true;
        pthread_cond_signal(&s->tick);
        pthread_mutex_unlock(&s->tick_lock);
        pthread_join(s->ticker, NULL);
    }
    // Every suspended connection is resumed before the daemon stops: workers resume theirs, the
    // hub its own, and nothing is submitted any more.
    pthread_mutex_lock(&s->gate);
    struct pool *pool = TAKE(s->pool);
    pthread_mutex_unlock(&s->gate);
    pool_free(&pool);
    sse_hub_close(&s->sse);
    if (s->daemon) {
        MHD_stop_daemon(s->daemon);
    }
    sse_hub_destroy(&s->sse);
    pthread_cond_destroy(&s->tick);
    pthread_mutex_destroy(&s->tick_lock);
    pthread_mutex_destroy(&s->connections_lock);
    pthread_mutex_destroy(&s->gate);
    free(s);
}
