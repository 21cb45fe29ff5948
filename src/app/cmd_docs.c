// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is made from the table of commands: completion and the man page.
#include "app/commands.h"

#include <stdio.h>

static int completion_run(const struct args *args)
{
    AUTO(buf_free) struct buf out = {0};
    size_t count;
    const struct args_command *all = args_commands(args, &count);
    if (args_completion(all, count, args_operand(args, 0), &out) < 0) {
        return args_wrong(args, "%s", err_reason());
    }
    fputs(out.data, stdout);
    return ARGS_DONE;
}

static int man_run(const struct args *args)
{
    AUTO(buf_free) struct buf out = {0};
    size_t count;
    const struct args_command *all = args_commands(args, &count);
    args_man(all, count, &out);
    fputs(out.err ? "" : out.data, stdout);
    return out.err ? ARGS_FAILED : ARGS_DONE;
}

static const struct args_command rows[] = {
    {.path = "completion",
     .summary = "Prints completion for a shell",
     .operands = "bash|zsh|fish",
     .operand_kind = ARGS_CHOICE,
     .operands_min = 1,
     .operands_max = 1,
     .run = completion_run,
     .about = "For example: marquee completion bash > ~/.local/share/bash-completion/"
              "completions/marquee"},
    {.path = "man",
     .summary = "Prints the man page",
     .operands = "",
     .run = man_run,
     .about = "For example: marquee man | man -l -"},
};
const struct command_family docs_commands = {rows, ARRAY_LEN(rows)};
