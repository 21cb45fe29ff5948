// SPDX-License-Identifier: GPL-3.0-or-later
//
// Structures of the room, and the parsers of what clients send.
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "http/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

// --- uri.c --------------------------------------------------------------------------------

#define HTTP_MAX_SEGMENTS 32
#define HTTP_MAX_URI      8192

struct uri {
    char *path;                              // decoded, for people
    const char *segments[HTTP_MAX_SEGMENTS]; // decoded; "/" has one empty segment
    size_t segment_count;
    struct str query; // as it came
};
// Splits and decodes a request target (RFC 3986 section 3). Texts are the arena's. ERR_INVALID
// for bad escapes, "." and ".." segments, slashes that were hidden in an escape, control
// characters and what is not UTF-8: whoever gets a path from here can trust its shape.
int uri_parse(struct str target, struct arena *, struct uri *ret);
// The decoded value of a query parameter, NULL when absent or undecodable.
const char *uri_query(const struct uri *, struct arena *, const char *name);

struct path_params {
    struct {
        struct str name;
        const char *value;
    } items[8];
    size_t count;
};
// Does a path fit a template ("/a/{id}/{rest*}")? Values are the arena's.
bool path_match(const char *template, const struct uri *, struct arena *,
                struct path_params *ret);

// --- field.c ------------------------------------------------------------------------------

// A Range header over `size` bytes (RFC 9110 section 14.1.2): 1 and one range, 0 when it is to be
// ignored (another unit, several ranges, malformed), ERR_LIMIT when it cannot be satisfied.
int field_range(struct str header, int64_t size, int64_t *ret_start, int64_t *ret_end);
// Does an If-None-Match list name `etag` (weak comparison, RFC 9110 section 8.8.3.2)?
bool field_etag_listed(struct str header, struct str etag);
// The value of a cookie (RFC 6265 section 4.2.1), empty data NULL when absent.
struct str field_cookie(struct str header, const char *name);
bool field_accepts(struct str accept_encoding, const char *coding);
// Is `origin` the origin of the host that was asked ("http(s)://" + Host)?
bool field_origin_is_host(struct str origin, struct str host);
int64_t field_last_event_id(struct str header);

// --- a request and its response -----------------------------------------------------------

struct header {
    char *name, *value; // the arena's
    struct header *next;
};

struct sse_client;

struct http_response {
    struct http_request *request;
    int status;
    struct header *headers;
    struct buf body;
    int fd; // -1; taken by the wire response
    int64_t fd_offset, fd_bytes;
    struct sse_client *sse;
    const char *hint;
    const char *code;
};

enum stage {
    STAGE_NEW,     // head read
    STAGE_READY,   // allowed so far; a worker goes on at the next call
    STAGE_COLLECT, // a body comes into memory
    STAGE_OPEN,    // a worker authenticates and opens the file of the body
    STAGE_STREAM,  // a body goes to that file, piece by piece
    STAGE_RUN,     // a worker runs the handler
    STAGE_RESPOND, // `wire` is ready
    STAGE_REFUSE,  // as RESPOND, though the body is not at its end
    STAGE_DONE     // queued
};

// Owned by the loop thread while the connection runs, by one worker while it is suspended.
struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    enum stage stage;
    struct arena *arena;
    int64_t began_us;
    char *target;
    struct uri uri;
    enum http_method method;
    const struct http_route *route;
    struct path_params params;
    char peer[64];

    struct buf body;        // in memory, or the piece that a worker writes
    int64_t content_length; // -1: chunked
    int64_t received;
    int body_fd;

    bool authenticated; // asked, whatever the answer
    int authenticate_err;
    http_roles roles;
    void *identity;

    struct http_response response;
    struct MHD_Response *wire;
    int wire_status;
};

// Turns what the handler said (or its error) into request->wire. Always leaves one, unless
// memory is out.
void response_build(struct http_request *, int err);
void response_clear(struct http_response *);
// Status and wire for an error found before a handler ran.
void response_refuse(struct http_request *, int status, int err);
const char *http_method_name(enum http_method);
int http_method_parse(const char *text, enum http_method *ret);

// --- sse.c --------------------------------------------------------------------------------

struct sse_hub {
    pthread_mutex_t
        lock; // guards all below and every client; taken before libmicrohttpd's own
    struct sse_client *clients;
    bool closing;
};
void sse_hub_init(struct sse_hub *);
void sse_hub_destroy(struct sse_hub *);
void sse_hub_close(struct sse_hub *);  // ends all streams
void sse_hub_expire(struct sse_hub *); // ends those that are old
void sse_hub_beat(struct sse_hub *);   // a comment to each, so that the dead are noticed
// The wire response that reads from the client; it owns the client from then on.
struct MHD_Response *sse_wire(struct sse_client *);
void sse_client_drop(struct sse_client **);

// --- server.c -----------------------------------------------------------------------------

struct http_connection {
    struct http_connection *prev, *next;
    int fd;
    int64_t deadline_us; // for a whole head, or a whole body in memory; INT64_MAX: none
};

struct http_server {
    struct http_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;

    pthread_mutex_t gate; // guards pool while it may be closing
    struct pool *pool;    // NULL: closing

    pthread_mutex_t connections_lock;   // guards the list and its deadlines
    struct http_connection connections; // ring with a sentinel

    pthread_mutex_t tick_lock; // guards stopping
    pthread_cond_t tick;
    bool stopping;
    pthread_t ticker;
    bool ticker_runs;

    struct sse_hub sse;
};

int request_submit(struct http_request *, pool_task_f *run);

// --- exchange.c ---------------------------------------------------------------------------

void *exchange_new(void *server, const char *target, struct MHD_Connection *);
enum MHD_Result exchange_advance(void *server, struct MHD_Connection *, const char *url,
                                 const char *method, const char *version,
                                 const char *data, size_t *len, void **context);
void exchange_free(struct http_request **);
// Sets until when the connection's present head or body must be whole; 0: the idle time from now.
void connection_deadline(struct http_server *, struct MHD_Connection *, int64_t at_us);

#endif
