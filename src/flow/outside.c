// SPDX-License-Identifier: GPL-3.0-or-later
//
// Steps that no process of the executor runs: taken by lease from their lane, by who runs them elsewhere.
//
//     waiting ──take──▶ running (lease) ──give──▶ done
//        ▲                 │ keep: a longer lease
//        └── lapse: the lease ended; the fence counts on, and who had it commits nothing
#include "flow/attempt.h"

#include <stdlib.h>
#include <string.h>

void flow_taken_clear(struct flow_taken *t)
{
    json_free(&t->params);
}

static int find(struct store_tx *tx, const char *lane, int64_t *ret_step)
{
    int err = store_get_i64(tx, ret_step,
                            "SELECT id FROM flow_step WHERE lane = ? AND state ="
                            " '" STEP_WAITING "' AND not_before_us <= ?"
                            " ORDER BY urgency DESC, job, priority DESC, id LIMIT 1",
                            "si", lane, clock_wall_us());
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

static int read_taken(struct store_tx *tx, int64_t step, struct flow_taken *ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    AUTO(json_free) json_t *spec = NULL;
    TRY(store_query(tx, &r, "SELECT job, fence, spec FROM flow_step WHERE id = ?", "i",
                    step));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_NOT_FOUND, "there is no such step");
    TRY(str_copy(ret->job, sizeof ret->job, str_of(store_text(r, 0))));
    TRY(store_json(r, 2, &spec));
    ret->step = step;
    ret->fence = store_i64(r, 1);
    ret->params = json_incref(json_object_get(spec, "params"));
    return 0;
}

int flow_take(struct store_tx *tx, const char *lane, int64_t lease_us,
              struct flow_taken *ret)
{
    struct flow_taken taken = {0};
    int64_t step = 0;
    FAIL_IF(!*lane || strcmp(lane, FLOW_ASIDE) == 0, ERR_INVALID,
            "that lane is the executor's own");
    TRY(flow_lapse(tx));
    int found = find(tx, lane, &step);
    TRY(found);
    if (!found) {
        return 0;
    }
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = '" STEP_RUNNING "', fence = fence + 1,"
                   " attempts = attempts + 1, progress_ppm = 0, lease_us = ?"
                   " WHERE id = ?",
                   "ii", clock_wall_us() + lease_us, step));
    int err = read_taken(tx, step, &taken);
    err = err < 0 ? err : job_works(tx, taken.job);
    if (err < 0) {
        flow_taken_clear(&taken);
        return err;
    }
    *ret = taken;
    return 1;
}

int flow_keep(struct store_tx *tx, const struct flow_taken *t, int64_t lease_us)
{
    TRY(store_exec(tx,
                   "UPDATE flow_step SET lease_us = ? WHERE id = ? AND fence = ? AND"
                   " state = '" STEP_RUNNING "' AND lease_us > 0",
                   "iii", clock_wall_us() + lease_us, t->step, t->fence));
    FAIL_IF(store_changes(tx) != 1, ERR_FENCED, "the step is another's, or was ended");
    return 0;
}

int flow_lapse(struct store_tx *tx)
{
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = CASE (SELECT state FROM flow_job WHERE"
                   " id = job) WHEN '" JOB_RUNNING "' THEN '" STEP_WAITING
                   "' ELSE '" STEP_HELD "' END, fence = fence + 1, lease_us = 0"
                   " WHERE state = '" STEP_RUNNING "' AND lane <> '' AND lease_us > 0"
                   " AND lease_us < ?",
                   "i", clock_wall_us()));
    return (int)store_changes(tx);
}

// --- what came of it ------------------------------------------------------------------------------

static int add_output(struct attempt *a, const struct flow_output *from)
{
    struct made_output made = {.blob = from->blob, .size = from->size};
    TRY(cstr_dup(&made.name, from->name));
    if (vec_push(&a->outputs, made) < 0) {
        cstr_free(&made.name);
        return ERR_NOMEM;
    }
    return 0;
}

static int load(struct store_tx *tx, const struct flow_taken *t, struct attempt *a,
                struct flow_step_type *type)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r, "SELECT job, type, cost FROM flow_step WHERE id = ?", "i",
                    t->step));
    int found = store_next(r);
    TRY(found);
    FAIL_IF(!found, ERR_FENCED, "the step is gone");
    TRY(str_copy(a->job, sizeof a->job, str_of(store_text(r, 0))));
    TRY(cstr_dup(&a->name, store_text(r, 1))); // its type's: nobody reads another
    a->cost = store_i64(r, 2);
    a->step = t->step;
    a->fence = t->fence;
    a->type = type;
    type->name = a->name;
    return claim_parts(tx, a);
}

int flow_give(struct store *store, struct store_tx *tx, const struct flow_taken *t,
              const json_t *value, const struct flow_output *outputs, size_t count)
{
    AUTO(attempt_free) struct attempt *a = NULL;
    struct flow_step_type type = {0};
    const struct flow_executor_config config = {.store = store};
    json_t *taken = json_incref((json_t *)(uintptr_t)value);
    TRY(attempt_new(&a));
    TRY(json_made(json_pack("{s:[{s:o}]}", "parts", "value", taken), &a->result));
    TRY(load(tx, t, a, &type));
    for (size_t i = 0; i < count; i++) {
        TRY(add_output(a, &outputs[i]));
    }
    TRY(claim_settle(tx, &config, a));
    FAIL_IF(!a->settled, ERR_FENCED, "the step is another's, or was ended");
    return 0;
}
