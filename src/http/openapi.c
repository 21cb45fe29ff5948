// SPDX-License-Identifier: GPL-3.0-or-later
//
// OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0) from a route table.
#include "http/internal.h"

#include <string.h>

// "{rest*}" is "{rest}" there; each name in braces is a required parameter.
static int describe_path(const char *path, struct buf *out, json_t *parameters)
{
    for (const char *p = path; *p; p++) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        if (!close) {
            buf_char(out, *p);
            continue;
        }
        struct str name = {p + 1, (size_t)(close - p) - 1};
        if (str_ends(name, "*")) {
            name.len--;
        }
        buf_printf(out, "{" STR_FMT "}", STR_ARG(name));
        json_t *parameter =
            json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", name.data, name.len, "in",
                      "path", "required", 1, "schema", "type", "string");
        FAIL_IF(json_array_append_new(parameters, parameter) < 0, ERR_NOMEM,
                "an OpenAPI document");
        p = close;
    }
    return out->err;
}

static int describe_route(const struct http_route *route, json_t *paths)
{
    AUTO(buf_free) struct buf path = {0};
    AUTO(json_free) json_t *parameters = json_array();
    TRY(describe_path(route->path, &path, parameters));
    json_t *security = route->roles == HTTP_PUBLIC
                           ? json_array()
                           : json_pack("[{s:[]}, {s:[]}]", "session", "bearer");
    AUTO(json_free)
    json_t *operation = json_pack(
        "{s:s, s:O, s:o, s:{s:{s:s}, s:{s:s}}}", "summary",
        route->summary ? route->summary : "", "parameters", parameters, "security",
        security, "responses", "200", "description", "Done", "default", "description",
        "An error: {\"error\":{\"code\",\"message\",\"hint\"}}");
    FAIL_IF(!operation, ERR_NOMEM, "an OpenAPI document");
    if (route->max_body_bytes) {
        const char *type =
            route->stream_body ? "application/offset+octet-stream" : "application/json";
        FAIL_IF(json_object_set_new(operation, "requestBody",
                                    json_pack("{s:{s:{}}}", "content", type)) < 0,
                ERR_NOMEM, "an OpenAPI document");
    }
    json_t *item = json_object_get(paths, path.data);
    if (!item) {
        item = json_object();
        FAIL_IF(json_object_set_new(paths, path.data, item) < 0, ERR_NOMEM,
                "an OpenAPI document");
    }
    char method[8] = "";
    const char *name = http_method_name(route->method);
    for (size_t i = 0; name[i] && i + 1 < sizeof method; i++) {
        method[i] = (char)(name[i] | 0x20);
    }
    FAIL_IF(json_object_set(item, method, operation) < 0, ERR_NOMEM,
            "an OpenAPI document");
    return 0;
}

int http_openapi(const struct http_route *routes, size_t count, const char *title,
                 const char *version, json_t **ret)
{
    AUTO(json_free) json_t *paths = json_object();
    for (size_t i = 0; i < count; i++) {
        TRY(describe_route(&routes[i], paths));
    }
    return json_made(
        json_pack("{s:s, s:{s:s, s:s}, s:O, s:{s:{s:{s:s, s:s, s:s}, s:{s:s, s:s}}}}",
                  "openapi", "3.1.0", "info", "title", title, "version", version, "paths",
                  paths, "components", "securitySchemes", "session", "type", "apiKey",
                  "in", "cookie", "name", "marquee_session", "bearer", "type", "http",
                  "scheme", "bearer"),
        ret);
}
