// SPDX-License-Identifier: GPL-3.0-or-later
//
// The data folder of a command.
#include "account/account.h"
#include "app/api.h"
#include "app/commands.h"
#include "bus/bus.h"
#include "catalog/catalog.h"
#include "flow/flow.h"
#include "ingest/ingest.h"
#include "insight/insight.h"
#include "viewing/viewing.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int migrate(struct store *store)
{
    TRY(store_migrate(store, bus_migrations, bus_migration_count));
    TRY(store_migrate(store, flow_migrations, flow_migration_count));
    TRY(store_migrate(store, account_migrations, account_migration_count));
    TRY(store_migrate(store, catalog_migrations, catalog_migration_count));
    TRY(store_migrate(store, viewing_migrations, viewing_migration_count));
    TRY(store_migrate(store, ingest_migrations, ingest_migration_count));
    TRY(store_migrate(store, insight_migrations, insight_migration_count));
    return store_migrate(store, app_migrations, app_migration_count);
}

int app_store_open(const char *dir, struct store **ret)
{
    AUTO(store_close) struct store *store = NULL;
    TRY(store_open(&store, dir));
    TRY(migrate(store));
    *ret = TAKE(store);
    return 0;
}

const char *command_data_dir(const struct args *args)
{
    const char *wished = getenv("MARQUEE_DATA");
    return args_text(args, "data", wished && *wished ? wished : "data");
}

int command_open(const struct args *args, struct store **ret)
{
    return app_store_open(command_data_dir(args), ret);
}

const char *command_actor(char to[COMMAND_ACTOR_BYTES])
{
    struct passwd entry, *known = NULL;
    char names[1024];
    if (getpwuid_r(getuid(), &entry, names, sizeof names, &known) == 0 && known) {
        snprintf(to, COMMAND_ACTOR_BYTES, "shell/%s", known->pw_name);
    } else {
        snprintf(to, COMMAND_ACTOR_BYTES, "shell/%u", getuid());
    }
    return to;
}

int command_look(const struct args *args, struct store **ret)
{
    bool is_there = false;
    TRY(command_has_data(args, &is_there));
    FAIL_IF(
        !is_there, ERR_NOT_FOUND,
        "there is no data folder %s; --data DIR or MARQUEE_DATA names another, marquee "
        "serve and marquee ingest make one",
        command_data_dir(args));
    return command_open(args, ret);
}

int command_has_data(const struct args *args, bool *ret)
{
    AUTO(cstr_free) char *rows = NULL;
    const char *dir = command_data_dir(args);
    struct stat st;
    TRY(cstr_printf(&rows, "%s/rows.sqlite", dir));
    if (stat(rows, &st) < 0) {
        FAIL_IF(errno == ENOTDIR, ERR_INVALID, "%s is no folder", dir);
        if (errno != ENOENT) {
            return err_fail_errno("the data folder %s", dir);
        }
        *ret = false;
        return 0;
    }
    *ret = true;
    return 0;
}

int command_failed(const struct args *args, int err)
{
    (void)args;
    fprintf(stderr, "marquee: %s: %s\n", err_text(err), err_reason());
    return ARGS_FAILED;
}

int command_print(const json_t *value)
{
    AUTO(buf_free) struct buf out = {0};
    json_write_pretty(&out, value);
    if (out.err || fputs(out.data, stdout) < 0 || fflush(stdout) != 0) {
        return ARGS_FAILED;
    }
    return ARGS_DONE;
}

void command_time(int64_t us, struct buf *out)
{
    long long ms = us / 1000;
    buf_printf(out, "%02lld:%02lld:%02lld.%03lld", ms / 3600000, ms / 60000 % 60,
               ms / 1000 % 60, ms % 1000);
}

static bool pts_us(const json_t *finding, const char *key, int64_t *ret)
{
    const json_t *pts = json_object_get(finding, key);
    const json_t *tb = json_object_get(finding, "time_base");
    json_int_t den = json_integer_value(json_array_get(tb, 1));
    if (!json_is_integer(pts) || den <= 0) {
        return false;
    }
    *ret = (int64_t)((__int128)json_integer_value(pts) * 1000000 *
                     json_integer_value(json_array_get(tb, 0)) / den);
    return true;
}

void command_place(const json_t *finding, struct buf *out)
{
    int64_t start_us = 0, end_us = 0;
    if (pts_us(finding, "start_pts", &start_us)) {
        command_time(start_us, out);
        if (pts_us(finding, "end_pts", &end_us) && end_us > start_us) {
            buf_cstr(out, " to ");
            command_time(end_us, out);
        }
    }
    const json_t *frame = json_object_get(finding, "start_frame");
    if (json_is_integer(frame)) {
        long long first = json_integer_value(frame),
                  last = json_i64_or(finding, "end_frame", first + 1) - 1;
        buf_printf(out, last > first ? "%sframes %lld to %lld" : "%sframe %lld",
                   out->len ? ", " : "", first, last);
    }
}
