// SPDX-License-Identifier: GPL-3.0-or-later
//
// The two ways of clustering by density. Both find the same; the entry (dbscan.c) chooses. Private to the room.
#ifndef INSIGHT_DENSITY_H
#define INSIGHT_DENSITY_H

#include "insight/cluster.h"
#include "insight/near.h"

#define DENSITY_GRID_MAX_DIMS 3

struct density_job {
    const struct insight_points *points;
    double eps;
    double limit; // eps * eps: of the squared distance, included
    size_t min_points;
    const struct near_kernels *kernels;
    double lows[DENSITY_GRID_MAX_DIMS],
        highs[DENSITY_GRID_MAX_DIMS]; // density_grid_fits'
};

// What they fill in: labels (noise everywhere at first), core, count; noise is the entry's.

// Whether a grid can be laid over these points; to be asked before density_grid.
bool density_grid_fits(struct density_job *);
int density_grid(const struct density_job *, struct insight_clusters *ret);
int density_tree(const struct density_job *, struct insight_clusters *ret);

// Points that lie together in one block, the core points in front once they are known. Positions count the points of
// all leaves in their order.
struct density_leaf {
    uint32_t start, count, cores;
    bool is_whole; // its core points are of one set, as they then stay
};

struct density_points {
    const uint32_t *order; // by position: which point it is
    const double *values;  // by position: a block of all points, or one of each leaf
    size_t stride;         // of the block of all; 0: each leaf has its own
};

struct density_sets {
    const struct density_job *job;
    struct density_points points;
    uint32_t *parents; // by position
    int32_t *numbers;  // by set: its cluster
    double *point;     // room for one
};
int density_sets_new(struct density_sets *ret, const struct density_job *,
                     const struct density_points *);
void density_sets_free(struct density_sets *);

// Point i of the leaf's block.
void density_take(const struct density_sets *, const struct density_leaf *, size_t i,
                  double *ret);
// Here, for the loops over leaves ask it.
static inline struct near_block density_block(const struct density_sets *s,
                                              const struct density_leaf *leaf)
{
    size_t stride = s->points.stride, dims = s->job->points->dims;
    return stride ? (struct near_block){s->points.values + leaf->start, stride, dims}
                  : (struct near_block){s->points.values + leaf->start * dims,
                                        leaf->count, dims};
}

// All core points of one set. Known of itself where the leaf is small enough.
void density_make_whole(struct density_sets *, struct density_leaf *);
// Joins core points of one leaf that are near each other. The leaf was joined to nothing before.
void density_link_within(struct density_sets *, struct density_leaf *);
// The same of two leaves.
void density_link(struct density_sets *, struct density_leaf *, struct density_leaf *);
// Core points get their labels: clusters are numbered by their first core point.
void density_label_cores(struct density_sets *, const struct density_leaf *,
                         size_t leaves, struct insight_clusters *);
// The least label, under `best`, of a core point of the leaf that is near; or `best`.
int32_t density_least_label(const struct density_sets *, const struct density_leaf *,
                            const double *point, int32_t best);

#endif
