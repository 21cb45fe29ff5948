// SPDX-License-Identifier: GPL-3.0-or-later
#include "http/internal.h"

#include <setjmp.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static int parse(const char *target, struct arena *a, struct uri *ret)
{
    return uri_parse(str_of(target), a, ret);
}

static void paths_are_decoded_once_and_cannot_climb(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *a = NULL;
    assert_int_equal(arena_new(&a), 0);
    struct uri u;
    assert_int_equal(parse("/a/b%20c/%25?x=1+2&y=%26", a, &u), 0);
    assert_int_equal(u.segment_count, 3);
    assert_string_equal(u.path, "/a/b c/%");
    assert_string_equal(uri_query(&u, a, "x"), "1 2");
    assert_string_equal(uri_query(&u, a, "y"), "&");
    assert_null(uri_query(&u, a, "z"));
    static const char *const bad[] = {
        "",       "a",         "*",      "/a/../b", "/..",       "/a/%2e%2E/b",
        "/a/%2F", "/a%5cb",    "/a%00b", "/a\x01",  "/%",        "/%4",
        "/%zz",   "/\xC0\x80", "/a/./b", "/%C3",    "/a%0d%0ab",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(bad[i], a, &u), ERR_INVALID);
    }
    char deep[80] = "";
    memset(deep, '/', sizeof deep - 1);
    assert_int_equal(parse(deep, a, &u), ERR_LIMIT);
}

static void templates_name_their_parameters(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *a = NULL;
    assert_int_equal(arena_new(&a), 0);
    struct uri u;
    struct path_params p;
    assert_int_equal(parse("/media/g.h/abc/h264-720/1.m4s", a, &u), 0);
    assert_true(path_match("/media/{grant}/{package}/{rest*}", &u, a, &p));
    assert_int_equal(p.count, 3);
    assert_string_equal(p.items[0].value, "g.h");
    assert_string_equal(p.items[2].value, "h264-720/1.m4s");
    assert_false(path_match("/media/{grant}", &u, a, &p));
    assert_false(path_match("/media/{grant}/{package}/{a}/{b}/{c}", &u, a, &p));
    assert_int_equal(parse("/stills/17.jpg", a, &u), 0);
    assert_true(path_match("/stills/{n}.jpg", &u, a, &p));
    assert_string_equal(p.items[0].value, "17");
    assert_false(path_match("/stills/{n}.png", &u, a, &p));
    assert_int_equal(parse("/stills/.jpg", a, &u), 0);
    assert_false(path_match("/stills/{n}.jpg", &u, a, &p));
    assert_int_equal(parse("/", a, &u), 0);
    assert_true(path_match("/", &u, a, &p));
    assert_false(path_match("/{id}", &u, a, &p));
}

static void ranges_follow_rfc9110(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int result;
        int64_t start, end;
    } cases[] = {
        {"bytes=0-0", 1, 0, 1},
        {"bytes=0-", 1, 0, 1000},
        {"bytes=999-", 1, 999, 1000},
        {"bytes=10-19", 1, 10, 20},
        {"BYTES=10-5000", 1, 10, 1000},
        {"bytes=-1", 1, 999, 1000},
        {"bytes=-5000", 1, 0, 1000},
        {"bytes=0-99999999999999999999999", 1, 0, 1000},
        {"bytes=1000-", ERR_LIMIT, 0, 0},
        {"bytes=99999999999999999999999-", ERR_LIMIT, 0, 0},
        {"bytes=-0", ERR_LIMIT, 0, 0},
        {"bytes=5-4", 0, 0, 0},
        {"bytes=0-1,5-6", 0, 0, 0},
        {"bytes=-", 0, 0, 0},
        {"bytes=", 0, 0, 0},
        {"bytes", 0, 0, 0},
        {"bytes=a-b", 0, 0, 0},
        {"bytes=+1-2", 0, 0, 0},
        {"frames=0-1", 0, 0, 0},
        {"", 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t start = -7, end = -7;
        assert_int_equal(field_range(str_of(cases[i].header), 1000, &start, &end),
                         cases[i].result);
        if (cases[i].result == 1) {
            assert_int_equal(start, cases[i].start);
            assert_int_equal(end, cases[i].end);
        }
    }
    int64_t start, end;
    assert_int_equal(field_range(STR("bytes=0-"), 0, &start, &end), ERR_LIMIT);
}

static void cookies_etags_and_codings_are_found_exactly(void **state)
{
    (void)state;
    struct str c = field_cookie(STR("a=1; session=x.y=z;session=2"), "session");
    assert_true(str_eq_c(c, "x.y=z"));
    assert_true(str_eq_c(field_cookie(STR("s=\"q\""), "s"), "q"));
    assert_null(field_cookie(STR("xsession=1; session"), "session").data);
    assert_null(field_cookie(STR(""), "session").data);
    assert_true(field_etag_listed(STR("\"a\", W/\"b\""), STR("b")));
    assert_true(field_etag_listed(STR("*"), STR("b")));
    assert_false(field_etag_listed(STR("\"ab\", b"), STR("b")));
    assert_true(field_accepts(STR("gzip, br;q=0.5"), "br"));
    assert_false(field_accepts(STR("gzip, br;q=0"), "br"));
    assert_false(field_accepts(STR("gzipped"), "gzip"));
    assert_true(
        field_origin_is_host(STR("https://tv.example:8080"), STR("TV.example:8080")));
    assert_false(field_origin_is_host(STR("https://tv.example.evil"), STR("tv.example")));
    assert_false(field_origin_is_host(STR("null"), STR("null")));
    assert_int_equal(field_last_event_id(STR("42")), 42);
    assert_int_equal(field_last_event_id(STR("-42")), -1);
    assert_int_equal(field_last_event_id(STR("42x")), -1);
    assert_int_equal(field_last_event_id(STR("")), -1);
}

static void tus_metadata_is_base64_of_text(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena *a = NULL;
    assert_int_equal(arena_new(&a), 0);
    const char *name = NULL;
    struct str h = STR("filename d29ybGRfZG9taW5hdGlvbi5tcDQ=,is_confidential, x /+8=");
    assert_int_equal(http_tus_metadata(h, "filename", a, &name), 0);
    assert_string_equal(name, "world_domination.mp4");
    assert_int_equal(http_tus_metadata(h, "is_confidential", a, &name), 0);
    assert_string_equal(name, "");
    assert_int_equal(http_tus_metadata(h, "x", a, &name), ERR_INVALID); // not UTF-8
    assert_int_equal(http_tus_metadata(h, "y", a, &name), ERR_NOT_FOUND);
}

static void events_have_the_stream_form(void **state)
{
    (void)state;
    AUTO(json_free) json_t *data = json_pack("{s:s}", "text", "two\nlines");
    AUTO(buf_free) struct buf out = {0};
    http_sse_format(&out, 7, NULL, data);
    http_sse_format(&out, -1, "tick", data);
    assert_string_equal(out.data, "id: 7\ndata: {\"text\":\"two\\nlines\"}\n\n"
                                  "event: tick\ndata: {\"text\":\"two\\nlines\"}\n\n");
}

static int nothing(struct http_request *req, struct http_response *res, void *user)
{
    (void)req, (void)res, (void)user;
    return 0;
}

static void openapi_names_each_route(void **state)
{
    (void)state;
    const struct http_route routes[] = {
        {HTTP_GET, "/a/{id}", HTTP_PUBLIC, nothing, 0, "Read", false, NULL},
        {HTTP_PUT, "/a/{id}", 1, nothing, 10, "Write", false, NULL},
        {HTTP_GET, "/m/{rest*}", 1, nothing, 0, "Files", false, NULL},
    };
    AUTO(json_free) json_t *doc = NULL;
    assert_int_equal(http_openapi(routes, 3, "T", "1", &doc), 0);
    json_t *paths = json_object_get(doc, "paths");
    assert_int_equal(json_object_size(paths), 2);
    json_t *a = json_object_get(paths, "/a/{id}");
    assert_non_null(json_object_get(a, "get"));
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(a, "get"), "security")), 0);
    json_t *put = json_object_get(a, "put");
    assert_int_equal(json_array_size(json_object_get(put, "security")), 2);
    assert_non_null(json_object_get(put, "requestBody"));
    assert_non_null(json_object_get(paths, "/m/{rest}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_decoded_once_and_cannot_climb),
        cmocka_unit_test(templates_name_their_parameters),
        cmocka_unit_test(ranges_follow_rfc9110),
        cmocka_unit_test(cookies_etags_and_codings_are_found_exactly),
        cmocka_unit_test(tus_metadata_is_base64_of_text),
        cmocka_unit_test(events_have_the_stream_form),
        cmocka_unit_test(openapi_names_each_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
