// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/api_world.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

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
    TRY(store_migrate(s, ingest_migrations, ingest_migration_count));
    return store_migrate(s, insight_migrations, insight_migration_count);
}

void world_open(struct place *p)
{
    assert_int_equal(store_open(&p->store, p->dir), 0);
    assert_int_equal(migrate_all(p->store), 0);
    const struct series_service_config series = {.store = p->store};
    assert_int_equal(series_service_start(&p->series, &series), 0);
    const struct api_config config = {.store = p->store,
                                      .ui_dir = p->ui,
                                      .upload_max_bytes = 4 << 20,
                                      .series = series_service_store(p->series),
                                      .intake = series_service_intake(p->series)};
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

void world_close(struct place *p)
{
    api_link(&p->api, (struct api_links){0});
    http_server_stop(&p->server);
    api_close(&p->api);
    series_service_stop(&p->series);
    store_close(&p->store);
}

int world_setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || str_copy(p->dir, sizeof p->dir, STR("/tmp/api-test-XXXXXX")) < 0 ||
        !mkdtemp(p->dir)) {
        return -1;
    }
    *state = p;
    log_set_level(LOG_ERROR);
    make_pages(p);
    world_open(p);
    make_people(p);
    make_package(p);
    return 0;
}

int world_teardown(void **state)
{
    struct place *p = *state;
    world_close(p);
    int err = fs_remove_tree(p->dir);
    cstr_free(&p->ui);
    free(p);
    return err;
}

// --- the client -----------------------------------------------------------------------------

void world_answer_clear(struct answer *a)
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

void world_ask(struct place *p, struct question q, struct answer *ret)
{
    world_answer_clear(ret);
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

const char *token_of(const struct place *p, enum account_role role)
{
    return p->people[__builtin_ctz((unsigned)role)].token;
}

const char *header_of(const struct answer *a, const char *name, char value[256])
{
    const char *at = strstr(a->head.data, name);
    if (!at) {
        return NULL;
    }
    at += strlen(name);
    const char *end = strstr(at, "\r\n");
    return str_copy(value, 256, (struct str){at, (size_t)(end - at)}) < 0 ? NULL : value;
}
