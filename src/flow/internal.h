// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of flow share: the words in the rows, keys, the memo of results, a running child.
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include "flow/flow.h"

#define REQUEST_FILE     "request.json"
#define RESULT_FILE      "result.json"
#define STEP_METERS      "meters" // of the result: lines, see meter_forward
#define METERS_BYTES_MAX (64u << 10)
#define RESULT_BYTES_MAX (256u << 20)
#define VALUE_BYTES_MAX  (1u << 20)
#define ATTEMPT_LIMIT    3
#define KILL_LIMIT       10 // of a step that others kill: it is not to blame
#define SCRATCH_PREFIX   "step-"
#define LOG_TAIL_BYTES   600
#define PPM              1000000
#define STORE_HASH(h)    (const void *)(h)->bytes, (size_t)HASH_BYTES

// States of a step in rows. `held` is a waiting step of a job that does not run: it reads as
// "waiting" outside, and no executor sees it.
#define STEP_WAITING "waiting"
#define STEP_RUNNING "running"
#define STEP_DONE    "done"
#define STEP_FAILED  "failed"
#define STEP_HELD    "held"

#define JOB_RUNNING   "running"
#define JOB_DONE      "done"
#define JOB_FAILED    "failed"
#define JOB_CANCELLED "cancelled"

// --- keys (key.c) ---------------------------------------------------------------------------

// The key of each part, `keys` of part_count (1 without parts), and what names the step as a
// whole: equal sums, equal results.
int flow_keys(const struct flow_step_spec *, const struct flow_step_type *,
              const char *toolchain, struct hash *keys, struct hash *ret_sum);
size_t flow_part_count(const struct flow_step_spec *);
struct flow_part flow_part_at(const struct flow_step_spec *, size_t);
// What a child needs to know of a step: {"params","inputs":[{"name","hash"}]}.
int flow_spec_json(const struct flow_step_spec *, json_t **ret);
const struct flow_step_type *flow_find_type(const struct flow_executor_config *,
                                            const char *name);
// A relative path without "." or ".." and with nothing that a file system may refuse.
bool flow_name_is_safe(const char *name);

// --- results (memo.c) -----------------------------------------------------------------------

// Results of a step by its sum, kept in memory while an executor lives: they never change.
struct memo;
int memo_new(struct memo **ret);
void memo_free(struct memo **);
// The results of a done step, from memory or rows; borrowed until memo_trim.
int memo_results(struct memo *, struct store_tx *, int64_t step, const struct hash *sum,
                 size_t part_count, const struct flow_result **ret);
// Forgets everything when much has gathered; between calls of workflows only.
void memo_trim(struct memo *);
// 1 when a key has a result whose blobs are all there; a result that lost one is deleted.
int result_exists(struct store_tx *, struct store_blobs *, const struct hash *key);

// --- references (forget.c) --------------------------------------------------------------------

#define RESULT_OWNER "flow:" // and the key: who refers to the blobs of a result
int result_refer(struct store_tx *, const struct hash *key, const struct hash *blob);
int result_forget(struct store_tx *, const struct hash *key);

// --- one call of a workflow (run.c) -----------------------------------------------------------

struct advance_config {
    const struct flow_executor_config *executor;
    struct memo *memo;
    struct store_tx *tx;
    const char *job;
};
// Calls the job's workflow once and writes what follows. 1 when the job ended, 0 when it goes on;
// <0: the transaction is to be rolled back and the call repeated later.
int job_advance(const struct advance_config *);

// --- jobs (job.c) ---------------------------------------------------------------------------

int job_emit(struct store_tx *, const char *job, const char *type, const char *actor);
// A step of the job begins; one of its steps ran no longer: what it took counts while one ran.
int job_works(struct store_tx *, const char *job);
int job_rests(struct store_tx *, const char *job);
int flow_log_path(struct store *, const char *job, int64_t step, char **ret);

// --- progress (measure.c) ---------------------------------------------------------------------

// Progress and remaining time of a job, from its steps and what was measured, into its row. `running`:
// an array of {"type","cost","wall_us"}, what the steps that run now have done so far.
int job_measure(struct store_tx *, const char *job, unsigned slots,
                const json_t *running);
// A step of this cost (milliseconds, as expected) took so long.
int rate_learn(struct store_tx *, const char *type, int64_t cost, int64_t wall_us);

#endif
