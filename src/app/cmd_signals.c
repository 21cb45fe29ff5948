// SPDX-License-Identifier: GPL-3.0-or-later
//
// insight related, anomalies: what else changed when a series did, and which values are unlike their time of day.
#include "app/commands.h"
#include "insight/insight.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLS_BYTES_MAX = 1 << 20 };

// --- related --------------------------------------------------------------------------------------

// A time, or where the file has none a row from 0, as --at has it. SIZE_MAX: not said.
static int row_of(const struct args *args, const struct insight_sheet *sheet, size_t *ret)
{
    const char *text = args_text(args, "at", NULL);
    int64_t at = 0;
    *ret = SIZE_MAX;
    if (!text) {
        return 0;
    }
    TRY(insight_time_parse(str_of(text), &at));
    size_t row = (size_t)MAX(at, 0);
    if (sheet->times_ms) {
        row = 0;
        while (row < sheet->rows && sheet->times_ms[row] < at) {
            row++;
        }
    }
    FAIL_IF(at < 0 || row >= sheet->rows, ERR_INVALID, "%s is behind the last row", text);
    *ret = row;
    return 0;
}

struct columns {
    const double **values;
    const json_t **names;
    size_t count;
};

static void columns_free(struct columns *c)
{
    for (size_t i = 0; i < c->count; i++) {
        json_decref((json_t *)(size_t)c->names[i]);
    }
    free(c->values);
    free(c->names);
}

static int columns_make(const struct insight_sheet *sheet, size_t target,
                        struct columns *ret)
{
    ret->values = calloc(sheet->columns, sizeof *ret->values);
    ret->names = calloc(sheet->columns, sizeof *ret->names);
    FAIL_IF(!ret->values || !ret->names, ERR_NOMEM, "columns");
    for (size_t i = 0; i < sheet->columns; i++) {
        if (i != target) {
            json_t *name = json_string(sheet->names[i]);
            FAIL_IF(!name, ERR_NOMEM, "columns");
            ret->values[ret->count] = insight_sheet_column(sheet, i);
            ret->names[ret->count++] = name;
        }
    }
    return 0;
}

static int64_t step_of(const struct insight_sheet *sheet)
{
    return sheet->times_ms && sheet->rows > 1 ? sheet->times_ms[1] - sheet->times_ms[0]
                                              : 0;
}

static int relate_file(const struct args *args, json_t **ret)
{
    AUTO(insight_sheet_free) struct insight_sheet sheet = {0};
    AUTO(columns_free) struct columns columns = {0};
    struct insight_relate_config config = {0};
    size_t target = 0;
    TRY(command_sheet(args_operand(args, 0), &sheet));
    FAIL_IF(!sheet.names, ERR_INVALID, "the first line of the file names its columns");
    TRY(insight_sheet_find(&sheet, args_text(args, "target", ""), &target));
    TRY(row_of(args, &sheet, &config.changed));
    TRY(columns_make(&sheet, target, &columns));
    config.keep = (size_t)args_number(args, "limit", 20);
    struct insight_signals s = {.target = insight_sheet_column(&sheet, target),
                                .candidates = columns.values,
                                .names = columns.names,
                                .count = columns.count,
                                .length = sheet.rows,
                                .step_ms = MAX(step_of(&sheet), 0)};
    s.start_ms = s.step_ms ? sheet.times_ms[0] : 0;
    return insight_signals_relate(&s, &config, ret);
}

static int read_calls(const char *path, struct insight_callgraph **ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(diag_free) struct diag diag = {0};
    if (!path) {
        return 0;
    }
    TRY(fs_read_file(path, CALLS_BYTES_MAX, &text));
    return insight_callgraph_parse(buf_view(&text), path, ret, &diag);
}

static int relate_store(const struct args *args, json_t **ret)
{
    AUTO(insight_callgraph_free) struct insight_callgraph *calls = NULL;
    AUTO(telemetry_close) struct telemetry *store = NULL;
    AUTO(cstr_free) char *dir = NULL;
    const char *at = args_text(args, "at", NULL);
    struct insight_question q = {.target = args_text(args, "target", ""),
                                 .candidates = args_text(args, "candidates", NULL),
                                 .now_ms = clock_wall_us() / 1000,
                                 .keep = (size_t)args_number(args, "limit", 20)};
    if (at) {
        TRY(insight_time_parse(str_of(at), &q.at_ms));
    }
    TRY(read_calls(args_text(args, "calls", NULL), &calls));
    q.calls = calls;
    TRY(cstr_printf(&dir, "%s/series", command_data_dir(args)));
    FAIL_IF(!fs_exists(dir), ERR_NOT_FOUND, "there are no series in %s", dir);
    const struct telemetry_config config = {.dir = dir};
    int err = telemetry_open(&store, &config);
    FAIL_IF(err == ERR_BUSY, err,
            "the service holds the series: ask it, GET /api/v1/insight/related?q=…&at=…");
    TRY(err);
    return insight_signals_ask(store, &q, ret);
}

static void related_print(const json_t *json)
{
    size_t i;
    const json_t *r;
    json_array_foreach(json_object_get(json, "related"), i, r)
    {
        const json_t *name = json_object_get(r, "name");
        AUTO(buf_free) struct buf text = {0};
        if (json_is_string(name)) {
            buf_cstr(&text, json_string_value(name));
        } else {
            json_write_canonical(&text, name);
        }
        printf("%.2f  %-5s %s  r %+.2f, ranks %+.2f, lag %lld\n",
               json_real_value(json_object_get(r, "score")),
               json_str_or(r, "relation", ""), text.data ? text.data : "",
               json_real_value(json_object_get(r, "pearson")),
               json_real_value(json_object_get(r, "spearman")),
               (long long)json_i64_or(r, "lag", 0));
    }
}

static int insight_related_run(const struct args *args)
{
    AUTO(json_free) json_t *json = NULL;
    if (!args_has(args, "target")) {
        return args_wrong(args, "--target says which series");
    }
    int err =
        args_operand_count(args) ? relate_file(args, &json) : relate_store(args, &json);
    if (err < 0) {
        return command_refused(args, err);
    }
    if (args_has(args, "json")) {
        return command_print(json);
    }
    related_print(json);
    return ARGS_DONE;
}

// --- anomalies ------------------------------------------------------------------------------------

static json_t *anomaly_json(const struct insight_sheet *sheet, size_t row, double value,
                            const struct insight_anomaly *a)
{
    return json_pack(
        "{s:I, s:o, s:f, s:f, s:s, s:f, s:f, s:f}", "index", (json_int_t)row, "time",
        sheet->times_ms ? json_integer(sheet->times_ms[row]) : json_null(), "value",
        value, "score", a->score, "view", insight_view_name(a->view), "seen", a->seen,
        "low", a->low, "high", a->high);
}

static int season_wanted(const struct args *args, const struct insight_sheet *sheet,
                         size_t *ret)
{
    if (sheet->times_ms && !args_has(args, "season")) {
        return insight_season_of(sheet->times_ms, sheet->rows, ret);
    }
    *ret = (size_t)args_number(args, "season", 288);
    return 0;
}

static int find_anomalies(const struct args *args, json_t **ret)
{
    AUTO(insight_sheet_free) struct insight_sheet sheet = {0};
    AUTO(insight_watch_free) struct insight_watch *watch = NULL;
    AUTO(json_free) json_t *found = json_array();
    size_t column = 0, season = 0;
    TRY(command_sheet(args_operand(args, 0), &sheet));
    TRY(command_column(args, &sheet, &column));
    TRY(season_wanted(args, &sheet, &season));
    TRY(insight_watch_new(&watch, season));
    const double *x = insight_sheet_column(&sheet, column);
    for (size_t i = 0; i < sheet.rows; i++) {
        struct insight_anomaly a;
        insight_watch_next(watch, x[i], &a);
        FAIL_IF(a.score >= 1 &&
                    json_array_append_new(found, anomaly_json(&sheet, i, x[i], &a)) < 0,
                ERR_NOMEM, "anomalies");
    }
    return json_made(json_pack("{s:i, s:I, s:I, s:O}", "schema", 1, "values",
                               (json_int_t)sheet.rows, "season", (json_int_t)season,
                               "anomalies", found),
                     ret);
}

static int insight_anomalies_run(const struct args *args)
{
    AUTO(json_free) json_t *json = NULL;
    int err = find_anomalies(args, &json);
    if (err < 0) {
        return command_refused(args, err);
    }
    if (args_has(args, "json")) {
        return command_print(json);
    }
    size_t i;
    const json_t *a;
    json_array_foreach(json_object_get(json, "anomalies"), i, a)
    {
        printf("%lld  %g: %s %g, so far %g to %g at this time of day (%.2f)\n",
               (long long)json_i64_or(a, "index", 0),
               json_real_value(json_object_get(a, "value")), json_str_or(a, "view", ""),
               json_real_value(json_object_get(a, "seen")),
               json_real_value(json_object_get(a, "low")),
               json_real_value(json_object_get(a, "high")),
               json_real_value(json_object_get(a, "score")));
    }
    return ARGS_DONE;
}

static const struct args_option insight_related_options[] = {
    {.name = "target",
     .kind = ARGS_TEXT,
     .value = "SERIES",
     .help = "What changed: a column of FILE, or a stack expression (needed)"},
    {.name = "at",
     .kind = ARGS_TEXT,
     .value = "T",
     .help = "When: ISO 8601, ms since 1970, or a row (its latest change)"},
    {.name = "candidates",
     .kind = ARGS_TEXT,
     .value = "EXPR",
     .help = "Which series are compared (all)"},
    {.name = "calls",
     .kind = ARGS_FILE,
     .value = "FILE",
     .help = "Who calls whom (conf/calls.yaml): what began where comes first"},
    COMMAND_LIMIT,
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_option insight_anomalies_options[] = {
    COMMAND_COLUMN,
    {.name = "season",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Values a day (by the times; without any 288)",
     .min = 4,
     .max = 100000},
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "insight related",
     .summary = "Says what else changed when a series did",
     .operands = "[FILE]",
     .operand_kind = ARGS_FILE,
     .operands_max = 1,
     COMMAND_OPTIONS(insight_related_options),
     .run = insight_related_run,
     .about =
         "FILE is CSV with names in its first line. Without it the series of the data "
         "folder are asked; a running\nservice is asked by /api/v1/insight/related. "
         "A positive lag: it changed before the target."},
    {.path = "insight anomalies",
     .summary = "Says which values are unlike all at their time of day",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(insight_anomalies_options),
     .run = insight_anomalies_run,
     .about =
         "time,value, or a number a line. Value by value without looking ahead; nothing "
         "is said of the first two\ndays."},
};
const struct command_family signals_commands = {rows, ARRAY_LEN(rows)};
