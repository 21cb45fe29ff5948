// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the commands (cmd_*.c) share.
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "app/app.h"
#include "app/args.h"
#include "store/store.h"

// The table of commands, in the order of --help: each family's rows stand at the end of its cmd_*.c, as
// `NAME_commands`, and main.c joins them.
#define COMMAND_FAMILIES(X) \
    X(ingest)               \
    X(inspect)              \
    X(serve)                \
    X(lists)                \
    X(decide)               \
    X(people)               \
    X(telemetry)            \
    X(store)                \
    X(suspects)             \
    X(query)                \
    X(change)               \
    X(signals)              \
    X(insight)              \
    X(act)                  \
    X(runbook)              \
    X(diagnose)             \
    X(audit)                \
    X(doctor)               \
    X(docs)                 \
    X(step)

struct command_family {
    const struct args_command *rows;
    size_t count;
};
#define COMMAND_DECLARE(name) extern const struct command_family name##_commands;
COMMAND_FAMILIES(COMMAND_DECLARE)
#undef COMMAND_DECLARE

// Options that many commands have.
#define COMMAND_DATA                                      \
    {                                                     \
        .name = "data", .kind = ARGS_DIR, .value = "DIR", \
        .help = "The data folder (MARQUEE_DATA, or data)" \
    }
#define COMMAND_JSON                                                           \
    {                                                                          \
        .name = "json", .kind = ARGS_NONE, .help = "One JSON object on stdout" \
    }
#define COMMAND_LIMIT                                                                  \
    {                                                                                  \
        .name = "limit", .kind = ARGS_NUMBER, .value = "N", .help = "At most so many", \
        .min = 1, .max = 1000                                                          \
    }
#define COMMAND_METER                                                                  \
    {                                                                                  \
        .name = "meter", .kind = ARGS_TEXT, .value = "ADDRESS",                        \
        .help =                                                                        \
            "Where telemetry goes: udp://127.0.0.1:1234, unix:///PATH (MARQUEE_METER)" \
    }
#define COMMAND_SLOTS                                               \
    {                                                               \
        .name = "slots", .kind = ARGS_NUMBER, .value = "N",         \
        .help = "Steps at once (one a core)", .min = 1, .max = 1024 \
    }
#define COMMAND_COLUMN                                        \
    {                                                         \
        .name = "column", .kind = ARGS_TEXT, .value = "NAME", \
        .help = "The column that is meant, of several"        \
    }
#define COMMAND_OPTIONS(list) .options = (list), .option_count = ARRAY_LEN(list)
extern const struct args_option command_data_alone[1], command_data_json[2];

// --data, MARQUEE_DATA, or "data" in the present folder.
const char *command_data_dir(const struct args *);
#define COMMAND_ACTOR_BYTES 80
// Who typed the command, for what is kept of a decision: "shell/<login>", or "shell/<uid>". Returns `to`.
const char *command_actor(char to[COMMAND_ACTOR_BYTES]);
// Opens the folder, or makes it: for commands that begin something.
int command_open(const struct args *, struct store **ret);
// Opens the folder that is there, for commands that look or change what is there. ERR_NOT_FOUND: there is
// none, and none is made.
int command_look(const struct args *, struct store **ret);
// ERR_INVALID: it is a file.
int command_has_data(const struct args *, bool *ret);
struct insight_sheet;
// A table from a file, by insight_sheet_parse; reasons name the file.
int command_sheet(const char *path, struct insight_sheet *ret);
// The column that --column names; without it the only one there is.
int command_column(const struct args *, const struct insight_sheet *, size_t *ret);
// As command_failed, but ARGS_REFUSED for a file that is wrong.
int command_refused(const struct args *, int err);
// Says why, on stderr, and gives ARGS_FAILED.
int command_failed(const struct args *, int err);
// Pretty JSON on stdout.
int command_print(const json_t *);
// "00:01:02.500"
void command_time(int64_t us, struct buf *out);
// Where a finding is: "00:01:02.500 to 00:01:03.000, frames 1560 to 1571", the last frame included; nothing
// for one about the whole file.
void command_place(const json_t *finding, struct buf *out);

#endif
