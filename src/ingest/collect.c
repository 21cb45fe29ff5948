// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a data folder no longer needs, and its removal (ADR 36). In this order, each step durable before the
// next, so that who is killed anywhere has removed nothing that a row still names:
//
//     packages that no title plays are marked with the time when that was first so
//     results of steps that no job wants any more are forgotten, with their references (flow)
//     packages marked long enough ago: folder renamed away and rows deleted in one transaction, then removed
//     logs of old jobs (flow)
//     blobs without a reference (store)
//
// Publishing happens in a writing transaction as well, so that a package is never renamed away below the
// one that publishes it again.
#include "catalog/catalog.h"
#include "ingest/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US      INT64_C(86400000000)
#define BATCH       100 // results forgotten in one transaction: others write between two
#define TRASH       ".old"    // the ending of a folder on its way out
#define PACKAGE_MAX (1 << 28) // bytes of a package.json

const struct ingest_retention ingest_retention_usual = {.results_us = 7 * DAY_US,
                                                        .packages_us =
                                                            INGEST_PACKAGE_KEPT_US,
                                                        .logs_us = 30 * DAY_US,
                                                        .blobs_us = DAY_US};

// --- which packages are played ------------------------------------------------------------------

int package_mark(struct store_tx *tx, const char *hex)
{
    int played = catalog_package_is_played(tx, hex);
    TRY(played);
    return played
               ? store_exec(tx,
                            "UPDATE ingest_package SET unused_us = NULL WHERE hash = ?"
                            " AND unused_us IS NOT NULL",
                            "s", hex)
               : store_exec(tx,
                            "UPDATE ingest_package SET unused_us = ? WHERE hash = ? AND"
                            " unused_us IS NULL",
                            "is", clock_wall_us(), hex);
}

static int text_json(const struct store_rows *r, json_t **ret)
{
    return json_made(json_string(store_text(r, 0)), ret);
}

// All packages, marked by what titles play now: for folders of programs that did not mark.
static int mark_all(struct store_tx *tx)
{
    AUTO(json_free) json_t *all = NULL;
    size_t i;
    json_t *hash;
    {
        AUTO(store_rows_free) struct store_rows *r = NULL;
        TRY(store_query(tx, &r, "SELECT DISTINCT hash FROM ingest_package", ""));
        TRY(store_array(r, text_json, &all));
    }
    json_array_foreach(all, i, hash)
    {
        TRY(package_mark(tx, json_string_value(hash)));
    }
    return 0;
}

// Hashes of the packages to be removed.
static int list_doomed(struct store_tx *tx, const struct ingest_retention *keep,
                       json_t **ret)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT DISTINCT hash FROM ingest_package WHERE unused_us <= ?"
                    " ORDER BY hash",
                    "i",
                    clock_wall_us() - MAX(keep->packages_us, INGEST_PACKAGE_KEPT_US)));
    return store_array(r, text_json, ret);
}

// --- what a package weighs ----------------------------------------------------------------------

struct weight {
    VEC(ino_t) inodes; // of files that have other names too
    int64_t bytes;     // of files that have none
};

static void weight_clear(struct weight *w)
{
    vec_free(&w->inodes);
}

static int weigh_file(struct weight *w, const char *root, const char *path)
{
    AUTO(cstr_free) char *whole = NULL;
    struct stat st;
    TRY(cstr_printf(&whole, "%s/%s", root, path));
    if (lstat(whole, &st) < 0) {
        return errno == ENOENT ? 0 : err_fail_errno("%s", whole);
    }
    w->bytes += st.st_nlink == 1 ? st.st_size : 0;
    return st.st_nlink == 1 ? 0 : vec_push(&w->inodes, st.st_ino);
}

static int weigh_package(struct weight *w, const char *root)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(json_free) json_t *package = NULL;
    size_t i;
    json_t *file, *files = NULL;
    TRY(cstr_printf(&path, "%s/package.json", root));
    if (!fs_exists(path)) {
        return 0;
    }
    TRY(json_parse_file(&package, path, PACKAGE_MAX));
    TRY(json_get_array(package, "files", &files));
    json_array_foreach(files, i, file)
    {
        TRY(weigh_file(w, root, json_str_or(file, "path", "")));
    }
    return weigh_file(w, root, "package.json");
}

// --- removing packages --------------------------------------------------------------------------

// In one transaction; *ret_trash (owned) is to be removed behind its commit.
static int retire(struct store *store, const char *hex, int64_t before_us,
                  char **ret_trash)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *place = NULL, *trash = NULL;
    char id[UUID_BYTES];
    uuid_v7(id);
    TRY(cstr_printf(&place, "%s/media/%s", store_dir(store), hex));
    TRY(cstr_printf(&trash, "%s/media/.%s" TRASH, store_dir(store), id));
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(store_exec(tx, "DELETE FROM ingest_package WHERE hash = ? AND unused_us <= ?",
                   "si", hex, before_us));
    int used = catalog_package_is_played(tx, hex);
    TRY(used);
    if (store_changes(tx) == 0 || used) {
        return 0; // somebody published it again
    }
    TRY(store_exec(tx, "UPDATE ingest_delivery SET package = NULL WHERE package = ?", "s",
                   hex));
    // Killed before the commit, the rows name a folder that is not there: the next collection goes on.
    if (rename(place, trash) < 0 && errno != ENOENT) {
        return err_fail_errno("%s", place);
    }
    TRY(store_commit(&tx));
    *ret_trash = TAKE(trash);
    return 1;
}

struct collection {
    struct store *store;
    const struct ingest_retention *keep;
    bool (*stop)(void *user);
    void *user;
    struct ingest_collected made;
};

static bool is_stopped(const struct collection *c)
{
    return c->stop && c->stop(c->user);
}

static int remove_packages(struct collection *c)
{
    AUTO(json_free) json_t *doomed = NULL;
    size_t i;
    json_t *hash;
    int64_t before_us =
        clock_wall_us() - MAX(c->keep->packages_us, INGEST_PACKAGE_KEPT_US);
    {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(c->store, STORE_READ, &tx));
        TRY(list_doomed(tx, c->keep, &doomed));
    }
    json_array_foreach(doomed, i, hash)
    {
        AUTO(cstr_free) char *trash = NULL;
        AUTO(weight_clear) struct weight w = {0};
        if (is_stopped(c)) {
            break;
        }
        int retired = retire(c->store, json_string_value(hash), before_us, &trash);
        TRY(retired);
        if (retired) {
            TRY(weigh_package(&w, trash));
            TRY(fs_remove_tree(trash));
            c->made.packages++;
            c->made.bytes += w.bytes;
        }
    }
    return 0;
}

int trash_sweep(const char *media)
{
    DIR *dir = opendir(media);
    if (!dir) {
        return errno == ENOENT ? 0 : err_fail_errno("%s", media);
    }
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir));) {
        AUTO(cstr_free) char *path = NULL;
        if (e->d_name[0] == '.' && str_ends(str_of(e->d_name), TRASH)) {
            err = cstr_printf(&path, "%s/%s", media, e->d_name);
            err = err == 0 ? fs_remove_tree(path) : err;
        }
    }
    closedir(dir);
    return err;
}

// --- the whole ----------------------------------------------------------------------------------

static int mark_packages(struct store *store)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(mark_all(tx));
    return store_commit(&tx);
}

static int forget_results(struct collection *c)
{
    int64_t before_us = clock_wall_us() - c->keep->results_us;
    for (int forgotten = BATCH; forgotten == BATCH && !is_stopped(c);) {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(c->store, STORE_WRITE, &tx));
        forgotten = flow_forget(tx, before_us, BATCH);
        TRY(forgotten);
        TRY(store_commit(&tx));
        c->made.results += forgotten;
    }
    return 0;
}

static int collect_blobs(struct collection *c)
{
    const struct store_collect_config config = {
        .min_age_us = c->keep->blobs_us, .stop = c->stop, .user = c->user};
    struct store_collected made = {0};
    TRY(store_collect(c->store, &config, &made));
    c->made.files = made.files;
    c->made.bytes += made.bytes;
    return 0;
}

static int made_json(const struct ingest_collected *made, json_t **ret)
{
    return json_made(
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "results", (json_int_t)made->results,
                  "packages", (json_int_t)made->packages, "logs", (json_int_t)made->logs,
                  "files", (json_int_t)made->files, "bytes", (json_int_t)made->bytes),
        ret);
}

static int note_end(const struct collection *c)
{
    const struct ingest_collected *made = &c->made;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *data = NULL;
    TRY(made_json(made, &data));
    TRY(store_begin(c->store, STORE_WRITE, &tx));
    TRY(store_exec(tx, "INSERT OR REPLACE INTO ingest_collection VALUES (1, ?)", "i",
                   clock_wall_us()));
    if (made->results || made->packages || made->logs || made->files) {
        TRY(emit(tx, "store.collected.v1", "store/data", "system", NULL, data));
    }
    return store_commit(&tx);
}

int ingest_collect(struct store *store, const struct ingest_retention *keep,
                   bool (*stop)(void *user), void *user, struct ingest_collected *ret)
{
    struct collection c = {.store = store, .keep = keep, .stop = stop, .user = user};
    AUTO(cstr_free) char *media = NULL;
    TRY(cstr_printf(&media, "%s/media", store_dir(store)));
    TRY(mark_packages(store));
    TRY(forget_results(&c));
    TRY(trash_sweep(media)); // of who was killed here before
    TRY(remove_packages(&c));
    TRY(flow_forget_logs(store, clock_wall_us() - keep->logs_us, &c.made.logs));
    TRY(collect_blobs(&c));
    TRY(is_stopped(&c) ? 0 : note_end(&c));
    *ret = c.made;
    return 0;
}

bool ingest_collection_is_due(struct store *store, int64_t every_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t at_us = 0;
    if (store_begin(store, STORE_READ, &tx) < 0) {
        return false;
    }
    int err = store_get_i64(tx, &at_us, "SELECT at_us FROM ingest_collection", "");
    return err == ERR_NOT_FOUND || (err == 0 && at_us <= clock_wall_us() - every_us);
}

// --- asking first -------------------------------------------------------------------------------

static int by_inode(const void *pa, const void *pb)
{
    const ino_t *a = pa, *b = pb;
    return (*a > *b) - (*a < *b);
}

static int64_t names_among(const struct weight *w, ino_t inode)
{
    int64_t names = 0;
    const ino_t *at = w->inodes.len ? bsearch(&inode, w->inodes.data, w->inodes.len,
                                              sizeof *w->inodes.data, by_inode)
                                    : NULL;
    if (!at) {
        return 0;
    }
    while (at > w->inodes.data && at[-1] == inode) {
        at--;
    }
    for (; at < w->inodes.data + w->inodes.len && *at == inode; at++) {
        names++;
    }
    return names;
}

struct asking {
    struct weight doomed;
    struct ingest_collected *made;
};

static int count_loose(void *user, const struct stat *st)
{
    struct asking *a = user;
    a->made->files++;
    bool free = (int64_t)st->st_nlink - names_among(&a->doomed, st->st_ino) == 1;
    a->made->bytes += free ? st->st_size : 0;
    return 0;
}

static int ask(struct store_tx *tx, const char *dir, const struct ingest_retention *keep,
               struct asking *a)
{
    AUTO(json_free) json_t *doomed = NULL;
    size_t i;
    json_t *hash;
    TRY(mark_all(tx));
    for (int forgotten = BATCH; forgotten == BATCH;) {
        forgotten = flow_forget(tx, clock_wall_us() - keep->results_us, BATCH);
        TRY(forgotten);
        a->made->results += forgotten;
    }
    TRY(list_doomed(tx, keep, &doomed));
    json_array_foreach(doomed, i, hash)
    {
        AUTO(cstr_free) char *root = NULL;
        TRY(cstr_printf(&root, "%s/media/%s", dir, json_string_value(hash)));
        TRY(weigh_package(&a->doomed, root));
        a->made->packages++;
    }
    if (a->doomed.inodes.len) {
        qsort(a->doomed.inodes.data, a->doomed.inodes.len, sizeof *a->doomed.inodes.data,
              by_inode);
    }
    a->made->bytes += a->doomed.bytes;
    return store_loose(tx, keep->blobs_us, count_loose, a);
}

int ingest_collectable(struct store *store, const struct ingest_retention *keep,
                       struct ingest_collected *ret)
{
    struct ingest_collected made = {0};
    struct asking a = {.made = &made};
    AUTO(store_rollback) struct store_tx *tx = NULL;
    // All of it happens in a transaction that is never committed.
    TRY(store_begin(store, STORE_WRITE, &tx));
    int err = ask(tx, store_dir(store), keep, &a);
    weight_clear(&a.doomed);
    TRY(err);
    *ret = made;
    return 0;
}
