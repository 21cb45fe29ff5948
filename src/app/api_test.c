// SPDX-License-Identifier: GPL-3.0-or-later
//
// The API over a real server and a foreign client (libcurl), on a folder with one published film.
#include "app/api.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

#define PACKAGE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct person {
    char id[UUID_BYTES];
    char token[ACCOUNT_TOKEN_BYTES];
};

struct place {
    char dir[32];
    struct store *store;
    struct api api;
    struct http_server *server;
    struct person people[ACCOUNT_ROLE_COUNT];
    char partner_id[UUID_BYTES];
    char film[UUID_BYTES];
    char *ui;
};

// --- the folder -----------------------------------------------------------------------------

static void add_track(struct media_package *p, const char *id,
                      enum media_rendition_kind kind, const char *codec, int height)
{
    struct media_track t = {.average_bps = 1000000, .peak_bps = 2000000, .frames = 96};
    t.rendition = (struct media_rendition){.kind = kind,
                                           .timescale = 24000,
                                           .width = height * 16 / 9,
                                           .height = height,
                                           .sar = {1, 1},
                                           .sample_rate = 48000,
                                           .channels = 2,
                                           .bps = 128000};
    snprintf(t.rendition.id, sizeof t.rendition.id, "%s", id);
    snprintf(t.rendition.codec, sizeof t.rendition.codec, "%s", codec);
    snprintf(t.rendition.language, sizeof t.rendition.language, "und");
    snprintf(t.rendition.hdr, sizeof t.rendition.hdr, "sdr");
    snprintf(t.codecs, sizeof t.codecs, "%s",
             kind == MEDIA_RENDITION_AUDIO ? "mp4a.40.2"
             : strcmp(codec, "av1") == 0   ? "av01.0.05M.08"
                                           : "avc1.64001f");
    const struct media_segment s = {
        .number = 1, .start = 0, .duration = 96000, .bytes = 100, .frames = 96};
    assert_int_equal(vec_push(&t.segments, s), 0);
    assert_int_equal(vec_push(&p->tracks, t), 0);
}

static void write_text(const char *root, const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    char *slash = strrchr(whole, '/');
    *slash = '\0';
    assert_int_equal(fs_make_dirs(whole), 0);
    *slash = '/';
    assert_int_equal(fs_write_file(whole, text, strlen(text)), 0);
}

static void make_package(struct place *p)
{
    char root[160];
    snprintf(root, sizeof root, "%s/media/" PACKAGE, p->dir);
    struct media_package *package = calloc(1, sizeof *package);
    assert_non_null(package);
    package->duration_us = 4000000;
    package->frame_rate = (struct rational){24, 1};
    add_track(package, "h264-360", MEDIA_RENDITION_VIDEO, "h264", 360);
    add_track(package, "h264-1080", MEDIA_RENDITION_VIDEO, "h264", 1080);
    add_track(package, "av1-1080", MEDIA_RENDITION_VIDEO, "av1", 1080);
    add_track(package, "aac-128", MEDIA_RENDITION_AUDIO, "aac", 0);
    json_t *media = NULL;
    assert_int_equal(media_package_to_json(package, &media), 0);
    media_package_free(&package);
    AUTO(json_free)
    json_t *json = json_pack("{s:i, s:o, s:[]}", "schema", 1, "media", media, "files");
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, json);
    write_text(root, "package.json", text.data);
    write_text(root, "h264-360/00001.m4s", "low picture");
    write_text(root, "h264-1080/00001.m4s", "high picture");
    write_text(root, "av1-1080/00001.m4s", "new picture");
    write_text(root, "aac-128/00001.m4s", "sound");
    write_text(root, "poster.jpg", "jpeg");
    write_text(root, "thumbs/thumbs.vtt", "WEBVTT");
    write_text(p->dir, "secret", "rows and keys");
    char link_path[256];
    snprintf(link_path, sizeof link_path, "%s/h264-360/00002.m4s", root);
    assert_int_equal(symlink("../../../secret", link_path), 0);
}

static void make_pages(struct place *p)
{
    assert_int_equal(cstr_printf(&p->ui, "%s/ui", p->dir), 0);
    write_text(p->ui, "index.html", "<!doctype html>watch");
    write_text(p->ui, "desk/index.html", "<!doctype html>desk");
    write_text(p->ui, "assets/a-1.js", "plain()");
    write_text(p->ui, "assets/a-1.js.br", "brotli");
}

static void make_people(struct place *p)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        account_partner_add(tx, "Archive", "a@archive.example", p->partner_id), 0);
    for (unsigned i = 0; i < ACCOUNT_ROLE_COUNT; i++) {
        enum account_role role = (enum account_role)(1u << i);
        const struct account_user_spec spec = {
            .name = account_role_name(role),
            .role = role,
            .plan = role == ACCOUNT_VIEWER ? "basic" : NULL,
            .partner_id = role == ACCOUNT_PARTNER ? p->partner_id : NULL};
        assert_int_equal(account_user_add(tx, &spec, p->people[i].id), 0);
        assert_int_equal(account_session_open(tx, p->people[i].id, p->people[i].token),
                         0);
    }
    AUTO(json_free)
    json_t *metadata = json_pack("{s:s, s:s, s:[s]}", "name", "A Film", "credit",
                                 "by somebody", "tags", "Short");
    assert_int_equal(catalog_upsert(tx, metadata, "system", p->film), 0);
    const struct catalog_publication publication = {.package = PACKAGE,
                                                    .duration_us = 4000000,
                                                    .max_height = 1080,
                                                    .poster_width = 640,
                                                    .poster_height = 360};
    assert_int_equal(catalog_publish(tx, p->film, &publication), 0);
    assert_int_equal(store_commit(&tx), 0);
}

static int migrate_all(struct store *s)
{
    TRY(store_migrate(s, bus_migrations, bus_migration_count));
    TRY(store_migrate(s, flow_migrations, flow_migration_count));
    TRY(store_migrate(s, account_migrations, account_migration_count));
    TRY(store_migrate(s, catalog_migrations, catalog_migration_count));
    TRY(store_migrate(s, viewing_migrations, viewing_migration_count));
    return store_migrate(s, ingest_migrations, ingest_migration_count);
}

static void open_service(struct place *p)
{
    assert_int_equal(store_open(&p->store, p->dir), 0);
    assert_int_equal(migrate_all(p->store), 0);
    const struct api_config config = {
        .store = p->store, .ui_dir = p->ui, .upload_max_bytes = 1 << 20};
    assert_int_equal(api_open(&p->api, &config), 0);
    const struct http_config http = {.routes = api_routes,
                                     .route_count = api_route_count,
                                     .user = &p->api,
                                     .authenticate = api_authenticate,
                                     .free_identity = free,
                                     .body_dir = p->dir};
    assert_int_equal(http_server_start(&p->server, &http), 0);
    api_link(&p->api, (struct api_links){.server = p->server});
}

static void close_service(struct place *p)
{
    api_link(&p->api, (struct api_links){0});
    http_server_stop(&p->server);
    api_close(&p->api);
    store_close(&p->store);
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || str_copy(p->dir, sizeof p->dir, STR("/tmp/api-test-XXXXXX")) < 0 ||
        !mkdtemp(p->dir)) {
        return -1;
    }
    *state = p;
    log_set_level(LOG_ERROR);
    make_pages(p);
    open_service(p);
    make_people(p);
    make_package(p);
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    close_service(p);
    int err = fs_remove_tree(p->dir);
    cstr_free(&p->ui);
    free(p);
    return err;
}

// --- the client -----------------------------------------------------------------------------

struct answer {
    long status;
    struct buf head, body;
    json_t *json;
};

static void answer_clear(struct answer *a)
{
    buf_free(&a->head);
    buf_free(&a->body);
    json_free(&a->json);
}

static size_t collect(char *bytes, size_t size, size_t count, void *user)
{
    buf_add(user, bytes, size * count);
    return size * count;
}

struct question {
    const char *method, *path, *token;
    const char *json;    // body
    const char *bytes;   // body of another type, named in headers
    const char *headers; // "A: b\nC: d"
};

static struct curl_slist *headers_of(const struct question *q)
{
    struct curl_slist *list = NULL;
    char line[600];
    if (q->token) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", q->token);
        list = curl_slist_append(list, line);
    }
    if (q->json) {
        list = curl_slist_append(list, "Content-Type: application/json");
    }
    struct str one, rest = str_of(q->headers);
    while (q->headers && str_next(&rest, '\n', &one)) {
        assert_int_equal(str_copy(line, sizeof line, one), 0);
        list = curl_slist_append(list, line);
    }
    return list;
}

static void ask(struct place *p, struct question q, struct answer *ret)
{
    answer_clear(ret);
    CURL *curl = curl_easy_init();
    char url[2000];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", http_server_port(p->server),
             q.path);
    struct curl_slist *headers = headers_of(&q);
    const char *body = q.json ? q.json : q.bytes;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q.method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(q.method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &ret->head);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    buf_reserve(&ret->body, 0);
    if (ret->body.len && strstr(ret->head.data, "application/json")) {
        assert_int_equal(json_parse(&ret->json, buf_view(&ret->body), 1 << 20), 0);
    }
}

static const char *token_of(const struct place *p, enum account_role role)
{
    return p->people[__builtin_ctz((unsigned)role)].token;
}

#define ASK(p, a, ...) ask((p), (struct question){__VA_ARGS__}, (a))

static const char *header_of(const struct answer *a, const char *name, char value[256])
{
    const char *at = strstr(a->head.data, name);
    if (!at) {
        return NULL;
    }
    at += strlen(name);
    const char *end = strstr(at, "\r\n");
    return str_copy(value, 256, (struct str){at, (size_t)(end - at)}) < 0 ? NULL : value;
}

// --- roles ----------------------------------------------------------------------------------

static void fill_path(const char *template, struct buf *out)
{
    buf_clear(out);
    for (const char *p = template; *p; p++) {
        if (*p != '{') {
            buf_char(out, *p);
            continue;
        }
        buf_cstr(out, str_starts(str_of(p), "{n}")
                          ? "1"
                          : "00000000-0000-7000-8000-000000000000");
        p = strchr(p, '}');
    }
}

// One route of the table signs its caller out.
static void sign_in_again(struct place *p)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    for (unsigned i = 0; i < ACCOUNT_ROLE_COUNT; i++) {
        assert_int_equal(account_session_open(tx, p->people[i].id, p->people[i].token),
                         0);
    }
    assert_int_equal(store_commit(&tx), 0);
}

static void every_route_keeps_its_roles(void **state)
{
    struct place *p = *state;
    static const char *const methods[] = {"GET",    "POST", "PUT",    "PATCH",
                                          "DELETE", "HEAD", "OPTIONS"};
    for (size_t i = 0; i < api_route_count; i++) {
        const struct http_route *route = &api_routes[i];
        AUTO(buf_free) struct buf path = {0};
        fill_path(route->path, &path);
        for (unsigned r = 0; r <= ACCOUNT_ROLE_COUNT; r++) {
            AUTO(answer_clear) struct answer a = {0};
            bool nobody = r == ACCOUNT_ROLE_COUNT;
            bool follows = strstr(route->path, "/events") && (1u << r) & route->roles;
            if (follows) {
                continue; // would not end
            }
            // Nothing that a body could do: none is well-formed.
            ASK(p, &a, .method = methods[route->method], .path = path.data,
                .token = nobody ? NULL : p->people[r].token,
                .bytes = route->max_body_bytes ? "x" : NULL);
            bool allowed =
                route->roles == HTTP_PUBLIC || (!nobody && route->roles & 1u << r);
            bool by_grant = strstr(route->path, "{grant}") != NULL;
            if (!allowed && a.status != (nobody ? 401 : 403)) {
                fail_msg("%s %s lets %u in: %ld", methods[route->method], route->path, r,
                         a.status);
            }
            if (allowed && !by_grant && (a.status == 401 || a.status == 403)) {
                fail_msg("%s %s keeps %u out: %ld", methods[route->method], route->path,
                         r, a.status);
            }
        }
        if (route->handle == api_session_end) {
            sign_in_again(p);
        }
    }
}

static void streams_of_events_are_for_who_owns_them(void **state)
{
    struct place *p = *state;
    AUTO(answer_clear) struct answer a = {0};
    ASK(p, &a, .method = "GET", .path = "/api/v1/events",
        .token = token_of(p, ACCOUNT_VIEWER));
    assert_int_equal(a.status, 403);
    ASK(p, &a, .method = "GET", .path = "/api/v1/events?subject=delivery/x",
        .token = token_of(p, ACCOUNT_PARTNER));
    assert_int_equal(a.status, 403);
}

static void the_document_names_every_route(void **state)
{
    struct place *p = *state;
    AUTO(answer_clear) struct answer a = {0};
    ASK(p, &a, .method = "GET", .path = "/api/v1/openapi.json");
    assert_int_equal(a.status, 200);
    json_t *paths = json_object_get(a.json, "paths");
    size_t operations = 0;
    const char *path;
    json_t *item;
    json_object_foreach(paths, path, item)
    {
        operations += json_object_size(item);
    }
    assert_int_equal(operations, api_route_count);
    json_t *home = json_object_get(json_object_get(paths, "/api/v1/home"), "get");
    assert_int_equal(json_array_size(json_object_get(home, "x-roles")), 3);
}

// --- signing in -----------------------------------------------------------------------------

static void sessions_come_as_cookies_and_tokens(void **state)
{
    struct place *p = *state;
    AUTO(answer_clear) struct answer a = {0};
    char hash[ACCOUNT_PASSWORD_HASH_BYTES], cookie[256], line[400];
    assert_int_equal(account_password_hash("open sesame", hash), 0);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    char id[UUID_BYTES], link[ACCOUNT_TOKEN_BYTES];
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    const struct account_user_spec spec = {
        .name = "ali", .role = ACCOUNT_VIEWER, .password_hash = hash};
    assert_int_equal(account_user_add(tx, &spec, id), 0);
    assert_int_equal(account_link_new(tx, id, 60000000, link), 0);
    assert_int_equal(store_commit(&tx), 0);

    ASK(p, &a, .method = "POST", .path = "/api/v1/session",
        .json = "{\"name\":\"ali\",\"password\":\"wrong one\"}");
    assert_int_equal(a.status, 401);
    ASK(p, &a, .method = "POST", .path = "/api/v1/session",
        .json = "{\"name\":\"ali\",\"password\":\"open sesame\"}");
    assert_int_equal(a.status, 200);
    assert_non_null(json_object_get(a.json, "token"));
    assert_non_null(header_of(&a, "Set-Cookie: ", cookie));
    assert_non_null(strstr(cookie, "; HttpOnly"));
    assert_non_null(strstr(cookie, "; SameSite=Lax"));
    assert_null(strstr(cookie, "Secure"));
    *strchr(cookie, ';') = '\0';
    snprintf(line, sizeof line, "Cookie: %s", cookie);
    ASK(p, &a, .method = "GET", .path = "/api/v1/session", .headers = line);
    assert_int_equal(a.status, 200);
    assert_null(json_object_get(a.json, "token"));
    // A cookie alone changes nothing from elsewhere.
    ASK(p, &a, .method = "DELETE", .path = "/api/v1/session", .headers = line);
    assert_int_equal(a.status, 403);
    snprintf(line, sizeof line, "Cookie: %s\nOrigin: http://127.0.0.1:%u", cookie,
             http_server_port(p->server));
    ASK(p, &a, .method = "DELETE", .path = "/api/v1/session", .headers = line);
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "GET", .path = "/api/v1/session", .headers = line);
    assert_int_equal(a.status, 401);

    snprintf(line, sizeof line, "/link/%s", link);
    ASK(p, &a, .method = "GET", .path = line, .headers = "X-Forwarded-Proto: https");
    assert_int_equal(a.status, 303);
    assert_string_equal(header_of(&a, "Location: ", cookie), "/");
    assert_non_null(strstr(a.head.data, "; Secure"));
    ASK(p, &a, .method = "GET", .path = line);
    assert_string_equal(header_of(&a, "Location: ", cookie), "/signin?link=used");
    assert_null(strstr(a.head.data, "Set-Cookie"));
}

// --- watching -------------------------------------------------------------------------------

static void the_pages_of_viewers_are_filled(void **state)
{
    struct place *p = *state;
    const char *viewer = token_of(p, ACCOUNT_VIEWER);
    AUTO(answer_clear) struct answer a = {0};
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
    AUTO(answer_clear) struct answer play = {0}, a = {0};
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

static void plays_keep_places_and_streams(void **state)
{
    struct place *p = *state;
    const char *viewer = token_of(p, ACCOUNT_VIEWER);
    AUTO(answer_clear) struct answer one = {0}, a = {0};
    char path[200];
    AUTO(store_rollback) struct store_tx *tx = NULL; // the tests before this one played
    assert_int_equal(store_begin(p->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx, "UPDATE viewing_play SET ended_us = 1", ""), 0);
    assert_int_equal(store_commit(&tx), 0);
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
    ASK(p, &a, .method = "DELETE", .path = path, .token = viewer);
    assert_int_equal(a.status, 204);
    start_play(p, viewer, "h264", &a);
    assert_int_equal(a.status, 201);
    assert_int_equal(json_i64_or(a.json, "position_us", 0), 2000000);
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
    AUTO(answer_clear) struct answer play = {0}, a = {0};
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
    json_t *kid = NULL,
           *fields = json_pack("{s:s, s:i}", "name", "Kid", "maturity", 6);
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
    AUTO(answer_clear) struct answer a = {0};
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

// --- uploads --------------------------------------------------------------------------------

#define TUS "Tus-Resumable: 1.0.0"

static void send_piece(struct place *p, const char *path, const char *from,
                       const char *bytes, struct answer *a)
{
    char headers[200];
    snprintf(headers, sizeof headers,
             TUS "\nUpload-Offset: %s\nContent-Type: application/offset+octet-stream",
             from);
    ASK(p, a, .method = "PATCH", .path = path, .token = token_of(p, ACCOUNT_PARTNER),
        .headers = headers, .bytes = bytes);
}

static void uploads_survive_the_server(void **state)
{
    struct place *p = *state;
    AUTO(answer_clear) struct answer a = {0};
    char location[256], value[256];
    ASK(p, &a, .method = "POST", .path = "/api/v1/uploads",
        .token = token_of(p, ACCOUNT_PARTNER), .headers = TUS "\nUpload-Length: 9999999");
    assert_int_equal(a.status, 413);
    ASK(p, &a, .method = "POST", .path = "/api/v1/uploads",
        .token = token_of(p, ACCOUNT_PARTNER), .headers = "Upload-Length: 10");
    assert_int_equal(a.status, 412);
    // "../film.mp4": the folder is not taken.
    ASK(p, &a, .method = "POST", .path = "/api/v1/uploads",
        .token = token_of(p, ACCOUNT_PARTNER),
        .headers = TUS "\nUpload-Length: 10\nUpload-Metadata: filename Li4vZmlsbS5tcDQ=");
    assert_int_equal(a.status, 201);
    assert_non_null(header_of(&a, "Location: ", location));
    send_piece(p, location, "0", "01234", &a);
    assert_int_equal(a.status, 204);
    assert_string_equal(header_of(&a, "Upload-Offset: ", value), "5");
    send_piece(p, location, "4", "x", &a);
    assert_int_equal(a.status, 409);
    send_piece(p, location, "5", "567890", &a);
    assert_int_equal(a.status, 413); // more than was announced
    close_service(p);
    open_service(p);
    ASK(p, &a, .method = "HEAD", .path = location, .token = token_of(p, ACCOUNT_PARTNER),
        .headers = TUS);
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(&a, "Upload-Offset: ", value), "5");
    assert_string_equal(header_of(&a, "Upload-Length: ", value), "10");
    ASK(p, &a, .method = "HEAD", .path = location, .token = token_of(p, ACCOUNT_OPERATOR),
        .headers = TUS);
    assert_int_equal(a.status, 404); // somebody else's
    AUTO(json_free)
    json_t *wish = json_pack("{s:s, s:s}", "upload_id", strrchr(location, '/') + 1,
                             "title", "Delivered");
    AUTO(buf_free) struct buf body = {0};
    json_write_canonical(&body, wish);
    ASK(p, &a, .method = "POST", .path = "/api/v1/deliveries",
        .token = token_of(p, ACCOUNT_PARTNER), .json = body.data);
    assert_int_equal(a.status, 409); // not whole yet
    send_piece(p, location, "5", "56789", &a);
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "POST", .path = "/api/v1/deliveries",
        .token = token_of(p, ACCOUNT_PARTNER), .json = body.data);
    assert_int_equal(a.status, 201);
    char delivery[200];
    snprintf(delivery, sizeof delivery, "/api/v1/deliveries/%s",
             json_str_or(a.json, "delivery_id", ""));
    ASK(p, &a, .method = "GET", .path = delivery, .token = token_of(p, ACCOUNT_PARTNER));
    assert_int_equal(a.status, 200);
    assert_string_equal(json_str_or(a.json, "file_name", ""), "film.mp4");
    struct hash h;
    char hex[HASH_HEX_BYTES];
    hash_of("0123456789", 10, &h);
    hash_hex(&h, hex);
    assert_string_equal(json_str_or(a.json, "hash", ""), hex);
    ASK(p, &a, .method = "HEAD", .path = location, .token = token_of(p, ACCOUNT_PARTNER),
        .headers = TUS);
    assert_int_equal(a.status, 404); // it became a delivery
    char left[200], kept[200];
    snprintf(left, sizeof left, "%s/uploads/00000000-0000-7000-8000-000000000000",
             p->dir);
    snprintf(kept, sizeof kept, "%s/uploads/something else", p->dir);
    assert_int_equal(fs_write_file(left, "x", 1), 0);
    assert_int_equal(fs_write_file(kept, "x", 1), 0);
    assert_int_equal(uploads_sweep(&p->api), 0);
    assert_false(fs_exists(left));
    assert_true(fs_exists(kept));
}

// --- pages ----------------------------------------------------------------------------------

static void every_state_of_a_page_is_a_link(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *path;
        long status;
        const char *holds;
    } cases[] = {
        {"/", 200, "watch"},           {"/title/abc", 200, "watch"},
        {"/desk", 200, "desk"},        {"/desk/", 200, "desk"},
        {"/desk/jobs/1", 200, "desk"}, {"/assets/a-1.js", 200, "plain()"},
        {"/assets/b.js", 404, ""},     {"/api/v1/nothing", 404, ""},
        {"/media/x", 404, ""},         {"/nothing.png", 404, ""},
        {"/../secret", 400, ""},       {"/%2e%2e/secret", 400, ""},
    };
    AUTO(answer_clear) struct answer a = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ASK(p, &a, .method = "GET", .path = cases[i].path);
        assert_int_equal(a.status, cases[i].status);
        assert_non_null(strstr(a.body.data, cases[i].holds));
    }
    ASK(p, &a, .method = "GET", .path = "/");
    assert_non_null(strstr(a.head.data, "Content-Security-Policy: default-src 'self'"));
    assert_non_null(strstr(a.head.data, "Cache-Control: no-cache"));
    ASK(p, &a, .method = "GET", .path = "/assets/a-1.js",
        .headers = "Accept-Encoding: gzip, br");
    assert_string_equal(a.body.data, "brotli");
    assert_non_null(strstr(a.head.data, "Content-Encoding: br"));
    assert_non_null(strstr(a.head.data, "Vary: Accept-Encoding"));
    assert_non_null(strstr(a.head.data, "text/javascript"));
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_keeps_its_roles),
        cmocka_unit_test(streams_of_events_are_for_who_owns_them),
        cmocka_unit_test(the_document_names_every_route),
        cmocka_unit_test(sessions_come_as_cookies_and_tokens),
        cmocka_unit_test(the_pages_of_viewers_are_filled),
        cmocka_unit_test(grants_open_what_they_name),
        cmocka_unit_test(grants_cannot_be_forged_or_outlived),
        cmocka_unit_test(plays_keep_places_and_streams),
        cmocka_unit_test(a_series_plays_where_one_is),
        cmocka_unit_test(art_is_for_members),
        cmocka_unit_test(uploads_survive_the_server),
        cmocka_unit_test(every_state_of_a_page_is_a_link),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    curl_global_cleanup();
    return failed;
}
