// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changes as a person would mark them, with one set of parameters. A stretch is level or a line, and a change
// must pay for two things: for what noise alone would win, log n times its variance as in any information criterion;
// and for being seen at all, a share of how much the whole series moves. The second is what the first lacks on real
// series, whose values hang together: any drift is a thousand changes to a criterion that counts on white noise.
// How much a series moves is between its variance and that about its own line, so that a steady trend hides nothing.
// The constants: docs/adr/0056.
#include "insight/order.h"
#include "insight/segment.h"

#include <math.h>
#include <stdlib.h>

enum { MIN_LENGTH = 3, WHOLE_MAX = 20000 };
static const double seen_share = 0.03, noise_price = 5, tilt_share = 0.4;

static void doubles_free(double **p)
{
    free(*p);
    *p = NULL;
}

// Missing values are the one before them, or the first there is. False: there is none.
static bool fill(const double *values, size_t count, double *ret)
{
    double last = NAN;
    for (size_t i = 0; i < count && isnan(last); i++) {
        last = isfinite(values[i]) ? values[i] : NAN;
    }
    for (size_t i = 0; i < count; i++) {
        last = isfinite(values[i]) ? values[i] : last;
        ret[i] = last;
    }
    return count > 0 && isfinite(last);
}

// To mean 0 and variance 1. False: all values are one.
static bool standardise(double *x, size_t n)
{
    double most = 0, mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(x[i]));
    }
    if (most == 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] /= most; // no square overflows
        mean += (x[i] - mean) / (double)(i + 1);
    }
    for (size_t i = 0; i < n; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    double deviation = sqrt(squares / (double)(n - 1));
    if (!(deviation > 1e-12)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = (x[i] - mean) / deviation;
    }
    return true;
}

// Of values of mean 0.
static double variance_about_line(const double *x, size_t n)
{
    double tilt = 0, width = 0, squares = 0, middle = (double)(n - 1) / 2;
    for (size_t i = 0; i < n; i++) {
        double at = (double)i - middle;
        tilt += at * x[i];
        width += at * at;
        squares += x[i] * x[i];
    }
    return fmax(squares - tilt * tilt / width, 0) / (double)n;
}

// Of one value to the next: steps and drifts are in few differences, noise is in all.
static double noise_variance(const double *x, size_t n, double *scratch)
{
    for (size_t i = 0; i + 1 < n; i++) {
        scratch[i] = x[i + 1] - x[i];
    }
    double center = insight_median(scratch, n - 1);
    double spread = insight_spread(scratch, n - 1, center);
    return spread * spread / 2;
}

static int find_standard(const double *x, size_t n, struct insight_changes *ret)
{
    AUTO(doubles_free) double *scratch = calloc(n, sizeof *scratch);
    FAIL_IF(!scratch, ERR_NOMEM, "differences");
    double noise = noise_variance(x, n, scratch);
    double moves = sqrt(variance_about_line(x, n));
    struct insight_segmenting how = {.cost = INSIGHT_COST_LEVEL_OR_LINE,
                                     .min_length = MIN_LENGTH};
    how.penalty = seen_share * (double)n * moves + noise_price * log((double)n) * noise;
    how.penalty = fmax(how.penalty, 1e-6);
    how.tilt = tilt_share * how.penalty;
    return insight_pelt(x, n, &how, ret);
}

// A series too long for all pairs of places: its means of `block` values are searched, and each change found is put
// where it splits best between its neighbours, not further off than the block and those beside it.
static int find_long(const double *x, size_t n, struct insight_changes *ret)
{
    size_t block = (n + WHOLE_MAX - 1) / WHOLE_MAX, blocks = n / block;
    AUTO(doubles_free) double *means = calloc(blocks, sizeof *means);
    FAIL_IF(!means, ERR_NOMEM, "means of blocks");
    for (size_t i = 0; i < blocks * block; i++) {
        means[i / block] += x[i] / (double)block;
    }
    AUTO(segment_sums_free) struct segment_sums sums = {0};
    struct insight_segmenting how = {.cost = INSIGHT_COST_LINE, .penalty = 1};
    TRY(segment_sums_make(x, n, &how, &sums));
    TRY(find_standard(means, blocks, ret));
    for (size_t i = 0; i < ret->count; i++) {
        size_t start = i ? ret->at[i - 1] : 0, middle = ret->at[i] * block;
        size_t end = i + 1 < ret->count ? ret->at[i + 1] * block : n;
        size_t low = MAX(start + 2, middle - block), high = MIN(end - 2, middle + block);
        double least = INFINITY;
        for (size_t at = low; at <= high; at++) {
            double cost = segment_cost(&sums, start, at) + segment_cost(&sums, at, end);
            if (cost < least) {
                least = cost;
                ret->at[i] = at;
            }
        }
    }
    return 0;
}

int insight_changes_find(const double *values, size_t count, struct insight_changes *ret)
{
    AUTO(insight_changes_free) struct insight_changes made = {0};
    AUTO(doubles_free) double *x = calloc(MAX(count, 1), sizeof *x);
    made.at = calloc(1, sizeof *made.at);
    FAIL_IF(!x || !made.at, ERR_NOMEM, "a series");
    if (count >= 2 * MIN_LENGTH && fill(values, count, x) && standardise(x, count)) {
        insight_changes_free(&made);
        TRY(count > WHOLE_MAX ? find_long(x, count, &made)
                              : find_standard(x, count, &made));
    }
    *ret = made;
    made = (struct insight_changes){0};
    return 0;
}
