// SPDX-License-Identifier: GPL-3.0-or-later
//
// The server: routes from a table, handlers on worker threads, so that the loop never blocks.
// It knows no resource; who may call a route is the table's `roles`, checked by the caller's
// `authenticate` before the handler runs.
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/base.h"

enum http_method {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_HEAD,
    HTTP_OPTIONS
};

// Bits for http_route.roles; what they mean is the caller's.
typedef uint32_t http_roles;
#define HTTP_PUBLIC 0u // no one needs to be signed in

struct http_request;
struct http_response;

// Runs on a worker thread. <0 becomes an error body {"error":{"code","message","hint"}} with
// err_http_status; what was written to the response is dropped then.
typedef int http_handler_f(struct http_request *, struct http_response *, void *user);
// Says where the body of a stream_body route goes, on a worker, once its caller is known to be
// allowed: a descriptor that it is appended to as it comes (taken), and how much of it may come.
// A connection that breaks leaves what had come; the handler runs only behind a whole body.
typedef int http_open_body_f(struct http_request *, void *user, int *ret_fd,
                             int64_t *ret_max_bytes);

struct http_route {
    enum http_method method;
    const char *path; // "/api/v1/titles/{id}"; a last "{rest*}" takes slashes too
    http_roles roles; // any of these bits
    http_handler_f *handle;
    size_t max_body_bytes; // 0: none allowed; larger bodies get 413
    const char *summary;   // for OpenAPI
    bool stream_body; // the body goes to a file (http_request_body_fd), not to memory
    http_open_body_f *open_body; // NULL: an unnamed file of body_dir
};

// Request; texts live as long as the request.
enum http_method http_request_method(const struct http_request *);
const char *http_request_path(const struct http_request *); // decoded
const char *
http_request_target(const struct http_request *); // path and query as they came
const char *http_request_param(const struct http_request *,
                               const char *name); // of the path; NULL
const char *http_request_query(const struct http_request *, const char *name);  // NULL
const char *http_request_header(const struct http_request *, const char *name); // NULL
const char *http_request_cookie(const struct http_request *, const char *name); // NULL
const char *http_request_peer(const struct http_request *); // "127.0.0.1"
struct str http_request_body(const struct http_request *);
// A field of a body that is a form (application/x-www-form-urlencoded, else ERR_UNSUPPORTED); NULL: none.
int http_request_form(const struct http_request *, const char *name, const char **ret);
// -1 unless stream_body. At offset 0 of an unnamed file; where the body ended otherwise.
int http_request_body_fd(const struct http_request *);
int64_t http_request_body_bytes(const struct http_request *);
int http_request_json(const struct http_request *, json_t **ret); // strict; owned
struct arena *http_request_arena(struct http_request *);
// What `authenticate` attached; NULL when not signed in. Public routes are authenticated only
// when they ask.
void *http_request_identity(struct http_request *);
http_roles http_request_roles(struct http_request *);
// 0 when it is known who asks, be it nobody; else the error that `authenticate` ended with. Routes
// that are not public have failed with it before their handler is called.
int http_request_authenticate(struct http_request *);
// Last-Event-ID as a number; -1 when absent or not one.
int64_t http_request_last_event_id(const struct http_request *);
// True when Accept-Encoding takes `coding` ("br", "gzip") with a weight over 0.
bool http_request_accepts(const struct http_request *, const char *coding);
// True when the request came over TLS, in front of this server (X-Forwarded-Proto).
bool http_request_is_https(const struct http_request *);

// Response; 200 and empty until said otherwise.
void http_status(struct http_response *, int status);
void http_header(struct http_response *, const char *name,
                 const char *value); // CR, LF refused
void http_cookie(struct http_response *, const char *name, const char *value,
                 int max_age_s);
void http_body(struct http_response *, const char *type, struct str bytes); // copied
// What a person can do about the error that the handler returns.
void http_hint(struct http_response *, const char *text);
// Another spelling of the error's code: "STREAMS_USED"; a literal.
void http_error_code(struct http_response *, const char *code);
int http_json(struct http_response *, int status, json_t *value); // value is taken
// A file with ranges (RFC 9110 section 14), ETag and conditional requests. The descriptor is
// taken. `etag` without quotes; `cache` is the Cache-Control value.
int http_file(struct http_response *, int fd, const char *type, const char *etag,
              const char *cache);
// Turns the response into a server-sent event stream; fed by http_sse_publish. `topic_prefix`
// filters; events after `last_id` come first through `replay`.
struct http_sse_config {
    const char *topic_prefix; // exact, or a prefix with a final '/'; NULL: all
    int64_t last_id;          // from Last-Event-ID; -1: only what comes
    // 0, or 1 when there is more: the stream then ends, and its client resumes behind it.
    int (*replay)(void *user, int64_t after, const char *topic_prefix,
                  struct buf *out_events);
    void *user;
};
int http_sse(struct http_response *, const struct http_sse_config *);
// One event in text/event-stream form into `out` (for replay).
void http_sse_format(struct buf *out, int64_t id /* <0: none */,
                     const char *type /* NULL: "message" */, const json_t *data);

// --- tus 1.0 (https://tus.io/protocols/resumable-upload) -----------------------------------

// Upload-Metadata: `key base64, key base64`. The value of a key as text, owned by the arena;
// ERR_NOT_FOUND, ERR_INVALID when it is not base64 of UTF-8.
int http_tus_metadata(struct str header, const char *key, struct arena *,
                      const char **ret);

// The password of an Authorization header of scheme Basic (RFC 7617), owned by the arena. ERR_INVALID: it is
// another, or no text.
int http_basic_password(struct str header, struct arena *, const char **ret);

// What became of a request, for counting.
struct http_done {
    const char *route;  // the template that fitted; NULL: none did
    size_t route_index; // of its row in the table; route_count where none fitted
    const char *method; // "GET"
    int status;
    int64_t us; // from its first line to the end of its answer
};

struct http_config {
    const char *bind; // "127.0.0.1"
    uint16_t port;    // 0: any
    const struct http_route *routes;
    size_t route_count;
    void *user; // for handlers
    // Finds who calls; 0 with *ret_roles = 0 for nobody, an error when that cannot be told now. The identity is freed by free_identity.
    int (*authenticate)(struct http_request *, void *user, http_roles *ret_roles,
                        void **ret_identity);
    void (*free_identity)(void *identity);
    // Called on a loop's thread when an answer has gone out; must not wait. May be NULL.
    void (*on_done)(void *done_user, const struct http_done *);
    void *done_user;
    const char *body_dir;     // for stream_body; created files are unlinked at once
    unsigned workers;         // 0: 4
    unsigned max_connections; // 0: 4096
    unsigned max_per_ip;      // connections from one address; 0: half of all
    // Without a byte for so long, or without a whole head (or a whole body in memory), a
    // connection is closed. 0: 30
    unsigned idle_timeout_s;
    // An event stream ends so long after it began, and its client comes back where it was: who may
    // no longer follow is noticed then. 0: 300
    unsigned stream_life_s;
    // Origins besides the server's own that may send unsafe methods with a cookie; NULL-terminated.
    const char *const *origins;
};

struct http_server;
// Listens when it returns 0. Routes, users and texts of the configuration outlive the server. ERR_INVALID:
// `bind` is no address; ERR_DENIED, ERR_IO: the system's reason.
int http_server_start(struct http_server **ret, const struct http_config *);
uint16_t http_server_port(const struct http_server *);
void http_server_stop(struct http_server **); // ends open streams, then workers
// To every stream whose prefix fits `topic`. id <0 for a transient message. Any thread.
void http_sse_publish(struct http_server *, const char *topic, int64_t id,
                      const char *type, const json_t *data);
// As above, to every stream whose prefix fits one of `topics` (NULL-terminated), once.
void http_sse_publish_any(struct http_server *, const char *const *topics, int64_t id,
                          const char *type, const json_t *data);
// An OpenAPI 3.1 document of a route table. Owned.
int http_openapi(const struct http_route *, size_t count, const char *title,
                 const char *version, json_t **ret);

#endif
