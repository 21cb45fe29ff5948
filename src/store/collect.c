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

// By the time of change of the bytes' name (utimensat), which links of the same bytes leave alone: a
// package that goes does not make its blobs young.
static bool is_old(const struct stat *st, int64_t min_age_us)
{
    int64_t touched_us =
        st->st_mtim.tv_sec * INT64_C(1000000) + st->st_mtim.tv_nsec / 1000;
    return clock_wall_us() - touched_us >= min_age_us;
}

// --- all old files ------------------------------------------------------------------------------

struct file {
    DIR *dir;
    const char *folder; // "ab", or "new" for what has no name yet
    const char *name;
    struct stat st;
};
// 1 ends the walk well.
typedef int file_f(void *user, const struct file *);

static int walk_folder(struct store_blobs *b, const char *folder, int64_t min_age_us,
                       file_f *each, void *user)
{
    AUTO(dir_close) DIR *dir = NULL;
    int done = 0;
    TRY(dir_open(b->root_fd, folder, &dir));
    for (struct dirent *e; done == 0 && (e = readdir(dir)) != NULL;) {
        struct file f = {.dir = dir, .folder = folder, .name = e->d_name};
        if (e->d_name[0] != '.' &&
            fstatat(dirfd(dir), e->d_name, &f.st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(f.st.st_mode) && is_old(&f.st, min_age_us)) {
            done = each(user, &f);
            TRY(done);
        }
    }
    return done;
}

static int walk(struct store_blobs *b, int64_t min_age_us, file_f *each, void *user)
{
    AUTO(dir_close) DIR *root = NULL;
    int done = 0;
    TRY(dir_open(b->root_fd, ".", &root));
    for (struct dirent *e; done == 0 && (e = readdir(root)) != NULL;) {
        bool folder = strlen(e->d_name) == 2 || strcmp(e->d_name, "new") == 0;
        if (folder && strcmp(e->d_name, "..") != 0) {
            done = walk_folder(b, e->d_name, min_age_us, each, user);
            TRY(done);
        }
    }
    return 0;
}

// 1 where a reference stands, or where the file is no blob: what is no blob is nobody's to remove.
static int is_referred_in(struct store_tx *tx, const struct file *f)
{
    AUTO(buf_free) struct buf text = {0};
    struct hash h;
    if (strcmp(f->folder, "new") == 0) {
        return 0;
    }
    buf_cstr(&text, f->folder);
    buf_cstr(&text, f->name);
    TRY(text.err);
    if (hash_parse(buf_view(&text), &h) < 0) {
        return 1;
    }
    int64_t one = 0;
    int err = store_get_i64(tx, &one, "SELECT 1 FROM blob_ref WHERE hash = ? LIMIT 1",
                            "b", (const void *)h.bytes, (size_t)HASH_BYTES);
    return err == ERR_NOT_FOUND ? 0 : err < 0 ? err : 1;
}

static int is_referred(struct store *s, const struct file *f)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s, STORE_READ, &tx));
    return is_referred_in(tx, f);
}

// --- removing -----------------------------------------------------------------------------------

struct collection {
    struct store *store;
    const struct store_collect_config *config;
    struct store_collected made;
};

// Under the exclusive lock, where the age is what nobody moves.
static void remove_if_old(struct collection *c, const struct file *f)
{
    struct stat st;
    if (fstatat(dirfd(f->dir), f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        is_old(&st, c->config->min_age_us) && unlinkat(dirfd(f->dir), f->name, 0) == 0) {
        c->made.files++;
        c->made.bytes += st.st_nlink == 1 ? st.st_size : 0;
    }
}

static int collect_file(void *user, const struct file *f)
{
    struct collection *c = user;
    if (c->config->stop && c->config->stop(c->config->user)) {
        return 1;
    }
    // Nearly all files are referred to: they cost no lock.
    int referred = is_referred(c->store, f);
    TRY(referred);
    if (referred) {
        return 0;
    }
    AUTO(fd_close) int lock = -1;
    TRY(blobs_lock(c->store->blobs, LOCK_EX, &lock));
    // After the lock: a reference that was committed before is seen.
    referred = is_referred(c->store, f);
    TRY(referred);
    if (!referred) {
        remove_if_old(c, f);
    }
    return 0;
}

int store_collect(struct store *s, const struct store_collect_config *config,
                  struct store_collected *ret)
{
    struct collection c = {.store = s, .config = config};
    TRY(walk(s->blobs, config->min_age_us, collect_file, &c));
    *ret = c.made;
    return 0;
}

struct looking {
    struct store_tx *tx;
    store_loose_f *each;
    void *user;
};

static int look_at_file(void *user, const struct file *f)
{
    const struct looking *l = user;
    int referred = is_referred_in(l->tx, f);
    TRY(referred);
    return referred ? 0 : MIN(l->each(l->user, &f->st), 0);
}

int store_loose(struct store_tx *tx, int64_t min_age_us, store_loose_f *each, void *user)
{
    struct looking l = {tx, each, user};
    return walk(store_of_tx(tx)->blobs, min_age_us, look_at_file, &l);
}
