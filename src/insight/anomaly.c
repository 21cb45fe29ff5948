// SPDX-License-Identifier: GPL-3.0-or-later
//
// Four views of a series: its values, their mean over the last six, their spread over the last dozen, and the jump
// from one to the next. Of each is kept, for the last 14 seasons, the least and the largest within two hours of
// every time of day. A view that leaves this envelope is scored by how far, relative to the whole range that it
// ever had: an envelope never forgets within its seasons, so that what keeps returning is told once, and a
// trend is told while it is new.
//
// An extreme over [t - w, t + w] is, w values later, the extreme over the last 2 w + 1: one monotone queue a side
// and view makes them all, and a ring of seasons keeps them.
//
// The constants, and what they were weighed against: docs/adr/0059.
#include "insight/anomaly.h"
#include "insight/order.h"

#include <math.h>
#include <stdlib.h>

enum {
    SEASONS = 14,
    SEASON_MAX = 100000,
    SPREAD_OVER = 12,
    LEVEL_OVER = 6,
    QUIET = 150,
    SIDES = 2
};
// Of a season, on either side: nearly two hours of a day.
static const double around = 1.0 / 13;
static const double tolerated[INSIGHT_VIEWS] = {[INSIGHT_VIEW_VALUE] = 0.06,
                                                [INSIGHT_VIEW_LEVEL] = 0.15,
                                                [INSIGHT_VIEW_SPREAD] = 0.15,
                                                [INSIGHT_VIEW_JUMP] = 0.15};
static const double again = 1.5; // so much more than what was told lately is told again
static const double nothing = 0.2;

static const char *const view_names[] = {"value", "level", "spread", "jump"};

const char *insight_view_name(enum insight_view v)
{
    return view_names[v];
}

// The largest of the last `width` values: positions whose values descend, in a ring.
struct extreme {
    size_t *at;
    double *value;
    size_t head, count, width;
};

static double extreme_next(struct extreme *e, size_t at, double value)
{
    if (e->count && e->at[e->head] + e->width <= at) {
        e->head = (e->head + 1) % e->width;
        e->count--;
    }
    while (e->count && e->value[(e->head + e->count - 1) % e->width] <= value) {
        e->count--;
    }
    size_t place = (e->head + e->count++) % e->width;
    e->at[place] = at;
    e->value[place] = value;
    return e->value[e->head];
}

// What one view keeps. The lower side is the upper side of negated values.
struct view {
    struct extreme near[SIDES];
    double *kept[SIDES]; // ring: the extreme over the 2 w + 1 values that end there
    double low, high;    // of all
};

struct insight_watch {
    size_t season, around, kept, count; // count: values so far
    struct view views[INSIGHT_VIEWS];
    struct extreme told; // scores of the last QUIET values
    double lately;       // their largest
    double recent[SPREAD_OVER];
    size_t recent_count;
    void *memory;
};

void insight_watch_free(struct insight_watch **p)
{
    struct insight_watch *w = *p;
    *p = NULL;
    if (w) {
        free(w->memory);
        free(w);
    }
}

static size_t extreme_place(struct extreme *e, size_t width, char *memory)
{
    e->width = width;
    e->at = (size_t *)(void *)memory;
    e->value = (double *)(void *)(memory + width * sizeof *e->at);
    return width * (sizeof *e->at + sizeof *e->value);
}

int insight_watch_new(struct insight_watch **ret, size_t season)
{
    FAIL_IF(season < 4 || season > SEASON_MAX, ERR_INVALID,
            "a season of %zu values: between 4 and %d", season, SEASON_MAX);
    AUTO(insight_watch_free) struct insight_watch *w = calloc(1, sizeof *w);
    FAIL_IF(!w, ERR_NOMEM, "a watch");
    w->season = season;
    w->around = (size_t)((double)season * around) + 1;
    w->kept = SEASONS * season + 1;
    size_t width = 2 * w->around + 1, sides = INSIGHT_VIEWS * SIDES;
    w->memory = calloc(sides * (2 * width + w->kept) + 2 * QUIET, sizeof(double));
    FAIL_IF(!w->memory, ERR_NOMEM, "a watch");
    char *at = w->memory;
    at += extreme_place(&w->told, QUIET, at);
    for (size_t i = 0; i < sides; i++) {
        struct view *v = &w->views[i / SIDES];
        at += extreme_place(&v->near[i % SIDES], width, at);
        v->kept[i % SIDES] = (double *)(void *)at;
        at += w->kept * sizeof(double);
    }
    *ret = TAKE(w);
    return 0;
}

// How far `x` is outside of what was seen around this time in earlier seasons, of the whole range. 0: inside.
static double overshoot(const struct insight_watch *w, const struct view *v, double x,
                        double *ret_low, double *ret_high)
{
    double high = -INFINITY, low = -INFINITY;
    for (size_t back = w->season; back <= w->count && back <= SEASONS * w->season;
         back += w->season) {
        size_t at = (w->count - back + w->around) % w->kept;
        high = fmax(high, v->kept[0][at]);
        low = fmax(low, v->kept[1][at]);
    }
    *ret_high = high;
    *ret_low = -low;
    double range = v->high - v->low;
    return !(range > 0) ? 0
           : x > high   ? (x - high) / range
           : -x > low   ? (-x - low) / range
                        : 0;
}

static void view_keep(struct insight_watch *w, struct view *v, double x)
{
    size_t at = w->count % w->kept;
    v->kept[0][at] = extreme_next(&v->near[0], w->count, x);
    v->kept[1][at] = extreme_next(&v->near[1], w->count, -x);
    v->low = w->count ? fmin(v->low, x) : x;
    v->high = w->count ? fmax(v->high, x) : x;
}

// The standard deviation of the last dozen, this one included.
static double spread_of(struct insight_watch *w, double value)
{
    w->recent[w->count % SPREAD_OVER] = value;
    w->recent_count = MIN(w->recent_count + 1, SPREAD_OVER);
    double mean = 0, squares = 0, n = (double)w->recent_count;
    for (size_t i = 0; i < w->recent_count; i++) {
        mean += w->recent[i] / n;
    }
    for (size_t i = 0; i < w->recent_count; i++) {
        squares += (w->recent[i] - mean) * (w->recent[i] - mean);
    }
    return sqrt(squares / n);
}

// The mean of the last six, this one included, which spread_of has taken in.
static double level_of(const struct insight_watch *w)
{
    size_t n = MIN(w->recent_count, LEVEL_OVER);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += w->recent[(w->count + SPREAD_OVER - i) % SPREAD_OVER];
    }
    return sum / (double)n;
}

void insight_watch_next(struct insight_watch *w, double value,
                        struct insight_anomaly *ret)
{
    struct insight_anomaly made = {0};
    double last = w->count ? w->recent[(w->count - 1) % SPREAD_OVER] : value;
    bool there = isfinite(value);
    value = there ? value : isfinite(last) ? last : 0;
    double seen[INSIGHT_VIEWS] = {[INSIGHT_VIEW_VALUE] = value};
    seen[INSIGHT_VIEW_JUMP] = w->count < 2 ? 0 : value - last;
    seen[INSIGHT_VIEW_SPREAD] = spread_of(w, value);
    seen[INSIGHT_VIEW_LEVEL] = level_of(w);
    for (int i = 0; i < INSIGHT_VIEWS; i++) {
        double low = 0, high = 0, score = 0;
        if (w->count > 2 * w->season && there) {
            score = overshoot(w, &w->views[i], seen[i], &low, &high) / tolerated[i];
        }
        if (score > made.score) {
            made =
                (struct insight_anomaly){score, (enum insight_view)i, seen[i], low, high};
        }
        view_keep(w, &w->views[i], seen[i]);
    }
    double score = made.score < nothing ? 0 : made.score;
    if (!(score > again * w->lately)) {
        made = (struct insight_anomaly){0};
    }
    w->lately = extreme_next(&w->told, w->count, score);
    *ret = made;
    w->count++;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int insight_season_of(const int64_t *times_ms, size_t count, size_t *ret)
{
    int64_t steps[49];
    size_t n = 0;
    while (n < ARRAY_LEN(steps) && n + 1 < count) {
        steps[n] = times_ms[n + 1] - times_ms[n];
        n++;
    }
    qsort(steps, n, sizeof *steps, compare);
    FAIL_IF(n == 0 || steps[n / 2] <= 0, ERR_INVALID, "times that do not ascend");
    double season = round(86400e3 / (double)steps[n / 2]);
    *ret = (size_t)CLAMP(season, 4, SEASON_MAX);
    return 0;
}
