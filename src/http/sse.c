// SPDX-License-Identifier: GPL-3.0-or-later
//
// Server-sent events (WHATWG HTML section 9.2). A client is a connection with a bounded queue of
// text. Its reader, on the loop thread, copies from the queue; with an empty queue the connection
// is suspended, and whoever publishes resumes it. A client that does not keep up is dropped: it
// comes back with Last-Event-ID and reads from the log what it missed.
//
//     http_sse ─▶ [linked, replaying] ─▶ replay's text, then what was published meanwhile ─▶ live
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SSE_QUEUE_BYTES (256u << 10) // of live events; replay is bounded by who replays

struct held {
    int64_t id;
    struct buf text;
};

struct sse_client {
    struct sse_hub *hub;
    struct MHD_Connection *connection;
    int fd;
    char *topic_prefix;
    int64_t until_us; // of the monotonic clock

    // All below under hub->lock.
    struct sse_client *prev, *next;
    bool replaying;
    VEC(struct held) held; // published while replaying
    struct buf out;
    size_t sent;
    int64_t last_id;
    bool suspended, ended, dropped;
};

void sse_hub_init(struct sse_hub *h)
{
    pthread_mutex_init(&h->lock, NULL);
}

void sse_hub_destroy(struct sse_hub *h)
{
    ASSERT(!h->clients);
    pthread_mutex_destroy(&h->lock);
}

static void wake_locked(struct sse_client *c)
{
    if (c->suspended) {
        c->suspended = false;
        MHD_resume_connection(c->connection);
    }
}

static void drop_locked(struct sse_client *c)
{
    c->dropped = true;
    buf_free(&c->out);
    c->sent = 0;
    // Wakes the loop even where the client's window is shut and the reader would never run.
    shutdown(c->fd, SHUT_RDWR);
    wake_locked(c);
}

static void queue_locked(struct sse_client *c, struct str text)
{
    if (c->dropped || c->ended) {
        return;
    }
    // Who always lags a little never empties the buffer: what was sent leaves it here.
    if (c->sent > SSE_QUEUE_BYTES) {
        memmove(c->out.data, c->out.data + c->sent, c->out.len - c->sent);
        c->out.len -= c->sent;
        c->sent = 0;
    }
    buf_str(&c->out, text);
    if (c->out.err || c->out.len - c->sent > SSE_QUEUE_BYTES) {
        drop_locked(c);
        return;
    }
    wake_locked(c);
}

void sse_hub_close(struct sse_hub *h)
{
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    for (struct sse_client *c = h->clients; c; c = c->next) {
        wake_locked(c);
    }
    pthread_mutex_unlock(&h->lock);
}

// Who follows was allowed to when the stream began. A session that ended meanwhile, a password that
// changed, is seen when the client comes back with Last-Event-ID; nothing is lost by it.
void sse_hub_expire(struct sse_hub *h)
{
    int64_t now_us = clock_mono_us();
    pthread_mutex_lock(&h->lock);
    for (struct sse_client *c = h->clients; c; c = c->next) {
        if (!c->replaying && !c->ended && c->until_us <= now_us) {
            c->ended = true;
            wake_locked(c);
        }
    }
    pthread_mutex_unlock(&h->lock);
}

void sse_hub_beat(struct sse_hub *h)
{
    pthread_mutex_lock(&h->lock);
    for (struct sse_client *c = h->clients; c; c = c->next) {
        if (!c->replaying && c->out.len == c->sent) {
            queue_locked(c, STR(":\n\n"));
        }
    }
    pthread_mutex_unlock(&h->lock);
}

void sse_client_drop(struct sse_client **client)
{
    struct sse_client *c = TAKE(*client);
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->hub->lock);
    if (c->prev) {
        c->prev->next = c->next;
    } else {
        c->hub->clients = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    pthread_mutex_unlock(&c->hub->lock);
    vec_for_each (h, &c->held) {
        buf_free(&h->text);
    }
    vec_free(&c->held);
    buf_free(&c->out);
    free(c->topic_prefix);
    free(c);
}

static ssize_t read_queue(void *user, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct sse_client *c = user;
    ssize_t n = 0;
    pthread_mutex_lock(&c->hub->lock);
    size_t waiting = c->out.len - c->sent;
    if (c->dropped) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (waiting > 0) {
        size_t take = MIN(waiting, max);
        memcpy(out, c->out.data + c->sent, take);
        c->sent += take;
        if (c->sent == c->out.len) {
            buf_free(&c->out);
            c->sent = 0;
        }
        n = (ssize_t)take;
    } else if (c->ended || c->hub->closing) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        c->suspended = true;
        MHD_suspend_connection(c->connection);
    }
    pthread_mutex_unlock(&c->hub->lock);
    return n;
}

static void free_reader(void *user)
{
    struct sse_client *c = user;
    sse_client_drop(&c);
}

struct MHD_Response *sse_wire(struct sse_client *c)
{
    struct MHD_Response *wire = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 16384, read_queue, c, free_reader);
    if (!wire) {
        sse_client_drop(&c);
    }
    return wire;
}

static int client_new(struct http_request *r, const struct http_sse_config *config,
                      struct sse_client **ret)
{
    struct sse_client *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "an event stream");
    if (cstr_dup(&c->topic_prefix, config->topic_prefix ? config->topic_prefix : "") <
        0) {
        free(c);
        return ERR_NOMEM;
    }
    c->hub = &r->server->sse;
    c->connection = r->connection;
    c->fd = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                ->connect_fd;
    c->until_us = clock_mono_us() + (int64_t)r->server->config.stream_life_s * 1000000;
    c->last_id = config->last_id;
    c->replaying = true;
    buf_cstr(&c->out, "retry: 1000\n\n");
    pthread_mutex_lock(&c->hub->lock);
    c->next = c->hub->clients;
    if (c->next) {
        c->next->prev = c;
    }
    c->hub->clients = c;
    pthread_mutex_unlock(&c->hub->lock);
    *ret = c;
    return 0;
}

// The greatest "id:" of a text that http_sse_format wrote.
static int64_t last_id_of(struct str text, int64_t otherwise)
{
    struct str line, rest = text;
    while (str_next(&rest, '\n', &line)) {
        if (str_starts(line, "id: ")) {
            otherwise =
                MAX(otherwise,
                    field_last_event_id((struct str){line.data + 4, line.len - 4}));
        }
    }
    return otherwise;
}

static void go_live(struct sse_client *c, struct str replayed, bool more)
{
    int64_t last = last_id_of(replayed, c->last_id);
    pthread_mutex_lock(&c->hub->lock);
    buf_str(&c->out, replayed);
    c->last_id = last;
    c->replaying = false;
    vec_for_each (h, &c->held) {
        if (h->id < 0 || h->id > c->last_id) {
            c->last_id = MAX(c->last_id, h->id);
            buf_str(&c->out, buf_view(&h->text));
        }
        buf_free(&h->text);
    }
    vec_free(&c->held);
    c->ended = more;
    pthread_mutex_unlock(&c->hub->lock);
}

int http_sse(struct http_response *res, const struct http_sse_config *config)
{
    struct sse_client *c = NULL;
    TRY(client_new(res->request, config, &c));
    res->sse = c; // response_clear drops it should anything fail
    AUTO(buf_free) struct buf replayed = {0};
    int more = 0;
    if (config->replay && config->last_id >= 0) {
        more = config->replay(config->user, config->last_id, config->topic_prefix,
                              &replayed);
        TRY(more);
        TRY(replayed.err);
    }
    go_live(c, buf_view(&replayed), more > 0);
    http_header(res, "Content-Type", "text/event-stream");
    http_header(res, "X-Accel-Buffering",
                "no"); // nginx in front passes events on at once
    return 0;
}

void http_sse_format(struct buf *out, int64_t id, const char *type, const json_t *data)
{
    if (id >= 0) {
        buf_printf(out, "id: %lld\n", (long long)id);
    }
    if (type) {
        buf_printf(out, "event: %s\n", type);
    }
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY); // holds no line end
    if (!text) {
        out->err = err_fail(ERR_NOMEM, "an event");
        return;
    }
    buf_printf(out, "data: %s\n\n", text);
    free(text);
}

static bool topic_fits(const char *prefix, const char *topic)
{
    size_t n = strlen(prefix);
    return n == 0 || strcmp(prefix, topic) == 0 ||
           (prefix[n - 1] == '/' && strncmp(prefix, topic, n) == 0);
}

static void hold_locked(struct sse_client *c, int64_t id, struct str text)
{
    struct held h = {.id = id};
    buf_str(&h.text, text);
    if (h.text.err || c->held.len > 4096 || vec_push(&c->held, h) < 0) {
        buf_free(&h.text);
        drop_locked(c);
    }
}

static bool any_fits(const char *prefix, const char *const *topics)
{
    while (*topics && !topic_fits(prefix, *topics)) {
        topics++;
    }
    return *topics != NULL;
}

void http_sse_publish(struct http_server *s, const char *topic, int64_t id,
                      const char *type, const json_t *data)
{
    const char *const topics[] = {topic, NULL};
    http_sse_publish_any(s, topics, id, type, data);
}

void http_sse_publish_any(struct http_server *s, const char *const *topics, int64_t id,
                          const char *type, const json_t *data)
{
    AUTO(buf_free) struct buf text = {0};
    http_sse_format(&text, id, type, data);
    if (text.err) {
        return;
    }
    pthread_mutex_lock(&s->sse.lock);
    for (struct sse_client *c = s->sse.clients; c; c = c->next) {
        if (!any_fits(c->topic_prefix, topics) || (id >= 0 && id <= c->last_id)) {
            continue;
        }
        if (c->replaying) {
            hold_locked(c, id, buf_view(&text));
            continue;
        }
        c->last_id = MAX(c->last_id, id);
        queue_locked(c, buf_view(&text));
    }
    pthread_mutex_unlock(&s->sse.lock);
}
