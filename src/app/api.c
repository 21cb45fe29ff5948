// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of the HTTP API (docs/api.md), and what its handlers share.
#include "app/api.h"
#include "app/telemetry_token.h"

#include <stdlib.h>
#include <string.h>

#define V  (ACCOUNT_VIEWER | ACCOUNT_OPERATOR | ACCOUNT_ADMIN)
#define O  (ACCOUNT_OPERATOR | ACCOUNT_ADMIN)
#define OP (ACCOUNT_OPERATOR | ACCOUNT_ADMIN | ACCOUNT_PARTNER)
#define A  (ACCOUNT_ADMIN)
// Who sends series: operators, agents, and whoever has a token for it.
#define S   (ACCOUNT_OPERATOR | ACCOUNT_ADMIN | ACCOUNT_AGENT | API_SENDER)
#define ANY ((1u << ACCOUNT_ROLE_COUNT) - 1)
#define G   API_AGENT

#define SMALL 4096         // bytes of a body with a few fields
#define LARGE (256u << 10) // of one with texts

#define GIVEN (2u << 20) // of one with what a program printed, in base64url

#define HEAVY_MAX 6

#define GET(path, roles, name, what)                            \
    {                                                           \
        HTTP_GET, path, roles, api_##name, 0, what, false, NULL \
    }
#define POST(path, roles, name, max, what)                         \
    {                                                              \
        HTTP_POST, path, roles, api_##name, max, what, false, NULL \
    }
#define PUT(path, roles, name, max, what)                         \
    {                                                             \
        HTTP_PUT, path, roles, api_##name, max, what, false, NULL \
    }
#define PATCH(path, roles, name, max, what)                         \
    {                                                               \
        HTTP_PATCH, path, roles, api_##name, max, what, false, NULL \
    }
#define DELETE(path, roles, name, what)                            \
    {                                                              \
        HTTP_DELETE, path, roles, api_##name, 0, what, false, NULL \
    }

#define SEND(path, name, what)                                                       \
    {                                                                                \
        HTTP_POST, path, S, api_series_##name, SIZE_MAX, what, true, api_series_open \
    }

// clang-format off
const struct http_route api_routes[] = {
    GET("/healthz", HTTP_PUBLIC, health_get, "Is it alive"),
    GET("/link/{token}", HTTP_PUBLIC, link_use, "Sign in by a link, once"),
    GET("/media/{grant}/{package}/{rest*}", HTTP_PUBLIC, media_get, "Files of a film, by a grant"),
    GET("/art/{package}/{rest*}", ANY, art_get, "Posters and thumbnails"),

    POST(API "/session", HTTP_PUBLIC, session_create, SMALL, "Sign in"),
    GET(API "/session", HTTP_PUBLIC, session_get, "Who am I; null when signed out"),
    DELETE(API "/session", HTTP_PUBLIC, session_end, "Sign out"),
    PUT(API "/session/profile", V, session_choose, SMALL, "Choose a profile"),
    GET(API "/profiles", V, profiles_list, "Profiles of this person"),
    POST(API "/profiles", V, profiles_add, SMALL, "A new profile"),
    PATCH(API "/profiles/{id}", V, profiles_edit, SMALL, "Change a profile"),
    DELETE(API "/profiles/{id}", V, profiles_remove, "Remove a profile and what it kept"),

    GET(API "/home", V, home_get, "The home page: a billboard and rows"),
    GET(API "/titles", V, titles_list, "Titles, by query, tag, limit, after"),
    GET(API "/titles/{id}", V, titles_get, "All about a title"),
    PATCH(API "/titles/{id}", O, titles_edit, LARGE, "Edit a title"),
    DELETE(API "/titles/{id}", O, titles_withdraw, "Withdraw a title"),
    POST(API "/titles/{id}/restore", O, titles_restore, SMALL, "Undo a withdrawal"),
    PUT(API "/titles/{id}/rating", V, titles_rate, SMALL, "Rate: 1, -1 or 0"),
    GET(API "/search", V, search_get, "Titles, people and tags by words"),
    GET(API "/list", V, list_get, "My list"),
    PUT(API "/list/{id}", V, list_add, SMALL, "Put a title on my list"),
    DELETE(API "/list/{id}", V, list_remove, "Take a title off my list"),
    POST(API "/plays", V, plays_open, SMALL, "Play a title"),
    PUT(API "/plays/{id}", V, plays_beat, 16384, "A heartbeat: position, state, quality"),
    DELETE(API "/plays/{id}", V, plays_close, "Stop playing"),
    POST(API "/plays/{id}/problem", V, plays_problem, 16384, "Report a problem at a time"),

    {HTTP_OPTIONS, API "/uploads", OP, api_uploads_options, 0, "What of tus 1.0 is spoken", false, NULL},
    POST(API "/uploads", OP, uploads_create, SMALL, "A new upload (tus 1.0 creation)"),
    {HTTP_HEAD, API "/uploads/{id}", OP, api_uploads_head, 0, "How much has come", false, NULL},
    {HTTP_PATCH, API "/uploads/{id}", OP, api_uploads_patch, SIZE_MAX, "More of it", true, api_uploads_open},
    DELETE(API "/uploads/{id}", OP, uploads_delete, "Forget an upload"),

    POST(API "/deliveries", OP, deliveries_add, SMALL, "Deliver an upload"),
    GET(API "/deliveries", OP, deliveries_list, "Deliveries, newest first"),
    GET(API "/deliveries/{id}", OP, deliveries_get, "A delivery"),
    POST(API "/deliveries/{id}/again", O, deliveries_again, SMALL, "The same wishes once more"),
    GET(API "/deliveries/{id}/report", OP, deliveries_report, "What inspection found"),
    GET(API "/deliveries/{id}/stills/{n}.jpg", OP, deliveries_still, "A picture of the grid"),
    GET(API "/deliveries/{id}/frames/{n}.jpg", OP, deliveries_frame, "Exactly this frame"),
    GET(API "/deliveries/{id}/frames", OP, deliveries_times, "Exact times of frames, start to end"),
    GET(API "/requests", OP, requests_list, "Redelivery requests"),
    GET(API "/requests/{id}", OP, requests_get, "A redelivery request"),

    GET(API "/jobs", O, jobs_list, "Jobs, newest first"),
    GET(API "/jobs/{id}", O, jobs_get, "A job and its steps"),
    GET(API "/jobs/{id}/log", O, jobs_log, "A step's log, from an offset"),
    POST(API "/jobs/{id}/rerun", O, jobs_rerun, SMALL, "Want failed steps again"),
    POST(API "/jobs/{id}/cancel", O, jobs_cancel, SMALL, "Cancel a job"),
    GET(API "/findings", O, findings_list, "The register of findings"),
    POST(API "/findings/{id}/waive", O, findings_waive, SMALL, "Waive, with a reason and an end"),
    POST(API "/findings/{id}/reopen", O, findings_reopen, SMALL, "Undo a waiver"),
    GET(API "/events", ANY, events_follow, "Events as they happen (server-sent)"),
    GET(API "/history", O, history_get, "Events of the past"),

    GET("/atlas/api/v1/graph", O, graph_get, "A graph, as Atlas has it: png, json, csv, txt, std.json, stats.json"),
    GET("/atlas/api/v1/tags", O, tags_list, "Keys of series"),
    GET("/atlas/api/v1/tags/{key}", O, tags_get, "Values of a key"),
    GET("/prometheus/api/v1/query", O, prom_query, "PromQL at a moment"),
    POST("/prometheus/api/v1/query", O, prom_query, LARGE, "The same, asked by a form"),
    GET("/prometheus/api/v1/query_range", O, prom_range, "PromQL over a range"),
    POST("/prometheus/api/v1/query_range", O, prom_range, LARGE, "The same, asked by a form"),
    GET("/prometheus/api/v1/labels", O, prom_labels, "Labels"),
    POST("/prometheus/api/v1/labels", O, prom_labels, LARGE, "The same, asked by a form"),
    GET("/prometheus/api/v1/label/{label}/values", O, prom_values, "Values of a label"),
    GET("/prometheus/api/v1/series", O, prom_series, "Label sets of series"),
    POST("/prometheus/api/v1/series", O, prom_series, LARGE, "The same, asked by a form"),
    GET("/prometheus/api/v1/metadata", O, prom_metadata, "Names of metrics"),
    GET("/prometheus/api/v1/query_exemplars", O, prom_exemplars, "None: exemplars are not kept"),
    POST("/prometheus/api/v1/query_exemplars", O, prom_exemplars, LARGE, "The same, asked by a form"),
    GET("/prometheus/api/v1/rules", O, prom_rules, "None: alert rules are under /api/v1/alerts"),
    GET("/prometheus/api/v1/status/buildinfo", O, prom_build, "Whom one talks to"),
    GET(API "/dashboards", O, dashboards_list, "Dashboards"),
    GET(API "/dashboards/{name}", O, dashboards_get, "A dashboard and its graphs"),

    GET(API "/actions", O, actions_list, "What is done with sick servers, newest first"),
    GET(API "/actions/{id}", O, actions_get, "A treatment: why, how far, what was found"),
    GET(API "/actions/{id}/plot", O, actions_plot, "Its server among the peers, as it was when it was suspected"),
    GET(API "/actions/{id}/alerts", O, actions_alerts, "Alerts that fired meanwhile, or shortly before"),
    POST(API "/actions/{id}/approve", O, actions_approve, SMALL, "Approve what is held by a judgement"),
    POST(API "/actions/{id}/refuse", O, actions_refuse, SMALL, "Refuse what is held"),
    POST(API "/actions/{id}/undo", O, actions_undo, SMALL, "Put a server back into service"),
    GET(API "/runs", O, runs_list, "Runs of runbooks, newest first"),
    POST(API "/runs", O, runs_add, SMALL, "Run a runbook now"),
    GET(API "/runs/{id}", O, runs_get, "A run: its attempts, its answer, what it printed"),
    POST(API "/runs/{id}/approve", O, runs_approve, SMALL, "Approve a run that waits for a person"),
    POST(API "/runs/{id}/refuse", O, runs_refuse, SMALL, "Refuse a run that waits for a person"),
    POST(API "/runs/{id}/cancel", O, runs_cancel, SMALL, "End a run and all that it started"),
    POST(API "/agent/take", G, agent_take, SMALL, "What is to be run on the agent's server, within wait_s"),
    POST(API "/agent/keep", G, agent_keep, SMALL, "It goes on"),
    POST(API "/agent/give", G, agent_give, GIVEN, "What came of it"),
    POST(API "/suspicions", O, suspicions_add, LARGE, "A look at a cluster by another detector"),
    GET(API "/alerts", O, alerts_list, "Alerts that are not resolved, or in a state"),
    GET(API "/alerts/{id}", O, alerts_get, "An alert"),
    GET(API "/alerts/{id}/related", O, alerts_related, "What else changed when an alert fired"),
    GET(API "/alerts/{id}/related/{place}/picture", O, alerts_picture, "A related signal beside the alert's series, as a PNG"),
    GET(API "/alerts/{id}/actions", O, alerts_actions, "What was done with servers meanwhile"),
    POST(API "/alerts/{id}/ack", O, alerts_ack, SMALL, "Acknowledge an alert, for good or until an end"),
    DELETE(API "/alerts/{id}/ack", O, alerts_unack, "Take an acknowledgement back: it is told again"),
    GET(API "/silences", O, silences_list, "Silences that hold"),
    POST(API "/silences", O, silences_add, SMALL, "Tell nothing of alerts that fit, until an end"),
    DELETE(API "/silences/{id}", O, silences_end, "End a silence"),
    GET(API "/audit", O, audit_list, "What was decided and done by itself, newest first"),
    GET(API "/insight/related", O, insight_related, "What else changed when a series did"),
    GET(API "/audit/verify", O, audit_verify, "Is the audit trail whole"),

    SEND("/atlas/api/v1/publish", publish, "Values, as Atlas' publish takes them"),
    SEND("/prometheus/api/v1/write", write, "Values, as Prometheus' remote write 1.0 sends them"),
    SEND("/otlp/v1/metrics", otlp, "Values, as OpenTelemetry sends them over HTTP (protobuf)"),
    SEND(API "/series/exposition", exposition, "Values in Prometheus' text form"),
    GET(API "/series/counts", O, series_counts, "What came in, and what was dropped and why"),

    GET(API "/users", A, users_list, "People"),
    POST(API "/users", A, users_add, SMALL, "A new person"),
    PATCH(API "/users/{id}", A, users_edit, SMALL, "Change a person's role, plan, partner or password"),
    POST(API "/users/{id}/link", A, users_link, SMALL, "An address that signs a person in, once"),
    DELETE(API "/users/{id}", A, users_remove, "Remove a person and what their profiles kept"),
    GET(API "/partners", A, partners_list, "Partners"),
    POST(API "/partners", A, partners_add, SMALL, "A new partner"),
    GET(API "/plans", A, plans_list, "Plans"),
    GET(API "/openapi.json", HTTP_PUBLIC, openapi_get, "This document"),

    GET("/{rest*}", HTTP_PUBLIC, pages_get, "The pages"),
};
// clang-format on
const size_t api_route_count = ARRAY_LEN(api_routes);

// An upload's row goes with its delivery or after its end; its bytes are DATA/uploads/<id>.
const struct store_migration app_migrations[] = {
    {"app", 1,
     "CREATE TABLE app_upload ("
     "  id TEXT PRIMARY KEY,"
     "  user_id TEXT NOT NULL,"
     "  bytes INTEGER NOT NULL,"
     "  file_name TEXT NOT NULL,"
     "  created_us INTEGER NOT NULL,"
     "  expires_us INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX app_upload_user ON app_upload (user_id);"},
    {"app", 2,
     "CREATE TABLE app_telemetry_token ("
     "  name TEXT PRIMARY KEY,"
     "  hash TEXT NOT NULL UNIQUE,"
     "  created_us INTEGER NOT NULL) WITHOUT ROWID;"},
};
const size_t app_migration_count = ARRAY_LEN(app_migrations);

int api_open(struct api *api, const struct api_config *config)
{
    *api = (struct api){.store = config->store,
                        .ui_dir = config->ui_dir,
                        .series = config->series,
                        .intake = config->intake,
                        .upload_max_bytes = config->upload_max_bytes
                                                ? config->upload_max_bytes
                                                : INT64_C(1) << 40,
                        .check_us = 2000000};
    pthread_rwlock_init(&api->links_lock, NULL);
    TRY(store_migrate(api->store, app_migrations, app_migration_count));
    TRY(upload_hashes_open(&api->hashes));
    TRY(quality_new(&api->quality, config->meter));
    return media_gate_open(&api->gate, api->store);
}

void api_close(struct api *api)
{
    media_gate_close(&api->gate);
    upload_hashes_close(&api->hashes);
    quality_free(&api->quality);
    if (api->store) {
        pthread_rwlock_destroy(&api->links_lock);
        api->store = NULL;
    }
}

void api_link(struct api *api, struct api_links links)
{
    if (!api->store) {
        return; // never opened
    }
    pthread_rwlock_wrlock(&api->links_lock);
    api->links = links;
    pthread_rwlock_unlock(&api->links_lock);
}

// --- who calls ------------------------------------------------------------------------------

// A session's, or that of a sender, which may also stand as a password: what sends often knows no other way.
static const char *find_token(struct http_request *req)
{
    const char *header = http_request_header(req, "Authorization"), *password = NULL;
    if (!header) {
        return http_request_cookie(req, API_COOKIE);
    }
    if (str_starts(str_of(header), "Bearer ")) {
        return header + 7;
    }
    bool basic =
        http_basic_password(str_of(header), http_request_arena(req), &password) == 0;
    return basic && str_starts(str_of(password), TELEMETRY_TOKEN_MARK) ? password : NULL;
}

static int authenticate_sender(struct api *api, const char *token, http_roles *ret_roles)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *name = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    int err = telemetry_token_find(tx, token, &name);
    if (err == 0) {
        *ret_roles = API_SENDER;
    }
    return err == ERR_UNKNOWN_USER ? 0 : err;
}

static int authenticate_agent(struct api *api, const char *token, http_roles *ret_roles,
                              void **ret_identity)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *name = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    int err = insight_agent_find(tx, token, &name);
    if (err < 0) {
        return err == ERR_UNKNOWN_USER ? 0 : err;
    }
    struct api_caller *caller = calloc(1, sizeof *caller);
    FAIL_IF(!caller, ERR_NOMEM, "a caller");
    if (str_copy(caller->agent, sizeof caller->agent, str_of(name)) < 0) {
        free(caller);
        return 0;
    }
    *ret_roles = API_AGENT;
    *ret_identity = caller;
    return 0;
}

// Sessions live from their last use; noted once a day, so that reading stays reading.
// A session that cannot be written down as used now (a full disk) still is one.
static int keep_alive(struct api *api, const char *token)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(account_session_touch(tx, token));
    return store_commit(&tx);
}

int api_authenticate(struct http_request *req, void *user, http_roles *ret_roles,
                     void **ret_identity)
{
    struct api *api = user;
    const char *token = find_token(req);
    struct api_caller caller = {0};
    if (token && str_starts(str_of(token), TELEMETRY_TOKEN_MARK)) {
        return authenticate_sender(api, token, ret_roles);
    }
    if (token && str_starts(str_of(token), INSIGHT_AGENT_TOKEN_MARK)) {
        return authenticate_agent(api, token, ret_roles, ret_identity);
    }
    if (!token || str_copy(caller.token, sizeof caller.token, str_of(token)) < 0) {
        return 0;
    }
    bool stale = false;
    {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(api->store, STORE_READ, &tx));
        int err = account_session_find(tx, caller.token, &caller.who);
        if (err == ERR_UNKNOWN_USER) {
            return 0;
        }
        TRY(err);
        stale = account_session_is_stale(tx, caller.token);
    }
    if (stale && keep_alive(api, caller.token) < 0) {
        log_debug("app", "a session was not moved: %s", err_reason());
    }
    struct api_caller *copy = malloc(sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a caller");
    *copy = caller;
    *ret_roles = caller.who.role;
    *ret_identity = copy;
    return 0;
}

const struct api_caller *api_caller(struct http_request *req)
{
    return http_request_identity(req);
}

bool api_operates(struct http_request *req)
{
    return (http_request_roles(req) & O) != 0;
}

const char *api_actor(struct http_request *req)
{
    const struct api_caller *caller = api_caller(req);
    const char *actor =
        caller ? arena_printf(http_request_arena(req), "user/%s", caller->who.user_id)
               : NULL;
    return actor ? actor : "system";
}

// --- answers --------------------------------------------------------------------------------

int api_commit(struct api *api, struct store_tx **tx)
{
    TRY(store_commit(tx));
    pthread_rwlock_rdlock(&api->links_lock);
    if (api->links.follower) {
        bus_follower_wake(api->links.follower);
    }
    if (api->links.executor) {
        flow_executor_wake(api->links.executor);
    }
    pthread_rwlock_unlock(&api->links_lock);
    return 0;
}

int api_heavy_begin(struct api *api)
{
    if (atomic_fetch_add(&api->heavy, 1) >= HEAVY_MAX) {
        atomic_fetch_sub(&api->heavy, 1);
        FAIL(ERR_BUSY, "%d such requests are at work already", HEAVY_MAX);
    }
    return 0;
}

void api_heavy_end(struct api *api)
{
    atomic_fetch_sub(&api->heavy, 1);
}

int api_done(struct http_response *res)
{
    http_status(res, 204);
    return 0;
}

int api_wrap(struct http_response *res, const char *name, json_t *value)
{
    return http_json(res, 200, json_pack("{s:o}", name, value));
}

int api_wrap_named(struct http_response *res, struct store_tx *tx, const char *name,
                   json_t *list)
{
    AUTO(json_free) json_t *owned = list;
    TRY(account_people_name(tx, list));
    return api_wrap(res, name, TAKE(owned));
}

int api_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    return str_to_i64(str_of(text), min, max, ret);
}

int api_limit(struct http_request *req, int otherwise, int *ret)
{
    const char *text = http_request_query(req, "limit");
    int64_t limit = otherwise;
    if (text && api_number(text, 1, 1000, &limit) < 0) {
        FAIL(ERR_INVALID, "'limit': %s", err_reason());
    }
    *ret = (int)limit;
    return 0;
}

int api_id(struct http_request *req, const char **ret)
{
    const char *id = http_request_param(req, "id");
    FAIL_IF(!id || !uuid_is_valid(str_of(id)), ERR_NOT_FOUND, "there is no such thing");
    *ret = id;
    return 0;
}

int api_read(struct api *api, struct http_request *req, struct http_response *res,
             api_read_f *read)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *json = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(read(tx, id, &json));
    TRY(account_people_name(tx, json));
    return http_json(res, 200, TAKE(json));
}

int api_change(struct api *api, struct http_request *req, struct http_response *res,
               api_change_f *change)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(change(tx, id, api_actor(req)));
    TRY(api_commit(api, &tx));
    return api_done(res);
}

int api_series_kept(const struct api *api)
{
    FAIL_IF(!api->series, ERR_NOT_FOUND, "this service keeps no series");
    return 0;
}

int api_viewer(struct http_request *req, struct store_tx *tx, struct catalog_viewer *ret)
{
    const struct api_caller *caller = api_caller(req);
    AUTO(json_free) json_t *session = NULL;
    TRY(account_session_json(tx, &caller->who, &session));
    json_t *profile = json_object_get(session, "profile");
    const char *language = json_str_or(profile, "language", NULL);
    *ret = (struct catalog_viewer){
        .maturity = (int)json_i64_or(profile, "maturity", 18),
        .language =
            language ? arena_dup(http_request_arena(req), str_of(language)) : NULL};
    return 0;
}

// --- about itself ---------------------------------------------------------------------------

int api_health_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    (void)req;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx)); // the rows answer
    return http_json(res, 200, json_pack("{s:s}", "status", "ok"));
}

// Who may call a route, in words beside it.
static int add_roles(const struct http_route *route, json_t *document)
{
    AUTO(json_free) json_t *roles = json_array();
    for (unsigned i = 0; i < ACCOUNT_ROLE_COUNT; i++) {
        if (route->roles & 1u << i) {
            json_array_append_new(
                roles, json_string(account_role_name((enum account_role)(1u << i))));
        }
    }
    if (route->roles & API_SENDER) {
        json_array_append_new(roles, json_string("sender"));
    }
    if (route->roles & API_AGENT) {
        json_array_append_new(roles, json_string("server's agent"));
    }
    AUTO(buf_free) struct buf path = {0};
    for (const char *p = route->path; *p; p++) {
        if (*p != '*') {
            buf_char(&path, *p);
        }
    }
    TRY(path.err);
    static const char *const methods[] = {"get",    "post", "put",    "patch",
                                          "delete", "head", "options"};
    json_t *item = json_object_get(json_object_get(document, "paths"), path.data);
    json_t *operation = json_object_get(item, methods[route->method]);
    FAIL_IF(!operation || json_object_set(operation, "x-roles", roles) < 0, ERR_INTERNAL,
            "the OpenAPI document lacks %s", route->path);
    return 0;
}

int api_openapi_get(struct http_request *req, struct http_response *res, void *user)
{
    (void)req, (void)user;
    AUTO(json_free) json_t *document = NULL;
    TRY(http_openapi(api_routes, api_route_count, "Marquee", MARQUEE_VERSION, &document));
    for (size_t i = 0; i < api_route_count; i++) {
        TRY(add_roles(&api_routes[i], document));
    }
    return http_json(res, 200, TAKE(document));
}
