// SPDX-License-Identifier: GPL-3.0-or-later
//
// store: what the data folder no longer needs.
#include "app/commands.h"
#include "ingest/ingest.h"

#include <stdio.h>

#define DAY_US INT64_C(86400000000)

static int print_collected(const struct args *args, const struct ingest_collected *made)
{
    bool dry = args_has(args, "dry-run");
    if (!args_has(args, "json")) {
        printf("%s %lld results of steps, %lld packages, logs of %lld jobs, %lld files: "
               "%.1f MB\n",
               dry ? "To be removed:" : "Removed:", (long long)made->results,
               (long long)made->packages, (long long)made->logs, (long long)made->files,
               (double)made->bytes / 1e6);
        return ARGS_DONE;
    }
    AUTO(json_free) json_t *json = NULL;
    return json_made(json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:I}", "schema", 1,
                               "dry_run", (int)dry, "results", (json_int_t)made->results,
                               "packages", (json_int_t)made->packages, "logs",
                               (json_int_t)made->logs, "files", (json_int_t)made->files,
                               "bytes", (json_int_t)made->bytes),
                     &json) < 0
               ? ARGS_FAILED
               : command_print(json);
}

int store_collect_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    struct ingest_retention keep = ingest_retention_usual;
    struct ingest_collected made = {0};
    keep.results_us = args_number(args, "keep-days", keep.results_us / DAY_US) * DAY_US;
    int err = command_look(args, &store);
    if (err == 0) {
        err = args_has(args, "dry-run") ? ingest_collectable(store, &keep, &made)
                                        : ingest_collect(store, &keep, NULL, NULL, &made);
    }
    return err < 0 ? command_failed(args, err) : print_collected(args, &made);
}
