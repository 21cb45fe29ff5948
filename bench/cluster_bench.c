// SPDX-License-Identifier: GPL-3.0-or-later
//
// cluster_bench FILE.csv EPS MIN_POINTS [ROUNDS]: least CPU milliseconds of clustering alone; then of ten times as many
// points: ten copies side by side (as dense), and ten on the same ground (ten times as dense).
#include "insight/insight.h"

#include <stdio.h>
#include <stdlib.h>

#define COPIES 10

static double least_ms(const struct insight_points *p, double eps, size_t min_points,
                       int64_t rounds, size_t *ret_clusters)
{
    double least = 0;
    for (int64_t k = 0; k < rounds; k++) {
        AUTO(insight_clusters_free) struct insight_clusters found = {0};
        int64_t began_us = clock_cpu_us();
        if (insight_dbscan(p, eps, min_points, &found) < 0) {
            return -1;
        }
        double ms = (double)(clock_cpu_us() - began_us) / 1000;
        least = k == 0 ? ms : MIN(least, ms);
        *ret_clusters = found.count;
    }
    return least;
}

static double jitter(uint64_t *state, double width)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*state >> 11) * 0x1p-53 - 0.5) * width;
}

static void copy(const struct insight_table *t, double aside, double width, double *ret)
{
    uint64_t state = 1;
    for (size_t c = 0; c < COPIES; c++) {
        for (size_t i = 0; i < t->count * t->dims; i++) {
            ret[c * t->count * t->dims + i] = t->values[i] +
                                              (i % t->dims ? 0 : aside * (double)c) +
                                              jitter(&state, width);
        }
    }
}

int main(int argc, char **argv)
{
    AUTO(insight_table_free) struct insight_table t = {0};
    double eps;
    int64_t min_points, rounds = 5;
    if (argc < 4 || str_to_double(str_of(argv[2]), 0, 1e9, &eps) < 0 ||
        str_to_i64(str_of(argv[3]), 1, 1 << 20, &min_points) < 0 ||
        (argc > 4 && str_to_i64(str_of(argv[4]), 1, 1000, &rounds) < 0)) {
        fprintf(stderr, "usage: cluster_bench FILE.csv EPS MIN_POINTS [ROUNDS]\n");
        return 2;
    }
    int64_t began_us = clock_cpu_us();
    if (insight_table_read(argv[1], &t) < 0) {
        fprintf(stderr, "%s\n", err_reason());
        return 1;
    }
    double reading = (double)(clock_cpu_us() - began_us) / 1000;
    struct insight_points p = {t.values, t.count, t.dims};
    size_t clusters = 0;
    double one = least_ms(&p, eps, (size_t)min_points, rounds, &clusters);
    printf("marquee %.1f ms (%zu clusters; reading %.1f ms)\n", one, clusters, reading);
    double *more = t.dims <= 3 ? malloc(COPIES * t.count * t.dims * sizeof *more) : NULL;
    if (more) {
        struct insight_points ten = {more, COPIES * t.count, t.dims};
        copy(&t, 100, 0, more);
        double beside = least_ms(&ten, eps, (size_t)min_points, rounds, &clusters);
        printf("ten times the points, as dense %.1f ms: ratio %.2f (limit 12)\n", beside,
               beside / one);
        copy(&t, 0, eps / 4, more);
        double dense = least_ms(&ten, eps, (size_t)min_points, rounds, &clusters);
        printf(
            "ten times the points, ten times as dense %.1f ms: ratio %.2f (limit 12)\n",
            dense, dense / one);
        free(more);
    }
    return 0;
}
