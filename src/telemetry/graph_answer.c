// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/graph_stats.h"

int telemetry_graph_write(struct telemetry *t, const struct telemetry_graph *g,
                          struct buf *out)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct telemetry_answer answer, sorted;
    TRY(arena_new(&arena));
    TRY(telemetry_evaluate(t, g->expr, &g->span, arena, &answer));
    TRY(graph_sort(g, &answer, arena, &sorted));
    return graph_write(g, &sorted, out);
}

int telemetry_graph_complaint(const struct telemetry_graph *g, const char *why,
                              struct buf *out)
{
    return graph_write_complaint(g, why, out);
}
