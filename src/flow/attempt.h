// SPDX-License-Identifier: GPL-3.0-or-later
//
// One attempt at a step: claimed in rows (claim.c), run in a process (attempt.c), settled in rows.
#ifndef FLOW_ATTEMPT_H
#define FLOW_ATTEMPT_H

#include "flow/internal.h"

struct asked_part {
    int64_t position; // in the step; the child counts only what it was asked for
    char *name;
    struct hash key;
    json_t *params; // NULL: {}
};

struct made_output {
    size_t part; // index in asked_part
    char *name;
    struct hash blob;
    int64_t size;
};

struct attempt {
    // What was claimed.
    int64_t step;
    int64_t fence;
    int64_t cost;
    bool aside; // not in a slot
    char job[UUID_BYTES];
    char *name;
    char *subject;
    const struct flow_step_type *type;
    json_t *spec;
    VEC(struct asked_part) parts;

    // The process.
    char *dir;
    char *log_path;
    pid_t pid; // 0: none
    int pid_fd;
    int out_fd;
    struct buf line; // the beginning of a progress line
    int64_t started_us;
    int64_t heard_us; // when it last told progress
    int64_t done_ppm;
    int64_t told_ppm; // as rows have it
    bool stalled;     // killed, because it told nothing for too long
    bool lost;        // the step is no longer ours: killed, nothing to commit

    // What became of it.
    bool ended;
    bool settled; // it is written down, and was still ours
    int err;
    char *reason;
    struct proc_exit exit;
    int64_t wall_us;
    json_t *result;
    VEC(struct made_output) outputs;
};

int attempt_new(struct attempt **ret);
void attempt_free(struct attempt **); // kills, waits, and removes the scratch folder

// Starts the process. A failure to start is an end like any other: look at `ended`.
void attempt_start(struct attempt *, const struct flow_executor_config *);
void attempt_kill(struct attempt *);
// Reads progress lines; true when done_ppm changed.
bool attempt_listen(struct attempt *);
// Looks whether the process ended; then its outputs are adopted, `err` and `result` are set.
void attempt_reap(struct attempt *, struct store_blobs *);
void attempt_fail(struct attempt *, int err, const char *reason);
// Keeps a log that ran wild below its limit.
void attempt_trim_log(struct attempt *);

bool attempt_asks_for(const struct attempt *, const struct hash *key);

// --- rows (claim.c) ------------------------------------------------------------------------------

struct claim_config {
    const struct flow_executor_config *executor;
    struct store_tx *tx;
    unsigned slots;       // free
    unsigned aside;       // free beside them
    int64_t memory_bytes; // free
    bool idle;            // nothing runs: the first step is taken whatever it needs
    // Does a running attempt make this key already?
    bool (*is_made)(void *user, const struct hash *key);
    void *user;
};
// Marks steps as running, best first, and gives what is to be started. Steps that need no run any
// more (another job made their results) are done at once and counted in *ret_done.
struct attempts {
    VEC(struct attempt *) items;
};
int claim_steps(const struct claim_config *, struct attempts *out, size_t *ret_done);
// What of the step has no result yet.
int claim_parts(struct store_tx *, struct attempt *);
// Writes what became of an attempt, if its fence still holds.
int claim_settle(struct store_tx *, const struct flow_executor_config *,
                 struct attempt *);
// Gives up what runs: an executor that died, or that ends. Not counted as attempts of the steps.
int claim_release_all(struct store_tx *);
// Is this attempt still the one that the rows speak of?
int claim_holds(struct store_tx *, const struct attempt *);

#endif
