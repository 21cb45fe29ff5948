// SPDX-License-Identifier: GPL-3.0-or-later
//
// DATA/media/<package hash>/ out of blobs. The folder is built under another name, made durable and
// renamed: who sees it sees all of it. A row that names it comes after; what no row names was left
// by a kill and is removed by recovery.
#include "ingest/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// Paths come out of a package.json that our own step wrote, yet they decide where links go.
static bool path_is_plain(const char *path)
{
    return *path && *path != '/' && !strstr(path, "..") && !strstr(path, "//");
}

static int folder_of(const char *root, const char *path, char **ret)
{
    const char *slash = strrchr(path, '/');
    return slash ? cstr_printf(ret, "%s/%.*s", root, (int)(slash - path), path)
                 : cstr_dup(ret, root);
}

static int file_link(struct store *store, const char *root, const json_t *file)
{
    const char *path = NULL, *hex = NULL;
    struct hash hash = {0};
    TRY(json_get_str(file, "path", &path));
    TRY(json_get_str(file, "hash", &hex));
    TRY(hash_parse(str_of(hex), &hash));
    FAIL_IF(!path_is_plain(path), ERR_INVALID, "a package with the path '%s'", path);
    AUTO(cstr_free) char *folder = NULL, *target = NULL;
    TRY(folder_of(root, path, &folder));
    TRY(fs_make_dirs(folder));
    TRY(cstr_printf(&target, "%s/%s", root, path));
    return store_blob_link(store_blobs_of(store), &hash, target);
}

// Every folder of the package once: its entries are durable before the rename is.
static int folders_sync(const char *root, const json_t *files)
{
    AUTO(cstr_free) char *last = NULL;
    for (size_t i = 0; i < json_array_size(files); i++) {
        AUTO(cstr_free) char *folder = NULL;
        TRY(folder_of(root, json_str_or(json_array_get(files, i), "path", ""), &folder));
        if (!last || strcmp(last, folder) != 0) {
            TRY(fs_sync_dir(folder)); // sorted by path: each comes once
            cstr_free(&last);
            last = TAKE(folder);
        }
    }
    return fs_sync_dir(root);
}

static int folder_build(struct store *store, const char *root, const json_t *files,
                        const struct hash *package_blob)
{
    TRY(fs_remove_tree(root));
    TRY(fs_make_dirs(root));
    for (size_t i = 0; i < json_array_size(files); i++) {
        TRY(file_link(store, root, json_array_get(files, i)));
    }
    AUTO(cstr_free) char *own = NULL;
    TRY(cstr_printf(&own, "%s/package.json", root));
    TRY(store_blob_link(store_blobs_of(store), package_blob, own));
    return folders_sync(root, files);
}

int publish_folder(struct store *store, const json_t *package,
                   const struct hash *package_hash)
{
    char hex[HASH_HEX_BYTES];
    hash_hex(package_hash, hex);
    AUTO(cstr_free) char *media = NULL, *made = NULL, *place = NULL;
    TRY(cstr_printf(&media, "%s/media", store_dir(store)));
    TRY(cstr_printf(&place, "%s/%s", media, hex));
    if (fs_exists(place)) {
        return 0; // renamed into place before: whole
    }
    TRY(cstr_printf(&made, "%s/.%s.new", media, hex));
    json_t *files = NULL;
    TRY(json_get_array(package, "files", &files));
    int err = folder_build(store, made, files, package_hash);
    if (err < 0) {
        AUTO(cstr_free) char *reason = NULL;
        (void)cstr_dup(&reason, err_reason());
        (void)fs_remove_tree(made);
        return err_fail(err, "%s", reason ? reason : "publishing failed");
    }
    if (rename(made, place) < 0) {
        return err_fail_errno("%s", place);
    }
    return fs_sync_dir(media);
}

// --- recovery ---------------------------------------------------------------------------------------------

static bool package_is_known(struct store_tx *tx, const char *hex)
{
    int64_t count = 0;
    return store_get_i64(tx, &count, "SELECT count(*) FROM ingest_package WHERE hash = ?",
                         "s", hex) < 0 ||
           count > 0; // where rows cannot be read nothing is removed
}

static int folders_sweep(struct store_tx *tx, const char *media)
{
    DIR *dir = opendir(media);
    if (!dir) {
        return errno == ENOENT ? 0 : err_fail_errno("%s", media);
    }
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        bool half =
            e->d_name[0] == '.' && len > 5 && strcmp(e->d_name + len - 4, ".new") == 0;
        struct hash hash;
        bool whole = hash_parse(str_of(e->d_name), &hash) == 0;
        if (half || (whole && !package_is_known(tx, e->d_name))) {
            AUTO(cstr_free) char *path = NULL;
            err = cstr_printf(&path, "%s/%s", media, e->d_name);
            err = err == 0 ? fs_remove_tree(path) : err;
        }
    }
    closedir(dir);
    return err;
}

int ingest_recover(struct store *store)
{
    AUTO(cstr_free) char *lock = NULL, *media = NULL;
    TRY(cstr_printf(&lock, "%s/executor.lock", store_dir(store)));
    TRY(cstr_printf(&media, "%s/media", store_dir(store)));
    AUTO(fd_close) int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("%s", lock);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return 0; // somebody executes, and so may be publishing
    }
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(trash_sweep(media));
    TRY(store_begin(store, STORE_READ, &tx));
    return folders_sweep(tx, media);
}
