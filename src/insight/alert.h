// SPDX-License-Identifier: GPL-3.0-or-later
//
// Alerts: stack expressions that are looked at again and again, one alert for each line that they give.
//
//              fires                 `for` is over            acknowledge
//     (none) ───────▶ pending ─────────────────▶ firing ───────────────▶ acknowledged
//        ▲  fires no more │        no line at all │ ▲ a line again           │
//        └────────────────┘                       ▼ │                        │ good for `resolve_for`
//                                             no_data ───────▶ resolved ◀────┘
//
// State is rows, and what is told is written in the transaction of the state: a process may be killed at any
// moment, and each firing is told once.
#ifndef INSIGHT_ALERT_H
#define INSIGHT_ALERT_H

#include "store/store.h"

struct insight_alert_rules;
// ERR_INVALID with `file:line: message` for each mistake. conf/alerts.yaml shows all of it.
int insight_alert_rules_parse(struct str yaml, const char *file,
                              struct insight_alert_rules **ret, struct diag *);
void insight_alert_rules_free(struct insight_alert_rules **);
size_t insight_alert_rule_count(const struct insight_alert_rules *);

// What an expression gives now: of each line its tags (an object of texts) and its newest value, NaN where it has
// none. Owned by the arena that the reader was given, tags by the reader's array.
struct insight_line {
    const json_t *tags;
    double value;
};
struct insight_reading {
    struct insight_line *lines;
    size_t count;
    json_t *owner; // freed after use: holds the tags
};
typedef int insight_read_f(void *user, const char *expr, int64_t now_us, struct arena *,
                           struct insight_reading *ret);

// Reads a store of series (`series` is a struct telemetry *).
int insight_alerts_read(void *series, const char *expr, int64_t now_us, struct arena *,
                        struct insight_reading *ret);
// Each expression, as it will be read. ERR_INVALID with a line for each mistake.
int insight_alert_rules_check(const struct insight_alert_rules *, struct str yaml,
                              const char *file, struct diag *);

struct insight_alerts_config {
    struct store *store;
    const struct insight_alert_rules *rules;
    insight_read_f *read;
    void *user;
    size_t max_lines;     // of one rule; 0: 1,000
    const char *base_url; // of this service, for links; NULL: none
};
// One look at all rules, then what is to be told. A rule that cannot be read keeps its alerts as they are and becomes
// a finding ("alert-rule/<name>"), as one with too many lines does; the others go on. <0: rows cannot be written.
int insight_alerts_evaluate(const struct insight_alerts_config *, int64_t now_us);

// --- what people do -----------------------------------------------------------------------

// Nobody else is called until `until_us` (0: until it is resolved); then, or when it is taken back, it is told again
// from the first channel on.
struct insight_ack {
    const char *actor, *why;
    int64_t until_us;
};
int insight_alert_ack(struct store_tx *, const char *id, const struct insight_ack *);
// ERR_CONFLICT: nobody has acknowledged it.
int insight_alert_unack(struct store_tx *, const char *id, const char *actor);
// Nothing is told of alerts that fit until the end; they keep their state. `rule` NULL: any; `tags` an object of
// texts that an alert's own must have, NULL: any.
struct insight_silence {
    const char *rule;
    const json_t *tags;
    int64_t until_us;
    const char *why, *actor;
};
int insight_silence_add(struct store_tx *, const struct insight_silence *,
                        char ret_id[UUID_BYTES]);
int insight_silence_end(struct store_tx *, const char *id, const char *actor);
int insight_silences(struct store_tx *, int64_t now_us, json_t **ret); // those that hold

// Array of {"id","rule","tags","state","severity","summary","value","since","fired","resolved","acknowledged_by",
// "acknowledged_why","acknowledged_until","silenced","told"}, newest first. `state` NULL: all that are not resolved.
int insight_alerts(struct store_tx *, const char *state, int limit, json_t **ret);
int insight_alert(struct store_tx *, const char *id, json_t **ret);

#endif
