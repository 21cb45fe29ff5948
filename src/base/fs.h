// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files, so that a reader sees the old state or the new one and never a torn one.
#ifndef BASE_FS_H
#define BASE_FS_H

#include "base/str.h"

// For AUTO(fd_close) int fd = -1.
void fd_close(int *fd);
// All of it, however often the system takes a part only.
int fd_write_all(int fd, const void *bytes, size_t len);

int fs_make_dirs(const char *path); // as mkdir -p, mode 0700 for what is new
// Appends the whole file. ERR_LIMIT where it has more than `max_bytes`.
int fs_read_file(const char *path, size_t max_bytes, struct buf *out);
// Writes beside, syncs, renames over, syncs the folder: durable when it returns 0.
int fs_write_file(const char *path, const void *bytes, size_t len);
int fs_sync_dir(const char *path);
// As rm -rf; what is not there is no error. Never follows links.
int fs_remove_tree(const char *path);
bool fs_exists(const char *path);
int fs_size(const char *path, int64_t *ret_bytes);
// Copies by reflink where the file system can, else by copy_file_range or read and write; both from
// where the descriptors stand. ERR_IO where `from` has fewer than `bytes`.
int fs_copy_fd(int from, int to, int64_t bytes);

#endif
