// SPDX-License-Identifier: GPL-3.0-or-later
//
// How good a configuration is, and the search for a better one.
#ifndef INSIGHT_ANNEAL_H
#define INSIGHT_ANNEAL_H

#include "insight/simulate.h"

// Looks at one cluster, from old to new, and the truth where it is known.
struct insight_case {
    struct insight_look *looks;
    size_t count;
    bool *sick; // by server; NULL: not known
    bool *
        unsure; // sick for a part of the time: whatever is said of it does not count; NULL: none
};
void insight_cases_free(struct insight_case *, size_t count);
// The looks at a recording's end. Takes no labels: set `sick` then.
int insight_case_of(const struct insight_peers_config *, const struct insight_recording *,
                    struct insight_case *ret);

struct insight_tally {
    size_t right, wrong; // suspects that are sick, that are not
    size_t missed;       // sick ones that are no suspects
    size_t judged;       // servers that could be suspects
};
// Suspects against the truth, by the looks as they were scored. Sick servers that could not be judged are missed.
struct insight_tally insight_case_tally(const struct insight_peers_config *,
                                        const struct insight_case *);

struct insight_share {
    double value, low, high; // with an interval of 95 %
};
// Wilson's interval; 0 of 0 is NaN.
struct insight_share insight_share_of(size_t part, size_t whole);
struct insight_quality {
    struct insight_tally sum;
    struct insight_share precision, recall;
    struct insight_share f; // F1, its interval by bootstrap over the tallies
};
int insight_quality_of(const struct insight_tally *, size_t count, uint64_t seed,
                       struct insight_quality *ret);

// Simulated annealing (Kirkpatrick et al. 1983) over eps and min_points: towards the best F where the truth is known
// (at the share of sick servers that the owner expects, if one is stated), else towards as many outliers a window
// as the owner expects. The cases are scored anew; the configuration's eps and min_points are where it begins
// and what it changes.
struct insight_annealed {
    double energy; // 1 - F, or the mean way from the expected number in parts of it
    size_t tried;
};
int insight_anneal(struct insight_peers_config *, struct insight_case *, size_t count,
                   uint64_t seed, struct insight_annealed *ret);

#endif
