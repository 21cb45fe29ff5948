// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a handler may ask of its request.
#include "http/internal.h"

#include <string.h>
#include <strings.h>

#define JSON_MAX_BYTES (4u << 20)

enum http_method http_request_method(const struct http_request *r)
{
    return r->method;
}

const char *http_request_path(const struct http_request *r)
{
    return r->uri.path;
}

const char *http_request_param(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->params.count; i++) {
        if (str_eq_c(r->params.items[i].name, name)) {
            return r->params.items[i].value;
        }
    }
    return NULL;
}

const char *http_request_target(const struct http_request *r)
{
    return r->target;
}

const char *http_request_query(const struct http_request *r, const char *name)
{
    return uri_query(&r->uri, r->arena, name);
}

int http_request_form(const struct http_request *r, const char *name, const char **ret)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_request_header(r, "Content-Type");
    FAIL_IF(!type || strncasecmp(type, form, sizeof form - 1) != 0 ||
                !strchr(" ;", type[sizeof form - 1]),
            ERR_UNSUPPORTED, "the body must be a form: %s", form);
    const struct uri as_query = {.query = http_request_body(r)};
    *ret = uri_query(&as_query, r->arena, name);
    return 0;
}

const char *http_request_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *http_request_cookie(const struct http_request *r, const char *name)
{
    struct str value = field_cookie(str_of(http_request_header(r, "Cookie")), name);
    return value.data ? arena_dup(r->arena, value) : NULL;
}

const char *http_request_peer(const struct http_request *r)
{
    return r->peer;
}

struct str http_request_body(const struct http_request *r)
{
    return r->route && r->route->stream_body ? STR("") : buf_view(&r->body);
}

int http_request_body_fd(const struct http_request *r)
{
    return r->body_fd;
}

int64_t http_request_body_bytes(const struct http_request *r)
{
    return r->received;
}

int http_request_json(const struct http_request *r, json_t **ret)
{
    // A form of another site cannot send this type without asking first (CORS).
    const char *type = http_request_header(r, "Content-Type");
    FAIL_IF(!type || strncasecmp(type, "application/json", 16) != 0 ||
                !strchr(" ;", type[16]),
            ERR_UNSUPPORTED, "the body must be application/json");
    return json_parse(ret, http_request_body(r), JSON_MAX_BYTES);
}

struct arena *http_request_arena(struct http_request *r)
{
    return r->arena;
}

int http_request_authenticate(struct http_request *r)
{
    const struct http_config *c = &r->server->config;
    if (!r->authenticated && c->authenticate) {
        r->authenticated = true;
        r->authenticate_err = c->authenticate(r, c->user, &r->roles, &r->identity);
    }
    return r->authenticate_err;
}

void *http_request_identity(struct http_request *r)
{
    http_request_authenticate(r);
    return r->identity;
}

http_roles http_request_roles(struct http_request *r)
{
    http_request_authenticate(r);
    return r->roles;
}

int64_t http_request_last_event_id(const struct http_request *r)
{
    return field_last_event_id(str_of(http_request_header(r, "Last-Event-ID")));
}

bool http_request_accepts(const struct http_request *r, const char *coding)
{
    return field_accepts(str_of(http_request_header(r, "Accept-Encoding")), coding);
}

bool http_request_is_https(const struct http_request *r)
{
    const char *proto = http_request_header(r, "X-Forwarded-Proto");
    return proto && strcasecmp(proto, "https") == 0;
}

static const char *const method_names[] = {
    [HTTP_GET] = "GET",         [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",     [HTTP_DELETE] = "DELETE", [HTTP_HEAD] = "HEAD",
    [HTTP_OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method m)
{
    return method_names[m];
}

int http_method_parse(const char *text, enum http_method *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(method_names); i++) {
        if (strcmp(text, method_names[i]) == 0) {
            *ret = (enum http_method)i;
            return 0;
        }
    }
    FAIL(ERR_UNSUPPORTED, "an unknown method");
}
