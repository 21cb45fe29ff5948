// SPDX-License-Identifier: GPL-3.0-or-later
//
// What people decide about findings: waived with a reason and an end, or open again. Policy decides
// anew when the delivery runs again (`deliveries again`).
#include "app/commands.h"
#include "bus/bus.h"

#include <stdio.h>

typedef int decide_f(struct store_tx *, const struct args *, const char *finding);

// The operands are findings: all or, where one is refused, none.
static int decide(const struct args *args, decide_f *how)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int err = command_look(args, &store);
    err = err < 0 ? err : store_begin(store, STORE_WRITE, &tx);
    for (size_t i = 0; err == 0 && i < args_operand_count(args); i++) {
        err = how(tx, args, args_operand(args, i));
    }
    err = err < 0 ? err : store_commit(&tx);
    return err < 0 ? command_failed(args, err) : ARGS_DONE;
}

static int waive(struct store_tx *tx, const struct args *args, const char *finding)
{
    int64_t until_us = 0;
    TRY(clock_parse(str_of(args_text(args, "until", "")), &until_us));
    FAIL_IF(until_us <= clock_wall_us(), ERR_INVALID, "a waiver ends in the future");
    return bus_finding_waive(tx, finding, args_text(args, "why", ""), until_us,
                             command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int findings_waive_run(const struct args *args)
{
    if (!*args_text(args, "why", "") || !args_has(args, "until")) {
        return args_wrong(args, "a waiver has a reason and an end: --why REASON --until "
                                "DATE");
    }
    return decide(args, waive);
}

static int reopen(struct store_tx *tx, const struct args *args, const char *finding)
{
    (void)args;
    return bus_finding_reopen(tx, finding, command_actor((char[COMMAND_ACTOR_BYTES]){0}));
}

static int findings_reopen_run(const struct args *args)
{
    return decide(args, reopen);
}

static const struct args_option waive_options[] = {
    {.name = "why", .kind = ARGS_TEXT, .value = "REASON", .help = "Why they are waived"},
    {.name = "until", .kind = ARGS_DATE, .value = "DATE", .help = "When the waiver ends"},
    COMMAND_DATA,
};

static const struct args_command rows[] = {
    {.path = "findings waive",
     .summary = "Waives findings, with a reason and an end",
     .operands = "ID…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     COMMAND_OPTIONS(waive_options),
     .run = findings_waive_run,
     .about = "All or none. Policy heeds it when the delivery runs again: marquee "
              "deliveries again ID"},
    {.path = "findings reopen",
     .summary = "Takes waivers back",
     .operands = "ID…",
     .operand_kind = ARGS_TEXT,
     .operands_min = 1,
     .operands_max = 1000,
     COMMAND_OPTIONS(command_data_alone),
     .run = findings_reopen_run},
};
const struct command_family decide_commands = {rows, ARRAY_LEN(rows)};
