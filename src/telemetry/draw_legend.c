// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/draw.h"

#include <stdio.h>

#define LEGEND_LINES_MAX 50u // beyond, nobody reads on

static bool has_stats(const struct draw *d)
{
    return d->g->legend == GRAPH_LEGEND;
}

static size_t shown(const struct draw *d)
{
    return MIN(d->a->count, LEGEND_LINES_MAX);
}

double draw_legend_height(const struct draw *d)
{
    if (d->g->legend == GRAPH_LEGEND_OFF || d->g->only_graph) {
        return 0;
    }
    size_t rows = shown(d) * (has_stats(d) ? 2 : 1) + (shown(d) < d->a->count) + 1;
    rows += d->axis_count > 1 ? d->axis_count : 0;
    return (double)rows * DRAW_ROW_PX + 2 * DRAW_PAD_PX;
}

static void draw_stats(const struct draw *d, size_t index, double y)
{
    const struct draw_axis *axis = &d->axes[draw_axis_of(d, index)];
    struct graph_stats s = graph_stats(&d->a->lines[index], d->a->span.count);
    char text[6][TICKS_TEXT_BYTES], row[240];
    const double values[] = {s.max, s.min, s.avg, s.last, s.total, (double)s.count};
    for (size_t i = 0; i < 6; i++) {
        ticks_text(values[i],
                   axis->asked->ticks == GRAPH_TICKS_OFF ? GRAPH_TICKS_DECIMAL
                                                         : axis->asked->ticks,
                   text[i]);
    }
    snprintf(row, sizeof row, "max %9s  min %9s  avg %9s  last %9s  total %9s  count %zu",
             text[0], text[1], text[2], text[3], text[4], s.count);
    draw_text(d, &(struct draw_text){.text = row,
                                     .x = DRAW_PAD_PX + 20,
                                     .y = y,
                                     .size_px = DRAW_SMALL_PX,
                                     .color = d->theme.faint,
                                     .max_width = d->width - 2 * DRAW_PAD_PX - 20});
}

static double draw_entry(const struct draw *d, size_t index, double y)
{
    struct str s = d->a->lines[index].label;
    char label[300];
    snprintf(label, sizeof label, STR_FMT, STR_ARG(s));
    draw_color(d, d->colors[index] | 0xff000000u);
    cairo_rectangle(d->cr, DRAW_PAD_PX, y - 10, 11, 11);
    cairo_fill(d->cr);
    draw_text(d, &(struct draw_text){.text = label,
                                     .x = DRAW_PAD_PX + 20,
                                     .y = y,
                                     .size_px = DRAW_TEXT_PX,
                                     .color = d->theme.text,
                                     .max_width = d->width - 2 * DRAW_PAD_PX - 20});
    if (has_stats(d)) {
        y += DRAW_ROW_PX;
        draw_stats(d, index, y);
    }
    return y + DRAW_ROW_PX;
}

// "3h", "90s": the largest unit that it is whole in.
static void duration_text(int64_t ms, char ret[32])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {
        {604800000, "w"}, {86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            snprintf(ret, 32, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
            return;
        }
    }
    snprintf(ret, 32, "%lldms", (long long)ms);
}

static void draw_footer(const struct draw *d, double y)
{
    char frame[32], step[32], row[200];
    const struct telemetry_span *s = &d->a->span;
    int64_t end_s = d->g->end_ms / 1000;
    struct zone_date t = zone_date(end_s + zone_offset(d->zones[0], end_s, NULL));
    duration_text(s->step_ms * (int64_t)s->count, frame);
    duration_text(s->step_ms, step);
    snprintf(row, sizeof row, "Frame: %s, End: %04lld-%02d-%02d %02d:%02d %s, Step: %s",
             frame, (long long)t.year, t.month, t.day, t.hour, t.minute,
             zone_name(d->zones[0]), step);
    draw_text(d, &(struct draw_text){.text = row,
                                     .x = DRAW_PAD_PX,
                                     .y = y,
                                     .size_px = DRAW_SMALL_PX,
                                     .color = d->theme.faint,
                                     .max_width = d->width - 2 * DRAW_PAD_PX});
}

void draw_legend(const struct draw *d, double y)
{
    size_t left = shown(d);
    y += DRAW_PAD_PX + DRAW_ROW_PX;
    for (size_t axis = 0; axis < d->axis_count; axis++) {
        if (d->axis_count > 1) {
            char head[80];
            const char *label = d->axes[axis].asked->label;
            snprintf(head, sizeof head, "Axis %zu%s%s", axis, label ? ": " : "",
                     label ? label : "");
            draw_text(d, &(struct draw_text){.text = head,
                                             .x = DRAW_PAD_PX,
                                             .y = y,
                                             .size_px = DRAW_SMALL_PX,
                                             .color = d->theme.faint});
            y += DRAW_ROW_PX;
        }
        for (size_t i = 0; i < d->a->count && left > 0; i++) {
            if (draw_axis_of(d, i) == axis) {
                y = draw_entry(d, i, y);
                left--;
            }
        }
    }
    if (shown(d) < d->a->count) {
        char more[64];
        snprintf(more, sizeof more, "and %zu more lines", d->a->count - shown(d));
        draw_text(d, &(struct draw_text){.text = more,
                                         .x = DRAW_PAD_PX + 20,
                                         .y = y,
                                         .size_px = DRAW_TEXT_PX,
                                         .color = d->theme.text});
        y += DRAW_ROW_PX;
    }
    draw_footer(d, y);
}
