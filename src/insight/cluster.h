// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who is unlike their peers: density clustering (DBSCAN, Ester et al. 1996) over windows of series of one
// cluster of servers, with what Netflix built on it ("Tracking down the villains", 2015): eps by
// annealing towards the number of outliers that the owner states, and persistence over windows.
#ifndef INSIGHT_CLUSTER_H
#define INSIGHT_CLUSTER_H

#include "base/base.h"

// `count` points of `dims` numbers each, row by row. Borrowed.
struct insight_points {
    const double *values;
    size_t count, dims;
};

#define INSIGHT_NOISE (-1)

struct insight_clusters {
    int32_t *
        labels; // one a point: 0.. in the order of each cluster's first core point, or noise
    bool *core;   // one a point: has min_points within eps, itself counted
    size_t count; // of clusters
    size_t noise; // of points
};
void insight_clusters_free(struct insight_clusters *);
// Euclidean distance, <= eps is near. Exact: core and noise sets are those of the definition; a border point goes
// to the cluster of the first core point (in the order of points) that reaches it. ERR_INVALID: a value that is
// not finite, eps not above 0.
int insight_dbscan(const struct insight_points *, double eps, size_t min_points,
                   struct insight_clusters *ret);

#endif
