// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runbooks: programs with JSON on stdin and stdout, started by events. A run is a job of flow; a step of it is
// one attempt.
//
//     event ─ filter ─▶ waiting (a person) ─▶ queued (one a target) ─▶ running ─▶ done
//                          └▶ refused, expired        └▶ cancelled        └▶ failed (attempts used up)
//
// stdin   {"schema":1,"run","runbook","event","target","dry_run","attempt"}
// stdout  {"schema":1,"status":"ok"|"attention"|"failed","summary":a line,"findings":[{"kind","severity",
//         "evidence"}],…}; exit code 0. Anything else is a failed attempt, with the reason.
//
// An attempt that was begun is never begun again, whoever dies when: it counts as failed (lost), and is tried
// again only where the runbook allows more attempts. Two runs on one target never run at once.
#ifndef INSIGHT_RUNBOOK_H
#define INSIGHT_RUNBOOK_H

#include "bus/bus.h"
#include "flow/flow.h"

// --- what a person writes (conf/runbooks.yaml shows all of it) ----------------------------------

struct insight_runbook_retries {
    int64_t count;   // after the first attempt
    int64_t base_ms; // the n-th pause is drawn from 0 to min(cap, base * 2^(n-1))
    int64_t cap_ms;
};
struct insight_runbook_approval {
    bool needed;
    int64_t expires_s;
};
enum insight_place { INSIGHT_HERE, INSIGHT_AT_AGENT };
struct insight_runbook {
    char *name, *about;
    char **
        run; // here: the program and its arguments, without a shell; at an agent: its own file says
    uint32_t run_count;
    struct bus_rule *on; // of a rule: type, subject, where, key, count, within_s, quiet_s
    uint32_t on_count;
    // Texts with {paths} of the event in them. target: what is locked; key: what runs once; server: whose agent.
    char *target, *key, *server;
    enum insight_place where;
    int64_t timeout_s, wait_s; // wait_s: for an agent to ask
    int64_t stdout_bytes, stderr_bytes;
    struct insight_runbook_retries *retries;
    struct insight_runbook_approval approval;
    bool dry_run;
    char **env; // names of variables that it gets besides PATH, HOME and LANG
    uint32_t env_count;
};
struct insight_runbooks;
// ERR_INVALID with `file:line: message` for each mistake.
int insight_runbooks_parse(struct str yaml, const char *file,
                           struct insight_runbooks **ret, struct diag *);
void insight_runbooks_free(struct insight_runbooks **);
size_t insight_runbook_count(const struct insight_runbooks *);
const struct insight_runbook *insight_runbook_at(const struct insight_runbooks *, size_t);
// NULL: there is none of that name.
const struct insight_runbook *insight_runbook_find(const struct insight_runbooks *,
                                                   const char *name);
// Their filters as rules, which outlive `rules` no longer than the runbooks do. The rules' configuration has
// insight_runbook_action with the runbooks as its user.
int insight_runbooks_follow(const struct insight_runbooks *, struct bus_rules *rules);
extern const struct bus_rule_action insight_runbook_action;

// --- runs ---------------------------------------------------------------------------------------

// What may be known of a run beforehand. NULL: as the runbook says.
struct insight_run_wish {
    const struct insight_runbook *runbook;
    const json_t
        *event; // a cloud event; for a person's wish {"type":"runbook.wished.v1",…}
    const char *target, *server, *key;
    const char *rule, *actor;
    bool dry_run;
    bool at_once; // nobody is asked: a person wishes it
};
// 1 and its id; 0 and the earlier run's id where the key ran already.
int insight_run_ask(struct store_tx *, const struct insight_run_wish *,
                    char ret_id[UUID_BYTES]);

// ERR_CONFLICT: it does not wait for that (any more).
int insight_run_approve(struct store_tx *, const char *id, const char *actor);
int insight_run_refuse(struct store_tx *, const char *id, const char *actor);
int insight_run_cancel(struct store_tx *, const char *id, const char *actor);

struct insight_run_query {
    const char *runbook, *state, *target, *before; // NULL: any
    const char *subject; // of the event: "alert/<id>", "treatment/<id>"
    int limit;
};
// Array of {"id","runbook","target","server","where","subject","state","dry_run","rule","actor","approved_by",
// "expires","attempts","status","summary","error","created","began","ended","job"}, newest first.
int insight_runs(struct store_tx *, const struct insight_run_query *, json_t **ret);
// As above plus "event","answer","tries":[{"attempt","outcome","reason","code","wall_us","began","stdout",
// "stderr","stdout_bytes","stderr_bytes","cut"}]; the texts of the latest attempt only.
int insight_run(struct store *, struct store_tx *, const char *id, json_t **ret);

// What time does: approvals that expire, agents that never ask, targets that became free. By the service,
// every second or so.
int insight_runs_tend(struct store *);

// --- flow's side ----------------------------------------------------------------------------------

struct flow_workflow insight_runbook_workflow(void);
extern const struct flow_step_type insight_step_types[];
extern const size_t insight_step_type_count;

// --- one attempt (here, and at an agent) --------------------------------------------------------

// {"run","runbook","argv","env","timeout_ms","stdout_bytes","stderr_bytes","event","target","dry_run","attempt"}
struct insight_attempt_config {
    const json_t *order;
    const char *folder;       // of locks and of what was begun; survives the process
    bool (*stop)(void *user); // asked several times a second; NULL
    void *user;
};
struct insight_attempt {
    json_t
        *value; // {"outcome":"ok|failed|timeout|malformed|lost|stopped|busy","reason",…}
    struct buf out, err;
};
void insight_attempt_clear(struct insight_attempt *);
// 0 also where it failed: the value says so.
int insight_attempt_run(const struct insight_attempt_config *,
                        struct insight_attempt *ret);
// Removes what attempts of more than a week ago left in a folder.
int insight_attempts_tidy(const char *folder);
// What a program answered. ERR_INVALID says what is wrong with it.
int insight_answer_parse(struct str text, size_t max_bytes, json_t **ret);

// --- agents, the service's side ----------------------------------------------------------------------

#define INSIGHT_AGENT_TOKEN_MARK  "mqa_"
#define INSIGHT_AGENT_TOKEN_BYTES 64
// One for each server: shown once, kept as its hash. ERR_EXISTS.
int insight_agent_add(struct store_tx *, const char *server,
                      char ret_token[INSIGHT_AGENT_TOKEN_BYTES]);
int insight_agent_remove(struct store_tx *, const char *server);
// Array of {"server","created","seen"}.
int insight_agents(struct store_tx *, json_t **ret);
// Whose token it is, owned; ERR_UNKNOWN_USER.
int insight_agent_find(struct store_tx *, const char *token, char **ret_server);

#define INSIGHT_LEASE_S 30
// 1: taking would write something.
int insight_agent_has_work(struct store_tx *, const char *server);
// 1 and {"step","fence","order"}: the next attempt for the agent of a server. 0: there is none.
int insight_agent_take(struct store_tx *, const char *server, json_t **ret);
// {"step","fence"}: it goes on. ERR_FENCED: it is to be ended.
int insight_agent_keep(struct store_tx *, const char *server, const json_t *body);
// {"step","fence","value","stdout","stderr"} with texts in base64url. ERR_FENCED: it came too late.
int insight_agent_give(struct store *, const char *server, const json_t *body);

#endif
