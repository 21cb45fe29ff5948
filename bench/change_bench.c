// SPDX-License-Identifier: GPL-3.0-or-later
//
// change_bench FILE: what change points and related signals cost, in CPU time of one core, least of the rounds. The first 480 numbers of FILE (one a line) are
// segmented, as test/peer/pelt.py does; 1,000 and 10,000 made candidates of 480 values are related to one target.
#include "insight/insight.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LENGTH = 480, MANY = 10000 };

static double uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) / 9007199254740992.0;
}

static double seconds(void)
{
    return (double)clock_cpu_us() / 1e6;
}

static int segment(const char *path)
{
    static const char *const names[] = {"mean", "mean and variance", "line",
                                        "level or line"};
    AUTO(buf_free) struct buf text = {0};
    AUTO(insight_sheet_free) struct insight_sheet sheet = {0};
    TRY(fs_read_file(path, 1 << 24, &text));
    TRY(insight_sheet_parse(buf_view(&text), &sheet));
    size_t n = MIN(sheet.rows, LENGTH);
    for (int cost = 0; cost < 4; cost++) {
        struct insight_segmenting how = {(enum insight_cost)cost, 3 * log((double)n), 6,
                                         0};
        double least = INFINITY;
        for (int round = 0; round < 200; round++) {
            AUTO(insight_changes_free) struct insight_changes c = {0};
            double began = seconds();
            TRY(insight_pelt(sheet.values, n, &how, &c));
            least = fmin(least, seconds() - began);
            if (round == 199) {
                printf("pelt, %s: %zu values, %zu changes, %.1f us\n", names[cost], n,
                       c.count, least * 1e6);
            }
        }
    }
    return 0;
}

static int relate(size_t count)
{
    double *values = calloc((count + 1) * LENGTH, sizeof *values);
    const double **series = calloc(count, sizeof *series);
    FAIL_IF(!values || !series, ERR_NOMEM, "candidates");
    uint64_t seed = 1;
    for (size_t k = 0; k <= count; k++) {
        double *x = values + k * LENGTH, level = 10 * uniform(&seed);
        for (size_t i = 0; i < LENGTH; i++) {
            bool moved = k == count || k == count / 2;
            x[i] = level * sin((double)i / 229) + uniform(&seed) +
                   (moved && i >= 300 ? 3 : 0);
        }
        if (k < count) {
            series[k] = x;
        }
    }
    double least = INFINITY;
    struct insight_relate_config config = {.changed = SIZE_MAX};
    for (int round = 0; round < 5; round++) {
        AUTO(insight_relations_free) struct insight_relations r = {0};
        double began = seconds();
        TRY(insight_relate(values + count * LENGTH, LENGTH, series, count, &config, &r));
        least = fmin(least, seconds() - began);
        FAIL_IF(r.count == 0 || r.list[0].candidate != count / 2, ERR_INTERNAL,
                "the cause is not the first");
    }
    printf("related: %zu candidates of %d values, %.1f ms\n", count, LENGTH, least * 1e3);
    free(values);
    free(series);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: change_bench FILE\n");
        return 2;
    }
    if (segment(argv[1]) < 0 || relate(1000) < 0 || relate(MANY) < 0) {
        fprintf(stderr, "change_bench: %s\n", err_reason());
        return 1;
    }
    return 0;
}
