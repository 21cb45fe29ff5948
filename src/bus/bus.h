// SPDX-License-Identifier: GPL-3.0-or-later
//
// What happened (events), what is wrong (the findings register), and what follows from it
// (rules, notices). An event is written in the transaction of the state that it changes.
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "meter/meter.h"
#include "store/store.h"

extern const struct store_migration bus_migrations[];
extern const size_t bus_migration_count;

// --- events -------------------------------------------------------------------------------

struct bus_event {
    const char *type;        // "title.published.v1": subject kind, past tense, version
    const char *subject;     // "title/<id>", "delivery/<id>", "job/<id>", …
    const char *actor;       // "user/<id>", "system"
    const char *correlation; // the job or request that all this belongs to; may be NULL
    int64_t causation;       // sequence of the event that led here; 0 for none
    const json_t *data;      // an object; borrowed
};
int bus_emit(struct store_tx *, const struct bus_event *,
             int64_t *ret_seq /* may be NULL */);

// CloudEvents 1.0 as JSON (specversion, id = sequence, source, type, subject, time, data,
// actor, correlation, causation), sequence > after, oldest first. `subject` is a prefix ("title/");
// NULL for all. An array.
int bus_read(struct store_tx *, int64_t after, const char *subject, int limit,
             json_t **ret);
int bus_last_seq(struct store_tx *, int64_t *ret);

// Calls back, on a thread of its own, for each event from `after` on and for every transient
// message, in order. One per process; fan-out is the caller's.
struct bus_follower;
struct bus_follower_config {
    struct store *store;
    int64_t after; // -1: only what comes
    void (*on_event)(void *user, int64_t seq, const json_t *cloud_event);
    void *user;
};
int bus_follower_start(struct bus_follower **ret, const struct bus_follower_config *);
void bus_follower_stop(struct bus_follower **);
void bus_follower_wake(
    struct bus_follower *); // after a commit in this process: no poll delay
// A transient message (progress): called back with sequence 0 on the follower's thread. Taken, also
// on failure; ERR_BUSY when thousands wait already.
int bus_follower_tell(struct bus_follower *, json_t *message);

// --- findings register --------------------------------------------------------------------

// Identified by subject, kind, place and detector ("name@version", else ERR_INVALID): a rerun updates,
// never duplicates. Findings of (subject, detector in any version) that `list` no longer holds become
// `fixed`; what was waived stays so where another version finds it at the same place.
// Event findings.changed.v1 {"detector","found","opened","fixed"} about the subject.
int bus_findings_put(struct store_tx *, const char *subject, const char *detector,
                     const struct findings *list);
// One more, without fixing others ("report a problem").
int bus_finding_add(struct store_tx *, const char *subject, const char *detector,
                    const char *owner, const struct finding *, char ret_id[UUID_BYTES]);
// What is open about the subject does not matter any more: something else took its place. `by`
// (a subject) is named in the event findings.superseded.v1 {"by","count"}; a look that finds it again
// opens it again.
int bus_findings_supersede(struct store_tx *, const char *subject, const char *by);
struct bus_finding_query {
    const char *subject; // exact or prefix with a final '/'; NULL: any
    const char *kind;    // NULL: any
    const char *state;   // "open" | "waived" | "fixed" | "superseded"; NULL: any
    int limit;           // 1..1000
    const char *before;  // id for the next page; NULL
};
// Array of {"id","subject","kind","severity",…place…,"evidence","detector","owner","state",
// "waived_until","waived_why","seen_first","seen_last"}, newest first.
int bus_findings_list(struct store_tx *, const struct bus_finding_query *, json_t **ret);
int bus_finding_waive(struct store_tx *, const char *id, const char *why,
                      int64_t until_wall_us, const char *actor);
int bus_finding_reopen(struct store_tx *, const char *id,
                       const char *actor); // undo of waive

// --- rules --------------------------------------------------------------------------------
//
// What follows from events: filter, window, deduplicate, act. An event is looked at in one transaction with what
// it leads to, so that a process that is killed looks at it again, or never.

// What a rule may do. `with`: what the rule says besides, an object of texts; ERR_INVALID at reading when `check`
// does not like it. The transaction is the one that remembers that the event was seen.
struct bus_rule_action {
    const char *name;
    int (*check)(const json_t *with);
    int (*act)(struct store_tx *, const json_t *event, const json_t *with,
               const char *dedupe, void *user);
};
// mail {to, subject}, webhook {url, secret_file}, exec {program}: the event is the body.
extern const struct bus_rule_action bus_rule_actions[];
extern const size_t bus_rule_action_count;

struct bus_rule_pair {
    char *name; // where: a path, "data.severity"
    char *is;
};
// As conf/rules.yaml has it.
struct bus_rule {
    char *name, *type, *subject, *key, *action;
    struct bus_rule_pair *where, *with;
    uint32_t where_count, with_count;
    int64_t count, within_s, quiet_s;
};

struct bus_rules;
struct bus_rules_config {
    const struct bus_rule_action *actions; // outlive the rules
    size_t action_count;
    void *user;
};
// ERR_INVALID with `file:line: message`. conf/rules.yaml shows all of it.
int bus_rules_parse(struct str yaml, const char *file, const struct bus_rules_config *,
                    struct bus_rules **ret, struct diag *);
// None yet; bus_rules_add adds one that outlives them. ERR_INVALID says what is wrong with it.
int bus_rules_new(struct bus_rules **ret, const struct bus_rules_config *);
int bus_rules_add(struct bus_rules *, const struct bus_rule *);
void bus_rules_free(struct bus_rules **);
// What stands at a path of an event ("data.tags.cluster"), as text; nothing where the path leads nowhere.
int bus_event_text(const json_t *event, const char *path, struct buf *out);
// Looks at up to `limit` events behind the last that was looked at (at first, behind the newest): how many. A rule
// whose action fails becomes a finding ("rule/<name>"), and holds no other up.
int bus_rules_run(struct store *, const struct bus_rules *, int limit);

// --- notices ------------------------------------------------------------------------------
//
// An outbox: rows written with the state, delivered at least once, with back-off, by a thread.

struct bus_mail {
    const char *to;
    const char *subject;
    const char *text;
    const char *dedupe; // at most one notice for each; NULL for none
};
int bus_notice_mail(struct store_tx *, const struct bus_mail *);
bool bus_mail_address_is_safe(const char *address); // something@something, of one line
// A POST of JSON, as bus_webhook_post does it; answered with anything but 2xx it is tried again, with the same
// X-Marquee-Delivery.
struct bus_hook {
    const char *url;
    const char *secret_file; // NULL: not signed
    const json_t *body;
    const char *dedupe; // as of a mail
};
int bus_notice_hook(struct store_tx *, const struct bus_hook *);
// A program, without a shell, with JSON on stdin; tried again unless it exits with 0 within a minute.
struct bus_exec {
    const json_t *argv; // an array of texts
    const json_t *body;
    const char *dedupe;
};
int bus_notice_exec(struct store_tx *, const struct bus_exec *);
// What became of the notice of this dedupe: 1 sent, 0 it waits (for its turn, or for a relay).
// ERR_NOT_FOUND: there is none.
int bus_notice_is_sent(struct store_tx *, const char *dedupe);

// A POST of JSON now, in this thread, within half a minute: 0 when it was answered with 2xx. Signed where
// there is a secret (docs/rooms/bus.md says how).
struct bus_webhook {
    const char *url;
    const char *secret_file; // a path; NULL: not signed
    const char *id;          // tells a repetition; NULL: none
    struct str body;
};
int bus_webhook_post(const struct bus_webhook *);
bool bus_webhook_url_is_safe(const char *url); // http or https, one line

struct bus_notifier;
struct bus_notifier_config {
    struct store *store;
    const char *smtp_url;  // "smtp://127.0.0.1:25", "smtps://…"; NULL: notices wait
    const char *smtp_user; // NULL: no authentication
    const char *smtp_password;
    const char *mail_from; // NULL: "marquee@localhost"
    int64_t retry_us;      // pause after the first failure, doubled each time; 0: 30 s
    struct meter *meter;   // counts what was sent and what failed; NULL
};
int bus_notifier_start(struct bus_notifier **ret, const struct bus_notifier_config *);
void bus_notifier_stop(struct bus_notifier **);
// Delivers what is due now, in this thread: how many were sent. For commands without a server.
int bus_notices_flush(const struct bus_notifier_config *);

#endif
