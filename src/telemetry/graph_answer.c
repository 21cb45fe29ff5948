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

int telemetry_picture_write(const struct telemetry_picture *p,
                            const struct telemetry_answer *answer, struct buf *out)
{
    static const char *const zones[] = {"UTC", NULL};
    const struct telemetry_span *span = &answer->span;
    const struct telemetry_graph g = {
        .span = *span,
        .end_ms = span->start_ms + (int64_t)span->count * span->step_ms,
        .format = TELEMETRY_PNG,
        .zones = zones,
        .width = p->width,
        .height = p->height,
        .layout = GRAPH_IMAGE,
        .zoom = 1,
        .is_dark = p->is_dark,
        .legend = GRAPH_LEGEND_NO_STATS,
        .title = p->title,
        .palette = p->is_dark ? "light24" : "armytage",
        .vision = "normal",
    };
    return graph_write(&g, answer, out);
}
