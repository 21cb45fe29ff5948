// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program's own processes: one step of a job; the picture of one frame.
#include "app/commands.h"
#include "app/work.h"
#include "ingest/ingest.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

// A crash of a decoder is an answer, not a reason to write gigabytes of memory to the disk.
static void no_core(void)
{
    struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
}

static int step_run(const struct args *args)
{
    const char *data = args_text(args, "data", NULL), *dir = args_text(args, "dir", NULL);
    if (!data || !dir) {
        return args_wrong(args, "a step has --data and --dir");
    }
    no_core();
    struct app_work work;
    app_work_fill(&work, NULL);
    return flow_step_main(work.types, work.type_count, data, dir);
}

static int frame_run(const struct args *args)
{
    int64_t frame = 0, width = 0;
    no_core();
    int err = str_to_i64(str_of(args_operand(args, 4)), 0, INT64_MAX, &frame);
    err = err < 0 ? err : str_to_i64(str_of(args_operand(args, 5)), 1, 8192, &width);
    err = err < 0 ? err
                  : ingest_frame_child(args_operand(args, 0), args_operand(args, 1),
                                       args_operand(args, 2), args_operand(args, 3),
                                       frame, (int)width, STDOUT_FILENO);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static const struct args_option step_options[] = {
    COMMAND_DATA,
    {.name = "dir", .kind = ARGS_DIR, .value = "DIR", .help = "The step's folder"},
};

static const struct args_command rows[] = {
    {.path = "step",
     .summary = "One step of a job",
     .operands = "",
     COMMAND_OPTIONS(step_options),
     .run = step_run,
     .hidden = true},
    {.path = "frame",
     .summary = "The picture of one frame",
     .operands = "DATA FILM REPORT TIMELINE FRAME WIDTH",
     .operand_kind = ARGS_TEXT,
     .operands_min = 6,
     .operands_max = 6,
     .run = frame_run,
     .hidden = true},
};
const struct command_family step_commands = {rows, ARRAY_LEN(rows)};
