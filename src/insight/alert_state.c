// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state machine of one alert, as a pure function.
#include "insight/alert_rules.h"

#include <math.h>
#include <string.h>

#define S_US INT64_C(1000000)

static const char *const names[] = {
#define X(name, word) [ALERT_##name] = word,
    ALERT_STATES(X)
#undef X
};

const char *alert_state_name(enum alert_state state)
{
    return names[state];
}

int alert_state_parse(const char *name, enum alert_state *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (enum alert_state)i;
            return 0;
        }
    }
    FAIL(ERR_INVALID, "'%s' is no state of an alert", name);
}

// Without thresholds an expression says it itself, as Atlas' do: not 0 is bad.
enum alert_verdict alert_judge(const struct alert_rule *r, double value)
{
    if (isnan(value)) {
        return VERDICT_NONE;
    }
    bool bad = r->above ? value > *r->above : r->below ? value < *r->below : value != 0;
    if (bad) {
        return VERDICT_BAD;
    }
    bool good = !r->resolve_at ? true
                : r->above     ? value <= *r->resolve_at
                               : value >= *r->resolve_at;
    return good ? VERDICT_GOOD : VERDICT_BETWEEN;
}

static bool has_fired(enum alert_state state)
{
    return state == ALERT_FIRING || state == ALERT_ACKNOWLEDGED || state == ALERT_NO_DATA;
}

static struct alert_facts on_bad(const struct alert_rule *r, struct alert_facts a,
                                 int64_t now_us)
{
    a.good_us = 0;
    if (!has_fired(a.state) && a.state != ALERT_PENDING) {
        a = (struct alert_facts){.since_us = now_us, .data_us = now_us};
        a.state = ALERT_PENDING;
    }
    if (a.state == ALERT_NO_DATA) {
        a.state = a.acknowledged ? ALERT_ACKNOWLEDGED : ALERT_FIRING;
    }
    if (a.state == ALERT_PENDING && now_us - a.since_us >= r->for_s * S_US) {
        a.state = ALERT_FIRING;
        a.fired_us = now_us;
    }
    return a;
}

static struct alert_facts on_good(const struct alert_rule *r, struct alert_facts a,
                                  int64_t now_us)
{
    if (!has_fired(a.state)) {
        a.state = ALERT_NONE;
        return a;
    }
    a.good_us = a.good_us ? a.good_us : now_us;
    if (now_us - a.good_us >= r->resolve_for_s * S_US) {
        a.state = ALERT_RESOLVED;
    }
    return a;
}

static struct alert_facts on_none(const struct alert_rule *r, struct alert_facts a,
                                  int64_t now_us)
{
    if (r->no_data == NO_DATA_RESOLVE) {
        return on_good(r, a, now_us);
    }
    if (a.state == ALERT_NONE && r->no_data == NO_DATA_ALERT) {
        return a; // the first time that it is missed is not known here
    }
    bool late = now_us - a.data_us >= r->no_data_s * S_US;
    if (a.state == ALERT_ACKNOWLEDGED) {
        return a; // somebody looks after it, data or not
    }
    if (r->no_data == NO_DATA_ALERT && late && a.state != ALERT_NO_DATA) {
        a.state = ALERT_NO_DATA;
        a.fired_us = a.fired_us ? a.fired_us : now_us;
        a.good_us = 0;
    }
    return a;
}

struct alert_facts alert_next(const struct alert_rule *r, struct alert_facts a,
                              enum alert_verdict verdict, int64_t now_us)
{
    a.data_us = verdict == VERDICT_NONE ? a.data_us : now_us;
    switch (verdict) {
    case VERDICT_BAD:
        return on_bad(r, a, now_us);
    case VERDICT_GOOD:
        return on_good(r, a, now_us);
    case VERDICT_BETWEEN: // of one that fired; of one that did not, it is not bad
        if (!has_fired(a.state)) {
            a.state = ALERT_NONE;
        } else if (a.state == ALERT_NO_DATA) {
            a.state = a.acknowledged ? ALERT_ACKNOWLEDGED : ALERT_FIRING;
        }
        a.good_us = 0;
        return a;
    case VERDICT_NONE:
        return on_none(r, a, now_us);
    }
    return a;
}
