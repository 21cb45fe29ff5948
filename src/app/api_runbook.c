// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs of runbooks, for people; and what agents ask for and answer, each for its own server.
#include "app/api.h"

#include <string.h>
#include <time.h>

#define WAITING_MAX 4 // agents whose questions hold a worker
#define WAIT_S_MAX  20
#define TURN_NS     200000000L

int api_runs_list(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    json_t *list = NULL;
    struct insight_run_query q = {.runbook = http_request_query(req, "runbook"),
                                  .state = http_request_query(req, "state"),
                                  .target = http_request_query(req, "target"),
                                  .subject = http_request_query(req, "subject"),
                                  .before = http_request_query(req, "before")};
    TRY(api_limit(req, 100, &q.limit));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_runs(tx, &q, &list));
    return api_wrap_named(res, tx, "runs", list);
}

int api_runs_get(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *run = NULL;
    const char *id = NULL;
    TRY(api_id(req, &id));
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(insight_run(api->store, tx, id, &run));
    TRY(account_people_name(tx, run));
    return http_json(res, 200, TAKE(run));
}

int api_runs_approve(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_run_approve);
}

int api_runs_refuse(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_run_refuse);
}

int api_runs_cancel(struct http_request *req, struct http_response *res, void *user)
{
    return api_change(user, req, res, insight_run_cancel);
}

// --- a person's wish ---------------------------------------------------------------------------------

static int wished_event(const json_t *body, json_t **ret)
{
    char id[UUID_BYTES], time[CLOCK_RFC3339_BYTES];
    uuid_v7(id);
    clock_rfc3339(clock_wall_us(), time);
    return json_made(json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}}", "specversion", "1.0",
                               "id", id, "type", "runbook.wished.v1", "subject",
                               json_str_or(body, "subject", "person"), "time", time,
                               "data"),
                     ret);
}

static int ask(struct api *api, struct http_request *req, const json_t *body,
               char ret_id[UUID_BYTES])
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *event = NULL;
    const char *name = NULL;
    TRY(json_get_str(body, "runbook", &name));
    TRY(wished_event(body, &event));
    const struct insight_runbook *runbook =
        api->links.runbooks ? insight_runbook_find(api->links.runbooks, name) : NULL;
    FAIL_IF(!runbook, ERR_NOT_FOUND, "there is no runbook %s", name);
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(insight_run_ask(tx,
                        &(struct insight_run_wish){
                            .runbook = runbook,
                            .event = event,
                            .target = json_str_or(body, "target", NULL),
                            .server = json_str_or(body, "server", NULL),
                            .key = json_str_or(body, "key", NULL),
                            .actor = api_actor(req),
                            .dry_run = json_is_true(json_object_get(body, "dry_run")),
                            .at_once = true},
                        ret_id));
    return store_commit(&tx);
}

int api_runs_add(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    char id[UUID_BYTES];
    TRY(http_request_json(req, &body));
    pthread_rwlock_rdlock(&api->links_lock);
    int err = ask(api, req, body, id);
    if (err == 0 && api->links.executor) {
        flow_executor_wake(api->links.executor);
    }
    pthread_rwlock_unlock(&api->links_lock);
    TRY(err);
    return http_json(res, 201, json_pack("{s:s}", "id", id));
}

// --- agents --------------------------------------------------------------------------------------------

static bool has_work(struct api *api, const char *server)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    return store_begin(api->store, STORE_READ, &tx) == 0 &&
           insight_agent_has_work(tx, server) > 0;
}

// A few may wait in a worker; the others are told to come again.
static bool wait_for_work(struct api *api, const char *server, int64_t wait_s)
{
    int64_t until_us = clock_mono_us() + wait_s * 1000000;
    bool waits = atomic_fetch_add(&api->agents_waiting, 1) < WAITING_MAX;
    bool found = has_work(api, server);
    while (waits && !found && clock_mono_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = TURN_NS}, NULL);
        pthread_rwlock_rdlock(&api->links_lock);
        waits = api->links.server != NULL; // it is not being stopped
        pthread_rwlock_unlock(&api->links_lock);
        found = has_work(api, server);
    }
    atomic_fetch_sub(&api->agents_waiting, 1);
    return found;
}

int api_agent_take(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *body = NULL, *taken = NULL;
    const char *server = api_caller(req)->agent;
    int64_t wait_s = 0;
    int found = 0;
    TRY(http_request_json(req, &body));
    TRY(json_get_i64(body, "wait_s", 0, WAIT_S_MAX, &wait_s));
    if (wait_for_work(api, server, wait_s)) {
        TRY(store_begin(api->store, STORE_WRITE, &tx));
        found = insight_agent_take(tx, server, &taken);
        TRY(found);
        TRY(store_commit(&tx));
    }
    return found ? http_json(res, 200, TAKE(taken)) : api_done(res);
}

int api_agent_keep(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *body = NULL;
    TRY(http_request_json(req, &body));
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(insight_agent_keep(tx, api_caller(req)->agent, body));
    TRY(store_commit(&tx));
    return api_done(res);
}

int api_agent_give(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    AUTO(json_free) json_t *body = NULL;
    TRY(http_request_json(req, &body));
    TRY(insight_agent_give(api->store, api_caller(req)->agent, body));
    pthread_rwlock_rdlock(&api->links_lock);
    if (api->links.executor) {
        flow_executor_wake(api->links.executor);
    }
    pthread_rwlock_unlock(&api->links_lock);
    return api_done(res);
}
