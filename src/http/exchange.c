// SPDX-License-Identifier: GPL-3.0-or-later
//
// One request from its first byte to its answer. libmicrohttpd calls exchange_advance on a loop
// thread whenever something came; what may take time is handed to a worker while the connection
// is suspended, so that the loop never waits.
//
//     NEW ─▶ READY ──no body──────────────────────▶ RUN ─▶ RESPOND ─▶ DONE
//      │       └──body to a file──▶ OPEN ─▶ STREAM ─▶ ▲        (a worker writes each piece)
//      ├──body to memory──▶ COLLECT ──its end────────▶ │
//      └──refused──▶ RESPOND, or REFUSE while a body is still coming
//
// Nothing is answered or suspended in the first call unless a body is refused: libmicrohttpd takes
// an answer there for a refusal, and closes the connection behind it.
//
// A refused body is swallowed up to DRAIN_BYTES, so that the client reads the answer; beyond that
// the connection is closed.
#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DRAIN_BYTES (1 << 20)

static void copy_peer(struct http_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    const void *ip = NULL;
    if (a && a->sa_family == AF_INET) {
        ip = &((const struct sockaddr_in *)(const void *)a)->sin_addr;
    } else if (a && a->sa_family == AF_INET6) {
        ip = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    }
    if (!ip || !inet_ntop(a->sa_family, ip, r->peer, sizeof r->peer)) {
        r->peer[0] = '\0';
    }
}

// Behind a proxy of this machine the client is the last one that the proxy names; what stands before
// it is the client's own word.
static void look_behind_proxy(struct http_request *r)
{
    const char *header = http_request_header(r, "X-Forwarded-For");
    bool is_near = strcmp(r->peer, "127.0.0.1") == 0 || strcmp(r->peer, "::1") == 0;
    if (!header || !is_near) {
        return;
    }
    struct str one, last = {0}, rest = str_of(header);
    while (str_next(&rest, ',', &one)) {
        last = str_trim(one);
    }
    char text[sizeof r->peer];
    struct in6_addr address;
    if (str_copy(text, sizeof text, last) == 0 &&
        (inet_pton(AF_INET, text, &address) == 1 ||
         inet_pton(AF_INET6, text, &address) == 1)) {
        str_copy(r->peer, sizeof r->peer, str_of(text));
    }
}

void *exchange_new(void *server, const char *target, struct MHD_Connection *connection)
{
    struct http_request *r = calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    r->server = server;
    r->connection = connection;
    r->began_us = clock_mono_us();
    r->body_fd = -1;
    r->content_length = -1;
    r->response.fd = -1;
    r->response.status = 200;
    r->response.request = r;
    if (arena_new(&r->arena) < 0 || !(r->target = arena_dup(r->arena, str_of(target)))) {
        exchange_free(&r);
        return NULL;
    }
    copy_peer(r);
    return r;
}

void exchange_free(struct http_request **request)
{
    struct http_request *r = TAKE(*request);
    if (!r) {
        return;
    }
    const struct http_config *config = &r->server->config;
    if (config->on_done && r->stage == STAGE_DONE) {
        size_t index =
            r->route ? (size_t)(r->route - config->routes) : config->route_count;
        config->on_done(config->done_user,
                        &(struct http_done){.route = r->route ? r->route->path : NULL,
                                            .route_index = index,
                                            .method = http_method_name(r->method),
                                            .status = r->wire_status,
                                            .us = clock_mono_us() - r->began_us});
    }
    response_clear(&r->response);
    if (r->wire) {
        MHD_destroy_response(r->wire);
    }
    if (r->identity && config->free_identity) {
        config->free_identity(r->identity);
    }
    fd_close(&r->body_fd);
    buf_free(&r->body);
    arena_free(&r->arena);
    free(r);
}

// --- on workers ---------------------------------------------------------------------------

static int check_roles(struct http_request *r)
{
    http_roles wanted = r->route->roles;
    if (wanted == HTTP_PUBLIC) {
        return 0;
    }
    TRY(http_request_authenticate(r));
    http_roles has = http_request_roles(r);
    FAIL_IF(has == 0, ERR_UNKNOWN_USER, "sign in first");
    if (!(has & wanted)) {
        http_hint(&r->response, "Ask an administrator for a role that may.");
        FAIL(ERR_DENIED, "your role does not allow this");
    }
    return 0;
}

static int run_handler(struct http_request *r)
{
    TRY(check_roles(r));
    return r->route->handle(r, &r->response, r->server->config.user);
}

static void run(void *user)
{
    struct http_request *r = user;
    response_build(r, run_handler(r));
    r->stage = STAGE_RESPOND;
    MHD_resume_connection(r->connection);
}

static int open_unnamed(struct http_request *r)
{
    const char *dir = r->server->config.body_dir;
    int fd = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("a file for the body");
    }
    r->body_fd = fd;
    return 0;
}

static int open_body(struct http_request *r)
{
    TRY(check_roles(r));
    if (!r->route->open_body) {
        return open_unnamed(r);
    }
    int64_t max = 0;
    TRY(r->route->open_body(r, r->server->config.user, &r->body_fd, &max));
    FAIL_IF(r->content_length > max, ERR_LIMIT, "the body has %lld bytes, %lld may come",
            (long long)r->content_length, (long long)max);
    return 0;
}

static void run_open(void *user)
{
    struct http_request *r = user;
    int err = open_body(r);
    r->stage = STAGE_STREAM;
    if (err < 0) {
        response_build(r, err);
        r->stage = STAGE_REFUSE;
    }
    MHD_resume_connection(r->connection);
}

static void run_write(void *user)
{
    struct http_request *r = user;
    int err = fd_write_all(r->body_fd, r->body.data, r->body.len);
    buf_clear(&r->body);
    if (err < 0) {
        response_build(r, err);
        r->stage = STAGE_REFUSE;
    }
    MHD_resume_connection(r->connection);
}

// --- on loop threads ----------------------------------------------------------------------

static enum MHD_Result queue_wire(struct http_request *r)
{
    if (!r->wire) {
        return MHD_NO;
    }
    enum MHD_Result queued =
        MHD_queue_response(r->connection, (unsigned)r->wire_status, r->wire);
    if (queued == MHD_YES) {
        r->stage = STAGE_DONE;
        MHD_destroy_response(TAKE(r->wire));
    }
    return queued;
}

static bool announces_body(const struct http_request *r)
{
    const char *length = http_request_header(r, "Content-Length");
    return http_request_header(r, "Transfer-Encoding") ||
           (length && strcmp(length, "0") != 0);
}

static enum MHD_Result refuse(struct http_request *r, int status, int err)
{
    response_refuse(r, status, err);
    if (!announces_body(r)) {
        r->stage = STAGE_RESPOND; // at the next call; the connection stays
        return MHD_YES;
    }
    r->stage = STAGE_REFUSE;
    return queue_wire(r);
}

static enum MHD_Result hand_over(struct http_request *r, enum stage stage,
                                 pool_task_f *task)
{
    enum stage before = r->stage;
    r->stage = stage;
    MHD_suspend_connection(r->connection);
    int err = request_submit(r, task);
    if (err == 0) {
        return MHD_YES;
    }
    r->stage = before;
    MHD_resume_connection(r->connection);
    response_refuse(r, 503, err);
    r->stage = STAGE_REFUSE;
    return MHD_YES;
}

static int find_route(struct http_request *r)
{
    const struct http_config *c = &r->server->config;
    const struct http_route *as_get = NULL;
    struct path_params params = {0}, get_params = {0};
    AUTO(buf_free) struct buf allowed = {0};
    for (size_t i = 0; i < c->route_count; i++) {
        const struct http_route *route = &c->routes[i];
        if (!path_match(route->path, &r->uri, r->arena, &params)) {
            continue;
        }
        if (route->method == r->method) {
            r->route = route;
            r->params = params;
            return 0;
        }
        if (route->method == HTTP_GET && r->method == HTTP_HEAD && !as_get) {
            as_get = route;
            get_params = params;
        }
        const char *method = http_method_name(route->method); // none is part of another
        if (!allowed.len || !strstr(allowed.data, method)) {
            buf_printf(&allowed, "%s%s", allowed.len ? ", " : "", method);
        }
    }
    if (as_get) {
        r->route = as_get;
        r->params = get_params;
        return 0;
    }
    FAIL_IF(allowed.len == 0 || allowed.err, ERR_NOT_FOUND, "nothing is at this address");
    http_header(&r->response, "Allow", allowed.data);
    FAIL(ERR_UNSUPPORTED, "this address takes %s", allowed.data);
}

// Cookies come by themselves with whatever page sends a request; only this server's own pages (and
// listed ones) may change something with them. Who shows a token in a header is no browser's victim.
static int check_origin(struct http_request *r)
{
    bool safe =
        r->method == HTTP_GET || r->method == HTTP_HEAD || r->method == HTTP_OPTIONS;
    if (safe || http_request_header(r, "Authorization")) {
        return 0;
    }
    const char *origin = http_request_header(r, "Origin");
    if (!origin) {
        FAIL_IF(http_request_header(r, "Cookie") != NULL, ERR_DENIED,
                "a request with a cookie must name its Origin");
        return 0;
    }
    const char *host = http_request_header(r, "Host");
    if (field_origin_is_host(str_of(origin), str_of(host))) {
        return 0;
    }
    const char *const *o = r->server->config.origins;
    for (; o && *o; o++) {
        if (strcmp(*o, origin) == 0) {
            return 0;
        }
    }
    FAIL(ERR_DENIED, "another origin may not do this");
}

struct framing {
    unsigned lengths, codings, hosts;
    bool malformed;
};

// RFC 9110 sections 5.1 and 5.5.
static bool is_field(const char *name, const char *value)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (const char *p = name; *p; p++) {
        bool token = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
                     (*p >= 'A' && *p <= 'Z') || strchr(marks, *p);
        if (!token) {
            return false;
        }
    }
    for (const char *p = value; *p; p++) {
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7F) {
            return false;
        }
    }
    return *name != '\0';
}

static enum MHD_Result count_field(void *user, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct framing *f = user;
    (void)kind;
    f->lengths += strcasecmp(name, "Content-Length") == 0;
    f->codings += strcasecmp(name, "Transfer-Encoding") == 0;
    f->hosts += strcasecmp(name, "Host") == 0;
    f->malformed |= !is_field(name, value ? value : "");
    return MHD_YES;
}

// What says where this request ends, and for whom it is, is said once and in one way: a proxy in
// front may read two fields, or a coding that it does not know, otherwise than this server does, and
// what the one takes for a body is a request to the other (RFC 9112 sections 3.2, 6.1, 6.3, 11.2).
static int check_framing(struct http_request *r)
{
    struct framing f = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_field, &f);
    const char *coding = http_request_header(r, "Transfer-Encoding");
    FAIL_IF(f.malformed, ERR_INVALID, "a malformed header");
    FAIL_IF(f.lengths > 1 || f.codings > 1 || f.hosts > 1, ERR_INVALID,
            "a header that may come once came more often");
    FAIL_IF(coding && strcasecmp(coding, "chunked") != 0, ERR_INVALID,
            "of the transfer codings only 'chunked' is known");
    FAIL_IF(f.lengths && f.codings, ERR_INVALID,
            "both Content-Length and Transfer-Encoding");
    return 0;
}

static int read_length(struct http_request *r, bool *ret_body)
{
    const char *length = http_request_header(r, "Content-Length");
    const char *coding = http_request_header(r, "Transfer-Encoding");
    if (length) {
        TRY(str_to_i64(str_of(length), 0, INT64_MAX, &r->content_length));
    }
    *ret_body = coding != NULL || r->content_length > 0;
    FAIL_IF(*ret_body && r->route->stream_body && coding, ERR_INVALID,
            "this address wants a Content-Length");
    size_t max = r->route->max_body_bytes;
    FAIL_IF(r->content_length > 0 && (uint64_t)r->content_length > max, ERR_LIMIT,
            "a body over %zu bytes", max);
    FAIL_IF(coding && max == 0, ERR_LIMIT, "this address takes no body");
    return 0;
}

static int check_head(struct http_request *r, const char *method, bool *ret_body)
{
    TRY(http_method_parse(method, &r->method));
    TRY(uri_parse(str_of(r->target), r->arena, &r->uri));
    TRY(find_route(r));
    TRY(check_origin(r));
    return read_length(r, ret_body);
}

static enum MHD_Result begin(struct http_request *r, const char *method)
{
    bool body = false;
    int err = check_framing(r);
    if (err < 0) {
        // Where the next request begins is not known: nothing more is read of this connection.
        http_header(&r->response, "Connection", "close");
        response_refuse(r, 400, err);
        r->stage = STAGE_REFUSE;
        return queue_wire(r);
    }
    look_behind_proxy(r);
    err = check_head(r, method, &body);
    if (err < 0) {
        return refuse(r, err == ERR_UNSUPPORTED ? 405 : err_http_status(err), err);
    }
    if (body && !r->route->stream_body) {
        connection_deadline(r->server, r->connection, 0);
        r->stage = STAGE_COLLECT;
        return MHD_YES;
    }
    connection_deadline(r->server, r->connection, INT64_MAX);
    r->content_length = MAX(r->content_length, 0);
    r->stage = STAGE_READY;
    return MHD_YES;
}

static enum MHD_Result collect(struct http_request *r, const char *data, size_t *len)
{
    if (*len == 0) {
        connection_deadline(r->server, r->connection, INT64_MAX);
        return hand_over(r, STAGE_RUN, run);
    }
    r->received += (int64_t)*len;
    if ((uint64_t)r->received > r->route->max_body_bytes) {
        response_refuse(
            r, 413,
            err_fail(ERR_LIMIT, "a body over %zu bytes", r->route->max_body_bytes));
        r->stage = STAGE_REFUSE;
    } else {
        buf_add(&r->body, data, *len);
    }
    *len = 0;
    return r->body.err ? MHD_NO : MHD_YES;
}

static enum MHD_Result stream(struct http_request *r, const char *data, size_t *len)
{
    if (*len == 0) {
        return r->received < r->content_length ? MHD_YES : hand_over(r, STAGE_RUN, run);
    }
    buf_add(&r->body, data, *len);
    r->received += (int64_t)*len;
    *len = 0;
    return r->body.err ? MHD_NO : hand_over(r, STAGE_STREAM, run_write);
}

static enum MHD_Result drain(struct http_request *r, size_t *len)
{
    if (*len == 0) {
        // Refused by libmicrohttpd while a body is coming: then that is swallowed first.
        return queue_wire(r) == MHD_YES || r->received < r->content_length ? MHD_YES
                                                                           : MHD_NO;
    }
    r->received += (int64_t)*len;
    *len = 0;
    return r->received > DRAIN_BYTES || r->content_length > DRAIN_BYTES ? MHD_NO
                                                                        : MHD_YES;
}

enum MHD_Result exchange_advance(void *server, struct MHD_Connection *connection,
                                 const char *url, const char *method, const char *version,
                                 const char *data, size_t *len, void **context)
{
    (void)server, (void)connection, (void)url, (void)version;
    struct http_request *r = *context;
    if (!r) {
        return MHD_NO; // no memory for it
    }
    switch (r->stage) {
    case STAGE_NEW:
        return begin(r, method);
    case STAGE_READY:
        // What of a body is here already is not taken: it is shown again once its file is open.
        return r->route->stream_body ? hand_over(r, STAGE_OPEN, run_open)
                                     : hand_over(r, STAGE_RUN, run);
    case STAGE_COLLECT:
        return collect(r, data, len);
    case STAGE_STREAM:
        return stream(r, data, len);
    case STAGE_RESPOND:
    case STAGE_REFUSE:
        return drain(r, len);
    case STAGE_DONE:
        *len = 0;
        return MHD_YES;
    case STAGE_OPEN:
    case STAGE_RUN:
        break;
    }
    ASSERT(!"called while suspended");
    return MHD_NO;
}
