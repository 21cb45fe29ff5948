// SPDX-License-Identifier: GPL-3.0-or-later
//
// A data folder: its connections and its blobs.
//
// Threads: a transaction takes a connection out of `idle` and gives it back; nobody else sees it
// meanwhile. Writers of one process queue at `writing`, so that SQLite's own lock, for which
// waiting is polling, is contended between processes only.
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_LIMIT     16
#define WRITER_WAIT_US 60000000

struct hook {
    void (*after)(void *user);
    void *user;
};

struct store_tx {
    struct store *store;
    struct conn *conn;
    enum store_mode mode;
    int64_t began_us; // of a writer, where that is counted
    int failed;       // SQLite gave the whole transaction up for this reason
    int open_rows;    // cursors that are not closed yet
    int64_t changes;
    VEC(struct hook) hooks;
};

struct store_rows {
    struct store_tx *tx;
    struct statement *statement;
};

// Several processes may make one folder at once; SQLite's switch to WAL and the first migrations
// are the only moments where they would meet.
static int lock_folder(const char *dir, int *ret_fd)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/rows.lock", dir));
    AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        return err_fail_errno("locking %s", path);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

// SQLite makes its files for all to read, and those beside the rows (-wal, -shm) with the rows' own
// mode: they hold keys and hashes of passwords, so the file is there, for its owner alone, before
// SQLite opens it.
static int make_rows_file(const char *path)
{
    // One that is there is not opened: closing it would drop the locks that SQLite holds for this
    // process (fcntl).
    AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 && errno != EEXIST ? err_fail_errno("making %s", path) : 0;
}

// Rows are there before the first blob is. New ones beside old blobs would know nothing of them: what
// removes packages and blobs that no row names would remove every film.
static int check_rows_are_there(struct store *s)
{
    struct stat st;
    bool any = false;
    if (stat(s->rows_path, &st) == 0 && st.st_size > 0) {
        return 0;
    }
    TRY(blobs_any(s->blobs, &any));
    FAIL_IF(
        any, ERR_CORRUPT,
        "%s is lost or empty, and %s/blobs is not: bring the rows back from a copy, or "
        "name another data folder",
        s->rows_path, s->dir);
    return 0;
}

static int open_folder(struct store *s, const char *dir)
{
    TRY(fs_make_dirs(dir));
    s->dir = realpath(dir, NULL);
    if (!s->dir) {
        return err_fail_errno("opening the data folder %s", dir);
    }
    TRY(cstr_printf(&s->rows_path, "%s/rows.sqlite", s->dir));
    TRY(store_blobs_open(&s->blobs, s->dir));
    AUTO(cstr_free) char *scratch = NULL;
    TRY(cstr_printf(&scratch, "%s/scratch", s->dir));
    TRY(fs_make_dirs(scratch));
    AUTO(fd_close) int lock = -1;
    TRY(lock_folder(s->dir, &lock));
    TRY(check_rows_are_there(s));
    TRY(make_rows_file(s->rows_path));
    TRY(conn_open(&s->watch, s->rows_path));
    return store_migrate(s, store_migrations, store_migration_count);
}

int store_open(struct store **ret, const char *dir)
{
    AUTO(store_close) struct store *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a store");
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->watch_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->writer_left, &attr);
    pthread_condattr_destroy(&attr);
    TRY(open_folder(s, dir));
    *ret = TAKE(s);
    return 0;
}

void store_close(struct store **store)
{
    struct store *s = TAKE(*store);
    if (!s) {
        return;
    }
    ASSERT(!s->writing);
    vec_for_each (c, &s->idle) {
        conn_close(c);
    }
    vec_free(&s->idle);
    conn_close(&s->watch);
    store_blobs_close(&s->blobs);
    pthread_cond_destroy(&s->writer_left);
    pthread_mutex_destroy(&s->watch_lock);
    pthread_mutex_destroy(&s->lock);
    free(s->rows_path);
    free(s->dir);
    free(s);
}

void store_measure(struct store *s, struct meter *m)
{
    const struct meter_tag read[] = {{"mode", "read"}, {0}};
    const struct meter_tag commit[] = {{"mode", "write"}, {"end", "commit"}, {0}};
    const struct meter_tag rollback[] = {{"mode", "write"}, {"end", "rollback"}, {0}};
    s->counts.reads = meter_counter_of(m, "marquee.store.transactions", read);
    s->counts.commits = meter_counter_of(m, "marquee.store.transactions", commit);
    s->counts.rollbacks = meter_counter_of(m, "marquee.store.transactions", rollback);
    s->counts.wait = meter_percentile_timer_of(m, "marquee.store.write.wait", NULL);
    s->counts.hold = meter_percentile_timer_of(m, "marquee.store.write.hold", NULL);
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

struct store_blobs *store_blobs_of(struct store *s)
{
    return s->blobs;
}

struct store *store_of_tx(struct store_tx *tx)
{
    return tx->store;
}

static int enter_writer(struct store *s)
{
    int64_t until_us = clock_mono_us() + WRITER_WAIT_US;
    struct timespec until = {.tv_sec = until_us / 1000000,
                             .tv_nsec = until_us % 1000000 * 1000};
    int err = 0;
    pthread_mutex_lock(&s->lock);
    while (s->writing && err == 0) {
        err = pthread_cond_timedwait(&s->writer_left, &s->lock, &until);
    }
    bool entered = !s->writing;
    s->writing = true;
    pthread_mutex_unlock(&s->lock);
    FAIL_IF(!entered, ERR_BUSY, "another thread writes since %d s",
            WRITER_WAIT_US / 1000000);
    return 0;
}

static void leave_writer(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->writing = false;
    pthread_cond_signal(&s->writer_left);
    pthread_mutex_unlock(&s->lock);
}

static int take_conn(struct store *s, struct conn **ret)
{
    pthread_mutex_lock(&s->lock);
    struct conn *c = s->idle.len ? s->idle.data[--s->idle.len] : NULL;
    pthread_mutex_unlock(&s->lock);
    if (!c) {
        TRY(conn_open(&c, s->rows_path));
    }
    *ret = c;
    return 0;
}

static void give_conn(struct store *s, struct conn **conn)
{
    pthread_mutex_lock(&s->lock);
    if (s->idle.len < IDLE_LIMIT && vec_push(&s->idle, *conn) == 0) {
        *conn = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    conn_close(conn);
}

static void count_tx(const struct store_tx *t, struct meter_counter *writes)
{
    if (t->mode == STORE_READ) {
        meter_counter_add(t->store->counts.reads, 1);
        return;
    }
    meter_counter_add(writes, 1);
    if (t->store->counts.hold) {
        meter_timer_add_us(t->store->counts.hold, clock_mono_us() - t->began_us);
    }
}

static void end_tx(struct store_tx **tx)
{
    struct store_tx *t = TAKE(*tx);
    ASSERT(t->open_rows == 0);
    if (t->conn) {
        give_conn(t->store, &t->conn);
    }
    if (t->mode == STORE_WRITE) {
        leave_writer(t->store);
    }
    vec_free(&t->hooks);
    free(t);
}

int store_begin(struct store *s, enum store_mode mode, struct store_tx **ret)
{
    struct store_tx *t = calloc(1, sizeof *t);
    FAIL_IF(!t, ERR_NOMEM, "a transaction");
    t->store = s;
    t->mode = mode;
    int64_t asked_us = s->counts.wait && mode == STORE_WRITE ? clock_mono_us() : 0;
    int err = mode == STORE_WRITE ? enter_writer(s) : 0;
    if (err < 0) {
        free(t);
        return err;
    }
    err = take_conn(s, &t->conn);
    if (err == 0) {
        err = conn_run(t->conn, mode == STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN");
    }
    if (err < 0) {
        end_tx(&t);
        return err;
    }
    if (asked_us) {
        t->began_us = clock_mono_us();
        meter_timer_add_us(s->counts.wait, t->began_us - asked_us);
    }
    *ret = t;
    return 0;
}

void store_rollback(struct store_tx **tx)
{
    struct store_tx *t = *tx;
    if (!t) {
        return;
    }
    ASSERT(t->open_rows == 0);
    if (!sqlite3_get_autocommit(conn_db(t->conn)) && conn_run(t->conn, "ROLLBACK") < 0) {
        conn_close(&t->conn);
    }
    count_tx(t, t->store->counts.rollbacks);
    end_tx(tx);
}

int store_commit(struct store_tx **tx)
{
    struct store_tx *t = *tx;
    ASSERT(t->open_rows == 0);
    int err = t->failed;
    if (err == 0) {
        err = conn_run(t->conn, "COMMIT");
    } else {
        err_fail(err, "the transaction was given up: %s", err_text(err));
    }
    if (err < 0) {
        store_rollback(tx);
        return err;
    }
    VEC(struct hook) hooks = {t->hooks.data, t->hooks.len, t->hooks.cap};
    t->hooks.data = NULL;
    count_tx(t, t->store->counts.commits);
    end_tx(tx);
    vec_for_each (hook, &hooks) {
        hook->after(hook->user);
    }
    vec_free(&hooks);
    return 0;
}

int store_on_commit(struct store_tx *t, void (*after)(void *user), void *user)
{
    return vec_push(&t->hooks, (struct hook){after, user});
}

// --- statements -----------------------------------------------------------------------------

static int bind_json(sqlite3_stmt *st, int at, const json_t *value)
{
    if (!value) {
        return sqlite3_bind_null(st, at);
    }
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, value);
    return text.err ? SQLITE_NOMEM
                    : sqlite3_bind_text64(st, at, text.data, text.len, SQLITE_TRANSIENT,
                                          SQLITE_UTF8);
}

static int bind_one(sqlite3_stmt *st, int at, char type, va_list *args)
{
    switch (type) {
    case 's': {
        const char *s = va_arg(*args, const char *);
        return sqlite3_bind_text(st, at, s, -1, SQLITE_TRANSIENT);
    }
    case 'S': {
        struct str s = va_arg(*args, struct str);
        return sqlite3_bind_text64(st, at, s.data ? s.data : "", s.len, SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    }
    case 'i':
        return sqlite3_bind_int64(st, at, va_arg(*args, int64_t));
    case 'd':
        return sqlite3_bind_double(st, at, va_arg(*args, double));
    case 'b': {
        const void *bytes = va_arg(*args, const void *);
        size_t len = va_arg(*args, size_t);
        return bytes ? sqlite3_bind_blob64(st, at, bytes, len, SQLITE_TRANSIENT)
                     : sqlite3_bind_null(st, at);
    }
    case 'j':
        return bind_json(st, at, va_arg(*args, const json_t *));
    default:
        return SQLITE_MISUSE;
    }
}

static int start(struct store_tx *t, struct statement **ret, const char *sql,
                 const char *types, va_list *args)
{
    FAIL_IF(t->failed < 0, t->failed, "the transaction was given up: %s",
            err_text(t->failed));
    struct statement *s = NULL;
    TRY(conn_prepare(t->conn, sql, &s));
    sqlite3_stmt *st = statement_handle(s);
    int err = 0;
    if ((size_t)sqlite3_bind_parameter_count(st) != strlen(types)) {
        err = err_fail(ERR_INTERNAL, "rows: %zu values for: %s", strlen(types), sql);
    } else if (t->mode == STORE_READ && !sqlite3_stmt_readonly(st)) {
        err = err_fail(ERR_INTERNAL, "rows: a write in a reading transaction: %s", sql);
    }
    for (int i = 0; err == 0 && types[i]; i++) {
        if (bind_one(st, i + 1, types[i], args) != SQLITE_OK) {
            err = err_fail(ERR_INTERNAL, "rows: value %d ('%c') of: %s", i + 1, types[i],
                           sql);
        }
    }
    if (err < 0) {
        conn_release(t->conn, &s);
        return err;
    }
    *ret = s;
    return 0;
}

// 1 a row, 0 the end, <0 failed.
static int step(struct store_tx *t, struct statement *s)
{
    int code = sqlite3_step(statement_handle(s));
    if (code == SQLITE_ROW) {
        return 1;
    }
    if (code == SQLITE_DONE) {
        return 0;
    }
    int err = conn_fail(t->conn, sqlite3_sql(statement_handle(s)));
    // A full disk or a failed write may end the transaction inside SQLite; what follows must
    // not be written outside of it.
    if (sqlite3_get_autocommit(conn_db(t->conn))) {
        t->failed = err;
    }
    return err;
}

int store_exec(struct store_tx *t, const char *sql, const char *types, ...)
{
    struct statement *s = NULL;
    va_list args;
    va_start(args, types);
    int err = start(t, &s, sql, types, &args);
    va_end(args);
    TRY(err);
    int64_t before = sqlite3_total_changes64(conn_db(t->conn));
    do {
        err = step(t, s);
    } while (err > 0);
    // changes() keeps the count of an earlier statement when this one is no write.
    t->changes = sqlite3_total_changes64(conn_db(t->conn)) == before
                     ? 0
                     : sqlite3_changes64(conn_db(t->conn));
    conn_release(t->conn, &s);
    return err;
}

int64_t store_changes(const struct store_tx *t)
{
    return t->changes;
}

static int query(struct store_tx *t, struct store_rows **ret, const char *sql,
                 const char *types, va_list *args)
{
    struct store_rows *r = calloc(1, sizeof *r);
    FAIL_IF(!r, ERR_NOMEM, "a cursor");
    int err = start(t, &r->statement, sql, types, args);
    if (err < 0) {
        free(r);
        return err;
    }
    r->tx = t;
    t->open_rows++;
    *ret = r;
    return 0;
}

int store_query(struct store_tx *t, struct store_rows **ret, const char *sql,
                const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int err = query(t, ret, sql, types, &args);
    va_end(args);
    return err;
}

void store_rows_free(struct store_rows **rows)
{
    struct store_rows *r = TAKE(*rows);
    if (r) {
        conn_release(r->tx->conn, &r->statement);
        r->tx->open_rows--;
        free(r);
    }
}

int store_next(struct store_rows *r)
{
    return step(r->tx, r->statement);
}

static sqlite3_stmt *handle(const struct store_rows *r, int column)
{
    sqlite3_stmt *st = statement_handle(r->statement);
    ASSERT(column >= 0 && column < sqlite3_data_count(st));
    return st;
}

const char *store_text(const struct store_rows *r, int column)
{
    return (const char *)sqlite3_column_text(handle(r, column), column);
}

int64_t store_i64(const struct store_rows *r, int column)
{
    return sqlite3_column_int64(handle(r, column), column);
}

double store_double(const struct store_rows *r, int column)
{
    return sqlite3_column_double(handle(r, column), column);
}

bool store_is_null(const struct store_rows *r, int column)
{
    return sqlite3_column_type(handle(r, column), column) == SQLITE_NULL;
}

const void *store_bytes(const struct store_rows *r, int column, size_t *ret_len)
{
    sqlite3_stmt *st = handle(r, column);
    const void *bytes = sqlite3_column_blob(st, column);
    *ret_len = (size_t)sqlite3_column_bytes(st, column);
    return bytes;
}

int store_json(const struct store_rows *r, int column, json_t **ret)
{
    size_t len = 0;
    const char *text = store_bytes(r, column, &len);
    if (!text) {
        return json_made(json_null(), ret);
    }
    return json_parse(ret, (struct str){text, len}, SIZE_MAX);
}

int store_array(struct store_rows *r, store_item_f *make, json_t **ret)
{
    AUTO(json_free) json_t *array = json_array();
    FAIL_IF(!array, ERR_NOMEM, "a list");
    int more;
    while ((more = store_next(r)) > 0) {
        json_t *item = NULL;
        TRY(make(r, &item));
        FAIL_IF(json_array_append_new(array, item) < 0, ERR_NOMEM, "a list");
    }
    TRY(more);
    *ret = TAKE(array);
    return 0;
}

int store_get_i64(struct store_tx *t, int64_t *ret, const char *sql, const char *types,
                  ...)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    va_list args;
    va_start(args, types);
    int err = query(t, &r, sql, types, &args);
    va_end(args);
    TRY(err);
    ASSERT(r);
    TRY(err = store_next(r));
    FAIL_IF(err == 0, ERR_NOT_FOUND, "no such row");
    *ret = store_i64(r, 0);
    return 0;
}

int store_get_text(struct store_tx *t, char **ret, const char *sql, const char *types,
                   ...)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    va_list args;
    va_start(args, types);
    int err = query(t, &r, sql, types, &args);
    va_end(args);
    TRY(err);
    ASSERT(r);
    TRY(err = store_next(r));
    FAIL_IF(err == 0, ERR_NOT_FOUND, "no such row");
    const char *text = store_text(r, 0);
    if (!text) {
        *ret = NULL;
        return 0;
    }
    return cstr_dup(ret, text);
}

int store_data_version(struct store *s, int64_t *ret)
{
    struct statement *st = NULL;
    pthread_mutex_lock(&s->watch_lock);
    int err = conn_prepare(s->watch, "PRAGMA data_version", &st);
    if (err == 0) {
        if (sqlite3_step(statement_handle(st)) == SQLITE_ROW) {
            *ret = sqlite3_column_int64(statement_handle(st), 0);
        } else {
            err = conn_fail(s->watch, "PRAGMA data_version");
        }
        conn_release(s->watch, &st);
    }
    pthread_mutex_unlock(&s->watch_lock);
    return err;
}

int store_run_text(struct store_tx *t, const char *sql)
{
    return conn_run(t->conn, sql);
}
