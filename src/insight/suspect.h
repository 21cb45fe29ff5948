// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a look at a cluster of servers said: who is unlike their peers, and what the look was made of. Made
// by the detector, judged by the guards (action.h).
#ifndef INSIGHT_SUSPECT_H
#define INSIGHT_SUSPECT_H

#include "base/base.h"

struct insight_suspect {
    const char *server; // by its name in the cluster
    // Wall clock: the beginning of the first of the unbroken row of windows in which it was an outlier.
    int64_t since_us;
    double score; // how far out, in the detector's own measure
    // An object for people: which metrics, how far from the peers; NULL: {}.
    const json_t *evidence;
    const json_t *plot; // as insight_plot_make has it; NULL: none
};

// One look at one cluster. Borrowed.
struct insight_suspicion {
    const char *cluster;
    const char *rule;                       // "dbscan@1"
    int64_t window_start_us, window_end_us; // wall clock
    int64_t data_us;          // of the newest value that was looked at, wall clock
    size_t members;           // of the cluster, as the detector knows it
    size_t reporting;         // that had values in the window, the suspects included
    const json_t *parameters; // "eps", "min_points", metrics and their scales; NULL: {}
    const struct insight_suspect *suspects;
    size_t suspect_count;
};

#endif
