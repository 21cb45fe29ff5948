// SPDX-License-Identifier: GPL-3.0-or-later
//
// Playing: a grant for this device and plan, heartbeats, problems.
#include "app/api.h"

#include <string.h>

#define STREAMS_HINT "Stop watching on another screen, or wait a minute."
#define GRANT_LIFE_S INT64_C(43200) // and three times the film's length, but …
// … never as long as a package stays that the title does not play any more.
#define GRANT_LIFE_MAX_S (INGEST_PACKAGE_KEPT_US / 1000000 - 86400)

static int read_device(const json_t *body, int plan_max_height, struct media_grant *grant)
{
    json_t *device = json_object_get(body, "device"), *codecs = NULL;
    FAIL_IF(!json_is_object(device), ERR_INVALID, "'device' says what it can play");
    TRY(json_get_array(device, "codecs", &codecs));
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        struct str name = str_of(json_string_value(json_array_get(codecs, i)));
        // What no package here is made of needs no place in the grant.
        if (name.len && grant->codec_count < MEDIA_CODECS_MAX &&
            str_copy(grant->codecs[grant->codec_count], sizeof grant->codecs[0], name) ==
                0) {
            grant->codec_count++;
        }
    }
    FAIL_IF(grant->codec_count == 0, ERR_INVALID, "'codecs' names none");
    grant->hdr = json_is_true(json_object_get(device, "hdr"));
    int64_t height = json_i64_or(device, "max_height", 0);
    height = CLAMP(height, 0, 100000);
    grant->max_height = (int)(!plan_max_height ? height
                              : !height        ? plan_max_height
                                               : MIN(height, plan_max_height));
    return 0;
}

// The id itself, or of a series the episode to go on with: the last one begun, else the first not
// yet seen, else the first.
static int resolve_series(struct store_tx *tx, const struct catalog_viewer *viewer,
                          const char *profile_id, const char *series_id,
                          char ret_id[UUID_BYTES])
{
    AUTO(json_free) json_t *episodes = NULL, *begun = NULL, *seen = NULL;
    const struct catalog_query query = {.series_id = series_id, .limit = 1000};
    TRY(catalog_list(tx, viewer, &query, &episodes));
    FAIL_IF(json_array_size(episodes) == 0, ERR_NOT_FOUND, "no episode can be played");
    TRY(viewing_unfinished(tx, profile_id, 1000, &begun));
    TRY(viewing_finished(tx, profile_id, 1000, &seen));
    const json_t *first = json_array_get(episodes, 0), *unseen = NULL, *chosen = NULL;
    size_t best = SIZE_MAX, i, k;
    json_t *card, *id;
    json_array_foreach(episodes, i, card)
    {
        bool was_seen = false;
        json_array_foreach(begun, k, id)
        {
            if (k < best && json_equal(id, json_object_get(card, "id"))) {
                best = k;
                chosen = card;
            }
        }
        json_array_foreach(seen, k, id)
        {
            was_seen |= json_equal(id, json_object_get(card, "id"));
        }
        unseen = !unseen && !was_seen ? card : unseen;
    }
    chosen = chosen ? chosen : unseen ? unseen : first;
    return str_copy(ret_id, UUID_BYTES, str_of(json_str_or(chosen, "id", "")));
}

struct opening {
    struct catalog_title title;
    struct catalog_viewer viewer;
    struct media_grant grant;
    char play_id[UUID_BYTES];
    int64_t position_us;
    json_t *card, *next;
};

static void opening_clear(struct opening *o)
{
    json_free(&o->card);
    json_free(&o->next);
}

static int one_card(struct store_tx *tx, const struct opening *o, const char *profile_id,
                    const char *id, json_t **ret)
{
    AUTO(json_free) json_t *ids = json_pack("[s]", id);
    AUTO(json_free) json_t *cards = NULL;
    TRY(catalog_cards(tx, &o->viewer, ids, &cards));
    FAIL_IF(json_array_size(cards) == 0, ERR_NOT_FOUND, "there is no such title");
    TRY(viewing_decorate(tx, profile_id, cards));
    *ret = json_incref(json_array_get(cards, 0));
    return 0;
}

static int find_title(struct store_tx *tx, const char *id, const char *profile_id,
                      struct opening *o)
{
    char playable[UUID_BYTES], next[UUID_BYTES];
    TRY(catalog_title(tx, id, &o->title));
    if (strcmp(o->title.kind, "series") == 0) {
        TRY(resolve_series(tx, &o->viewer, profile_id, id, playable));
        TRY(catalog_title(tx, playable, &o->title));
    }
    TRY(one_card(tx, o, profile_id, o->title.id, &o->card)); // there for this viewer
    FAIL_IF(!o->title.package[0], ERR_NOT_FOUND, "'%s' is not published", o->title.name);
    TRY(viewing_position(tx, profile_id, o->title.id, &o->position_us));
    int err = catalog_next(tx, &o->viewer, o->title.id, next);
    if (err == ERR_NOT_FOUND) {
        return json_made(json_null(), &o->next);
    }
    TRY(err);
    return one_card(tx, o, profile_id, next, &o->next);
}

static int answer_play(const struct api *api, struct http_response *res,
                       struct opening *o)
{
    AUTO(buf_free) struct buf grant = {0};
    AUTO(cstr_free) char *hls = NULL, *dash = NULL, *thumbnails = NULL;
    TRY(media_grant_sign(api->gate, &o->grant, &grant));
    const char *package = o->grant.package;
    TRY(cstr_printf(&hls, "/media/%s/%s/master.m3u8", grant.data, package));
    TRY(cstr_printf(&dash, "/media/%s/%s/manifest.mpd", grant.data, package));
    TRY(cstr_printf(&thumbnails, "/media/%s/%s/thumbs/thumbs.vtt", grant.data, package));
    return http_json(res, 201,
                     json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:O, s:i, s:O}", "id",
                               o->play_id, "hls", hls, "dash", dash, "thumbnails",
                               thumbnails, "position_us", (json_int_t)o->position_us,
                               "duration_us", (json_int_t)o->title.duration_us, "next",
                               o->next, "heartbeat_s", VIEWING_HEARTBEAT_S, "title",
                               o->card));
}

int api_plays_open(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct account_who *who = &api_caller(req)->who;
    AUTO(json_free) json_t *body = NULL;
    AUTO(opening_clear) struct opening o = {0};
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "title_id", &id));
    TRY(read_device(body, who->plan_max_height, &o.grant));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(api_viewer(req, tx, &o.viewer));
    TRY(find_title(tx, id, who->profile_id, &o));
    const struct viewing_play_spec spec = {.user_id = who->user_id,
                                           .profile_id = who->profile_id,
                                           .title_id = o.title.id,
                                           .package = o.title.package,
                                           .duration_us = o.title.duration_us,
                                           .streams = who->plan_streams,
                                           .device = json_object_get(body, "device")};
    int err = viewing_play_open(tx, &spec, o.play_id);
    if (err == ERR_CONFLICT) {
        http_error_code(res, "STREAMS_USED");
        http_hint(res, STREAMS_HINT);
    }
    TRY(err);
    TRY(store_commit(&tx));
    quality_started(api->quality, http_request_header(req, "User-Agent"));
    TRY(str_copy(o.grant.package, sizeof o.grant.package, str_of(o.title.package)));
    TRY(str_copy(o.grant.play, sizeof o.grant.play, str_of(o.play_id)));
    o.grant.streams = who->plan_streams;
    int64_t life_s = GRANT_LIFE_S + 3 * (o.title.duration_us / 1000000);
    o.grant.until_s = clock_wall_us() / 1000000 + MIN(life_s, GRANT_LIFE_MAX_S);
    return answer_play(api, res, &o);
}

int api_plays_beat(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    const struct account_who *who = &api_caller(req)->who;
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    const json_t *qoe = json_object_get(body, "qoe");
    struct viewing_beat beat = {.position_us = json_i64_or(body, "position_us", -1),
                                .qoe = json_is_null(qoe) ? NULL : qoe};
    TRY(json_get_str(body, "state", &beat.state));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    int err = viewing_play_beat(tx, id, who->user_id, who->plan_streams, &beat);
    if (err == ERR_CONFLICT) {
        http_error_code(res, "STREAMS_USED");
        http_hint(res, STREAMS_HINT);
    }
    TRY(err);
    TRY(store_commit(&tx));
    quality_beat(api->quality, http_request_header(req, "User-Agent"), &beat);
    return api_done(res);
}

int api_plays_close(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(viewing_play_close(tx, id, api_caller(req)->who.user_id));
    TRY(store_commit(&tx));
    return api_done(res);
}

// A viewer's report is a finding about the title, at a time of the film in microseconds.
static int report_problem(struct store_tx *tx, struct http_request *req,
                          const char *play_id, int64_t position_us, const char *text)
{
    const struct account_who *who = &api_caller(req)->who;
    char title_id[UUID_BYTES], finding_id[UUID_BYTES];
    AUTO(cstr_free) char *subject = NULL, *detector = NULL;
    TRY(viewing_play_title(tx, play_id, who->user_id, title_id));
    TRY(cstr_printf(&subject, "title/%s", title_id));
    // Two people are two findings.
    TRY(cstr_printf(&detector, "viewer/%s@1", who->user_id));
    struct finding f = finding_about_file("viewer_report", FINDING_WARNING);
    f.start_pts = position_us;
    f.end_pts = position_us + 1;
    f.time_base = (struct rational){1, 1000000};
    f.evidence = json_pack("{s:s, s:s, s:I}", "text", text, "play", play_id,
                           "position_us", (json_int_t)position_us);
    FAIL_IF(!f.evidence, ERR_NOMEM, "a finding");
    int err = bus_finding_add(tx, subject, detector, api_actor(req), &f, finding_id);
    json_decref(f.evidence);
    return err;
}

int api_plays_problem(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL, *text = NULL;
    int64_t position_us = 0;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "text", &text));
    TRY(json_get_i64(body, "position_us", 0, INT64_MAX - 1, &position_us));
    FAIL_IF(strlen(text) > 4000, ERR_LIMIT, "a report over 4000 bytes");
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(report_problem(tx, req, id, position_us, text));
    TRY(api_commit(api, &tx));
    return http_json(res, 201, json_pack("{s:b}", "received", 1));
}
