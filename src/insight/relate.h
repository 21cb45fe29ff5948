// SPDX-License-Identifier: GPL-3.0-or-later
//
// What else changed when a series did: thousands of candidates compared around the change, and the call graph
// asked where a fault began.
#ifndef INSIGHT_RELATE_H
#define INSIGHT_RELATE_H

#include "base/base.h"

// --- around a change ------------------------------------------------------------------------

enum insight_relation {
    INSIGHT_MOVED, // moved with it
    INSIGHT_BORN,  // has values since then only
    INSIGHT_DIED   // has none since then
};
const char *insight_relation_name(enum insight_relation);

struct insight_relate_config {
    size_t changed; // the index at which the target changed; SIZE_MAX: its latest change
    size_t reach;   // values looked at on either side, at most; 0: 120
    size_t max_lag; // 0: 10
    size_t keep;    // 0: 20
    const double *weights; // by candidate: what its score is multiplied by; NULL: 1 each
};
struct insight_related {
    size_t candidate;
    enum insight_relation relation;
    double score; // 0..1, by which they are ranked
    double pearson, spearman;
    int lag;              // the candidate was so many values earlier; negative: later
    size_t start, end;    // the window in which the pair was compared
    size_t changed;       // where the candidate changed most
    double before, after; // its medians, of at most 20 values on either side
    double step;          // the difference, in spreads of its noise
};
struct insight_relations {
    struct insight_related *list; // best first
    size_t count;
    size_t changed, start, end; // of the target
};
void insight_relations_free(struct insight_relations *);
// Each of the `count` candidates has `length` values, on the target's grid; NaN is no value. Compared is what is left
// of each series when the parabola beside its step is taken away, so that a daily cycle that all share
// relates nothing. ERR_NOT_FOUND: the target does not change. ERR_INVALID: fewer than 12 values.
int insight_relate(const double *target, size_t length, const double *const *candidates,
                   size_t count, const struct insight_relate_config *,
                   struct insight_relations *ret);

// Of many more candidates than one process takes: those among which insight_relate's are, as many as it judges twice.
// What insight_relate says of the sifted of all parts, in their order, is what it says of all at once.
struct insight_sifted {
    size_t *list; // candidates, ascending
    size_t count;
};
void insight_sifted_free(struct insight_sifted *);
int insight_sift(const double *target, size_t length, const double *const *candidates,
                 size_t count, const struct insight_relate_config *,
                 struct insight_sifted *ret);

// --- where a fault began ----------------------------------------------------------------------

// A part of the system, a step a value: how often it was called, and what a call took (seconds) or lost (the share
// that failed). NaN is no value.
struct insight_part {
    const char *name;
    const double *calls, *cost;
};
struct insight_call {
    size_t caller, callee; // parts
};
struct insight_calls {
    const struct insight_part *parts;
    size_t part_count, length;
    const struct insight_call *calls;
    size_t call_count;
};
struct insight_blame {
    size_t part;
    double own;   // what it took or lost more, in all, that its callees do not explain
    double whole; // with theirs
    double share; // own, of the positive own of all parts
};
struct insight_blames {
    struct insight_blame *list; // most `own` first
    size_t count;
};
void insight_blames_free(struct insight_blames *);
struct insight_window {
    size_t since;   // from here on the series hold together up to the change
    size_t changed; // the first step of the fault
    size_t end;     // behind its last
};
// Of all parts that `target` reaches, itself included. What a part took more in [changed, end) is calls x (cost - its
// usual cost), less what it took so in [since, changed) already; its usual cost is the median before `changed`. A callee's
// share of that belongs to each caller by its calls; what is left is the part's own. A part without values before `changed` has none: that it is called is its
// callers' doing. ERR_INVALID: an empty side.
int insight_blame(const struct insight_calls *, size_t target,
                  const struct insight_window *, struct insight_blames *ret);

#endif
