// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the service did by itself and why: the audit trail, treatments, alerts, silences, related signals.
#include "app/api.h"

#include <string.h>

int api_audit_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *entries = NULL;
    const char *before_text = http_request_query(req, "before");
    int64_t before = 0;
    int limit = 0;
    struct insight_audit_head head;
    char head_text[INSIGHT_HEAD_BYTES];
    TRY(before_text ? api_number(before_text, 1, INT64_MAX, &before) : 0);
    TRY(api_limit(req, 100, &limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_audit_list(tx, http_request_query(req, "subject"), before, limit,
                           &entries));
    TRY(account_people_name(tx, entries));
    TRY(insight_audit_head(tx, &head));
    insight_audit_head_text(&head, head_text);
    return http_json(res, 200,
                     json_pack("{s:O, s:s}", "audit", entries, "head", head_text));
}

int api_audit_verify(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *noted_text = http_request_query(req, "head");
    struct insight_audit_head noted;
    struct insight_audit_verdict v;
    char head[INSIGHT_HEAD_BYTES];
    if (noted_text) {
        TRY(insight_audit_head_parse(str_of(noted_text), &noted));
    }
    TRY(api_heavy_begin(api));
    int err = store_begin(api->store, STORE_READ, &tx);
    err = err < 0 ? err : insight_audit_verify(tx, noted_text ? &noted : NULL, &v);
    api_heavy_end(api);
    TRY(err);
    insight_audit_head_text(&v.head, head);
    return http_json(res, 200,
                     json_pack("{s:b, s:I, s:o, s:s?, s:s}", "whole", v.broken == 0,
                               "entries", (json_int_t)v.entries, "broken",
                               v.broken ? json_integer(v.broken) : json_null(), "why",
                               v.broken ? v.why : NULL, "head", head));
}

// --- treatments ---------------------------------------------------------------------------------------

int api_actions_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *list = NULL;
    struct insight_treatment_query query = {.cluster = http_request_query(req, "cluster"),
                                            .state = http_request_query(req, "state"),
                                            .before = http_request_query(req, "before")};
    TRY(api_limit(req, 100, &query.limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_treatments(tx, &query, &list));
    return api_wrap_named(res, tx, "actions", list);
}

int api_actions_get(struct http_request *req, struct http_response *res, void *user)
{
    return api_read(user, req, res, insight_treatment);
}

int api_actions_plot(struct http_request *req, struct http_response *res, void *user)
{
    return api_read(user, req, res, insight_treatment_plot);
}

int api_actions_alerts(struct http_request *req, struct http_response *res, void *user)
{
    return api_read(user, req, res, insight_incident_alerts);
}

int api_actions_approve(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_treatment_approve);
}

int api_actions_refuse(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_treatment_refuse);
}

int api_actions_undo(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_treatment_undo);
}

int api_suspicions_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    TRY(http_request_json(req, &body));
    pthread_rwlock_rdlock(&api->links_lock);
    struct insight_act *act = api->links.act;
    int err = act ? insight_act_consider_json(act, body)
                  : err_fail(ERR_CONFLICT, "no clusters are described: clusters.yaml in "
                                           "the folder of --conf describes them");
    pthread_rwlock_unlock(&api->links_lock);
    TRY(err);
    return api_done(res);
}

// --- alerts -------------------------------------------------------------------------------------------

int api_alerts_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *list = NULL;
    int limit = 0;
    TRY(api_limit(req, 100, &limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_alerts(tx, http_request_query(req, "state"), limit, &list));
    return api_wrap_named(res, tx, "alerts", list);
}

int api_alerts_get(struct http_request *req, struct http_response *res, void *user)
{
    return api_read(user, req, res, insight_alert);
}

int api_alerts_ack(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct insight_ack ack = {.actor = api_actor(req)};
    const char *id = NULL, *until = NULL;
    TRY(api_id(req, &id));
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "why", &ack.why));
    until = json_str_or(body, "until", NULL);
    if (until) {
        TRY(clock_parse(str_of(until), &ack.until_us));
    }
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(insight_alert_ack(tx, id, &ack));
    TRY(api_commit(api, &tx));
    return api_done(res);
}

int api_alerts_unack(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(insight_alert_unack(tx, id, api_actor(req)));
    TRY(api_commit(api, &tx));
    return api_done(res);
}

int api_silences_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *list = NULL;
    (void)req;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_silences(tx, clock_wall_us(), &list));
    return api_wrap_named(res, tx, "silences", list);
}

int api_silences_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct insight_silence silence = {.actor = api_actor(req)};
    const char *until = NULL;
    char id[UUID_BYTES];
    TRY(http_request_json(req, &body));
    TRY(json_get_str(body, "why", &silence.why));
    TRY(json_get_str(body, "until", &until));
    TRY(clock_parse(str_of(until), &silence.until_us));
    silence.rule = json_str_or(body, "rule", NULL);
    silence.tags = json_object_get(body, "tags");
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(insight_silence_add(tx, &silence, id));
    TRY(api_commit(api, &tx));
    return http_json(res, 201, json_pack("{s:s}", "id", id));
}

int api_silences_end(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_silence_end);
}

// --- related signals ------------------------------------------------------------------------------------

// ?q= the target's stack expression, at= ms since 1970 (its latest change), candidates= an expression (every series),
// limit=.
int api_insight_related(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *json = NULL;
    const char *at = http_request_query(req, "at");
    int limit = 0;
    struct insight_question q = {.target = http_request_query(req, "q"),
                                 .candidates = http_request_query(req, "candidates"),
                                 .now_ms = clock_wall_us() / 1000};
    FAIL_IF(!q.target, ERR_INVALID, "q says which series");
    TRY(api_series_kept(api));
    TRY(at ? insight_time_parse(str_of(at), &q.at_ms) : 0);
    TRY(api_limit(req, 20, &limit));
    q.keep = (size_t)limit;
    TRY(api_heavy_begin(api));
    int err = insight_signals_ask(api->series, &q, &json);
    api_heavy_end(api);
    TRY(err);
    return http_json(res, 200, TAKE(json));
}

int api_alerts_related(struct http_request *req, struct http_response *res, void *user)
{
    return api_read(user, req, res, insight_alert_related);
}

static int read_related(struct api *api, struct http_request *req, json_t **ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_READ, &tx));
    return insight_alert_related(tx, id, ret);
}

// ?theme=dark|light
int api_alerts_picture(struct http_request *req, struct http_response *res, void *user)
{
    AUTO(json_free) json_t *related = NULL;
    AUTO(buf_free) struct buf out = {0};
    const char *theme = http_request_query(req, "theme");
    int64_t place = 0;
    TRY(api_number(http_request_param(req, "place"), 0, 1000, &place));
    TRY(read_related(user, req, &related));
    const struct insight_picture picture = {
        .place = (size_t)place, .is_dark = theme && strcmp(theme, "dark") == 0};
    TRY(insight_related_picture(related, &picture, &out));
    http_header(res, "Cache-Control", "no-cache");
    http_body(res, telemetry_format_type(TELEMETRY_PNG), buf_view(&out));
    return 0;
}

int api_alerts_actions(struct http_request *req, struct http_response *res, void *user)
{
    return api_read(user, req, res, insight_incident_treatments);
}
