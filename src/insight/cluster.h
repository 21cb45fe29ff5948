// SPDX-License-Identifier: GPL-3.0-or-later
//
// Density clustering: DBSCAN (Ester, Kriegel, Sander and Xu, KDD 1996), and the table of points that it is given.
// What it says of servers is made in peers.h.
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
    // One a point: 0.. in the order of each cluster's first core point, or noise.
    int32_t *labels;
    bool *core;   // one a point: has min_points within eps, itself counted
    size_t count; // of clusters
    size_t noise; // of points
};
void insight_clusters_free(struct insight_clusters *);
// Euclidean distance, <= eps is near. Exact: two points are near where the squares of their differences, added in
// doubles in the order of the dimensions, are at most eps * eps. A border point goes to the first of the
// clusters that reach it, so that labels are scikit-learn's own. ERR_INVALID: a value that is not finite, eps not
// above 0, min_points 0, no dimensions; ERR_LIMIT: over INT32_MAX points.
int insight_dbscan(const struct insight_points *, double eps, size_t min_points,
                   struct insight_clusters *ret);

// Points as people keep them: numbers with commas between, a point a line, no header; empty lines at the end are
// none.
struct insight_table {
    double *values;
    size_t count, dims;
};
#define INSIGHT_TABLE_MAX_BYTES  (INT64_C(4) << 30)
#define INSIGHT_TABLE_MAX_DIMS   4096
#define INSIGHT_TABLE_MAX_VALUES (UINT64_C(1) << 28)
void insight_table_free(struct insight_table *);
// ERR_INVALID with "file:line: …": no number, not finite, more or fewer numbers than the first line has;
// ERR_LIMIT: over a limit from above. `file` is only a name.
int insight_table_parse(struct str text, const char *file, struct insight_table *ret);
int insight_table_read(const char *file, struct insight_table *ret);

#endif
