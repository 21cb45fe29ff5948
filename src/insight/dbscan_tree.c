// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any number of dimensions: a k-d tree (Bentley 1975) whose leaves are blocks that the kernels read at once. First
// the leaves' boxes hold all points, and find the core points; then each leaf has its core points in front
// and the boxes hold those alone, which are tight where the noise is wide.
#include "insight/density.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_POINTS 64
#define PEEL_POINTS 512
#define PEEL_GAIN   0.75

struct node {
    uint32_t start, end; // positions
    uint32_t right;      // the left child is the next node; 0: a leaf
    uint32_t leaf;       // which
};

struct tree {
    const struct density_job *job;
    size_t n, dims;
    VEC(struct node) nodes; // parents before children
    VEC(struct density_leaf) leaves;
    double *boxes; // of each node: dims lows, then dims highs
    uint32_t *order;
    double *rows;   // points by position, row by row
    double *values; // by position, leaf by leaf, dimension by dimension
    // For building: a number of each row; a point; a box.
    double *keys, *point, *inner;
    // Leaves that may be near the one in hand, and their boxes for the kernels.
    VEC(uint32_t) near;
    double *near_lows, *near_highs;
    struct density_sets sets;
};

static void tree_free(struct tree *t)
{
    vec_free(&t->nodes);
    vec_free(&t->leaves);
    vec_free(&t->near);
    free(t->boxes), free(t->order), free(t->rows), free(t->values);
    free(t->keys), free(t->point), free(t->inner);
    free(t->near_lows), free(t->near_highs);
    density_sets_free(&t->sets);
}

static double *box_of(const struct tree *t, size_t node)
{
    return t->boxes + node * 2 * t->dims;
}

// The box of rows [start, end); without rows it is nowhere: lows above highs.
static void bound_rows(const struct tree *t, size_t start, size_t end, double *ret)
{
    double *low = ret, *high = ret + t->dims;
    for (size_t d = 0; d < t->dims; d++) {
        low[d] = __builtin_inf();
        high[d] = -__builtin_inf();
    }
    for (size_t i = start; i < end; i++) {
        const double *row = t->rows + i * t->dims;
        for (size_t d = 0; d < t->dims; d++) {
            low[d] = row[d] < low[d] ? row[d] : low[d];
            high[d] = row[d] > high[d] ? row[d] : high[d];
        }
    }
}

// --- building ---------------------------------------------------------------------------------

static void swap_rows(struct tree *t, size_t a, size_t b)
{
    double *x = t->rows + a * t->dims, *y = t->rows + b * t->dims;
    for (size_t d = 0; d < t->dims; d++) {
        double v = x[d];
        x[d] = y[d];
        y[d] = v;
    }
    uint32_t order = t->order[a];
    t->order[a] = t->order[b];
    t->order[b] = order;
}

// What rows are told apart by while they are parted: one number each, moved along with them.
static void swap_keyed(struct tree *t, size_t a, size_t b)
{
    double value = t->keys[a];
    t->keys[a] = t->keys[b];
    t->keys[b] = value;
    swap_rows(t, a, b);
}

// Rows below the one that belongs at `middle` come before it (Hoare's quickselect, by the median of three).
static void select_rows(struct tree *t, size_t start, size_t end, size_t middle)
{
    const double *keys = t->keys;
    size_t low = start, high = end - 1;
    while (low < high) {
        double a = keys[low], b = keys[low + (high - low) / 2], c = keys[high];
        double pivot = a < b ? (b < c ? b : MAX(a, c)) : (a < c ? a : MAX(b, c));
        size_t i = low, j = high;
        for (;;) {
            while (keys[i] < pivot) {
                i++;
            }
            while (keys[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            swap_keyed(t, i++, j--);
        }
        // All up to j are at most the pivot, all behind it at least.
        if (middle <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
}

// Keys: squared distance from the middle of most rows, which is the mean of the nearer half of them.
static void key_by_way(struct tree *t, size_t start, size_t end)
{
    size_t from = start, to = end;
    for (int round = 0; round < 2; round++) {
        memset(t->point, 0, t->dims * sizeof *t->point);
        for (size_t i = from; i < to; i++) {
            for (size_t d = 0; d < t->dims; d++) {
                t->point[d] += t->rows[i * t->dims + d] / (double)(to - from);
            }
        }
        for (size_t i = start; i < end; i++) {
            double sum = 0;
            for (size_t d = 0; d < t->dims; d++) {
                double gap = t->rows[i * t->dims + d] - t->point[d];
                sum += gap * gap;
            }
            t->keys[i] = isfinite(sum) ? sum : DBL_MAX;
        }
        to = start + (end - start) / 2;
        select_rows(t, start, end, to);
    }
}

static double girth(const struct tree *t, const double *box)
{
    double sum = 0;
    for (size_t d = 0; d < t->dims; d++) {
        sum += box[t->dims + d] - box[d];
    }
    return sum;
}

// Where to part the rows of a node. Noise among them makes boxes wide; so where few rows are what makes it
// wide, they become a leaf of their own, at the end.
static size_t part(struct tree *t, size_t start, size_t end, const double *box,
                   size_t widest)
{
    size_t count = end - start, rest = end - MIN(LEAF_POINTS, count / 2);
    if (count <= PEEL_POINTS) {
        key_by_way(t, start, end);
        select_rows(t, start, end, rest);
        bound_rows(t, start, rest, t->inner);
        if (girth(t, t->inner) < PEEL_GAIN * girth(t, box)) {
            return rest;
        }
    }
    for (size_t i = start; i < end; i++) {
        t->keys[i] = t->rows[i * t->dims + widest];
    }
    size_t middle = start + count / 2;
    select_rows(t, start, end, middle);
    return middle;
}

static int build(struct tree *t, size_t start, size_t end)
{
    size_t at = t->nodes.len;
    struct node node = {.start = (uint32_t)start, .end = (uint32_t)end};
    TRY(vec_push(&t->nodes, node));
    double *box = box_of(t, at);
    bound_rows(t, start, end, box);
    size_t widest = 0;
    for (size_t d = 1; d < t->dims; d++) {
        double width = box[t->dims + d] - box[d];
        widest = width > box[t->dims + widest] - box[widest] ? d : widest;
    }
    // Equal points stay together, however many.
    if (end - start <= LEAF_POINTS || box[widest] >= box[t->dims + widest]) {
        t->nodes.data[at].leaf = (uint32_t)t->leaves.len;
        return vec_push(&t->leaves,
                        (struct density_leaf){.start = (uint32_t)start,
                                              .count = (uint32_t)(end - start)});
    }
    size_t middle = part(t, start, end, box, widest);
    TRY(build(t, start, middle));
    t->nodes.data[at].right = (uint32_t)t->nodes.len;
    return build(t, middle, end);
}

static int make(struct tree *t)
{
    const struct insight_points *p = t->job->points;
    size_t row_bytes = t->dims * sizeof *t->rows;
    // Leaves have at least half of LEAF_POINTS, but for a single one.
    size_t most = 4 * (t->n / LEAF_POINTS) + 4, slack = NEAR_SLACK * sizeof *t->values;
    t->rows = malloc(t->n * row_bytes);
    t->values = malloc(t->n * row_bytes + slack);
    t->boxes = malloc(most * 2 * row_bytes);
    t->order = malloc(t->n * sizeof *t->order);
    t->keys = malloc(t->n * sizeof *t->keys);
    t->point = malloc(row_bytes);
    t->inner = malloc(2 * row_bytes);
    t->near_lows = malloc(most * row_bytes + slack);
    t->near_highs = malloc(most * row_bytes + slack);
    FAIL_IF(!t->rows || !t->values || !t->boxes || !t->order || !t->keys || !t->point ||
                !t->inner || !t->near_lows || !t->near_highs,
            ERR_NOMEM, "points");
    memcpy(t->rows, p->values, t->n * row_bytes);
    memset(t->values + t->n * t->dims, 0, slack);
    for (size_t i = 0; i < t->n; i++) {
        t->order[i] = (uint32_t)i;
    }
    TRY(build(t, 0, t->n));
    return density_sets_new(&t->sets, t->job,
                            &(struct density_points){t->order, t->values, 0});
}

// --- near leaves ---------------------------------------------------------------------------------

// Rows of a leaf, as they stand now, into its block.
static void fill_block(struct tree *t, const struct density_leaf *leaf)
{
    double *values = t->values + leaf->start * t->dims;
    for (size_t i = 0; i < leaf->count; i++) {
        for (size_t d = 0; d < t->dims; d++) {
            values[d * leaf->count + i] = t->rows[(leaf->start + i) * t->dims + d];
        }
    }
}

// Whether no point of one box is near one of the other.
static bool boxes_are_far(const struct tree *t, const double *a, const double *b)
{
    double sum = 0;
    for (size_t d = 0; d < t->dims && sum <= t->job->limit; d++) {
        double over = b[d] - a[t->dims + d], under = a[d] - b[t->dims + d];
        double gap = MAX(MAX(over, under), 0);
        sum += gap * gap;
    }
    return sum > t->job->limit;
}

// Whether all points of the box are near each other.
static bool box_is_tight(const struct tree *t, const double *box)
{
    double sum = 0;
    for (size_t d = 0; d < t->dims; d++) {
        double width = box[t->dims + d] - box[d];
        sum += width * width;
    }
    return sum <= t->job->limit;
}

// Leaves with positions at or behind `from` that may be near, in their order: their nodes.
static int find_near(struct tree *t, const double *box, uint32_t from)
{
    t->near.len = 0;
    uint32_t at = 0, stack[64]; // where to go on: twice as deep as a tree of 2^32 rows
    size_t depth = 0;
    for (;;) {
        const struct node *node = &t->nodes.data[at];
        bool skip = node->end <= from || boxes_are_far(t, box, box_of(t, at));
        if (!skip && node->right) {
            stack[depth++] = node->right;
            at++;
            continue;
        }
        if (!skip) {
            TRY(vec_push(&t->near, at));
        }
        if (depth == 0) {
            return 0;
        }
        at = stack[--depth];
    }
}

static void lay_boxes(struct tree *t)
{
    size_t count = t->near.len;
    for (size_t k = 0; k < count; k++) {
        const double *box = box_of(t, t->near.data[k]);
        for (size_t d = 0; d < t->dims; d++) {
            t->near_lows[d * count + k] = box[d];
            t->near_highs[d * count + k] = box[t->dims + d];
        }
    }
    memset(t->near_lows + count * t->dims, 0, NEAR_SLACK * sizeof *t->near_lows);
    memset(t->near_highs + count * t->dims, 0, NEAR_SLACK * sizeof *t->near_highs);
}

// Of near leaves [from, from + 64) those that may hold a point near this one.
static uint64_t near_leaves(const struct tree *t, const double *point, size_t from)
{
    struct near_boxes boxes = {t->near_lows, t->near_highs, t->near.len, t->dims};
    struct near_query query = {point, t->job->limit};
    struct near_range range = {(uint32_t)from, (uint32_t)MIN(from + 64, t->near.len)};
    return t->job->kernels->boxes(&boxes, &query, range);
}

static struct density_leaf *near_leaf(struct tree *t, size_t k)
{
    return &t->leaves.data[t->nodes.data[t->near.data[k]].leaf];
}

// --- core points ---------------------------------------------------------------------------------

static size_t count_near(const struct tree *t, const struct density_leaf *leaf,
                         const double *point, size_t enough)
{
    // A leaf of more points than any is one place, many times.
    struct near_query query = {point, t->job->limit};
    struct near_range all = {0, leaf->count > LEAF_POINTS ? 1 : leaf->count};
    struct near_block block = density_block(&t->sets, leaf);
    size_t found = t->job->kernels->count(&block, &query, &all, 1, enough);
    return leaf->count > LEAF_POINTS ? found * leaf->count : found;
}

static bool is_core(struct tree *t, const struct density_leaf *own, const double *point)
{
    size_t enough = t->job->min_points, found = count_near(t, own, point, enough);
    for (size_t from = 0; from < t->near.len && found < enough; from += 64) {
        uint64_t bits = near_leaves(t, point, from);
        for (; bits && found < enough; bits &= bits - 1) {
            const struct density_leaf *leaf =
                near_leaf(t, from + (size_t)__builtin_ctzll(bits));
            found += leaf == own ? 0 : count_near(t, leaf, point, enough - found);
        }
    }
    return found >= enough;
}

static int find_cores(struct tree *t, bool *core)
{
    vec_for_each (leaf, &t->leaves) {
        fill_block(t, leaf);
    }
    vec_for_each (node, &t->nodes) {
        const double *box = box_of(t, (size_t)(node - t->nodes.data));
        if (node->right) {
            continue;
        }
        const struct density_leaf *leaf = &t->leaves.data[node->leaf];
        bool all = leaf->count >= t->job->min_points && box_is_tight(t, box);
        if (!all) {
            TRY(find_near(t, box, 0));
            lay_boxes(t);
        }
        for (size_t i = 0; i < leaf->count; i++) {
            size_t at = leaf->start + i;
            core[at] = all || (leaf->count > LEAF_POINTS && i
                                   ? core[at - 1]
                                   : is_core(t, leaf, t->rows + at * t->dims));
        }
    }
    return 0;
}

// Core points to the front of each leaf; boxes of core points alone.
static void keep_cores(struct tree *t, const bool *core)
{
    for (size_t at = t->nodes.len; at-- > 0;) {
        struct node *node = &t->nodes.data[at];
        double *box = box_of(t, at);
        if (!node->right) {
            struct density_leaf *leaf = &t->leaves.data[node->leaf];
            for (size_t i = node->start; i < node->end; i++) {
                if (core[i]) {
                    swap_rows(t, i, leaf->start + leaf->cores++);
                }
            }
            fill_block(t, leaf);
            bound_rows(t, leaf->start, leaf->start + leaf->cores, box);
            continue;
        }
        const double *left = box_of(t, at + 1), *right = box_of(t, node->right);
        for (size_t d = 0; d < t->dims; d++) {
            box[d] = MIN(left[d], right[d]);
            box[t->dims + d] = MAX(left[t->dims + d], right[t->dims + d]);
        }
    }
}

// --- clusters ------------------------------------------------------------------------------------

static int link_cores(struct tree *t)
{
    vec_for_each (node, &t->nodes) {
        struct density_leaf *leaf = &t->leaves.data[node->leaf];
        if (node->right || !leaf->cores) {
            continue;
        }
        if (box_is_tight(t, box_of(t, (size_t)(node - t->nodes.data)))) {
            density_make_whole(&t->sets, leaf);
        } else {
            density_link_within(&t->sets, leaf);
        }
    }
    vec_for_each (node, &t->nodes) {
        struct density_leaf *leaf = &t->leaves.data[node->leaf];
        if (node->right || !leaf->cores) {
            continue;
        }
        TRY(find_near(t, box_of(t, (size_t)(node - t->nodes.data)), leaf->start));
        for (size_t k = 0; k < t->near.len; k++) {
            if (near_leaf(t, k) != leaf) {
                density_link(&t->sets, leaf, near_leaf(t, k));
            }
        }
    }
    return 0;
}

static int label_borders(struct tree *t, struct insight_clusters *ret)
{
    vec_for_each (leaf, &t->leaves) {
        if (leaf->cores == leaf->count) {
            continue;
        }
        bound_rows(t, leaf->start + leaf->cores, leaf->start + leaf->count, t->inner);
        TRY(find_near(t, t->inner, 0));
        lay_boxes(t);
        for (size_t i = leaf->start + leaf->cores; i < leaf->start + leaf->count; i++) {
            const double *point = t->rows + i * t->dims;
            int32_t best = INT32_MAX;
            for (size_t from = 0; from < t->near.len; from += 64) {
                uint64_t bits = near_leaves(t, point, from);
                for (; bits; bits &= bits - 1) {
                    best = density_least_label(
                        &t->sets, near_leaf(t, from + (size_t)__builtin_ctzll(bits)),
                        point, best);
                }
            }
            ret->labels[t->order[i]] = best == INT32_MAX ? INSIGHT_NOISE : best;
        }
    }
    return 0;
}

int density_tree(const struct density_job *job, struct insight_clusters *ret)
{
    AUTO(tree_free)
    struct tree t = {.job = job, .n = job->points->count, .dims = job->points->dims};
    TRY(make(&t));
    bool *core = calloc(t.n, sizeof *core);
    FAIL_IF(!core, ERR_NOMEM, "core points");
    int err = find_cores(&t, core);
    if (err >= 0) {
        keep_cores(&t, core);
        err = link_cores(&t);
    }
    free(core);
    TRY(err);
    density_label_cores(&t.sets, t.leaves.data, t.leaves.len, ret);
    return label_borders(&t, ret);
}
