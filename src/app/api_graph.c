// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading series, as Atlas' users and Grafana's Atlas data source do: /atlas/api/v1/graph and tags; and
// the dashboards of the desk. https://netflix.github.io/atlas-docs/api/graph/graph/
#include "app/api.h"
#include "app/dashboards.h"

#include <string.h>

enum { TAGS_MAX = 1000 };

// --- graphs ---------------------------------------------------------------------------------------

// Where a picture is asked for, the reason is one, too, so that it is read where the graph would stand.
static int answer_complaint(struct http_response *res,
                            const struct telemetry_graph *graph, int err)
{
    AUTO(buf_free) struct buf picture = {0};
    AUTO(cstr_free) char *why = NULL;
    TRY(cstr_dup(&why, err_reason()));
    if (telemetry_graph_format(graph) != TELEMETRY_PNG ||
        (err != ERR_INVALID && err != ERR_LIMIT)) {
        return err_fail(err, "%s", why);
    }
    TRY(telemetry_graph_complaint(graph, why, &picture));
    http_status(res, 400);
    http_body(res, telemetry_format_type(TELEMETRY_PNG), buf_view(&picture));
    return 0;
}

int api_graph_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(buf_free) struct buf out = {0};
    const struct telemetry_graph *graph = NULL;
    TRY(api_series_kept(api));
    http_hint(
        res,
        "A question begins with name,NAME,:eq; docs/rooms/telemetry.md lists the words.");
    TRY(telemetry_graph_parse(str_of(http_request_target(req)), clock_wall_us() / 1000,
                              telemetry_step_ms(api->series), http_request_arena(req),
                              &graph));
    TRY(api_heavy_begin(api));
    int err = telemetry_graph_write(api->series, graph, &out);
    api_heavy_end(api);
    if (err < 0) {
        return answer_complaint(res, graph, err);
    }
    http_header(res, "Cache-Control", "no-store");
    http_body(res, telemetry_format_type(telemetry_graph_format(graph)), buf_view(&out));
    return 0;
}

// --- tags -----------------------------------------------------------------------------------------

static int read_match(struct http_request *req, const struct telemetry_match **ret)
{
    static const struct telemetry_match all = {.op = TELEMETRY_MATCH_ALL};
    const char *q = http_request_query(req, "q");
    *ret = &all;
    return q && *q ? telemetry_match_parse(str_of(q), http_request_arena(req), ret) : 0;
}

static int answer_names(struct http_request *req, struct http_response *res,
                        const struct telemetry_names *names)
{
    const char *format = http_request_query(req, "format");
    AUTO(buf_free) struct buf out = {0};
    bool is_text = format && strcmp(format, "txt") == 0;
    struct json_out json = json_out_to(&out);
    if (!is_text) {
        json_out_array(&json);
    }
    for (size_t i = 0; i < names->count; i++) {
        if (is_text) {
            buf_line(&out, names->list[i]);
            buf_char(&out, '\n');
        } else {
            json_out_str(&json, names->list[i]);
        }
    }
    if (!is_text) {
        json_out_end(&json);
    }
    TRY(out.err);
    if (names->more) {
        const char *last =
            arena_dup(http_request_arena(req), names->list[names->count - 1]);
        FAIL_IF(!last, ERR_NOMEM, "tags");
        http_header(res, "x-nflx-atlas-next-offset", last);
    }
    http_header(res, "Cache-Control", "no-store");
    http_body(res, is_text ? "text/plain; charset=utf-8" : "application/json",
              buf_view(&out));
    return 0;
}

static int read_page(struct http_request *req, struct telemetry_page *ret)
{
    const char *text = http_request_query(req, "limit");
    int64_t limit = TAGS_MAX;
    TRY(text ? api_number(text, 1, TAGS_MAX, &limit) : 0);
    *ret = (struct telemetry_page){.after = http_request_query(req, "offset"),
                                   .limit = (size_t)limit};
    return 0;
}

int api_tags_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct telemetry_match *match;
    struct telemetry_names names;
    struct telemetry_page page;
    TRY(api_series_kept(api));
    TRY(read_match(req, &match));
    TRY(read_page(req, &page));
    TRY(telemetry_keys(api->series, match, &page, http_request_arena(req), &names));
    return answer_names(req, res, &names);
}

int api_tags_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct telemetry_match *match;
    struct telemetry_names names;
    struct telemetry_page page;
    TRY(api_series_kept(api));
    TRY(read_match(req, &match));
    TRY(read_page(req, &page));
    TRY(telemetry_values(api->series, match, http_request_param(req, "key"), &page,
                         http_request_arena(req), &names));
    return answer_names(req, res, &names);
}

// --- dashboards -----------------------------------------------------------------------------------

int api_dashboards_list(struct http_request *req, struct http_response *res, void *user)
{
    const struct api *api = user;
    json_t *list = NULL;
    (void)req;
    TRY(dashboards_list(store_dir(api->store), &list));
    return api_wrap(res, "dashboards", list);
}

int api_dashboards_get(struct http_request *req, struct http_response *res, void *user)
{
    const struct api *api = user;
    json_t *board = NULL;
    TRY(dashboard_read(store_dir(api->store), http_request_param(req, "name"), &board));
    return http_json(res, 200, board);
}
