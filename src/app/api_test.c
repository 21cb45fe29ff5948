// SPDX-License-Identifier: GPL-3.0-or-later
//
// The API over a real server and a foreign client (libcurl), on a folder with one published film.
#include "app/api_world.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the four above it.
#include <cmocka.h>

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

// Said once more, apart from the table: the last line that fits a route's beginning counts. v viewer,
// o operator, a administrator, p partner, g agent,
// s sender of series, m a machine's agent; * anybody.
static void nobody_may_more_than_is_meant(void **state)
{
    (void)state;
    static const struct {
        const char *path, *who;
        bool changes; // only of methods that change something
    } rules[] = {
        {"/", "*", false},
        {"/art/", "voapg", false},
        {API, "voa", false},
        {API "/titles", "oa", true},
        {API "/titles/{id}/rating", "voa", false},
        {API "/session", "*", false},
        {API "/session/profile", "voa", false},
        {API "/openapi.json", "*", false},
        {API "/uploads", "oap", false},
        {API "/deliveries", "oap", false},
        {API "/deliveries/{id}/again", "oa", false},
        {API "/requests", "oap", false},
        {API "/jobs", "oa", false},
        {API "/findings", "oa", false},
        {API "/history", "oa", false},
        {API "/audit", "oa", false},
        {API "/insight", "oa", false},
        {API "/dashboards", "oa", false},
        {API "/actions", "oa", false},
        {API "/suspicions", "oa", false},
        {API "/runs", "oa", false},
        {API "/agent", "m", false},
        {API "/alerts", "oa", false},
        {API "/silences", "oa", false},
        {API "/events", "voapg", false},
        {"/atlas/api/v1", "oa", false},
        {"/atlas/api/v1/publish", "oags", false},
        {"/prometheus/api/v1", "oa", false},
        {"/prometheus/api/v1/write", "oags", false},
        {"/otlp/v1/metrics", "oags", false},
        {API "/series/exposition", "oags", false},
        {API "/series/counts", "oa", false},
        {API "/users", "a", false},
        {API "/partners", "a", false},
        {API "/plans", "a", false},
    };
    static const struct {
        char letter;
        http_roles role;
    } letters[] = {{'v', ACCOUNT_VIEWER},  {'o', ACCOUNT_OPERATOR}, {'a', ACCOUNT_ADMIN},
                   {'p', ACCOUNT_PARTNER}, {'g', ACCOUNT_AGENT},    {'s', API_SENDER},
                   {'m', API_AGENT}};
    for (size_t i = 0; i < api_route_count; i++) {
        const struct http_route *route = &api_routes[i];
        const char *who = "";
        for (size_t k = 0; k < ARRAY_LEN(rules); k++) {
            bool fits = str_starts(str_of(route->path), rules[k].path) &&
                        (!rules[k].changes || route->method != HTTP_GET);
            who = fits ? rules[k].who : who;
        }
        http_roles meant = HTTP_PUBLIC;
        for (size_t k = 0; k < ARRAY_LEN(letters); k++) {
            meant |= strchr(who, letters[k].letter) ? letters[k].role : 0;
        }
        if (route->roles != meant) {
            fail_msg("%s (method %d) is not for %s alone", route->path, route->method,
                     who);
        }
    }
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
            AUTO(world_answer_clear) struct answer a = {0};
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
            if (!allowed && route->method != HTTP_HEAD) { // and says what to do
                json_t *error = json_object_get(a.json, "error");
                assert_non_null(json_str_or(error, "hint", NULL));
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
    AUTO(world_answer_clear) struct answer a = {0};
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
    AUTO(world_answer_clear) struct answer a = {0};
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
    AUTO(world_answer_clear) struct answer a = {0};
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
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.data, "null");

    snprintf(line, sizeof line, "/link/%s", link);
    // Looked at, not used: scanners of mail and chats do.
    world_ask(p, (struct question){.method = "HEAD", .path = line}, &a);
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "GET", .path = line, .headers = "X-Forwarded-Proto: https");
    assert_int_equal(a.status, 303);
    assert_string_equal(header_of(&a, "Location: ", cookie), "/");
    assert_non_null(strstr(a.head.data, "; Secure"));
    ASK(p, &a, .method = "GET", .path = line);
    assert_string_equal(header_of(&a, "Location: ", cookie), "/signin?link=used");
    assert_null(strstr(a.head.data, "Set-Cookie"));
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

// A job says of every type of step which others it waits for, and of no type twice.
static void says_an_age(struct place *p, const char *title, int age)
{
    AUTO(world_answer_clear) struct answer a = {0};
    char path[200];
    snprintf(path, sizeof path, "/api/v1/titles/%s", title);
    ASK(p, &a, .method = "GET", .path = path, .token = token_of(p, ACCOUNT_OPERATOR));
    assert_int_equal(json_i64_or(a.json, "maturity", -1), age);
}

static void job_tells_its_graph(struct place *p, const char *job)
{
    AUTO(world_answer_clear) struct answer a = {0};
    char path[200];
    snprintf(path, sizeof path, "/api/v1/jobs/%s", job);
    ASK(p, &a, .method = "GET", .path = path, .token = token_of(p, ACCOUNT_OPERATOR));
    assert_int_equal(a.status, 200);
    json_t *graph = json_object_get(a.json, "graph"), *known = json_object(), *node,
           *type;
    size_t i, k;
    assert_int_equal(json_array_size(graph), ingest_step_type_count);
    json_array_foreach(graph, i, node)
    {
        // In the order of the work: whatever is waited for has come before.
        json_array_foreach(json_object_get(node, "after"), k, type)
        {
            assert_non_null(json_object_get(known, json_string_value(type)));
        }
        json_object_set_new(known, json_str_or(node, "type", ""), json_true());
    }
    for (i = 0; i < ingest_step_type_count; i++) {
        assert_non_null(json_object_get(known, ingest_step_types[i].name));
    }
    json_decref(known);
    assert_true(json_is_null(json_object_get(a.json, "waits_behind"))); // no step yet
    assert_int_equal(json_i64_or(a.json, "worked_us", -1), 0);
}

static void ticket_holds(struct place *p, const json_t *ticket, int age)
{
    job_tells_its_graph(p, json_str_or(ticket, "job_id", ""));
    says_an_age(p, json_str_or(ticket, "title_id", ""), age);
}

static void uploads_survive_the_server(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
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
    world_close(p);
    world_open(p);
    ASK(p, &a, .method = "HEAD", .path = location, .token = token_of(p, ACCOUNT_PARTNER),
        .headers = TUS);
    assert_int_equal(a.status, 200);
    assert_string_equal(header_of(&a, "Upload-Offset: ", value), "5");
    assert_string_equal(header_of(&a, "Upload-Length: ", value), "10");
    ASK(p, &a, .method = "HEAD", .path = location, .token = token_of(p, ACCOUNT_OPERATOR),
        .headers = TUS);
    assert_int_equal(a.status, 404); // somebody else's
    AUTO(json_free)
    json_t *wish = json_pack("{s:s, s:s, s:i}", "upload_id", strrchr(location, '/') + 1,
                             "title", "Delivered", "maturity", 12);
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
    ticket_holds(p, a.json, 12);
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

// --- people ---------------------------------------------------------------------------------

static void links_sign_in_once(struct place *p, const char *person)
{
    AUTO(world_answer_clear) struct answer a = {0};
    // A link for who has no password, or lost it: once.
    char link[160], at[256];
    snprintf(link, sizeof link, "%s/link", person);
    for (int i = 0; i < 2; i++) {
        ASK(p, &a, .method = "POST", .path = link, .token = token_of(p, ACCOUNT_ADMIN),
            .json = "{}");
        assert_int_equal(a.status, 201);
        assert_non_null(json_object_get(a.json, "until"));
    }
    char way[256];
    assert_int_equal(str_copy(way, sizeof way, str_of(json_str_or(a.json, "path", ""))),
                     0);
    ASK(p, &a, .method = "GET", .path = way);
    assert_int_equal(a.status, 303);
    assert_string_equal(header_of(&a, "Location: ", at), "/");
    ASK(p, &a, .method = "GET", .path = way);
    assert_string_equal(header_of(&a, "Location: ", at), "/signin?link=used");
    ASK(p, &a, .method = "POST", .token = token_of(p, ACCOUNT_ADMIN), .json = "{}",
        .path = "/api/v1/users/00000000-0000-7000-8000-000000000000/link");
    assert_int_equal(a.status, 404);
}

static void administrators_change_people(void **state)
{
    struct place *p = *state;
    AUTO(world_answer_clear) struct answer a = {0};
    const char *boss = token_of(p, ACCOUNT_ADMIN);
    ASK(p, &a, .method = "POST", .path = "/api/v1/users", .token = boss,
        .json = "{\"name\":\"kim\",\"role\":\"operator\",\"password\":\"first word\"}");
    assert_int_equal(a.status, 201);
    char kim[120];
    snprintf(kim, sizeof kim, "/api/v1/users/%s", json_str_or(a.json, "id", ""));
    ASK(p, &a, .method = "POST", .path = "/api/v1/session",
        .json = "{\"name\":\"kim\",\"password\":\"first word\"}");
    char token[64];
    assert_int_equal(
        str_copy(token, sizeof token, str_of(json_str_or(a.json, "token", ""))), 0);
    ASK(p, &a, .method = "GET", .path = "/api/v1/jobs", .token = token);
    assert_int_equal(a.status, 200);
    // Not by oneself, not by halves, not to what there is not.
    ASK(p, &a, .method = "PATCH", .path = kim, .token = token,
        .json = "{\"role\":\"admin\"}");
    assert_int_equal(a.status, 403);
    static const struct {
        const char *json;
        long status;
    } bad[] = {{"{}", 400},
               {"[]", 400},
               {"{\"role\":\"king\"}", 400},
               {"{\"role\":7}", 400},
               {"{\"role\":\"partner\"}", 400},
               {"{\"plan\":\"golden\"}", 404},
               {"{\"password\":\"short\"}", 400}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ASK(p, &a, .method = "PATCH", .path = kim, .token = boss, .json = bad[i].json);
        assert_int_equal(a.status, bad[i].status);
    }
    ASK(p, &a, .method = "PATCH", .path = kim, .token = boss,
        .json = "{\"role\":\"viewer\",\"plan\":\"basic\"}");
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "GET", .path = "/api/v1/home", .token = token);
    assert_int_equal(a.status, 401); // the old session is over
    ASK(p, &a, .method = "POST", .path = "/api/v1/session",
        .json = "{\"name\":\"kim\",\"password\":\"first word\"}");
    assert_int_equal(a.status, 200);
    assert_string_equal(json_str_or(json_object_get(a.json, "plan"), "id", ""), "basic");
    assert_string_equal(json_str_or(json_object_get(a.json, "user"), "role", ""),
                        "viewer");
    links_sign_in_once(p, kim);
    ASK(p, &a, .method = "DELETE", .path = kim, .token = boss);
    assert_int_equal(a.status, 204);
    ASK(p, &a, .method = "POST", .path = "/api/v1/session",
        .json = "{\"name\":\"kim\",\"password\":\"first word\"}");
    assert_int_equal(a.status, 401);
    ASK(p, &a, .method = "DELETE", .path = kim, .token = boss);
    assert_int_equal(a.status, 404);
    char own[120];
    snprintf(own, sizeof own, "/api/v1/users/%s", p->people[ACCOUNT_ROLE_INDEX_ADMIN].id);
    ASK(p, &a, .method = "DELETE", .path = own, .token = boss);
    assert_int_equal(a.status, 409); // the last administrator
}

// A delivery of what was not read as it came (the server was started anew) is answered by how far it
// is read, request by request, and never by a wrong hash.
static void a_long_upload_is_read_in_parts(void **state)
{
    struct place *p = *state;
    enum { MIB = 1 << 20, BYTES = 3 * MIB };
    AUTO(world_answer_clear) struct answer a = {0};
    AUTO(buf_free) struct buf film = {0}, body = {0};
    char location[256], hex[HASH_HEX_BYTES], delivery[200];
    for (int i = 0; film.len < BYTES; i++) {
        buf_printf(&film, "%08d", i % 99999999);
    }
    ASK(p, &a, .method = "POST", .path = "/api/v1/uploads",
        .token = token_of(p, ACCOUNT_PARTNER), .headers = TUS "\nUpload-Length: 3145728");
    assert_int_equal(a.status, 201);
    assert_non_null(header_of(&a, "Location: ", location));
    send_piece(p, location, "0", film.data, &a);
    assert_int_equal(a.status, 204);
    assert_non_null(strstr(a.head.data, "Upload-Expires: "));
    world_close(p);
    world_open(p);
    p->api.check_us = 0;
    AUTO(json_free)
    json_t *wish = json_pack("{s:s, s:s}", "upload_id", strrchr(location, '/') + 1,
                             "title", "A long film");
    json_write_canonical(&body, wish);
    for (int64_t part = 1; part <= 3; part++) {
        ASK(p, &a, .method = "POST", .path = "/api/v1/deliveries",
            .token = token_of(p, ACCOUNT_PARTNER), .json = body.data);
        assert_int_equal(a.status, part < 3 ? 202 : 201);
        assert_int_equal(json_i64_or(a.json, "checked", 0), part < 3 ? part * MIB : 0);
    }
    snprintf(delivery, sizeof delivery, "/api/v1/deliveries/%s",
             json_str_or(a.json, "delivery_id", ""));
    ASK(p, &a, .method = "GET", .path = delivery, .token = token_of(p, ACCOUNT_PARTNER));
    struct hash h;
    hash_of(film.data, film.len, &h);
    hash_hex(&h, hex);
    assert_string_equal(json_str_or(a.json, "hash", ""), hex);
}

struct piece {
    struct upload upload;
    struct hash truth;
};

static void make_piece(struct place *p, struct buf *film, int number, struct piece *ret)
{
    *ret = (struct piece){.upload = {.bytes = (int64_t)film->len}};
    snprintf(ret->upload.id, sizeof ret->upload.id, "upload %d", number);
    snprintf(ret->upload.path, sizeof ret->upload.path, "%s/%d", p->dir, number % 2);
    film->data[0] = film->data[film->len - 1] = (char)('0' + number);
    assert_int_equal(fs_write_file(ret->upload.path, film->data, film->len), 0);
    hash_of(film->data, film->len, &ret->truth);
}

static void hashes_of_many_uploads_do_not_mix(void **state)
{
    struct place *p = *state;
    enum { UPLOADS = 70, BYTES = (1 << 20) + 5 }; // more than are kept, more than a block
    AUTO(buf_free) struct buf film = {0};
    struct piece pieces[UPLOADS];
    struct hash h = {0};
    int64_t offset = 0;
    while (film.len < BYTES) {
        buf_cstr(&film, "film ");
    }
    for (int i = 0; i < UPLOADS; i++) {
        make_piece(p, &film, i, &pieces[i]);
        assert_int_equal(
            upload_hash_advance(p->api.hashes, &pieces[i].upload, 0, &offset, &h), 0);
        assert_int_equal(offset, 1 << 20);
        if (i > 0) { // the one before goes on where it was
            const struct piece *before = &pieces[i - 1];
            assert_int_equal(
                upload_hash_advance(p->api.hashes, &before->upload, 0, &offset, &h), 0);
            assert_int_equal(offset, before->upload.bytes);
            assert_true(hash_eq(&h, &before->truth));
        }
    }
    // What is whole is known without its file; what was pushed out begins again.
    struct upload gone = pieces[UPLOADS - 2].upload;
    assert_int_equal(str_copy(gone.path, sizeof gone.path, STR("/dev/null/none")), 0);
    assert_int_equal(upload_hash_advance(p->api.hashes, &gone, 0, &offset, &h), 0);
    assert_true(hash_eq(&h, &pieces[UPLOADS - 2].truth));
    assert_int_equal(
        upload_hash_advance(p->api.hashes, &pieces[0].upload, 0, &offset, &h), 0);
    assert_int_equal(offset, 1 << 20);
    upload_hash_forget(p->api.hashes, gone.id);
    assert_true(upload_hash_advance(p->api.hashes, &gone, 0, &offset, &h) < 0);
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
    AUTO(world_answer_clear) struct answer a = {0};
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
        cmocka_unit_test(nobody_may_more_than_is_meant),
        cmocka_unit_test(every_route_keeps_its_roles),
        cmocka_unit_test(streams_of_events_are_for_who_owns_them),
        cmocka_unit_test(the_document_names_every_route),
        cmocka_unit_test(sessions_come_as_cookies_and_tokens),
        cmocka_unit_test(uploads_survive_the_server),
        cmocka_unit_test(administrators_change_people),
        cmocka_unit_test(a_long_upload_is_read_in_parts),
        cmocka_unit_test(hashes_of_many_uploads_do_not_mix),
        cmocka_unit_test(every_state_of_a_page_is_a_link),
    };
    int failed = cmocka_run_group_tests(tests, world_setup, world_teardown);
    curl_global_cleanup();
    return failed;
}
