// SPDX-License-Identifier: GPL-3.0-or-later
//
// The evaluator against a naive one: random questions over random series, each answered a second time by
// loops that follow the reference word by word, value by value. Only the store below is not the real one:
// a list of series that a scan walks.
#include "telemetry/evaluate.h"
#include "telemetry/made_series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINES 64

// --- questions --------------------------------------------------------------------------------

enum what {
    DATA,
    NUMBER,
    HOUR,
    UNARY,
    BINARY,
    AGGREGATE,
    REGROUP,
    OVER_TIME,
    STAT,
    FILTER
};

struct ask {
    enum what what;
    const char *word;
    int n, m;     // whole numbers before the word
    double x, y;  // others
    unsigned by;  // bits of keys that its lines are told apart by
    bool grouped; // by
    const struct ask *a, *b;
    const char *name; // DATA: name,NAME,:eq, and k1,VALUE,:ge where `value` is there
    const char *value;
};

static struct ask pool[200];
static int pooled;

static struct ask *fresh(enum what what)
{
    pool[pooled] = (struct ask){.what = what};
    return &pool[pooled++];
}

static const struct ask *ask_data(bool grouped, unsigned by)
{
    static const char *const words[] = {"sum", "count", "min", "max"};
    static const char *const names[] = {"m0", "m1", "none"};
    static const char *const values[] = {"x", "y", "z"};
    struct ask *a = fresh(DATA);
    a->word = words[made_draw(4)];
    a->name = names[made_draw(8) ? made_draw(2) : 2];
    a->value = made_draw(3) ? NULL : values[made_draw(3)];
    a->n = made_draw(3) ? 0 : (int)made_draw(MADE_LEAD); // offset in steps
    a->grouped = grouped;
    a->by = by;
    return a;
}

static const struct ask *ask(int depth, bool grouped, unsigned by);

static const struct ask *ask_over_time(int depth, bool grouped, unsigned by)
{
    static const char *const words[] = {"integral",     "derivative",    "cumulative-max",
                                        "delay",        "rolling-count", "rolling-min",
                                        "rolling-max",  "rolling-sum",   "trend",
                                        "rolling-mean", "des",           "sdes"};
    struct ask *a = fresh(OVER_TIME);
    int which = (int)made_draw(12);
    a->word = words[which];
    a->n = 1 + (int)made_draw(which == 8 ? 9 : 7);
    a->m = 1 + (int)made_draw((unsigned)a->n);
    a->x = (1 + made_draw(9)) / 10.0;
    a->y = (1 + made_draw(9)) / 10.0;
    a->grouped = grouped;
    a->by = by;
    a->a = ask(depth - 1, grouped, by);
    return a;
}

static const struct ask *ask_lines(int depth, bool grouped, unsigned by)
{
    static const char *const ones[] = {"abs",      "neg",       "sqrt",
                                       "per-step", "clamp-min", "clamp-max"};
    static const char *const stats[] = {"avg", "max", "min", "last", "total", "count"};
    static const char *const twos[] = {"add",  "sub",  "mul", "div",  "gt",
                                       "ge",   "lt",   "le",  "fadd", "fsub",
                                       "fmul", "fdiv", "and", "or",   "pow"};
    struct ask *a;
    switch (made_draw(6)) {
    case 0:
        a = fresh(UNARY);
        a->word = ones[made_draw(6)];
        a->x = (double)made_draw(100) - 50;
        a->a = ask(depth - 1, grouped, by);
        break;
    case 1:
        return ask_over_time(depth, grouped, by);
    case 2:
        a = fresh(STAT);
        a->word = stats[made_draw(6)];
        a->a = ask(depth - 1, grouped, by);
        break;
    case 3:
        a = fresh(FILTER);
        a->a = ask(depth - 1, grouped, by);
        a->b = ask(depth - 1, grouped && made_draw(2), by);
        break;
    default:
        a = fresh(BINARY);
        a->word = twos[made_draw(15)];
        a->a = ask(depth - 1, grouped, by);
        a->b = ask(depth - 1, grouped && made_draw(2), by);
        if (made_draw(2)) {
            const struct ask *c = a->a;
            a->a = a->b;
            a->b = c;
        }
    }
    a->grouped = grouped;
    a->by = by;
    return a;
}

static const struct ask *ask(int depth, bool grouped, unsigned by)
{
    static const char *const folds[] = {"sum", "count", "min", "max"};
    struct ask *a;
    if (depth == 0 || made_draw(6) == 0) {
        if (!grouped && made_draw(3) == 0) {
            a = fresh(made_draw(2) ? NUMBER : HOUR);
            a->x = (double)made_draw(100) / 4 - 5;
            return a;
        }
        return ask_data(grouped, by);
    }
    if (!grouped && made_draw(3) == 0) {
        a = fresh(AGGREGATE);
        a->word = folds[made_draw(4)];
        a->a = ask(depth - 1, true, 1 + made_draw(7));
        return a;
    }
    if (grouped && by != 7 && made_draw(5) == 0) {
        a = fresh(REGROUP);
        a->word = folds[made_draw(4)];
        a->grouped = true;
        a->by = by;
        a->a = ask_data(true, 7);
        return a;
    }
    return ask_lines(depth, grouped, by);
}

static void write_by(unsigned by, struct buf *out)
{
    buf_cstr(out, ",(,");
    for (int k = 0; k < MADE_KEYS; k++) {
        if (by >> k & 1) {
            buf_printf(out, "%s,", made_keys[k]);
        }
    }
    buf_cstr(out, "),:by");
}

static void write_over_time(const struct ask *a, struct buf *out)
{
    bool plain = !strcmp(a->word, "integral") || !strcmp(a->word, "derivative") ||
                 !strcmp(a->word, "cumulative-max");
    if (!strcmp(a->word, "trend")) {
        buf_printf(out, ",%dm", a->n);
    } else if (!plain) {
        buf_printf(out, ",%d", a->n);
    }
    if (!strcmp(a->word, "rolling-mean")) {
        buf_printf(out, ",%d", a->m);
    }
    if (strstr(a->word, "des")) {
        buf_printf(out, ",%.1f,%.1f", a->x, a->y);
    }
    buf_printf(out, ",:%s", a->word);
}

static void write_ask(const struct ask *a, struct buf *out)
{
    if (a->a) {
        write_ask(a->a, out);
    }
    if (a->b) {
        buf_char(out, ',');
        write_ask(a->b, out);
    }
    switch (a->what) {
    case DATA:
        buf_printf(out, "name,%s,:eq", a->name);
        if (a->value) {
            buf_printf(out, ",k1,%s,:ge,:and", a->value);
        }
        buf_printf(out, ",:%s", a->word);
        if (a->grouped) {
            write_by(a->by, out);
        }
        if (a->n) {
            buf_printf(out, ",%dm,:offset", a->n);
        }
        return;
    case NUMBER:
        buf_printf(out, "%g,:const", a->x);
        return;
    case HOUR:
        buf_cstr(out, "minuteOfHour,:time");
        return;
    case UNARY:
        if (strstr(a->word, "clamp")) {
            buf_printf(out, ",%g", a->x);
        }
        buf_printf(out, ",:%s", a->word);
        return;
    case BINARY:
    case AGGREGATE:
        buf_printf(out, ",:%s", a->word);
        return;
    case REGROUP:
        buf_printf(out, ",:%s", a->word);
        write_by(a->by, out);
        return;
    case OVER_TIME:
        write_over_time(a, out);
        return;
    case STAT:
        buf_printf(out, ",%s,:stat", a->word);
        return;
    case FILTER:
        buf_cstr(out, ",:filter");
        return;
    }
}

// --- the naive answer -------------------------------------------------------------------------

struct nline {
    const char *key[MADE_KEYS];
    double v[MADE_POINTS];
};
struct nlines {
    int count;
    struct nline list[LINES];
};

static bool text_eq(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

// The line of those keys, made where there is none.
static struct nline *line_for(struct nlines *out, const char *const key[MADE_KEYS],
                              unsigned by)
{
    for (int i = 0; i < out->count; i++) {
        bool same = true;
        for (int k = 0; k < MADE_KEYS; k++) {
            same = same && (!(by >> k & 1) || text_eq(out->list[i].key[k], key[k]));
        }
        if (same) {
            return &out->list[i];
        }
    }
    struct nline *l = &out->list[out->count++];
    for (int k = 0; k < MADE_KEYS; k++) {
        l->key[k] = by >> k & 1 ? key[k] : NULL;
    }
    for (int t = 0; t < MADE_POINTS; t++) {
        l->v[t] = (double)NAN;
    }
    return l;
}

// "NaN is treated as 0; where all are NaN so is the result"; what is not NaN counts 1.
static double fold(const char *word, double into, double v)
{
    if (isnan(v)) {
        return into;
    }
    if (!strcmp(word, "count")) {
        return isnan(into) ? 1 : into + 1;
    }
    if (isnan(into)) {
        return v;
    }
    return !strcmp(word, "sum")   ? into + v
           : !strcmp(word, "min") ? (v < into ? v : into)
                                  : (v > into ? v : into);
}

static bool has_all(const char *const key[MADE_KEYS], unsigned by)
{
    for (int k = 0; k < MADE_KEYS; k++) {
        if ((by >> k & 1) && !key[k]) {
            return false;
        }
    }
    return true;
}

static void no_data(struct nlines *out)
{
    static const char *const none[MADE_KEYS] = {0};
    line_for(out, none, 0);
}

static void naive(const struct ask *a, struct nlines *out);

static void naive_data(const struct ask *a, struct nlines *out)
{
    for (int i = 0; i < MADE_SERIES; i++) {
        const struct made_series *s = &made_series[i];
        bool any = false;
        if (strcmp(s->name, a->name) != 0 ||
            (a->value && !(s->key[1] && strcmp(s->key[1], a->value) >= 0)) ||
            (a->grouped && !has_all(s->key, a->by))) {
            continue;
        }
        for (int t = 0; t < MADE_POINTS; t++) {
            any = any || !isnan(s->v[MADE_LEAD + t - a->n]);
        }
        if (!any) {
            continue;
        }
        struct nline *l = line_for(out, s->key, a->grouped ? a->by : 0);
        for (int t = 0; t < MADE_POINTS; t++) {
            l->v[t] = fold(a->word, l->v[t], s->v[MADE_LEAD + t - a->n]);
        }
    }
    if (out->count == 0 && !a->grouped) {
        no_data(out);
    }
}

static double naive_one(const struct ask *a, double v)
{
    return !strcmp(a->word, "abs")         ? fabs(v)
           : !strcmp(a->word, "neg")       ? -v
           : !strcmp(a->word, "sqrt")      ? sqrt(v)
           : !strcmp(a->word, "per-step")  ? v * 60
           : !strcmp(a->word, "clamp-min") ? (v < a->x ? a->x : v)
                                           : (v > a->x ? a->x : v);
}

static double naive_two(const char *w, double a, double b)
{
    bool ta = !isnan(a) && fabs(a) > 1e-12, tb = !isnan(b) && fabs(b) > 1e-12;
    if (!strcmp(w, "add") || !strcmp(w, "sub")) {
        double c = !strcmp(w, "sub") ? -b : b;
        return isnan(a) && isnan(b) ? (double)NAN
                                    : (isnan(a) ? 0 : a) + (isnan(b) ? 0 : c);
    }
    if (!strcmp(w, "div")) {
        return b == 0 && a == 0 ? 0 : b == 0 ? (double)NAN : a / b;
    }
    if (!strcmp(w, "and") || !strcmp(w, "or")) {
        return !strcmp(w, "and") ? ta && tb : ta || tb;
    }
    return !strcmp(w, "mul") || !strcmp(w, "fmul") ? a * b
           : !strcmp(w, "gt")                      ? (a > b ? 1 : 0)
           : !strcmp(w, "ge")                      ? (a >= b ? 1 : 0)
           : !strcmp(w, "lt")                      ? (a < b ? 1 : 0)
           : !strcmp(w, "le")                      ? (a <= b ? 1 : 0)
           : !strcmp(w, "fadd")                    ? a + b
           : !strcmp(w, "fsub")                    ? a - b
           : !strcmp(w, "fdiv")                    ? a / b
                                                   : pow(a, b);
}

// The value at t of a word that looks back; the whole line is there.
static double look_back(const struct ask *a, const double *v, int t)
{
    double sum = 0, lo = (double)NAN, hi = (double)NAN, total = (double)NAN;
    int there = 0, trues = 0;
    for (int i = t - a->n + 1 > 0 ? t - a->n + 1 : 0; i <= t; i++) {
        if (!isnan(v[i])) {
            sum += v[i];
            there++;
            trues += fabs(v[i]) > 1e-12;
            lo = isnan(lo) || v[i] < lo ? v[i] : lo;
            hi = isnan(hi) || v[i] > hi ? v[i] : hi;
        }
    }
    if (!strcmp(a->word, "integral") || !strcmp(a->word, "cumulative-max")) {
        for (int i = 0; i <= t; i++) {
            bool max = !strcmp(a->word, "cumulative-max");
            total = fold(max ? "max" : "sum", total, v[i]);
        }
        return total;
    }
    return !strcmp(a->word, "derivative")      ? (t ? v[t] - v[t - 1] : (double)NAN)
           : !strcmp(a->word, "delay")         ? (t >= a->n ? v[t - a->n] : (double)NAN)
           : !strcmp(a->word, "rolling-count") ? trues
           : !strcmp(a->word, "rolling-min")   ? lo
           : !strcmp(a->word, "rolling-max")   ? hi
           : !strcmp(a->word, "rolling-sum")   ? (there ? sum : (double)NAN)
           : !strcmp(a->word, "rolling-mean")
               ? (there >= a->m ? sum / there : (double)NAN)
               // trend
               : (a->n <= 1                ? v[t]
                  : t + 1 < a->n || !there ? (double)NAN
                                           : sum / a->n);
}

// What Holt's smoothing that began at `from` says of each value.
static void smoothed(const struct ask *a, const double *v, int from, int to, double *out)
{
    double level = 0, slope = 0;
    int seen = 0;
    for (int t = from; t < to; t++) {
        out[t] = seen >= a->n ? level : (double)NAN;
        if (!isnan(v[t])) {
            double next = seen ? a->x * v[t] + (1 - a->x) * (level + slope) : v[t];
            slope = seen ? a->y * (next - level) + (1 - a->y) * slope : 0;
            level = next;
            seen++;
        }
    }
}

static void naive_over_time(const struct ask *a, double *v)
{
    double out[MADE_POINTS], said[MADE_POINTS];
    if (!strcmp(a->word, "des")) {
        smoothed(a, v, 0, MADE_POINTS, out);
    } else if (!strcmp(a->word, "sdes")) {
        int64_t first = MADE_START / MADE_STEP;
        int wait = (int)((a->n - first % a->n) % a->n);
        for (int t = 0; t < MADE_POINTS; t++) {
            out[t] = (double)NAN;
        }
        // Each speaks for one turn, having learnt in the turn before.
        for (int turn = wait; turn + a->n < MADE_POINTS; turn += a->n) {
            int end = turn + 2 * a->n < MADE_POINTS ? turn + 2 * a->n : MADE_POINTS;
            smoothed(a, v, turn, end, said);
            for (int t = turn + a->n; t < end; t++) {
                out[t] = said[t];
            }
        }
    } else {
        for (int t = 0; t < MADE_POINTS; t++) {
            out[t] = look_back(a, v, t);
        }
    }
    memcpy(v, out, sizeof out);
}

static void naive_stat(const struct ask *a, double *v)
{
    double total = 0, max = (double)NAN, min = (double)NAN, last = (double)NAN;
    int n = 0;
    for (int t = 0; t < MADE_POINTS; t++) {
        if (!isnan(v[t])) {
            total += v[t];
            n++;
            max = isnan(max) || v[t] > max ? v[t] : max;
            min = isnan(min) || v[t] < min ? v[t] : min;
            last = v[t];
        }
    }
    for (int t = 0; t < MADE_POINTS; t++) {
        v[t] = !strcmp(a->word, "avg")     ? total / n
               : !strcmp(a->word, "max")   ? max
               : !strcmp(a->word, "min")   ? min
               : !strcmp(a->word, "last")  ? last
               : !strcmp(a->word, "total") ? (n ? total : (double)NAN)
                                           : n;
    }
}

static const struct nline *other_of(const struct ask *b, const struct nlines *lines,
                                    const struct nline *l)
{
    for (int i = 0; i < lines->count; i++) {
        bool same = true;
        for (int k = 0; k < MADE_KEYS; k++) {
            bool matters = b->grouped && (b->by >> k & 1);
            same = same && (!matters || text_eq(lines->list[i].key[k], l->key[k]));
        }
        if (same) {
            return &lines->list[i];
        }
    }
    return NULL;
}

static void naive_pair(const struct ask *a, struct nlines *out)
{
    struct nlines *x = calloc(1, sizeof *x), *y = calloc(1, sizeof *y);
    naive(a->a, x);
    naive(a->b, y);
    bool left = a->a->grouped || !a->b->grouped; // has all the keys
    const struct nlines *lead = left ? x : y, *rest = left ? y : x;
    const struct ask *small = left ? a->b : a->a;
    for (int i = 0; i < lead->count; i++) {
        const struct nline *one = &lead->list[i], *other = other_of(small, rest, one);
        bool keep = other != NULL;
        if (a->what == FILTER && other) {
            keep = false;
            for (int t = 0; t < MADE_POINTS; t++) {
                keep = keep || (!isnan(other->v[t]) && fabs(other->v[t]) > 1e-12);
            }
        }
        if (!keep) {
            continue;
        }
        struct nline *l = &out->list[out->count++];
        *l = *one;
        for (int t = 0; a->what == BINARY && t < MADE_POINTS; t++) {
            l->v[t] = naive_two(a->word, left ? one->v[t] : other->v[t],
                                left ? other->v[t] : one->v[t]);
        }
    }
    free(x);
    free(y);
}

static void naive(const struct ask *a, struct nlines *out)
{
    struct nlines *in;
    static const char *const none[MADE_KEYS] = {0};
    switch (a->what) {
    case DATA:
        naive_data(a, out);
        return;
    case NUMBER:
    case HOUR:
        for (int t = 0; t < MADE_POINTS; t++) {
            line_for(out, none, 0)->v[t] =
                a->what == NUMBER ? a->x : (double)((MADE_START / MADE_STEP + t) % 60);
        }
        return;
    case BINARY:
    case FILTER:
        naive_pair(a, out);
        return;
    case AGGREGATE:
    case REGROUP:
        in = calloc(1, sizeof *in);
        naive(a->a, in);
        for (int i = 0; i < in->count; i++) {
            struct nline *l = line_for(out, in->list[i].key, a->grouped ? a->by : 0);
            for (int t = 0; t < MADE_POINTS; t++) {
                l->v[t] = fold(a->word, l->v[t], in->list[i].v[t]);
            }
        }
        if (in->count == 0 && !a->grouped) {
            no_data(out);
        }
        free(in);
        return;
    case UNARY:
    case OVER_TIME:
    case STAT:
        break;
    }
    naive(a->a, out);
    for (int i = 0; i < out->count; i++) {
        for (int t = 0; a->what == UNARY && t < MADE_POINTS; t++) {
            out->list[i].v[t] = naive_one(a, out->list[i].v[t]);
        }
        if (a->what == OVER_TIME) {
            naive_over_time(a, out->list[i].v);
        }
        if (a->what == STAT) {
            naive_stat(a, out->list[i].v);
        }
    }
}

// --- both -------------------------------------------------------------------------------------

static bool near(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return isnan(a) && isnan(b);
    }
    return a == b || fabs(a - b) <= 1e-7 * (1 + fabs(a) + fabs(b));
}

static bool same_keys(const struct ask *a, const struct telemetry_line *l,
                      const struct nline *n)
{
    for (int k = 0; k < MADE_KEYS; k++) {
        if (!a->grouped || !(a->by >> k & 1)) {
            continue;
        }
        struct str has = {0};
        for (size_t i = 0; i < l->tags.count; i++) {
            if (str_eq_c(l->tags.list[i].key, made_keys[k])) {
                has = l->tags.list[i].value;
            }
        }
        if (!n->key[k] || !str_eq_c(has, n->key[k])) {
            return false;
        }
    }
    return true;
}

static void compare(const struct ask *a, const char *text)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const struct telemetry_expr *e;
    struct telemetry_answer answer;
    const struct telemetry_span span = {
        .start_ms = MADE_START, .step_ms = MADE_STEP, .count = MADE_POINTS};
    struct nlines *want = calloc(1, sizeof *want);
    assert_non_null(want);
    naive(a, want);
    assert_int_equal(arena_new(&arena), 0);
    if (telemetry_stack_parse(str_of(text), arena, &e) < 0 ||
        telemetry_evaluate(NULL, e, &span, arena, &answer) < 0) {
        fail_msg("%s\n%s", text, err_reason());
    }
    if (answer.count != (size_t)want->count) {
        fail_msg("%s\n%zu lines, not %d", text, answer.count, want->count);
    }
    for (size_t i = 0; i < answer.count; i++) {
        const struct nline *n = NULL;
        for (int k = 0; k < want->count; k++) {
            n = same_keys(a, &answer.lines[i], &want->list[k]) ? &want->list[k] : n;
        }
        if (!n) {
            fail_msg("%s\nno line for %.*s", text, STR_ARG(answer.lines[i].label));
        }
        for (int t = 0; n && t < MADE_POINTS; t++) {
            if (!near(answer.lines[i].values[t], n->v[t])) {
                fail_msg("%s\n%.*s at %d: %.17g, not %.17g", text,
                         STR_ARG(answer.lines[i].label), t, answer.lines[i].values[t],
                         n->v[t]);
            }
        }
    }
    free(want);
}

static void answers_as_the_naive_one(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        made_random = (round + 1) * UINT64_C(0x9e3779b97f4a7c15);
        made_fill();
        pooled = 0;
        bool grouped = made_draw(2);
        const struct ask *a = ask(1 + (int)made_draw(4), grouped, 1 + made_draw(7));
        AUTO(buf_free) struct buf text = {0};
        write_ask(a, &text);
        compare(a, text.data);
    }
}

// --- what a reader sees -------------------------------------------------------------------------

// x has 1, y 2 and z 4 throughout; w nothing.
static void fill_plain(void)
{
    static const char *const keys[] = {"x", "y", "z", "w"};
    static const double values[] = {1, 2, 4, (double)NAN};
    for (int i = 0; i < MADE_SERIES; i++) {
        made_series[i] = (struct made_series){.name = i < 4 ? "m0" : "m1"};
        made_series[i].key[0] = i < 4 ? keys[i] : NULL;
        for (int t = 0; t < MADE_LEAD + MADE_POINTS; t++) {
            made_series[i].v[t] = i < 4 ? values[i] : (double)NAN;
        }
    }
}

static void shows_what_was_asked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lines; // label=value at the last moment
    } cases[] = {
        {"name,m0,:eq,(,k0,),:by,max,2,:topk", "(k0=y)=2 (k0=z)=4"},
        {"name,m0,:eq,(,k0,),:by,max,1,:bottomk", "(k0=x)=1"},
        {"name,m0,:eq,(,k0,),:by,max,1,:topk-others-sum", "(k0=--others--)=3 (k0=z)=4"},
        {"name,m0,:eq,(,k0,),:by,max,1,:topk-others-avg", "(k0=--others--)=1.5 (k0=z)=4"},
        {"name,m0,:eq,(,k0,),:by,max,1,:bottomk-others-max",
         "(k0=--others--)=4 (k0=x)=1"},
        {"name,m0,:eq,(,k0,),:by,max,1,:bottomk-others-min",
         "(k0=--others--)=2 (k0=x)=1"},
        {"name,m0,:eq,(,k0,),:by,:pct,$k0,:legend",
         "x=14.285714 y=28.571429 z=57.142857"},
        {"name,m0,:eq,(,k0,),:by,:stddev,s,:legend", "s=1.2472191"},
        {"name,m0,:eq,(,k0,),:by,:avg,s,:legend", "s=2.3333333"},
        {"name,m0,:eq,(,k0,),:by,:stat-max,1.5,:gt,:filter,$k0,:legend", "y=2 z=4"},
        {"name,m0,:eq,(,k0,),:by,max,:sort,desc,:order,2,:limit,$k0,:legend", "z=4 y=2"},
        {"name,m0,:eq,(,k0,),:by,2,:head,$(k0)!,:legend", "x!=1 y!=2"},
        {"name,m0,:eq,(,k0,),:by,k0,nf.x,:as,$nf.x,:legend", "x=1 y=2 z=4"},
        {"name,m0,:eq,:all,$k0,:legend", "x=1 y=2 z=4"},
        {"name,m0,:eq,:sum,(,0h,5m,),:offset,$name+$(atlas.offset),:legend",
         "m0+0w=7 m0+5m=7"},
        {"name,m0,:eq,:sum,5m,:offset", "sum(name=m0) (offset=5m)=7"},
        {"name,m0,:eq,:max,$(atlas.avg),:legend", "4.000=4"},
        {"1,one_21_25_5Q,:legend,hex,:decode", "one!%_5Q=1"},
        {"1,nccp-abc,:legend,^nccp-(.*)$,<$1>,:s", "<abc>=1"},
        {"1,nccp-abc,:legend,(?<rest>b.),$(rest).$none,:s", "nccp-abc.none=1"},
        {"1,aXbX,:legend,X,-,:s,-$,!,:s", "a-b!=1"},
        {"1,$,:legend", "$=1"},
        {"3,:freeze,1,2", "3.0=3 1.0=1 2.0=2"},
        {"1,2,:add", "3.0=3"},
        {"ge-2m,ge,:time-span,s,:legend", "s=1"},
        {"gs,s%2B2m,:time-span,s,:legend", NULL},
        {"minuteOfHour,:time,max,5m,:consolidate,c,:legend", "c=54"},
        {"name,none,:eq", "NO DATA=nan"},
        {"name,none,:eq,(,k0,),:by", ""},
        {"name,none,:eq,:sum,1,:add,s,:legend", "s=1"},
        {"name,m0,:eq,k0,x,:eq,:and,:sum,name,m0,:eq,:sum,:div,s,:legend",
         "s=0.14285714"},
        {"name,m0,:eq,(,k0,),:by,name,m0,:eq,:sum,:sub,$k0,:legend", "x=-6 y=-5 z=-3"},
        {"name,m0,:eq,:per-step,s,:legend", "s=420"},
    };
    const struct telemetry_span span = {
        .start_ms = MADE_START, .step_ms = MADE_STEP, .count = MADE_POINTS};
    fill_plain();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_free) struct arena *arena = NULL;
        AUTO(buf_free) struct buf shown = {0};
        const struct telemetry_expr *e;
        struct telemetry_answer answer;
        assert_int_equal(arena_new(&arena), 0);
        int err = telemetry_stack_parse(str_of(cases[i].text), arena, &e);
        if (!cases[i].lines) {
            assert_int_equal(err, ERR_INVALID);
            continue;
        }
        if (err < 0 || telemetry_evaluate(NULL, e, &span, arena, &answer) < 0) {
            fail_msg("%s\n%s", cases[i].text, err_reason());
        }
        buf_reserve(&shown, 1);
        for (size_t k = 0; k < answer.count; k++) {
            buf_printf(&shown, "%s" STR_FMT "=%.8g", k ? " " : "",
                       STR_ARG(answer.lines[k].label),
                       answer.lines[k].values[MADE_POINTS - 1]);
        }
        if (strcmp(shown.data, cases[i].lines) != 0) {
            fail_msg("%s\n%s\nnot: %s", cases[i].text, shown.data, cases[i].lines);
        }
    }
}

// 0, or what is wrong with a question that has until `until_us`, when `values` are taken already.
static int answer_within(const char *text, int64_t until_us, size_t values)
{
    AUTO(arena_free) struct arena *arena = NULL;
    const struct telemetry_expr *x;
    struct lines lines;
    assert_int_equal(arena_new(&arena), 0);
    assert_int_equal(telemetry_stack_parse(str_of(text), arena, &x), 0);
    struct evaluation e = {
        .arena = arena,
        .span = {.start_ms = MADE_START, .step_ms = MADE_STEP, .count = MADE_POINTS},
        .until_us = until_us,
        .values = values,
        .had = arena_alloc(arena, x->made + 1, sizeof *e.had)};
    int err = evaluate_node(&e, x->lines[0].node, &lines);
    vec_free(&e.reads);
    return err;
}

static void ends_in_time_and_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {"name,m0,:eq,:sum", "name,m0,:eq,(,k0,),:by",
                                        "name,m0,:eq,:all,5,:rolling-max"};
    fill_plain();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(answer_within(texts[i], INT64_MAX, 0), 0);
        assert_int_equal(answer_within(texts[i], 1, 0), ERR_LIMIT);
    }
    // Lines count, too, however few values they have.
    size_t room = 3 * MADE_POINTS + EVALUATE_LINE;
    assert_int_equal(answer_within(texts[1], INT64_MAX, EVALUATE_VALUES_MAX / 2), 0);
    assert_int_equal(answer_within(texts[1], INT64_MAX, EVALUATE_VALUES_MAX - room),
                     ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_naive_one),
        cmocka_unit_test(shows_what_was_asked),
        cmocka_unit_test(ends_in_time_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
