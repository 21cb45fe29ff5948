// SPDX-License-Identifier: GPL-3.0-or-later
//
// A graph that somebody asked for, as the reader of its address (graph_parse.c) leaves it for those who
// write it (graph_write.c, draw*.c). https://netflix.github.io/atlas-docs/api/graph/graph/
#ifndef TELEMETRY_GRAPH_H
#define TELEMETRY_GRAPH_H

#include "telemetry/telemetry.h"

#define GRAPH_AXES 5 // as many as Atlas draws

enum graph_layout {
    GRAPH_CANVAS, // width and height are the plot's alone
    GRAPH_IMAGE,  // of the whole image
    GRAPH_IMAGE_WIDTH,
    GRAPH_IMAGE_HEIGHT
};
enum graph_scale { GRAPH_LINEAR, GRAPH_LOG, GRAPH_LOG_LINEAR, GRAPH_POWER_2, GRAPH_SQRT };
enum graph_ticks {
    GRAPH_TICKS_DECIMAL,
    GRAPH_TICKS_BINARY,
    GRAPH_TICKS_DURATION,
    GRAPH_TICKS_OFF
};
enum graph_bound { GRAPH_AUTO_STYLE, GRAPH_AUTO_DATA, GRAPH_EXPLICIT };
enum graph_legend { GRAPH_LEGEND, GRAPH_LEGEND_NO_STATS, GRAPH_LEGEND_OFF };

struct graph_axis {
    enum graph_bound lower_bound, upper_bound;
    double lower, upper; // where explicit
    enum graph_scale scale;
    enum graph_ticks ticks;
    const char *label;   // NULL: none
    const char *palette; // NULL: the graph's
    bool is_stacked;     // lines without a style of their own are areas upon each other
};

struct telemetry_graph {
    const struct telemetry_expr *expr;
    struct telemetry_span span;
    int64_t end_ms; // of the span, as it was asked for: span.start_ms + count * step_ms
    enum telemetry_format format;
    const char *callback;     // of JSONP; NULL
    const char *const *zones; // IANA names, the first is the main one; NULL-terminated
    int width, height;
    enum graph_layout layout;
    double zoom;
    bool is_dark;
    bool only_graph;
    bool axis_per_line;
    bool show_border;
    enum graph_legend legend;
    const char *title;   // NULL: none
    const char *palette; // "armytage", "reds", "colors:f00,00f", …
    const char *vision;  // "normal", "protanopia", …: how the picture would be seen
    // "legend", "min", "max", "avg", "count", "total", "last"; NULL: as asked
    const char *order_by;
    bool is_descending;
    struct graph_axis axes[GRAPH_AXES];
};

#endif
