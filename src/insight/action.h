// SPDX-License-Identifier: GPL-3.0-or-later
//
// Acting on suspects, through guards. A treatment is one server's way out of service and back:
//
//     suspicion ─guards─▶ acting: notify ▸ remove ▸ drain ▸ examine ▸ terminate ▸ start ▸ verify ▸ return ─▶ done
//                   │                         └─ action remove: stays out until undone
//                   └▶ held (by which guard) ─▶ acting, when nothing holds it or a person approves; expired, refused
//
// Each step is written down before it is done, in the same transaction as its entry of the audit trail; a
// termination that was begun is never begun again, whoever dies when.
#ifndef INSIGHT_ACTION_H
#define INSIGHT_ACTION_H

#include "insight/fleet.h"
#include "insight/suspect.h"
#include "store/store.h"

// Why nothing is done. JUDGEMENT: a person may know better and approve. CAP: nobody may.
#define INSIGHT_GUARD_LIST(X)                                                            \
    X(STALE, JUDGEMENT, "stale",                                                         \
      "the telemetry that decided is too old, or from a clock that is wrong")            \
    X(PEERS, JUDGEMENT, "peers", "too few servers report to compare")                    \
    X(OUTLIERS, JUDGEMENT, "outliers",                                                   \
      "so many look bad or are silent that it is no outlier")                            \
    X(FRESH, JUDGEMENT, "fresh", "what was looked at is from before its last treatment") \
    X(WATCHED, JUDGEMENT, "watched", "it was replaced lately, and is sick again")        \
    X(APPROVAL, JUDGEMENT, "approval", "its owner wants a person to approve")            \
    X(SHARE, CAP, "share", "too large a share of the cluster would be out")              \
    X(LEFT, CAP, "left", "too few would be left in service")                             \
    X(AT_ONCE, CAP, "at_once",                                                           \
      "so many of the cluster are being treated or out already")                         \
    X(PER_HOUR, CAP, "per_hour", "so many of the cluster were treated within the hour")  \
    X(COOLDOWN, CAP, "cooldown", "the cluster rests after its last treatment")           \
    X(ALL_AT_ONCE, CAP, "all_at_once",                                                   \
      "so many of all clusters are being treated or out already")                        \
    X(ALL_PER_HOUR, CAP, "all_per_hour",                                                 \
      "so many of all clusters were treated within the hour")

enum insight_guard {
    INSIGHT_GUARD_NONE,
#define X(name, kind, word, text) INSIGHT_GUARD_##name,
    INSIGHT_GUARD_LIST(X)
#undef X
        INSIGHT_GUARD_COUNT
};
const char *insight_guard_name(enum insight_guard); // "stale"
const char *insight_guard_text(enum insight_guard);

// What the time is. Treatments count on a clock of their own, kept in rows: it goes by the kernel's time
// since boot and so does not see when the wall clock is set, nor how long a machine was off.
struct insight_now {
    int64_t wall_us;
    int64_t boot_us; // CLOCK_BOOTTIME
    char boot[UUID_BYTES];
};
int insight_now_read(void *unused, struct insight_now *ret);

// --- drivers ------------------------------------------------------------------------------

#define INSIGHT_INCARNATION_BYTES 128

// What a driver is called with. Borrowed.
struct insight_target {
    const struct insight_cluster *cluster;
    const struct insight_server *server;
    const char *treatment; // its id
    const char *const
        *out; // names of all servers of the cluster that are to be out of service
    size_t out_count;
    void *user; // the configuration's
};

// Each returns within a minute or so, and may be killed with its process at any moment.
struct insight_drivers {
    // Brings discovery into the state where exactly `out` are out. Again is no harm.
    int (*apply)(const struct insight_target *);
    // Of a discovery that knows what its servers work on (Slurm). busy: 1 while something runs there that
    // ending it would end. clear: sends that elsewhere; what may not be sent is an error.
    int (*busy)(const struct insight_target *);
    int (*clear)(const struct insight_target *);
    // Which incarnation runs ("pid 71 started 12345"); ERR_NOT_FOUND: none does.
    int (*look)(const struct insight_target *, char ret[INSIGHT_INCARNATION_BYTES]);
    // Ends this incarnation and no other. Called at most once a treatment.
    int (*terminate)(const struct insight_target *, const char *incarnation);
    // Starts one, where none runs.
    int (*start)(const struct insight_target *);
    // 0: it answers as it should.
    int (*check)(const struct insight_target *);
    // What its owner wants to know of it, bounded. Owned.
    int (*examine)(const struct insight_target *, json_t **ret);
};
extern const struct insight_drivers insight_drivers_real;

// --- the engine ---------------------------------------------------------------------------

struct insight_act_config {
    struct store *store;
    const struct insight_fleet *fleet;
    const struct insight_drivers *drivers; // NULL: insight_drivers_real
    void *driver_user;
    int (*now)(void *user, struct insight_now *ret); // NULL: insight_now_read
    // Called where a process may end at the worst: <0 has the engine return that at once, as if it had.
    // NULL outside tests.
    int (*passed)(void *user, const char *where);
    void *user;
    int64_t lease_us; // how long a step is another's; 0: 5 minutes
};

struct insight_act;
int insight_act_new(struct insight_act **ret, const struct insight_act_config *);
void insight_act_free(struct insight_act **);

// One look's suspects: each becomes a treatment, begun, waiting or held; who is held and no longer a
// suspect is let go. Any number of processes at once. ERR_NOT_FOUND: no such cluster.
int insight_act_consider(struct insight_act *, const struct insight_suspicion *);
// As above, out of {"cluster","rule","window_start","window_end","data","members","reporting","parameters",
// "suspects":[{"server","since","score","evidence"}]}, times as RFC 3339: for detectors of others.
int insight_act_consider_json(struct insight_act *, const json_t *suspicion);
// One step of one treatment that is due, if any: 1, else 0. The errors of drivers are the treatment's.
int insight_act_advance(struct insight_act *);

// --- what people do -----------------------------------------------------------------------

// Of one that is held: it begins when the caps allow, until the approval expires. ERR_CONFLICT: it is not held.
int insight_treatment_approve(struct store_tx *, const char *id, const char *actor);
int insight_treatment_refuse(struct store_tx *, const char *id, const char *actor);
// Back into service, of one that was removed and not ended.
int insight_treatment_undo(struct store_tx *, const char *id, const char *actor);

struct insight_treatment_query {
    const char *cluster; // NULL: any
    const char *state;   // NULL: any
    const char *before;  // an id, for the next page; NULL
    int limit;
};
// Array of {"id","cluster","server","action","state","guard","why","step","approved_by","error",
// "created","began","ended","suspicion","forensics"}, newest first.
int insight_treatments(struct store_tx *, const struct insight_treatment_query *,
                       json_t **ret);
int insight_treatment(struct store_tx *, const char *id, json_t **ret);
// {"plot":}: its server among the peers, as insight_plot_make had it; null: none was kept.
int insight_treatment_plot(struct store_tx *, const char *id, json_t **ret);

#endif
