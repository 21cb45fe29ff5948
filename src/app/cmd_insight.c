// SPDX-License-Identifier: GPL-3.0-or-later
//
// insight: what can be asked of numbers in a file, and of the fleet.
#include "app/commands.h"
#include "insight/insight.h"

#include <stdio.h>

static int clusters_to_json(const struct insight_clusters *found, size_t points,
                            double seconds, json_t **ret)
{
    AUTO(json_free) json_t *labels = json_array();
    size_t core = 0;
    for (size_t i = 0; i < points; i++) {
        core += found->core[i];
        FAIL_IF(json_array_append_new(labels, json_integer(found->labels[i])) < 0,
                ERR_NOMEM, "labels");
    }
    return json_made(json_pack("{s:i, s:I, s:I, s:I, s:f, s:O}", "schema", 1, "clusters",
                               (json_int_t)found->count, "noise",
                               (json_int_t)found->noise, "core", (json_int_t)core,
                               "seconds", seconds, "labels", labels),
                     ret);
}

static int print_clusters(const struct args *args, const struct insight_clusters *found,
                          size_t points, double seconds)
{
    if (args_has(args, "json")) {
        AUTO(json_free) json_t *json = NULL;
        int err = clusters_to_json(found, points, seconds, &json);
        return err < 0 ? command_failed(args, err) : command_print(json);
    }
    size_t core = 0;
    for (size_t i = 0; i < points; i++) {
        core += found->core[i];
        printf("%d\n", found->labels[i]);
    }
    fprintf(stderr, "%zu points: %zu clusters, %zu core, %zu noise; %.3f s\n", points,
            found->count, core, found->noise, seconds);
    return ARGS_DONE;
}

static int insight_cluster_run(const struct args *args)
{
    double eps;
    if (!args_has(args, "eps") || !args_has(args, "min-points")) {
        return args_wrong(args, "--eps and --min-points are needed");
    }
    if (str_to_double(str_of(args_text(args, "eps", "")), 0, 1e300, &eps) < 0 ||
        !(eps > 0)) {
        return args_wrong(args, "--eps wants a number above 0");
    }
    AUTO(insight_table_free) struct insight_table table = {0};
    AUTO(insight_clusters_free) struct insight_clusters found = {0};
    int err = insight_table_read(args_operand(args, 0), &table);
    if (err < 0) {
        command_failed(args, err);
        return err == ERR_INVALID || err == ERR_LIMIT ? ARGS_REFUSED : ARGS_FAILED;
    }
    struct insight_points points = {table.values, table.count, table.dims};
    int64_t began_us = clock_mono_us();
    err =
        insight_dbscan(&points, eps, (size_t)args_number(args, "min-points", 1), &found);
    double seconds = (double)(clock_mono_us() - began_us) / 1e6;
    return err < 0 ? command_failed(args, err)
                   : print_clusters(args, &found, points.count, seconds);
}

static const struct args_option insight_cluster_options[] = {
    {.name = "eps",
     .kind = ARGS_TEXT,
     .value = "E",
     .help = "How near is near: Euclidean distance, included (needed)"},
    {.name = "min-points",
     .kind = ARGS_NUMBER,
     .value = "M",
     .help = "Points that make a place dense, the point itself counted (needed)",
     .min = 1,
     .max = INT32_MAX},
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "insight cluster",
     .summary = "Groups points by density (DBSCAN), and says which belong nowhere",
     .operands = "FILE.csv",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(insight_cluster_options),
     .run = insight_cluster_run,
     .about =
         "A point a line, numbers with commas between, no header. Exact: core points "
         "and noise are those\nof the definition, labels those of scikit-learn; "
         "noise is -1. \"seconds\" are the clustering's own,\nwithout reading."},
};
const struct command_family insight_commands = {rows, ARRAY_LEN(rows)};
