// SPDX-License-Identifier: GPL-3.0-or-later
//
// A value stands for the step that ends at its time, so that a line is a stair: level over its step, then
// up or down to the next. What is missing is a gap, never a line to 0.
#include "telemetry/draw.h"

#include <math.h>

static double x_of(const struct draw *d, size_t i)
{
    return d->plot_x + d->plot_w * (double)i / (double)d->a->span.count;
}

static double y_of(const struct draw *d, const struct draw_axis *axis, double value)
{
    double place = ticks_place(value, axis->low, axis->high, axis->asked->scale);
    // Far outside is drawn just outside: cairo counts in fixed point.
    return d->plot_y + d->plot_h * (1 - CLAMP(place, -2.0, 3.0));
}

static void draw_stair(const struct draw *d, const struct draw_axis *axis, size_t index)
{
    const struct telemetry_line *line = &d->a->lines[index];
    bool is_open = false;
    for (size_t i = 0; i < d->a->span.count; i++) {
        if (isnan(line->values[i])) {
            is_open = false;
            continue;
        }
        double y = y_of(d, axis, line->values[i]);
        if (is_open) {
            cairo_line_to(d->cr, x_of(d, i), y);
        } else {
            cairo_move_to(d->cr, x_of(d, i), y);
        }
        cairo_line_to(d->cr, x_of(d, i + 1), y);
        is_open = true;
    }
    cairo_set_line_width(d->cr, line->style.width > 0 ? line->style.width : 1);
    cairo_stroke(d->cr);
}

// Columns from `low` to `high` of each step; neighbours share an edge on a whole pixel, so that no seam
// shows between two.
static void fill_column(const struct draw *d, size_t i, double y0, double y1)
{
    double x0 = floor(x_of(d, i)), x1 = floor(x_of(d, i + 1));
    cairo_rectangle(d->cr, x0, MIN(y0, y1), MAX(x1 - x0, 1), fabs(y1 - y0));
}

static void draw_area(const struct draw *d, const struct draw_axis *axis, size_t index)
{
    const double *values = d->a->lines[index].values;
    double zero = y_of(d, axis, CLAMP(0.0, axis->low, axis->high));
    for (size_t i = 0; i < d->a->span.count; i++) {
        if (!isnan(values[i])) {
            fill_column(d, i, zero, y_of(d, axis, values[i]));
        }
    }
    cairo_fill(d->cr);
}

static void draw_stack(struct draw *d, const struct draw_axis *axis, size_t index)
{
    const double *values = d->a->lines[index].values;
    for (size_t i = 0; i < d->a->span.count; i++) {
        if (!isnan(values[i])) {
            double *base = &d->base[2 * i + (values[i] < 0)];
            double from = *base;
            *base += values[i];
            fill_column(d, i, y_of(d, axis, from), y_of(d, axis, *base));
        }
    }
    cairo_fill(d->cr);
}

static void draw_vspan(const struct draw *d, size_t index)
{
    const double *values = d->a->lines[index].values;
    for (size_t i = 0; i < d->a->span.count; i++) {
        if (!isnan(values[i]) && values[i] != 0) {
            fill_column(d, i, d->plot_y, d->plot_y + d->plot_h);
        }
    }
    cairo_fill(d->cr);
}

// How many lines pass through each cell of one step by one mark of the axis.
static void draw_heat(const struct draw *d, const struct draw_axis *axis, size_t index)
{
    const double *values = d->a->lines[index].values;
    double cell = d->plot_h / (double)MAX(axis->ticks.count, 1u) / 4;
    for (size_t i = 0; i < d->a->span.count; i++) {
        if (!isnan(values[i])) {
            double row = floor((y_of(d, axis, values[i]) - d->plot_y) / cell);
            fill_column(d, i, d->plot_y + row * cell, d->plot_y + (row + 1) * cell);
        }
    }
    cairo_fill(d->cr);
}

static void draw_line(struct draw *d, size_t index)
{
    const struct draw_axis *axis = &d->axes[draw_axis_of(d, index)];
    enum telemetry_line_style style = draw_style_of(d, index);
    int alpha = d->a->lines[index].style.alpha;
    uint32_t color = d->colors[index];
    if (alpha < 0 && style == TELEMETRY_VSPAN) {
        alpha = 0x40;
    } else if (alpha < 0 && style == TELEMETRY_HEATMAP) {
        alpha = 0x30; // many lines add up
    }
    if (alpha >= 0) {
        color = (color & 0xffffffu) | (uint32_t)alpha << 24;
    }
    draw_color(d, color);
    switch (style) {
    case TELEMETRY_LINE:
        draw_stair(d, axis, index);
        return;
    case TELEMETRY_AREA:
        draw_area(d, axis, index);
        return;
    case TELEMETRY_STACK:
        draw_stack(d, axis, index);
        return;
    case TELEMETRY_VSPAN:
        draw_vspan(d, index);
        return;
    case TELEMETRY_HEATMAP:
        draw_heat(d, axis, index);
        return;
    }
}

void draw_lines(struct draw *d)
{
    cairo_save(d->cr);
    cairo_rectangle(d->cr, d->plot_x, d->plot_y, d->plot_w, d->plot_h);
    cairo_clip(d->cr);
    for (size_t axis = 0; axis < d->axis_count; axis++) {
        for (size_t i = 0; i < 2 * d->a->span.count; i++) {
            d->base[i] = 0;
        }
        for (size_t i = 0; i < d->a->count; i++) {
            if (draw_axis_of(d, i) == axis) {
                draw_line(d, i);
            }
        }
    }
    cairo_restore(d->cr);
}
