// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("writing %zu bytes", len);
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int fs_make_dirs(const char *path)
{
    AUTO(cstr_free) char *p = NULL;
    FAIL_IF(!*path, ERR_INVALID, "a folder without a name");
    TRY(cstr_dup(&p, path));
    for (char *at = p + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char kept = *at;
        *at = '\0';
        if (mkdir(p, 0700) < 0 && errno != EEXIST) {
            return err_fail_errno("making the folder %s", p);
        }
        if (kept == '\0') {
            return 0;
        }
        *at = kept;
    }
}

int fs_read_file(const char *path, size_t max_bytes, struct buf *out)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_fail_errno("opening %s", path);
    }
    size_t start = out->len;
    for (;;) {
        buf_reserve(out, 65536);
        TRY(out->err);
        ssize_t n = read(fd, out->data + out->len, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("reading %s", path);
        }
        if (n == 0) {
            out->data[out->len] = '\0';
            return 0;
        }
        out->len += (size_t)n;
        FAIL_IF(out->len - start > max_bytes, ERR_LIMIT, "%s is over %zu bytes", path,
                max_bytes);
    }
}

int fs_sync_dir(const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return err_fail_errno("syncing the folder %s", path);
    }
    return 0;
}

static int sync_parent(const char *path)
{
    AUTO(cstr_free) char *dir = NULL;
    TRY(cstr_dup(&dir, path));
    char *slash = strrchr(dir, '/');
    if (!slash) {
        return fs_sync_dir(".");
    }
    slash[slash == dir ? 1 : 0] = '\0';
    return fs_sync_dir(dir);
}

int fs_write_file(const char *path, const void *bytes, size_t len)
{
    AUTO(cstr_free) char *beside = NULL;
    TRY(cstr_printf(&beside, "%s.new.XXXXXX", path));
    AUTO(fd_close) int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        return err_fail_errno("creating %s", beside);
    }
    int err = fd_write_all(fd, bytes, len);
    if (err == 0 && fsync(fd) < 0) {
        err = err_fail_errno("syncing %s", beside);
    }
    if (err == 0 && rename(beside, path) < 0) {
        err = err_fail_errno("renaming to %s", path);
    }
    if (err < 0) {
        unlink(beside);
        return err;
    }
    return sync_parent(path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int fs_remove_tree(const char *path)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT) {
        return err_fail_errno("removing %s", path);
    }
    return 0;
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int fs_size(const char *path, int64_t *ret_bytes)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return err_fail_errno("looking at %s", path);
    }
    *ret_bytes = st.st_size;
    return 0;
}

int fs_copy_fd(int from, int to, int64_t bytes)
{
    if (ioctl(to, FICLONE, from) == 0) {
        return 0;
    }
    int64_t done = 0;
    while (done < bytes) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)(bytes - done), 0);
        if (n <= 0) {
            break;
        }
        done += n;
    }
    AUTO(buf_free) struct buf block = {0};
    buf_reserve(&block, 1u << 20);
    TRY(block.err);
    while (done < bytes) {
        ssize_t n = read(from, block.data, 1u << 20);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("reading");
        }
        FAIL_IF(n == 0, ERR_IO, "the file became shorter while it was copied");
        TRY(fd_write_all(to, block.data, (size_t)n));
        done += n;
    }
    return 0;
}
