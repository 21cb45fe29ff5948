// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series that others send over HTTP: who may, what is answered, and that it is in the store afterwards.
#include "app/api_world.h"
#include "app/telemetry_token.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define PUBLISH    "/atlas/api/v1/publish"
#define WRITE      "/prometheus/api/v1/write"
#define EXPOSITION "/api/v1/series/exposition"

static void add_token(struct place *p, const char *name, char ret[TELEMETRY_TOKEN_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(telemetry_token_add(tx, name, ret), 0);
    assert_int_equal(telemetry_token_add(tx, name, ret), ERR_EXISTS);
    assert_int_equal(store_commit(&tx), 0);
}

static void remove_token(struct place *p, const char *name)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(telemetry_token_remove(tx, name), 0);
    assert_int_equal(telemetry_token_remove(tx, name), ERR_NOT_FOUND);
    assert_int_equal(store_commit(&tx), 0);
}

struct found {
    size_t series;
    double last;
};

static int note_last(void *user, const struct telemetry_view *view)
{
    struct found *found = user;
    found->series++;
    found->last = view->values[0];
    return 0;
}

// The value of a name in the step that was over `steps_ago`; all that came is settled.
static struct found look(struct place *p, const char *name, int64_t at_ms)
{
    struct telemetry *store = series_service_store(p->series);
    int64_t step = telemetry_step_ms(store), end = (at_ms + step - 1) / step * step;
    const struct str value = str_of(name);
    const struct telemetry_match match = {
        .op = TELEMETRY_MATCH_IN, .key = STR("name"), .values = &value, .value_count = 1};
    const struct telemetry_span span = {.start_ms = end, .step_ms = step, .count = 1};
    struct found found = {0};
    assert_int_equal(telemetry_settle(store, end), 0);
    assert_int_equal(telemetry_scan(store, &match, &span, note_last, &found), 0);
    return found;
}

static void ask_publish(struct place *p, const char *token, const char *metrics,
                        int64_t at, struct answer *ret)
{
    AUTO(buf_free) struct buf body = {0};
    struct str rest = str_of(metrics), part;
    buf_cstr(&body, "{\"tags\":{\"nf.app\":\"test\"},\"metrics\":[");
    while (str_next(&rest, '@', &part)) { // stands for the time
        buf_str(&body, part);
        if (rest.data) {
            buf_printf(&body, "%lld", (long long)at);
        }
    }
    buf_cstr(&body, "]}");
    ASK(p, ret, .method = "POST", .path = PUBLISH, .json = body.data, .token = token);
}

static void publish_answers_as_atlas_does(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
    char token[TELEMETRY_TOKEN_BYTES];
    add_token(p, "atlas", token);
    int64_t now = clock_wall_us() / 1000;
    ask_publish(p, token, "{\"tags\":{\"name\":\"one\"},\"timestamp\":@,\"value\":4.5}",
                now, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 0);
    struct found one = look(p, "one", now);
    assert_int_equal(one.series, 1);
    assert_true(one.last == 4.5);

    ask_publish(p, token,
                "{\"tags\":{\"name\":\"two\"},\"timestamp\":@,\"value\":1},"
                "{\"tags\":{},\"timestamp\":@,\"value\":1}",
                now, &a);
    assert_int_equal(a.status, 202);
    assert_string_equal(json_str_or(a.json, "type", ""), "partial");
    assert_int_equal(json_i64_or(a.json, "errorCount", 0), 1);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(a.json, "message"), 0)),
        "missing key 'name'");

    ask_publish(p, token, "{\"tags\":{},\"timestamp\":@,\"value\":1}", now, &a);
    assert_int_equal(a.status, 400);
    assert_string_equal(json_str_or(a.json, "type", ""), "error");
    assert_int_equal(json_i64_or(a.json, "errorCount", 0), 1);
    ask_publish(p, token, "", now, &a);
    assert_int_equal(a.status, 400);
    const char *const wrong[] = {"", "{", "[]", "{\"metrics\":5}", "{\"metrics\":[1]}"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        ASK(p, &a, .method = "POST", .path = PUBLISH, .bytes = wrong[i], .token = token);
        assert_int_equal(a.status, 400);
        assert_string_equal(json_str_or(a.json, "type", ""), "error");
    }
    ASK(p, &a, .method = "POST", .path = PUBLISH, .bytes = "x", .token = token,
        .headers = "Content-Encoding: br");
    assert_int_equal(a.status, 415);
    ASK(p, &a, .method = "POST", .path = PUBLISH, .bytes = "x", .token = token,
        .headers = "Content-Encoding: gzip");
    assert_int_equal(a.status, 400);
    assert_string_equal(json_str_or(a.json, "type", ""), "error");
}

static void exposition_and_write_answer_204_or_400(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
    const char *operator= token_of(p, ACCOUNT_OPERATOR);
    int64_t now = clock_wall_us() / 1000;
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .token = operator,
        .bytes = "# TYPE x counter\nexposed{path=\"/a\"} 7\nbroken\n");
    assert_int_equal(a.status, 204);
    struct found found = look(p, "exposed", now);
    assert_true(found.series == 1 && found.last == 7);
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .token = operator,
        .bytes = "broken\n");
    assert_int_equal(a.status, 400);
    ASK(p, &a, .method = "POST", .path = WRITE, .token = operator, .bytes = "no block",
        .headers = "Content-Encoding: snappy");
    assert_int_equal(a.status, 400);
    ASK(p, &a, .method = "POST", .path = WRITE, .token = operator, .bytes = "no block",
        .headers =
            "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request");
    assert_int_equal(a.status, 415);
    ASK(p, &a, .method = "GET", .path = "/api/v1/series/counts", .token = operator);
    assert_int_equal(a.status, 200);
    const json_t *intake = json_object_get(a.json, "intake");
    assert_true(json_i64_or(intake, "samples", 0) >= 1);
    assert_int_equal(json_i64_or(intake, "malformed", 0), 3);
}

static void tokens_send_series_and_nothing_else(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
    AUTO(buf_free) struct buf basic = {0};
    char token[TELEMETRY_TOKEN_BYTES], header[200];
    add_token(p, "prometheus", token);
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .token = token, .bytes = "fine 1\n");
    assert_int_equal(a.status, 204);
    // As a password: "any:" and the token, whose alphabet is that of base64url.
    snprintf(header, sizeof header, "any:%s", token);
    base64url_encode(&basic, header, strlen(header));
    for (char *c = basic.data; *c; c++) {
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    }
    snprintf(header, sizeof header, "Authorization: Basic %s", basic.data);
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .headers = header,
        .bytes = "fine 1\n");
    assert_int_equal(a.status, 204);
    const char *const others[] = {"/api/v1/events", "/api/v1/series/counts",
                                  "/api/v1/home", "/api/v1/jobs"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ASK(p, &a, .method = "GET", .path = others[i], .token = token);
        assert_int_equal(a.status, 403);
    }
    remove_token(p, "prometheus");
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .token = token, .bytes = "fine 1\n");
    assert_int_equal(a.status, 401);
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .headers = header,
        .bytes = "fine 1\n");
    assert_int_equal(a.status, 401);
    const char *const strange[] = {
        "Authorization: Basic", "Authorization: Basic !!!",
        "Authorization: Basic Og==", "Authorization: Digest x"};
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        ASK(p, &a, .method = "POST", .path = EXPOSITION, .headers = strange[i],
            .bytes = "fine 1\n");
        assert_int_equal(a.status, 401);
    }
}

// Nothing of it is kept, and the answer says why.
static void a_stranger_s_body_is_refused(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
    AUTO(buf_free) struct buf body = {0};
    for (int i = 0; i < 20000; i++) {
        buf_cstr(&body, "metric 1\n");
    }
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .bytes = body.data);
    assert_int_equal(a.status, 401);
    ASK(p, &a, .method = "POST", .path = EXPOSITION, .bytes = body.data,
        .token = token_of(p, ACCOUNT_OPERATOR));
    assert_int_equal(a.status, 204);
}

#define test_of(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(publish_answers_as_atlas_does),
        test_of(exposition_and_write_answer_204_or_400),
        test_of(tokens_send_series_and_nothing_else),
        test_of(a_stranger_s_body_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
