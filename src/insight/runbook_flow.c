// SPDX-License-Identifier: GPL-3.0-or-later
//
// A run as a job of flow: each attempt is a step, wanted when the one before has failed and attempts are left.
// A step itself never fails for what the program did: its value says what came of it. What fails a step is the
// end of its process; then the attempt is begun by nobody again (runbook_attempt.c), and counts as lost.
#include "insight/runbook_parts.h"
#include "insight/runbook_sweep.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URGENCY         1000 // before what anybody encodes
#define DETECTOR_FORMAT "runbook-%s@1"

struct course { // of one run, in one call of the workflow
    struct flow_run *run;
    struct run_row row;
};

static void course_clear(struct course *c)
{
    run_row_clear(&c->row);
}

// --- one attempt in rows ---------------------------------------------------------------------------------

static int refer(struct store_tx *tx, const char *owner, const struct flow_result *result,
                 const char *name, char ret_hex[HASH_HEX_BYTES])
{
    const struct flow_output *output = result ? flow_result_output(result, name) : NULL;
    ret_hex[0] = '\0';
    if (!output) {
        return 0;
    }
    hash_hex(&output->blob, ret_hex);
    return store_ref_add(tx, owner, &output->blob);
}

static int note_attempt(struct course *c, int64_t attempt, const json_t *value,
                        const struct flow_result *result)
{
    struct store_tx *tx = flow_run_tx(c->run);
    AUTO(cstr_free) char *owner = NULL;
    AUTO(json_free) json_t *data = NULL;
    char out[HASH_HEX_BYTES], err[HASH_HEX_BYTES];
    TRY(store_exec(tx,
                   "INSERT OR IGNORE INTO insight_run_attempt (run, attempt, value,"
                   " ended_us) VALUES (?, ?, ?, ?)",
                   "siji", c->row.id, attempt, value, clock_wall_us()));
    if (store_changes(tx) == 0) {
        return 0;
    }
    TRY(cstr_printf(&owner, "insight:run/%s", c->row.id));
    TRY(refer(tx, owner, result, "stdout", out));
    TRY(refer(tx, owner, result, "stderr", err));
    TRY(store_exec(tx,
                   "UPDATE insight_run_attempt SET out_hash = ?, err_hash = ?"
                   " WHERE run = ? AND attempt = ?",
                   "sssi", out[0] ? out : NULL, err[0] ? err : NULL, c->row.id, attempt));
    TRY(json_made(json_pack("{s:I, s:s, s:s?, s:s?, s:s?}", "attempt",
                            (json_int_t)attempt, "outcome",
                            json_str_or(value, "outcome", "lost"), "reason",
                            json_str_or(value, "reason", NULL), "stdout",
                            out[0] ? out : NULL, "stderr", err[0] ? err : NULL),
                  &data));
    return run_tell(tx, c->row.id, &(struct run_note){.verb = "tried", .data = data});
}

static int put_findings(struct course *c, const json_t *value)
{
    AUTO(findings_free) struct findings list = {0};
    AUTO(cstr_free) char *subject = NULL, *detector = NULL;
    const json_t *all = json_object_get(json_object_get(value, "answer"), "findings");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *item = json_array_get(all, i);
        struct finding f = finding_about_file("", FINDING_WARNING);
        TRY(str_copy(f.kind, sizeof f.kind, str_of(json_str_or(item, "kind", ""))));
        TRY(finding_severity_parse(str_of(json_str_or(item, "severity", "warning")),
                                   &f.severity));
        f.evidence = json_deep_copy(json_object_get(item, "evidence"));
        TRY(findings_add(&list, &f));
    }
    TRY(cstr_printf(&subject, "server/%s", c->row.target));
    TRY(cstr_printf(&detector, DETECTOR_FORMAT,
                    json_str_or(c->row.order, "runbook", "")));
    return bus_findings_put(flow_run_tx(c->run), subject, detector, &list);
}

static int end(struct course *c, const char *state, const char *error,
               const json_t *value)
{
    json_t *result = NULL;
    TRY(run_end(flow_run_tx(c->run), &c->row,
                &(struct run_end){
                    .from = RUN_RUNNING, .to = state, .error = error, .value = value}));
    TRY(json_made(json_pack("{s:s, s:s}", "run", c->row.id, "state", state), &result));
    return flow_finish(c->run, result);
}

// --- the course of attempts --------------------------------------------------------------------------------

// Full jitter: anywhere from nothing to the pause itself.
static int draw_pause_us(const struct run_row *row, int64_t attempt, int64_t *ret)
{
    uint64_t drawn = 0;
    int64_t ms = row->cap_ms;
    int64_t doublings = attempt - 2;
    if (doublings < 30 && row->base_ms << doublings < row->cap_ms) {
        ms = row->base_ms << doublings;
    }
    TRY(random_bytes(&drawn, sizeof drawn));
    *ret = (int64_t)(drawn % (uint64_t)(ms + 1)) * 1000;
    return 0;
}

static int want_attempt(struct course *c, int64_t attempt, const struct flow_result **ret)
{
    AUTO(json_free) json_t *params = NULL;
    AUTO(cstr_free) char *name = NULL;
    int64_t pause_us = 0;
    TRY(cstr_printf(&name, "attempt/%lld", (long long)attempt));
    TRY(attempt > 1 ? draw_pause_us(&c->row, attempt, &pause_us) : 0);
    TRY(json_made(json_pack("{s:O, s:I, s:s}", "order", c->row.order, "attempt",
                            (json_int_t)attempt, "folder",
                            store_dir(flow_run_store(c->run))),
                  &params));
    int64_t cost = json_i64_or(c->row.order, "timeout_ms", 60000);
    return flow_want(c->run,
                     &(struct flow_step_spec){
                         .name = name,
                         .type = RUNBOOK_STEP,
                         .params = params,
                         .urgency = URGENCY,
                         .cost = cost,
                         .lane = c->row.lane,
                         .not_before_us = pause_us ? clock_wall_us() + pause_us : 0},
                     ret);
}

// The process of the attempt ended again and again: as lost as one that was begun and did not end.
static int lost_value(json_t **ret)
{
    return json_made(json_pack("{s:s, s:s}", "outcome", "lost", "reason", err_reason()),
                     ret);
}

static int course(struct course *c)
{
    for (int64_t attempt = 1;; attempt++) {
        const struct flow_result *result = NULL;
        AUTO(json_free) json_t *value = NULL;
        int done = want_attempt(c, attempt, &result);
        if (done == 0 || done == ERR_NOMEM) {
            return done;
        }
        if (done < 0) {
            TRY(lost_value(&value));
        } else {
            value = json_incref((json_t *)(uintptr_t)result->value);
        }
        TRY(note_attempt(c, attempt, value, done > 0 ? result : NULL));
        if (strcmp(json_str_or(value, "outcome", ""), "ok") == 0) {
            TRY(put_findings(c, value));
            return end(c, RUN_DONE, NULL, value);
        }
        if (attempt >= c->row.most_attempts) {
            return end(c, RUN_FAILED, json_str_or(value, "reason", "it failed"), value);
        }
    }
}

static int advance(struct flow_run *run, void *unused)
{
    AUTO(course_clear) struct course c = {.run = run};
    const char *id = NULL;
    json_t *result = NULL;
    (void)unused;
    TRY(json_get_str(flow_run_params(run), "run", &id));
    TRY(run_row_load(flow_run_tx(run), id, &c.row));
    if (strcmp(c.row.state, RUN_RUNNING) == 0) {
        return course(&c);
    }
    TRY(json_made(json_pack("{s:s, s:s}", "run", id, "state", c.row.state), &result));
    return flow_finish(run, result);
}

// Cancelled, or failed for a reason of flow's own: what the program left running ends.
static int on_failed(struct store_tx *tx, const char *job, const json_t *params, int err,
                     const char *reason, void *unused)
{
    AUTO(run_row_clear) struct run_row row = {0};
    (void)job, (void)err, (void)unused;
    TRY(run_row_load(tx, json_str_or(params, "run", ""), &row));
    if (strcmp(row.lane, FLOW_ASIDE) == 0) {
        runbook_sweep(RUNBOOK_RUN_MARK, row.id);
    }
    return run_end(
        tx, &row,
        &(struct run_end){.from = RUN_RUNNING, .to = RUN_FAILED, .error = reason});
}

struct flow_workflow insight_runbook_workflow(void)
{
    return (struct flow_workflow){
        .name = RUNBOOK_WORKFLOW, .advance = advance, .on_failed = on_failed};
}

// --- the step -----------------------------------------------------------------------------------------------

static int write_output(struct flow_step *step, const char *name, const struct buf *text)
{
    AUTO(cstr_free) char *path = NULL;
    if (!text->len) {
        return 0;
    }
    TRY(flow_step_output(step, "main", name, &path));
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("%s", path);
    }
    return fd_write_all(fd, text->data, text->len);
}

struct pulse {
    struct flow_step *step;
    int64_t began_us, timeout_us;
};

// That it still runs is told, so that nobody takes a long one for a stuck one.
static bool tell_alive(void *user)
{
    const struct pulse *p = user;
    int64_t done = clock_mono_us() - p->began_us;
    flow_step_progress(p->step, MIN(done, p->timeout_us - 1), p->timeout_us);
    return false;
}

static int step_run(struct flow_step *step)
{
    const json_t *params = flow_step_params(step);
    AUTO(insight_attempt_clear) struct insight_attempt a = {0};
    AUTO(json_free) json_t *order = NULL;
    AUTO(cstr_free) char *folder = NULL;
    const char *data = NULL;
    json_t *kept = NULL;
    TRY(json_get_str(params, "folder", &data));
    TRY(json_get_object(params, "order", &kept));
    TRY(json_made(json_copy(kept), &order));
    FAIL_IF(json_object_set(order, "attempt", json_object_get(params, "attempt")) != 0,
            ERR_NOMEM, "an attempt");
    TRY(cstr_printf(&folder, "%s/runbooks", data));
    struct pulse pulse = {step, clock_mono_us(),
                          json_i64_or(order, "timeout_ms", 60000) * 1000};
    TRY(insight_attempt_run(
        &(struct insight_attempt_config){
            .order = order, .folder = folder, .stop = tell_alive, .user = &pulse},
        &a));
    TRY(write_output(step, "stdout", &a.out));
    TRY(write_output(step, "stderr", &a.err));
    return flow_step_result(step, "main", TAKE(a.value));
}

const struct flow_step_type insight_step_types[] = {
    {RUNBOOK_STEP, 1, INT64_C(16) << 20, step_run}};
const size_t insight_step_type_count = ARRAY_LEN(insight_step_types);
