// SPDX-License-Identifier: GPL-3.0-or-later
//
// Mann-Whitney's test and the Hodges-Lehmann shift. Small samples without ties: the exact distribution
// of W and the order statistics of all differences. Otherwise the normal approximation with corrections
// for ties and continuity; the shift is then where the standardised statistic, a step function of the
// shift, crosses the wanted quantile. R finds that root by Brent's method (Brent 1973, chapter 4) to
// within 1e-4, so that only the same method gives the same figures; ours is written from the book.
#include "insight/canary.h"
#include "insight/order.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_BELOW = 50, VALUES_MAX = 1000000 };

struct pair {
    double *x, *y; // sorted
    size_t n, m;
};

static void doubles_free(double **p)
{
    free(*p);
    *p = NULL;
}

static int sorted_copy(struct insight_sample s, double **ret)
{
    FAIL_IF(s.count == 0, ERR_INVALID, "a sample without values");
    FAIL_IF(s.count > VALUES_MAX, ERR_LIMIT, "a sample of over %d values", VALUES_MAX);
    double *copy = calloc(s.count, sizeof *copy);
    FAIL_IF(!copy, ERR_NOMEM, "a sample");
    for (size_t i = 0; i < s.count; i++) {
        copy[i] = s.values[i];
        if (!isfinite(copy[i])) {
            free(copy);
            FAIL(ERR_INVALID, "a value that is not finite");
        }
    }
    insight_sort(copy, s.count);
    *ret = copy;
    return 0;
}

struct standing {
    double w;    // pairs of x - shift above y, ties half
    double ties; // sum of t^3 - t
};

// Both are sorted, and stay so when all of one are moved: one walk gives the ranks.
static struct standing stand(const struct pair *p, double shift)
{
    struct standing s = {0};
    double rank_sum = 0;
    size_t i = 0, j = 0;
    while (i < p->n || j < p->m) {
        double a = i < p->n ? p->x[i] - shift : INFINITY;
        double b = j < p->m ? p->y[j] : INFINITY;
        double v = fmin(a, b);
        size_t i0 = i, j0 = j;
        while (i < p->n && p->x[i] - shift == v) {
            i++;
        }
        while (j < p->m && p->y[j] == v) {
            j++;
        }
        double t = (double)(i - i0 + j - j0);
        rank_sum += (double)(i - i0) * ((double)(i0 + j0) + (t + 1) / 2);
        s.ties += t * t * t - t;
    }
    s.w = rank_sum - (double)p->n * ((double)p->n + 1) / 2;
    return s;
}

enum continuity { PLAIN, CORRECTED };

static double standardised(const struct pair *p, double shift, enum continuity how)
{
    struct standing s = stand(p, shift);
    double n = (double)p->n, m = (double)p->m, all = n + m;
    double off = s.w - n * m / 2;
    double sigma = sqrt(n * m / 12 * (all + 1 - s.ties / (all * (all - 1))));
    double correction = how == PLAIN ? 0 : off > 0 ? 0.5 : off < 0 ? -0.5 : 0;
    return (off - correction) / sigma;
}

// --- the exact distribution -------------------------------------------------------------------

// Of the C(n + m, n) orders, how many have each W, as shares that sum to 1; n m + 1 of them. The largest
// element is either an x, which beats all m, or a y: N(w; n, m) = N(w - m; n - 1, m) + N(w; n, m - 1).
static int exact_shares(size_t n, size_t m, double **ret)
{
    size_t width = n * m + 1;
    AUTO(doubles_free) double *table = calloc((n + 1) * width, sizeof *table);
    double *shares = calloc(width, sizeof *shares);
    if (!table || !shares) {
        free(shares);
        FAIL(ERR_NOMEM, "the distribution of a rank sum");
    }
    for (size_t i = 0; i <= n; i++) {
        table[i * width] = 1;
    }
    for (size_t k = 1; k <= m; k++) {
        for (size_t i = 1; i <= n; i++) {
            double *row = table + i * width, *less = row - width;
            for (size_t w = k; w <= i * k; w++) {
                row[w] += less[w - k];
            }
        }
    }
    double total = 0;
    for (size_t w = 0; w < width; w++) {
        total += table[n * width + w];
    }
    for (size_t w = 0; w < width; w++) {
        shares[w] = table[n * width + w] / total;
    }
    *ret = shares;
    return 0;
}

static double below_or_at(const double *shares, size_t w)
{
    double p = 0;
    for (size_t i = 0; i <= w; i++) {
        p += shares[i];
    }
    return p;
}

static int exact_test(const struct pair *p, double confidence,
                      struct insight_rank_test *ret)
{
    size_t n = p->n, m = p->m, pairs = n * m;
    AUTO(doubles_free)
    double *shares = NULL, *differences = calloc(pairs, sizeof *differences);
    FAIL_IF(!differences, ERR_NOMEM, "the differences of two samples");
    TRY(exact_shares(n, m, &shares));
    size_t w = (size_t)ret->w;
    // The distribution is symmetric: the upper tail is the lower one of the mirrored W.
    double tail = below_or_at(shares, MIN(w, pairs - w));
    ret->p = fmin(2 * tail, 1);
    for (size_t i = 0; i < pairs; i++) {
        differences[i] = p->x[i / m] - p->y[i % m];
    }
    insight_sort(differences, pairs);
    ret->shift = insight_quantile_sorted(differences, pairs, 0.5);
    double want = (1 - confidence) / 2 - 10 * DBL_EPSILON, sum = 0;
    size_t q = 0;
    while ((sum += shares[q]) < want) {
        q++;
    }
    q = MAX(q, 1);
    ret->low = differences[q - 1];
    ret->high = differences[pairs - q];
    ret->confidence = 1 - 2 * below_or_at(shares, q - 1);
    ret->exact = true;
    return 0;
}

// --- roots ------------------------------------------------------------------------------------

struct bracket {
    double at, value; // of the function
};

static double crossing(const struct pair *p, double shift, double level,
                       enum continuity how)
{
    return standardised(p, shift, how) - level;
}

// The step from b: by the parabola through three points or the line through two, where that stays well
// inside the bracket; otherwise half of it.
static double brent_step(struct bracket a, struct bracket b, struct bracket c,
                         double previous, double tolerance)
{
    double half = (c.at - b.at) / 2;
    if (fabs(previous) < tolerance || fabs(a.value) <= fabs(b.value)) {
        return half;
    }
    double p, q, width = c.at - b.at, s = b.value / a.value;
    if (a.at == c.at) {
        p = width * s;
        q = 1 - s;
    } else {
        double r = b.value / c.value;
        q = a.value / c.value;
        p = s * (width * q * (q - r) - (b.at - a.at) * (r - 1));
        q = (q - 1) * (r - 1) * (s - 1);
    }
    if (p > 0) {
        q = -q;
    } else {
        p = -p;
    }
    bool inside =
        p < 0.75 * width * q - fabs(tolerance * q) / 2 && p < fabs(previous * q / 2);
    return inside ? p / q : half;
}

static double brent_root(const struct pair *pair, struct bracket a, struct bracket b,
                         double level, enum continuity how)
{
    const double wanted = 1e-4;
    struct bracket c = a;
    if (a.value == 0) {
        return a.at;
    }
    for (int rounds = 0; rounds <= 1000 && b.value != 0; rounds++) {
        double previous = b.at - a.at;
        if (fabs(c.value) < fabs(b.value)) {
            a = b;
            b = c;
            c = a;
        }
        double tolerance = 2 * DBL_EPSILON * fabs(b.at) + wanted / 2;
        if (fabs((c.at - b.at) / 2) <= tolerance || b.value == 0) {
            break;
        }
        double step = brent_step(a, b, c, previous, tolerance);
        if (fabs(step) < tolerance) {
            step = step > 0 ? tolerance : -tolerance;
        }
        a = b;
        b.at += step;
        b.value = crossing(pair, b.at, level, how);
        if ((b.value > 0) == (c.value > 0) && b.value != 0) {
            c = a;
        }
    }
    return b.at;
}

static double shift_at(const struct pair *p, double level, enum continuity how)
{
    struct bracket low = {.at = p->x[0] - p->y[p->m - 1]};
    struct bracket high = {.at = p->x[p->n - 1] - p->y[0]};
    low.value = crossing(p, low.at, level, how);
    high.value = crossing(p, high.at, level, how);
    if (low.value <= 0) {
        return low.at;
    }
    if (high.value >= 0) {
        return high.at;
    }
    return brent_root(p, low, high, level, how);
}

static void normal_test(const struct pair *p, double confidence,
                        struct insight_rank_test *ret)
{
    double z = fabs(standardised(p, 0, CORRECTED));
    ret->p = fmin(2 * insight_normal_upper(z), 1);
    double level = insight_normal_quantile((1 + confidence) / 2);
    ret->low = shift_at(p, level, CORRECTED);
    ret->high = shift_at(p, -level, CORRECTED);
    ret->shift = shift_at(p, 0, PLAIN);
    ret->confidence = confidence;
}

int insight_rank_test(struct insight_sample first, struct insight_sample second,
                      double confidence, struct insight_rank_test *ret)
{
    FAIL_IF(!(confidence > 0 && confidence < 1), ERR_INVALID,
            "a confidence of %g: it is between 0 and 1", confidence);
    AUTO(doubles_free) double *x = NULL, *y = NULL;
    TRY(sorted_copy(first, &x));
    TRY(sorted_copy(second, &y));
    struct pair p = {x, y, first.count, second.count};
    struct standing s = stand(&p, 0);
    struct insight_rank_test made = {.w = s.w, .p = 1, .confidence = confidence};
    made.effect = 2 * s.w / ((double)p.n * (double)p.m) - 1;
    bool one_value = x[0] == x[p.n - 1] && y[0] == y[p.m - 1] && x[0] == y[0];
    if (s.ties == 0 && p.n < EXACT_BELOW && p.m < EXACT_BELOW) {
        TRY(exact_test(&p, confidence, &made));
    } else if (!one_value) {
        normal_test(&p, confidence, &made);
    }
    *ret = made;
    return 0;
}
