// SPDX-License-Identifier: GPL-3.0-or-later
//
// What becomes of results and logs when nobody has wanted them for long. A result is wanted while a job
// runs whose steps name its key, and for some time after the last such job ended: it may be rerun, or
// wished anew a little differently. Forgetting drops the rows and their references; the blobs go with the
// next collection of the store.
#include "flow/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int result_owner(const struct hash *key, char **ret)
{
    char hex[HASH_HEX_BYTES];
    hash_hex(key, hex);
    return cstr_printf(ret, RESULT_OWNER "%s", hex);
}

int result_forget(struct store_tx *tx, const struct hash *key)
{
    AUTO(cstr_free) char *owner = NULL;
    TRY(result_owner(key, &owner));
    TRY(store_ref_drop(tx, owner));
    return store_exec(tx, "DELETE FROM flow_result WHERE key = ?", "b", STORE_HASH(key));
}

int result_refer(struct store_tx *tx, const struct hash *key, const struct hash *blob)
{
    AUTO(cstr_free) char *owner = NULL;
    TRY(result_owner(key, &owner));
    return store_ref_add(tx, owner, blob);
}

struct keys {
    VEC(struct hash) items;
};

static void keys_free(struct keys *k)
{
    vec_free(&k->items);
}

static int unwanted(struct store_tx *tx, int64_t before_us, int limit, struct keys *out)
{
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(
        tx, &r,
        "SELECT key FROM flow_result AS r WHERE created_us < ?1 AND NOT EXISTS"
        " (SELECT 1 FROM flow_part AS p JOIN flow_step AS s ON s.id = p.step"
        " JOIN flow_job AS j ON j.id = s.job WHERE p.key = r.key AND"
        " (j.state = '" JOB_RUNNING "' OR j.finished_us >= ?1)) LIMIT ?2",
        "ii", before_us, (int64_t)limit));
    int more;
    while ((more = store_next(r)) > 0) {
        size_t len = 0;
        struct hash key;
        const void *bytes = store_bytes(r, 0, &len);
        FAIL_IF(len != HASH_BYTES, ERR_CORRUPT, "a key of %zu bytes", len);
        memcpy(key.bytes, bytes, HASH_BYTES);
        TRY(vec_push(&out->items, key));
    }
    return more;
}

int flow_forget(struct store_tx *tx, int64_t before_us, int limit)
{
    AUTO(keys_free) struct keys keys = {0};
    TRY(unwanted(tx, before_us, limit, &keys));
    vec_for_each (key, &keys.items) {
        TRY(result_forget(tx, key));
    }
    return (int)keys.items.len;
}

// --- logs ---------------------------------------------------------------------------------------

// 1 when the job ended before, or was never there.
static int ended_before(struct store_tx *tx, const char *job, int64_t before_us)
{
    int64_t ended = 0;
    int err =
        store_get_i64(tx, &ended,
                      "SELECT state <> '" JOB_RUNNING
                      "' AND coalesce(finished_us < ?, 0) FROM flow_job WHERE id = ?",
                      "is", before_us, job);
    return err == ERR_NOT_FOUND ? 1 : err < 0 ? err : (int)ended;
}

static int forget_log(struct store *store, const char *dir, const char *job,
                      int64_t before_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *path = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    int ended = ended_before(tx, job, before_us);
    if (ended <= 0) {
        return ended;
    }
    TRY(store_exec(tx, "UPDATE flow_step SET logged = 0 WHERE job = ?", "s", job));
    TRY(store_commit(&tx));
    TRY(cstr_printf(&path, "%s/%s", dir, job));
    TRY(fs_remove_tree(path));
    return 1;
}

static int is_due(struct store *store, const char *job, int64_t before_us)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    return ended_before(tx, job, before_us);
}

int flow_forget_logs(struct store *store, int64_t before_us, int64_t *ret_jobs)
{
    AUTO(cstr_free) char *path = NULL;
    int64_t jobs = 0;
    TRY(cstr_printf(&path, "%s/logs", store_dir(store)));
    DIR *dir = opendir(path);
    if (!dir && errno != ENOENT) {
        return err_fail_errno("opening %s", path);
    }
    int err = 0;
    for (struct dirent *e; dir && err >= 0 && (e = readdir(dir)) != NULL;) {
        if (uuid_is_valid(str_of(e->d_name))) {
            err = is_due(store, e->d_name, before_us);
            err = err > 0 ? forget_log(store, path, e->d_name, before_us) : err;
            jobs += err > 0;
        }
    }
    if (dir) {
        closedir(dir);
    }
    TRY(err);
    *ret_jobs = jobs;
    return 0;
}
