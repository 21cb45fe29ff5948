// SPDX-License-Identifier: GPL-3.0-or-later
//
// Related signals out of the live store or out of a file, as the object that people and pages read.
#ifndef INSIGHT_SIGNALS_H
#define INSIGHT_SIGNALS_H

#include "flow/flow.h"
#include "insight/callgraph.h"
#include "insight/relate.h"
#include "telemetry/telemetry.h"

#include <jansson.h>

// Series on one grid. Borrowed.
struct insight_signals {
    const double *target;
    const double *const *candidates;
    const json_t *const *names; // of candidates: an object of tags, or a text
    size_t count, length;
    int64_t start_ms, step_ms; // of the grid; step 0: indices instead of times
    const json_t *calls;       // as insight_callgraph_ask has it; NULL: not known
};
// {"schema":1,"changed","start","end","step","target":{"values":[…]},"candidates":N,"related":[{"name","relation","score",
// "pearson","spearman","lag","changed","before","after","step","start","end","values":[…],"part","share"}],"calls"}: times in ms, or indices;
// `values` are those of the target's window, null where there is none: the picture. ERR as insight_relate.
int insight_signals_relate(const struct insight_signals *,
                           const struct insight_relate_config *, json_t **ret);

// Those among which insight_signals_relate's are, of a part of the candidates (insight_sift).
int insight_signals_sift(const struct insight_signals *,
                         const struct insight_relate_config *,
                         struct insight_sifted *ret);

struct insight_spread; // spread.h, inside the room
struct insight_question {
    const char *target; // a stack expression
    const json_t *tags; // of the line of it that is meant; NULL: its first
    // An expression that gives the others; NULL: every series that there is.
    const char *candidates;
    int64_t at_ms;  // when something happened to the target; 0: its latest change
    int64_t now_ms; // nothing behind it is looked at
    size_t keep;    // 0: 20
    const struct insight_callgraph *calls; // NULL: not known
    // Where more candidates go than one process looks at; NULL: nowhere.
    struct insight_spread *spread;
};
// Looks at eight hours of steps, at most two of them behind `at_ms`, and at most 10,000 candidates ("more": true where
// there were others). What has the target's very values is left out. ERR_NOT_FOUND: the expression gives no line, or
// its line does not change. With `spread` and more candidates than its chunk, *ret is NULL and the chunks are there.
int insight_signals_ask(struct telemetry *, const struct insight_question *,
                        json_t **ret);

// --- of alerts --------------------------------------------------------------------------------

struct insight_alert_rules;
struct store;
struct store_tx;
// Looks, for at most four alerts that fire and that nothing was looked for yet, which signals are related, in all
// series, and keeps what was found beside the alert. Returns for how many.
int insight_alerts_relate(struct store *, struct telemetry *,
                          const struct insight_alert_rules *,
                          const struct insight_callgraph *, int64_t now_us);
// {"found": as insight_signals_ask, or null, "why": why there is none, or null}; both null while a job looks for them.
// ERR_NOT_FOUND: not looked for yet.
int insight_alert_related(struct store_tx *, const char *alert, json_t **ret);

// More than 10,000 candidates are looked at by steps of a job, 10,000 each; whoever executes knows these.
extern const struct flow_step_type insight_related_types[];
extern const size_t insight_related_type_count;
struct flow_workflow insight_related_workflow(void);

#endif
