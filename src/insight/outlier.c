// SPDX-License-Identifier: GPL-3.0-or-later
//
// Three ways to tell outliers, with one face: points in, scores out. Points are few (a cluster of servers), so distances
// are taken of all pairs.
#include "insight/insight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *insight_method_name(enum insight_method method)
{
    static const char *const names[] = {"dbscan", "mad", "lof"};
    return names[method];
}

static double distance(const struct insight_points *p, size_t a, size_t b)
{
    double sum = 0;
    for (size_t d = 0; d < p->dims; d++) {
        double gap = p->values[a * p->dims + d] - p->values[b * p->dims + d];
        sum += gap * gap;
    }
    return sqrt(sum);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Of each point the distance to its k-th neighbour, itself the first. `row`: room for k numbers.
static void k_distances(const struct insight_points *p, size_t k, double *row,
                        double *ret)
{
    k = MIN(k, p->count);
    for (size_t i = 0; i < p->count; i++) {
        size_t count = 0; // of the nearest so far, sorted
        for (size_t j = 0; j < p->count; j++) {
            double here = distance(p, i, j);
            if (count == k && here >= row[k - 1]) {
                continue;
            }
            size_t at = count < k ? count++ : k - 1;
            for (; at > 0 && row[at - 1] > here; at--) {
                row[at] = row[at - 1];
            }
            row[at] = here;
        }
        ret[i] = row[k - 1];
    }
}

// The value of a rising row farthest below the line from its first to its last.
static double knee(const double *sorted, size_t count)
{
    double first = sorted[0], rise = sorted[count - 1] - first, deepest = 0;
    size_t at = count - 1;
    for (size_t i = 0; i < count; i++) {
        double line = first + rise * (double)i / (double)(count > 1 ? count - 1 : 1);
        if (line - sorted[i] > deepest) {
            deepest = line - sorted[i];
            at = i;
        }
    }
    return sorted[at];
}

int insight_outlier_parameters(const struct insight_points *p, enum insight_method method,
                               double *eps, size_t *min_points)
{
    if (*min_points == 0) {
        *min_points = CLAMP(p->count / 8, (size_t)4, (size_t)12);
    }
    if (*eps > 0) {
        return 0;
    }
    if (method != INSIGHT_DBSCAN) {
        *eps = method == INSIGHT_MAD ? 5 : 2; // what people use
        return 0;
    }
    double *row = malloc(2 * (p->count + 1) * sizeof *row);
    FAIL_IF(!row, ERR_NOMEM, "distances");
    double *all = row + p->count + 1, least = sqrt((double)p->dims);
    if (p->count) {
        k_distances(p, *min_points, row, all);
        qsort(all, p->count, sizeof *all, by_value);
    }
    *eps = p->count ? MAX(knee(all, p->count), least) : least;
    free(row);
    return 0;
}

// Noise, and what is in too small a cluster, is as far out as its way to the nearest core point of a large one.
static int score_by_density(const struct insight_points *p, double eps, size_t min_points,
                            size_t group, double *ret)
{
    AUTO(insight_clusters_free) struct insight_clusters c = {0};
    TRY(insight_dbscan(p, eps, min_points, &c));
    size_t *sizes = calloc(c.count + 1, sizeof *sizes);
    FAIL_IF(!sizes, ERR_NOMEM, "clusters");
    for (size_t i = 0; i < p->count; i++) {
        sizes[c.labels[i] < 0 ? c.count : (size_t)c.labels[i]]++;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (c.labels[i] >= 0 && sizes[c.labels[i]] >= group) {
            ret[i] = 0;
            continue;
        }
        double nearest = INFINITY;
        for (size_t j = 0; j < p->count; j++) {
            if (c.core[j] && sizes[c.labels[j]] >= group) {
                nearest = MIN(nearest, distance(p, i, j));
            }
        }
        // A place without a large cluster has no norm: all are out, which is too many.
        double score = isfinite(nearest) ? nearest / eps : 2;
        ret[i] = MAX(score, nextafter(1, 2));
    }
    free(sizes);
    return 0;
}

// The values are spreads already.
static void score_by_spread(const struct insight_points *p, double threshold, double *ret)
{
    for (size_t i = 0; i < p->count; i++) {
        double most = 0;
        for (size_t d = 0; d < p->dims; d++) {
            most = MAX(most, fabs(p->values[i * p->dims + d]));
        }
        ret[i] = most / threshold;
    }
}

struct lof {
    double *distances; // of all pairs
    double *reach;     // to the k-th neighbour
    double *density;
    double *row;
};

static void lof_free(struct lof *l)
{
    free(l->distances), free(l->reach), free(l->density), free(l->row);
}

// What is nearer than a spread in all is no nearer for that: copies of a point have no endless density.
static double reach_distance(const struct lof *l, size_t n, size_t from, size_t to,
                             double least)
{
    return MAX(MAX(l->distances[from * n + to], l->reach[to]), least);
}

static int score_by_lof(const struct insight_points *p, double threshold, size_t k,
                        double *ret)
{
    size_t n = p->count;
    AUTO(lof_free)
    struct lof l = {malloc((n * n + 1) * sizeof(double)),
                    malloc((n + 1) * sizeof(double)), malloc((n + 1) * sizeof(double)),
                    malloc((n + 1) * sizeof(double))};
    FAIL_IF(!l.distances || !l.reach || !l.density || !l.row, ERR_NOMEM, "distances");
    double least = sqrt((double)p->dims) / 2;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            l.distances[i * n + j] = distance(p, i, j);
        }
    }
    k_distances(p, k + 1, l.row, l.reach);
    for (size_t i = 0; i < n; i++) {
        double sum = 0, count = 0;
        for (size_t j = 0; j < n; j++) {
            if (j != i && l.distances[i * n + j] <= l.reach[i]) {
                sum += reach_distance(&l, n, i, j, least);
                count++;
            }
        }
        l.density[i] = count > 0 ? count / sum : 1 / least;
    }
    for (size_t i = 0; i < n; i++) {
        double sum = 0, count = 0;
        for (size_t j = 0; j < n; j++) {
            if (j != i && l.distances[i * n + j] <= l.reach[i]) {
                sum += l.density[j];
                count++;
            }
        }
        ret[i] = count > 0 ? sum / count / l.density[i] / threshold : 0;
    }
    return 0;
}

int insight_outlier_scores(const struct insight_points *p, enum insight_method method,
                           double eps, size_t min_points, size_t group, double *ret)
{
    switch (method) {
    case INSIGHT_DBSCAN:
        return score_by_density(p, eps, min_points, group, ret);
    case INSIGHT_LOF:
        return score_by_lof(p, eps, min_points, ret);
    case INSIGHT_MAD:
        break;
    }
    score_by_spread(p, eps, ret);
    return 0;
}
