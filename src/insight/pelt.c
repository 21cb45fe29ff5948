// SPDX-License-Identifier: GPL-3.0-or-later
//
// Segmentation by penalised cost. F(t), the least cost of the first t values, is the least over s < t of
// F(s) + C(s, t) + penalty. PELT (Killick, Fearnhead and Eckley 2012, section 3.1) drops s once
// F(s) + C(s, t) > F(t): splitting never raises these costs, so no later t' can prefer s to t. Where segments have
// a least length, t is no choice before t + length, and s lives until then.
//
// The candidates lie side by side (start, F, prefix sums), so that their costs at t are one pass over arrays.
#include "insight/change.h"
#include "insight/segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 10000000 };

void insight_changes_free(struct insight_changes *c)
{
    free(c->at);
    *c = (struct insight_changes){0};
}

void segment_sums_free(struct segment_sums *s)
{
    free(s->memory);
    *s = (struct segment_sums){0};
}

size_t segment_min_length(const struct insight_segmenting *how)
{
    size_t least = how->cost == INSIGHT_COST_MEAN ? 1 : 2;
    return MAX(how->min_length, least);
}

int segment_sums_make(const double *values, size_t count,
                      const struct insight_segmenting *how, struct segment_sums *ret)
{
    FAIL_IF(!(how->penalty > 0), ERR_INVALID, "a penalty of %g: it is above 0",
            how->penalty);
    FAIL_IF(!(how->tilt >= 0), ERR_INVALID, "a tilt of %g: it is not below 0", how->tilt);
    FAIL_IF(count > VALUES_MAX, ERR_LIMIT, "over %d values", VALUES_MAX);
    double mean = 0;
    for (size_t i = 0; i < count; i++) {
        FAIL_IF(!isfinite(values[i]), ERR_INVALID, "value %zu is not finite", i);
        mean += (values[i] - mean) / (double)(i + 1);
    }
    double *memory = calloc(3 * (count + 1), sizeof *memory);
    FAIL_IF(!memory, ERR_NOMEM, "sums of a series");
    double *y = memory, *yy = y + count + 1, *xy = yy + count + 1;
    for (size_t i = 0; i < count; i++) {
        double v = values[i] - mean;
        y[i + 1] = y[i] + v;
        yy[i + 1] = yy[i] + v * v;
        xy[i + 1] = xy[i] + (double)i * v;
    }
    // Below a thousand-millionth of the whole variance lies what rounding left.
    double floor = count ? fmax(1e-9 * yy[count] / (double)count, 1e-290) : 1;
    *ret = (struct segment_sums){memory, y, yy, xy, floor, how->tilt, how->cost};
    return 0;
}

// --- costs of many starts at one end --------------------------------------------------------
// One body each, compiled plainly and for AVX2: the same operations in the same order on each element, so that
// both give the same bits.

// ln x for normal x > 0, to 1e-15 of its size: x = m 2^e, m within 0.707..1.414, and ln m = 2 artanh((m - 1) / (m + 1))
// as a series. In the form of arithmetic on whole arrays, which calls of log() are not.
#define FORCED static inline __attribute__((always_inline))
FORCED double log_of(double x)
{
    uint64_t bits, exponent_bits;
    memcpy(&bits, &x, sizeof bits);
    bits += 0x3ff0000000000000 - 0x3fe6a09e667f3bcd;
    // An integer below 2^52 as a double without a conversion: put below 2^52's bits, less 2^52.
    exponent_bits = (bits >> 52) | 0x4330000000000000;
    double e, m;
    memcpy(&e, &exponent_bits, sizeof e);
    e -= 4503599627370496.0 + 1023;
    bits = (bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd;
    memcpy(&m, &bits, sizeof m);
    double s = (m - 1) / (m + 1), z = s * s;
    double series = 1.0 / 19;
    series = series * z + 1.0 / 17;
    series = series * z + 1.0 / 15;
    series = series * z + 1.0 / 13;
    series = series * z + 1.0 / 11;
    series = series * z + 1.0 / 9;
    series = series * z + 1.0 / 7;
    series = series * z + 1.0 / 5;
    series = series * z + 1.0 / 3;
    return e * 0.6931471805599453 + 2 * (s + s * z * series);
}

FORCED double cost_mean(double n, double y, double yy)
{
    double cost = yy - y * y / n;
    return cost > 0 ? cost : 0;
}

FORCED double cost_mean_var(double n, double y, double yy, double floor)
{
    double mean = y / n, v = yy / n - mean * mean;
    v = v > 0 ? v : 0;
    double u = v > floor ? v : floor; // the most likely variance that is allowed
    return n * (log_of(u) + v / u);
}

FORCED double cost_line(double n, double y, double yy, double xy)
{
    double flat = yy - y * y / n;
    double tilt = xy - y * (n - 1) / 2;
    double width = n * (n * n - 1) / 12;
    width = width > 0 ? width : 1;
    double cost = flat - tilt * tilt / width;
    return cost > 0 ? cost : 0;
}

#define START(i)                                       \
    double n = end.at - c->at[i], y = end.y - c->y[i]; \
    double yy = end.yy - c->yy[i], base = c->least[i]

FORCED void totals_mean(const struct segment_starts *c, struct segment_point end,
                        double *restrict ret_totals)
{
    for (size_t i = 0; i < c->count; i++) {
        START(i);
        ret_totals[i] = base + cost_mean(n, y, yy);
    }
}

FORCED void totals_mean_var(const struct segment_starts *c, struct segment_point end,
                            double *restrict ret_totals)
{
    for (size_t i = 0; i < c->count; i++) {
        START(i);
        ret_totals[i] = base + cost_mean_var(n, y, yy, end.floor);
    }
}

FORCED void totals_line(const struct segment_starts *c, struct segment_point end,
                        double *restrict ret_totals)
{
    for (size_t i = 0; i < c->count; i++) {
        START(i);
        ret_totals[i] = base + cost_line(n, y, yy, end.xy - c->xy[i] - c->at[i] * y);
    }
}

FORCED void totals_level_or_line(const struct segment_starts *c, struct segment_point end,
                                 double *restrict ret_totals)
{
    for (size_t i = 0; i < c->count; i++) {
        START(i);
        double level = cost_mean(n, y, yy);
        double line = cost_line(n, y, yy, end.xy - c->xy[i] - c->at[i] * y) + end.tilt;
        ret_totals[i] = base + (level < line ? level : line);
    }
}

// Eight minima side by side: one would wait for each comparison before the next.
FORCED double least_of(const double *totals, size_t count)
{
    double lane[8];
    for (int k = 0; k < 8; k++) {
        lane[k] = INFINITY;
    }
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int k = 0; k < 8; k++) {
            lane[k] = totals[i + (size_t)k] < lane[k] ? totals[i + (size_t)k] : lane[k];
        }
    }
    for (; i < count; i++) {
        lane[0] = totals[i] < lane[0] ? totals[i] : lane[0];
    }
    for (int k = 1; k < 8; k++) {
        lane[0] = lane[k] < lane[0] ? lane[k] : lane[0];
    }
    return lane[0];
}

FORCED size_t above_of(const double *totals, size_t count, double limit)
{
    int64_t above = 0;
    for (size_t i = 0; i < count; i++) {
        above += totals[i] > limit;
    }
    return (size_t)above;
}

#define TOTALS(name, cost, attribute)                                   \
    attribute static void name##_##cost(const struct segment_starts *c, \
                                        struct segment_point end,       \
                                        double *restrict ret_totals)    \
    {                                                                   \
        totals_##cost(c, end, ret_totals);                              \
    }
#define VARIANT(name, attribute)                                             \
    TOTALS(name, mean, attribute)                                            \
    TOTALS(name, mean_var, attribute)                                        \
    TOTALS(name, line, attribute)                                            \
    TOTALS(name, level_or_line, attribute)                                   \
    attribute static double name##_least(const double *totals, size_t count) \
    {                                                                        \
        return least_of(totals, count);                                      \
    }                                                                        \
    attribute static size_t name##_above(const double *totals, size_t count, \
                                         double limit)                       \
    {                                                                        \
        return above_of(totals, count, limit);                               \
    }                                                                        \
    static const struct segment_kernels name = {                             \
        {[INSIGHT_COST_MEAN] = name##_mean,                                  \
         [INSIGHT_COST_MEAN_VAR] = name##_mean_var,                          \
         [INSIGHT_COST_LINE] = name##_line,                                  \
         [INSIGHT_COST_LEVEL_OR_LINE] = name##_level_or_line},               \
        name##_least,                                                        \
        name##_above};

VARIANT(plain, )
VARIANT(avx2, __attribute__((target("avx2"))))

const struct segment_kernels *segment_kernels_plain(void)
{
    return &plain;
}

const struct segment_kernels *segment_kernels_best(void)
{
    return __builtin_cpu_supports("avx2") ? &avx2 : &plain;
}

struct segment_point segment_point_of(const struct segment_sums *s, size_t end)
{
    return (struct segment_point){(double)end, s->y[end], s->yy[end],
                                  s->xy[end],  s->floor,  s->tilt};
}

double segment_cost(const struct segment_sums *s, size_t start, size_t end)
{
    double at = (double)start, nothing = 0, total = 0;
    double y = s->y[start], yy = s->yy[start], xy = s->xy[start];
    struct segment_starts one = {&at, &nothing, &y, &yy, &xy, 1};
    plain.totals[s->cost](&one, segment_point_of(s, end), &total);
    return total;
}

// --- the programs -----------------------------------------------------------------------------

// F is `least`, from[t] the start of the last segment of the best of the first t.
struct program {
    const struct segment_sums *sums;
    double *least;
    uint32_t *from;
    size_t count, min_length;
    double penalty, slack;
    struct segment_starts live; // whose arrays are `memory`
    double *totals, *dies;      // dies: from which end on it is no choice
    size_t dying;               // of the live
    double *memory;
};

static void program_free(struct program *p)
{
    free(p->from);
    free(p->memory);
}

static int program_make(struct program *p)
{
    size_t n = p->count + 1;
    p->from = calloc(n, sizeof *p->from);
    p->memory = calloc(8 * n, sizeof *p->memory);
    FAIL_IF(!p->from || !p->memory, ERR_NOMEM, "a segmentation");
    p->least = p->memory;
    p->live =
        (struct segment_starts){p->memory + n,     p->memory + 2 * n, p->memory + 3 * n,
                                p->memory + 4 * n, p->memory + 5 * n, 0};
    p->totals = p->memory + 6 * n;
    p->dies = p->memory + 7 * n;
    return 0;
}

static void start_add(struct program *p, size_t at)
{
    struct segment_starts *c = &p->live;
    size_t i = c->count++;
    c->at[i] = (double)at;
    c->least[i] = p->least[at];
    c->y[i] = p->sums->y[at];
    c->yy[i] = p->sums->yy[at];
    c->xy[i] = p->sums->xy[at];
    p->dies[i] = INFINITY;
}

// Keeps, in their order, the starts that may still be best.
static void starts_prune(struct program *p, const struct segment_kernels *kernels,
                         size_t t)
{
    struct segment_starts *c = &p->live;
    // One more line than before may be what a split costs: that much must a start be worse.
    double limit = p->least[t] + 1e-12 * fabs(p->least[t]) + p->slack;
    if (p->dying == 0 && kernels->above(p->totals, c->count, limit) == 0) {
        return;
    }
    double end = (double)(t + p->min_length), next = (double)t + 1;
    size_t kept = 0;
    p->dying = 0;
    for (size_t i = 0; i < c->count; i++) {
        double dies = p->dies[i];
        if (dies == INFINITY && p->totals[i] > limit) {
            dies = end;
        }
        if (dies <= next) {
            continue;
        }
        c->at[kept] = c->at[i];
        c->least[kept] = c->least[i];
        c->y[kept] = c->y[i];
        c->yy[kept] = c->yy[i];
        c->xy[kept] = c->xy[i];
        p->dying += dies < INFINITY;
        p->dies[kept++] = dies;
    }
    c->count = kept;
}

enum pruning { PRUNED, WHOLE };

static void program_run(struct program *p, const struct segment_kernels *kernels,
                        enum pruning pruning)
{
    size_t min = p->min_length;
    p->least[0] = -p->penalty;
    for (size_t t = 1; t <= p->count; t++) {
        if (t < min) {
            p->least[t] = INFINITY;
            continue;
        }
        if (isfinite(p->least[t - min])) {
            start_add(p, t - min);
        }
        kernels->totals[p->sums->cost](&p->live, segment_point_of(p->sums, t), p->totals);
        double least = kernels->least(p->totals, p->live.count);
        size_t which = 0;
        while (p->totals[which] != least) {
            which++;
        }
        p->least[t] = least + p->penalty;
        p->from[t] = (uint32_t)p->live.at[which];
        if (pruning == PRUNED) {
            starts_prune(p, kernels, t);
        }
    }
}

static int program_answer(const struct program *p, struct insight_changes *ret)
{
    size_t changes = 0;
    for (size_t t = p->count; t > 0 && p->from[t] > 0; t = p->from[t]) {
        changes++;
    }
    struct insight_changes made = {.count = changes,
                                   .cost = p->count ? p->least[p->count] : 0};
    made.at = calloc(MAX(changes, 1), sizeof *made.at);
    FAIL_IF(!made.at, ERR_NOMEM, "change points");
    for (size_t t = p->count; changes > 0; t = p->from[t]) {
        made.at[--changes] = p->from[t];
    }
    *ret = made;
    return 0;
}

static int segment_exactly(const double *values, size_t count,
                           const struct insight_segmenting *how, enum pruning pruning,
                           struct insight_changes *ret)
{
    AUTO(segment_sums_free) struct segment_sums sums = {0};
    TRY(segment_sums_make(values, count, how, &sums));
    AUTO(program_free)
    struct program p = {.sums = &sums,
                        .count = count,
                        .min_length = segment_min_length(how),
                        .penalty = how->penalty,
                        .slack = how->cost == INSIGHT_COST_LEVEL_OR_LINE ? how->tilt : 0};
    TRY(program_make(&p));
    if (count < 2 * p.min_length) {
        p.count = 0; // no room for a change
        return program_answer(&p, ret);
    }
    program_run(&p, pruning == PRUNED ? segment_kernels_best() : segment_kernels_plain(),
                pruning);
    return program_answer(&p, ret);
}

int insight_pelt(const double *values, size_t count, const struct insight_segmenting *how,
                 struct insight_changes *ret)
{
    return segment_exactly(values, count, how, PRUNED, ret);
}

int insight_optimal(const double *values, size_t count,
                    const struct insight_segmenting *how, struct insight_changes *ret)
{
    return segment_exactly(values, count, how, WHOLE, ret);
}
