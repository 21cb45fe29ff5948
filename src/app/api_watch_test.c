// SPDX-License-Identifier: GPL-3.0-or-later
//
// As api_test.c: what viewers see and play.
#include "app/api_world.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

static void the_pages_of_viewers_are_filled(void **state)
{
    struct place *p = *state;
    const char *viewer = token_of(p, ACCOUNT_VIEWER);
    AUTO(world_answer_clear) struct answer a = {0};
    char path[200];
    ASK(p, &a, .method = "GET", .path = "/api/v1/home", .token = viewer);
    assert_int_equal(a.status, 200);
    assert_string_equal(json_str_or(json_object_get(a.json, "billboard"), "id", ""),
                        p->film);
    json_t *row = json_array_get(json_object_get(a.json, "rows"), 0);
    assert_string_equal(json_str_or(row, "id", ""), "recent");
    snprintf(path, sizeof path, "/api/v1/list/%s", p->film);
    ASK(p, &a, .method = "PUT", .path = path, .token = viewer);
    assert_int_equal(a.status, 204);
    snprintf(path, sizeof path, "/api/v1/titles/%s/rating", p->film);
    ASK(p, &a, .method = "PUT", .path = path, .token = viewer, .json = "{\"value\":1}");
    assert_int_equal(a.status, 204);
    snprintf(path, sizeof path, "/api/v1/titles/%s", p->film);
    ASK(p, &a, .method = "GET", .path = path, .token = viewer);
    assert_string_equal(json_str_or(a.json, "credit", ""), "by somebody");
    assert_true(json_is_true(json_object_get(a.json, "in_list")));
    assert_int_equal(json_i64_or(a.json, "rating", 0), 1);
    ASK(p, &a, .method = "GET", .path = "/api/v1/search?q=fil", .token = viewer);
    assert_int_equal(json_array_size(json_object_get(a.json, "titles")), 1);
    ASK(p, &a, .method = "GET", .path = "/api/v1/list", .token = viewer);
    assert_int_equal(json_array_size(json_object_get(a.json, "titles")), 1);
    // An operator takes it away and brings it back.
    const char *operator_token = token_of(p, ACCOUNT_OPERATOR);
    ASK(p, &a, .method = "DELETE", .path = path, .token = operator_token);
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "GET", .path = path, .token = viewer);
    assert_int_equal(a.status, 404);
    snprintf(path, sizeof path, "/api/v1/titles/%s/restore", p->film);
    ASK(p, &a, .method = "POST", .path = path, .token = operator_token);
    assert_int_equal(a.status, 204);
}

static void add_film(struct store_tx *tx, const char *name, const char *tag,
                     int64_t duration_us, int poster_width)
{
    char id[UUID_BYTES];
    AUTO(json_free)
    json_t *m = json_pack("{s:s, s:s, s:[s]}", "name", name, "slug", name, "tags", tag);
    assert_int_equal(catalog_upsert(tx, m, "system", id), 0);
    const struct catalog_publication publication = {.package = PACKAGE,
                                                    .duration_us = duration_us,
                                                    .max_height = 360,
                                                    .poster_width = poster_width,
                                                    .poster_height = 360};
    assert_int_equal(catalog_publish(tx, id, &publication), 0);
}

static json_t *row_of(const json_t *home, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(home, "rows"), i, row)
    {
        if (strcmp(json_str_or(row, "id", ""), id) == 0) {
            return json_object_get(row, "items");
        }
    }
    return NULL;
}

// The billboard is worth a screen, and no row repeats what stands above it.
static void home_is_worth_coming_home_to(void **state)
{
    struct place *p = *state;
    const char *viewer = token_of(p, ACCOUNT_VIEWER);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(world_answer_clear) struct answer a = {0}, b = {0};
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    add_film(tx, "trailer", "Short", 52000000, 1280);
    add_film(tx, "small", "Short", 600000000, 480); // longer, but its picture is small
    add_film(tx, "feature", "Short", 180000000, 854);
    add_film(tx, "instant", "Short", 1000000, 1920); // the newest
    assert_int_equal(store_commit(&tx), 0);
    ASK(p, &a, .method = "GET", .path = "/api/v1/home", .token = viewer);
    assert_string_equal(json_str_or(json_object_get(a.json, "billboard"), "name", ""),
                        "feature");
    assert_int_equal(json_array_size(row_of(a.json, "recent")), 5);
    assert_null(row_of(a.json, "films"));
    assert_null(row_of(a.json, "tag:Short"));
    // With more than a row of the newest, the rest has rows of its own.
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    for (int i = 0; i < 12; i++) {
        char name[8];
        snprintf(name, sizeof name, "new%02d", i);
        add_film(tx, name, "New", 1000000, 1920);
    }
    assert_int_equal(store_commit(&tx), 0);
    ASK(p, &b, .method = "GET", .path = "/api/v1/home", .token = viewer);
    assert_int_equal(json_array_size(row_of(b.json, "recent")), 8);
    assert_int_equal(json_array_size(row_of(b.json, "tag:New")), 12);
    assert_int_equal(json_array_size(row_of(b.json, "tag:Short")), 5);
    assert_null(row_of(b.json, "films")); // all of them stand above
    assert_string_equal(json_str_or(json_object_get(b.json, "billboard"), "name", ""),
                        "feature");
    // A profile with a limit sees nothing of it: no age was said of any.
    AUTO(json_free)
    json_t *kid = NULL, *fields = json_pack("{s:s, s:i}", "name", "Kid", "maturity", 12);
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    const struct person *who = &p->people[ACCOUNT_ROLE_INDEX_ADMIN];
    assert_int_equal(account_profile_add(tx, who->id, fields, &kid), 0);
    assert_int_equal(
        account_profile_choose(tx, who->token, who->id, json_str_or(kid, "id", "")), 0);
    assert_int_equal(store_commit(&tx), 0);
    ASK(p, &a, .method = "GET", .path = "/api/v1/home", .token = who->token);
    assert_true(json_is_null(json_object_get(a.json, "billboard")));
    assert_int_equal(json_array_size(json_object_get(a.json, "rows")), 0);
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx, "UPDATE catalog_title SET package = NULL WHERE slug IS NOT NULL",
                   ""),
        0);
    assert_int_equal(store_commit(&tx), 0);
}

static void start_play(struct place *p, const char *token, const char *video,
                       struct answer *a)
{
    AUTO(json_free)
    json_t *question =
        json_pack("{s:s, s:{s:[s,s], s:b, s:i}}", "title_id", p->film, "device", "codecs",
                  video, "aac", "hdr", 0, "max_height", 2160);
    AUTO(buf_free) struct buf body = {0};
    json_write_canonical(&body, question);
    ASK(p, a, .method = "POST", .path = "/api/v1/plays", .token = token,
        .json = body.data);
}

static void grants_open_what_they_name(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer play = {0}, a = {0};
    // The viewer's plan ends at 720: of 360 and 1080, 360 is left.
    start_play(p, token_of(p, ACCOUNT_VIEWER), "h264", &play);
    assert_int_equal(play.status, 201);
    char base[800], path[1200];
    assert_int_equal(
        str_copy(base, sizeof base, str_of(json_str_or(play.json, "hls", ""))), 0);
    ASK(p, &a, .method = "GET", .path = base);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body.data, "h264-360/index.m3u8"));
    assert_null(strstr(a.body.data, "1080"));
    ASK(p, &a, .method = "GET", .path = json_str_or(play.json, "dash", ""));
    assert_int_equal(a.status, 200);
    assert_null(strstr(a.body.data, "1080"));
    *strrchr(base, '/') = '\0';
    static const struct {
        const char *rest;
        long status;
    } cases[] = {
        {"h264-360/00001.m4s", 200},
        {"aac-128/00001.m4s", 200},
        {"poster.jpg", 200},
        {"thumbs/thumbs.vtt", 200},
        {"h264-1080/00001.m4s", 403},
        {"av1-1080/00001.m4s", 403},
        {"package.json", 404},
        {"h264-360/00002.m4s", 404}, // a link out of the folder
        {"h264-360/00003.m4s", 404},
        {"h264-360", 404},
        {"h264-360/", 404},
        {"h264-360/../h264-1080/00001.m4s", 400},
        {"h264-360/%2e%2e/h264-1080/00001.m4s", 400},
        {"h264-360/..%2fh264-1080%2f00001.m4s", 400},
        {"thumbs/../../../secret", 400},
        {"captions//../../secret", 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(path, sizeof path, "%s/%s", base, cases[i].rest);
        ASK(p, &a, .method = "GET", .path = path);
        assert_int_equal(a.status, cases[i].status);
        assert_null(strstr(a.body.data, "rows and keys"));
    }
    snprintf(path, sizeof path, "%s/h264-360/00001.m4s", base);
    ASK(p, &a, .method = "GET", .path = path, .headers = "Range: bytes=4-");
    assert_int_equal(a.status, 206);
    assert_string_equal(a.body.data, "picture");
    assert_non_null(strstr(a.head.data, "immutable"));
    // Another plan, another device.
    start_play(p, token_of(p, ACCOUNT_OPERATOR), "av1", &play);
    ASK(p, &a, .method = "GET", .path = json_str_or(play.json, "hls", ""));
    assert_non_null(strstr(a.body.data, "av1-1080"));
    assert_null(strstr(a.body.data, "h264"));
    start_play(p, token_of(p, ACCOUNT_OPERATOR), "vp9", &play);
    ASK(p, &a, .method = "GET", .path = json_str_or(play.json, "hls", ""));
    assert_int_equal(a.status, 404);
}

static void grants_cannot_be_forged_or_outlived(void **state)
{
    struct place *p = *state;
    struct media_grant grant = {.package = PACKAGE, .until_s = 1000, .max_height = 720};
    struct media_grant read;
    AUTO(buf_free) struct buf text = {0};
    assert_int_equal(media_grant_sign(p->api.gate, &grant, &text), 0);
    assert_int_equal(media_grant_check(p->api.gate, buf_view(&text), 999, &read), 0);
    assert_int_equal(read.max_height, 720);
    assert_int_equal(media_grant_check(p->api.gate, buf_view(&text), 1000, &read),
                     ERR_DENIED);
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];
        text.data[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(media_grant_check(p->api.gate, buf_view(&text), 999, &read),
                         ERR_DENIED);
        text.data[i] = was;
    }
    for (size_t n = 0; n < text.len; n++) {
        assert_int_equal(
            media_grant_check(p->api.gate, (struct str){text.data, n}, 999, &read),
            ERR_DENIED);
    }
}

static void write_rows(struct place *p, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx, sql, ""), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static void plays_keep_places_and_streams(void **state)
{
    struct place *p = *state;
    const char *viewer = token_of(p, ACCOUNT_VIEWER);
    AUTO(world_answer_clear) struct answer one = {0}, a = {0};
    char path[200];
    write_rows(
        p, "UPDATE viewing_play SET ended_us = 1"); // the tests before this one played
    start_play(p, viewer, "h264", &one);
    assert_int_equal(one.status, 201);
    start_play(p, viewer, "h264", &a); // the basic plan has one
    assert_int_equal(a.status, 409);
    assert_string_equal(json_str_or(json_object_get(a.json, "error"), "code", ""),
                        "STREAMS_USED");
    snprintf(path, sizeof path, "/api/v1/plays/%s", json_str_or(one.json, "id", ""));
    ASK(p, &a, .method = "PUT", .path = path, .token = viewer,
        .json = "{\"position_us\":2000000,\"state\":\"playing\",\"qoe\":{\"stalls\":0}}");
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "PUT", .path = path, .token = token_of(p, ACCOUNT_ADMIN),
        .json = "{\"position_us\":1,\"state\":\"playing\"}");
    assert_int_equal(a.status, 404); // somebody else's
    char problem[220];
    snprintf(problem, sizeof problem, "%s/problem", path);
    ASK(p, &a, .method = "POST", .path = problem, .token = viewer,
        .json = "{\"position_us\":1500000,\"text\":\"green frames\"}");
    assert_int_equal(a.status, 201);
    ASK(p, &a, .method = "GET", .path = "/api/v1/findings?kind=viewer_report",
        .token = token_of(p, ACCOUNT_OPERATOR));
    json_t *finding = json_array_get(json_object_get(a.json, "findings"), 0);
    assert_int_equal(json_i64_or(finding, "start_pts", 0), 1500000);
    assert_string_equal(json_str_or(json_object_get(finding, "evidence"), "text", ""),
                        "green frames");
    AUTO(cstr_free) char *about = NULL;
    assert_int_equal(cstr_dup(&about, json_str_or(finding, "subject_name", "")), 0);
    ASK(p, &a, .method = "GET", .path = "/api/v1/titles", .token = viewer);
    assert_string_equal(
        about,
        json_str_or(json_array_get(json_object_get(a.json, "titles"), 0), "name", "?"));
    ASK(p, &a, .method = "DELETE", .path = path, .token = viewer);
    assert_int_equal(a.status, 204);
    start_play(p, viewer, "h264", &a);
    assert_int_equal(a.status, 201);
    assert_int_equal(json_i64_or(a.json, "position_us", 0), 2000000);
}

static void segment_of(const struct answer *play, char ret[1200])
{
    AUTO(cstr_free) char *base = NULL;
    assert_int_equal(cstr_printf(&base, "%s", json_str_or(play->json, "hls", "")), 0);
    *strrchr(base, '/') = '\0';
    assert_true(snprintf(ret, 1200, "%s/h264-360/00001.m4s", base) < 1200);
}

// A player that tells nothing holds its stream by what it asks for.
static void segments_hold_a_stream(void **state)
{
    struct place *p = *state;
    const char *viewer = token_of(p, ACCOUNT_VIEWER);
    AUTO(world_answer_clear) struct answer one = {0}, other = {0}, a = {0};
    char segment[1200], second[1200], path[200];
    write_rows(p, "UPDATE viewing_play SET ended_us = 1");
    start_play(p, viewer, "h264", &one);
    segment_of(&one, segment);
    // Silent for longer than a stream is held; nobody else plays, and a request takes it again.
    write_rows(p, "UPDATE viewing_play SET beat_us = 1 WHERE ended_us IS NULL");
    ASK(p, &a, .method = "GET", .path = segment);
    assert_int_equal(a.status, 200);
    start_play(p, viewer, "h264", &other);
    assert_int_equal(other.status, 409);
    // Silent again, and now another plays.
    write_rows(p, "UPDATE viewing_play SET beat_us = 1 WHERE ended_us IS NULL");
    start_play(p, viewer, "h264", &other);
    assert_int_equal(other.status, 201);
    ASK(p, &a, .method = "GET", .path = segment);
    assert_int_equal(a.status, 403);
    segment_of(&other, second);
    ASK(p, &a, .method = "GET", .path = second);
    assert_int_equal(a.status, 200);
    snprintf(path, sizeof path, "/api/v1/plays/%s", json_str_or(other.json, "id", ""));
    ASK(p, &a, .method = "DELETE", .path = path, .token = viewer);
    ASK(p, &a, .method = "GET", .path = second);
    assert_int_equal(a.status, 403);
    ASK(p, &a, .method = "GET", .path = segment);
    assert_int_equal(a.status, 200);
}

static void add_episode(struct store_tx *tx, int number, char ret_id[UUID_BYTES])
{
    AUTO(json_free)
    json_t *m = json_pack("{s:s, s:s, s:s, s:i, s:i}", "name", "Part", "kind", "episode",
                          "series", "serial", "season", 1, "episode", number);
    assert_int_equal(catalog_upsert(tx, m, "system", ret_id), 0);
    const struct catalog_publication publication = {
        .package = PACKAGE, .duration_us = 4000000, .max_height = 1080};
    assert_int_equal(catalog_publish(tx, ret_id, &publication), 0);
}

// Plays `title_id` as the operator and says which title that became.
static void play_title(struct place *p, const char *title_id, struct answer *ret)
{
    AUTO(json_free)
    json_t *question =
        json_pack("{s:s, s:{s:[s]}}", "title_id", title_id, "device", "codecs", "h264");
    AUTO(buf_free) struct buf body = {0};
    json_write_canonical(&body, question);
    ASK(p, ret, .method = "POST", .path = "/api/v1/plays",
        .token = token_of(p, ACCOUNT_OPERATOR), .json = body.data);
}

static void a_series_plays_where_one_is(void **state)
{
    struct place *p = *state;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    char series[UUID_BYTES], one[UUID_BYTES], two[UUID_BYTES], path[200];
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    AUTO(json_free)
    json_t *m = json_pack("{s:s, s:s, s:s, s:i}", "name", "Serial", "kind", "series",
                          "slug", "serial", "maturity", 12);
    assert_int_equal(catalog_upsert(tx, m, "system", series), 0);
    add_episode(tx, 1, one);
    add_episode(tx, 2, two);
    assert_int_equal(store_exec(tx, "UPDATE viewing_play SET ended_us = 1", ""), 0);
    assert_int_equal(store_commit(&tx), 0);
    AUTO(world_answer_clear) struct answer play = {0}, a = {0};
    play_title(p, series, &play);
    assert_int_equal(play.status, 201);
    assert_string_equal(json_str_or(json_object_get(play.json, "title"), "id", ""), one);
    assert_string_equal(json_str_or(json_object_get(play.json, "next"), "id", ""), two);
    snprintf(path, sizeof path, "/api/v1/plays/%s", json_str_or(play.json, "id", ""));
    ASK(p, &a, .method = "PUT", .path = path, .token = token_of(p, ACCOUNT_OPERATOR),
        .json = "{\"position_us\":4000000,\"state\":\"ended\"}");
    assert_int_equal(a.status, 204);
    play_title(p, series, &play);
    assert_string_equal(json_str_or(json_object_get(play.json, "title"), "id", ""), two);
    assert_true(json_is_null(json_object_get(play.json, "next")));
    // A child's profile neither sees nor plays it.
    AUTO(json_free)
    json_t *kid = NULL, *fields = json_pack("{s:s, s:i}", "name", "Kid", "maturity", 6);
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    const struct person *who = &p->people[ACCOUNT_ROLE_INDEX_OPERATOR];
    assert_int_equal(account_profile_add(tx, who->id, fields, &kid), 0);
    assert_int_equal(
        account_profile_choose(tx, who->token, who->id, json_str_or(kid, "id", "")), 0);
    assert_int_equal(store_commit(&tx), 0);
    play_title(p, series, &play);
    assert_int_equal(play.status, 404);
}

static void art_is_for_members(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
    ASK(p, &a, .method = "GET", .path = "/art/" PACKAGE "/poster.jpg",
        .token = token_of(p, ACCOUNT_PARTNER));
    assert_int_equal(a.status, 200);
    ASK(p, &a, .method = "GET", .path = "/art/" PACKAGE "/h264-360/00001.m4s",
        .token = token_of(p, ACCOUNT_ADMIN));
    assert_int_equal(a.status, 404);
    ASK(p, &a, .method = "GET", .path = "/art/secret/poster.jpg",
        .token = token_of(p, ACCOUNT_ADMIN));
    assert_int_equal(a.status, 404);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pages_of_viewers_are_filled),
        cmocka_unit_test(home_is_worth_coming_home_to),
        cmocka_unit_test(grants_open_what_they_name),
        cmocka_unit_test(grants_cannot_be_forged_or_outlived),
        cmocka_unit_test(plays_keep_places_and_streams),
        cmocka_unit_test(segments_hold_a_stream),
        cmocka_unit_test(a_series_plays_where_one_is),
        cmocka_unit_test(art_is_for_members),
    };
    int failed = cmocka_run_group_tests(tests, world_setup, world_teardown);
    curl_global_cleanup();
    return failed;
}
