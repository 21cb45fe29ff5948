// SPDX-License-Identifier: GPL-3.0-or-later
//
// Jobs as rows. A change that concerns a workflow sets `dirty`: an executor, in this process or
// another, then calls the workflow again.
#include "bus/bus.h"
#include "flow/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_READ_BYTES (1u << 20)

const struct store_migration flow_migrations[] = {
    {"flow", 1,
     "CREATE TABLE flow_job ("
     "  id TEXT PRIMARY KEY,"
     "  workflow TEXT NOT NULL,"
     "  subject TEXT NOT NULL,"
     "  params TEXT NOT NULL,"
     "  priority INTEGER NOT NULL,"
     "  actor TEXT NOT NULL,"
     "  state TEXT NOT NULL,"
     "  dirty INTEGER NOT NULL,"
     "  hook_due INTEGER NOT NULL DEFAULT 0,"
     "  error TEXT,"
     "  reason TEXT,"
     "  result TEXT,"
     "  progress_ppm INTEGER NOT NULL DEFAULT 0,"
     "  remaining_us INTEGER,"
     "  created_us INTEGER NOT NULL,"
     "  finished_us INTEGER) WITHOUT ROWID;"
     "CREATE INDEX flow_job_subject ON flow_job (subject, created_us);"
     "CREATE INDEX flow_job_created ON flow_job (created_us);"
     "CREATE INDEX flow_job_dirty ON flow_job (priority DESC, created_us) WHERE dirty = "
     "1;"
     "CREATE TABLE flow_step ("
     "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
     "  job TEXT NOT NULL REFERENCES flow_job (id) ON DELETE CASCADE,"
     "  name TEXT NOT NULL,"
     "  type TEXT NOT NULL,"
     "  version INTEGER NOT NULL,"
     "  sum BLOB NOT NULL,"
     "  priority INTEGER NOT NULL,"
     "  cost INTEGER NOT NULL,"
     "  spec TEXT NOT NULL,"
     "  state TEXT NOT NULL,"
     "  fence INTEGER NOT NULL DEFAULT 0,"
     "  attempts INTEGER NOT NULL DEFAULT 0,"
     "  not_before_us INTEGER NOT NULL DEFAULT 0,"
     "  reused INTEGER NOT NULL DEFAULT 0,"
     "  progress_ppm INTEGER NOT NULL DEFAULT 0,"
     "  cpu_us INTEGER,"
     "  wall_us INTEGER,"
     "  max_rss_bytes INTEGER,"
     "  logged INTEGER NOT NULL DEFAULT 0,"
     "  error TEXT,"
     "  reason TEXT,"
     "  UNIQUE (job, name));"
     "CREATE INDEX flow_step_waiting ON flow_step (priority DESC, job, cost DESC, id)"
     "  WHERE state = 'waiting';"
     "CREATE INDEX flow_step_running ON flow_step (id) WHERE state = 'running';"
     "CREATE TABLE flow_part ("
     "  step INTEGER NOT NULL REFERENCES flow_step (id) ON DELETE CASCADE,"
     "  position INTEGER NOT NULL,"
     "  name TEXT NOT NULL,"
     "  key BLOB NOT NULL,"
     "  reused INTEGER NOT NULL,"
     "  params TEXT,"
     "  PRIMARY KEY (step, position)) WITHOUT ROWID;"
     "CREATE INDEX flow_part_key ON flow_part (key);"
     "CREATE TABLE flow_result ("
     "  key BLOB PRIMARY KEY,"
     "  value TEXT NOT NULL,"
     "  created_us INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE flow_output ("
     "  key BLOB NOT NULL REFERENCES flow_result (key) ON DELETE CASCADE,"
     "  name TEXT NOT NULL,"
     "  hash BLOB NOT NULL,"
     "  size INTEGER NOT NULL,"
     "  PRIMARY KEY (key, name)) WITHOUT ROWID;"
     "CREATE TABLE flow_once ("
     "  job TEXT NOT NULL REFERENCES flow_job (id) ON DELETE CASCADE,"
     "  name TEXT NOT NULL,"
     "  PRIMARY KEY (job, name)) WITHOUT ROWID;"
     "CREATE TABLE flow_rate ("
     "  type TEXT PRIMARY KEY,"
     "  us_per_cost REAL NOT NULL) WITHOUT ROWID;"},
    {"flow", 2,
     "CREATE TABLE flow_expected ("
     "  job TEXT NOT NULL REFERENCES flow_job (id) ON DELETE CASCADE,"
     "  type TEXT NOT NULL,"
     "  cost INTEGER NOT NULL,"
     "  PRIMARY KEY (job, type)) WITHOUT ROWID;"},
    // Urgent jobs first, then the oldest: job ids sort by time. What one job wants last must not
    // wait for what all others want first.
    {"flow", 3,
     "ALTER TABLE flow_step ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;"
     "DROP INDEX flow_step_waiting;"
     "CREATE INDEX flow_step_waiting"
     "  ON flow_step (urgency DESC, job, priority DESC, cost DESC, id)"
     "  WHERE state = 'waiting';"},
    // Costs are milliseconds since then; what was learnt on other scales says nothing.
    {"flow", 4,
     "DROP TABLE flow_rate;"
     "CREATE TABLE flow_rate ("
     "  type TEXT PRIMARY KEY,"
     "  cost REAL NOT NULL," // of the latest runs, the older the less
     "  wall_us REAL NOT NULL) WITHOUT ROWID;"},
    // How long at least one of its steps ran; NULL: nobody looked.
    {"flow", 5,
     "ALTER TABLE flow_job ADD COLUMN worked_us INTEGER;"
     "ALTER TABLE flow_job ADD COLUMN busy_since_us INTEGER;"
     "CREATE INDEX flow_job_running ON flow_job (priority DESC, id)"
     "  WHERE state = 'running';"},
    // Who runs a step, and until when it is another's (wall clock; 0: a process of the executor's).
    {"flow", 6,
     "ALTER TABLE flow_step ADD COLUMN lane TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE flow_step ADD COLUMN lease_us INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX flow_step_lane ON flow_step (lane, state) WHERE lane <> '';"},
};
const size_t flow_migration_count = ARRAY_LEN(flow_migrations);

int job_emit(struct store_tx *tx, const char *job, const char *type, const char *actor)
{
    AUTO(json_free) json_t *data = NULL;
    AUTO(cstr_free) char *subject = NULL;
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(
            tx, &r, "SELECT workflow, subject, state, reason FROM flow_job WHERE id = ?",
            "s", job));
        int found = store_next(r);
        TRY(found);
        FAIL_IF(!found, ERR_NOT_FOUND, "job %s", job);
        TRY(json_made(json_pack("{s:s, s:s, s:s, s:s*}", "workflow", store_text(r, 0),
                                "subject", store_text(r, 1), "state", store_text(r, 2),
                                "error", store_text(r, 3)),
                      &data));
    }
    TRY(cstr_printf(&subject, "job/%s", job));
    return bus_emit(tx,
                    &(struct bus_event){.type = type,
                                        .subject = subject,
                                        .actor = actor,
                                        .correlation = job,
                                        .data = data},
                    NULL);
}

int flow_submit(struct store_tx *tx, const struct flow_job_spec *spec,
                char ret_job[UUID_BYTES])
{
    char id[UUID_BYTES];
    AUTO(json_free) json_t *none = json_object();
    const char *actor = spec->actor ? spec->actor : "system";
    uuid_v7(id);
    TRY(store_exec(
        tx,
        "INSERT INTO flow_job (id, workflow, subject, params, priority, actor, state,"
        " dirty, created_us, worked_us)"
        " VALUES (?, ?, ?, ?, ?, ?, '" JOB_RUNNING "', 1, ?, 0)",
        "sssjisi", id, spec->workflow, spec->subject, spec->params ? spec->params : none,
        (int64_t)spec->priority, actor, clock_wall_us()));
    TRY(job_emit(tx, id, "job.submitted.v1", actor));
    memcpy(ret_job, id, UUID_BYTES);
    return 0;
}

static int state_of(struct store_tx *tx, const char *job, char **ret)
{
    int err =
        store_get_text(tx, ret, "SELECT state FROM flow_job WHERE id = ?", "s", job);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "there is no job %s", job);
    return err;
}

int flow_cancel(struct store_tx *tx, const char *job, const char *actor)
{
    AUTO(cstr_free) char *state = NULL;
    TRY(state_of(tx, job, &state));
    FAIL_IF(strcmp(state, JOB_RUNNING) != 0, ERR_CONFLICT, "the job is %s", state);
    TRY(store_exec(tx,
                   "UPDATE flow_job SET state = '" JOB_CANCELLED
                   "', dirty = 1, hook_due = 1,"
                   " error = 'CANCELLED', reason = 'cancelled', remaining_us = 0,"
                   " finished_us = ? WHERE id = ?",
                   "is", clock_wall_us(), job));
    // The executor sees that the fence went on, and kills the child.
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = '" STEP_HELD "', fence = fence + 1,"
                   " progress_ppm = 0 WHERE job = ? AND state IN ('" STEP_WAITING
                   "', '" STEP_RUNNING "')",
                   "s", job));
    TRY(job_rests(tx, job));
    return job_emit(tx, job, "job.cancelled.v1", actor ? actor : "system");
}

int flow_rerun(struct store_tx *tx, const char *job, const char *actor)
{
    AUTO(cstr_free) char *state = NULL;
    TRY(state_of(tx, job, &state));
    FAIL_IF(strcmp(state, JOB_FAILED) != 0 && strcmp(state, JOB_CANCELLED) != 0,
            ERR_CONFLICT, "the job is %s", state);
    TRY(store_exec(tx,
                   "UPDATE flow_job SET state = '" JOB_RUNNING
                   "', dirty = 1, hook_due = 0,"
                   " error = NULL, reason = NULL, result = NULL, finished_us = NULL,"
                   " remaining_us = NULL, progress_ppm = 0 WHERE id = ?",
                   "s", job));
    // A step must not wait beside the one that makes its input anew: it would run without it.
    TRY(store_exec(tx,
                   "DELETE FROM flow_step WHERE job = ?1 AND EXISTS (SELECT 1 FROM"
                   " flow_step s JOIN flow_part p ON p.step = s.id WHERE s.job = ?1"
                   " AND s.state = '" STEP_DONE "' AND NOT EXISTS"
                   " (SELECT 1 FROM flow_result r WHERE r.key = p.key))",
                   "s", job));
    TRY(store_exec(tx,
                   "UPDATE flow_step SET state = '" STEP_WAITING "', attempts = 0,"
                   " not_before_us = 0, progress_ppm = 0, error = NULL, reason = NULL"
                   " WHERE job = ? AND state IN ('" STEP_HELD "', '" STEP_FAILED "')",
                   "s", job));
    return job_emit(tx, job, "job.rerun.v1", actor ? actor : "system");
}

// --- the time it worked -------------------------------------------------------------------------

int job_works(struct store_tx *tx, const char *job)
{
    return store_exec(tx,
                      "UPDATE flow_job SET busy_since_us = ? WHERE id = ? AND"
                      " busy_since_us IS NULL",
                      "is", clock_wall_us(), job);
}

int job_rests(struct store_tx *tx, const char *job)
{
    return store_exec(
        tx,
        "UPDATE flow_job SET worked_us = coalesce(worked_us, 0) +"
        " max(?1 - busy_since_us, 0), busy_since_us = NULL WHERE id = ?2 AND"
        " busy_since_us IS NOT NULL AND NOT EXISTS (SELECT 1 FROM flow_step s INDEXED"
        " BY flow_step_running WHERE s.state = '" STEP_RUNNING "' AND s.job = ?2)",
        "is", clock_wall_us(), job);
}

// --- what people see -----------------------------------------------------------------------------

static json_t *time_or_null(const struct store_rows *r, int column)
{
    if (store_is_null(r, column)) {
        return json_null();
    }
    char text[CLOCK_RFC3339_BYTES];
    clock_rfc3339(store_i64(r, column), text);
    return json_string(text);
}

static json_t *i64_or_null(const struct store_rows *r, int column)
{
    return store_is_null(r, column) ? json_null() : json_integer(store_i64(r, column));
}

// A job waits when none of its steps runs and one could: behind how many.
#define WAITS_BEHIND                                                                   \
    "CASE WHEN state = '" JOB_RUNNING "' AND busy_since_us IS NULL AND EXISTS (SELECT" \
    " 1 FROM flow_step s WHERE s.job = j.id AND s.state = '" STEP_WAITING              \
    "') THEN (SELECT count(*) FROM flow_job o INDEXED BY flow_job_running WHERE"       \
    " o.state = '" JOB_RUNNING "' AND (o.priority > j.priority OR o.priority ="        \
    " j.priority AND o.id < j.id)) END"
#define JOB_COLUMNS                                                                    \
    "id, workflow, subject, state, progress_ppm, remaining_us, error, reason, result," \
    " created_us, finished_us, params, priority, actor, worked_us, busy_since_us,"     \
    " " WAITS_BEHIND

// With what runs now.
static json_t *worked_json(const struct store_rows *r)
{
    if (store_is_null(r, 14)) {
        return json_null();
    }
    int64_t now_us =
        store_is_null(r, 15) ? 0 : MAX(clock_wall_us() - store_i64(r, 15), INT64_C(0));
    return json_integer(store_i64(r, 14) + now_us);
}

static int job_json(const struct store_rows *r, json_t **ret)
{
    AUTO(json_free) json_t *result = NULL;
    AUTO(json_free) json_t *params = NULL;
    TRY(store_json(r, 8, &result));
    TRY(store_json(r, 11, &params));
    return json_made(
        json_pack(
            "{s:s, s:s, s:s, s:s, s:f, s:o, s:s?, s:s?, s:O, s:o, s:o, s:O, s:I, s:s,"
            " s:o, s:o}",
            "id", store_text(r, 0), "workflow", store_text(r, 1), "subject",
            store_text(r, 2), "state", store_text(r, 3), "progress",
            (double)store_i64(r, 4) / PPM, "remaining_us",
            // What waits for others will take as long as they do, which nobody says.
            store_is_null(r, 16) ? i64_or_null(r, 5) : json_null(), "error_code",
            store_text(r, 6), "error", store_text(r, 7), "result", result, "created",
            time_or_null(r, 9), "finished", time_or_null(r, 10), "params", params,
            "priority", (json_int_t)store_i64(r, 12), "actor", store_text(r, 13),
            "worked_us", worked_json(r), "waits_behind", i64_or_null(r, 16)),
        ret);
}

int flow_jobs(struct store_tx *tx, const char *subject, int limit, json_t **ret_array)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    if (subject) {
        TRY(store_query(tx, &r,
                        "SELECT " JOB_COLUMNS " FROM flow_job j WHERE subject = ?"
                        " ORDER BY created_us DESC, id DESC LIMIT ?",
                        "si", subject, (int64_t)limit));
    } else {
        TRY(store_query(tx, &r,
                        "SELECT " JOB_COLUMNS " FROM flow_job j"
                        " ORDER BY created_us DESC, id DESC LIMIT ?",
                        "i", (int64_t)limit));
    }
    return store_array(r, job_json, ret_array);
}

int flow_waiting(struct store_tx *tx, json_t **ret_object)
{
    AUTO(json_free) json_t *object = json_object();
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT id, " WAITS_BEHIND
                    " FROM flow_job j INDEXED BY flow_job_running WHERE state ="
                    " '" JOB_RUNNING "'",
                    ""));
    int more;
    while ((more = store_next(r)) > 0) {
        FAIL_IF(!store_is_null(r, 1) &&
                    json_object_set_new(object, store_text(r, 0), i64_or_null(r, 1)) < 0,
                ERR_NOMEM, "waiting jobs");
    }
    TRY(more);
    *ret_object = TAKE(object);
    return 0;
}

static int step_json(const struct store_rows *r, json_t **ret)
{
    const char *state = store_text(r, 2);
    return json_made(
        json_pack("{s:s, s:s, s:s, s:b, s:I, s:f, s:o, s:o, s:o, s:s?, s:s?, s:b}",
                  "name", store_text(r, 0), "type", store_text(r, 1), "state",
                  strcmp(state, STEP_HELD) == 0 ? STEP_WAITING : state, "reused",
                  store_i64(r, 3) != 0, "attempts", (json_int_t)store_i64(r, 4),
                  "progress", (double)store_i64(r, 5) / PPM, "cpu_us", i64_or_null(r, 6),
                  "wall_us", i64_or_null(r, 7), "max_rss_bytes", i64_or_null(r, 8),
                  "error_code", store_text(r, 9), "error", store_text(r, 10), "log",
                  store_i64(r, 11) != 0),
        ret);
}

static int steps_json(struct store_tx *tx, const char *job, json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r,
        "SELECT name, type, state, reused, attempts, progress_ppm, cpu_us, wall_us,"
        " max_rss_bytes, error, reason, logged FROM flow_step WHERE job = ?"
        " ORDER BY id",
        "s", job));
    return store_array(r, step_json, ret);
}

int flow_job(struct store_tx *tx, const char *job, json_t **ret_object)
{
    AUTO(json_free) json_t *object = NULL, *steps = NULL;
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(tx, &r, "SELECT " JOB_COLUMNS " FROM flow_job j WHERE id = ?",
                        "s", job));
        int found = store_next(r);
        TRY(found);
        FAIL_IF(!found, ERR_NOT_FOUND, "there is no job %s", job);
        TRY(job_json(r, &object));
    }
    TRY(steps_json(tx, job, &steps));
    FAIL_IF(json_object_set(object, "steps", steps) < 0, ERR_NOMEM, "a job");
    return json_made(TAKE(object), ret_object);
}

int flow_log_path(struct store *store, const char *job, int64_t step, char **ret)
{
    return cstr_printf(ret, "%s/logs/%s/%lld.log", store_dir(store), job,
                       (long long)step);
}

int flow_step_log_read(struct store *store, const char *job, const char *step,
                       int64_t offset, struct buf *out)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *path = NULL;
    int64_t id = 0;
    TRY(store_begin(store, STORE_READ, &tx));
    int err = store_get_i64(
        tx, &id, "SELECT id FROM flow_step WHERE job = ? AND name = ?", "ss", job, step);
    FAIL_IF(err == ERR_NOT_FOUND, ERR_NOT_FOUND, "job %s has no step %s", job, step);
    TRY(err);
    TRY(flow_log_path(store, job, id, &path));
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_fail_errno("the log of step %s", step);
    }
    buf_reserve(out, LOG_READ_BYTES);
    TRY(out->err);
    ssize_t n = pread(fd, out->data + out->len, LOG_READ_BYTES, offset);
    if (n < 0) {
        return err_fail_errno("the log of step %s", step);
    }
    out->len += (size_t)n;
    out->data[out->len] = '\0';
    return 0;
}
