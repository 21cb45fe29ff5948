// SPDX-License-Identifier: GPL-3.0-or-later
//
// Disks forget. A blob's name is the hash of its bytes, so that reading it tells whether it is still
// what was kept.
#include "store/internal.h"

#include <fcntl.h>
#include <string.h>

int store_file_check(const char *path, const struct hash *wanted, int64_t *ret_bytes)
{
    // The folder may be anybody's: no FIFO is waited for, no link followed.
    AUTO(fd_close)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct hash h;
    if (fd < 0) {
        return err_fail_errno("%s", path);
    }
    TRY(blob_hash_fd(fd, &h, ret_bytes));
    FAIL_IF(!hash_eq(&h, wanted), ERR_CORRUPT, "%s is not what was kept", path);
    return 0;
}

// All hashes at once: a transaction that reads for hours would hold the log of the rows.
static int referred(struct store *s, struct buf *out)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_begin(s, STORE_READ, &tx));
    TRY(store_query(tx, &rows, "SELECT DISTINCT hash FROM blob_ref ORDER BY hash", ""));
    int any;
    while ((any = store_next(rows)) > 0) {
        size_t len = 0;
        const void *bytes = store_bytes(rows, 0, &len);
        FAIL_IF(len != HASH_BYTES, ERR_CORRUPT, "a reference of %zu bytes", len);
        buf_add(out, bytes, len);
    }
    TRY(any);
    return out->err;
}

// What was let go meanwhile is not missed.
static int is_referred_still(struct store *s, const struct hash *h)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t one = 0;
    TRY(store_begin(s, STORE_READ, &tx));
    int err = store_get_i64(tx, &one, "SELECT 1 FROM blob_ref WHERE hash = ? LIMIT 1",
                            "b", (const void *)h->bytes, (size_t)HASH_BYTES);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

int store_blobs_check(struct store *s, store_bad_f *bad, void *user,
                      struct store_checked *ret)
{
    AUTO(buf_free) struct buf hashes = {0};
    struct store_checked made = {0};
    TRY(referred(s, &hashes));
    for (size_t i = 0; i < hashes.len; i += HASH_BYTES) {
        struct hash h;
        char name[BLOB_NAME_BYTES];
        AUTO(cstr_free) char *path = NULL;
        int64_t bytes = 0;
        memcpy(h.bytes, hashes.data + i, HASH_BYTES);
        blob_name(&h, name);
        TRY(cstr_printf(&path, "%s/%s", s->blobs->root, name));
        int err = store_file_check(path, &h, &bytes);
        if (err < 0) {
            int wanted = is_referred_still(s, &h);
            TRY(wanted);
            if (!wanted) {
                continue;
            }
            made.bad++;
            bad(user, path, err);
        }
        made.files++;
        made.bytes += bytes;
    }
    *ret = made;
    return 0;
}
