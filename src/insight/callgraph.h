// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who calls whom, as the operator describes it (calls.yaml): so that signals of the part where a fault began come before
// those of everything above it that waits for it.
#ifndef INSIGHT_CALLGRAPH_H
#define INSIGHT_CALLGRAPH_H

#include "base/base.h"
#include "base/diag.h"

#include <jansson.h>

struct telemetry;
struct telemetry_span;

struct insight_callgraph;
// ERR_INVALID with `file:line: message` for each mistake. conf/calls.yaml shows all of it.
int insight_callgraph_parse(struct str yaml, const char *file,
                            struct insight_callgraph **ret, struct diag *);
void insight_callgraph_free(struct insight_callgraph **);

struct insight_callgraph_question {
    const struct telemetry_span *span;
    size_t changed;     // the first step of the fault
    const json_t *tags; // of the alert: which part it is about; NULL: the graph's entry
};
// {"target","cost","tag","parts":[{"part","own","whole","share"}],"others":[…]}: insight_blame of the parts that the target's
// calls reach, by the cost that changed most clearly at the target; `others` are the parts that it does not reach. JSON null:
// it is not known which part is meant, or nobody was called.
int insight_callgraph_ask(struct telemetry *, const struct insight_callgraph *,
                          const struct insight_callgraph_question *, json_t **ret);
// What the score of a signal with these tags is multiplied by: 1 where all began in its part, 1/4 where nothing did, 1/2 for
// what belongs to no part. *ret_share: NAN where none is known. `calls` as above; without blame all are 1.
double insight_callgraph_weight(const json_t *calls, const json_t *tags,
                                const char **ret_part, double *ret_share);

#endif
