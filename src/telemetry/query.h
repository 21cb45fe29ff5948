// SPDX-License-Identifier: GPL-3.0-or-later
//
// Questions about series: the Atlas stack language and the subset of PromQL that dashboards use, both
// compiled to one plan. https://netflix.github.io/atlas-docs/asl/reference/
#ifndef TELEMETRY_QUERY_H
#define TELEMETRY_QUERY_H

#include "telemetry/series.h"

// How a line is to be drawn: what :legend, :axis, :alpha, :color, :lw, :ls, :palette, :stack, :area,
// :line, :vspan, :sort, :order and :limit said.
enum telemetry_line_style {
    TELEMETRY_LINE,
    TELEMETRY_AREA,
    TELEMETRY_STACK,
    TELEMETRY_VSPAN,
    TELEMETRY_HEATMAP
};
struct telemetry_style {
    enum telemetry_line_style style;
    bool has_style;     // it was said: else it is a line, or as the axis has it
    int axis;           // 0-based
    uint32_t color;     // AARRGGBB; 0: from the palette
    int alpha;          // 0..255; -1: not said
    double width;       // 0: 1
    struct str palette; // empty: the graph's
};

// One line of an answer. Texts and values are the arena's of the evaluation.
struct telemetry_line {
    struct telemetry_tags tags; // those that are left after grouping
    struct str label;           // what to call it, with its $variables filled in
    struct telemetry_style style;
    const double *values; // span.count
    int64_t offset_ms;    // of :offset
};
struct telemetry_answer {
    const struct telemetry_line *lines;
    size_t count;
    struct telemetry_span span;
};

// A parsed question: shows itself again, and can be evaluated many times. Owned by its arena.
struct telemetry_expr;

// ERR_INVALID with the word and its place.
int telemetry_stack_parse(struct str text, struct arena *,
                          const struct telemetry_expr **ret);
// Which series are meant, of a text that is a query alone: "name,sps,:eq,nf.app,www,:eq,:and".
int telemetry_match_parse(struct str text, struct arena *,
                          const struct telemetry_match **ret);
// ERR_INVALID with the place. It is evaluated at each step of the span.
int telemetry_promql_parse(struct str text, struct arena *,
                           const struct telemetry_expr **ret);
// Which series a PromQL selector means; ERR_INVALID for anything but one.
int telemetry_promql_match(struct str text, struct arena *,
                           const struct telemetry_match **ret);
int telemetry_expr_print(const struct telemetry_expr *, struct buf *out);
// ERR_LIMIT: over `max_lines` lines (0: 10,000) or too many values.
int telemetry_evaluate(struct telemetry *, const struct telemetry_expr *,
                       const struct telemetry_span *, struct arena *,
                       struct telemetry_answer *ret);

// A whole graph, as /api/v1/graph?… asks for it: the expression and how to draw it. Times as Atlas reads
// them: "e-3h", "now", ISO 8601, seconds or milliseconds since 1970, time zones.
struct telemetry_graph;
int telemetry_graph_parse(struct str uri, int64_t now_ms, int64_t store_step_ms,
                          struct arena *, const struct telemetry_graph **ret);
enum telemetry_format {
    TELEMETRY_PNG,
    TELEMETRY_JSON, // Atlas' v1 "json"
    TELEMETRY_CSV,
    TELEMETRY_TXT, // as CSV, by tabs
    TELEMETRY_STD_JSON,
    TELEMETRY_STATS_JSON,
    TELEMETRY_V2_JSON
};
enum telemetry_format telemetry_graph_format(const struct telemetry_graph *);
const char *telemetry_format_type(enum telemetry_format); // the media type
// Evaluates and writes it. ERR_INVALID, ERR_LIMIT: an image of the reason is the caller's to write, by
// telemetry_graph_complaint.
int telemetry_graph_write(struct telemetry *, const struct telemetry_graph *,
                          struct buf *out);
int telemetry_graph_complaint(const struct telemetry_graph *, const char *why,
                              struct buf *out);

// Lines that somebody kept, which need not be in the store any more, as a PNG; times are UTC.
struct telemetry_picture {
    const char *title;
    int width, height; // of the whole image
    bool is_dark;
};
int telemetry_picture_write(const struct telemetry_picture *,
                            const struct telemetry_answer *, struct buf *out);

#endif
