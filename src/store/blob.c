// SPDX-License-Identifier: GPL-3.0-or-later
//
// Blobs as files:
//
//     DATA/blobs/ab/cdef…   mode 0444, complete since it has this name
//     DATA/blobs/new/…      being written; the collector removes what is left of the dead
//     DATA/blobs/lock       flock: shared by who keeps, exclusive by who collects
//
// A file gets its name by rename, so that a name never shows half of a blob while the machine
// runs. After a power cut a name may show a file whose bytes never reached the disk, when the
// writer did not live to sync: no row refers to it, because rows are committed after the sync, and
// the next writer of the same bytes replaces it when its size is wrong.
#include "store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (1u << 20)

struct store_blob {
    int fd;
    int64_t size;
};

void blob_name(const struct hash *h, char ret[BLOB_NAME_BYTES])
{
    char hex[HASH_HEX_BYTES];
    hash_hex(h, hex);
    memcpy(ret, hex, 2);
    ret[2] = '/';
    memcpy(ret + 3, hex + 2, HASH_HEX_BYTES - 2);
}

int store_blobs_open(struct store_blobs **ret, const char *dir)
{
    AUTO(store_blobs_close) struct store_blobs *b = calloc(1, sizeof *b);
    FAIL_IF(!b, ERR_NOMEM, "blobs");
    b->root_fd = -1;
    AUTO(cstr_free) char *made = NULL;
    AUTO(cstr_free) char *lock = NULL;
    TRY(cstr_printf(&made, "%s/blobs/new", dir));
    TRY(fs_make_dirs(made));
    b->made = realpath(made, NULL);
    if (!b->made) {
        return err_fail_errno("opening %s", made);
    }
    TRY(cstr_dup(&b->root, b->made));
    b->root[strlen(b->root) - strlen("/new")] = '\0';
    TRY(cstr_printf(&lock, "%s/lock", b->root));
    b->root_fd = open(b->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(fd_close) int made_lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (b->root_fd < 0 || made_lock < 0) {
        return err_fail_errno("opening %s", b->root);
    }
    *ret = TAKE(b);
    return 0;
}

void store_blobs_close(struct store_blobs **blobs)
{
    struct store_blobs *b = TAKE(*blobs);
    if (b) {
        fd_close(&b->root_fd);
        free(b->root);
        free(b->made);
        free(b);
    }
}

int blobs_any(struct store_blobs *b, bool *ret)
{
    DIR *dir = opendir(b->root);
    if (!dir) {
        return err_fail_errno("opening %s", b->root);
    }
    bool any = false;
    for (const struct dirent *e; !any && (e = readdir(dir));) {
        any = strlen(e->d_name) == 2 && e->d_name[0] != '.'; // "ab"
    }
    closedir(dir);
    *ret = any;
    return 0;
}

// A lock belongs to an open file description: each taker opens its own, so that threads of one
// process do not release each other's.
int blobs_lock(struct store_blobs *b, int operation, int *ret_fd)
{
    AUTO(fd_close) int fd = openat(b->root_fd, "lock", O_RDWR | O_CLOEXEC);
    int got = -1;
    do {
        got = fd < 0 ? -1 : flock(fd, operation);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_fail_errno("locking %s", b->root);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int store_blob_open(struct store_blobs *b, const struct hash *h, struct store_blob **ret)
{
    char name[BLOB_NAME_BYTES];
    blob_name(h, name);
    AUTO(store_blob_close) struct store_blob *blob = calloc(1, sizeof *blob);
    FAIL_IF(!blob, ERR_NOMEM, "a blob");
    struct stat st;
    blob->fd = openat(b->root_fd, name, O_RDONLY | O_CLOEXEC);
    if (blob->fd < 0 || fstat(blob->fd, &st) < 0) {
        return err_fail_errno("opening blob %s", name);
    }
    blob->size = st.st_size;
    *ret = TAKE(blob);
    return 0;
}

void store_blob_close(struct store_blob **blob)
{
    struct store_blob *b = TAKE(*blob);
    if (b) {
        fd_close(&b->fd);
        free(b);
    }
}

int64_t store_blob_size(const struct store_blob *b)
{
    return b->size;
}

int store_blob_fd(const struct store_blob *b)
{
    return b->fd;
}

int64_t store_blob_read(struct store_blob *b, int64_t offset, void *ret, size_t len)
{
    ssize_t n;
    do {
        n = pread(b->fd, ret, len, offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return err_fail_errno("reading a blob at %lld", (long long)offset);
    }
    return n;
}

bool store_blob_exists(struct store_blobs *b, const struct hash *h)
{
    char name[BLOB_NAME_BYTES];
    blob_name(h, name);
    return faccessat(b->root_fd, name, F_OK, 0) == 0;
}

int blob_touch(struct store_blobs *b, const struct hash *h)
{
    char name[BLOB_NAME_BYTES];
    blob_name(h, name);
    AUTO(fd_close) int lock = -1;
    TRY(blobs_lock(b, LOCK_SH, &lock));
    if (utimensat(b->root_fd, name, NULL, 0) < 0) {
        return err_fail_errno("blob %s", name);
    }
    return 0;
}

int blob_new_file(struct store_blobs *b, char **ret_path, int *ret_fd)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/XXXXXX", b->made));
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return err_fail_errno("creating a file in %s", b->made);
    }
    *ret_path = TAKE(path);
    *ret_fd = fd;
    return 0;
}

static int move_in(struct store_blobs *b, const char *path, const char *name)
{
    char dir[3] = {name[0], name[1], '\0'};
    if (renameat(AT_FDCWD, path, b->root_fd, name) == 0) {
        return 0;
    }
    if (errno != ENOENT || (mkdirat(b->root_fd, dir, 0700) < 0 && errno != EEXIST) ||
        renameat(AT_FDCWD, path, b->root_fd, name) < 0) {
        return err_fail_errno("naming blob %s", name);
    }
    return 0;
}

int blob_keep(struct store_blobs *b, const char *path, int64_t size, const struct hash *h)
{
    char name[BLOB_NAME_BYTES];
    struct stat st;
    blob_name(h, name);
    AUTO(fd_close) int lock = -1;
    TRY(blobs_lock(b, LOCK_SH, &lock));
    if (fstatat(b->root_fd, name, &st, 0) == 0 && st.st_size == size) {
        // Young again, so that no collector takes it before its reference is written.
        if (utimensat(b->root_fd, name, NULL, 0) < 0 || unlink(path) < 0) {
            return err_fail_errno("keeping blob %s", name);
        }
        return 0;
    }
    if (chmod(path, 0444) < 0 || utimensat(AT_FDCWD, path, NULL, 0) < 0) {
        return err_fail_errno("closing %s for writing", path);
    }
    return move_in(b, path, name);
}

int blob_hash_fd(int fd, struct hash *ret, int64_t *ret_size)
{
    AUTO(hasher_free) struct hasher *hasher = NULL;
    AUTO(buf_free) struct buf block = {0};
    TRY(hasher_new(&hasher));
    buf_reserve(&block, BLOCK_BYTES);
    TRY(block.err);
    int64_t size = 0;
    for (;;) {
        ssize_t n = pread(fd, block.data, BLOCK_BYTES, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("reading");
        }
        if (n == 0) {
            break;
        }
        hasher_add(hasher, block.data, (size_t)n);
        size += n;
    }
    hasher_finish(hasher, ret);
    *ret_size = size;
    return 0;
}

// By name: where the same bytes were there already, somebody may have adopted and not yet synced them.
static int sync_named(struct store_blobs *b, const struct hash *h)
{
    AUTO(cstr_free) char *dir = NULL;
    char name[BLOB_NAME_BYTES];
    blob_name(h, name);
    AUTO(fd_close) int fd = openat(b->root_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return err_fail_errno("syncing blob %s", name);
    }
    TRY(cstr_printf(&dir, "%s/%.2s", b->root, name));
    TRY(fs_sync_dir(dir));
    return fs_sync_dir(b->root);
}

static int put(struct store_blobs *b, const char *path, int fd, const void *bytes,
               size_t len, const struct hash *h)
{
    TRY(fd_write_all(fd, bytes, len));
    if (fsync(fd) < 0) {
        return err_fail_errno("syncing %s", path);
    }
    TRY(blob_keep(b, path, (int64_t)len, h));
    return sync_named(b, h);
}

int store_blob_put(struct store_blobs *b, const void *bytes, size_t len, struct hash *ret)
{
    struct hash h;
    hash_of(bytes, len, &h);
    AUTO(cstr_free) char *path = NULL;
    AUTO(fd_close) int fd = -1;
    TRY(blob_new_file(b, &path, &fd));
    int err = put(b, path, fd, bytes, len, &h);
    if (err < 0) {
        unlink(path);
        return err;
    }
    *ret = h;
    return 0;
}

int store_blob_adopt(struct store_blobs *b, const char *path, struct hash *ret,
                     int64_t *ret_size)
{
    struct stat st;
    struct hash h;
    int64_t size = 0;
    // Never through a link: what a step left in its folder is not trusted that far.
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return err_fail_errno("opening %s", path);
    }
    FAIL_IF(!S_ISREG(st.st_mode), ERR_INVALID, "%s is no file", path);
    TRY(blob_hash_fd(fd, &h, &size));
    TRY(blob_keep(b, path, size, &h));
    *ret = h;
    *ret_size = size;
    return 0;
}

int store_blob_adopt_known(struct store_blobs *b, const char *path, const struct hash *h,
                           int64_t size)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        return err_fail_errno("opening %s", path);
    }
    FAIL_IF(!S_ISREG(st.st_mode) || st.st_size != size, ERR_INVALID,
            "%s is no file of %lld bytes", path, (long long)size);
    return blob_keep(b, path, size, h);
}

// One call for all files and folders of the file system: a batch of steps shares it, and the
// journal is written once, where an fsync a file writes it for each.
int store_blobs_sync(struct store_blobs *b)
{
    if (syncfs(b->root_fd) < 0) {
        return err_fail_errno("syncing %s", b->root);
    }
    return 0;
}

static int copy_to(int from, int64_t bytes, const char *path)
{
    AUTO(cstr_free) char *beside = NULL;
    TRY(cstr_printf(&beside, "%s.new", path));
    AUTO(fd_close) int to = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (to < 0) {
        return err_fail_errno("creating %s", beside);
    }
    int err = fs_copy_fd(from, to, bytes);
    if (err == 0 && fchmod(to, 0444) < 0) {
        err = err_fail_errno("closing %s for writing", beside);
    }
    if (err == 0 && rename(beside, path) < 0) {
        err = err_fail_errno("renaming to %s", path);
    }
    if (err < 0) {
        unlink(beside);
    }
    return err;
}

int store_blob_link(struct store_blobs *b, const struct hash *h, const char *path)
{
    char name[BLOB_NAME_BYTES];
    blob_name(h, name);
    if (linkat(b->root_fd, name, AT_FDCWD, path, 0) == 0) {
        return 0;
    }
    if (errno != EMLINK && errno != EXDEV && errno != EPERM) {
        return err_fail_errno("linking blob %s to %s", name, path);
    }
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    TRY(store_blob_open(b, h, &blob));
    return copy_to(store_blob_fd(blob), store_blob_size(blob), path);
}
