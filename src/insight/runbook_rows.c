// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs in rows: from a wish to a job of flow. Each change of state is one transaction with its entry of the
// audit trail and its event. The order (what is run, how, about what) is written down when a run is asked for:
// a file that is changed meanwhile changes no run.
#include "insight/driver.h"
#include "insight/runbook_parts.h"
#include "insight/treatment.h"

#include <stdlib.h>
#include <string.h>

#define S_US           INT64_C(1000000)
#define EVENT_BYTES    (64u << 10)
#define QUEUED_AT_ONCE 1000 // of one target: an event storm is no reason to run for days

void run_row_clear(struct run_row *r)
{
    cstr_free(&r->target);
    cstr_free(&r->lane);
    cstr_free(&r->job);
    json_free(&r->order);
}

int run_row_load(struct store_tx *tx, const char *id, struct run_row *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(run_row_clear) struct run_row row = {0};
    TRY(store_query(tx, &r,
                    "SELECT state, target, lane, job, run_order, most_attempts, base_ms,"
                    " cap_ms FROM insight_run WHERE id = ?",
                    "s", id));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such run");
    TRY(str_copy(row.id, sizeof row.id, str_of(id)));
    TRY(str_copy(row.state, sizeof row.state, str_of(store_text(r, 0))));
    TRY(cstr_dup(&row.target, store_text(r, 1)));
    TRY(cstr_dup(&row.lane, store_text(r, 2)));
    TRY(store_is_null(r, 3) ? 0 : cstr_dup(&row.job, store_text(r, 3)));
    TRY(store_json(r, 4, &row.order));
    row.most_attempts = store_i64(r, 5);
    row.base_ms = store_i64(r, 6);
    row.cap_ms = store_i64(r, 7);
    *ret = row;
    row = (struct run_row){0};
    return 0;
}

int run_tell(struct store_tx *tx, const char *id, const struct run_note *note)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *data = NULL;
    AUTO(cstr_free) char *subject = NULL, *what = NULL, *type = NULL;
    const char *actor = note->actor ? note->actor : "system";
    TRY(store_query(tx, &r,
                    "SELECT runbook, target, subject, dry_run FROM insight_run"
                    " WHERE id = ?",
                    "s", id));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such run");
    TRY(json_made(json_pack("{s:s, s:s, s:s, s:b, s:O*}", "runbook", store_text(r, 0),
                            "target", store_text(r, 1), "subject", store_text(r, 2),
                            "dry_run", store_i64(r, 3) != 0, "more", note->data),
                  &data));
    TRY(cstr_printf(&subject, "run/%s", id));
    TRY(cstr_printf(&what, "run.%s", note->verb));
    TRY(cstr_printf(&type, "%s.v1", what));
    TRY(insight_audit_append(tx,
                             &(struct insight_audit_entry){.actor = actor,
                                                           .what = what,
                                                           .subject = subject,
                                                           .rule = note->rule,
                                                           .data = data},
                             NULL));
    return bus_emit(tx,
                    &(struct bus_event){
                        .type = type, .subject = subject, .actor = actor, .data = data},
                    NULL);
}

// --- the wish -----------------------------------------------------------------------------------------

// A text with {paths} of the event in it. ERR_INVALID where nothing comes of it, or more than a line.
static int fill(const char *text, const json_t *event, const char *what, char **ret)
{
    AUTO(buf_free) struct buf out = {0};
    for (const char *p = text; *p;) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        AUTO(cstr_free) char *path = NULL;
        if (!end) {
            buf_char(&out, *p++);
            continue;
        }
        TRY(cstr_printf(&path, "%.*s", (int)(end - p - 1), p + 1));
        TRY(bus_event_text(event, path, &out));
        p = end + 1;
    }
    TRY(out.err);
    FAIL_IF(!out.len || out.len > RUN_TEXT_MAX || !str_is_line(buf_view(&out)),
            ERR_INVALID, "%s '%.100s' gives nothing, or more than a line, for this event",
            what, text);
    return buf_take(&out, ret);
}

struct wish {
    const struct insight_run_wish *of;
    char id[UUID_BYTES];
    char *target, *server, *key, *lane;
    json_t *order;
    struct moment now;
};

static void wish_clear(struct wish *w)
{
    cstr_free(&w->target);
    cstr_free(&w->server);
    cstr_free(&w->key);
    cstr_free(&w->lane);
    json_free(&w->order);
}

static int texts_of(struct wish *w)
{
    const struct insight_run_wish *of = w->of;
    const struct insight_runbook *r = of->runbook;
    AUTO(cstr_free) char *key = NULL;
    const char *target = r->target ? r->target : "{subject}";
    TRY(of->target ? fill(of->target, NULL, "the target", &w->target)
                   : fill(target, of->event, "target", &w->target));
    TRY(of->key ? cstr_dup(&key, of->key)
                : fill(r->key ? r->key : "{id}", of->event, "key", &key));
    TRY(cstr_printf(&w->key, "%s/%s", r->name, key));
    if (r->where == INSIGHT_HERE) {
        return cstr_dup(&w->lane, FLOW_ASIDE);
    }
    TRY(of->server  ? fill(of->server, NULL, "the server", &w->server)
        : r->server ? fill(r->server, of->event, "server", &w->server)
                    : cstr_dup(&w->server, w->target));
    return cstr_printf(&w->lane, "agent/%s", w->server);
}

static int words_json(char *const *list, uint32_t count, json_t **ret)
{
    AUTO(json_free) json_t *words = json_array();
    for (uint32_t i = 0; i < count; i++) {
        FAIL_IF(json_array_append_new(words, json_string(list[i])) != 0, ERR_NOMEM,
                "a run");
    }
    return json_made(TAKE(words), ret);
}

static int order_of(struct wish *w)
{
    const struct insight_runbook *r = w->of->runbook;
    AUTO(json_free) json_t *argv = NULL, *env = NULL;
    AUTO(buf_free) struct buf event = {0};
    json_write_canonical(&event, w->of->event);
    TRY(event.err);
    FAIL_IF(event.len > EVENT_BYTES, ERR_LIMIT, "an event of %zu bytes for a runbook",
            event.len);
    TRY(words_json(r->run, r->run_count, &argv));
    TRY(words_json(r->env, r->env_count, &env));
    return json_made(json_pack("{s:s, s:s, s:O, s:O, s:I, s:I, s:I, s:O, s:s, s:b}",
                               "run", w->id, "runbook", r->name, "argv", argv, "env", env,
                               "timeout_ms", (json_int_t)r->timeout_s * 1000,
                               "stdout_bytes", (json_int_t)r->stdout_bytes,
                               "stderr_bytes", (json_int_t)r->stderr_bytes, "event",
                               w->of->event, "target", w->target, "dry_run",
                               r->dry_run || w->of->dry_run),
                     &w->order);
}

static int insert(struct store_tx *tx, const struct wish *w, const char *state)
{
    const struct insight_runbook *r = w->of->runbook;
    const struct insight_runbook_retries usual = {2, 1000, 60000};
    const struct insight_runbook_retries *t = r->retries ? r->retries : &usual;
    bool waits = strcmp(state, RUN_WAITING) == 0;
    int64_t life_us = r->approval.expires_s * S_US;
    return store_exec(
        tx,
        "INSERT INTO insight_run (id, runbook, key, target, server, lane, subject,"
        " state, dry_run, rule, actor, run_order, most_attempts, base_ms, cap_ms, wait_s,"
        " expires_at, expires_us, created_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        "  CASE WHEN ?17 THEN ?18 END, CASE WHEN ?17 THEN ?19 END, ?20)",
        "ssssssssissjiiiiiiii", w->id, r->name, w->key, w->target, w->server, w->lane,
        json_str_or(w->of->event, "subject", "run"), state,
        (int64_t)(r->dry_run || w->of->dry_run), w->of->rule,
        w->of->actor ? w->of->actor : "system", w->order, t->count + 1, t->base_ms,
        t->cap_ms, r->wait_s, (int64_t)waits, w->now.at + life_us,
        w->now.wall_us + life_us, w->now.wall_us);
}

static int moment_now(struct store_tx *tx, struct moment *ret)
{
    struct insight_now now;
    TRY(insight_now_read(NULL, &now));
    return steady_move(tx, &now, ret);
}

static int ran_already(struct store_tx *tx, const struct wish *w, char *ret_id)
{
    AUTO(cstr_free) char *id = NULL;
    int err =
        store_get_text(tx, &id, "SELECT id FROM insight_run WHERE key = ?", "s", w->key);
    if (err == ERR_NOT_FOUND) {
        return 0;
    }
    TRY(err);
    TRY(str_copy(ret_id, UUID_BYTES, str_of(id)));
    return 1;
}

int insight_run_ask(struct store_tx *tx, const struct insight_run_wish *of,
                    char ret_id[UUID_BYTES])
{
    AUTO(wish_clear) struct wish w = {.of = of};
    bool asks = of->runbook->approval.needed && !of->at_once;
    int64_t queued = 0;
    uuid_v7(w.id);
    TRY(texts_of(&w));
    TRY(order_of(&w));
    int there = ran_already(tx, &w, ret_id);
    TRY(there);
    if (there) {
        return 0;
    }
    TRY(store_get_i64(tx, &queued,
                      "SELECT count(*) FROM insight_run WHERE target = ? AND state IN"
                      " ('waiting', 'queued')",
                      "s", w.target));
    FAIL_IF(queued >= QUEUED_AT_ONCE, ERR_LIMIT, "%lld runs wait for %s already",
            (long long)queued, w.target);
    TRY(moment_now(tx, &w.now));
    TRY(insert(tx, &w, asks ? RUN_WAITING : RUN_QUEUED));
    TRY(run_tell(tx, w.id,
                 &(struct run_note){.verb = asks ? "waits" : "asked",
                                    .actor = of->actor,
                                    .rule = of->rule,
                                    .data = w.order}));
    TRY(asks ? 0 : run_start_next(tx, w.target));
    memcpy(ret_id, w.id, UUID_BYTES);
    return 1;
}

// --- the queue of a target ------------------------------------------------------------------------------

static int begin(struct store_tx *tx, const char *id)
{
    AUTO(json_free) json_t *params = NULL;
    AUTO(cstr_free) char *subject = NULL;
    char job[UUID_BYTES];
    TRY(json_made(json_pack("{s:s}", "run", id), &params));
    TRY(cstr_printf(&subject, "run/%s", id));
    TRY(flow_submit(tx,
                    &(struct flow_job_spec){.workflow = RUNBOOK_WORKFLOW,
                                            .subject = subject,
                                            .params = params,
                                            .actor = "system"},
                    job));
    return store_exec(tx,
                      "UPDATE insight_run SET state = 'running', job = ?, began_us = ?"
                      " WHERE id = ? AND state = 'queued'",
                      "sis", job, clock_wall_us(), id);
}

int run_start_next(struct store_tx *tx, const char *target)
{
    AUTO(cstr_free) char *id = NULL;
    int err = store_get_text(
        tx, &id,
        "SELECT id FROM insight_run WHERE target = ?1 AND state = 'queued' AND NOT EXISTS"
        " (SELECT 1 FROM insight_run WHERE target = ?1 AND state = 'running')"
        " ORDER BY id LIMIT 1",
        "s", target);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : begin(tx, id);
}

int run_end(struct store_tx *tx, const struct run_row *row, const struct run_end *end)
{
    const json_t *answer = json_object_get(end->value, "answer");
    TRY(store_exec(tx,
                   "UPDATE insight_run SET state = ?, error = ?, status = ?, summary = ?,"
                   " answer = ?, ended_us = ?, expires_at = NULL WHERE id = ? AND"
                   " state = ?",
                   "ssssjiss", end->to, end->error, json_str_or(answer, "status", NULL),
                   json_str_or(answer, "summary", NULL), answer, clock_wall_us(), row->id,
                   end->from));
    if (store_changes(tx) != 1) {
        return 0;
    }
    AUTO(json_free) json_t *data = NULL;
    TRY(json_made(json_pack("{s:s?, s:s?, s:s?}", "error", end->error, "status",
                            json_str_or(answer, "status", NULL), "summary",
                            json_str_or(answer, "summary", NULL)),
                  &data));
    TRY(run_tell(tx, row->id,
                 &(struct run_note){.verb = end->to, .actor = end->actor, .data = data}));
    return run_start_next(tx, row->target);
}

// --- what people do ---------------------------------------------------------------------------------------

int insight_run_approve(struct store_tx *tx, const char *id, const char *actor)
{
    AUTO(run_row_clear) struct run_row row = {0};
    struct moment now;
    int64_t expires = 0;
    TRY(run_row_load(tx, id, &row));
    TRY(moment_now(tx, &now));
    FAIL_IF(strcmp(row.state, RUN_WAITING) != 0, ERR_CONFLICT,
            "this run is %s: nothing waits for an approval", row.state);
    TRY(store_get_i64(tx, &expires, "SELECT expires_at FROM insight_run WHERE id = ?",
                      "s", id));
    FAIL_IF(now.at >= expires, ERR_CONFLICT, "it waited too long, and expired");
    TRY(store_exec(tx,
                   "UPDATE insight_run SET state = 'queued', approved_by = ?,"
                   " expires_at = NULL WHERE id = ?",
                   "ss", actor, id));
    TRY(run_tell(tx, id, &(struct run_note){.verb = "approved", .actor = actor}));
    return run_start_next(tx, row.target);
}

int insight_run_refuse(struct store_tx *tx, const char *id, const char *actor)
{
    AUTO(run_row_clear) struct run_row row = {0};
    TRY(run_row_load(tx, id, &row));
    FAIL_IF(strcmp(row.state, RUN_WAITING) != 0, ERR_CONFLICT,
            "this run is %s: there is nothing to refuse", row.state);
    return run_end(
        tx, &row,
        &(struct run_end){.from = RUN_WAITING, .to = RUN_REFUSED, .actor = actor});
}

int insight_run_cancel(struct store_tx *tx, const char *id, const char *actor)
{
    AUTO(run_row_clear) struct run_row row = {0};
    TRY(run_row_load(tx, id, &row));
    bool runs = strcmp(row.state, RUN_RUNNING) == 0;
    FAIL_IF(!runs && strcmp(row.state, RUN_WAITING) != 0 &&
                strcmp(row.state, RUN_QUEUED) != 0,
            ERR_CONFLICT, "this run is %s: it has ended", row.state);
    TRY(run_end(
        tx, &row,
        &(struct run_end){.from = row.state, .to = RUN_CANCELLED, .actor = actor}));
    return runs && row.job ? flow_cancel(tx, row.job, actor) : 0;
}

// --- what time does -------------------------------------------------------------------------------------

typedef VEC(struct run_row) run_list;

static int list_into(struct store_tx *tx, struct store_rows *r, run_list *out)
{
    int more;
    while ((more = store_next(r)) > 0) {
        struct run_row row = {0};
        TRY(run_row_load(tx, store_text(r, 0), &row));
        if (vec_push(out, row) < 0) {
            run_row_clear(&row);
            return ERR_NOMEM;
        }
    }
    return more;
}

static void list_free(run_list *list)
{
    vec_for_each (row, list) {
        run_row_clear(row);
    }
    vec_free(list);
}

static int expire(struct store_tx *tx, const struct moment *now)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(list_free) run_list list = {0};
    TRY(store_query(
        tx, &r, "SELECT id FROM insight_run WHERE state = 'waiting' AND expires_at <= ?",
        "i", now->at));
    TRY(list_into(tx, r, &list));
    store_rows_free(&r);
    vec_for_each (row, &list) {
        TRY(run_end(tx, row,
                    &(struct run_end){.from = RUN_WAITING,
                                      .to = RUN_EXPIRED,
                                      .error = "nobody approved it in time"}));
    }
    return 0;
}

// Nobody took the attempt for wait_s: no agent of that name asks.
static int give_up_agents(struct store_tx *tx)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(list_free) run_list list = {0};
    TRY(store_query(
        tx, &r,
        "SELECT r.id FROM insight_run r WHERE r.state = 'running' AND r.server IS NOT "
        "NULL"
        " AND max(r.began_us, coalesce((SELECT max(ended_us) FROM insight_run_attempt"
        "  WHERE run = r.id), 0)) + r.wait_s * 1000000 < ?"
        " AND coalesce((SELECT seen_us FROM insight_agent WHERE name = r.server), 0)"
        "  + r.wait_s * 1000000 < ?",
        "ii", clock_wall_us(), clock_wall_us()));
    TRY(list_into(tx, r, &list));
    store_rows_free(&r);
    vec_for_each (row, &list) {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_printf(&why, "no agent of %s asked for it in time", row->lane + 6));
        TRY(run_end(
            tx, row,
            &(struct run_end){.from = RUN_RUNNING, .to = RUN_FAILED, .error = why}));
        TRY(flow_cancel(tx, row->job, "system"));
    }
    return 0;
}

static bool is_due(struct store *store)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t one = 0;
    return store_begin(store, STORE_READ, &tx) == 0 &&
           store_get_i64(tx, &one,
                         "SELECT 1 FROM insight_run WHERE state = 'waiting' OR"
                         " (state = 'running' AND server IS NOT NULL) LIMIT 1",
                         "") == 0;
}

int insight_runs_tend(struct store *store)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    struct moment now;
    if (!is_due(store)) {
        return 0;
    }
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(moment_now(tx, &now));
    TRY(expire(tx, &now));
    TRY(flow_lapse(tx));
    TRY(give_up_agents(tx));
    return store_commit(&tx);
}
