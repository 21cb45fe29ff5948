// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>

// One SQLite connection, used by one thread at a time, with the statements that it prepared.
struct conn;
struct statement;

int conn_open(struct conn **ret, const char *path);
void conn_close(struct conn **);
sqlite3 *conn_db(const struct conn *);
// Runs a text of any number of statements without values.
int conn_run(struct conn *, const char *sql);
// A prepared statement that nobody else uses now; given back by conn_release.
int conn_prepare(struct conn *, const char *sql, struct statement **ret);
void conn_release(struct conn *, struct statement **);
sqlite3_stmt *statement_handle(const struct statement *);
// The code for what SQLite just answered, with its text as the reason.
int conn_fail(const struct conn *, const char *doing);

struct store_blobs {
    char *root; // DATA/blobs, absolute
    char *made; // DATA/blobs/new: files that have no name yet
    int root_fd;
};

struct store {
    char *dir;
    char *rows_path;
    struct store_blobs *blobs;

    pthread_mutex_t lock; // what follows
    VEC(struct conn *) idle;
    pthread_cond_t writer_left;
    // One writer a process: SQLite has one a file, and its own queue is polling
    bool writing;

    struct { // NULL: not counted
        struct meter_counter *reads, *commits, *rollbacks;
        struct meter_timer *wait, *hold;
    } counts;

    pthread_mutex_t watch_lock; // after lock
    struct conn *watch; // never writes, so that every commit changes its data_version
};

extern const struct store_migration store_migrations[];
extern const size_t store_migration_count;

// DATA/blobs/ab/cd…
#define BLOB_NAME_BYTES (HASH_HEX_BYTES + 1)
void blob_name(const struct hash *, char ret[BLOB_NAME_BYTES]);
// An empty file without a name yet: its path (owned) and descriptor.
int blob_new_file(struct store_blobs *, char **ret_path, int *ret_fd);
// Whether a blob was ever kept here.
int blobs_any(struct store_blobs *, bool *ret);
// Gives a whole file its name, or removes it where the name exists. Not durable.
int blob_keep(struct store_blobs *, const char *path, int64_t size, const struct hash *);
// Makes a blob young, so that no collector takes it before its reference is written.
int blob_touch(struct store_blobs *, const struct hash *);
// LOCK_SH or LOCK_EX, until the descriptor is closed.
int blobs_lock(struct store_blobs *, int operation, int *ret_fd);
int blob_hash_fd(int fd, struct hash *ret, int64_t *ret_size);

struct store *store_of_tx(struct store_tx *);
// Any number of statements without values, inside the transaction: for migrations.
int store_run_text(struct store_tx *, const char *sql);

#endif
