// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ester, Kriegel, Sander, Xu: A Density-Based Algorithm for Discovering Clusters (KDD 1996). What is near is one
// sum of squares in doubles (cluster.h). Rounding is monotone, so a bound that is made of the same
// operations in the same order on the edges of a box bounds every sum of points in that box: what is
// skipped by such a bound is skipped exactly, and no distance is ever taken anew.
#include "insight/density.h"

#include <math.h>
#include <stdlib.h>

void insight_clusters_free(struct insight_clusters *c)
{
    free(c->labels);
    free(c->core);
    *c = (struct insight_clusters){0};
}

static int check(const struct insight_points *p, double eps, size_t min_points)
{
    FAIL_IF(!(eps > 0) || !isfinite(eps), ERR_INVALID, "eps is not a number above 0");
    FAIL_IF(min_points == 0, ERR_INVALID, "min-points is not above 0");
    FAIL_IF(p->dims == 0 && p->count, ERR_INVALID, "the points have no dimensions");
    FAIL_IF(p->count >= INT32_MAX, ERR_LIMIT, "over %d points", INT32_MAX - 1);
    size_t all;
    FAIL_IF(MUL_OVERFLOWS(p->count, p->dims, &all), ERR_LIMIT, "too many values");
    for (size_t i = 0; i < all; i++) {
        FAIL_IF(!isfinite(p->values[i]), ERR_INVALID,
                "value %zu of point %zu is not finite", i % p->dims, i / p->dims);
    }
    return 0;
}

int insight_dbscan(const struct insight_points *points, double eps, size_t min_points,
                   struct insight_clusters *ret)
{
    TRY(check(points, eps, min_points));
    AUTO(insight_clusters_free)
    struct insight_clusters made = {.labels =
                                        malloc((points->count + 1) * sizeof *made.labels),
                                    .core = calloc(points->count + 1, sizeof *made.core)};
    FAIL_IF(!made.labels || !made.core, ERR_NOMEM, "clusters");
    for (size_t i = 0; i < points->count; i++) {
        made.labels[i] = INSIGHT_NOISE;
    }
    struct density_job job = {.points = points,
                              .eps = eps,
                              .limit = eps * eps,
                              .min_points = min_points,
                              .kernels = near_best()};
    if (points->count) {
        TRY(density_grid_fits(&job) ? density_grid(&job, &made)
                                    : density_tree(&job, &made));
    }
    for (size_t i = 0; i < points->count; i++) {
        made.noise += made.labels[i] == INSIGHT_NOISE;
    }
    *ret = made;
    made = (struct insight_clusters){0};
    return 0;
}
