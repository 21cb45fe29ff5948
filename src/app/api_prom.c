// SPDX-License-Identifier: GPL-3.0-or-later
//
// The part of Prometheus' HTTP API that dashboards ask, under /prometheus: query, query_range, labels,
// label values. https://prometheus.io/docs/prometheus/latest/querying/api/ Values stand on the store's grid:
// a step finer than its own becomes its own.
#include "app/api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POINTS_MAX = 11000, // of a line, as Prometheus has it
    NAMES_MAX = 10000
};
#define STEP_MAX_MS INT64_C(1000000000000)

// What lines have: a value at one moment, or values over a range.
enum result { RESULT_VECTOR, RESULT_MATRIX };

static const struct telemetry_page all_names = {.limit = NAMES_MAX};

// Parameters come in the address or in a form's body (POST).
static int parameter(struct http_request *req, const char *name, const char **ret)
{
    const char *value = http_request_query(req, name);
    if (!value && http_request_method(req) == HTTP_POST) {
        TRY(http_request_form(req, name, &value));
    }
    *ret = value;
    return 0;
}

// Seconds since 1970 with decimals, or RFC 3339.
static int parse_time(const char *text, int64_t *ret_ms)
{
    double seconds = 0;
    int64_t us = 0;
    if (str_to_double(str_of(text), -1e11, 1e11, &seconds) == 0) {
        *ret_ms = (int64_t)llround(seconds * 1000);
        return 0;
    }
    TRY(clock_parse(str_of(text), &us));
    *ret_ms = us / 1000;
    return 0;
}

// "15", "0.5", "1m30s".
static int parse_step(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    double seconds = 0;
    int64_t sum = 0;
    if (str_to_double(str_of(text), 0, 1e9, &seconds) == 0) {
        sum = (int64_t)llround(seconds * 1000);
    } else {
        for (const char *at = text; *at;) {
            char *end = NULL;
            unsigned long n = strtoul(at, &end, 10);
            size_t letters = strspn(end, "mshdw");
            int64_t unit = 0;
            for (size_t i = 0; i < ARRAY_LEN(units); i++) {
                bool same = strlen(units[i].name) == letters &&
                            memcmp(end, units[i].name, letters) == 0;
                unit = same ? units[i].ms : unit;
            }
            FAIL_IF(end == at || unit == 0 || n > 1000000000, ERR_INVALID,
                    "'%s' is no duration", text);
            sum += (int64_t)n * unit;
            FAIL_IF(sum > STEP_MAX_MS, ERR_LIMIT, "a step of '%s' is too long", text);
            at = end + letters;
        }
    }
    FAIL_IF(sum <= 0, ERR_INVALID, "a step has to be longer than nothing");
    *ret_ms = sum;
    return 0;
}

static int range_of(struct http_request *req, int64_t store_step_ms,
                    struct telemetry_span *ret)
{
    const char *start = NULL, *end = NULL, *step = NULL;
    int64_t start_ms, end_ms, step_ms;
    TRY(parameter(req, "start", &start));
    TRY(parameter(req, "end", &end));
    TRY(parameter(req, "step", &step));
    FAIL_IF(!start || !end || !step, ERR_INVALID, "start, end and step are needed");
    TRY(parse_time(start, &start_ms));
    TRY(parse_time(end, &end_ms));
    TRY(parse_step(step, &step_ms));
    FAIL_IF(end_ms < start_ms, ERR_INVALID, "the range ends before it begins");
    step_ms = (step_ms + store_step_ms - 1) / store_step_ms * store_step_ms;
    start_ms -= start_ms % step_ms;
    FAIL_IF((end_ms - start_ms) / step_ms >= POINTS_MAX, ERR_LIMIT,
            "over %d points a line: take a longer step", POINTS_MAX);
    *ret = (struct telemetry_span){.start_ms = start_ms,
                                   .step_ms = step_ms,
                                   .count = (size_t)((end_ms - start_ms) / step_ms) + 1,
                                   .cf = TELEMETRY_CF_AVG};
    return 0;
}

static int instant_of(struct http_request *req, int64_t store_step_ms,
                      struct telemetry_span *ret)
{
    const char *time = NULL;
    int64_t at_ms = clock_wall_us() / 1000;
    TRY(parameter(req, "time", &time));
    TRY(time && *time ? parse_time(time, &at_ms) : 0);
    *ret = (struct telemetry_span){.start_ms = at_ms - at_ms % store_step_ms,
                                   .step_ms = store_step_ms,
                                   .count = 1,
                                   .cf = TELEMETRY_CF_AVG};
    return 0;
}

// --- answers --------------------------------------------------------------------------------------

static void write_labels(struct json_out *o, const struct telemetry_tags *tags)
{
    json_out_object(o);
    for (size_t i = 0; i < tags->count; i++) {
        struct str key = tags->list[i].key;
        if (!str_starts(key, "atlas.")) { // how a value is kept is nobody's label
            json_out_key_str(o, str_eq_c(key, "name") ? STR("__name__") : key);
            json_out_str(o, tags->list[i].value);
        }
    }
    json_out_end(o);
}

static void write_point(struct json_out *o, int64_t at_ms, double value)
{
    char text[40];
    if (isfinite(value)) {
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value) {
            snprintf(text, sizeof text, "%.17g", value);
        }
    } else {
        snprintf(text, sizeof text, "%s",
                 isnan(value) ? "NaN"
                 : value > 0  ? "+Inf"
                              : "-Inf");
    }
    json_out_array(o);
    json_out_double(o, (double)at_ms / 1000);
    json_out_cstr(o, text);
    json_out_end(o);
}

static void write_line(struct json_out *o, const struct telemetry_line *line,
                       const struct telemetry_span *span, enum result result)
{
    json_out_object(o);
    json_out_key(o, "metric");
    write_labels(o, &line->tags);
    json_out_key(o, result == RESULT_MATRIX ? "values" : "value");
    if (result == RESULT_MATRIX) {
        json_out_array(o);
    }
    for (size_t i = 0; i < span->count; i++) {
        if (!isnan(line->values[i])) {
            write_point(o, span->start_ms + (int64_t)i * span->step_ms, line->values[i]);
        }
    }
    if (result == RESULT_MATRIX) {
        json_out_end(o);
    }
    json_out_end(o);
}

static bool has_value(const struct telemetry_line *line, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isnan(line->values[i])) {
            return true;
        }
    }
    return false;
}

static struct json_out begin_success(struct buf *out)
{
    struct json_out o = json_out_to(out);
    json_out_object(&o);
    json_out_key(&o, "status");
    json_out_cstr(&o, "success");
    json_out_key(&o, "data");
    return o;
}

static int send(struct http_response *res, struct json_out *o)
{
    json_out_end(o);
    TRY(o->out->err);
    http_header(res, "Cache-Control", "no-store");
    http_body(res, "application/json", buf_view(o->out));
    return 0;
}

// A caller's mistake in the form that Prometheus' clients read: {"status":"error","errorType","error"}.
static int answer_error(struct http_response *res, int err)
{
    AUTO(json_free) json_t *body = NULL;
    if (err != ERR_INVALID && err != ERR_LIMIT) {
        return err;
    }
    TRY(json_made(json_pack("{s:s, s:s, s:s}", "status", "error", "errorType",
                            err == ERR_INVALID ? "bad_data" : "execution", "error",
                            err_reason()),
                  &body));
    return http_json(res, err == ERR_INVALID ? 400 : 422, TAKE(body));
}

static int evaluate(struct api *api, struct http_request *req,
                    const struct telemetry_span *span, struct telemetry_answer *ret)
{
    struct arena *arena = http_request_arena(req);
    const struct telemetry_expr *expr = NULL;
    const char *question = NULL;
    TRY(parameter(req, "query", &question));
    FAIL_IF(!question, ERR_INVALID, "a query is needed");
    TRY(telemetry_promql_parse(str_of(question), arena, &expr));
    TRY(api_heavy_begin(api));
    int err = telemetry_evaluate(api->series, expr, span, arena, ret);
    api_heavy_end(api);
    return err;
}

static int answer_lines(struct http_response *res, const struct telemetry_answer *a,
                        enum result result)
{
    AUTO(buf_free) struct buf out = {0};
    struct json_out o = begin_success(&out);
    json_out_object(&o);
    json_out_key(&o, "resultType");
    json_out_cstr(&o, result == RESULT_MATRIX ? "matrix" : "vector");
    json_out_key(&o, "result");
    json_out_array(&o);
    for (size_t i = 0; i < a->count; i++) {
        if (has_value(&a->lines[i], a->span.count)) {
            write_line(&o, &a->lines[i], &a->span, result);
        }
    }
    json_out_end(&o);
    json_out_end(&o);
    return send(res, &o);
}

static int query(struct api *api, struct http_request *req, struct http_response *res,
                 enum result result)
{
    struct telemetry_span span;
    struct telemetry_answer answer;
    TRY(api_series_kept(api));
    int64_t step_ms = telemetry_step_ms(api->series);
    int err = result == RESULT_MATRIX ? range_of(req, step_ms, &span)
                                      : instant_of(req, step_ms, &span);
    err = err == 0 ? evaluate(api, req, &span, &answer) : err;
    return err < 0 ? answer_error(res, err) : answer_lines(res, &answer, result);
}

int api_prom_query(struct http_request *req, struct http_response *res, void *user)
{
    return query(user, req, res, RESULT_VECTOR);
}

int api_prom_range(struct http_request *req, struct http_response *res, void *user)
{
    return query(user, req, res, RESULT_MATRIX);
}

// --- labels ---------------------------------------------------------------------------------------

static int read_match(struct http_request *req, const struct telemetry_match **ret)
{
    static const struct telemetry_match all = {.op = TELEMETRY_MATCH_ALL};
    const char *text = NULL;
    TRY(parameter(req, "match[]", &text));
    *ret = &all;
    return text && *text
               ? telemetry_promql_match(str_of(text), http_request_arena(req), ret)
               : 0;
}

static int answer_names(struct http_response *res, const struct telemetry_names *names)
{
    AUTO(buf_free) struct buf out = {0};
    struct json_out o = begin_success(&out);
    json_out_array(&o);
    for (size_t i = 0; i < names->count; i++) {
        if (!str_starts(names->list[i], "atlas.")) {
            json_out_str(&o, str_eq_c(names->list[i], "name") ? STR("__name__")
                                                              : names->list[i]);
        }
    }
    json_out_end(&o);
    return send(res, &o);
}

int api_prom_labels(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct telemetry_match *match;
    struct telemetry_names names;
    TRY(api_series_kept(api));
    int err = read_match(req, &match);
    if (err < 0) {
        return answer_error(res, err);
    }
    TRY(telemetry_keys(api->series, match, &all_names, http_request_arena(req), &names));
    return answer_names(res, &names);
}

int api_prom_values(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct telemetry_match *match;
    struct telemetry_names names;
    const char *label = http_request_param(req, "label");
    TRY(api_series_kept(api));
    int err = read_match(req, &match);
    if (err < 0) {
        return answer_error(res, err);
    }
    TRY(telemetry_values(api->series, match,
                         strcmp(label, "__name__") == 0 ? "name" : label, &all_names,
                         http_request_arena(req), &names));
    return answer_names(res, &names);
}

// What Grafana asks first, to know whom it talks to.
int api_prom_build(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(json_free) json_t *body = NULL;
    (void)req;
    (void)user;
    TRY(json_made(json_pack("{s:s, s:{s:s, s:s}}", "status", "success", "data", "version",
                            "2.42.0", "application", "marquee " MARQUEE_VERSION),
                  &body));
    return http_json(res, 200, TAKE(body));
}

// --- what Grafana asks beside -----------------------------------------------------------------------

#define SERIES_SLOTS 1000

struct found {
    struct json_out out;
    size_t count;
};

static int add_found(void *user, const struct telemetry_view *view)
{
    struct found *f = user;
    FAIL_IF(++f->count > NAMES_MAX, ERR_LIMIT, "over %d series: ask for fewer",
            NAMES_MAX);
    write_labels(&f->out, &view->tags);
    return f->out.out->err;
}

// From start to end; usual: the last hour.
static int series_span(struct http_request *req, int64_t store_step_ms,
                       struct telemetry_span *ret)
{
    const char *start = NULL, *end = NULL;
    int64_t end_ms = clock_wall_us() / 1000, start_ms;
    TRY(parameter(req, "start", &start));
    TRY(parameter(req, "end", &end));
    TRY(end && *end ? parse_time(end, &end_ms) : 0);
    start_ms = end_ms - 3600000;
    TRY(start && *start ? parse_time(start, &start_ms) : 0);
    FAIL_IF(end_ms < start_ms, ERR_INVALID, "the range ends before it begins");
    int64_t step = (end_ms - start_ms) / SERIES_SLOTS;
    step = step / store_step_ms * store_step_ms + store_step_ms;
    int64_t first = start_ms - start_ms % step;
    *ret = (struct telemetry_span){.start_ms = first,
                                   .step_ms = step,
                                   .count = (size_t)((end_ms - first) / step) + 2,
                                   .cf = TELEMETRY_CF_MAX};
    return 0;
}

static int find_series(struct api *api, struct http_request *req, struct found *f)
{
    const struct telemetry_match *match;
    const char *text = NULL;
    struct telemetry_span span;
    TRY(parameter(req, "match[]", &text));
    FAIL_IF(!text || !*text, ERR_INVALID, "a match[] is needed");
    TRY(read_match(req, &match));
    TRY(series_span(req, telemetry_step_ms(api->series), &span));
    TRY(api_heavy_begin(api));
    json_out_array(&f->out);
    int err = telemetry_scan(api->series, match, &span, add_found, f);
    json_out_end(&f->out);
    api_heavy_end(api);
    return err;
}

int api_prom_series(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(buf_free) struct buf out = {0};
    struct found found = {.out = begin_success(&out)};
    TRY(api_series_kept(api));
    int err = find_series(api, req, &found);
    return err < 0 ? answer_error(res, err) : send(res, &found.out);
}

// Senders' types and help are not kept: every name is of an unknown type.
int api_prom_metadata(struct http_request *req, struct http_response *res, void *user)
{
    static const struct telemetry_match all = {.op = TELEMETRY_MATCH_ALL};
    struct api *api = user;
    AUTO(buf_free) struct buf out = {0};
    struct telemetry_names names;
    const char *metric = http_request_query(req, "metric");
    TRY(api_series_kept(api));
    TRY(telemetry_values(api->series, &all, "name", &all_names, http_request_arena(req),
                         &names));
    struct json_out o = begin_success(&out);
    json_out_object(&o);
    for (size_t i = 0; i < names.count; i++) {
        if (metric && *metric && !str_eq_c(names.list[i], metric)) {
            continue;
        }
        json_out_key_str(&o, names.list[i]);
        json_out_array(&o);
        json_out_object(&o);
        static const char *const fields[][2] = {
            {"type", "unknown"}, {"help", ""}, {"unit", ""}};
        for (size_t k = 0; k < ARRAY_LEN(fields); k++) {
            json_out_key(&o, fields[k][0]);
            json_out_cstr(&o, fields[k][1]);
        }
        json_out_end(&o);
        json_out_end(&o);
    }
    json_out_end(&o);
    return send(res, &o);
}

// Exemplars are not kept: of any question there are none.
int api_prom_exemplars(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(buf_free) struct buf out = {0};
    const struct telemetry_expr *expr = NULL;
    const char *question = NULL;
    TRY(api_series_kept(api));
    int err = parameter(req, "query", &question);
    if (err == 0 && question) {
        err = telemetry_promql_parse(str_of(question), http_request_arena(req), &expr);
    }
    if (err < 0) {
        return answer_error(res, err);
    }
    struct json_out o = begin_success(&out);
    json_out_array(&o);
    json_out_end(&o);
    return send(res, &o);
}

// Recording rules there are none, and alert rules are asked for elsewhere: /api/v1/alerts.
int api_prom_rules(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(json_free) json_t *body = NULL;
    (void)req;
    (void)user;
    TRY(json_made(json_pack("{s:s, s:{s:[]}}", "status", "success", "data", "groups"),
                  &body));
    return http_json(res, 200, TAKE(body));
}
