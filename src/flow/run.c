// SPDX-License-Identifier: GPL-3.0-or-later
//
// One call of a workflow, in one writing transaction: it reads which steps of the job exist, and
// writes what the workflow wants more. Nothing of it is kept between calls but the memo of results,
// which rows could give again.
#include "flow/internal.h"

#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 480

struct step_row {
    int64_t id;
    char *name;
    char state[8];
    struct hash sum;
    int error;
    char *reason;
};

struct flow_run {
    const struct advance_config *config;
    const struct flow_workflow *workflow;
    char *subject;
    json_t *params;
    int64_t priority;
    VEC(struct step_row) steps; // by name; as they were before this call
    bool added;                 // there are steps in rows that `steps` does not have
    size_t pending;             // wanted and neither done nor failed
    int step_error;             // a wanted step failed for good
    bool finished;
    json_t *result;
};

const char *flow_run_job(const struct flow_run *run)
{
    return run->config->job;
}

const json_t *flow_run_params(const struct flow_run *run)
{
    return run->params;
}

struct store_tx *flow_run_tx(struct flow_run *run)
{
    return run->config->tx;
}

struct store *flow_run_store(struct flow_run *run)
{
    return run->config->executor->store;
}

static void step_row_free(struct step_row *row)
{
    cstr_free(&row->name);
    cstr_free(&row->reason);
}

static void run_free(struct flow_run *run)
{
    vec_for_each (row, &run->steps) {
        step_row_free(row);
    }
    vec_free(&run->steps);
    cstr_free(&run->subject);
    json_free(&run->params);
    json_free(&run->result);
}

#define STEP_COLUMNS "id, name, state, sum, error, reason"

static int read_step_row(const struct store_rows *r, struct step_row *ret)
{
    size_t len = 0;
    struct step_row row = {.id = store_i64(r, 0)};
    const void *sum = store_bytes(r, 3, &len);
    FAIL_IF(len != HASH_BYTES, ERR_CORRUPT, "step %lld", (long long)row.id);
    memcpy(row.sum.bytes, sum, HASH_BYTES);
    TRY(str_copy(row.state, sizeof row.state, str_of(store_text(r, 2))));
    row.error = store_is_null(r, 4) ? 0 : err_from_name(store_text(r, 4));
    int err = cstr_dup(&row.name, store_text(r, 1));
    if (err == 0 && !store_is_null(r, 5)) {
        err = cstr_dup(&row.reason, store_text(r, 5));
    }
    if (err < 0) {
        step_row_free(&row);
        return err;
    }
    *ret = row;
    return 0;
}

static int load_steps(struct flow_run *run)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(flow_run_tx(run), &r,
                    "SELECT " STEP_COLUMNS " FROM flow_step WHERE job = ? ORDER BY name",
                    "s", run->config->job));
    int more;
    while ((more = store_next(r)) > 0) {
        struct step_row row = {0};
        TRY(read_step_row(r, &row));
        if (vec_push(&run->steps, row) < 0) {
            step_row_free(&row);
            return ERR_NOMEM;
        }
    }
    return more;
}

static int by_name(const void *name, const void *row)
{
    return strcmp(name, ((const struct step_row *)row)->name);
}

static const struct step_row *find_step(const struct flow_run *run, const char *name)
{
    return run->steps.len ? bsearch(name, run->steps.data, run->steps.len,
                                    sizeof *run->steps.data, by_name)
                          : NULL;
}

// --- wanting --------------------------------------------------------------------------------

struct wanted {
    const struct flow_step_spec *spec;
    const struct flow_step_type *type;
    const struct hash *keys;
    struct hash sum;
};

static int write_parts(struct flow_run *run, const struct wanted *w, int64_t step,
                       bool *ret_all)
{
    struct store_tx *tx = flow_run_tx(run);
    struct store_blobs *blobs = store_blobs_of(flow_run_store(run));
    bool all = true;
    for (size_t i = 0; i < flow_part_count(w->spec); i++) {
        struct flow_part part = flow_part_at(w->spec, i);
        int there = result_exists(tx, blobs, &w->keys[i]);
        TRY(there);
        all = all && there;
        TRY(store_exec(tx,
                       "INSERT INTO flow_part (step, position, name, key, reused, params)"
                       " VALUES (?, ?, ?, ?, ?, ?)",
                       "iisbij", step, (int64_t)i, part.name, STORE_HASH(&w->keys[i]),
                       (int64_t)there, part.params));
    }
    *ret_all = all;
    return 0;
}

// Writes the step as wanted, over an older wish of the same name where there is one. 1 when all
// its parts have results.
static int write_step(struct flow_run *run, const struct wanted *w)
{
    struct store_tx *tx = flow_run_tx(run);
    AUTO(json_free) json_t *spec = NULL;
    int64_t id = 0;
    bool all = false;
    TRY(flow_spec_json(w->spec, &spec));
    TRY(store_get_i64(
        tx, &id,
        "INSERT INTO flow_step (job, name, type, version, sum, urgency,"
        " priority, cost, spec, state, lane, not_before_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (job, name) DO UPDATE SET type = excluded.type,"
        " version = excluded.version, sum = excluded.sum,"
        " urgency = excluded.urgency, priority = excluded.priority, cost = excluded.cost,"
        " spec = excluded.spec, state = excluded.state, fence = fence + 1,"
        " lane = excluded.lane, lease_us = 0,"
        " attempts = 0, not_before_us = excluded.not_before_us, progress_ppm = 0,"
        " reused = 0, error = NULL, reason = NULL RETURNING id",
        "sssibiiijssi", run->config->job, w->spec->name, w->spec->type,
        (int64_t)w->type->version, STORE_HASH(&w->sum), run->priority + w->spec->urgency,
        (int64_t)w->spec->priority, MAX(w->spec->cost, (int64_t)1), spec, STEP_WAITING,
        w->spec->lane ? w->spec->lane : "", w->spec->not_before_us));
    TRY(store_exec(tx, "DELETE FROM flow_part WHERE step = ?", "i", id));
    TRY(write_parts(run, w, id, &all));
    run->added = true;
    if (!all) {
        return 0;
    }
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = '" STEP_DONE "', reused = 1,"
                   " progress_ppm = 1000000 WHERE id = ?",
                   "i", id));
    return 1;
}

static int results_of(struct flow_run *run, const struct wanted *w, int64_t step,
                      const struct flow_result **ret)
{
    TRY(memo_results(run->config->memo, flow_run_tx(run), step, &w->sum,
                     flow_part_count(w->spec), ret));
    return 1;
}

// Another job found that a blob of a result is lost, and deleted the result: made anew.
#define RESULT_IS_GONE 2

static int answer(struct flow_run *run, const struct wanted *w,
                  const struct step_row *row, const struct flow_result **ret)
{
    if (strcmp(row->state, STEP_DONE) == 0) {
        int got = results_of(run, w, row->id, ret);
        return got == ERR_NOT_FOUND ? RESULT_IS_GONE : got;
    }
    if (strcmp(row->state, STEP_FAILED) == 0) {
        run->step_error = row->error;
        FAIL(row->error, "step %s: %s", row->name, row->reason ? row->reason : "");
    }
    run->pending++;
    return 0;
}

// The step by that name, also one of this very call. ERR_NOT_FOUND when it is new.
static int look_up(struct flow_run *run, const char *name, struct step_row *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(flow_run_tx(run), &r,
                    "SELECT " STEP_COLUMNS " FROM flow_step WHERE job = ? AND name = ?",
                    "ss", run->config->job, name));
    int found = store_next(r);
    TRY(found);
    return found ? read_step_row(r, ret) : ERR_NOT_FOUND;
}

static int want(struct flow_run *run, const struct wanted *w,
                const struct flow_result **ret)
{
    const struct step_row *row = find_step(run, w->spec->name);
    if (row && hash_eq(&row->sum, &w->sum)) {
        int err = answer(run, w, row, ret);
        if (err != RESULT_IS_GONE) {
            return err;
        }
    }
    struct step_row now = {0};
    int err = run->added ? look_up(run, w->spec->name, &now) : ERR_NOT_FOUND;
    if (err == 0 && hash_eq(&now.sum, &w->sum)) {
        err = answer(run, w, &now, ret);
        if (err != RESULT_IS_GONE) {
            step_row_free(&now);
            return err;
        }
    }
    step_row_free(&now);
    FAIL_IF(err < 0 && err != ERR_NOT_FOUND, err, "%s", err_reason());
    int done = write_step(run, w);
    TRY(done);
    if (!done) {
        run->pending++;
        return 0;
    }
    TRY(look_up(run, w->spec->name, &now));
    err = results_of(run, w, now.id, ret);
    step_row_free(&now);
    return err;
}

int flow_want(struct flow_run *run, const struct flow_step_spec *spec,
              const struct flow_result **ret)
{
    struct wanted w = {
        spec, flow_find_type(run->config->executor, spec->type), NULL, {{0}}};
    FAIL_IF(!w.type, ERR_UNSUPPORTED, "there is no step '%s'", spec->type);
    FAIL_IF(!spec->name || !*spec->name || flow_part_count(spec) == 0, ERR_INVALID,
            "a step of type '%s' without name or parts", spec->type);
    struct hash *keys = calloc(flow_part_count(spec), sizeof *keys);
    FAIL_IF(!keys, ERR_NOMEM, "keys");
    int err = flow_keys(spec, w.type, run->config->executor->toolchain, keys, &w.sum);
    w.keys = keys;
    err = err < 0 ? err : want(run, &w, ret);
    free(keys);
    return err;
}

// --- what a workflow does once -----------------------------------------------------------------

// Runs inside a savepoint: what fails leaves nothing, and the transaction can still say so.
static int nested(struct store_tx *tx, flow_apply_f *apply, void *user)
{
    TRY(store_exec(tx, "SAVEPOINT flow_nested", ""));
    int err = apply(tx, user);
    if (err >= 0) {
        return store_exec(tx, "RELEASE flow_nested", "");
    }
    AUTO(cstr_free) char *why = NULL;
    (void)cstr_dup(&why, err_reason());
    TRY(store_exec(tx, "ROLLBACK TO flow_nested", ""));
    TRY(store_exec(tx, "RELEASE flow_nested", ""));
    return err_fail(err, "%s", why ? why : err_text(err));
}

int flow_expect(struct flow_run *run, const char *type, int64_t cost)
{
    return store_exec(flow_run_tx(run),
                      "INSERT INTO flow_expected (job, type, cost) VALUES (?, ?, ?)"
                      " ON CONFLICT (job, type) DO UPDATE SET cost = excluded.cost",
                      "ssi", run->config->job, type, MAX(cost, INT64_C(-1)));
}

int flow_once(struct flow_run *run, const char *name, flow_apply_f *apply, void *user)
{
    struct store_tx *tx = flow_run_tx(run);
    TRY(store_exec(tx, "INSERT OR IGNORE INTO flow_once (job, name) VALUES (?, ?)", "ss",
                   run->config->job, name));
    if (store_changes(tx) == 0) {
        return 0;
    }
    int err = nested(tx, apply, user);
    if (err < 0) {
        AUTO(cstr_free) char *why = NULL;
        (void)cstr_dup(&why, err_reason());
        TRY(store_exec(tx, "DELETE FROM flow_once WHERE job = ? AND name = ?", "ss",
                       run->config->job, name));
        return err_fail(err, "%s", why ? why : err_text(err));
    }
    return 0;
}

int flow_finish(struct flow_run *run, json_t *result)
{
    FAIL_IF(!result, ERR_NOMEM, "a result");
    json_free(&run->result);
    run->result = result;
    run->finished = true;
    return 0;
}

// --- the end of a job ---------------------------------------------------------------------------

struct ending {
    const struct flow_run *run;
    int err;
    const char *reason;
};

static int call_hook(struct store_tx *tx, void *user)
{
    const struct ending *e = user;
    return e->run->workflow->on_failed(tx, e->run->config->job, e->run->params, e->err,
                                       e->reason, e->run->workflow->user);
}

static void tell_failed(struct flow_run *run, int err, const char *reason)
{
    struct ending e = {run, err, reason};
    if (run->workflow && run->workflow->on_failed &&
        nested(flow_run_tx(run), call_hook, &e) < 0) {
        log_error("flow", "job %s: after its failure: %s", run->config->job,
                  err_reason());
    }
}

static int end_job(struct flow_run *run, const char *state, int err, const char *reason)
{
    struct store_tx *tx = flow_run_tx(run);
    TRY(store_exec(tx,
                   "UPDATE flow_job SET state = ?, dirty = 0, error = ?, reason = ?,"
                   " result = ?, finished_us = ?, remaining_us = 0,"
                   " progress_ppm = CASE ? WHEN 1 THEN 1000000 ELSE progress_ppm END"
                   " WHERE id = ?",
                   "sssjiis", state, err ? err_name(err) : NULL, err ? reason : NULL,
                   run->finished ? run->result : NULL, clock_wall_us(),
                   (int64_t)(err == 0), run->config->job));
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = '" STEP_HELD "' WHERE job = ?"
                   " AND state = '" STEP_WAITING "'",
                   "s", run->config->job));
    TRY(job_rests(tx, run->config->job));
    TRY(job_emit(tx, run->config->job, err ? "job.failed.v1" : "job.done.v1", "system"));
    return 1;
}

static int fail_job(struct flow_run *run, int err)
{
    char reason[REASON_BYTES] = "";
    struct str why = str_of(err_reason());
    why.len = MIN(why.len, sizeof reason - 1);
    // The text may have been cut inside of a letter.
    for (int i = 0; i < 3 && why.len && !str_is_utf8(why); i++) {
        why.len--;
    }
    if (!str_is_utf8(why) || str_copy(reason, sizeof reason, why) < 0) {
        TRY(str_copy(reason, sizeof reason, str_of(err_text(err))));
    }
    tell_failed(run, err, reason);
    return end_job(run, JOB_FAILED, err, reason);
}

// What the machine may mend by itself: then the call is repeated, and the job goes on.
static bool may_pass(int err)
{
    return err == ERR_NO_SPACE || err == ERR_NOMEM || err == ERR_BUSY || err == ERR_IO;
}

static int load_job(struct flow_run *run, char **ret_state, bool *ret_hook_due)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    const struct flow_executor_config *e = run->config->executor;
    TRY(store_query(
        flow_run_tx(run), &r,
        "SELECT workflow, subject, params, priority, state, hook_due FROM flow_job"
        " WHERE id = ?",
        "s", run->config->job));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "job %s", run->config->job);
    for (size_t i = 0; i < e->workflow_count; i++) {
        if (strcmp(e->workflows[i].name, store_text(r, 0)) == 0) {
            run->workflow = &e->workflows[i];
        }
    }
    TRY(cstr_dup(&run->subject, store_text(r, 1)));
    TRY(store_json(r, 2, &run->params));
    run->priority = store_i64(r, 3);
    *ret_hook_due = store_i64(r, 5) != 0;
    return cstr_dup(ret_state, store_text(r, 4));
}

static int advance(struct flow_run *run)
{
    struct store_tx *tx = flow_run_tx(run);
    if (!run->workflow) {
        return fail_job(run,
                        err_fail(ERR_UNSUPPORTED, "this program has no such workflow"));
    }
    TRY(load_steps(run));
    int err = run->workflow->advance(run, run->workflow->user);
    if (err < 0 && may_pass(err) && !run->step_error) {
        return err;
    }
    if (err >= 0 && !run->finished && run->pending == 0) {
        err = err_fail(ERR_INTERNAL, "the workflow neither wants a step nor ends");
    }
    if (err < 0) {
        return fail_job(run, err);
    }
    if (run->finished) {
        return end_job(run, JOB_DONE, 0, NULL);
    }
    return store_exec(tx, "UPDATE flow_job SET dirty = 0 WHERE id = ?", "s",
                      run->config->job);
}

// The job was ended by who knew no workflow (flow_cancel).
static int tell_ended(struct flow_run *run)
{
    AUTO(cstr_free) char *name = NULL;
    AUTO(cstr_free) char *reason = NULL;
    struct store_tx *tx = flow_run_tx(run);
    TRY(store_get_text(tx, &name, "SELECT error FROM flow_job WHERE id = ?", "s",
                       run->config->job));
    TRY(store_get_text(tx, &reason, "SELECT reason FROM flow_job WHERE id = ?", "s",
                       run->config->job));
    tell_failed(run, err_from_name(name ? name : "INTERNAL"), reason ? reason : "");
    return 0;
}

int job_advance(const struct advance_config *config)
{
    AUTO(run_free) struct flow_run run = {.config = config};
    AUTO(cstr_free) char *state = NULL;
    bool hook_due = false;
    TRY(load_job(&run, &state, &hook_due));
    if (strcmp(state, JOB_RUNNING) == 0) {
        return advance(&run);
    }
    if (hook_due) {
        TRY(tell_ended(&run));
    }
    TRY(store_exec(config->tx, "UPDATE flow_job SET dirty = 0, hook_due = 0 WHERE id = ?",
                   "s", config->job));
    return 1;
}
