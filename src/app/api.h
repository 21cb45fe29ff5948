// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the HTTP API share. A handler (api_*.c) reads its request, calls the rooms in
// one transaction and answers; it holds no logic of its own. The table of all routes is in api.c.
#ifndef APP_API_H
#define APP_API_H

#include "account/account.h"
#include "bus/bus.h"
#include "catalog/catalog.h"
#include "flow/flow.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "insight/insight.h"
#include "meter/meter.h"
#include "store/store.h"
#include "telemetry/telemetry.h"
#include "viewing/viewing.h"

#include <pthread.h>
#include <stdatomic.h>

extern const struct store_migration app_migrations[];
extern const size_t app_migration_count;

struct media_gate;
struct quality;
struct upload_hashes;

struct api {
    struct store *store;
    const char *ui_dir; // NULL: no pages
    int64_t upload_max_bytes;
    struct telemetry *series; // NULL: none are kept
    struct telemetry_intake *intake;
    struct media_gate *gate;
    struct upload_hashes *hashes;
    struct quality *quality;
    int64_t check_us; // how long a request may read an upload

    atomic_int agents_waiting;
    atomic_int heavy; // requests that decode or hash at this moment

    // Threads of one use the others, so none may be freed while a call is in it: used under a
    // reader's lock, changed under a writer's.
    pthread_rwlock_t links_lock;
    struct api_links {
        struct http_server *server;
        struct bus_follower *follower;           // NULL in tests
        struct flow_executor *executor;          // NULL: another process executes
        struct insight_act *act;                 // NULL: no clusters are described
        const struct insight_runbooks *runbooks; // NULL: none are described
    } links;
};

struct api_config {
    struct store *store;
    const char *ui_dir;
    struct meter *meter; // NULL: what players tell is counted nowhere; outlives the API
    int64_t upload_max_bytes; // 0: 1 TiB
    struct telemetry *series; // outlives the server; NULL
    struct telemetry_intake *intake;
};
// Migrates the app's own rows, reads the key of grants.
int api_open(struct api *, const struct api_config *);
// Once they run; all NULL before they are stopped.
void api_link(struct api *, struct api_links);
void api_close(struct api *);

extern const struct http_route api_routes[];
extern const size_t api_route_count;
// For http_config.
int api_authenticate(struct http_request *, void *user, http_roles *ret_roles,
                     void **ret_identity);

// --- for handlers ---------------------------------------------------------------------------

#define API        "/api/v1"
#define API_COOKIE "marquee_session"

// May send series, by a token of its own, and nothing else: it is no caller below.
#define API_SENDER (1u << ACCOUNT_ROLE_COUNT)
// The agent of one server, by a token of its own: may take and answer what is for that server.
#define API_AGENT            (1u << (ACCOUNT_ROLE_COUNT + 1))
#define API_AGENT_NAME_BYTES 201

// Who calls. Not NULL in routes with roles, but for those of senders.
struct api_caller {
    struct account_who who;
    char token[ACCOUNT_TOKEN_BYTES];
    char agent[API_AGENT_NAME_BYTES]; // whose, where it is an agent: then nobody else
};
const struct api_caller *api_caller(struct http_request *);
bool api_operates(struct http_request *); // an operator or an administrator
// "user/<id>" or "system", the request's.
const char *api_actor(struct http_request *);

// Commits and wakes who follows events and who executes steps.
int api_commit(struct api *, struct store_tx **);
// What takes seconds of a core: at most a few at a time, so that pages keep their workers. ERR_BUSY.
int api_heavy_begin(struct api *);
void api_heavy_end(struct api *);
// 204.
int api_done(struct http_response *);
// {"<name>":value}; the value is taken.
int api_wrap(struct http_response *, const char *name, json_t *value);
// The same, with people's names beside their ids (account_people_name).
int api_wrap_named(struct http_response *, struct store_tx *, const char *name,
                   json_t *value);
// The query's "limit", or `otherwise`; 1..1000.
int api_limit(struct http_request *, int otherwise, int *ret);
// The path's {id}, which is a UUID; ERR_NOT_FOUND otherwise.
int api_id(struct http_request *, const char **ret);
// Answers with what `read` gives of the path's {id}.
typedef int api_read_f(struct store_tx *, const char *id, json_t **ret);
int api_read(struct api *, struct http_request *, struct http_response *, api_read_f *);
// Changes what the path's {id} names, in a transaction of its own: 204.
typedef int api_change_f(struct store_tx *, const char *id, const char *actor);
int api_change(struct api *, struct http_request *, struct http_response *,
               api_change_f *);
// ERR_NOT_FOUND: this service keeps no series.
int api_series_kept(const struct api *);
// A whole number of the path or the query.
int api_number(const char *text, int64_t min, int64_t max, int64_t *ret);

// For whom the catalog answers: the caller's profile. The language lives in the request.
int api_viewer(struct http_request *, struct store_tx *, struct catalog_viewer *ret);

// --- files (served.c) -----------------------------------------------------------------------

// Opens `dir`/`path` for reading without ever leaving `dir`, by dots or by links. ERR_NOT_FOUND for
// whatever is not a regular file there.
int served_open(const char *dir, const char *path, int *ret_fd);
// The media type by the ending, "application/octet-stream" where unknown.
const char *served_type(const char *path);

// --- what players tell (quality.c) ------------------------------------------------------------

int quality_new(struct quality **ret, struct meter *);
void quality_free(struct quality **);
// `agent` is the User-Agent, NULL where there is none. A play began; a beat that was taken.
void quality_started(struct quality *, const char *agent);
void quality_beat(struct quality *, const char *agent, const struct viewing_beat *);

// --- grants (api_media.c) -------------------------------------------------------------------

int media_gate_open(struct media_gate **ret, struct store *);
void media_gate_close(struct media_gate **);

#define MEDIA_CODECS_MAX 8
struct media_grant {
    char package[HASH_HEX_BYTES];
    char play[UUID_BYTES]; // that holds a stream while media is sent to it; "": none
    int streams;           // of its plan, at once; 0: any
    int64_t until_s;       // since 1970
    int max_height;        // 0: any
    bool hdr;
    char codecs[MEDIA_CODECS_MAX][8]; // "h264"; as declared
    size_t codec_count;               // 0: all
};
// base64url(claims) "." base64url(HMAC-SHA-256): a path segment.
int media_grant_sign(const struct media_gate *, const struct media_grant *,
                     struct buf *out);
// ERR_DENIED when forged or over.
int media_grant_check(const struct media_gate *, struct str text, int64_t now_s,
                      struct media_grant *ret);

// --- uploads (api_uploads.c) ----------------------------------------------------------------

struct upload {
    char id[UUID_BYTES];
    char user_id[UUID_BYTES];
    int64_t bytes, expires_us;
    char file_name[256];
    char path[512];
};
// A caller's own upload. ERR_NOT_FOUND.
int upload_find(struct api *, struct http_request *, const char *id, struct upload *ret);
// How much of it is there, on disk for good.
int upload_offset(const struct upload *, int64_t *ret);
int upload_forget(struct store_tx *, const char *id);
// Before the server starts: removes files that a killed delivery left.
int uploads_sweep(struct api *);

// --- their hashes (upload_hash.c) -----------------------------------------------------------

int upload_hashes_open(struct upload_hashes **ret);
void upload_hashes_close(struct upload_hashes **);
// Reads on what has come of an upload, for about `most_us` (a block at least). *ret_offset: how far
// it is; at the upload's end *ret is the hash of all of it.
int upload_hash_advance(struct upload_hashes *, const struct upload *, int64_t most_us,
                        int64_t *ret_offset, struct hash *ret);
void upload_hash_forget(struct upload_hashes *, const char *id);

// --- handlers -------------------------------------------------------------------------------

http_handler_f api_session_create, api_session_get, api_session_end, api_session_choose,
    api_link_use, api_profiles_list, api_profiles_add, api_profiles_edit,
    api_profiles_remove, api_users_list, api_users_add, api_users_edit, api_users_remove,
    api_users_link, api_partners_list, api_partners_add, api_plans_list, api_home_get,
    api_titles_list, api_titles_get, api_titles_edit, api_titles_withdraw,
    api_titles_restore, api_titles_rate, api_search_get, api_list_get, api_list_add,
    api_list_remove, api_plays_open, api_plays_beat, api_plays_close, api_plays_problem,
    api_uploads_options, api_uploads_create, api_uploads_head, api_uploads_patch,
    api_uploads_delete, api_deliveries_add, api_deliveries_list, api_deliveries_get,
    api_deliveries_again, api_deliveries_report, api_deliveries_still,
    api_deliveries_frame, api_deliveries_times, api_requests_list, api_requests_get,
    api_jobs_list, api_jobs_get, api_jobs_log, api_jobs_rerun, api_jobs_cancel,
    api_audit_list, api_audit_verify, api_insight_related, api_alerts_related,
    api_graph_get, api_tags_list, api_tags_get, api_dashboards_list, api_dashboards_get,
    api_prom_query, api_prom_range, api_prom_labels, api_prom_values, api_prom_build,
    api_prom_series, api_prom_metadata, api_prom_exemplars, api_prom_rules,
    api_findings_list, api_findings_waive, api_findings_reopen, api_events_follow,
    api_history_get, api_openapi_get, api_health_get, api_media_get, api_art_get,
    api_pages_get, api_series_publish, api_series_write, api_series_otlp,
    api_series_exposition, api_series_counts, api_actions_list, api_actions_get,
    api_actions_plot, api_actions_alerts, api_alerts_picture, api_alerts_actions,
    api_runs_list, api_runs_get, api_runs_add, api_runs_approve, api_runs_refuse,
    api_runs_cancel, api_agent_take, api_agent_keep, api_agent_give, api_actions_approve,
    api_actions_refuse, api_actions_undo, api_suspicions_add, api_alerts_list,
    api_alerts_get, api_alerts_ack, api_alerts_unack, api_silences_list, api_silences_add,
    api_silences_end;
http_open_body_f api_uploads_open, api_series_open;

// Sends what flow and bus say to the event streams.
void api_publish_event(void *api, int64_t seq, const json_t *event);
void api_publish_progress(void *api, const struct flow_progress *);

#endif
