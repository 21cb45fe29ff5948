// SPDX-License-Identifier: GPL-3.0-or-later
//
// Jobs made of steps. A workflow is a function that is called again whenever something of its job
// changed: it says which steps it wants, reads the results of those that are done, and wants more
// from what it learnt. It has no memory of its own, so that a crash costs nothing: the next call
// says the same again. Wanting a step that exists is no change; a step whose key has a result
// from any earlier job is done at once ("reused").
//
// A step runs in a process of its own (`marquee step` in a scratch folder), reads request.json,
// opens blobs, writes outputs and result.json. It never opens the database: its executor
// commits. Work is claimed by lease with a fencing token; who lost the lease commits nothing.
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "meter/meter.h"
#include "store/store.h"

extern const struct store_migration flow_migrations[];
extern const size_t flow_migration_count;

// --- what a step is, seen from inside its process -----------------------------------------

struct flow_step;
typedef int flow_step_f(struct flow_step *);

struct flow_step_type {
    const char *name; // "inspect.range"
    unsigned version; // part of every key: bump when outputs change
    // What one run needs at most; the executor keeps the sum below a limit
    int64_t memory_bytes;
    flow_step_f *run;
};

const json_t *flow_step_params(const struct flow_step *);
// Blob of a named input; ERR_NOT_FOUND names it.
int flow_step_input(struct flow_step *, const char *name, struct store_blob **ret);
bool flow_step_has_input(const struct flow_step *, const char *name);
int flow_step_input_json(struct flow_step *, const char *name,
                         json_t **ret); // at most 256 MiB
// Parts that this run was asked for (the others have results): index 0..count-1.
size_t flow_step_part_count(const struct flow_step *);
const char *flow_step_part_name(const struct flow_step *, size_t);
const json_t *flow_step_part_params(const struct flow_step *, size_t);
// Path to write an output of a part to; folders are made; owned by the caller.
int flow_step_output(struct flow_step *, const char *part, const char *name,
                     char **ret_path);
// The value of a part: any JSON, taken. Small (≤ 1 MiB); large things are outputs.
int flow_step_result(struct flow_step *, const char *part, json_t *value);
void flow_step_progress(struct flow_step *, int64_t done, int64_t total);
void flow_step_log(struct flow_step *, const char *fmt, ...) PRINTF_LIKE(2, 3);
// What is counted here reaches the executor's meter with the step's result, and only with it.
struct meter *flow_step_meter(struct flow_step *);

// The child's side: runs the request in folder `dir`, blobs from `data_dir`; the process' exit code.
int flow_step_main(const struct flow_step_type *types, size_t type_count,
                   const char *data_dir, const char *dir);

// Events, in the same transactions, about "job/<id>": job.submitted.v1, job.done.v1, job.failed.v1,
// job.cancelled.v1, job.rerun.v1 with {"workflow","subject","state","error"}.

// --- jobs and workflows --------------------------------------------------------------------

struct flow_run; // one call of a workflow: a job and the transaction it is looked at in

struct flow_input {
    char name[64];
    struct hash blob;
};

struct flow_part {
    char name[64];
    const json_t *params; // NULL: {}
};

struct flow_step_spec {
    const char *name; // unique in the job: "encode/c003/h264"
    const char *type;
    const json_t *params; // common to all parts; borrowed
    const struct flow_input *inputs;
    size_t input_count;
    const struct flow_part *parts; // NULL: one part named "main"
    size_t part_count;
    int priority; // higher first, within its job; 0 is usual
    // Added to the job's own priority: a moment's work that nobody should wait for goes before what
    // other jobs want. 0 is usual.
    int urgency;
    // Expected duration in ms on some machine, for progress and longest-first; ≥ 1
    int64_t cost;
    // Who runs it: NULL or "": a slot; FLOW_ASIDE; anything else: whoever takes it by that name (flow_take).
    const char *lane;
    int64_t not_before_us; // wall clock; as it stood when the step was first wanted
};

// Beside the slots, a few at once: for what waits more than it computes and must not stand behind encodes.
#define FLOW_ASIDE "aside"

struct flow_output {
    const char *name;
    struct hash blob;
    int64_t size;
};

// A part's result; borrowed, valid during the call of the workflow.
struct flow_result {
    const json_t *value;
    const struct flow_output *outputs; // sorted by name
    size_t output_count;
    bool reused;
};
const struct flow_output *flow_result_output(const struct flow_result *,
                                             const char *name);

// 1 and *ret (part_count results, in order) when done; 0 while it runs or waits; <0 on failure:
// the step's own error (with its reason) once its attempts are used up.
int flow_want(struct flow_run *, const struct flow_step_spec *,
              const struct flow_result **ret);

// What the job will want of a type in all, in the costs of its steps, as far as can be said before
// they are wanted: for progress and remaining time alone. 0 takes it back; -1: something, of unknown
// length, so that no time is told while that stands.
int flow_expect(struct flow_run *, const char *type, int64_t cost);

// Runs `apply` once, in the transaction that also remembers that it ran. 0.
typedef int flow_apply_f(struct store_tx *, void *user);
int flow_once(struct flow_run *, const char *name, flow_apply_f *apply, void *user);

const char *flow_run_job(const struct flow_run *); // the job's id
const json_t *flow_run_params(const struct flow_run *);
struct store_tx *
flow_run_tx(struct flow_run *); // for reading and for writes that may repeat
struct store *flow_run_store(struct flow_run *);
// Ends the job well, with this value (taken). A workflow that returns <0 ends it badly.
int flow_finish(struct flow_run *, json_t *result);

typedef int flow_workflow_f(struct flow_run *, void *user);
struct flow_workflow {
    const char *name;
    flow_workflow_f *advance;
    void *user;
    // Called in the transaction that fails the job; for a cancelled one in a transaction of the
    // executor right after (flow_cancel may run where no workflow is known). May be NULL.
    int (*on_failed)(struct store_tx *, const char *job, const json_t *params, int err,
                     const char *reason, void *user);
};

struct flow_job_spec {
    const char *workflow;
    const char *subject; // "delivery/<id>"
    const json_t *params;
    int priority; // higher first, then the older job; 0 is usual
    const char *actor;
};
int flow_submit(struct store_tx *, const struct flow_job_spec *,
                char ret_job[UUID_BYTES]);
int flow_cancel(struct store_tx *, const char *job, const char *actor);
// Failed and cancelled steps are wanted again, results of finished ones stay. Where one of those was
// forgotten meanwhile, all steps are wanted anew, and what is left is reused.
int flow_rerun(struct store_tx *, const char *job, const char *actor);

// Forgets results that no running job names and none that ended since `before_us` (wall clock): at most
// `limit`, how many. Their blobs are free for store_collect; whoever wants them again has them made
// again.
int flow_forget(struct store_tx *, int64_t before_us, int limit);
// Removes the logs of jobs that ended before.
int flow_forget_logs(struct store *, int64_t before_us, int64_t *ret_jobs);

// {"id","workflow","subject","state":"running|done|failed|cancelled","progress":0..1,
//  "remaining_us":n|null,"error":text|null,"error_code":name|null,"result","created","finished",
//  "params","priority","actor","worked_us":while at least one step ran|null,"waits_behind":jobs
//  before it while none of its steps runs and one could|null}, newest first; times as RFC 3339.
int flow_jobs(struct store_tx *, const char *subject, int limit, json_t **ret_array);
// {job id: n}: the jobs that wait now, and behind how many.
int flow_waiting(struct store_tx *, json_t **ret_object);
// As above plus "steps":[{"name","type","state":"waiting|running|done|failed","reused",
// "attempts","progress","cpu_us","wall_us","max_rss_bytes","error","error_code",
// "log":bool}].
int flow_job(struct store_tx *, const char *job, json_t **ret_object);
// The step's captured stderr, latest attempt; bytes from `offset` on, at most 1 MiB.
int flow_step_log_read(struct store *, const char *job, const char *step, int64_t offset,
                       struct buf *out);

// --- steps that others run ------------------------------------------------------------------
//
// A step in a lane of its own is taken by lease, over whatever way, by who runs it elsewhere. Whose lease
// ended commits nothing; the step waits again.

struct flow_taken {
    int64_t step, fence;
    char job[UUID_BYTES];
    json_t *params; // owned
};
void flow_taken_clear(struct flow_taken *);
// 1: the lane's first step that is due, until the lease ends. 0: there is none.
int flow_take(struct store_tx *, const char *lane, int64_t lease_us,
              struct flow_taken *ret);
// The lease from now on; ERR_FENCED: the step is not this taker's any more.
int flow_keep(struct store_tx *, const struct flow_taken *, int64_t lease_us);
// Its one part's value and outputs (blobs that are there and synced). ERR_FENCED as above.
int flow_give(struct store *, struct store_tx *, const struct flow_taken *,
              const json_t *value, const struct flow_output *outputs, size_t count);
// Lets steps whose lease ended wait again: how many.
int flow_lapse(struct store_tx *);

// --- the executor --------------------------------------------------------------------------

struct flow_progress {
    const char *job;
    const char *subject;
    const char *step;     // NULL: the job as a whole
    const char *type;     // of the step
    int64_t done_ppm;     // 0..1,000,000
    int64_t remaining_us; // -1 unknown
};

typedef void flow_progress_f(void *user, const struct flow_progress *);
// Progress of all that runs, as rows have it (some two seconds old): of each job, then of its steps.
// For who serves while another process executes.
int flow_progress_look(struct store_tx *, flow_progress_f *tell, void *user);

struct flow_executor_config {
    struct store *store;
    const struct flow_step_type *types;
    size_t type_count;
    const struct flow_workflow *workflows;
    size_t workflow_count;
    unsigned slots;       // processes at once; 0: one a core
    int64_t memory_bytes; // sum of memory_bytes of running steps; 0: 3/4 of the machine
    int nice; // added to this process' for steps; a service that also serves: 5
    const char *program;          // argv[0] of steps; NULL: this program
    flow_progress_f *on_progress; // from the executor's thread
    void *user;
    // What else decides results and is part of every key: versions of the codec libraries, CPU
    // dispatch level (media_toolchain). Copied. NULL: nothing.
    const char *toolchain;
    // What is counted of steps goes there (docs/rooms/meter.md). NULL: nowhere. Outlives the executor.
    struct meter *meter;
    // A step that tells no progress for so long is killed: TIMEOUT; 0: 30 min.
    int64_t stall_us;
    // Pause before the second attempt, fourfold before the third; 0: 1 s
    int64_t retry_us;
};

struct flow_executor;
// One per data folder: holds a lock there. ERR_BUSY when another process executes; then submit
// and follow. Takes over what a dead executor left.
int flow_executor_start(struct flow_executor **ret, const struct flow_executor_config *);
// Whether a process other than this one executes. Not where this one does: looking would end its lock.
bool flow_is_executed(const char *data_dir);
void flow_executor_wake(struct flow_executor *);
void flow_executor_stop(
    struct flow_executor **); // kills running steps; their work is redone

#endif
