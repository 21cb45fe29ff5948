// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: a run's row, and what the files about runbooks share.
#ifndef INSIGHT_RUNBOOK_PARTS_H
#define INSIGHT_RUNBOOK_PARTS_H

#include "insight/internal.h"
#include "insight/runbook.h"

#define RUN_WAITING   "waiting"
#define RUN_QUEUED    "queued"
#define RUN_RUNNING   "running"
#define RUN_DONE      "done"
#define RUN_FAILED    "failed"
#define RUN_REFUSED   "refused"
#define RUN_EXPIRED   "expired"
#define RUN_CANCELLED "cancelled"

#define RUNBOOK_WORKFLOW "runbook"
#define RUNBOOK_STEP     "runbook.attempt"
#define RUN_TEXT_MAX     200 // bytes of a target, a server, a key
#define ANSWER_KEPT_MAX  (256u << 10)

struct run_row {
    char id[UUID_BYTES];
    char state[12];
    char *target, *lane, *job;
    json_t *order;
    int64_t most_attempts, base_ms, cap_ms;
};
void run_row_clear(struct run_row *);
int run_row_load(struct store_tx *, const char *id, struct run_row *ret);

// Entry of the audit trail and event in one: "run.<verb>" about "run/<id>".
struct run_note {
    const char *verb;
    const char *actor; // NULL: "system"
    const char *rule;
    const json_t *data;
};
int run_tell(struct store_tx *, const char *id, const struct run_note *);
// Ends a run of this state; 0 where it is in another. Lets the next of its target begin.
struct run_end {
    const char *from, *to;
    const char *error;   // NULL
    const json_t *value; // of the attempt that decided; NULL
    const char *actor;   // NULL
};
int run_end(struct store_tx *, const struct run_row *, const struct run_end *);
// The oldest queued run of a target begins where none runs.
int run_start_next(struct store_tx *, const char *target);

#endif
