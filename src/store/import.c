// SPDX-License-Identifier: GPL-3.0-or-later
//
// A large file is read once: hashed while it is copied, or hashed from its reflink. A row
// remembers which untouched file gave which hash. A file that changed less than two seconds ago is
// not remembered: its times could stay the same over one more change.
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (1u << 20)
#define YOUNG_NS    2000000000

struct source {
    int fd;
    const char *path;
    int64_t device, inode, size, mtime_ns, ctime_ns;
};

static int64_t time_ns(struct timespec t)
{
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int look(struct source *s)
{
    struct stat st;
    if (fstat(s->fd, &st) < 0) {
        return err_fail_errno("looking at %s", s->path);
    }
    FAIL_IF(!S_ISREG(st.st_mode), ERR_INVALID, "%s is no file", s->path);
    s->device = (int64_t)st.st_dev;
    s->inode = (int64_t)st.st_ino;
    s->size = st.st_size;
    s->mtime_ns = time_ns(st.st_mtim);
    s->ctime_ns = time_ns(st.st_ctim);
    return 0;
}

// 1 when the same untouched file was imported before and its blob is still there.
static int recall(struct store *store, const struct source *s, struct hash *ret)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    AUTO(store_rows_free) struct store_rows *r = NULL;
    TRY(store_query(tx, &r,
                    "SELECT hash FROM blob_import WHERE device = ? AND inode = ? AND"
                    " size = ? AND mtime_ns = ? AND ctime_ns = ?",
                    "iiiii", s->device, s->inode, s->size, s->mtime_ns, s->ctime_ns));
    int found = store_next(r);
    if (found <= 0) {
        return found;
    }
    size_t len = 0;
    const void *bytes = store_bytes(r, 0, &len);
    FAIL_IF(len != HASH_BYTES, ERR_CORRUPT, "an import of %s", s->path);
    memcpy(ret->bytes, bytes, HASH_BYTES);
    return blob_touch(store->blobs, ret) == 0;
}

static int remember(struct store *store, const struct source *s, const struct hash *h)
{
    int64_t now_ns = clock_wall_us() * 1000;
    if (now_ns - s->mtime_ns < YOUNG_NS || now_ns - s->ctime_ns < YOUNG_NS) {
        return 0;
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(store_exec(
        tx,
        "INSERT OR REPLACE INTO blob_import"
        " (device, inode, size, mtime_ns, ctime_ns, hash) VALUES (?, ?, ?, ?, ?, ?)",
        "iiiiib", s->device, s->inode, s->size, s->mtime_ns, s->ctime_ns,
        (const void *)h->bytes, (size_t)HASH_BYTES));
    return store_commit(&tx);
}

struct copy {
    const struct source *from;
    int to; // -1: only read
    store_progress_f *progress;
    void *user;
};

static int hash_and_copy(const struct copy *c, struct hash *ret)
{
    AUTO(hasher_free) struct hasher *hasher = NULL;
    AUTO(buf_free) struct buf block = {0};
    TRY(hasher_new(&hasher));
    buf_reserve(&block, BLOCK_BYTES);
    TRY(block.err);
    posix_fadvise(c->from->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    for (int64_t done = 0; done < c->from->size;) {
        ssize_t n = pread(c->from->fd, block.data, BLOCK_BYTES, done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("reading %s", c->from->path);
        }
        FAIL_IF(n == 0, ERR_CONFLICT, "%s became shorter while it was read",
                c->from->path);
        hasher_add(hasher, block.data, (size_t)n);
        if (c->to >= 0) {
            TRY(fd_write_all(c->to, block.data, (size_t)n));
        }
        done += n;
        if (c->progress) {
            c->progress(c->user, done, c->from->size);
        }
    }
    hasher_finish(hasher, ret);
    return 0;
}

static int fill(const struct source *s, int to, store_progress_f *progress, void *user,
                struct hash *ret)
{
    if (ioctl(to, FICLONE, s->fd) == 0) {
        struct source cloned = *s;
        cloned.fd = to;
        TRY(look(&cloned));
        FAIL_IF(cloned.size != s->size, ERR_CONFLICT, "%s changed while it was read",
                s->path);
        return hash_and_copy(&(struct copy){&cloned, -1, progress, user}, ret);
    }
    // A disk that is too small says so now and not after an hour.
    if (s->size > 0 && fallocate(to, 0, 0, s->size) < 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
        return err_fail_errno("importing %s of %lld bytes", s->path, (long long)s->size);
    }
    TRY(hash_and_copy(&(struct copy){s, to, progress, user}, ret));
    struct source after = *s;
    TRY(look(&after));
    FAIL_IF(after.size != s->size || after.mtime_ns != s->mtime_ns, ERR_CONFLICT,
            "%s changed while it was read", s->path);
    return 0;
}

static int copy_in(struct store *store, const struct source *s,
                   store_progress_f *progress, void *user, struct hash *ret)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(fd_close) int to = -1;
    TRY(blob_new_file(store->blobs, &path, &to));
    int err = fill(s, to, progress, user, ret);
    if (err == 0 && fsync(to) < 0) {
        err = err_fail_errno("syncing %s", path);
    }
    if (err == 0) {
        err = blob_keep(store->blobs, path, s->size, ret);
    }
    if (err < 0) {
        unlink(path);
        return err;
    }
    return store_blobs_sync(store->blobs);
}

int store_blob_import(struct store *store, const char *path, store_progress_f *progress,
                      void *user, struct hash *ret, int64_t *ret_size)
{
    // O_NONBLOCK: a FIFO that nobody writes is refused by look(), not waited for.
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_fail_errno("opening %s", path);
    }
    struct source s = {.fd = fd, .path = path};
    struct hash h;
    TRY(look(&s));
    int known = recall(store, &s, &h);
    TRY(known);
    if (!known) {
        TRY(copy_in(store, &s, progress, user, &h));
        TRY(remember(store, &s, &h));
    }
    *ret = h;
    *ret_size = s.size;
    return 0;
}
