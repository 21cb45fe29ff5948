// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a legend says of a line: over the values that are there.
#ifndef TELEMETRY_GRAPH_STATS_H
#define TELEMETRY_GRAPH_STATS_H

#include "telemetry/graph.h"

struct graph_stats {
    size_t count;
    double avg, total, max, min, last; // NaN where count is 0; total then 0
};
struct graph_stats graph_stats(const struct telemetry_line *, size_t value_count);
// In the order that the graph wants (its `order_by`); ties stay as they were.
int graph_sort(const struct telemetry_graph *, const struct telemetry_answer *,
               struct arena *, struct telemetry_answer *ret);

// --- writers of the formats ---------------------------------------------------------------------
// In the format that the graph asks for.
int graph_write(const struct telemetry_graph *, const struct telemetry_answer *,
                struct buf *out);
int graph_write_png(const struct telemetry_graph *, const struct telemetry_answer *,
                    struct buf *out);
// An image of the graph's size that says why there is none.
int graph_write_complaint(const struct telemetry_graph *, const char *why,
                          struct buf *out);

#endif
