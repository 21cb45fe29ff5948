// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program's own processes: one step of a job; the picture of one frame.
#include "app/commands.h"
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

int step_run(const struct args *args)
{
    const char *data = args_text(args, "data", NULL), *dir = args_text(args, "dir", NULL);
    if (!data || !dir) {
        return args_wrong(args, "a step has --data and --dir");
    }
    no_core();
    return flow_step_main(ingest_step_types, ingest_step_type_count, data, dir);
}

int frame_run(const struct args *args)
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
