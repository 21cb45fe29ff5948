// SPDX-License-Identifier: GPL-3.0-or-later
//
// insight changes, canary: judgements on series that stand in files.
#include "app/commands.h"
#include "insight/insight.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHEET_BYTES_MAX = 1 << 30, CONFIG_BYTES_MAX = 1 << 20 };

int command_sheet(const char *path, struct insight_sheet *ret)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(fs_read_file(path, SHEET_BYTES_MAX, &text));
    int err = insight_sheet_parse(buf_view(&text), ret);
    if (err < 0) {
        AUTO(cstr_free) char *why = NULL;
        TRY(cstr_dup(&why, err_reason()));
        FAIL(err, "%s: %s", path, why);
    }
    return 0;
}

// A file that is wrong is the caller's input: 3, as for a film.
int command_refused(const struct args *args, int err)
{
    int code = command_failed(args, err);
    return err == ERR_INVALID || err == ERR_LIMIT ? ARGS_REFUSED : code;
}

int command_column(const struct args *args, const struct insight_sheet *sheet,
                   size_t *ret)
{
    const char *name = args_text(args, "column", NULL);
    *ret = 0;
    if (name) {
        return insight_sheet_find(sheet, name, ret);
    }
    FAIL_IF(sheet->columns > 1, ERR_INVALID, "there are %zu columns: --column says which",
            sheet->columns);
    return 0;
}

// --- changes ------------------------------------------------------------------------------------

// What a reader wants to see of a segment.
static double mean_of(const double *x, size_t start, size_t end)
{
    double mean = 0, n = 0;
    for (size_t i = start; i < end; i++) {
        if (isfinite(x[i])) {
            mean += (x[i] - mean) / ++n;
        }
    }
    return mean;
}

static int changes_print(const struct args *args, const struct insight_sheet *sheet,
                         size_t column, const struct insight_changes *changes)
{
    const double *x = insight_sheet_column(sheet, column);
    AUTO(json_free) json_t *points = json_array(), *segments = json_array(), *json = NULL;
    for (size_t i = 0; i <= changes->count; i++) {
        size_t start = i ? changes->at[i - 1] : 0;
        size_t end = i < changes->count ? changes->at[i] : sheet->rows;
        json_t *segment = json_pack("{s:I, s:I, s:f}", "start", (json_int_t)start, "end",
                                    (json_int_t)end, "mean", mean_of(x, start, end));
        FAIL_IF(json_array_append_new(segments, segment) < 0, ERR_NOMEM, "segments");
        FAIL_IF(i && json_array_append_new(points, json_integer((json_int_t)start)) < 0,
                ERR_NOMEM, "change points");
        if (i && !args_has(args, "json")) {
            printf("%zu\n", start);
        }
    }
    if (!args_has(args, "json")) {
        return 0;
    }
    TRY(json_made(json_pack("{s:i, s:I, s:O, s:O}", "schema", 1, "values",
                            (json_int_t)sheet->rows, "change_points", points, "segments",
                            segments),
                  &json));
    return command_print(json) == ARGS_DONE ? 0 : ERR_IO;
}

static int insight_changes_run(const struct args *args)
{
    AUTO(insight_sheet_free) struct insight_sheet sheet = {0};
    AUTO(insight_changes_free) struct insight_changes changes = {0};
    size_t column = 0;
    int err = command_sheet(args_operand(args, 0), &sheet);
    err = err < 0 ? err : command_column(args, &sheet, &column);
    if (err == 0) {
        err = insight_changes_find(insight_sheet_column(&sheet, column), sheet.rows,
                                   &changes);
    }
    err = err < 0 ? err : changes_print(args, &sheet, column, &changes);
    return err < 0 ? command_refused(args, err) : ARGS_DONE;
}

// --- canary -------------------------------------------------------------------------------------

static int config_read(const char *path, struct insight_canary_config **ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    TRY(fs_read_file(path, CONFIG_BYTES_MAX, &text));
    return insight_canary_parse(buf_view(&text), path, ret, &diag);
}

static struct insight_sample sample_of(const struct insight_sheet *sheet,
                                       const char *name)
{
    size_t column = 0;
    if (insight_sheet_find(sheet, name, &column) < 0) {
        return (struct insight_sample){0};
    }
    return (struct insight_sample){insight_sheet_column(sheet, column), sheet->rows};
}

static int judge(const struct args *args, json_t **ret)
{
    AUTO(insight_canary_free) struct insight_canary_config *config = NULL;
    AUTO(insight_sheet_free) struct insight_sheet baseline = {0}, canary = {0};
    TRY(config_read(args_operand(args, 0), &config));
    TRY(command_sheet(args_operand(args, 1), &baseline));
    TRY(command_sheet(args_operand(args, 2), &canary));
    FAIL_IF(!baseline.names || !canary.names, ERR_INVALID,
            "the first line of both files names their metrics");
    struct insight_canary_result *results = calloc(config->metrics.len, sizeof *results);
    FAIL_IF(!results, ERR_NOMEM, "verdicts");
    int err = 0;
    for (size_t i = 0; i < config->metrics.len && err == 0; i++) {
        const struct insight_canary_metric *m = &config->metrics.data[i];
        err = insight_canary_compare(config, m, sample_of(&baseline, m->name),
                                     sample_of(&canary, m->name), &results[i]);
    }
    err = err < 0 ? err : insight_canary_judge(config, results, ret);
    free(results);
    return err;
}

static void judgement_print(const json_t *json)
{
    size_t i;
    const json_t *metric;
    json_array_foreach(json_object_get(json, "metrics"), i, metric)
    {
        const char *verdict = json_str_or(metric, "verdict", "");
        double shift = 0, low = 0, high = 0, base = 0;
        printf("%-8s %s", verdict, json_str_or(metric, "name", ""));
        if (json_get_double(metric, "shift", &shift) == 0 &&
            json_get_double(metric, "low", &low) == 0 &&
            json_get_double(metric, "high", &high) == 0 &&
            json_get_double(metric, "baseline_median", &base) == 0) {
            printf(": %+g (%g to %g) on %g", shift, low, high, base);
        }
        putchar('\n');
    }
    printf("%s: %s\n", json_str_or(json, "verdict", ""), json_str_or(json, "why", ""));
}

static int insight_canary_run(const struct args *args)
{
    AUTO(json_free) json_t *json = NULL;
    int err = judge(args, &json);
    if (err < 0) {
        return command_refused(args, err);
    }
    if (args_has(args, "json")) {
        if (command_print(json) != ARGS_DONE) {
            return ARGS_FAILED;
        }
    } else {
        judgement_print(json);
    }
    struct str verdict = str_of(json_str_or(json, "verdict", ""));
    return str_eq_c(verdict, "pass")   ? ARGS_DONE
           : str_eq_c(verdict, "fail") ? ARGS_REFUSED
                                       : ARGS_REVIEW;
}

static const struct args_option insight_changes_options[] = {COMMAND_COLUMN,
                                                             COMMAND_JSON};

static const struct args_option insight_canary_options[] = {COMMAND_JSON};

static const struct args_command rows[] = {
    {.path = "insight changes",
     .summary = "Says where a series changes",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(insight_changes_options),
     .run = insight_changes_run,
     .about = "A number a line, or time,value. Prints, from 0, "
              "the index of each new\nsegment's first value."},
    {.path = "insight canary",
     .summary = "Says whether a canary is worse than its baseline",
     .operands = "CONFIG BASELINE CANARY",
     .operand_kind = ARGS_FILE,
     .operands_min = 3,
     .operands_max = 3,
     COMMAND_OPTIONS(insight_canary_options),
     .run = insight_canary_run,
     .about =
         "CONFIG (YAML) says which metrics matter and what is tolerated; both others "
         "are CSV with a column\na metric. Exits 0 for pass, 3 for fail, 4 for what a "
         "person should look at."},
};
const struct command_family change_commands = {rows, ARRAY_LEN(rows)};
