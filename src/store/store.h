// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows and blobs of one data folder. Rows: SQLite in WAL mode, synchronous FULL, every write in
// BEGIN IMMEDIATE, several processes at once. Blobs: immutable files named by SHA-256 in
// `blobs/ab/cdef…`. Neither knows what it holds.
//
//     DATA/rows.sqlite         rows
//     DATA/blobs/ab/cd…        blobs (62 digits below the first two)
//     DATA/scratch/…           half-written things; emptied by whoever owns them
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/base.h"
#include "meter/meter.h"

#include <sys/stat.h>

struct store;

// Opens or makes the folder. Thread-safe; one per process and folder.
int store_open(struct store **ret, const char *dir);
void store_close(struct store **);
const char *store_dir(const struct store *); // absolute
// Counts transactions there from now on, and how long writers wait and hold the writer's place. Before
// others use the store; the meter outlives it, or store_measure(…, NULL) comes first.
void store_measure(struct store *, struct meter *);

// --- rows ---------------------------------------------------------------------------------

// Forward only; `sql` may hold several statements. Versions of a room count from 1 without gaps.
struct store_migration {
    const char *room;
    int version;
    const char *sql;
};
// Applies what is missing, each in its own transaction. ERR_CONFLICT when the folder is newer
// than this program.
int store_migrate(struct store *, const struct store_migration *list, size_t count);

enum store_mode { STORE_READ, STORE_WRITE };

// A transaction on a connection of its own (pooled). Used by one thread at a time.
struct store_tx;
int store_begin(struct store *, enum store_mode, struct store_tx **ret);
int store_commit(struct store_tx **);    // *tx is NULL afterwards, also on failure
void store_rollback(struct store_tx **); // for AUTO; nothing when NULL
// Runs `after` once the commit is durable; nothing on rollback. For waking followers.
int store_on_commit(struct store_tx *, void (*after)(void *user), void *user);

// `sql` holds one statement with `?` for each letter of `types`, in order:
//   s const char * (NULL binds NULL)   i int64_t (also for bool)   d double
//   S struct str                        b const void *, size_t      j const json_t * (as text)
// Texts are bound, never pasted. ERR_CONFLICT: a constraint; ERR_NO_SPACE: the disk is full.
int store_exec(struct store_tx *, const char *sql, const char *types, ...);
int64_t store_changes(const struct store_tx *); // rows touched by the last store_exec

struct store_rows; // a cursor; closed before its transaction ends
int store_query(struct store_tx *, struct store_rows **ret, const char *sql,
                const char *types, ...);
void store_rows_free(struct store_rows **);
int store_next(struct store_rows *); // 1 there is a row, 0 no more, <0 failed
// Columns of the present row, from 0. Texts are valid until the next store_next; NULL for NULL.
const char *store_text(const struct store_rows *, int column);
int64_t store_i64(const struct store_rows *, int column); // 0 for NULL
double store_double(const struct store_rows *, int column);
bool store_is_null(const struct store_rows *, int column);
const void *store_bytes(const struct store_rows *, int column, size_t *ret_len);
int store_json(const struct store_rows *, int column,
               json_t **ret); // owned; JSON null for NULL

// One row as a value, owned by who asked.
typedef int store_item_f(const struct store_rows *, json_t **ret);
// What `make` gives for each row that is left, in order. Owned.
int store_array(struct store_rows *, store_item_f *make, json_t **ret);

// First column of the first row; ERR_NOT_FOUND without rows.
int store_get_i64(struct store_tx *, int64_t *ret, const char *sql, const char *types,
                  ...);
// Owned text; *ret is NULL where the column is NULL.
int store_get_text(struct store_tx *, char **ret, const char *sql, const char *types,
                   ...);

// Changes when any process committed a write. For followers that poll.
int store_data_version(struct store *, int64_t *ret);

// --- blobs --------------------------------------------------------------------------------
//
// A step's process has no rows: it opens blobs through store_blobs alone.

struct store_blobs;
int store_blobs_open(struct store_blobs **ret, const char *dir); // dir as for store_open
void store_blobs_close(struct store_blobs **);
struct store_blobs *store_blobs_of(struct store *); // borrowed

struct store_blob; // seekable, thread-safe for reading
int store_blob_open(struct store_blobs *, const struct hash *, struct store_blob **ret);
void store_blob_close(struct store_blob **);
int64_t store_blob_size(const struct store_blob *);
int store_blob_fd(const struct store_blob *); // borrowed
// Up to `len` bytes at `offset`: how many (0 at the end), or an error.
int64_t store_blob_read(struct store_blob *, int64_t offset, void *ret, size_t len);
bool store_blob_exists(struct store_blobs *, const struct hash *);

int store_blob_put(struct store_blobs *, const void *bytes, size_t len, struct hash *ret);
// Moves a file of the same file system in; it is gone afterwards. Not durable before
// store_blobs_sync, so that many files share one sync.
int store_blob_adopt(struct store_blobs *, const char *path, struct hash *ret,
                     int64_t *ret_size);
// As above, where the caller has just read the whole file and knows its hash.
int store_blob_adopt_known(struct store_blobs *, const char *path, const struct hash *,
                           int64_t size);
int store_blobs_sync(struct store_blobs *);
// Hard-links a blob to a path (copies when the file system allows no more links).
int store_blob_link(struct store_blobs *, const struct hash *, const char *path);

typedef void store_progress_f(void *user, int64_t done, int64_t total);
// Hashes a large file once while it is copied (or reflinked) in; remembered in rows by device,
// inode, size and times, so that the same untouched file costs nothing again.
int store_blob_import(struct store *, const char *path, store_progress_f *, void *user,
                      struct hash *ret, int64_t *ret_size);

// References keep blobs alive: `owner` is "<room>:<id>". Dropping an owner drops its references.
int store_ref_add(struct store_tx *, const char *owner, const struct hash *);
int store_ref_drop(struct store_tx *, const char *owner);

struct store_collect_config {
    int64_t min_age_us; // longer than any way from adoption to the commit of a reference
    bool (*stop)(void *user); // asked between files; NULL: to the end
    void *user;
};
struct store_collected {
    int64_t files; // names that are gone
    int64_t bytes; // that became free: those of files without another link
};
// Removes blobs without a reference, and what dead writers left, that nobody kept or referred to for
// `min_age_us`. Beside any number of readers and writers; killed at any moment it has removed some.
int store_collect(struct store *, const struct store_collect_config *,
                  struct store_collected *ret);
// What it would remove if this transaction were committed, file by file; <0 of `each` ends it.
typedef int store_loose_f(void *user, const struct stat *);
int store_loose(struct store_tx *, int64_t min_age_us, store_loose_f *each, void *user);

// Reads every blob that is referred to and compares it with its name. `bad` is told the path of each
// that differs (ERR_CORRUPT), is gone (ERR_NOT_FOUND) or cannot be read. As long as it takes to read all.
typedef void store_bad_f(void *user, const char *path, int err);
struct store_checked {
    int64_t files, bytes, bad;
};
int store_blobs_check(struct store *, store_bad_f *bad, void *user,
                      struct store_checked *ret);
// One file; ERR_CORRUPT where its bytes are not those of `wanted`.
int store_file_check(const char *path, const struct hash *wanted, int64_t *ret_bytes);

#endif
