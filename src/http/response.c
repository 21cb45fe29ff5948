// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a handler may say, and how it becomes bytes on the wire.
#include "http/internal.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

void http_status(struct http_response *res, int status)
{
    res->status = status;
}

static bool is_printable(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F) {
            return false;
        }
    }
    return true;
}

void http_header(struct http_response *res, const char *name, const char *value)
{
    ASSERT(is_printable(name));
    struct arena *arena = res->request->arena;
    struct header *h = arena_alloc(arena, 1, sizeof *h);
    if (!h || !is_printable(value)) {
        return;
    }
    h->name = arena_dup(arena, str_of(name));
    h->value = arena_dup(arena, str_of(value));
    if (h->name && h->value) {
        h->next = res->headers;
        res->headers = h;
    }
}

static bool has_header(const struct http_response *res, const char *name)
{
    for (const struct header *h = res->headers; h; h = h->next) {
        if (strcasecmp(h->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void http_cookie(struct http_response *res, const char *name, const char *value,
                 int max_age_s)
{
    const char *secure = http_request_is_https(res->request) ? "; Secure" : "";
    char *text = arena_printf(res->request->arena,
                              "%s=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%d%s", name,
                              value, max_age_s, secure);
    if (text) {
        http_header(res, "Set-Cookie", text);
    }
}

void http_body(struct http_response *res, const char *type, struct str bytes)
{
    buf_clear(&res->body);
    buf_str(&res->body, bytes);
    http_header(res, "Content-Type", type);
}

void http_hint(struct http_response *res, const char *text)
{
    res->hint = arena_dup(res->request->arena, str_of(text));
}

void http_error_code(struct http_response *res, const char *code)
{
    res->code = code;
}

int http_json(struct http_response *res, int status, json_t *value)
{
    FAIL_IF(!value, ERR_NOMEM, "a response");
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    FAIL_IF(!text, ERR_NOMEM, "a response");
    http_body(res, "application/json", str_of(text));
    free(text);
    res->status = status;
    return res->body.err;
}

// RFC 9110 section 13.2.2: If-None-Match before Range, If-Range by strong comparison.
int http_file(struct http_response *res, int fd, const char *type, const char *etag,
              const char *cache)
{
    res->fd = fd;
    struct stat st;
    FAIL_IF(fstat(fd, &st) < 0 || !S_ISREG(st.st_mode), ERR_NOT_FOUND, "not a file");
    struct http_request *req = res->request;
    char *quoted = arena_printf(req->arena, "\"%s\"", etag);
    FAIL_IF(!quoted, ERR_NOMEM, "an ETag");
    http_header(res, "ETag", quoted);
    http_header(res, "Cache-Control", cache);
    http_header(res, "Content-Type", type);
    http_header(res, "Accept-Ranges", "bytes");
    const char *none_match = http_request_header(req, "If-None-Match");
    if (none_match && field_etag_listed(str_of(none_match), str_of(etag))) {
        res->status = 304;
        fd_close(&res->fd);
        return 0;
    }
    res->fd_offset = 0;
    res->fd_bytes = st.st_size;
    const char *range = http_request_header(req, "Range");
    const char *if_range = http_request_header(req, "If-Range");
    if (!range || res->status != 200 || (if_range && strcmp(if_range, quoted) != 0)) {
        return 0;
    }
    int64_t start = 0, end = 0;
    int found = field_range(str_of(range), st.st_size, &start, &end);
    char *content_range =
        found < 0 ? arena_printf(req->arena, "bytes */%lld", (long long)st.st_size)
                  : arena_printf(req->arena, "bytes %lld-%lld/%lld", (long long)start,
                                 (long long)end - 1, (long long)st.st_size);
    FAIL_IF(!content_range, ERR_NOMEM, "a range");
    if (found < 0) {
        res->status = 416;
        fd_close(&res->fd);
        http_header(res, "Content-Range", content_range);
    } else if (found > 0) {
        res->status = 206;
        res->fd_offset = start;
        res->fd_bytes = end - start;
        http_header(res, "Content-Range", content_range);
    }
    return 0;
}

void response_clear(struct http_response *res)
{
    buf_free(&res->body);
    fd_close(&res->fd);
    sse_client_drop(&res->sse);
}

// What went wrong inside is for the log, not for a stranger.
static const char *public_message(int status, int err)
{
    return status >= 500 ? err_text(err) : err_reason();
}

// What a person can do where the handler said nothing nearer; NULL where the message says it all.
static const char *usual_hint(int err)
{
    switch (err) {
    case ERR_UNKNOWN_USER:
        return "Sign in, then try again.";
    case ERR_BUSY:
        return "Wait a moment, then try again.";
    case ERR_THROTTLED:
        return "Wait a minute, then try again.";
    case ERR_NO_SPACE:
        return "Make room on the service's disk, then try again.";
    default:
        return err_http_status(err) == 500
                   ? "Try again. If it fails again, the service's log says why."
                   : NULL;
    }
}

static void describe_error(struct http_response *res, int status, int err)
{
    const char *code = res->code ? res->code : err_name(err);
    const char *message =
        arena_dup(res->request->arena, str_of(public_message(status, err)));
    const char *hint = res->hint ? res->hint : usual_hint(err);
    response_clear(res);
    res->status = status;
    json_t *body = json_pack("{s:{s:s, s:s, s:s?}}", "error", "code", code, "message",
                             message ? message : "", "hint", hint);
    if (!body) { // a message that is not UTF-8
        body = json_pack("{s:{s:s, s:s, s:n}}", "error", "code", code, "message",
                         err_text(err), "hint");
    }
    if (http_json(res, status, body) < 0) {
        buf_clear(&res->body);
    }
    if (status == 401) {
        http_header(res, "WWW-Authenticate", "Bearer");
    } else if (status == 503 || status == 429) {
        http_header(res, "Retry-After", "5");
    }
}

static struct MHD_Response *make_wire(struct http_response *res)
{
    if (res->sse) {
        return sse_wire(TAKE(res->sse));
    }
    if (res->fd >= 0) {
        struct MHD_Response *wire = MHD_create_response_from_fd_at_offset64(
            (uint64_t)res->fd_bytes, res->fd, (uint64_t)res->fd_offset);
        if (wire) {
            res->fd = -1;
        }
        return wire;
    }
    size_t len = res->body.len;
    struct MHD_Response *wire = MHD_create_response_from_buffer(
        len, len ? res->body.data : (void *)"",
        len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (wire && len) {
        res->body = (struct buf){0};
    }
    return wire;
}

static void add_headers(struct MHD_Response *wire, const struct http_response *res)
{
    for (const struct header *h = res->headers; h; h = h->next) {
        MHD_add_response_header(wire, h->name, h->value);
    }
    static const char *const always[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"},
        {"Cache-Control", "no-store"},
    };
    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        if (!has_header(res, always[i][0])) {
            MHD_add_response_header(wire, always[i][0], always[i][1]);
        }
    }
}

static void build(struct http_request *r)
{
    struct http_response *res = &r->response;
    struct MHD_Response *wire = make_wire(res);
    if (wire) {
        add_headers(wire, res);
    }
    r->wire = wire;
    r->wire_status = res->status;
    response_clear(res);
}

void response_build(struct http_request *r, int err)
{
    if (err >= 0 && r->response.body.err) {
        err = r->response.body.err;
    }
    if (err < 0) {
        int status = err_http_status(err);
        if (status >= 500) {
            // The template, not the path: a path may hold a grant or a link's token.
            log_warn("http", "%s %s: %s (%s)", http_method_name(r->method),
                     r->route ? r->route->path : "-", err_name(err), err_reason());
        }
        r->response.headers = NULL;
        describe_error(&r->response, status, err);
    }
    build(r);
}

void response_refuse(struct http_request *r, int status, int err)
{
    describe_error(&r->response, status, err);
    build(r);
}
