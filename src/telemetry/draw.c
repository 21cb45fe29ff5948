// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/draw.h"
#include "telemetry/palette.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_MAX_PX 8192.0
#define PLOT_MIN_PX  24.0

static const struct draw_theme light = {0xfff4f4f2, 0xffffffff, 0xff1c1a19,
                                        0xff6b6763, 0xffe6e4e1, 0xffc4c0bc};
static const struct draw_theme dark = {0xff191716, 0xff211f1d, 0xffece8e4,
                                       0xff9f9993, 0xff302d2a, 0xff4c4743};

void draw_color(const struct draw *d, uint32_t color)
{
    uint32_t c = d->g->vision ? palette_as_seen(d->g->vision, color) : color;
    cairo_set_source_rgba(d->cr, (c >> 16 & 0xff) / 255.0, (c >> 8 & 0xff) / 255.0,
                          (c & 0xff) / 255.0, (c >> 24) / 255.0);
}

double draw_text_width(const struct draw *d, const char *text, double size_px)
{
    cairo_text_extents_t e;
    cairo_set_font_size(d->cr, size_px);
    cairo_text_extents(d->cr, text, &e);
    return e.x_advance;
}

// Cuts whole characters of UTF-8 from the end until it fits.
static void fit(const struct draw *d, const struct draw_text *t, struct buf *out)
{
    buf_line(out, str_of(t->text));
    if (t->max_width <= 0 || draw_text_width(d, out->data, t->size_px) <= t->max_width) {
        return;
    }
    size_t len = out->len;
    while (len > 0) {
        do {
            len--;
        } while (len > 0 && ((unsigned char)out->data[len] & 0xc0) == 0x80);
        out->len = len;
        out->data[len] = '\0';
        buf_cstr(out, "\u2026");
        if (out->err < 0 || draw_text_width(d, out->data, t->size_px) <= t->max_width) {
            return;
        }
    }
}

void draw_text(const struct draw *d, const struct draw_text *t)
{
    AUTO(buf_free) struct buf text = {0};
    fit(d, t, &text);
    if (text.err < 0 || !text.data) {
        return;
    }
    double width = draw_text_width(d, text.data, t->size_px);
    double back = t->align == DRAW_LEFT ? 0 : t->align == DRAW_CENTER ? width / 2 : width;
    draw_color(d, t->color);
    cairo_move_to(d->cr, t->x - back, t->y);
    cairo_show_text(d->cr, text.data);
}

// --- axes ---------------------------------------------------------------------------------------

size_t draw_axis_of(const struct draw *d, size_t line)
{
    size_t axis =
        d->g->axis_per_line ? line : (size_t)MAX(d->a->lines[line].style.axis, 0);
    return MIN(axis, (size_t)GRAPH_AXES - 1);
}

enum telemetry_line_style draw_style_of(const struct draw *d, size_t line)
{
    enum telemetry_line_style said = d->a->lines[line].style.style;
    bool stacked = d->g->axes[draw_axis_of(d, line)].is_stacked;
    return said == TELEMETRY_LINE && stacked ? TELEMETRY_STACK : said;
}

struct range {
    double low, high;
};

static void widen(struct range *r, double v)
{
    if (isfinite(v)) {
        r->low = fmin(r->low, v);
        r->high = fmax(r->high, v);
    }
}

// Of all lines of an axis, stacks added up.
static struct range range_of(struct draw *d, size_t axis)
{
    struct range r = {NAN, NAN};
    bool from_zero = false;
    for (size_t t = 0; t < d->a->span.count; t++) {
        double above = 0, below = 0;
        for (size_t i = 0; i < d->a->count; i++) {
            enum telemetry_line_style style = draw_style_of(d, i);
            double v = d->a->lines[i].values[t];
            if (draw_axis_of(d, i) != axis || style == TELEMETRY_VSPAN || !isfinite(v)) {
                continue;
            }
            from_zero = from_zero || style == TELEMETRY_STACK || style == TELEMETRY_AREA;
            if (style == TELEMETRY_STACK) {
                above += MAX(v, 0);
                below += MIN(v, 0);
                widen(&r, above);
                widen(&r, below);
            } else {
                widen(&r, v);
            }
        }
    }
    if (from_zero && d->g->axes[axis].lower_bound == GRAPH_AUTO_STYLE) {
        widen(&r, 0);
    }
    return isnan(r.low) ? (struct range){0, 1} : r;
}

static void set_bounds(struct draw *d, size_t axis)
{
    struct draw_axis *x = &d->axes[axis];
    struct range r = range_of(d, axis);
    double room = (r.high - r.low) * 0.04;
    x->low = r.low == 0 ? 0 : r.low - room;
    x->high = r.high == 0 ? 0 : r.high + room;
    if (x->asked->lower_bound == GRAPH_EXPLICIT) {
        x->low = x->asked->lower;
    }
    if (x->asked->upper_bound == GRAPH_EXPLICIT) {
        x->high = x->asked->upper;
    }
    if (!(x->low < x->high)) { // one value only, or bounds the wrong way round
        double half = MAX(fabs(x->low) * 0.5, 0.5);
        x->high = x->low + half;
        x->low -= x->asked->lower_bound == GRAPH_EXPLICIT || x->low == 0 ? 0 : half;
    }
    ticks_of_values(x->low, x->high, (size_t)MAX(d->plot_h / 45, 2), x->asked, &x->ticks);
    x->width = 6;
    for (size_t i = 0; i < x->ticks.count; i++) {
        x->width =
            MAX(x->width, draw_text_width(d, x->ticks.list[i].text, DRAW_SMALL_PX) + 10);
    }
    x->width += x->asked->label ? DRAW_ROW_PX : 0;
}

static void count_axes(struct draw *d)
{
    d->axis_count = 1;
    for (size_t i = 0; i < d->a->count; i++) {
        size_t axis = draw_axis_of(d, i);
        d->axis_count = MAX(d->axis_count, axis + 1);
        d->axes[axis].lines++;
        d->axes[axis].color = d->colors[i];
    }
    for (size_t i = 0; i < d->axis_count; i++) {
        d->axes[i].asked = &d->g->axes[i];
        if (d->axis_count == 1 || d->axes[i].lines != 1) {
            d->axes[i].color = d->theme.text;
        }
    }
}

// A line's own colour, else the next of its own palette, its axis' or the graph's.
static void choose_colors(struct draw *d)
{
    const char *usual = d->g->palette   ? d->g->palette
                        : d->g->is_dark ? "light24"
                                        : "armytage";
    size_t of_axis[GRAPH_AXES] = {0}, of_graph = 0;
    for (size_t i = 0; i < d->a->count; i++) {
        const struct telemetry_line *line = &d->a->lines[i];
        size_t axis = draw_axis_of(d, i);
        const char *palette = d->g->axes[axis].palette;
        size_t at = palette ? of_axis[axis]++ : of_graph++;
        AUTO(cstr_free) char *own = NULL;
        if (line->style.palette.len > 0 &&
            cstr_printf(&own, STR_FMT, STR_ARG(line->style.palette)) == 0 &&
            palette_check(own) == 0) {
            palette = own;
        }
        d->colors[i] = line->style.color
                           ? line->style.color
                           : palette_color(palette ? palette : usual, at, line->label);
    }
}

// --- where everything lies ----------------------------------------------------------------------

static double right_width(const struct draw *d)
{
    double w = 0;
    for (size_t i = 1; i < d->axis_count; i++) {
        w += d->axes[i].width;
    }
    return w;
}

static void lay_out(struct draw *d)
{
    const struct telemetry_graph *g = d->g;
    bool whole_w = g->layout == GRAPH_IMAGE || g->layout == GRAPH_IMAGE_WIDTH;
    bool whole_h = g->layout == GRAPH_IMAGE || g->layout == GRAPH_IMAGE_HEIGHT;
    double pad = g->only_graph ? 0 : DRAW_PAD_PX;
    double top = g->only_graph ? 0
                 : g->title    ? DRAW_ROW_PX + 2 * DRAW_PAD_PX
                               : DRAW_PAD_PX;
    double times = g->only_graph ? 0 : DRAW_ROW_PX * (double)d->zone_count + 4;
    d->plot_h = MAX(g->height, PLOT_MIN_PX);
    for (size_t i = 0; i < d->axis_count; i++) {
        set_bounds(d, i);
    }
    double left = g->only_graph ? 0 : pad + d->axes[0].width;
    double right = g->only_graph ? 0 : pad + right_width(d);
    d->legend_h = draw_legend_height(d);
    double around = top + times + d->legend_h;
    if (whole_h &&
        d->plot_h - around < PLOT_MIN_PX * 2) { // the plot goes before its legend
        around -= d->legend_h;
        d->legend_h = 0;
    }
    d->plot_x = left;
    d->plot_y = top;
    d->plot_w = MAX(whole_w ? g->width - left - right : g->width, PLOT_MIN_PX);
    d->plot_h = MAX(whole_h ? g->height - around : g->height, PLOT_MIN_PX);
    for (size_t i = 0; i < d->axis_count; i++) {
        set_bounds(d, i); // as many marks as the height that is left has room for
    }
    d->width = left + d->plot_w + right;
    d->height = d->plot_h + around;
}

// --- what surrounds the plot --------------------------------------------------------------------

static double crisp(double v)
{
    return floor(v) + 0.5; // a line of one pixel on one row of pixels
}

static void rule(const struct draw *d, double x0, double y0, double x1, double y1)
{
    cairo_set_line_width(d->cr, 1);
    cairo_move_to(d->cr, x0, y0);
    cairo_line_to(d->cr, x1, y1);
    cairo_stroke(d->cr);
}

static double tick_y(const struct draw *d, const struct draw_axis *axis, size_t i)
{
    double at = axis->ticks.list[i].at;
    return d->plot_y +
           d->plot_h * (1 - ticks_place(at, axis->low, axis->high, axis->asked->scale));
}

static void draw_value_axis(const struct draw *d, size_t index, double x)
{
    const struct draw_axis *axis = &d->axes[index];
    double away = index == 0 ? -1 : 1;
    draw_color(d, axis->color);
    rule(d, crisp(x), d->plot_y, crisp(x), d->plot_y + d->plot_h);
    for (size_t i = 0; i < axis->ticks.count; i++) {
        double y = tick_y(d, axis, i);
        draw_color(d, axis->color);
        rule(d, x, crisp(y), x + away * 4, crisp(y));
        draw_text(d, &(struct draw_text){.text = axis->ticks.list[i].text,
                                         .x = x + away * 7,
                                         .y = y + 4,
                                         .size_px = DRAW_SMALL_PX,
                                         .color = axis->color,
                                         .align = index == 0 ? DRAW_RIGHT : DRAW_LEFT});
    }
    if (axis->asked->label) {
        cairo_save(d->cr);
        cairo_translate(d->cr,
                        x + away * (axis->width - DRAW_ROW_PX) + (index == 0 ? 0 : 10),
                        d->plot_y + d->plot_h / 2);
        cairo_rotate(d->cr, -M_PI / 2);
        draw_text(d, &(struct draw_text){.text = axis->asked->label,
                                         .size_px = DRAW_SMALL_PX,
                                         .color = axis->color,
                                         .align = DRAW_CENTER,
                                         .max_width = d->plot_h});
        cairo_restore(d->cr);
    }
}

static void draw_grid(const struct draw *d, const struct ticks *times)
{
    for (size_t i = 0; i < d->axes[0].ticks.count; i++) {
        double y = crisp(tick_y(d, &d->axes[0], i));
        draw_color(d, d->theme.grid);
        rule(d, d->plot_x, y, d->plot_x + d->plot_w, y);
    }
    for (size_t i = 0; i < times->count; i++) {
        double x =
            d->plot_x + d->plot_w * (times->list[i].at - (double)d->a->span.start_ms) /
                            (double)(d->a->span.step_ms * (int64_t)d->a->span.count);
        draw_color(d, times->list[i].is_major ? d->theme.grid_major : d->theme.grid);
        rule(d, crisp(x), d->plot_y, crisp(x), d->plot_y + d->plot_h);
    }
}

static void times_of(const struct draw *d, size_t zone, struct ticks *ret)
{
    const struct telemetry_span *s = &d->a->span;
    ticks_of_time(s->start_ms, s->start_ms + s->step_ms * (int64_t)s->count,
                  (size_t)(d->plot_w / 62), d->zones[zone], ret);
}

static void draw_time_axis(const struct draw *d, size_t zone, double y)
{
    struct ticks times;
    times_of(d, zone, &times);
    for (size_t i = 0; i < times.count; i++) {
        double x =
            d->plot_x + d->plot_w * (times.list[i].at - (double)d->a->span.start_ms) /
                            (double)(d->a->span.step_ms * (int64_t)d->a->span.count);
        draw_text(d, &(struct draw_text){.text = times.list[i].text,
                                         .x = x,
                                         .y = y,
                                         .size_px = DRAW_SMALL_PX,
                                         .color = times.list[i].is_major ? d->theme.text
                                                                         : d->theme.faint,
                                         .align = DRAW_CENTER});
    }
    const char *letters = "";
    zone_offset(d->zones[zone], d->g->end_ms / 1000, &letters);
    draw_text(d, &(struct draw_text){.text = letters,
                                     .x = d->plot_x - 6,
                                     .y = y,
                                     .size_px = DRAW_SMALL_PX,
                                     .color = d->theme.faint,
                                     .align = DRAW_RIGHT});
}

static void draw_all(struct draw *d)
{
    struct ticks times;
    times_of(d, 0, &times);
    draw_color(d, d->theme.back);
    cairo_paint(d->cr);
    draw_color(d, d->theme.plot);
    cairo_rectangle(d->cr, d->plot_x, d->plot_y, d->plot_w, d->plot_h);
    cairo_fill(d->cr);
    draw_grid(d, &times);
    draw_lines(d);
    if (d->g->only_graph) {
        return;
    }
    if (d->g->title) {
        draw_text(d, &(struct draw_text){.text = d->g->title,
                                         .x = d->width / 2,
                                         .y = DRAW_PAD_PX + DRAW_TEXT_PX,
                                         .size_px = DRAW_TEXT_PX + 1,
                                         .color = d->theme.text,
                                         .align = DRAW_CENTER,
                                         .max_width = d->width - 2 * DRAW_PAD_PX});
    }
    double x = d->plot_x + d->plot_w, y = d->plot_y + d->plot_h;
    draw_value_axis(d, 0, d->plot_x);
    for (size_t i = 1; i < d->axis_count; i++) {
        draw_value_axis(d, i, x);
        x += d->axes[i].width;
    }
    for (size_t i = 0; i < d->zone_count; i++) {
        y += DRAW_ROW_PX;
        draw_time_axis(d, i, y);
    }
    if (d->legend_h > 0) {
        draw_legend(d, y);
    }
}

// --- the picture --------------------------------------------------------------------------------

static cairo_status_t write_png(void *user, const unsigned char *bytes, unsigned len)
{
    struct buf *out = user;
    buf_add(out, bytes, len);
    return out->err < 0 ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static void draw_end(struct draw *d)
{
    if (d->cr) {
        cairo_destroy(d->cr);
    }
    for (size_t i = 0; i < d->zone_count; i++) {
        zone_free(&d->zones[i]);
    }
    free(d->colors);
    free(d->base);
}

static cairo_t *canvas(double width, double height)
{
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)ceil(width),
                                                    (int)ceil(height));
    cairo_t *cr = cairo_create(s);
    cairo_surface_destroy(s); // the context keeps it
    cairo_select_font_face(cr, "monospace", CAIRO_FONT_SLANT_NORMAL,
                           CAIRO_FONT_WEIGHT_NORMAL);
    return cr;
}

static int to_png(cairo_t *cr, struct buf *out)
{
    cairo_status_t status =
        cairo_surface_write_to_png_stream(cairo_get_target(cr), write_png, out);
    FAIL_IF(status != CAIRO_STATUS_SUCCESS, ERR_NOMEM, "a picture: %s",
            cairo_status_to_string(status));
    return 0;
}

static int draw_begin(struct draw *d)
{
    d->theme = d->g->is_dark ? dark : light;
    d->colors = calloc(MAX(d->a->count, 1u), sizeof *d->colors);
    d->base = calloc(MAX(d->a->span.count, 1u) * 2, sizeof *d->base);
    FAIL_IF(!d->colors || !d->base, ERR_NOMEM, "a picture");
    while (d->zone_count < DRAW_ZONES_MAX && d->g->zones[d->zone_count]) {
        TRY(zone_open(&d->zones[d->zone_count], d->g->zones[d->zone_count]));
        d->zone_count++;
    }
    FAIL_IF(d->zone_count == 0 || d->a->span.count == 0, ERR_INVALID,
            "a graph of no time");
    d->cr = canvas(1, 1); // to measure texts
    choose_colors(d);
    count_axes(d);
    lay_out(d);
    FAIL_IF(d->width * d->g->zoom > IMAGE_MAX_PX || d->height * d->g->zoom > IMAGE_MAX_PX,
            ERR_LIMIT, "the picture would be %.0f x %.0f pixels; at most %.0f",
            d->width * d->g->zoom, d->height * d->g->zoom, IMAGE_MAX_PX);
    cairo_destroy(d->cr);
    d->cr = canvas(d->width * d->g->zoom, d->height * d->g->zoom);
    cairo_scale(d->cr, d->g->zoom, d->g->zoom);
    return 0;
}

int graph_write_png(const struct telemetry_graph *g, const struct telemetry_answer *a,
                    struct buf *out)
{
    AUTO(draw_end) struct draw d = {.g = g, .a = a};
    TRY(draw_begin(&d));
    draw_all(&d);
    return to_png(d.cr, out);
}

int graph_write_complaint(const struct telemetry_graph *g, const char *why,
                          struct buf *out)
{
    AUTO(draw_end) struct draw d = {.g = g, .theme = g->is_dark ? dark : light};
    double w = CLAMP(g->width * g->zoom, 120, IMAGE_MAX_PX),
           h = CLAMP(g->height * g->zoom, 40, IMAGE_MAX_PX);
    d.cr = canvas(w, h);
    draw_color(&d, d.theme.back);
    cairo_paint(d.cr);
    struct draw_text t = {.x = DRAW_PAD_PX,
                          .y = DRAW_PAD_PX + DRAW_TEXT_PX,
                          .size_px = DRAW_TEXT_PX,
                          .color = d.theme.text,
                          .max_width = w - 2 * DRAW_PAD_PX};
    // A row of so many characters; the font has one width.
    size_t fits = (size_t)(t.max_width / draw_text_width(&d, "x", t.size_px)),
           left = strlen(why);
    for (const char *at = why; left > 0 && t.y < h; t.y += DRAW_ROW_PX) {
        char row[200];
        size_t n = MIN(MIN(left, fits), sizeof row - 1);
        memcpy(row, at, n);
        row[n] = '\0';
        t.text = row;
        draw_text(&d, &t);
        at += n;
        left -= n;
    }
    return to_png(d.cr, out);
}
