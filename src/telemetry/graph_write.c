// SPDX-License-Identifier: GPL-3.0-or-later
//
// The answer to a graph as text. Shapes of https://netflix.github.io/atlas-docs/api/graph/outputs/; a
// value of `json` that is not finite is a bare word there, which few readers take, of `std.json` one in
// quotes.
#include "telemetry/graph_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- numbers of a line --------------------------------------------------------------------------

struct graph_stats graph_stats(const struct telemetry_line *line, size_t value_count)
{
    struct graph_stats s = {.avg = NAN, .max = NAN, .min = NAN, .last = NAN};
    for (size_t i = 0; i < value_count; i++) {
        double v = line->values[i];
        if (!isnan(v)) {
            s.count++;
            s.total += v;
            s.max = fmax(s.max, v); // NaN where there was none yet: fmax ignores it
            s.min = fmin(s.min, v);
            s.last = v;
        }
    }
    s.avg = s.count ? s.total / (double)s.count : NAN;
    return s;
}

struct place {
    size_t at;
    double key;
    struct str label;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = 0;
    if (isnan(a->key) || isnan(b->key)) { // lines without values come last
        order = isnan(a->key) - isnan(b->key);
    } else if (a->key != b->key) {
        order = a->key < b->key ? -1 : 1;
    } else {
        size_t n = MIN(a->label.len, b->label.len);
        order = n ? memcmp(a->label.data, b->label.data, n) : 0;
        order =
            order ? order : (a->label.len > b->label.len) - (a->label.len < b->label.len);
    }
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

static double key_of(const char *by, const struct telemetry_line *line, size_t count)
{
    struct graph_stats s = graph_stats(line, count);
    const struct {
        const char *name;
        double key;
    } keys[] = {{"min", s.min},   {"max", s.max},     {"avg", s.avg},
                {"last", s.last}, {"total", s.total}, {"count", (double)s.count}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(by, keys[i].name) == 0) {
            return keys[i].key;
        }
    }
    return 0; // by its label
}

int graph_sort(const struct telemetry_graph *g, const struct telemetry_answer *answer,
               struct arena *arena, struct telemetry_answer *ret)
{
    *ret = *answer;
    if (!g->order_by || answer->count == 0) {
        return 0;
    }
    struct place *places = arena_alloc(arena, answer->count, sizeof *places);
    struct telemetry_line *lines = arena_alloc(arena, answer->count, sizeof *lines);
    FAIL_IF(!places || !lines, ERR_NOMEM, "sorting %zu lines", answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        const struct telemetry_line *line = &answer->lines[i];
        bool by_label = strcmp(g->order_by, "legend") == 0;
        places[i] = (struct place){
            i, by_label ? 0 : key_of(g->order_by, line, answer->span.count), line->label};
    }
    qsort(places, answer->count, sizeof *places, compare_places);
    for (size_t i = 0; i < answer->count; i++) {
        size_t from = g->is_descending ? answer->count - 1 - i : i;
        lines[i] = answer->lines[places[from].at];
    }
    ret->lines = lines;
    return 0;
}

// --- JSON ---------------------------------------------------------------------------------------

static void write_value(struct json_out *o, const struct telemetry_graph *g, double v)
{
    if (g->format == TELEMETRY_STD_JSON) {
        json_out_double_quoted(o, v);
    } else {
        json_out_double_bare(o, v);
    }
}

static void write_tags(struct json_out *o, const struct telemetry_line *line)
{
    json_out_object(o);
    for (size_t i = 0; i < line->tags.count; i++) {
        json_out_key_str(o, line->tags.list[i].key);
        json_out_str(o, line->tags.list[i].value);
    }
    json_out_end(o);
}

static void write_head(struct json_out *o, const struct telemetry_graph *g,
                       const struct telemetry_answer *a)
{
    json_out_key(o, "start");
    json_out_i64(o, a->span.start_ms);
    if (g->format == TELEMETRY_STATS_JSON) {
        json_out_key(o, "end");
        json_out_i64(o, a->span.start_ms + (int64_t)a->span.count * a->span.step_ms);
    }
    json_out_key(o, "step");
    json_out_i64(o, a->span.step_ms);
    json_out_key(o, "legend");
    json_out_array(o);
    for (size_t i = 0; i < a->count; i++) {
        json_out_str(o, a->lines[i].label);
    }
    json_out_end(o);
    json_out_key(o, "metrics");
    json_out_array(o);
    for (size_t i = 0; i < a->count; i++) {
        write_tags(o, &a->lines[i]);
    }
    json_out_end(o);
}

static void write_values(struct json_out *o, const struct telemetry_graph *g,
                         const struct telemetry_answer *a)
{
    json_out_key(o, "values");
    json_out_array(o);
    for (size_t t = 0; t < a->span.count; t++) {
        json_out_array(o);
        for (size_t i = 0; i < a->count; i++) {
            write_value(o, g, a->lines[i].values[t]);
        }
        json_out_end(o);
    }
    json_out_end(o);
}

static void write_stats(struct json_out *o, const struct telemetry_graph *g,
                        const struct telemetry_answer *a)
{
    json_out_key(o, "stats");
    json_out_array(o);
    for (size_t i = 0; i < a->count; i++) {
        struct graph_stats s = graph_stats(&a->lines[i], a->span.count);
        json_out_object(o);
        json_out_key(o, "count");
        json_out_i64(o, (int64_t)s.count);
        const struct {
            const char *name;
            double value;
        } stats[] = {{"avg", s.avg},
                     {"total", s.total},
                     {"max", s.max},
                     {"min", s.min},
                     {"last", s.last}};
        for (size_t k = 0; s.count > 0 && k < ARRAY_LEN(stats); k++) {
            json_out_key(o, stats[k].name);
            write_value(o, g, stats[k].value);
        }
        json_out_end(o);
    }
    json_out_end(o);
}

static int write_json(const struct telemetry_graph *g, const struct telemetry_answer *a,
                      struct buf *out)
{
    if (g->callback) {
        buf_printf(out, "%s(", g->callback); // checked to be a name when it was read
    }
    struct json_out o = json_out_to(out);
    json_out_object(&o);
    write_head(&o, g, a);
    if (g->format == TELEMETRY_STATS_JSON) {
        write_stats(&o, g, a);
    } else {
        write_values(&o, g, a);
    }
    json_out_key(&o, "notices");
    json_out_array(&o);
    json_out_end(&o);
    json_out_end(&o);
    if (g->callback) {
        buf_char(out, ')');
    }
    return out->err;
}

// --- CSV ----------------------------------------------------------------------------------------

// Times as ISO 8601 in the graph's first zone.
static void write_time(struct buf *out, const struct zone *zone, int64_t at_ms)
{
    int32_t offset = zone_offset(zone, at_ms / 1000, NULL);
    struct zone_date d = zone_date(at_ms / 1000 + offset);
    buf_printf(out, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)d.year, d.month, d.day,
               d.hour, d.minute, d.second);
    if (offset == 0) {
        buf_char(out, 'Z');
    } else {
        int minutes = abs(offset) / 60;
        buf_printf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60,
                   minutes % 60);
    }
}

// Quotes inside are doubled (RFC 4180 section 2).
static void write_label(struct buf *out, struct str label)
{
    buf_char(out, '"');
    for (size_t i = 0; i < label.len; i++) {
        if (label.data[i] == '"') {
            buf_char(out, '"');
        }
        buf_char(out, label.data[i]);
    }
    buf_char(out, '"');
}

// Fields end with `separator`.
static int write_csv(const struct telemetry_graph *g, const struct telemetry_answer *a,
                     char separator, struct buf *out)
{
    AUTO(zone_free) struct zone *zone = NULL;
    TRY(zone_open(&zone, g->zones[0]));
    buf_cstr(out, "\"timestamp\"");
    for (size_t i = 0; i < a->count; i++) {
        buf_char(out, separator);
        write_label(out, a->lines[i].label);
    }
    buf_char(out, '\n');
    for (size_t t = 0; t < a->span.count; t++) {
        write_time(out, zone, a->span.start_ms + (int64_t)t * a->span.step_ms);
        for (size_t i = 0; i < a->count; i++) {
            double v = a->lines[i].values[t];
            buf_char(out, separator);
            if (isnan(v)) {
                buf_cstr(out, "NaN");
            } else {
                buf_printf(out, "%f", v);
            }
        }
        buf_char(out, '\n');
    }
    return out->err;
}

// --- all of them --------------------------------------------------------------------------------

const char *telemetry_format_type(enum telemetry_format format)
{
    switch (format) {
    case TELEMETRY_PNG:
        return "image/png";
    case TELEMETRY_CSV:
        return "text/csv; charset=utf-8";
    case TELEMETRY_TXT:
        return "text/plain; charset=utf-8";
    case TELEMETRY_JSON:
    case TELEMETRY_STD_JSON:
    case TELEMETRY_STATS_JSON:
    case TELEMETRY_V2_JSON:
        return "application/json";
    }
    ASSERT(!"a format");
}

enum telemetry_format telemetry_graph_format(const struct telemetry_graph *g)
{
    return g->format;
}

int graph_write(const struct telemetry_graph *g, const struct telemetry_answer *a,
                struct buf *out)
{
    switch (g->format) {
    case TELEMETRY_PNG:
        return graph_write_png(g, a, out);
    case TELEMETRY_CSV:
        return write_csv(g, a, ',', out);
    case TELEMETRY_TXT:
        return write_csv(g, a, '\t', out);
    case TELEMETRY_JSON:
    case TELEMETRY_STD_JSON:
    case TELEMETRY_STATS_JSON:
        return write_json(g, a, out);
    case TELEMETRY_V2_JSON:
        FAIL(ERR_INVALID, "v2.json is not written here: take std.json");
    }
    ASSERT(!"a format");
}
