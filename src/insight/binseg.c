// SPDX-License-Identifier: GPL-3.0-or-later
//
// Binary segmentation: the best single split of a stretch, where it gains more than the penalty, then both
// parts again. A stack of stretches instead of recursion.
#include "insight/segment.h"

#include <math.h>
#include <stdlib.h>

struct stretch {
    size_t start, end;
};

static int compare(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

// Where to split for the largest gain; 0 where none is above the penalty.
static size_t split_of(const struct segment_sums *sums, struct stretch s,
                       const struct insight_segmenting *how)
{
    size_t min = segment_min_length(how), best = 0;
    double whole = segment_cost(sums, s.start, s.end), gain = how->penalty;
    for (size_t at = s.start + min; at + min <= s.end; at++) {
        double parts = segment_cost(sums, s.start, at) + segment_cost(sums, at, s.end);
        if (whole - parts > gain) {
            gain = whole - parts;
            best = at;
        }
    }
    return best;
}

int insight_binary(const double *values, size_t count,
                   const struct insight_segmenting *how, struct insight_changes *ret)
{
    AUTO(segment_sums_free) struct segment_sums sums = {0};
    TRY(segment_sums_make(values, count, how, &sums));
    VEC(size_t) changes = {0};
    VEC(struct stretch) open = {0};
    int err = vec_push(&open, (struct stretch){0, count});
    while (err == 0 && open.len > 0) {
        struct stretch s = open.data[--open.len];
        size_t at = split_of(&sums, s, how);
        if (at > 0) {
            err = vec_push(&changes, at);
            err = err ? err : vec_push(&open, (struct stretch){s.start, at});
            err = err ? err : vec_push(&open, (struct stretch){at, s.end});
        }
    }
    vec_free(&open);
    if (err < 0) {
        vec_free(&changes);
        return err;
    }
    struct insight_changes made = {.at = changes.data, .count = changes.len};
    if (made.count > 1) {
        qsort(made.at, made.count, sizeof *made.at, compare);
    }
    made.cost = how->penalty * (double)made.count;
    for (size_t i = 0; i <= made.count && count > 0; i++) {
        size_t start = i ? made.at[i - 1] : 0;
        made.cost += segment_cost(&sums, start, i < made.count ? made.at[i] : count);
    }
    *ret = made;
    return 0;
}
