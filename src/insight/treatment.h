// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: a treatment's row, the clock that it counts on, and the guards.
#ifndef INSIGHT_TREATMENT_H
#define INSIGHT_TREATMENT_H

#include "insight/internal.h"

// --- the clock (steady.c) ---------------------------------------------------------------------

struct moment {
    int64_t wall_us;
    int64_t at; // µs on the clock of treatments
};
// Moves the clock on; in a writing transaction.
int steady_move(struct store_tx *, const struct insight_now *, struct moment *ret);
// Where it stood when it was last moved.
int steady_last(struct store_tx *, int64_t *ret_at);

// --- rows (treatment.c) -----------------------------------------------------------------------

//  name       what it does to the world
#define TREATMENT_STEPS(X)    \
    X(NOTIFY, "notify")       \
    X(REMOVE, "remove")       \
    X(DRAIN, "drain")         \
    X(EXAMINE, "examine")     \
    X(TERMINATE, "terminate") \
    X(START, "start")         \
    X(VERIFY, "verify")       \
    X(RETURN, "return")
enum treatment_step {
#define X(name, word) STEP_##name,
    TREATMENT_STEPS(X)
#undef X
        STEP_COUNT
};
const char *treatment_step_name(enum treatment_step);

// A step's place in the journal. BEGUN: it may have been done; UNSURE: a termination that was begun by a
// process that is gone.
enum { JOURNAL_DUE, JOURNAL_BEGUN, JOURNAL_UNSURE };

// States: held, told, dry; acting, out, stuck (these count as out of service); done, restored, undone,
// expired, refused (the end).
#define TREATMENT_OPEN "('held', 'told', 'dry', 'acting', 'out', 'stuck')"
#define TREATMENT_OUT  "('acting', 'out', 'stuck')"

struct treatment {
    char id[UUID_BYTES];
    char cluster[INSIGHT_NAME_MAX + 1];
    char server[INSIGHT_NAME_MAX + 1];
    char state[12];
    char outcome[12]; // the state after RETURN
    char incarnation[INSIGHT_INCARNATION_BYTES];
    enum insight_action action;
    enum treatment_step step;
    int journal;
    int64_t tries, fence, entered_at;
    bool approved;
};
// ERR_NOT_FOUND.
int treatment_load(struct store_tx *, const char *id, struct treatment *ret);
// The open one of a server. ERR_NOT_FOUND.
int treatment_open(struct store_tx *, const char *cluster, const char *server,
                   struct treatment *ret);

// Entry of the audit trail and event in one: what = "treatment.<verb>", about the server; `data` may be NULL.
struct treatment_note {
    const char *verb;
    const char *actor; // NULL: "system"
    const char *rule;
    const json_t *window, *parameters, *data;
};
int treatment_tell(struct store_tx *, const struct treatment *, const struct moment *,
                   const struct treatment_note *);
// A reference to it, or to {}.
json_t *treatment_or_empty(const json_t *);

// --- guards (guard.c) -------------------------------------------------------------------------

bool guard_is_cap(enum insight_guard);
// Of the look as a whole.
enum insight_guard guard_look(const struct insight_cluster *,
                              const struct insight_suspicion *, int64_t now_wall_us);
// Of one server in it.
int guard_judge(struct store_tx *, const struct insight_cluster *,
                const struct insight_suspicion *, const struct insight_suspect *,
                const struct moment *, enum insight_guard *ret);
// Whether one more of the cluster may begin, and the counts that say so.
int guard_caps(struct store_tx *, const struct insight_fleet *,
               const struct insight_cluster *, const struct moment *,
               enum insight_guard *ret, json_t **ret_counts);
int guard_numbers(const struct insight_cluster *, json_t **ret);

#endif
