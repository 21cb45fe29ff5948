// SPDX-License-Identifier: GPL-3.0-or-later
//
// References, and the removal of blobs that have none. A blob that is about to be referred to is
// young (blob_keep and store_ref_add touch it under the shared lock); the collector looks at its age
// under the exclusive one, so that it takes nothing between the two.
#include "store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int store_ref_add(struct store_tx *tx, const char *owner, const struct hash *h)
{
    TRY(blob_touch(store_of_tx(tx)->blobs, h));
    return store_exec(tx, "INSERT OR IGNORE INTO blob_ref (hash, owner) VALUES (?, ?)",
                      "bs", (const void *)h->bytes, (size_t)HASH_BYTES, owner);
}

int store_ref_drop(struct store_tx *tx, const char *owner)
{
    return store_exec(tx, "DELETE FROM blob_ref WHERE owner = ?", "s", owner);
}

static void dir_close(DIR **d)
{
    if (*d) {
        closedir(*d);
        *d = NULL;
    }
}

static int dir_open(int root_fd, const char *name, DIR **ret)
{
    AUTO(fd_close) int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        return err_fail_errno("opening the folder %s", name);
    }
    fd = -1;
    *ret = d;
    return 0;
}

static bool is_old(const struct stat *st, int64_t min_age_us)
{
    int64_t changed_us =
        st->st_ctim.tv_sec * INT64_C(1000000) + st->st_ctim.tv_nsec / 1000;
    return clock_wall_us() - changed_us >= min_age_us;
}

// Bytes that became free; 0 for a file that is young or linked elsewhere.
static int64_t remove_if_old(DIR *dir, const char *name, int64_t min_age_us)
{
    struct stat st;
    if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        !is_old(&st, min_age_us) || unlinkat(dirfd(dir), name, 0) < 0) {
        return 0;
    }
    return st.st_nlink == 1 ? st.st_size : 0;
}

static int is_referred(struct store *s, const char *dir_name, const char *file_name)
{
    AUTO(buf_free) struct buf text = {0};
    struct hash h;
    buf_cstr(&text, dir_name);
    buf_cstr(&text, file_name);
    TRY(text.err);
    // What is no blob is nobody's to remove.
    if (hash_parse(buf_view(&text), &h) < 0) {
        return 1;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s, STORE_READ, &tx));
    int64_t one = 0;
    int err = store_get_i64(tx, &one, "SELECT 1 FROM blob_ref WHERE hash = ? LIMIT 1",
                            "b", (const void *)h.bytes, (size_t)HASH_BYTES);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

static int collect_folder(struct store *s, const char *name, int64_t min_age_us,
                          int64_t *freed)
{
    AUTO(dir_close) DIR *dir = NULL;
    TRY(dir_open(s->blobs->root_fd, name, &dir));
    bool nameless = strcmp(name, "new") == 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0) < 0 ||
            !is_old(&st, min_age_us)) {
            continue;
        }
        AUTO(fd_close) int lock = -1;
        TRY(blobs_lock(s->blobs, LOCK_EX, &lock));
        // After the lock: a reference that was committed before is seen.
        int referred = nameless ? 0 : is_referred(s, name, e->d_name);
        TRY(referred);
        if (!referred) {
            *freed += remove_if_old(dir, e->d_name, min_age_us);
        }
    }
    return 0;
}

int store_collect(struct store *s, int64_t min_age_us, int64_t *ret_bytes)
{
    AUTO(dir_close) DIR *root = NULL;
    int64_t freed = 0;
    TRY(dir_open(s->blobs->root_fd, ".", &root));
    for (struct dirent *e; (e = readdir(root)) != NULL;) {
        bool folder = strlen(e->d_name) == 2 || strcmp(e->d_name, "new") == 0;
        if (folder && strcmp(e->d_name, "..") != 0) {
            TRY(collect_folder(s, e->d_name, min_age_us, &freed));
        }
    }
    *ret_bytes = freed;
    return 0;
}
