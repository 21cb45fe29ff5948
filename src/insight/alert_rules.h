// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside the room: alert rules as they were read, and the state machine.
#ifndef INSIGHT_ALERT_RULES_H
#define INSIGHT_ALERT_RULES_H

#include "insight/internal.h"

enum alert_no_data { NO_DATA_KEEP, NO_DATA_RESOLVE, NO_DATA_ALERT };
enum alert_severity { ALERT_INFO, ALERT_WARNING, ALERT_ERROR };

struct alert_channel {
    char *name;
    char *mail;
    char *webhook;
    char *secret_file;
    char **exec;
    uint32_t exec_count;
};
struct alert_escalation {
    int64_t after_s;
    char **channels;
    uint32_t channels_count;
};
struct alert_rule {
    char *name;
    char *summary;
    char *expr;
    double *above, *below, *resolve_at; // NULL: not said
    int64_t for_s, resolve_for_s, no_data_s, group_wait_s;
    enum alert_no_data no_data;
    enum alert_severity severity;
    char **group_by;
    uint32_t group_by_count;
    char **inhibited_by;
    uint32_t inhibited_by_count;
    char **equal; // tags that the inhibiting alert has in common
    uint32_t equal_count;
    char **channels;
    uint32_t channels_count;
    struct alert_escalation *escalate;
    uint32_t escalate_count;
};
struct insight_alert_rules {
    int64_t schema;
    struct alert_channel *channels;
    uint32_t channels_count;
    struct alert_rule *rules;
    uint32_t rules_count;
};
const char *alert_severity_name(enum alert_severity);
const struct alert_channel *alert_channel_of(const struct insight_alert_rules *,
                                             const char *name);
const struct alert_rule *alert_rule_of(const struct insight_alert_rules *,
                                       const char *name);

// --- the machine (alert_state.c) --------------------------------------------------------------

#define ALERT_STATES(X)             \
    X(NONE, "none")                 \
    X(PENDING, "pending")           \
    X(FIRING, "firing")             \
    X(ACKNOWLEDGED, "acknowledged") \
    X(NO_DATA, "no_data")           \
    X(RESOLVED, "resolved")
enum alert_state {
#define X(name, word) ALERT_##name,
    ALERT_STATES(X)
#undef X
};
const char *alert_state_name(enum alert_state);
int alert_state_parse(const char *name, enum alert_state *ret);

// What a value says: BETWEEN the thresholds of firing and resolving it leaves things as they are.
enum alert_verdict { VERDICT_BAD, VERDICT_GOOD, VERDICT_BETWEEN, VERDICT_NONE };
enum alert_verdict alert_judge(const struct alert_rule *, double value);

struct alert_facts {
    enum alert_state state;
    bool acknowledged; // also through a time without data
    int64_t since_us;  // it has been bad
    int64_t fired_us;  // 0: it never did
    int64_t good_us;   // since when it is good; 0: it is not
    int64_t data_us;   // when it had a value last
};
// The next state; NONE: there is nothing to remember.
struct alert_facts alert_next(const struct alert_rule *, struct alert_facts,
                              enum alert_verdict, int64_t now_us);

// Ends acknowledgements whose time is over (alert_people.c).
int alerts_unack_late(struct store_tx *, int64_t now_us);

// --- telling (alert_tell.c) -------------------------------------------------------------------

int alerts_tell(struct store_tx *, const struct insight_alerts_config *, int64_t now_us);
// Whether a silence, as insight_silences lists it, is for an alert of this rule with these tags (alert_people.c).
bool alert_silence_fits(const json_t *silence, const char *rule, const json_t *tags);

#endif
