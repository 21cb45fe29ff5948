// SPDX-License-Identifier: GPL-3.0-or-later
//
// Few dimensions: a grid of cells, kept in the order of their keys,
//
//     key = z | y | x      a field each, x lowest, every coordinate `reach` above its true one
//
// so that those within reach of a cell are runs, one a row: key + row + [-reach, reach]. As cells are visited in order
// each row's run only moves forward: no table of cells, and memory does not depend on how far points are apart.
//
// Cells of side eps have the fewest neighbours (reach 1). Where they hold very many points, cells are made so small that
// all points of one are near each other (reach 2, after Gunawan 2013): a cell with min_points is core
// throughout and one set.
//
// Sides are a millionth larger or smaller than that. A coordinate is rounded by less than 2^-30 of a cell (there are
// fewer than 2^20 in a row), so that what lies behind the reach is beyond eps, and a small cell's diagonal
// below it, whatever is rounded.
#include "insight/density.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REACH 2
#define OFFSETS   (2 * MAX_REACH + 1)
#define MAX_ROWS  (OFFSETS * OFFSETS)
#define MAX_SIDE  (1 << 20)
#define MANY      64 // points a cell, in the mean
#define AHEAD     24 // points that are fetched before their turn

#define DIGIT_BITS 11
#define DIGIT_MASK ((1 << DIGIT_BITS) - 1)
#define DIGITS     ((64 + DIGIT_BITS - 1) / DIGIT_BITS)

struct row {
    int offset[DENSITY_GRID_MAX_DIMS]; // of y and z; x is a run
    uint64_t low, high;                // added to a key: the run's ends, both included
};

struct grid {
    const struct density_job *job;
    size_t n, dims, cells;
    unsigned reach;
    double origin[DENSITY_GRID_MAX_DIMS], per_unit; // cell = (value - origin) * per_unit
    unsigned shift[DENSITY_GRID_MAX_DIMS], bits;
    struct row rows[MAX_ROWS]; // near ones first
    size_t row_count;
    // By position: points sorted by cell, in a cell the core points first.
    double *values; // dimension by dimension
    uint32_t *order;
    // By cell; one more at the end.
    uint64_t *keys;
    struct density_leaf *leaves;
    struct near_block block; // of all points
    struct density_sets sets;
};

// Points to be sorted: key << point_bits | point, so that one costs eight bytes.
struct sorting {
    uint64_t *list, *spare;
    unsigned point_bits;
    uint32_t (*counts)[1 << DIGIT_BITS]; // of each digit's values
};

// Where each row's run begins, for the cell that is visited.
struct sweep {
    uint32_t at[MAX_ROWS];
};

static void grid_free(struct grid *g)
{
    free(g->values), free(g->order), free(g->keys), free(g->leaves);
    density_sets_free(&g->sets);
}

static void measure(struct density_job *job)
{
    const struct insight_points *p = job->points;
    for (size_t d = 0; d < p->dims; d++) {
        job->lows[d] = job->highs[d] = p->values[d];
    }
    for (size_t i = 1; i < p->count; i++) {
        for (size_t d = 0; d < p->dims; d++) {
            double v = p->values[i * p->dims + d];
            job->lows[d] = MIN(job->lows[d], v);
            job->highs[d] = MAX(job->highs[d], v);
        }
    }
}

static double cells_per_unit(const struct density_job *job, unsigned reach)
{
    double side = reach == 1 ? job->eps * (1 + 1e-6)
                             : job->eps / sqrt((double)job->points->dims) * (1 - 1e-6);
    return 1 / side;
}

static unsigned bits_of(uint64_t most)
{
    return 64 - (unsigned)__builtin_clzll(most);
}

// The largest coordinate in a field of keys.
static uint64_t side_of(double cells, unsigned reach)
{
    return (uint64_t)cells + 1 + (uint64_t)2 * reach;
}

bool density_grid_fits(struct density_job *job)
{
    // Far from where squares or quotients would be lost.
    if (job->points->dims > DENSITY_GRID_MAX_DIMS || job->eps < 1e-100 ||
        job->eps > 1e100) {
        return false;
    }
    measure(job);
    unsigned bits = bits_of(job->points->count);
    for (size_t d = 0; d < job->points->dims; d++) {
        double side = (job->highs[d] - job->lows[d]) * cells_per_unit(job, MAX_REACH);
        if (!(side < MAX_SIDE - 2 * OFFSETS)) {
            return false;
        }
        bits += bits_of(side_of(side, MAX_REACH));
    }
    return bits <= 64; // a point and its key are sorted as one number
}

static int by_nearness(const void *a, const void *b)
{
    const int *x = ((const struct row *)a)->offset, *y = ((const struct row *)b)->offset;
    int way_x = x[1] * x[1] + x[2] * x[2], way_y = y[1] * y[1] + y[2] * y[2];
    return (way_x > way_y) - (way_x < way_y);
}

static void lay(struct grid *g, unsigned reach)
{
    g->reach = reach;
    g->per_unit = cells_per_unit(g->job, reach);
    g->bits = 0;
    g->row_count = 0;
    for (size_t d = 0; d < g->dims; d++) {
        g->origin[d] = g->job->lows[d];
        g->shift[d] = g->bits;
        g->bits +=
            bits_of(side_of((g->job->highs[d] - g->origin[d]) * g->per_unit, reach));
    }
    int reach_y = g->dims > 1 ? (int)reach : 0, reach_z = g->dims > 2 ? (int)reach : 0;
    for (int z = -reach_z; z <= reach_z; z++) {
        for (int y = -reach_y; y <= reach_y; y++) {
            uint64_t row = (g->dims > 2 ? (uint64_t)(int64_t)z << g->shift[2] : 0) +
                           (g->dims > 1 ? (uint64_t)(int64_t)y << g->shift[1] : 0);
            g->rows[g->row_count++] = (struct row){{0, y, z}, row - reach, row + reach};
        }
    }
    qsort(g->rows, g->row_count, sizeof *g->rows, by_nearness);
}

static uint64_t key_of(const struct grid *g, const double *point)
{
    uint64_t key = 0;
    for (size_t d = 0; d < g->dims; d++) {
        uint64_t cell = (uint64_t)((point[d] - g->origin[d]) * g->per_unit);
        key |= (cell + g->reach) << g->shift[d];
    }
    return key;
}

static void count_cells(struct grid *g, const struct sorting *s)
{
    g->cells = 1;
    for (size_t i = 1; i < g->n; i++) {
        g->cells += s->list[i] >> s->point_bits != s->list[i - 1] >> s->point_bits;
    }
}

// The order takes the memory of the list that is spare.
static int fill_positions(struct grid *g, struct sorting *s)
{
    const struct insight_points *p = g->job->points;
    uint64_t point_mask = ((uint64_t)1 << s->point_bits) - 1;
    g->values = malloc((g->n * g->dims + NEAR_SLACK) * sizeof *g->values);
    g->keys = malloc((g->cells + 1) * sizeof *g->keys);
    g->leaves = malloc((g->cells + 1) * sizeof *g->leaves);
    FAIL_IF(!g->values || !g->keys || !g->leaves, ERR_NOMEM, "cells");
    g->order = (void *)TAKE(s->spare);
    struct density_leaf *leaf = g->leaves - 1;
    uint64_t leaf_key = 0;
    for (size_t i = 0; i < g->n; i++) {
        uint64_t key = s->list[i] >> s->point_bits;
        if (i == 0 || key != leaf_key) {
            leaf_key = g->keys[++leaf - g->leaves] = key;
            *leaf = (struct density_leaf){.start = (uint32_t)i};
        }
        leaf->count++;
        g->order[i] = (uint32_t)(s->list[i] & point_mask);
        if (i + AHEAD < g->n) { // points lie anywhere
            const double *ahead = p->values + (s->list[i + AHEAD] & point_mask) * g->dims;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + g->dims - 1);
        }
        const double *point = p->values + (size_t)g->order[i] * g->dims;
        for (size_t d = 0; d < g->dims; d++) {
            g->values[d * g->n + i] = point[d];
        }
    }
    memset(g->values + g->n * g->dims, 0, NEAR_SLACK * sizeof *g->values);
    g->keys[g->cells] = UINT64_MAX;
    g->leaves[g->cells] = (struct density_leaf){.start = (uint32_t)g->n};
    g->block = (struct near_block){g->values, g->n, g->dims};
    return density_sets_new(&g->sets, g->job,
                            &(struct density_points){g->order, g->values, g->n});
}

// A digit at a time, the least first. The digits were counted while the keys were made.
static void radix_sort(struct sorting *s, size_t n, unsigned digits)
{
    for (unsigned digit = 0; digit < digits; digit++) {
        unsigned shift = s->point_bits + digit * DIGIT_BITS;
        uint32_t *at = s->counts[digit], sum = 0;
        for (size_t i = 0; i <= DIGIT_MASK; i++) {
            uint32_t here = at[i];
            at[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++) {
            s->spare[at[s->list[i] >> shift & DIGIT_MASK]++] = s->list[i];
        }
        uint64_t *swap = s->list;
        s->list = s->spare;
        s->spare = swap;
    }
}

static void sort_points(struct grid *g, struct sorting *s)
{
    unsigned digits = (g->bits + DIGIT_BITS - 1) / DIGIT_BITS;
    memset(s->counts, 0, digits * sizeof *s->counts);
    for (size_t i = 0; i < g->n; i++) {
        uint64_t key = key_of(g, g->job->points->values + i * g->dims);
        s->list[i] = key << s->point_bits | i;
        for (unsigned digit = 0; digit < digits; digit++) {
            s->counts[digit][key >> digit * DIGIT_BITS & DIGIT_MASK]++;
        }
    }
    radix_sort(s, g->n, digits);
    count_cells(g, s);
}

static int make_cells(struct grid *g)
{
    struct sorting s = {.list = malloc(g->n * sizeof *s.list),
                        .spare = malloc(g->n * sizeof *s.spare),
                        .point_bits = bits_of(g->n),
                        .counts = malloc(DIGITS * sizeof *s.counts)};
    int err = s.list && s.spare && s.counts ? 0 : err_fail(ERR_NOMEM, "points");
    if (err == 0) {
        lay(g, 1);
        sort_points(g, &s);
        if (g->n / g->cells > MANY) {
            lay(g, 2);
            sort_points(g, &s);
        }
        err = fill_positions(g, &s);
    }
    free(s.list), free(s.spare), free(s.counts);
    return err;
}

// The cells of a row within reach of `cell`. Cells are asked for in order.
static struct near_range reachable(const struct grid *g, struct sweep *s, size_t cell,
                                   size_t row)
{
    uint64_t low = g->keys[cell] + g->rows[row].low,
             high = g->keys[cell] + g->rows[row].high;
    uint32_t at = s->at[row];
    while (g->keys[at] < low) {
        at++;
    }
    s->at[row] = at;
    while (g->keys[at] <= high) {
        at++;
    }
    return (struct near_range){s->at[row], at};
}

// The squared way, in cells, from a point to the cells at each offset along a dimension; a little less.
static void ways(const struct grid *g, size_t position, size_t d, double ret[OFFSETS])
{
    double in = 0;
    if (d < g->dims) {
        double at = (g->values[d * g->n + position] - g->origin[d]) * g->per_unit;
        in = at - (double)(int64_t)at;
    }
    double way[OFFSETS] = {1 + in, in, 0, 1 - in, 2 - in};
    for (int k = 0; k < OFFSETS; k++) {
        double less = MAX(way[k] - 1e-6, 0);
        ret[k] = less * less;
    }
}

// Rows among `runs` that are within reach of the point at `position`.
static size_t near_rows(const struct grid *g, size_t position,
                        const struct near_range *runs, struct near_range *ret)
{
    double y[OFFSETS], z[OFFSETS], eps = g->job->eps * g->per_unit,
                                   limit = eps * eps * 1.00001;
    ways(g, position, 1, y);
    ways(g, position, 2, z);
    size_t count = 0;
    for (size_t r = 0; r < g->row_count; r++) {
        const int *offset = g->rows[r].offset;
        bool near = y[offset[1] + MAX_REACH] + z[offset[2] + MAX_REACH] <= limit;
        ret[count] = runs[r];
        count +=
            near & (runs[r].start < runs[r].end); // no branch: it could not be foreseen
    }
    return count;
}

static void swap_positions(struct grid *g, size_t a, size_t b)
{
    for (size_t d = 0; d < g->dims; d++) {
        double *of = g->values + d * g->n, value = of[a];
        of[a] = of[b];
        of[b] = value;
    }
    uint32_t order = g->order[a];
    g->order[a] = g->order[b];
    g->order[b] = order;
}

static bool is_core(const struct grid *g, const struct near_range *runs,
                    const struct density_leaf *leaf, size_t i)
{
    struct near_range near[MAX_ROWS + 1];
    double point[DENSITY_GRID_MAX_DIMS];
    size_t count = near_rows(g, leaf->start + i, runs, near);
    density_take(&g->sets, leaf, i, point);
    struct near_query query = {point, g->job->limit};
    return g->job->kernels->count(&g->block, &query, near, count, g->job->min_points) >=
           g->job->min_points;
}

static void find_cores(struct grid *g)
{
    struct sweep sweep = {0};
    for (size_t cell = 0; cell < g->cells; cell++) {
        struct density_leaf *leaf = &g->leaves[cell];
        if (g->reach > 1 && leaf->count >= g->job->min_points) {
            leaf->cores = leaf->count;
            continue;
        }
        struct near_range runs[MAX_ROWS];
        size_t within = 0;
        for (size_t r = 0; r < g->row_count; r++) {
            struct near_range cells = reachable(g, &sweep, cell, r);
            runs[r] = (struct near_range){g->leaves[cells.start].start,
                                          g->leaves[cells.end].start};
            within += runs[r].end - runs[r].start;
        }
        for (uint32_t i = 0; within >= g->job->min_points && i < leaf->count; i++) {
            if (is_core(g, runs, leaf, i)) {
                swap_positions(g, leaf->start + i, leaf->start + leaf->cores++);
            }
        }
    }
}

static void link_cores(struct grid *g)
{
    struct sweep sweep = {0};
    for (size_t cell = 0; cell < g->cells; cell++) {
        if (g->reach > 1) {
            density_make_whole(&g->sets, &g->leaves[cell]);
        } else {
            density_link_within(&g->sets, &g->leaves[cell]);
        }
    }
    for (size_t cell = 0; cell < g->cells; cell++) {
        struct density_leaf *leaf = &g->leaves[cell];
        // Behind it only: each pair once.
        for (size_t r = 0; leaf->cores && r < g->row_count; r++) {
            const int *offset = g->rows[r].offset;
            if (offset[2] < 0 || (offset[2] == 0 && offset[1] < 0)) {
                continue;
            }
            struct near_range cells = reachable(g, &sweep, cell, r);
            for (size_t b = MAX(cells.start, cell + 1); b < cells.end; b++) {
                density_link(&g->sets, leaf, &g->leaves[b]);
            }
        }
    }
}

// As density_least_label for all cells of a short run at once. Who is no core point has no number.
static int32_t least_label(const struct grid *g, const double *point,
                           struct near_range run, int32_t best)
{
    struct near_query query = {point, g->job->limit};
    uint64_t bits = g->job->kernels->mask(&g->block, &query, run);
    for (; bits; bits &= bits - 1) {
        uint32_t set = g->sets.parents[run.start + (uint32_t)__builtin_ctzll(bits)];
        int32_t label = g->sets.numbers[set];
        best = label >= 0 ? MIN(best, label) : best;
    }
    return best;
}

static int32_t border_label(const struct grid *g, const struct near_range *runs,
                            const struct density_leaf *leaf, size_t i)
{
    struct near_range near[MAX_ROWS + 1];
    double point[DENSITY_GRID_MAX_DIMS];
    size_t count = near_rows(g, leaf->start + i, runs, near);
    density_take(&g->sets, leaf, i, point);
    int32_t best = INT32_MAX;
    for (size_t r = 0; r < count; r++) {
        struct near_range run = {g->leaves[near[r].start].start,
                                 g->leaves[near[r].end].start};
        if (run.end - run.start <= 64) {
            best = least_label(g, point, run, best);
            continue;
        }
        for (size_t cell = near[r].start; cell < near[r].end; cell++) {
            best = density_least_label(&g->sets, &g->leaves[cell], point, best);
        }
    }
    return best == INT32_MAX ? INSIGHT_NOISE : best;
}

static void label_borders(struct grid *g, struct insight_clusters *ret)
{
    struct sweep sweep = {0};
    for (size_t cell = 0; cell < g->cells; cell++) {
        const struct density_leaf *leaf = &g->leaves[cell];
        struct near_range runs[MAX_ROWS];
        for (size_t r = 0; leaf->cores < leaf->count && r < g->row_count; r++) {
            runs[r] = reachable(g, &sweep, cell, r);
        }
        for (size_t i = leaf->cores; i < leaf->count; i++) {
            ret->labels[g->order[leaf->start + i]] = border_label(g, runs, leaf, i);
        }
    }
}

int density_grid(const struct density_job *job, struct insight_clusters *ret)
{
    AUTO(grid_free)
    struct grid g = {.job = job, .n = job->points->count, .dims = job->points->dims};
    TRY(make_cells(&g));
    find_cores(&g);
    link_cores(&g);
    density_label_cores(&g.sets, g.leaves, g.cells, ret);
    label_borders(&g, ret);
    return 0;
}
