// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of commands; what each does is in cmd_*.c.
#include "app/args.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

static args_run_f completion_run, man_run;

static const struct args_command commands[] = {
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

static int completion_run(const struct args *args)
{
    AUTO(buf_free) struct buf out = {0};
    if (args_completion(commands, ARRAY_LEN(commands), args_operand(args, 0), &out) < 0) {
        return args_wrong(args, "%s", err_reason());
    }
    fputs(out.data, stdout);
    return ARGS_DONE;
}

static int man_run(const struct args *args)
{
    (void)args;
    AUTO(buf_free) struct buf out = {0};
    args_man(commands, ARRAY_LEN(commands), &out);
    fputs(out.err ? "" : out.data, stdout);
    return out.err ? ARGS_FAILED : ARGS_DONE;
}

int main(int argc, char **argv)
{
    // Numbers are written with a point whatever the machine's language; only text is the person's.
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    return args_main(commands, ARRAY_LEN(commands), argc, argv);
}
