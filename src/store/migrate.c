// SPDX-License-Identifier: GPL-3.0-or-later
//
// Migrations: a row for each that ran. Each runs in a transaction that first looks again whether it
// is still missing, so that any number of processes may start on one folder.
#include "store/internal.h"

#include <string.h>

const struct store_migration store_migrations[] = {
    {"store", 1,
     "CREATE TABLE blob_ref ("
     "  hash BLOB NOT NULL,"
     "  owner TEXT NOT NULL,"
     "  PRIMARY KEY (hash, owner)) WITHOUT ROWID;"
     "CREATE INDEX blob_ref_owner ON blob_ref (owner);"
     "CREATE TABLE blob_import ("
     "  device INTEGER NOT NULL,"
     "  inode INTEGER NOT NULL,"
     "  size INTEGER NOT NULL,"
     "  mtime_ns INTEGER NOT NULL,"
     "  ctime_ns INTEGER NOT NULL,"
     "  hash BLOB NOT NULL,"
     "  PRIMARY KEY (device, inode)) WITHOUT ROWID;"},
};
const size_t store_migration_count = ARRAY_LEN(store_migrations);

// The highest version of a room that this folder has; 0 for none.
static int version_of(struct store_tx *tx, const char *room, int64_t *ret)
{
    return store_get_i64(tx, ret, "SELECT max(version) FROM migration WHERE room = ?",
                         "s", room);
}

static int highest_listed(const struct store_migration *list, size_t count,
                          const char *room)
{
    int highest = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].room, room) == 0) {
            highest = MAX(highest, list[i].version);
        }
    }
    return highest;
}

static int make_table(struct store *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s, STORE_WRITE, &tx));
    TRY(store_exec(tx,
                   "CREATE TABLE IF NOT EXISTS migration ("
                   "  room TEXT NOT NULL,"
                   "  version INTEGER NOT NULL,"
                   "  applied_us INTEGER NOT NULL,"
                   "  PRIMARY KEY (room, version)) WITHOUT ROWID",
                   ""));
    return store_commit(&tx);
}

static int apply(struct store *s, const struct store_migration *m, int highest)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t have = 0;
    TRY(store_begin(s, STORE_WRITE, &tx));
    TRY(version_of(tx, m->room, &have));
    FAIL_IF(have > highest, ERR_CONFLICT,
            "the data folder is newer than this program (%s %lld, known %d)", m->room,
            (long long)have, highest);
    if (have >= m->version) {
        return 0;
    }
    FAIL_IF(m->version != have + 1, ERR_INTERNAL, "migration %s %d follows %lld", m->room,
            m->version, (long long)have);
    TRY(store_run_text(tx, m->sql));
    TRY(store_exec(tx,
                   "INSERT INTO migration (room, version, applied_us) VALUES (?, ?, ?)",
                   "sii", m->room, (int64_t)m->version, clock_wall_us()));
    return store_commit(&tx);
}

// Without a write lock, because nearly every start finds nothing to do.
static int is_missing(struct store *s, const struct store_migration *m, int highest)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t have = 0;
    TRY(store_begin(s, STORE_READ, &tx));
    TRY(version_of(tx, m->room, &have));
    FAIL_IF(have > highest, ERR_CONFLICT,
            "the data folder is newer than this program (%s %lld, known %d)", m->room,
            (long long)have, highest);
    return have < m->version;
}

static int check_order(const struct store_migration *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int next = 1 + highest_listed(list, i, list[i].room);
        FAIL_IF(list[i].version != next, ERR_INTERNAL,
                "migration %s %d stands where %d belongs", list[i].room, list[i].version,
                next);
    }
    return 0;
}

int store_migrate(struct store *s, const struct store_migration *list, size_t count)
{
    TRY(check_order(list, count));
    TRY(make_table(s));
    for (size_t i = 0; i < count; i++) {
        int highest = highest_listed(list, count, list[i].room);
        int missing = is_missing(s, &list[i], highest);
        TRY(missing);
        if (missing) {
            TRY(apply(s, &list[i], highest));
        }
    }
    return 0;
}
