// SPDX-License-Identifier: GPL-3.0-or-later
//
// Steps in rows, from waiting to done:
//
//     waiting ──claim──▶ running ──settle──▶ done
//        ▲                  │  └───────────▶ failed   (a deterministic error, or the last attempt)
//        └── retry, release ┘
//
// Each claim, and each act that takes a step away from its runner (cancel, another wish of the
// same name, a new executor), counts the fence on. A settlement names the fence of its claim and
// changes nothing when it is no longer the step's.
#include "flow/attempt.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AHEAD 64 // waiting steps looked at in one go

// Worth another attempt: the cause may lie outside of the step.
static bool may_pass(int err)
{
    switch (err) {
    case ERR_CRASHED:
    case ERR_KILLED:
    case ERR_IO:
    case ERR_NO_SPACE:
    case ERR_NOMEM:
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_THROTTLED:
        return true;
    default:
        return false;
    }
}

static int touch_job(struct store_tx *tx, const char *job)
{
    return store_exec(
        tx,
        "UPDATE flow_job SET dirty = 1 WHERE id = ? AND state = '" JOB_RUNNING
        "' AND dirty = 0",
        "s", job);
}

// --- claim -----------------------------------------------------------------------------------------

static int read_candidate(const struct store_rows *r, struct attempt **ret)
{
    AUTO(attempt_free) struct attempt *a = NULL;
    TRY(attempt_new(&a));
    a->step = store_i64(r, 0);
    TRY(str_copy(a->job, sizeof a->job, str_of(store_text(r, 1))));
    TRY(cstr_dup(&a->name, store_text(r, 2)));
    a->cost = store_i64(r, 4);
    TRY(cstr_dup(&a->subject, store_text(r, 5)));
    TRY(store_json(r, 6, &a->spec));
    a->aside = strcmp(store_text(r, 8), FLOW_ASIDE) == 0;
    *ret = TAKE(a);
    return 0;
}

int claim_parts(struct store_tx *tx, struct attempt *a)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r,
        "SELECT position, name, key, params FROM flow_part WHERE step = ?"
        " AND NOT EXISTS (SELECT 1 FROM flow_result WHERE key = flow_part.key)"
        " ORDER BY position",
        "i", a->step));
    int more;
    while ((more = store_next(r)) > 0) {
        size_t len = 0;
        struct asked_part part = {.position = store_i64(r, 0)};
        const void *key = store_bytes(r, 2, &len);
        FAIL_IF(len != HASH_BYTES, ERR_CORRUPT, "a key of step %s", a->name);
        memcpy(part.key.bytes, key, HASH_BYTES);
        TRY(cstr_dup(&part.name, store_text(r, 1)));
        int err = store_is_null(r, 3) ? 0 : store_json(r, 3, &part.params);
        err = err < 0 ? err : vec_push(&a->parts, part);
        if (err < 0) {
            cstr_free(&part.name);
            json_free(&part.params);
            return err;
        }
    }
    return more;
}

static int finish_reused(struct store_tx *tx, const struct attempt *a)
{
    TRY(store_exec(tx, "UPDATE flow_part SET reused = 1 WHERE step = ?", "i", a->step));
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = '" STEP_DONE "', reused = 1,"
                   " progress_ppm = 1000000 WHERE id = ?",
                   "i", a->step));
    return touch_job(tx, a->job);
}

static int mark_running(struct store_tx *tx, struct attempt *a)
{
    TRY(store_exec(tx,
                   "UPDATE flow_part SET reused = 1 WHERE step = ? AND"
                   " EXISTS (SELECT 1 FROM flow_result WHERE key = flow_part.key)",
                   "i", a->step));
    TRY(job_works(tx, a->job));
    return store_get_i64(tx, &a->fence,
                         "UPDATE flow_step SET state = '" STEP_RUNNING
                         "', fence = fence + 1,"
                         " attempts = attempts + 1, progress_ppm = 0, logged = 1"
                         " WHERE id = ? RETURNING fence",
                         "i", a->step);
}

bool attempt_asks_for(const struct attempt *a, const struct hash *key)
{
    vec_for_each (part, &a->parts) {
        if (hash_eq(&part->key, key)) {
            return true;
        }
    }
    return false;
}

// Two jobs may want the same at the same time: the second waits for the first one's result.
static bool is_made_elsewhere(const struct claim_config *c,
                              const struct attempts *claimed, const struct attempt *a)
{
    vec_for_each (part, &a->parts) {
        if (c->is_made(c->user, &part->key)) {
            return true;
        }
        for (size_t i = 0; i < claimed->items.len; i++) {
            if (attempt_asks_for(claimed->items.data[i], &part->key)) {
                return true;
            }
        }
    }
    return false;
}

// Older jobs first (their ids sort by time), so that of many films the first is watched early
// instead of all of them late; within a job the longest step first.
static int list_candidates(const struct claim_config *c, struct attempts *out)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        c->tx, &r,
        "SELECT s.id, s.job, s.name, s.type, s.cost, j.subject, s.spec, s.version, s.lane"
        " FROM flow_step s INDEXED BY flow_step_waiting"
        " JOIN flow_job j ON j.id = s.job"
        " WHERE s.state = '" STEP_WAITING "' AND s.not_before_us <= ?"
        " AND s.lane IN ('', '" FLOW_ASIDE "')"
        " ORDER BY s.urgency DESC, s.job, s.priority DESC, s.cost DESC, s.id LIMIT ?",
        "ii", clock_wall_us(), (int64_t)LOOK_AHEAD));
    int more;
    while ((more = store_next(r)) > 0) {
        const struct flow_step_type *type = flow_find_type(c->executor, store_text(r, 3));
        // Wanted by another version of this program; the workflow's next call wants it anew.
        if (!type || type->version != (unsigned)store_i64(r, 7)) {
            continue;
        }
        struct attempt *a = NULL;
        TRY(read_candidate(r, &a));
        a->type = type;
        if (vec_push(&out->items, a) < 0) {
            attempt_free(&a);
            return ERR_NOMEM;
        }
    }
    return more;
}

static void attempts_free(struct attempts *list)
{
    vec_for_each (a, &list->items) {
        attempt_free(a);
    }
    vec_free(&list->items);
}

int claim_steps(const struct claim_config *c, struct attempts *out, size_t *ret_done)
{
    AUTO(attempts_free) struct attempts found = {0};
    AUTO(attempts_free) struct attempts taken = {0};
    int64_t memory = c->memory_bytes;
    size_t done = 0, in_slots = 0, aside = 0;
    bool full = c->slots == 0;
    TRY(list_candidates(c, &found));
    vec_for_each (at, &found.items) {
        bool fits =
            (*at)->type->memory_bytes <= memory || (c->idle && taken.items.len == 0);
        // Nothing overtakes a step that waits for memory, or small ones would starve it.
        full = full || in_slots >= c->slots || (!(*at)->aside && !fits);
        if ((*at)->aside ? aside >= c->aside : full) {
            continue;
        }
        TRY(claim_parts(c->tx, *at));
        if ((*at)->parts.len == 0) {
            TRY(finish_reused(c->tx, *at));
            done++;
            continue;
        }
        if (is_made_elsewhere(c, &taken, *at)) {
            continue;
        }
        TRY(mark_running(c->tx, *at));
        memory -= (*at)->type->memory_bytes;
        in_slots += !(*at)->aside;
        aside += (*at)->aside;
        TRY(vec_push(&taken.items, *at));
        *at = NULL;
    }
    TRY(vec_reserve(&out->items, out->items.len + taken.items.len));
    for (size_t i = 0; i < taken.items.len; i++) {
        TRY(vec_push(&out->items, taken.items.data[i]));
    }
    taken.items.len = 0;
    *ret_done = done;
    return 0;
}

// --- settle ----------------------------------------------------------------------------------------

static int write_outputs(struct store_tx *tx, const struct attempt *a, size_t part)
{
    const struct hash *key = &a->parts.data[part].key;
    vec_for_each (output, &a->outputs) {
        if (output->part != part) {
            continue;
        }
        TRY(store_exec(
            tx, "INSERT INTO flow_output (key, name, hash, size) VALUES (?, ?, ?, ?)",
            "bsbi", STORE_HASH(key), output->name, STORE_HASH(&output->blob),
            output->size));
        TRY(result_refer(tx, key, &output->blob));
    }
    return 0;
}

static int write_results(struct store_tx *tx, const struct attempt *a)
{
    const json_t *parts = json_object_get(a->result, "parts");
    AUTO(json_free) json_t *none = json_null();
    for (size_t i = 0; i < a->parts.len; i++) {
        const json_t *value = json_object_get(json_array_get(parts, i), "value");
        TRY(store_exec(tx,
                       "INSERT OR IGNORE INTO flow_result (key, value, created_us)"
                       " VALUES (?, ?, ?)",
                       "bji", STORE_HASH(&a->parts.data[i].key), value ? value : none,
                       clock_wall_us()));
        // The first result of a key stays: others may have read it.
        if (store_changes(tx)) {
            TRY(write_outputs(tx, a, i));
        }
    }
    return 0;
}

static int settle_done(struct store_tx *tx, struct attempt *a)
{
    TRY(store_exec(
        tx,
        "UPDATE flow_step SET state = '" STEP_DONE "', progress_ppm = 1000000,"
        " cpu_us = ?, wall_us = ?, max_rss_bytes = ?, error = NULL, reason = NULL"
        " WHERE id = ? AND fence = ? AND state = '" STEP_RUNNING "'",
        "iiiii", a->exit.cpu_us, a->wall_us, a->exit.max_rss_bytes, a->step, a->fence));
    a->settled = store_changes(tx) > 0;
    if (!a->settled) {
        return 0;
    }
    TRY(write_results(tx, a));
    TRY(rate_learn(tx, a->type->name, a->cost, a->wall_us));
    return touch_job(tx, a->job);
}

static int settle_failed(struct store_tx *tx, const struct flow_executor_config *config,
                         struct attempt *a)
{
    int64_t retry_us = config->retry_us ? config->retry_us : 1000000;
    int64_t last = a->err == ERR_KILLED ? KILL_LIMIT
                   : may_pass(a->err)   ? ATTEMPT_LIMIT
                                        : 0;
    // 1, 4, 16 … × the pause, counted in rows because attempts are.
    TRY(store_exec(
        tx,
        "UPDATE flow_step SET state = CASE"
        "   WHEN attempts >= ? THEN '" STEP_FAILED "'"
        "   WHEN (SELECT state FROM flow_job WHERE id = job) = '" JOB_RUNNING "'"
        "   THEN '" STEP_WAITING "' ELSE '" STEP_HELD "' END,"
        " not_before_us = ? + (? << 2 * min(attempts - 1, 3)), progress_ppm = 0,"
        " cpu_us = ?, wall_us = ?, max_rss_bytes = ?, error = ?, reason = ?"
        " WHERE id = ? AND fence = ? AND state = '" STEP_RUNNING "'",
        "iiiiiissii", last, clock_wall_us(), retry_us, a->exit.cpu_us, a->wall_us,
        a->exit.max_rss_bytes, err_name(a->err), a->reason ? a->reason : err_text(a->err),
        a->step, a->fence));
    a->settled = store_changes(tx) > 0;
    return a->settled ? touch_job(tx, a->job) : 0;
}

// Rows that could not be written for long (a full disk) may have outlasted the age at which blobs
// without a reference are collected.
static bool outputs_are_there(const struct flow_executor_config *config,
                              const struct attempt *a)
{
    vec_for_each (output, &a->outputs) {
        if (!store_blob_exists(store_blobs_of(config->store), &output->blob)) {
            return false;
        }
    }
    return true;
}

int claim_settle(struct store_tx *tx, const struct flow_executor_config *config,
                 struct attempt *a)
{
    if (a->lost) {
        return 0;
    }
    if (a->err == 0 && !outputs_are_there(config, a)) {
        attempt_fail(a, ERR_IO, "what the step made was gone before it was written down");
    }
    TRY(a->err == 0 ? settle_done(tx, a) : settle_failed(tx, config, a));
    return job_rests(tx, a->job);
}

int claim_release_all(struct store_tx *tx)
{
    // An executor that died did not say when: what it worked since then is not counted.
    TRY(store_exec(tx,
                   "UPDATE flow_job SET busy_since_us = NULL WHERE busy_since_us IS NOT "
                   "NULL AND state = '" JOB_RUNNING "'",
                   ""));
    return store_exec(tx,
                      "UPDATE flow_step SET state = CASE (SELECT state FROM flow_job"
                      " WHERE id = job) WHEN '" JOB_RUNNING "' THEN '" STEP_WAITING
                      "' ELSE '" STEP_HELD "' END, fence = fence + 1,"
                      " attempts = max(attempts - 1, 0), progress_ppm = 0"
                      " WHERE state = '" STEP_RUNNING "' AND lease_us = 0",
                      "");
}

int claim_holds(struct store_tx *tx, const struct attempt *a)
{
    int64_t one = 0;
    int err =
        store_get_i64(tx, &one,
                      "SELECT 1 FROM flow_step WHERE id = ? AND fence = ? AND state ="
                      " '" STEP_RUNNING "'",
                      "ii", a->step, a->fence);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}
