// SPDX-License-Identifier: GPL-3.0-or-later
//
// Thousands of candidates beside one change of a target. Whole windows are never correlated: whatever has a daily cycle
// would come first. A window is what lies between the target's changes before and after, and the candidate's; of
// each side the line through its values before the change is taken away, and with it the cycle, which is
// nearly straight for that long. What is left is compared at each lag by Pearson and, on ranks made once a
// candidate, by Spearman: one outlier makes the first alone, one shared trend the second.
//
// How alike two series are says little when neither moves: the score is that likeness times how clearly the candidate
// itself changed near the target's change, in spreads of its own noise.
#include "insight/relate.h"

#include "insight/change.h"
#include "insight/correlate.h"
#include "insight/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    REACH = 120,
    LAG_MAX = 10,
    KEEP = 20,
    LEAST = 12,
    SIDE_LEAST = 6,
    NEAR = 20,
    SILENT_LEAST = 3, // steps without a value that are no mere lateness of a sender
    BENDS = 4
};

static const char *const relation_names[] = {"moved", "born", "died"};

const char *insight_relation_name(enum insight_relation r)
{
    return relation_names[r];
}

void insight_relations_free(struct insight_relations *r)
{
    free(r->list);
    *r = (struct insight_relations){0};
}

// A series in the window, twice: less its line, and the ranks of that.
struct side {
    double *rest, *ranks;
    struct correlate_side plain, ranked;
    double before, after, noise, step;
    size_t changed; // within the window
};

struct work {
    struct insight_relate_config config;
    const double *target;
    size_t length, start, end, changed; // of the target's window
    struct side a, b;                   // target, candidate
    correlate_dot_f *dot;
    double *bend[BENDS], *step, step_length; // see bend_make; of the present window
    double *memory, *scratch;
    uint64_t *keys;
};

static void work_free(struct work *w)
{
    free(w->memory);
    free(w->keys);
}

static void side_place(struct side *s, double *memory, size_t n)
{
    s->rest = memory;
    s->ranks = memory + n;
    s->plain = (struct correlate_side){s->rest, memory + 2 * n, memory + 3 * n, 0};
    s->ranked = (struct correlate_side){s->ranks, memory + 4 * n, memory + 5 * n, 0};
}

static int work_make(struct work *w)
{
    size_t n = 2 * w->config.reach + 2;
    w->memory = calloc((14 + BENDS) * n, sizeof *w->memory);
    w->keys = calloc(2 * n, sizeof *w->keys);
    FAIL_IF(!w->memory || !w->keys, ERR_NOMEM, "a comparison");
    side_place(&w->a, w->memory, n);
    side_place(&w->b, w->memory + 6 * n, n);
    w->scratch = w->memory + 12 * n;
    w->step = w->memory + 13 * n;
    for (size_t k = 0; k < BENDS; k++) {
        w->bend[k] = w->memory + (14 + k) * n;
    }
    w->dot = correlate_dot_best();
    return 0;
}

// --- one side -----------------------------------------------------------------------------------

// Ranks of at most 2^16 values by sorting 64-bit keys: the value's upper bits in an order that integers have, its place
// in the lower 16. What differs in its last 16 bits only counts as tied: a relative 1e-11.
static void merge_sort(uint64_t *keys, uint64_t *other, size_t n)
{
    enum { RUN = 16 };
    for (size_t start = 0; start < n; start += RUN) {
        size_t end = MIN(start + RUN, n);
        for (size_t i = start + 1; i < end; i++) {
            uint64_t key = keys[i];
            size_t k = i;
            for (; k > start && keys[k - 1] > key; k--) {
                keys[k] = keys[k - 1];
            }
            keys[k] = key;
        }
    }
    for (size_t width = RUN; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t i = start, middle = MIN(start + width, n), k = middle;
            size_t end = MIN(start + 2 * width, n);
            for (size_t at = start; at < end; at++) {
                bool left = k >= end || (i < middle && keys[i] <= keys[k]);
                other[at] = left ? keys[i] : keys[k];
                i += left;
                k += !left;
            }
        }
        memcpy(keys, other, n * sizeof *keys);
    }
}

static void rank(const double *values, size_t n, uint64_t *keys, double *ret_ranks)
{
    for (size_t i = 0; i < n; i++) {
        double v = values[i] + 0.0; // no negative zero
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
        keys[i] = (bits & ~UINT64_C(0xffff)) | i;
    }
    merge_sort(keys, keys + n, n);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && keys[end] >> 16 == keys[i] >> 16; end++) {
        }
        for (size_t k = i; k < end; k++) {
            ret_ranks[keys[k] & 0xffff] = ((double)(i + end) - (double)n) / 2;
        }
    }
}

// Values of the window, missing ones as the one before. False: fewer than two of three are there.
static bool take(const double *values, size_t start, size_t end, double *ret)
{
    size_t missing = 0, n = end - start;
    double last = NAN;
    for (size_t i = start; i < end && isnan(last); i++) {
        last = isfinite(values[i]) ? values[i] : NAN;
    }
    for (size_t i = 0; i < n; i++) {
        double v = values[start + i];
        missing += isfinite(v) == 0;
        last = isfinite(v) ? v : last;
        ret[i] = last;
    }
    return missing * 3 <= n && isfinite(last);
}

// Makes the columns of `w->bend` (1, t, t^2, and a step at the change) orthonormal, each to those before it, and `w->step`
// what the first three explain of the step.
static void bend_make(struct work *w, size_t n, size_t before)
{
    for (size_t k = 0; k < BENDS; k++) {
        double *column = w->bend[k];
        for (size_t i = 0; i < n; i++) {
            double t = 2 * (double)i / (double)n - 1;
            column[i] = k < 3 ? pow(t, (double)k) : i >= before;
        }
        memset(w->step, 0, n * sizeof *w->step);
        for (size_t m = 0; m < k; m++) {
            double along = w->dot(w->bend[m], column, n);
            for (size_t i = 0; i < n; i++) {
                w->step[i] += along * w->bend[m][i];
            }
        }
        double length = 0;
        for (size_t i = 0; i < n; i++) {
            column[i] -= w->step[i];
            length += column[i] * column[i];
        }
        w->step_length = sqrt(length);
        for (size_t i = 0; i < n; i++) {
            column[i] /= w->step_length;
        }
    }
}

// Takes away the parabola that fits best beside a step at the change, and scales by the largest that is left. False:
// nothing is left.
static bool straighten(const struct work *w, double *x, size_t n)
{
    double along[BENDS], most = 0, size = 0;
    for (size_t k = 0; k < BENDS; k++) {
        along[k] = w->dot(w->bend[k], x, n);
    }
    double height = along[3] / w->step_length;
    for (size_t i = 0; i < n; i++) {
        size = fmax(size, fabs(x[i]));
        x[i] -= along[0] * w->bend[0][i] + along[1] * w->bend[1][i] +
                along[2] * w->bend[2][i] - height * w->step[i];
        most = fmax(most, fabs(x[i]));
    }
    if (!(most > 1e-11 * size) || !isfinite(most)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] /= most;
    }
    return true;
}

// The place within `reach` of `changed` at which the means on either side differ most, weighed by their counts; the means
// are of at most as many values as the shorter side of the window has.
static size_t own_change(const struct correlate_side *s, size_t changed, size_t reach)
{
    size_t low = MAX(SIDE_LEAST / 2, changed > reach ? changed - reach : 0);
    size_t high = MIN(s->count - SIDE_LEAST / 2, changed + reach), best = changed;
    double most = -1;
    for (size_t at = low; at <= high; at++) {
        double n = (double)at, m = (double)(s->count - at);
        double d = s->sum[at] / n - (s->sum[s->count] - s->sum[at]) / m;
        double gain = d * d * n * m / (n + m);
        if (gain > most) {
            most = gain;
            best = at;
        }
    }
    return best;
}

// How large the step at `changed` is, in spreads of the noise from one value to the next.
static void measure(struct work *w, struct side *s)
{
    size_t n = s->plain.count, at = s->changed, before = MIN(at, w->config.reach);
    double *x = w->scratch;
    memcpy(x, s->rest, at * sizeof *x);
    double low = insight_median(x, before);
    memcpy(x, s->rest + at, (n - at) * sizeof *x);
    double high = insight_median(x, n - at);
    for (size_t i = 0; i + 1 < n; i++) {
        x[i] = fabs(s->rest[i + 1] - s->rest[i]);
    }
    double jumps = 1.4826 * insight_median(x, n - 1) / sqrt(2);
    memcpy(x, s->rest, at * sizeof *x);
    double spread = insight_spread(x, at, low);
    // What is smooth wanders further than its jumps; what has no jumps in most places has some.
    s->noise = fmax(fmax(jumps, spread), 1e-3);
    s->step = (high - low) / s->noise;
}

static bool side_fill(struct work *w, struct side *s, const double *values, size_t start,
                      size_t end)
{
    size_t n = end - start, before = w->changed - start;
    if (!take(values, start, end, s->rest) || !straighten(w, s->rest, n)) {
        return false;
    }
    rank(s->rest, n, w->keys, s->ranks);
    s->plain.count = s->ranked.count = n;
    correlate_side_fill(&s->plain);
    correlate_side_fill(&s->ranked);
    s->changed = own_change(&s->plain, before, w->config.max_lag);
    measure(w, s);
    return true;
}

// --- a pair -------------------------------------------------------------------------------------

// The median of the values that are there.
static double level_of(const struct work *w, const double *x, size_t start, size_t end)
{
    size_t n = 0;
    for (size_t i = start; i < end; i++) {
        if (isfinite(x[i])) {
            w->scratch[n++] = x[i];
        }
    }
    return insight_median(w->scratch, n);
}

static size_t finite_count(const double *x, size_t start, size_t end)
{
    size_t n = 0;
    for (size_t i = start; i < end; i++) {
        n += isfinite(x[i]) != 0;
    }
    return n;
}

// A series that has values on one side of the change only. The nearer to the change it began or ended, the likelier
// it has to do with it.
static bool born_or_died(const struct work *w, const double *x, struct insight_related *r)
{
    size_t lag = w->config.max_lag, start = w->start, end = w->end, at = w->changed;
    size_t first = start, last = end;
    while (first < end && !isfinite(x[first])) {
        first++;
    }
    while (last > first && !isfinite(x[last - 1])) {
        last--;
    }
    bool born = first > start && first < end && first + lag >= at && first <= at + lag &&
                (start == 0 || finite_count(x, 0, start) == 0);
    bool died = last + SILENT_LEAST <= end && last > start && last + lag >= at &&
                last <= at + lag;
    if (born == died || finite_count(x, first, last) * 3 < (last - first) * 2) {
        return false;
    }
    size_t when = born ? first : last;
    r->relation = born ? INSIGHT_BORN : INSIGHT_DIED;
    r->lag = (int)at - (int)when;
    r->changed = when;
    r->score = 0.9 / (1 + 0.1 * abs(r->lag));
    r->before = r->after = NAN;
    *(born ? &r->after : &r->before) = level_of(w, x, first, last);
    return true;
}

// The lag at which both are most alike. A cause comes before its effect: of two alike, the one that leads is taken, and
// following costs more than leading does.
static void best_lag(const struct work *w, struct insight_related *r)
{
    int most = (int)w->config.max_lag;
    double best = -1;
    for (int lag = -most; lag <= most; lag++) {
        double p = correlate_at(w->dot, &w->a.plain, &w->b.plain, lag);
        double s = correlate_at(w->dot, &w->a.ranked, &w->b.ranked, lag);
        double alike = p * s > 0 ? sqrt(p * s) : 0;
        double cost = (lag < 0 ? -0.004 : 0.001) * lag;
        if (alike - cost > best) {
            best = alike - cost;
            r->pearson = p;
            r->spearman = s;
            r->lag = lag;
            r->score = fmax(alike - cost, 0);
        }
    }
}

static void compare_pair(struct work *w, const double *x, struct insight_related *r)
{
    const struct side *b = &w->b;
    best_lag(w, r);
    double clear = b->step * b->step;
    r->score *= clear / (clear + 9); // three spreads count half
    r->step = b->step;
    r->changed = r->start + b->changed;
    size_t at = r->changed;
    r->before = level_of(w, x, MAX(at, r->start + NEAR) - NEAR, at);
    r->after = level_of(w, x, at, MIN(at + NEAR, r->end));
}

static void relate_one(struct work *w, const double *x, struct insight_related *r)
{
    r->start = w->start;
    r->end = w->end;
    if (!born_or_died(w, x, r) && side_fill(w, &w->b, x, w->start, w->end)) {
        compare_pair(w, x, r);
    }
}

static double weight_of(const struct work *w, size_t candidate)
{
    return w->config.weights ? w->config.weights[candidate] : 1;
}

// A candidate that is worth it is judged again between its own changes, where it has some besides the one that
// belongs to the target's.
static int relate_again(struct work *w, const double *x, struct insight_related *r)
{
    AUTO(insight_changes_free) struct insight_changes c = {0};
    if (r->relation != INSIGHT_MOVED) {
        return 0;
    }
    TRY(insight_changes_find(x + w->start, w->end - w->start, &c));
    size_t start = w->start, end = w->end, at = w->changed, near = w->config.max_lag;
    for (size_t i = 0; i < c.count; i++) {
        size_t change = w->start + c.at[i];
        if (change + near + SIDE_LEAST < at) {
            start = change;
        } else if (change > at + near + SIDE_LEAST && change < end) {
            end = change;
        }
    }
    if (start == w->start && end == w->end) {
        return 0;
    }
    struct insight_related again = {
        .candidate = r->candidate, .start = start, .end = end};
    bend_make(w, end - start, at - start);
    if (side_fill(w, &w->a, w->target, start, end) &&
        side_fill(w, &w->b, x, start, end)) {
        compare_pair(w, x, &again);
        again.score *= weight_of(w, r->candidate);
        *r = again;
    }
    return 0;
}

// --- all ----------------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    const struct insight_related *x = a, *y = b;
    int order = (x->score < y->score) - (x->score > y->score);
    return order ? order : (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

// The target's change and what lies between its neighbours.
static int window_find(struct work *w)
{
    AUTO(insight_changes_free) struct insight_changes c = {0};
    size_t lag = w->config.max_lag;
    TRY(insight_changes_find(w->target, w->length, &c));
    if (w->config.changed == SIZE_MAX) {
        FAIL_IF(c.count == 0, ERR_NOT_FOUND, "the series does not change");
        w->config.changed = c.at[c.count - 1];
    }
    w->changed = w->config.changed;
    w->start = w->changed > w->config.reach ? w->changed - w->config.reach : 0;
    w->end = MIN(w->changed + w->config.reach, w->length);
    // The newest steps have no values yet: nobody ended there.
    while (w->end > w->changed && !isfinite(w->target[w->end - 1])) {
        w->end--;
    }
    for (size_t i = 0; i < c.count; i++) {
        if (c.at[i] + lag + SIDE_LEAST < w->changed && c.at[i] > w->start) {
            w->start = c.at[i];
        } else if (c.at[i] > w->changed + lag + SIDE_LEAST && c.at[i] < w->end) {
            w->end = c.at[i];
        }
    }
    FAIL_IF(w->changed < w->start + SIDE_LEAST || w->end < w->changed + 3, ERR_INVALID,
            "too few values beside the change at %zu", w->changed);
    return 0;
}

static int prepare(struct work *w)
{
    const struct insight_relate_config given = w->config;
    FAIL_IF(w->length < LEAST, ERR_INVALID, "a series of %zu values: %d are needed",
            w->length, LEAST);
    FAIL_IF(given.changed != SIZE_MAX && given.changed >= w->length, ERR_INVALID,
            "a change behind the end");
    w->config.reach = MIN(given.reach ? given.reach : REACH, 16000);
    w->config.max_lag = MIN(given.max_lag ? given.max_lag : LAG_MAX, w->config.reach);
    w->config.keep = given.keep ? given.keep : KEEP;
    TRY(work_make(w));
    TRY(window_find(w));
    bend_make(w, w->end - w->start, w->changed - w->start);
    FAIL_IF(!side_fill(w, &w->a, w->target, w->start, w->end), ERR_NOT_FOUND,
            "the series does not change");
    return 0;
}

// Each candidate once, best first.
static int relate_all(struct work *w, const double *const *candidates, size_t count,
                      struct insight_relations *ret)
{
    ret->list = calloc(MAX(count, 1), sizeof *ret->list);
    FAIL_IF(!ret->list, ERR_NOMEM, "relations");
    for (size_t i = 0; i < count; i++) {
        ret->list[i].candidate = i;
        relate_one(w, candidates[i], &ret->list[i]);
        ret->list[i].score *= weight_of(w, i);
    }
    qsort(ret->list, count, sizeof *ret->list, compare);
    return 0;
}

int insight_relate(const double *target, size_t length, const double *const *candidates,
                   size_t count, const struct insight_relate_config *config,
                   struct insight_relations *ret)
{
    AUTO(work_free)
    struct work w = {.config = *config, .target = target, .length = length};
    AUTO(insight_relations_free) struct insight_relations made = {0};
    TRY(prepare(&w));
    TRY(relate_all(&w, candidates, count, &made));
    size_t again = MIN(count, 2 * w.config.keep);
    for (size_t i = 0; i < again; i++) {
        TRY(relate_again(&w, candidates[made.list[i].candidate], &made.list[i]));
    }
    qsort(made.list, again, sizeof *made.list, compare);
    for (made.count = 0; made.count < MIN(count, w.config.keep); made.count++) {
        if (made.list[made.count].score <= 0) {
            break;
        }
    }
    made.changed = w.changed;
    made.start = w.start;
    made.end = w.end;
    *ret = made;
    made = (struct insight_relations){0};
    return 0;
}

void insight_sifted_free(struct insight_sifted *s)
{
    free(s->list);
    *s = (struct insight_sifted){0};
}

static int ascending(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int insight_sift(const double *target, size_t length, const double *const *candidates,
                 size_t count, const struct insight_relate_config *config,
                 struct insight_sifted *ret)
{
    AUTO(work_free)
    struct work w = {.config = *config, .target = target, .length = length};
    AUTO(insight_relations_free) struct insight_relations made = {0};
    TRY(prepare(&w));
    TRY(relate_all(&w, candidates, count, &made));
    size_t kept = MIN(count, 2 * w.config.keep);
    size_t *list = calloc(kept + 1, sizeof *list);
    FAIL_IF(!list, ERR_NOMEM, "relations");
    for (size_t i = 0; i < kept; i++) {
        list[i] = made.list[i].candidate;
    }
    qsort(list, kept, sizeof *list, ascending);
    *ret = (struct insight_sifted){list, kept};
    return 0;
}
