// SPDX-License-Identifier: GPL-3.0-or-later
//
// Windows over single series: what PromQL makes of the samples before a moment. The series is read at the
// store's own step, whatever the question's is, and only what became of it is kept.
#include "telemetry/evaluate_prom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORK_AT_ONCE 1000000 // values between two looks at the clock

struct windowing {
    struct evaluation *e;
    const struct window *w;
    struct telemetry_span span; // what is read
    int64_t range_ms;           // as it is taken
    struct edges {
        uint32_t from, end;
    } * edges; // of the window of each moment, by place in what is read
    const double *param;
    double *out, *scratch;
    window_visit_f *visit;
    void *user;
};

// Values of a series in a window, at the store's step.
struct samples {
    const double *v;
    size_t count;
    double step_s, range_s;
    // What a value of 1 is a second; 0: it is no rate, nor a count of its step.
    double per_second;
};

static size_t first_of(const struct samples *s)
{
    size_t i = 0;
    while (i < s->count && isnan(s->v[i])) {
        i++;
    }
    return i;
}

static size_t last_of(const struct samples *s)
{
    size_t i = s->count;
    while (i > 0 && isnan(s->v[i - 1])) {
        i--;
    }
    return i - 1;
}

// How much a counter or gauge grew between the edges of the window, extrapolated as Prometheus does: to an edge
// that is nearer than a sample and a tenth, else by half a sample; a counter not below zero.
static double growth(const struct samples *s, enum telemetry_dstype as)
{
    bool is_counter = as == TELEMETRY_COUNTER;
    size_t first = first_of(s), n = 0;
    double before = (double)NAN, grown = 0;
    if (first == s->count) {
        return (double)NAN;
    }
    size_t last = last_of(s);
    for (size_t i = first; i <= last; i++) {
        if (isnan(s->v[i])) {
            continue;
        }
        // A smaller value: it began anew at 0.
        grown += n && is_counter && s->v[i] < before ? before : 0;
        before = s->v[i];
        n++;
    }
    if (n < 2) {
        return (double)NAN;
    }
    grown += s->v[last] - s->v[first];
    double sampled = (double)(last - first) * s->step_s,
           between = sampled / (double)(n - 1);
    // Each sample is, on average, in the middle of its step.
    double edge_end = ((double)(s->count - 1 - last) + 0.5) * s->step_s;
    double edge_start = s->range_s - sampled - edge_end;
    if (is_counter && grown > 0 && s->v[first] >= 0) {
        edge_start = MIN(edge_start, sampled * (s->v[first] / grown));
    }
    double near = between * 1.1, to = sampled;
    to += edge_start < near ? edge_start : between / 2;
    to += edge_end < near ? edge_end : between / 2;
    return grown * (to / sampled);
}

// The last two: of a counter that began anew, the last alone.
static double last_step(const struct samples *s, enum telemetry_dstype as,
                        double *ret_seconds)
{
    bool is_counter = as == TELEMETRY_COUNTER;
    size_t last = last_of(s);
    if (first_of(s) == s->count) {
        return (double)NAN;
    }
    for (size_t i = last; i-- > 0;) {
        if (!isnan(s->v[i])) {
            *ret_seconds = (double)(last - i) * s->step_s;
            return is_counter && s->v[last] < s->v[i] ? s->v[last] : s->v[last] - s->v[i];
        }
    }
    return (double)NAN;
}

// Of what is a rate already.
static double of_rates(const struct samples *s, enum window_fn fn)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(s->v[i])) {
            sum += s->v[i];
            n++;
        }
    }
    if (n == 0) {
        return (double)NAN;
    }
    double rate = fn == WINDOW_IRATE      ? s->v[last_of(s)]
                  : fn == WINDOW_INCREASE ? sum * s->step_s
                                          : sum / (double)s->count;
    return rate * s->per_second;
}

static double slope(const struct samples *s)
{
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(s->v[i])) {
            double x = (double)i * s->step_s;
            n++;
            sx += x;
            sy += s->v[i];
            sxx += x * x;
            sxy += x * s->v[i];
        }
    }
    double below = n * sxx - sx * sx;
    return n < 2 || below == 0 ? (double)NAN : (n * sxy - sx * sy) / below;
}

static double variance(const struct samples *s)
{
    double mean = 0, m2 = 0, n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(s->v[i])) {
            double d = s->v[i] - mean;
            mean += d / ++n;
            m2 += d * (s->v[i] - mean);
        }
    }
    return n ? m2 / n : (double)NAN;
}

// How often a value differs from the one before; of RESETS, is smaller.
static double changes(const struct samples *s, enum window_fn fn)
{
    double before = (double)NAN, n = 0;
    bool any = false;
    for (size_t i = 0; i < s->count; i++) {
        if (isnan(s->v[i])) {
            continue;
        }
        n += any && (fn == WINDOW_RESETS ? s->v[i] < before : s->v[i] != before);
        before = s->v[i];
        any = true;
    }
    return any ? n : (double)NAN;
}

static double quantile_of(const struct samples *s, double q, double *scratch)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(s->v[i])) {
            scratch[n++] = s->v[i];
        }
    }
    return prom_quantile(q, scratch, n);
}

static double over_time(const struct samples *s, enum window_fn fn)
{
    struct summary sum = summary_of(s->v, s->count);
    double none = sum.count ? 0 : (double)NAN;
    switch ((int)fn) {
    case WINDOW_AVG:
        return summary_stat(&sum, STAT_AVG);
    case WINDOW_MIN:
        return sum.min;
    case WINDOW_MAX:
        return sum.max;
    case WINDOW_SUM:
        return sum.total + none;
    case WINDOW_COUNT:
        return (double)sum.count + none;
    case WINDOW_PRESENT:
        return 1 + none;
    default: // WINDOW_LAST
        return sum.last;
    }
}

static double one(const struct windowing *x, const struct samples *s, size_t at)
{
    double seconds = 1;
    switch (x->w->fn) {
    case WINDOW_RATE:
    case WINDOW_INCREASE:
        if (s->per_second > 0) {
            return of_rates(s, x->w->fn);
        }
        return growth(s, TELEMETRY_COUNTER) / (x->w->fn == WINDOW_RATE ? s->range_s : 1);
    case WINDOW_IRATE:
        return s->per_second > 0 ? of_rates(s, x->w->fn)
                                 : last_step(s, TELEMETRY_COUNTER, &seconds) / seconds;
    case WINDOW_DELTA:
        return growth(s, TELEMETRY_GAUGE);
    case WINDOW_IDELTA:
        return last_step(s, TELEMETRY_GAUGE, &seconds);
    case WINDOW_DERIV:
        return slope(s);
    case WINDOW_CHANGES:
    case WINDOW_RESETS:
        return changes(s, x->w->fn);
    case WINDOW_STDVAR:
        return variance(s);
    case WINDOW_STDDEV:
        return sqrt(variance(s));
    case WINDOW_QUANTILE:
        return quantile_of(s, x->param[at], x->scratch);
    case WINDOW_LAST:
    case WINDOW_AVG:
    case WINDOW_MIN:
    case WINDOW_MAX:
    case WINDOW_SUM:
    case WINDOW_COUNT:
    case WINDOW_PRESENT:
        break;
    }
    return over_time(s, x->w->fn);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// Counters of Atlas' senders come as rates; what is summed up in its step may say that it is one.
static double rate_unit(const struct telemetry_view *view, double step_s)
{
    switch (view->dstype) {
    case TELEMETRY_GAUGE:
        return 0;
    case TELEMETRY_RATE:
    case TELEMETRY_COUNTER:
        return 1;
    case TELEMETRY_SUM:
        break;
    }
    struct str said = tag_value(&view->tags, STR("atlas.dstype"));
    return str_eq_c(said, "rate") || str_eq_c(said, "counter") ? 1 : 1 / step_s;
}

// The latest value: both edges only ever move on.
static bool latest(const struct windowing *x, const double *v)
{
    uint32_t at = 0, last = 0;
    bool any = false, seen = false;
    for (size_t i = 0; i < x->e->span.count; i++) {
        for (; at < x->edges[i].end; at++) {
            seen = seen || !isnan(v[at]);
            last = isnan(v[at]) ? last : at;
        }
        bool is = seen && last >= x->edges[i].from;
        x->out[i] = is ? v[last] : (double)NAN;
        any = any || is;
    }
    return any;
}

// 1: some of them hold a value, 0: none does.
static int each_window(const struct windowing *x, const struct telemetry_view *view)
{
    double step_s = (double)x->span.step_ms / 1000;
    double per_second = rate_unit(view, step_s);
    bool any = false;
    size_t work = 0;
    for (size_t i = 0; i < x->e->span.count; i++) {
        work += x->edges[i].end - x->edges[i].from;
        if (work > WORK_AT_ONCE) {
            TRY(evaluate_in_time(x->e));
            work = 0;
        }
        struct samples s = {.v = view->values + x->edges[i].from,
                            .count = x->edges[i].end - x->edges[i].from,
                            .step_s = step_s,
                            .range_s = (double)x->range_ms / 1000,
                            .per_second = per_second};
        x->out[i] = s.count ? one(x, &s, i) : (double)NAN;
        any = any || !isnan(x->out[i]);
    }
    return any;
}

static int visit_series(void *user, const struct telemetry_view *view)
{
    struct windowing *x = user;
    TRY(evaluate_in_time(x->e));
    int any = x->w->fn == WINDOW_LAST ? latest(x, view->values) : each_window(x, view);
    return any > 0 ? x->visit(x->user, &view->tags, x->out) : 0;
}

// (t - range, t], the same for every series.
static int find_edges(struct windowing *x)
{
    const struct telemetry_span *asked = &x->e->span;
    int64_t step = x->span.step_ms;
    x->edges = arena_alloc(x->e->arena, asked->count, sizeof *x->edges);
    FAIL_IF(!x->edges, ERR_NOMEM, "windows");
    for (size_t i = 0; i < asked->count; i++) {
        int64_t t = asked->start_ms + (int64_t)i * asked->step_ms - x->w->offset_ms;
        int64_t end = floor_div(t - x->span.start_ms, step) + 1;
        int64_t from = floor_div(t - x->range_ms - x->span.start_ms, step) + 1;
        from = CLAMP(from, 0, (int64_t)x->span.count);
        end = CLAMP(end, from, (int64_t)x->span.count);
        x->edges[i] = (struct edges){(uint32_t)from, (uint32_t)end};
    }
    return 0;
}

// What takes a difference needs two values: a window too short for that is as long as it takes.
static int64_t range_of(const struct window *w, int64_t step_ms)
{
    if (!w->has_range) {
        return PROMQL_LOOKBACK_MS > step_ms ? PROMQL_LOOKBACK_MS : step_ms;
    }
    bool differs = w->fn == WINDOW_RATE || w->fn == WINDOW_IRATE ||
                   w->fn == WINDOW_INCREASE || w->fn == WINDOW_DELTA ||
                   w->fn == WINDOW_IDELTA || w->fn == WINDOW_DERIV;
    return MAX(w->range_ms, differs ? 2 * step_ms : step_ms);
}

int window_each(struct evaluation *e, const struct window *w, window_visit_f *visit,
                void *user)
{
    int64_t step = telemetry_step_ms(e->store);
    struct windowing x = {
        .e = e, .w = w, .range_ms = range_of(w, step), .visit = visit, .user = user};
    int64_t last = e->span.start_ms + (int64_t)(e->span.count - 1) * e->span.step_ms;
    int64_t from = floor_div(e->span.start_ms - w->offset_ms - x.range_ms, step) + 1;
    int64_t end = floor_div(last - w->offset_ms, step);
    from = MAX(from, 0);
    if (end < from) {
        return 0;
    }
    FAIL_IF(end - from >= PROMQL_READ_MAX, ERR_LIMIT,
            "the question reads more than %d steps of the store", PROMQL_READ_MAX);
    x.span = (struct telemetry_span){.start_ms = from * step,
                                     .step_ms = step,
                                     .count = (size_t)(end - from + 1),
                                     .cf = TELEMETRY_CF_AVG};
    if (w->param) {
        TRY(prom_number(e, w->param, &x.param));
    }
    TRY(evaluate_values(e, &x.out));
    TRY(find_edges(&x));
    x.scratch = calloc(x.span.count, sizeof *x.scratch);
    FAIL_IF(!x.scratch, ERR_NOMEM, "values");
    int err = telemetry_scan(e->store, &w->query->match, &x.span, visit_series, &x);
    free(x.scratch);
    return err;
}

struct keeping {
    struct evaluation *e;
    const struct window *w;
    VEC(struct line) lines;
};

static int keep(void *user, const struct telemetry_tags *tags, const double *values)
{
    struct keeping *k = user;
    struct line l = {0};
    double *v = NULL;
    FAIL_IF(k->lines.len == EVALUATE_LINES_MAX, ERR_LIMIT,
            "more than %d series: aggregate them", EVALUATE_LINES_MAX);
    TRY(tags_keep(k->e->arena, tags, &l.tags));
    if (k->w->fn != WINDOW_LAST) {
        TRY(prom_nameless(k->e, &l.tags, &l.tags));
    }
    TRY(evaluate_values(k->e, &v));
    memcpy(v, values, k->e->span.count * sizeof *v);
    l.values = v;
    return vec_push(&k->lines, l);
}

int evaluate_window(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct keeping k = {.e = e, .w = n->window};
    struct line *out = NULL;
    int err = window_each(e, n->window, keep, &k);
    err = err < 0 ? err : evaluate_lines(e, k.lines.len, &out);
    if (err == 0) {
        if (k.lines.len) {
            memcpy(out, k.lines.data, k.lines.len * sizeof *out);
        }
        *ret = (struct lines){out, k.lines.len};
    }
    vec_free(&k.lines);
    return err;
}
