// SPDX-License-Identifier: GPL-3.0-or-later
//
// Joining core points to clusters, whatever holds them. A set is a tree of positions (Galler & Fischer), parent[i] <= i,
// so that a root is its set's least member. A leaf whose core points are one set by now ("whole", which it
// stays) is joined to a point by one near pair, and skipped by points of that set: late in the way nearly
// every pair of leaves is skipped.
#include "insight/density.h"

#include <stdlib.h>

#define AHEAD 24 // points that are fetched before their turn: they lie anywhere

int density_sets_new(struct density_sets *ret, const struct density_job *job,
                     const struct density_points *points)
{
    size_t n = job->points->count;
    *ret = (struct density_sets){.job = job,
                                 .points = *points,
                                 .parents = malloc(n * sizeof *ret->parents),
                                 .numbers = malloc(n * sizeof *ret->numbers),
                                 .point = malloc(job->points->dims * sizeof(double))};
    FAIL_IF(!ret->parents || !ret->numbers || !ret->point, ERR_NOMEM, "sets");
    for (size_t i = 0; i < n; i++) {
        ret->parents[i] = (uint32_t)i;
    }
    return 0;
}

void density_sets_free(struct density_sets *s)
{
    free(s->parents), free(s->numbers), free(s->point);
}

static uint32_t root_of(uint32_t *parents, uint32_t i)
{
    while (parents[i] != i) {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    return i;
}

static uint32_t join(uint32_t *parents, uint32_t a, uint32_t b)
{
    a = root_of(parents, a);
    b = root_of(parents, b);
    uint32_t least = MIN(a, b);
    parents[MAX(a, b)] = least;
    return least;
}

void density_take(const struct density_sets *s, const struct density_leaf *leaf, size_t i,
                  double *ret)
{
    struct near_block block = density_block(s, leaf);
    for (size_t d = 0; d < block.dims; d++) {
        ret[d] = block.values[d * block.stride + i];
    }
}

void density_make_whole(struct density_sets *s, struct density_leaf *leaf)
{
    for (uint32_t i = 1; i < leaf->cores; i++) {
        join(s->parents, leaf->start, leaf->start + i);
    }
    leaf->is_whole = true;
}

static bool is_whole(struct density_sets *s, struct density_leaf *leaf)
{
    if (leaf->is_whole) {
        return true;
    }
    uint32_t root = root_of(s->parents, leaf->start);
    for (uint32_t i = 1; i < leaf->cores; i++) {
        if (root_of(s->parents, leaf->start + i) != root) {
            return false;
        }
    }
    leaf->is_whole = true;
    return true;
}

// Joins the point in s->point to what it is near in the leaf: how many sets became one.
static uint32_t link_point(struct density_sets *s, uint32_t position,
                           const struct density_leaf *leaf)
{
    struct near_query query = {s->point, s->job->limit};
    struct near_block block = density_block(s, leaf);
    uint32_t root = root_of(s->parents, position), joined = 0;
    for (uint32_t from = 0; from < leaf->cores; from += 64) {
        struct near_range range = {from, MIN(from + 64, leaf->cores)};
        uint64_t bits = s->job->kernels->mask(&block, &query, range);
        for (; bits; bits &= bits - 1) {
            uint32_t other = leaf->start + from + (uint32_t)__builtin_ctzll(bits);
            if (s->parents[other] != root && root_of(s->parents, other) != root) {
                root = join(s->parents, root, other);
                joined++;
            }
        }
    }
    return joined;
}

void density_link_within(struct density_sets *s, struct density_leaf *leaf)
{
    // All are sets of their own at first: one less joins make them one.
    uint32_t joined = 0;
    for (uint32_t i = 0; i < leaf->cores && joined + 1 < leaf->cores; i++) {
        density_take(s, leaf, i, s->point);
        joined += link_point(s, leaf->start + i, leaf);
    }
    leaf->is_whole = joined + 1 == leaf->cores;
}

// Two leaves, each of one set: one near pair joins them.
static void link_whole(struct density_sets *s, const struct density_leaf *a,
                       const struct density_leaf *b)
{
    const struct density_leaf *few = a->cores < b->cores ? a : b,
                              *many = few == a ? b : a;
    struct near_query query = {s->point, s->job->limit};
    struct near_range all = {0, many->cores};
    struct near_block block = density_block(s, many);
    for (uint32_t i = 0; i < few->cores; i++) {
        density_take(s, few, i, s->point);
        if (s->job->kernels->count(&block, &query, &all, 1, 1)) {
            join(s->parents, a->start, b->start);
            return;
        }
    }
}

void density_link(struct density_sets *s, struct density_leaf *a, struct density_leaf *b)
{
    if (!a->cores || !b->cores) {
        return;
    }
    bool a_whole = is_whole(s, a), b_whole = is_whole(s, b);
    if (a_whole && b_whole) {
        if (root_of(s->parents, a->start) != root_of(s->parents, b->start)) {
            link_whole(s, a, b);
        }
        return;
    }
    for (uint32_t i = 0; i < a->cores; i++) {
        if (!b_whole ||
            root_of(s->parents, a->start + i) != root_of(s->parents, b->start)) {
            density_take(s, a, i, s->point);
            link_point(s, a->start + i, b);
        }
    }
}

void density_label_cores(struct density_sets *s, const struct density_leaf *leaves,
                         size_t count, struct insight_clusters *ret)
{
    size_t n = s->job->points->count;
    for (size_t k = 0; k < count; k++) {
        for (uint32_t i = leaves[k].start; i < leaves[k].start + leaves[k].cores; i++) {
            if (i + AHEAD < n) {
                __builtin_prefetch(&ret->labels[s->points.order[i + AHEAD]], 1);
                __builtin_prefetch(&ret->core[s->points.order[i + AHEAD]], 1);
            }
            s->parents[i] = root_of(s->parents, i);
            ret->core[s->points.order[i]] = true;
            ret->labels[s->points.order[i]] = (int32_t)s->parents[i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        s->numbers[i] = -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (ret->core[i]) {
            int32_t *number = &s->numbers[ret->labels[i]];
            if (*number < 0) {
                *number = (int32_t)ret->count++;
            }
            ret->labels[i] = *number;
        }
    }
}

int32_t density_least_label(const struct density_sets *s, const struct density_leaf *leaf,
                            const double *point, int32_t best)
{
    if (!leaf->cores || (leaf->is_whole && s->numbers[s->parents[leaf->start]] >= best)) {
        return best;
    }
    struct near_query query = {point, s->job->limit};
    struct near_block block = density_block(s, leaf);
    for (uint32_t from = 0; from < leaf->cores; from += 64) {
        struct near_range range = {from, MIN(from + 64, leaf->cores)};
        uint64_t bits = s->job->kernels->mask(&block, &query, range);
        for (; bits; bits &= bits - 1) {
            uint32_t i = leaf->start + from + (uint32_t)__builtin_ctzll(bits);
            best = MIN(best, s->numbers[s->parents[i]]);
        }
    }
    return best;
}
