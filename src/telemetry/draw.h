// SPDX-License-Identifier: GPL-3.0-or-later
//
// A graph as a picture. draw.c says where everything lies and draws what surrounds the plots,
// draw_lines.c the plots, draw_legend.c what stands below them.
//
//      ┌──────────────── title ────────────────┐
//      │ axis 0 │         plot        │ axis 1… │
//      │        ├───── time, a row a zone ─────┤ │
//      │ legend: a block an axis                │
//      │ frame, end, step                       │
//      └────────────────────────────────────────┘
#ifndef TELEMETRY_DRAW_H
#define TELEMETRY_DRAW_H

#include "telemetry/graph_stats.h"
#include "telemetry/ticks.h"

#include <cairo.h>

#define DRAW_ZONES_MAX 4

struct draw_theme {
    uint32_t back, plot, text, faint, grid, grid_major;
};

struct draw_axis {
    const struct graph_axis *asked;
    size_t lines;     // that are on it
    double low, high; // of the plot; low < high
    struct ticks ticks;
    double width;   // of its marks and its label
    uint32_t color; // of its marks: the line's where it has only one
};

struct draw {
    const struct telemetry_graph *g;
    const struct telemetry_answer *a;
    cairo_t *cr;
    struct draw_theme theme;
    struct zone *zones[DRAW_ZONES_MAX];
    size_t zone_count;
    struct draw_axis axes[GRAPH_AXES];
    size_t axis_count;
    uint32_t *colors; // one a line
    double *base;     // two a value: what is stacked so far, above and below 0
    // In units of the picture before `zoom`.
    double plot_x, plot_y, plot_w, plot_h, legend_h, width, height;
};

#define DRAW_TEXT_PX  12.0
#define DRAW_SMALL_PX 11.0
#define DRAW_ROW_PX   15.0
#define DRAW_PAD_PX   8.0

enum draw_align { DRAW_LEFT, DRAW_CENTER, DRAW_RIGHT };
struct draw_text {
    const char *text;
    double x, y; // of the baseline
    double size_px;
    uint32_t color;
    enum draw_align align;
    double max_width; // cut with an ellipsis beyond; 0: never
};
void draw_text(const struct draw *, const struct draw_text *);
double draw_text_width(const struct draw *, const char *text, double size_px);
void draw_color(const struct draw *, uint32_t color);
// Which axis a line is drawn on.
size_t draw_axis_of(const struct draw *, size_t line);
enum telemetry_line_style draw_style_of(const struct draw *, size_t line);

void draw_lines(struct draw *);
double draw_legend_height(const struct draw *);
void draw_legend(const struct draw *, double y);

#endif
