// SPDX-License-Identifier: GPL-3.0-or-later
//
// insight query: whether questions to the series can be read.
#include "app/commands.h"
#include "telemetry/telemetry.h"

#define FILE_MAX ((size_t)64 << 20)

// What a store of minutes, asked now, would be asked.
static int plan(struct str uri)
{
    AUTO(arena_free) struct arena *a = NULL;
    const struct telemetry_graph *g;
    TRY(arena_new(&a));
    return telemetry_graph_parse(uri, clock_wall_us() / 1000, 60000, a, &g);
}

static int each_line(struct str text, json_t *failed, json_int_t *ret_parsed)
{
    struct str line;
    for (json_int_t n = 1; str_next(&text, '\n', &line); n++) {
        struct str uri = str_trim(line);
        if (uri.len == 0) {
            continue;
        }
        if (plan(uri) < 0) {
            json_t *one = json_pack("{s:I, s:s}", "line", n, "reason", err_reason());
            FAIL_IF(json_array_append_new(failed, one) < 0, ERR_NOMEM, "a reason");
        } else {
            ++*ret_parsed;
        }
    }
    return 0;
}

static int parse_only(const char *path, json_t **ret)
{
    AUTO(buf_free) struct buf text = {0};
    AUTO(json_free) json_t *failed = json_array();
    json_int_t parsed = 0;
    TRY(fs_read_file(path, FILE_MAX, &text));
    TRY(each_line(buf_view(&text), failed, &parsed));
    return json_made(
        json_pack("{s:i, s:I, s:O}", "schema", 1, "parsed", parsed, "failed", failed),
        ret);
}

static int insight_query_run(const struct args *args)
{
    AUTO(json_free) json_t *report = NULL;
    if (!args_has(args, "parse-only")) {
        return args_wrong(
            args, "--parse-only is needed: questions are answered by the service");
    }
    int err = parse_only(args_operand(args, 0), &report);
    if (err < 0) {
        return command_failed(args, err);
    }
    return command_print(report);
}

static const struct args_option insight_query_options[] = {
    {.name = "parse-only", .kind = ARGS_NONE, .help = "Only says which can be read"},
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "insight query",
     .summary = "Says which addresses of graphs can be read, and why others cannot",
     .operands = "FILE",
     .operand_kind = ARGS_FILE,
     .operands_min = 1,
     .operands_max = 1,
     COMMAND_OPTIONS(insight_query_options),
     .run = insight_query_run,
     .about = "A line each: /api/v1/graph?q=… of Atlas. Needs no data. Prints JSON, with "
              "--json or without:\n"
              "{\"parsed\":N,\"failed\":[{\"line\",\"reason\"}]}."},
};
const struct command_family query_commands = {rows, ARRAY_LEN(rows)};
