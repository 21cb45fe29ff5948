// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words that look back along a line. They begin with the span: nothing before it is read, so that the
// first values are of what little there is, or none.
#include "telemetry/evaluate.h"

#include <math.h>
#include <string.h>

static double add_nan(double a, double b)
{
    return isnan(a) ? b : isnan(b) ? a : a + b;
}

static double max_nan(double a, double b)
{
    return isnan(a) || b > a ? b : a;
}

static double min_nan(double a, double b)
{
    return isnan(a) || b < a ? b : a;
}

// A window over the last `n` values, by blocks of n: the window that ends at i is the tail of one block (from
// the right) and the head of the next (from the left). Nothing is ever taken away from a sum again, so that
// one large value leaves no error behind. (van Herk 1992; Gil and Werman 1993)
static void window_of(double (*join)(double, double), const double *v, size_t len,
                      size_t n, double *tail, double *out)
{
    for (size_t block = 0; block < len; block += n) {
        size_t end = MIN(block + n, len);
        // Tails of the block before serve the windows that end within this one.
        double head = (double)NAN;
        for (size_t i = block; i < end; i++) {
            head = join(head, v[i]);
            size_t from = i + 1 - block; // of the block before
            bool crosses = block && from < n;
            out[i] = crosses ? join(tail[from], head) : head;
        }
        double sum = (double)NAN;
        for (size_t i = end; i-- > block;) {
            sum = join(v[i], sum);
            tail[i - block] = sum;
        }
    }
}

struct window_parts {
    double *tail, *ones, *count; // span.count each
};

static void rolling(const struct node *n, const double *v, size_t len,
                    const struct window_parts *p, double *out)
{
    size_t w = MIN((size_t)n->stateful.n, len);
    enum plan_stateful op = n->stateful.op;
    if (op == STATEFUL_ROLLING_MIN || op == STATEFUL_ROLLING_MAX) {
        window_of(op == STATEFUL_ROLLING_MIN ? min_nan : max_nan, v, len, w, p->tail,
                  out);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        bool is_true = fabs(v[i]) >= 1e-12;
        p->ones[i] = op == STATEFUL_ROLLING_COUNT ? is_true : isnan(v[i]) ? 0 : 1;
    }
    window_of(add_nan, p->ones, len, w, p->tail, p->count);
    if (op == STATEFUL_ROLLING_COUNT) {
        memcpy(out, p->count, len * sizeof *out);
        return;
    }
    window_of(add_nan, v, len, w, p->tail, out);
    for (size_t i = 0; op == STATEFUL_ROLLING_MEAN && i < len; i++) {
        out[i] =
            p->count[i] >= (double)n->stateful.least ? out[i] / p->count[i] : (double)NAN;
    }
}

// A moving average over a time; the first comes when that time is over, and what is not there counts as 0.
static void trend(size_t w, const double *v, size_t len, const struct window_parts *p,
                  double *out)
{
    if (w <= 1) {
        memcpy(out, v, len * sizeof *out);
        return;
    }
    if (w > len) {
        for (size_t i = 0; i < len; i++) {
            out[i] = (double)NAN;
        }
        return;
    }
    window_of(add_nan, v, len, w, p->tail, out);
    for (size_t i = 0; i < len; i++) {
        out[i] = i + 1 < w ? (double)NAN : out[i] / (double)w;
    }
}

// Holt's double exponential smoothing: what it would have said of each value before it came.
struct smooth {
    int64_t seen;
    double level, slope;
};

static double smooth_next(struct smooth *s, const struct node *n, double v)
{
    double said = s->seen >= n->stateful.n ? s->level : (double)NAN;
    if (isnan(v)) {
        return said;
    }
    if (s->seen == 0) {
        s->level = v;
        s->slope = 0;
    } else {
        double a = n->stateful.alpha, b = n->stateful.beta;
        double level = a * v + (1 - a) * (s->level + s->slope);
        s->slope = b * (level - s->level) + (1 - b) * s->slope;
        s->level = level;
    }
    s->seen++;
    return said;
}

static void des(const struct node *n, const double *v, size_t len, double *out)
{
    struct smooth s = {0};
    for (size_t i = 0; i < len; i++) {
        out[i] = smooth_next(&s, n, v[i]);
    }
}

// Two of them by turns: while one speaks the other learns, from multiples of the training's time on, so that
// what is said of a moment does not hang on when the question began.
static void sliding_des(const struct telemetry_span *span, const struct node *n,
                        const double *v, double *out)
{
    struct smooth s[2] = {{0}, {0}};
    int64_t turn = n->stateful.n, at = span->start_ms / span->step_ms;
    int64_t wait = (turn - at % turn) % turn;
    int speaks = 0;
    for (int64_t i = 0; i < (int64_t)span->count; i++) {
        if (i < wait) {
            out[i] = (double)NAN;
            continue;
        }
        double said[2] = {smooth_next(&s[0], n, v[i]), smooth_next(&s[1], n, v[i])};
        out[i] = said[speaks];
        if ((i - wait + 1) % turn == 0) {
            s[speaks] = (struct smooth){0};
            speaks = !speaks;
        }
    }
}

static void running(const struct node *n, const double *v, size_t len, double *out)
{
    double kept = (double)NAN;
    for (size_t i = 0; i < len; i++) {
        switch ((int)n->stateful.op) {
        case STATEFUL_INTEGRAL:
            out[i] = kept = add_nan(kept, v[i]);
            break;
        case STATEFUL_CUMULATIVE:
            out[i] = kept = max_nan(kept, v[i]);
            break;
        case STATEFUL_DERIVATIVE:
            out[i] = v[i] - kept;
            kept = v[i];
            break;
        default: // STATEFUL_DELAY
            out[i] =
                (int64_t)i < n->stateful.n ? (double)NAN : v[(int64_t)i - n->stateful.n];
        }
    }
}

static void one_line(struct evaluation *e, const struct node *n, const double *v,
                     const struct window_parts *p, double *out)
{
    size_t len = e->span.count;
    switch (n->stateful.op) {
    case STATEFUL_INTEGRAL:
    case STATEFUL_DERIVATIVE:
    case STATEFUL_CUMULATIVE:
    case STATEFUL_DELAY:
        running(n, v, len, out);
        return;
    case STATEFUL_ROLLING_COUNT:
    case STATEFUL_ROLLING_MIN:
    case STATEFUL_ROLLING_MAX:
    case STATEFUL_ROLLING_SUM:
    case STATEFUL_ROLLING_MEAN:
        rolling(n, v, len, p, out);
        return;
    case STATEFUL_TREND:
        trend((size_t)(n->stateful.n / e->span.step_ms), v, len, p, out);
        return;
    case STATEFUL_DES:
        des(n, v, len, out);
        return;
    case STATEFUL_SDES:
        sliding_des(&e->span, n, v, out);
        return;
    }
}

static int derived_label(struct evaluation *e, const struct node *n, const char *word,
                         struct str *label)
{
    AUTO(buf_free) struct buf b = {0};
    if (n->is_grouped) {
        return 0;
    }
    buf_printf(&b, "%s(" STR_FMT ")", word, STR_ARG(*label));
    return evaluate_text(e, &b, label);
}

int evaluate_stateful(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    struct window_parts p;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    TRY(evaluate_values(e, &p.tail));
    TRY(evaluate_values(e, &p.ones));
    TRY(evaluate_values(e, &p.count));
    for (size_t i = 0; i < a.count; i++) {
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        one_line(e, n, a.list[i].values, &p, v);
        out[i] = a.list[i];
        out[i].values = v;
        TRY(derived_label(e, n, plan_stateful_word(n->stateful.op), &out[i].label));
    }
    *ret = (struct lines){out, a.count};
    return 0;
}

// --- :consolidate -----------------------------------------------------------------------------

static double consolidated(enum telemetry_consolidate cf, const double *v, size_t n)
{
    struct summary s = summary_of(v, n);
    switch (cf) {
    case TELEMETRY_CF_AVG:
        return s.count ? s.total / (double)n : (double)NAN;
    case TELEMETRY_CF_SUM:
        return s.count ? s.total : (double)NAN;
    case TELEMETRY_CF_MIN:
        return s.min;
    case TELEMETRY_CF_MAX:
        return s.max;
    }
    return (double)NAN;
}

// As a coarser step would show it, at each of the finer ones. At the edges a step is what of it is there.
static void consolidate_line(const struct telemetry_span *span, const struct node *n,
                             const double *v, double *out)
{
    int64_t step = span->step_ms;
    int64_t coarse = (n->consolidate.step_ms + step - 1) / step; // in steps
    int64_t at = span->start_ms / step;
    for (size_t i = 0; i < span->count;) {
        // The coarse step that ends with the next of its multiples.
        int64_t number = at + (int64_t)i;
        size_t left = (size_t)((coarse - number % coarse) % coarse) + 1;
        size_t len = MIN(left, span->count - i);
        double value = consolidated(n->consolidate.cf, v + i, len);
        for (size_t k = 0; k < len; k++) {
            out[i + k] = value;
        }
        i += len;
    }
}

int evaluate_consolidate(struct evaluation *e, const struct node *n, struct lines *ret)
{
    struct lines a;
    struct line *out = NULL;
    TRY(evaluate_node(e, n->a, &a));
    TRY(evaluate_lines(e, a.count, &out));
    for (size_t i = 0; i < a.count; i++) {
        double *v = NULL;
        TRY(evaluate_values(e, &v));
        consolidate_line(&e->span, n, a.list[i].values, v);
        out[i] = a.list[i];
        out[i].values = v;
    }
    *ret = (struct lines){out, a.count};
    return 0;
}
