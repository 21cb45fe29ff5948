// SPDX-License-Identifier: GPL-3.0-or-later
//
// A connection and its prepared statements. The texts of this program's statements are literals, so
// that their number is small and a statement is prepared once a connection; a text used twice
// at a time (a query inside a query) has two statements in its bucket.
#include "store/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS         64
#define STATEMENT_LIMIT 512 // what is beyond it is prepared anew each time
#define BUSY_LIMIT_MS   60000

struct statement {
    sqlite3_stmt *handle;
    struct statement *next;
    uint32_t sum;
    bool busy;
    bool kept;
};

struct conn {
    sqlite3 *db;
    struct statement *buckets[BUCKETS];
    size_t count;
};

sqlite3 *conn_db(const struct conn *c)
{
    return c->db;
}

sqlite3_stmt *statement_handle(const struct statement *s)
{
    return s->handle;
}

// Another process writes. Short waits, because a commit is one fsync; the default handler's grow
// to 100 ms.
static int wait_for_lock(void *user, int attempt)
{
    (void)user;
    int ms = attempt < 5 ? 1 : attempt < 20 ? 3 : 10;
    struct timespec pause = {.tv_nsec = ms * 1000000L};
    nanosleep(&pause, NULL);
    return attempt < BUSY_LIMIT_MS / 10;
}

static int code_of(int sqlite_code, int system_errno)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERR_DENIED;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return system_errno == ENOSPC || system_errno == EDQUOT ? ERR_NO_SPACE : ERR_IO;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default:
        return ERR_INTERNAL;
    }
}

int conn_fail(const struct conn *c, const char *doing)
{
    int code = sqlite3_extended_errcode(c->db);
    return err_fail(code_of(code, sqlite3_system_errno(c->db)), "rows: %s (%.160s)",
                    sqlite3_errmsg(c->db), doing);
}

int conn_run(struct conn *c, const char *sql)
{
    if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return conn_fail(c, sql);
    }
    return 0;
}

// The switch to WAL takes an exclusive lock for which SQLite does not call the busy handler.
static int enter_wal(struct conn *c)
{
    for (int attempt = 0;; attempt++) {
        int err = conn_run(c, "PRAGMA journal_mode = WAL");
        if (err != ERR_BUSY || !wait_for_lock(NULL, attempt)) {
            return err;
        }
    }
}

int conn_open(struct conn **ret, const char *path)
{
    AUTO(conn_close) struct conn *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "a connection");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &c->db, flags, NULL) != SQLITE_OK) {
        FAIL_IF(!c->db, ERR_NOMEM, "a connection");
        return conn_fail(c, path);
    }
    sqlite3_busy_handler(c->db, wait_for_lock, NULL);
    TRY(enter_wal(c));
    TRY(conn_run(c, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;"
                    "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF"));
    *ret = TAKE(c);
    return 0;
}

void conn_close(struct conn **conn)
{
    struct conn *c = *conn;
    if (!c) {
        return;
    }
    *conn = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct statement *s = c->buckets[i], *next; s; s = next) {
            next = s->next;
            ASSERT(!s->busy);
            sqlite3_finalize(s->handle);
            free(s);
        }
    }
    sqlite3_close(c->db);
    free(c);
}

// FNV-1a: short texts, no adversary.
static uint32_t text_sum(const char *text)
{
    uint32_t sum = 2166136261u;
    for (const char *p = text; *p; p++) {
        sum = (sum ^ (uint8_t)*p) * 16777619u;
    }
    return sum;
}

int conn_prepare(struct conn *c, const char *sql, struct statement **ret)
{
    uint32_t sum = text_sum(sql);
    struct statement **bucket = &c->buckets[sum % BUCKETS];
    for (struct statement *s = *bucket; s; s = s->next) {
        if (!s->busy && s->sum == sum && strcmp(sqlite3_sql(s->handle), sql) == 0) {
            s->busy = true;
            *ret = s;
            return 0;
        }
    }
    struct statement *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a statement");
    const char *rest = "";
    if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle,
                           &rest) != SQLITE_OK) {
        free(s);
        return conn_fail(c, sql);
    }
    while (isspace((unsigned char)*rest)) {
        rest++;
    }
    if (!s->handle || *rest) {
        sqlite3_finalize(s->handle);
        free(s);
        FAIL(ERR_INTERNAL, "rows: exactly one statement is wanted: %s", sql);
    }
    s->sum = sum;
    s->busy = true;
    s->kept = c->count < STATEMENT_LIMIT;
    if (s->kept) {
        s->next = *bucket;
        *bucket = s;
        c->count++;
    }
    *ret = s;
    return 0;
}

void conn_release(struct conn *c, struct statement **statement)
{
    (void)c;
    struct statement *s = TAKE(*statement);
    if (!s) {
        return;
    }
    if (!s->kept) {
        sqlite3_finalize(s->handle);
        free(s);
        return;
    }
    sqlite3_reset(s->handle);
    sqlite3_clear_bindings(s->handle);
    s->busy = false;
}
