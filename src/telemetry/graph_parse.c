// SPDX-License-Identifier: GPL-3.0-or-later
//
// The address of a graph, read. What Atlas does not know it ignores, and so is it here; what it knows and
// cannot read is refused with the reason. https://netflix.github.io/atlas-docs/api/graph/graph/
#include "telemetry/graph.h"
#include "telemetry/palette.h"
#include "telemetry/plan.h"

#include <math.h>
#include <string.h>

#define PARAMS_MAX 256
#define ZONES_MAX  8
#define POINTS_MAX 1440 // a line
#define PIXELS_MAX 16384
#define HOUR_MS    INT64_C(3600000)
#define DAY_MS     (24 * HOUR_MS)

struct params {
    struct {
        struct str name, value;
    } list[PARAMS_MAX];
    size_t count;
};

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int decode(struct str s, struct arena *a, struct str *ret)
{
    char *out = arena_alloc(a, s.len + 1, 1);
    size_t n = 0;
    FAIL_IF(!out, ERR_NOMEM, "an address");
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i] == '+' ? ' ' : s.data[i];
        if (c == '%') {
            int hi = s.len - i > 2 ? hex(s.data[i + 1]) : -1;
            int lo = s.len - i > 2 ? hex(s.data[i + 2]) : -1;
            FAIL_IF(hi < 0 || lo < 0, ERR_INVALID,
                    "a '%%' that no two hexadecimal digits follow");
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        out[n++] = c;
    }
    *ret = (struct str){out, n};
    FAIL_IF(!str_is_utf8(*ret), ERR_INVALID, "an address that is not UTF-8");
    return 0;
}

static int split(struct str uri, struct arena *a, struct params *p)
{
    const char *mark = uri.len ? memchr(uri.data, '?', uri.len) : NULL;
    FAIL_IF(!mark, ERR_INVALID, "an address without a question: q is missing");
    struct str rest = {mark + 1, (size_t)(uri.data + uri.len - mark) - 1}, one = {0};
    const char *hash = memchr(rest.data, '#', rest.len);
    if (hash) {
        rest.len = (size_t)(hash - rest.data);
    }
    while (str_next(&rest, '&', &one)) {
        struct str value = one, name = {0};
        if (one.len == 0) {
            continue;
        }
        FAIL_IF(p->count == PARAMS_MAX, ERR_LIMIT, "more than %d parameters", PARAMS_MAX);
        str_next(&value, '=', &name);
        TRY(decode(name, a, &p->list[p->count].name));
        TRY(decode(value, a, &p->list[p->count].value));
        p->count++;
    }
    return 0;
}

// The first of that name.
static bool get(const struct params *p, const char *name, struct str *ret)
{
    for (size_t i = 0; i < p->count; i++) {
        if (str_eq_c(p->list[i].name, name)) {
            *ret = p->list[i].value;
            return true;
        }
    }
    return false;
}

static bool get_of_axis(const struct params *p, const char *name, int axis,
                        struct str *ret)
{
    char numbered[32];
    snprintf(numbered, sizeof numbered, "%s.%d", name, axis);
    return get(p, numbered, ret) || get(p, name, ret);
}

static bool flag(const struct params *p, const char *name)
{
    struct str v = {0};
    return get(p, name, &v) && str_eq_c(v, "1");
}

// The place of a word in a list, as an enum.
static int choose(const struct params *p, const char *name, const char *const *words,
                  size_t count, int *ret)
{
    struct str v = {0};
    if (!get(p, name, &v)) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(v, words[i])) {
            *ret = (int)i;
            return 0;
        }
    }
    FAIL(ERR_INVALID, "%s: '" STR_FMT "' is not known", name, STR_ARG(v));
}

static int text(const struct params *p, const char *name, struct arena *a,
                const char **ret)
{
    struct str v = {0};
    if (get(p, name, &v) && v.len) {
        *ret = arena_dup(a, v);
        FAIL_IF(!*ret, ERR_NOMEM, "an address");
    }
    return 0;
}

// --- colours ----------------------------------------------------------------------------------

static int palette(const struct params *p, const char *name, struct arena *a,
                   const char **ret)
{
    struct str v = {0};
    if (get(p, name, &v)) {
        char *name_of = arena_dup(a, v);
        FAIL_IF(!name_of, ERR_NOMEM, "a palette");
        TRY(palette_check(name_of));
    }
    return text(p, name, a, ret);
}

// --- axes -------------------------------------------------------------------------------------

static int bound(const struct params *p, const char *name, int axis,
                 enum graph_bound *ret, double *ret_value)
{
    struct str v = {0};
    if (!get_of_axis(p, name, axis, &v) || str_eq_c(v, "auto-style")) {
        return 0;
    }
    if (str_eq_c(v, "auto-data")) {
        *ret = GRAPH_AUTO_DATA;
        return 0;
    }
    FAIL_IF(!plan_number(v, ret_value) || !isfinite(*ret_value), ERR_INVALID,
            "%s: '" STR_FMT "' is no bound of an axis", name, STR_ARG(v));
    *ret = GRAPH_EXPLICIT;
    return 0;
}

static int choose_of_axis(const struct params *p, const char *name, int axis,
                          const char *const *words, size_t count, int *ret)
{
    char numbered[32];
    struct str v = {0};
    snprintf(numbered, sizeof numbered, "%s.%d", name, axis);
    return choose(p, get(p, numbered, &v) ? numbered : name, words, count, ret);
}

static int axis_parse(const struct params *p, int i, struct arena *a,
                      struct graph_axis *ret)
{
    static const char *const scales[] = {
        [GRAPH_LINEAR] = "linear",
        [GRAPH_LOG] = "log",
        [GRAPH_LOG_LINEAR] = "log-linear",
        [GRAPH_POWER_2] = "pow2",
        [GRAPH_SQRT] = "sqrt",
    };
    static const char *const ticks[] = {
        [GRAPH_TICKS_DECIMAL] = "decimal",
        [GRAPH_TICKS_BINARY] = "binary",
        [GRAPH_TICKS_DURATION] = "duration",
        [GRAPH_TICKS_OFF] = "off",
    };
    struct str v = {0};
    char name[32];
    int scale = get_of_axis(p, "o", i, &v) && str_eq_c(v, "1") ? GRAPH_LOG : GRAPH_LINEAR;
    int tick = GRAPH_TICKS_DECIMAL;
    TRY(choose_of_axis(p, "scale", i, scales, ARRAY_LEN(scales), &scale));
    TRY(choose_of_axis(p, "tick_labels", i, ticks, ARRAY_LEN(ticks), &tick));
    ret->scale = (enum graph_scale)scale;
    ret->ticks = (enum graph_ticks)tick;
    TRY(bound(p, "l", i, &ret->lower_bound, &ret->lower));
    TRY(bound(p, "u", i, &ret->upper_bound, &ret->upper));
    FAIL_IF(ret->lower_bound == GRAPH_EXPLICIT && ret->upper_bound == GRAPH_EXPLICIT &&
                ret->lower >= ret->upper,
            ERR_INVALID, "the lower bound of an axis is not below the upper");
    ret->is_stacked = get_of_axis(p, "stack", i, &v) && str_eq_c(v, "1");
    if (get_of_axis(p, "ylabel", i, &v) && v.len) {
        ret->label = arena_dup(a, v);
        FAIL_IF(!ret->label, ERR_NOMEM, "a label");
    }
    snprintf(name, sizeof name, "palette.%d", i);
    return palette(p, name, a, &ret->palette);
}

// --- size and time ----------------------------------------------------------------------------

static int pixels(const struct params *p, const char *name, int *ret)
{
    struct str v = {0};
    int64_t n = 0;
    if (!get(p, name, &v)) {
        return 0;
    }
    int err = str_to_i64(v, 1, PIXELS_MAX, &n);
    FAIL_IF(err < 0, ERR_INVALID, "%s: '" STR_FMT "' is no number of pixels", name,
            STR_ARG(v));
    *ret = (int)n;
    return 0;
}

static int zoom(const struct params *p, double *ret)
{
    struct str v = {0};
    if (get(p, "zoom", &v)) {
        double z = 0;
        FAIL_IF(!plan_number(v, &z) || !(z > 0 && z <= 20), ERR_INVALID,
                "zoom: '" STR_FMT "' is no factor", STR_ARG(v));
        *ret = z;
    }
    return 0;
}

static int zones(const struct params *p, struct arena *a, struct telemetry_graph *g)
{
    const char **list = arena_alloc(a, ZONES_MAX + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "zones");
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!str_eq_c(p->list[i].name, "tz")) {
            continue;
        }
        AUTO(zone_free) struct zone *zone = NULL;
        FAIL_IF(n == ZONES_MAX, ERR_LIMIT, "more than %d time zones", ZONES_MAX);
        list[n] = arena_dup(a, p->list[i].value);
        FAIL_IF(!list[n], ERR_NOMEM, "zones");
        FAIL_IF(zone_open(&zone, list[n]) < 0, ERR_INVALID,
                "tz: '" STR_FMT "' is no time zone", STR_ARG(p->list[i].value));
        n++;
    }
    if (n == 0) {
        list[0] = "UTC";
    }
    g->zones = list;
    return 0;
}

// Steps that whole hours are made of, so that lines of several steps stand at the same times.
static int64_t round_step(int64_t store_step_ms, int64_t step_ms)
{
    static const int64_t shares[] = {1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30};
    static const int64_t hours[] = {1, 2, 3, 4, 6, 8, 12};
    int64_t want = MAX(store_step_ms, step_ms);
    for (int64_t unit = 1000; unit <= 60000; unit *= 60) {
        for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
            int64_t ms = shares[i] * unit;
            if (ms >= want && ms % store_step_ms == 0) {
                return ms;
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(hours); i++) {
        int64_t ms = hours[i] * HOUR_MS;
        if (ms >= want && ms % store_step_ms == 0) {
            return ms;
        }
    }
    int64_t days = (want + DAY_MS - 1) / DAY_MS * DAY_MS;
    return (days + store_step_ms - 1) / store_step_ms * store_step_ms;
}

// The finest step at which no more than a point a pixel comes out.
static int span_parse(const struct params *p, int64_t now_ms, int64_t store_step_ms,
                      struct telemetry_graph *g)
{
    AUTO(zone_free) struct zone *zone = NULL;
    struct str s = STR("e-3h"), e = STR("now"), v = {0};
    int64_t range[2], step = store_step_ms;
    get(p, "s", &s);
    get(p, "e", &e);
    TRY(zone_open(&zone, g->zones[0]));
    struct times_refs refs = {.zone = zone, .now_ms = now_ms};
    TRY(times_range(s, e, &refs, range));
    FAIL_IF(range[0] < 0, ERR_INVALID, "the start is before 1970");
    if (get(p, "step", &v)) {
        int64_t asked = 0;
        TRY(times_duration(v, &asked));
        FAIL_IF(asked == 0, ERR_INVALID, "a step of no time");
        step = round_step(store_step_ms, asked);
    }
    int64_t points = MIN(POINTS_MAX, g->width);
    int64_t many = ((range[1] - range[0]) / step + points - 1) / points;
    step = round_step(store_step_ms, MAX(many, 1) * step);
    int64_t start = range[0] / step * step, end = range[1] / step * step;
    if (start == end) {
        start -= step;
    }
    // A value stands for the step that ends with it: the first is that behind the start.
    g->span = (struct telemetry_span){.start_ms = start + step,
                                      .step_ms = step,
                                      .count = (size_t)((end - start) / step)};
    g->end_ms = end + step;
    return 0;
}

static int look_parse(const struct params *p, struct arena *a, struct telemetry_graph *g)
{
    static const char *const layouts[] = {[GRAPH_CANVAS] = "canvas",
                                          [GRAPH_IMAGE] = "image",
                                          [GRAPH_IMAGE_WIDTH] = "iw",
                                          [GRAPH_IMAGE_HEIGHT] = "ih"};
    static const char *const themes[] = {"light", "dark"};
    static const char *const visions[] = {
        "normal",     "protanopia",  "protanomaly",   "deuteranopia", "deuteranomaly",
        "tritanopia", "tritanomaly", "achromatopsia", "achromatomaly"};
    int layout = GRAPH_CANVAS, theme = 0, vision = 0;
    TRY(choose(p, "layout", layouts, ARRAY_LEN(layouts), &layout));
    TRY(choose(p, "theme", themes, ARRAY_LEN(themes), &theme));
    TRY(choose(p, "vision", visions, ARRAY_LEN(visions), &vision));
    g->layout = (enum graph_layout)layout;
    g->is_dark = theme == 1;
    g->vision = visions[vision];
    g->width = 700;
    g->height = 300;
    g->zoom = 1;
    TRY(pixels(p, "w", &g->width));
    TRY(pixels(p, "h", &g->height));
    TRY(zoom(p, &g->zoom));
    g->palette = g->is_dark ? "light24" : "armytage";
    TRY(palette(p, "palette", a, &g->palette));
    TRY(text(p, "title", a, &g->title));
    g->only_graph = flag(p, "only_graph");
    g->axis_per_line = flag(p, "axis_per_line");
    g->show_border = flag(p, "show_border");
    g->legend = flag(p, "no_legend")         ? GRAPH_LEGEND_OFF
                : flag(p, "no_legend_stats") ? GRAPH_LEGEND_NO_STATS
                                             : GRAPH_LEGEND;
    for (int i = 0; i < GRAPH_AXES; i++) {
        TRY(axis_parse(p, i, a, &g->axes[i]));
    }
    return 0;
}

static int format_parse(const struct params *p, struct arena *a,
                        struct telemetry_graph *g)
{
    static const char *const formats[] = {
        [TELEMETRY_PNG] = "png",
        [TELEMETRY_JSON] = "json",
        [TELEMETRY_CSV] = "csv",
        [TELEMETRY_STD_JSON] = "std.json",
        [TELEMETRY_STATS_JSON] = "stats.json",
        [TELEMETRY_V2_JSON] = "v2.json",
        [TELEMETRY_TXT] = "txt",
    };
    static const char *const sorts[] = {"legend", "min",   "max", "avg",
                                        "count",  "total", "last"};
    static const char *const orders[] = {"asc", "desc"};
    int format = TELEMETRY_PNG, sort = -1, order = 0;
    TRY(choose(p, "format", formats, ARRAY_LEN(formats), &format));
    TRY(choose(p, "sort", sorts, ARRAY_LEN(sorts), &sort));
    TRY(choose(p, "order", orders, ARRAY_LEN(orders), &order));
    g->format = (enum telemetry_format)format;
    g->order_by = sort < 0 ? NULL : sorts[sort];
    g->is_descending = order == 1;
    TRY(text(p, "callback", a, &g->callback));
    // It is written before the answer, as a script.
    for (const char *c = g->callback; c && *c; c++) {
        FAIL_IF(
            !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.",
                    *c),
            ERR_INVALID, "callback: that is no name of a function");
    }
    return 0;
}

// What is in `cq` is meant by every query of `q`.
static int question(const struct params *p, int64_t now_ms, struct arena *a,
                    struct telemetry_graph *g)
{
    struct str q = {0}, cq = {0};
    FAIL_IF(!get(p, "q", &q), ERR_INVALID, "q is missing");
    if (get(p, "cq", &cq) && cq.len) {
        char *both = arena_printf(a, STR_FMT ",:list,(," STR_FMT ",:cq,),:each",
                                  STR_ARG(q), STR_ARG(cq));
        FAIL_IF(!both, ERR_NOMEM, "a question");
        q = str_of(both);
    }
    return stack_parse(q, g->zones[0], now_ms, a, &g->expr);
}

int telemetry_graph_parse(struct str uri, int64_t now_ms, int64_t store_step_ms,
                          struct arena *a, const struct telemetry_graph **ret)
{
    struct params *p = arena_alloc(a, 1, sizeof *p);
    struct telemetry_graph *g = arena_alloc(a, 1, sizeof *g);
    FAIL_IF(!p || !g, ERR_NOMEM, "a graph");
    FAIL_IF(uri.len > PLAN_TEXT_MAX, ERR_LIMIT, "an address of more than %d bytes",
            PLAN_TEXT_MAX);
    TRY(split(uri, a, p));
    TRY(zones(p, a, g));
    TRY(look_parse(p, a, g));
    TRY(format_parse(p, a, g));
    TRY(span_parse(p, now_ms, store_step_ms, g));
    TRY(question(p, now_ms, a, g));
    *ret = g;
    return 0;
}
