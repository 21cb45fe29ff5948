// SPDX-License-Identifier: GPL-3.0-or-later
//
// One table of commands and options, from which parsing, --help, shell completion and the man page
// are made, so that they cannot drift apart.
#ifndef APP_ARGS_H
#define APP_ARGS_H

#include "base/base.h"

enum args_kind {
    ARGS_NONE, // an option without a value; a command without operands
    ARGS_TEXT,
    ARGS_FILE,
    ARGS_DIR,
    ARGS_NUMBER,
    ARGS_DATE,
    ARGS_CHOICE
};

struct args_option {
    const char *name; // without the dashes
    enum args_kind kind;
    const char *value; // how help names it: "DIR"; for ARGS_CHOICE "a|b|c"
    const char *help;
    int64_t min, max; // of ARGS_NUMBER
    bool many;        // may be given several times; otherwise the last counts
};

struct args;
// The exit code: 0 done, 1 failed, 2 bad usage, 3 input refused, 4 wants review.
typedef int args_run_f(const struct args *);

struct args_command {
    const char *path; // "ingest", "user add"
    const char *summary;
    const char *operands; // "FILE…"; "" for none
    enum args_kind operand_kind;
    unsigned operands_min, operands_max;
    const struct args_option *options;
    size_t option_count;
    args_run_f *run;
    bool hidden;       // for the program's own use
    const char *about; // more for people, in help and in the man page; may be NULL
};

enum {
    ARGS_DONE = 0,
    ARGS_FAILED = 1,
    ARGS_USAGE = 2,
    ARGS_REFUSED = 3,
    ARGS_REVIEW = 4
};

// Finds the command, parses, runs. What is wrong goes to stderr and gives ARGS_USAGE.
int args_main(const struct args_command *commands, size_t count, int argc,
              char *const *argv);

// Of the running command. Texts live as long as argv.
bool args_has(const struct args *, const char *option);
const char *args_text(const struct args *, const char *option, const char *otherwise);
int64_t args_number(const struct args *, const char *option, int64_t otherwise);
size_t args_times(const struct args *, const char *option);
const char *args_nth(const struct args *, const char *option, size_t index);
size_t args_operand_count(const struct args *);
const char *args_operand(const struct args *, size_t index);
// The whole table, for commands that print it.
const struct args_command *args_commands(const struct args *, size_t *ret_count);
// A mistake in how the command was called: says it and gives ARGS_USAGE.
int args_wrong(const struct args *, const char *fmt, ...) PRINTF_LIKE(2, 3);

// --- args_docs.c: what is made from the table --------------------------------------------------
void args_help_all(const struct args_command *, size_t count, struct buf *out);
// Of one command, or of a group ("user").
void args_help(const struct args_command *, size_t count, const char *path,
               struct buf *out);
// `shell`: bash, zsh or fish; ERR_INVALID for another.
int args_completion(const struct args_command *, size_t count, const char *shell,
                    struct buf *out);
void args_man(const struct args_command *, size_t count, struct buf *out);

#endif
