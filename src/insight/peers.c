// SPDX-License-Identifier: GPL-3.0-or-later
//
// One window of a cluster of servers: who can be judged, by which numbers, and who is unlike the others. Each metric is
// put in spreads of the peers around their median, so that milliseconds and percents weigh the same and a
// sick server does not widen the measure that it is held against.
#include "insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESTART_GAP 2   // steps without any value that end a server's age
#define FARTHEST    1e6 // spreads; beyond, far is far

const char *insight_verdict_text(enum insight_verdict verdict)
{
    static const char *const texts[] = {
#define X(name, text) text,
        INSIGHT_VERDICTS(X)
#undef X
    };
    return texts[verdict];
}

int insight_recording_new(struct insight_recording **ret, size_t metrics, size_t servers,
                          size_t steps)
{
    size_t lines, all;
    FAIL_IF(MUL_OVERFLOWS(metrics, servers, &lines) ||
                MUL_OVERFLOWS(lines, steps, &all) || all > SIZE_MAX / 16,
            ERR_LIMIT, "too many values");
    AUTO(insight_recording_free) struct insight_recording *r = calloc(1, sizeof *r);
    FAIL_IF(!r, ERR_NOMEM, "a recording");
    r->metrics = metrics, r->servers = servers, r->steps = steps;
    r->names = calloc(servers + 1, sizeof *r->names);
    r->values = malloc((all + 1) * sizeof *r->values);
    FAIL_IF(!r->names || !r->values, ERR_NOMEM, "%zu values", all);
    for (size_t i = 0; i < all; i++) {
        r->values[i] = NAN;
    }
    *ret = TAKE(r);
    return 0;
}

void insight_recording_free(struct insight_recording **r)
{
    if (*r) {
        for (size_t i = 0; (*r)->names && i < (*r)->servers; i++) {
            free((*r)->names[i]);
        }
        free((*r)->names);
        free((*r)->values);
        free(*r);
        *r = NULL;
    }
}

void insight_look_free(struct insight_look *l)
{
    free(l->states), free(l->scores), free(l->features), free(l->away);
    free(l->middles), free(l->spreads);
    *l = (struct insight_look){0};
}

size_t insight_peers_steps(const struct insight_peers_config *c)
{
    return c->window + c->every * (c->of - 1) + c->warm_up;
}

// --- numbers of a window -------------------------------------------------------------------------

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Of sorted values; between two where `share` falls between them.
static double quantile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t low = (size_t)at, high = MIN(low + 1, count - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (at - (double)low);
}

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

static double deviation(const double *values, size_t count)
{
    double middle = mean(values, count), sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (values[i] - middle) * (values[i] - middle);
    }
    return sqrt(sum / (double)count);
}

// The room that a window's pairs need, for slopes.
struct scratch {
    double *values, *times, *slopes;
};

static void scratch_free(struct scratch *s)
{
    free(s->values), free(s->times), free(s->slopes);
}

static double slope(const struct scratch *s, size_t count, size_t window)
{
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            s->slopes[pairs++] =
                (s->values[j] - s->values[i]) / (s->times[j] - s->times[i]);
        }
    }
    if (pairs == 0) {
        return 0;
    }
    qsort(s->slopes, pairs, sizeof *s->slopes, by_value);
    return quantile(s->slopes, pairs, 0.5) * (double)window;
}

static double statistic_of(enum insight_statistic statistic, const struct scratch *s,
                           size_t count, size_t window)
{
    switch (statistic) {
    case INSIGHT_STATISTIC_MEAN:
        return mean(s->values, count);
    case INSIGHT_STATISTIC_DEVIATION:
        return deviation(s->values, count);
    case INSIGHT_STATISTIC_SLOPE:
        return slope(s, count, window);
    case INSIGHT_STATISTIC_MEDIAN:
    case INSIGHT_STATISTIC_MIN:
    case INSIGHT_STATISTIC_MAX:
        break;
    }
    qsort(s->values, count, sizeof *s->values, by_value);
    return statistic == INSIGHT_STATISTIC_MIN   ? s->values[0]
           : statistic == INSIGHT_STATISTIC_MAX ? s->values[count - 1]
                                                : quantile(s->values, count, 0.5);
}

// --- who can be judged ----------------------------------------------------------------------------

static bool reports_at(const struct insight_recording *r, size_t server, size_t step)
{
    for (size_t m = 0; m < r->metrics; m++) {
        if (!isnan(insight_recording_at(r, m, server)[step])) {
            return true;
        }
    }
    return false;
}

// Steps for which the server has reported without a restart, up to `end` and no more than `most`.
static size_t age_at(const struct insight_recording *r, size_t server, size_t end,
                     size_t most)
{
    size_t age = 0, gap = 0;
    for (size_t step = end; step-- > 0 && age + gap < most;) {
        if (reports_at(r, server, step)) {
            age += gap + 1;
            gap = 0;
        } else if (++gap >= RESTART_GAP) {
            break;
        }
    }
    return age;
}

static size_t values_in(const struct insight_recording *r, size_t metric, size_t server,
                        size_t start, size_t end)
{
    size_t count = 0;
    const double *values = insight_recording_at(r, metric, server);
    for (size_t t = start; t < end; t++) {
        count += isnan(values[t]) ? 0 : 1;
    }
    return count;
}

static enum insight_state state_of(const struct insight_peers_config *c,
                                   const struct insight_recording *r, size_t server,
                                   size_t end)
{
    size_t start = end - c->window;
    bool silent = true;
    for (size_t t = end; t-- > start && t + RESTART_GAP >= end;) {
        silent = silent && !reports_at(r, server, t);
    }
    if (silent) {
        return INSIGHT_SILENT;
    }
    // What the recording does not reach back to is held to be there.
    size_t known = MIN(end, c->warm_up + c->window);
    if (age_at(r, server, end, known) + RESTART_GAP <= known) {
        return INSIGHT_YOUNG;
    }
    for (size_t m = 0; m < r->metrics; m++) {
        if (values_in(r, m, server, start, end) * 100 <
            c->window * (size_t)c->coverage_percent) {
            return INSIGHT_SPARSE;
        }
    }
    return INSIGHT_LIKE_PEERS;
}

// --- features ----------------------------------------------------------------------------------------

static double feature_of(const struct insight_metric *metric, const double *values,
                         size_t window, const struct scratch *s)
{
    size_t count = 0;
    for (size_t t = 0; t < window; t++) {
        double v = values[t];
        if (isnan(v)) {
            continue;
        }
        s->times[count] = (double)t;
        // A ratio to nothing: as to the smallest that a double can tell from it in a product.
        s->values[count++] = metric->is_ratio ? log(MAX(v, 1e-12)) : v;
    }
    return statistic_of(metric->statistic, s, count, window);
}

static int take_features(const struct insight_peers_config *c,
                         const struct insight_recording *r, struct insight_look *look)
{
    AUTO(scratch_free)
    struct scratch s = {malloc(c->window * sizeof(double)),
                        malloc(c->window * sizeof(double)),
                        malloc((c->window * c->window / 2 + 1) * sizeof(double))};
    FAIL_IF(!s.values || !s.times || !s.slopes, ERR_NOMEM, "a window");
    for (size_t i = 0; i < look->servers; i++) {
        for (size_t m = 0; m < look->metrics; m++) {
            const double *values = insight_recording_at(r, m, i) + look->end - c->window;
            look->features[i * look->metrics + m] =
                look->states[i] == INSIGHT_LIKE_PEERS
                    ? feature_of(&c->metrics[m], values, c->window, &s)
                    : NAN;
        }
    }
    return 0;
}

// The median, and the wider of what MAD and quartiles say of the spread. Where over half of the peers are equal both
// are 0, and the mean distance stands for them; where all are equal nobody is out.
static void measure(const double *sorted, double *scratch, size_t count, double least,
                    double *ret_middle, double *ret_spread)
{
    double middle = quantile(sorted, count, 0.5), sum = 0;
    for (size_t i = 0; i < count; i++) {
        scratch[i] = fabs(sorted[i] - middle);
        sum += scratch[i];
    }
    qsort(scratch, count, sizeof *scratch, by_value);
    double mad = 1.4826 * quantile(scratch, count, 0.5);
    double quartiles =
        (quantile(sorted, count, 0.75) - quantile(sorted, count, 0.25)) / 1.349;
    double spread = MAX(MAX(mad, quartiles), least);
    *ret_middle = middle;
    *ret_spread = spread > 0 ? spread : sum / (double)count;
}

static double away_from(const struct insight_metric *metric, double value, double middle,
                        double spread)
{
    double away = spread > 0 ? (value - middle) / spread : 0;
    away = CLAMP(away, -FARTHEST, FARTHEST);
    return metric->side == INSIGHT_ABOVE   ? MAX(away, 0)
           : metric->side == INSIGHT_BELOW ? MIN(away, 0)
                                           : away;
}

static int scale(const struct insight_peers_config *c, struct insight_look *look)
{
    double *column = malloc(2 * look->servers * sizeof *column);
    FAIL_IF(!column, ERR_NOMEM, "features");
    for (size_t m = 0; m < look->metrics; m++) {
        size_t count = 0;
        for (size_t i = 0; i < look->servers; i++) {
            if (look->states[i] == INSIGHT_LIKE_PEERS) {
                column[count++] = look->features[i * look->metrics + m];
            }
        }
        qsort(column, count, sizeof *column, by_value);
        measure(column, column + look->servers, count, c->metrics[m].least,
                &look->middles[m], &look->spreads[m]);
        for (size_t i = 0; i < look->servers; i++) {
            size_t at = i * look->metrics + m;
            look->away[at] = isnan(look->features[at])
                                 ? NAN
                                 : away_from(&c->metrics[m], look->features[at],
                                             look->middles[m], look->spreads[m]);
        }
    }
    free(column);
    return 0;
}

// --- outliers --------------------------------------------------------------------------------------------

static enum insight_verdict verdict_of(const struct insight_peers_config *c,
                                       const struct insight_look *look)
{
    // One in a small cluster is never too many.
    size_t most = MAX(look->judged * (size_t)c->most_percent / 100, 1);
    return look->outliers > most ? INSIGHT_VERDICT_TOO_MANY : INSIGHT_VERDICT_JUDGED;
}

static bool is_judged(const struct insight_look *look, size_t server)
{
    return look->states[server] <= INSIGHT_OUTLIER;
}

int insight_look_score(const struct insight_peers_config *c, struct insight_look *look)
{
    if (look->verdict == INSIGHT_VERDICT_STALE ||
        look->verdict == INSIGHT_VERDICT_TOO_FEW) {
        return 0;
    }
    size_t n = look->judged, row = look->metrics;
    double *points = malloc((n * row + n) * sizeof *points);
    FAIL_IF(!points, ERR_NOMEM, "points");
    double *scores = points + n * row;
    size_t at = 0;
    for (size_t i = 0; i < look->servers; i++) {
        if (is_judged(look, i)) {
            memcpy(points + at++ * row, look->away + i * row, row * sizeof *points);
        }
    }
    struct insight_points p = {points, n, row};
    look->eps = c->eps, look->min_points = c->min_points, look->outliers = 0;
    size_t group = MAX((n * (size_t)c->group_percent + 99) / 100, 2);
    int err = insight_outlier_parameters(&p, c->method, &look->eps, &look->min_points);
    if (err >= 0) {
        err = insight_outlier_scores(&p, c->method, look->eps, look->min_points, group,
                                     scores);
    }
    at = 0;
    for (size_t i = 0; i < look->servers && err >= 0; i++) {
        if (is_judged(look, i)) {
            look->scores[i] = scores[at++];
            look->states[i] = look->scores[i] > 1 ? INSIGHT_OUTLIER : INSIGHT_LIKE_PEERS;
            look->outliers += look->scores[i] > 1;
        }
    }
    free(points);
    look->verdict = verdict_of(c, look);
    return err;
}

static int make_look(const struct insight_recording *r, size_t end,
                     struct insight_look *look)
{
    size_t n = r->servers + 1, m = r->metrics + 1;
    *look = (struct insight_look){.end = end,
                                  .servers = r->servers,
                                  .metrics = r->metrics,
                                  .states = calloc(n, sizeof *look->states),
                                  .scores = malloc(n * sizeof(double)),
                                  .features = malloc(n * m * sizeof(double)),
                                  .away = malloc(n * m * sizeof(double)),
                                  .middles = calloc(m, sizeof(double)),
                                  .spreads = calloc(m, sizeof(double))};
    FAIL_IF(!look->states || !look->scores || !look->features || !look->away ||
                !look->middles || !look->spreads,
            ERR_NOMEM, "a look");
    for (size_t i = 0; i < n * m; i++) {
        look->features[i] = look->away[i] = NAN;
    }
    for (size_t i = 0; i < n; i++) {
        look->scores[i] = NAN;
    }
    return 0;
}

static int look_at(const struct insight_peers_config *c,
                   const struct insight_recording *r, struct insight_look *look)
{
    for (size_t i = 0; i < r->servers; i++) {
        look->states[i] = state_of(c, r, i, look->end);
        look->judged += look->states[i] == INSIGHT_LIKE_PEERS;
        look->reporting += look->states[i] != INSIGHT_SILENT;
    }
    if (look->reporting * 2 < r->servers) {
        look->verdict = INSIGHT_VERDICT_STALE;
        return 0;
    }
    if (look->judged < c->min_peers) {
        look->verdict = INSIGHT_VERDICT_TOO_FEW;
        return 0;
    }
    TRY(take_features(c, r, look));
    TRY(scale(c, look));
    return insight_look_score(c, look);
}

int insight_peers_look(const struct insight_peers_config *c,
                       const struct insight_recording *r, size_t end,
                       struct insight_look *ret)
{
    FAIL_IF(end > r->steps || end < c->window || r->metrics != c->metric_count,
            ERR_INVALID, "the window is not within the recording");
    AUTO(insight_look_free) struct insight_look look = {0};
    TRY(make_look(r, end, &look));
    TRY(look_at(c, r, &look));
    *ret = look;
    look = (struct insight_look){0};
    return 0;
}
