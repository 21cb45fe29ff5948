// SPDX-License-Identifier: GPL-3.0-or-later
//
// store: what the data folder no longer needs, and whether what it needs is still whole.
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

static int store_collect_run(const struct args *args)
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

// --- store check --------------------------------------------------------------------------------

struct complaints {
    const struct args *args;
    json_t *list;
};

static void complain(void *user, const char *path, int err)
{
    struct complaints *c = user;
    if (!args_has(c->args, "json")) {
        printf("%s: %s\n", path, err == ERR_CORRUPT ? "damaged" : err_text(err));
        return;
    }
    json_t *one = json_pack("{s:s, s:s}", "path", path, "code", err_name(err));
    (void)json_array_append_new(c->list, one);
}

static int print_checked(struct complaints *c, const struct store_checked *made)
{
    if (!args_has(c->args, "json")) {
        printf("%lld files, %.1f MB, %lld damaged or gone\n", (long long)made->files,
               (double)made->bytes / 1e6, (long long)made->bad);
        return made->bad ? ARGS_FAILED : ARGS_DONE;
    }
    AUTO(json_free) json_t *json = NULL;
    bool said = json_made(json_pack("{s:i, s:I, s:I, s:O}", "schema", 1, "files",
                                    (json_int_t)made->files, "bytes",
                                    (json_int_t)made->bytes, "damaged", c->list),
                          &json) == 0 &&
                command_print(json) == ARGS_DONE;
    return said && !made->bad ? ARGS_DONE : ARGS_FAILED;
}

static int store_check_run(const struct args *args)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO(json_free) json_t *list = json_array();
    struct complaints c = {.args = args, .list = list};
    struct store_checked blobs = {0}, packages = {0};
    int err = command_open(args, &store);
    err = err < 0 ? err : store_blobs_check(store, complain, &c, &blobs);
    err = err < 0 ? err : ingest_check(store, complain, &c, &packages);
    if (err < 0) {
        return command_failed(args, err);
    }
    packages.files += blobs.files;
    packages.bytes += blobs.bytes;
    packages.bad += blobs.bad;
    return print_checked(&c, &packages);
}

static const struct args_option store_collect_options[] = {
    {.name = "dry-run", .kind = ARGS_NONE, .help = "Only say what would be removed"},
    {.name = "keep-days",
     .kind = ARGS_NUMBER,
     .value = "N",
     .help = "Keep what steps made for so long after their job (7)",
     .min = 0,
     .max = 36500},
    COMMAND_DATA,
    COMMAND_JSON,
};

static const struct args_command rows[] = {
    {.path = "store check",
     .summary = "Reads all that is kept, and says what the disk forgot",
     .operands = "",
     COMMAND_OPTIONS(command_data_json),
     .run = store_check_run,
     .about =
         "Every blob and every file of a published film is compared with its hash. "
         "Ends with 1\nwhere something is damaged or gone: bring it back from a copy, "
         "or deliver the film anew."},
    {.path = "store collect",
     .summary = "Removes what the data folder no longer needs",
     .operands = "",
     COMMAND_OPTIONS(store_collect_options),
     .run = store_collect_run,
     .about = "What steps made, a week after the last job that wanted it; packages, a "
              "week after "
              "their title plays\nanother; logs after a month. Films, reports and what "
              "is played "
              "stay. A service does this every hour."},
};
const struct command_family store_commands = {rows, ARRAY_LEN(rows)};
