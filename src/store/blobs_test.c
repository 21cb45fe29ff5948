// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

struct fixture {
    char dir[64];
    struct store *store;
    struct store_blobs *blobs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    memcpy(f->dir, "/tmp/marquee-blobs-XXXXXX", sizeof "/tmp/marquee-blobs-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(store_open(&f->store, f->dir), 0);
    f->blobs = store_blobs_of(f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(&f->store);
    assert_int_equal(fs_remove_tree(f->dir), 0);
    free(f);
    return 0;
}

static char *path_in(const struct fixture *f, const char *name)
{
    char *path = NULL;
    assert_int_equal(cstr_printf(&path, "%s/%s", f->dir, name), 0);
    return path;
}

static char *file_in(const struct fixture *f, const char *name, const char *text)
{
    char *path = path_in(f, name);
    assert_int_equal(fs_write_file(path, text, strlen(text)), 0);
    return path;
}

static char *blob_path(const struct fixture *f, const struct hash *h)
{
    char hex[HASH_HEX_BYTES];
    char *path = NULL;
    hash_hex(h, hex);
    assert_int_equal(cstr_printf(&path, "%s/blobs/%.2s/%s", f->dir, hex, hex + 2), 0);
    return path;
}

static void assert_holds(struct store_blobs *b, const struct hash *h, const char *text)
{
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    char bytes[256];
    assert_int_equal(store_blob_open(b, h, &blob), 0);
    assert_int_equal(store_blob_size(blob), strlen(text));
    assert_int_equal(store_blob_read(blob, 0, bytes, sizeof bytes), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
    assert_int_equal(store_blob_read(blob, (int64_t)strlen(text), bytes, 1), 0);
}

static void a_blob_is_named_by_its_bytes(void **state)
{
    struct fixture *f = *state;
    struct hash h, again, of;
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &h), 0);
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &again), 0);
    hash_of("film", 4, &of);
    assert_true(hash_eq(&h, &of) && hash_eq(&h, &again));
    assert_holds(f->blobs, &h, "film");
    AUTO(cstr_free) char *path = blob_path(f, &h);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    // A process without rows sees the same.
    AUTO(store_blobs_close) struct store_blobs *other = NULL;
    assert_int_equal(store_blobs_open(&other, f->dir), 0);
    assert_holds(other, &h, "film");
    hash_of("absent", 6, &of);
    struct store_blob *blob = NULL;
    assert_int_equal(store_blob_open(other, &of, &blob), ERR_NOT_FOUND);
    assert_false(store_blob_exists(other, &of));
}

static void adopting_moves_a_file_in(void **state)
{
    struct fixture *f = *state;
    struct hash h, again;
    int64_t size = 0;
    for (int i = 0; i < 2; i++) {
        AUTO(cstr_free) char *path = file_in(f, "made", "segment");
        assert_int_equal(store_blob_adopt(f->blobs, path, i ? &again : &h, &size), 0);
        assert_false(fs_exists(path));
        assert_int_equal(size, 7);
    }
    assert_int_equal(store_blobs_sync(f->blobs), 0);
    assert_true(hash_eq(&h, &again));
    assert_holds(f->blobs, &h, "segment");
    AUTO(cstr_free) char *link = path_in(f, "link");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_true(store_blob_adopt(f->blobs, link, &h, &size) < 0);
    AUTO(cstr_free) char *folder = path_in(f, "scratch");
    assert_int_equal(store_blob_adopt(f->blobs, folder, &h, &size), ERR_INVALID);
}

static void a_torn_blob_is_mended_by_the_next_writer(void **state)
{
    struct fixture *f = *state;
    struct hash h;
    assert_int_equal(store_blob_put(f->blobs, "whole", 5, &h), 0);
    // What a power cut can leave: the name without the bytes.
    AUTO(cstr_free) char *path = blob_path(f, &h);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fs_write_file(path, "", 0), 0);
    assert_int_equal(store_blob_put(f->blobs, "whole", 5, &h), 0);
    assert_holds(f->blobs, &h, "whole");
}

static void a_link_is_the_blob_itself(void **state)
{
    struct fixture *f = *state;
    struct hash h;
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &h), 0);
    AUTO(cstr_free) char *from = blob_path(f, &h);
    AUTO(cstr_free) char *to = path_in(f, "out");
    struct stat a, b;
    assert_int_equal(store_blob_link(f->blobs, &h, to), 0);
    assert_int_equal(stat(from, &a), 0);
    assert_int_equal(stat(to, &b), 0);
    assert_true(a.st_ino == b.st_ino);
    assert_int_equal(store_blob_link(f->blobs, &h, to), ERR_EXISTS);
}

static void another_file_system_gets_a_copy(void **state)
{
    const struct fixture *f = *state;
    char shm[] = "/dev/shm/marquee-blobs-XXXXXX";
    struct stat a, b;
    assert_int_equal(stat(f->dir, &a), 0);
    if (stat("/dev/shm", &b) < 0 || b.st_dev == a.st_dev || !mkdtemp(shm)) {
        print_message("SKIPPED: no second file system at /dev/shm\n");
        skip();
    }
    struct hash h;
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &h), 0);
    AUTO(cstr_free) char *far = NULL;
    AUTO(buf_free) struct buf text = {0};
    assert_int_equal(cstr_printf(&far, "%s/out", shm), 0);
    assert_int_equal(store_blob_link(f->blobs, &h, far), 0);
    assert_int_equal(fs_read_file(far, 100, &text), 0);
    assert_string_equal(text.data, "film");
    assert_int_equal(fs_remove_tree(shm), 0);
}

struct seen {
    int64_t calls, done, total;
};

static void note(void *user, int64_t done, int64_t total)
{
    struct seen *s = user;
    assert_true(done > s->done);
    s->calls++;
    s->done = done;
    s->total = total;
}

static char *big_file(const struct fixture *f, int age_s)
{
    AUTO(buf_free) struct buf text = {0};
    buf_reserve(&text, 3000000);
    for (int i = 0; i < 300000; i++) {
        buf_printf(&text, "%09d\n", i);
    }
    char *path = path_in(f, "mezzanine.mov");
    assert_int_equal(fs_write_file(path, text.data, text.len), 0);
    struct timespec times[2] = {{.tv_sec = clock_wall_us() / 1000000 - age_s},
                                {.tv_sec = clock_wall_us() / 1000000 - age_s}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    return path;
}

static void an_import_copies_and_hashes_once(void **state)
{
    struct fixture *f = *state;
    AUTO(cstr_free) char *path = big_file(f, 100);
    AUTO(buf_free) struct buf text = {0};
    struct hash h, of;
    int64_t size = 0;
    struct seen seen = {0};
    assert_int_equal(store_blob_import(f->store, path, note, &seen, &h, &size), 0);
    assert_int_equal(size, 3000000);
    assert_int_equal(seen.done, size);
    assert_int_equal(seen.total, size);
    assert_int_equal(fs_read_file(path, 4000000, &text), 0);
    hash_of(text.data, text.len, &of);
    assert_true(hash_eq(&h, &of));
    // The source stays the owner's: what happens to it does not reach the blob.
    AUTO(fd_close) int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "changed", 7), 7);
    AUTO(store_blob_close) struct store_blob *blob = NULL;
    char start[10];
    assert_int_equal(store_blob_open(f->blobs, &h, &blob), 0);
    assert_int_equal(store_blob_read(blob, 0, start, 10), 10);
    assert_memory_equal(start, "000000000\n", 10);
    AUTO(cstr_free) char *absent = path_in(f, "absent");
    assert_int_equal(store_blob_import(f->store, absent, NULL, NULL, &h, &size),
                     ERR_NOT_FOUND);
    assert_int_equal(store_blob_import(f->store, f->dir, NULL, NULL, &h, &size),
                     ERR_INVALID);
    assert_int_equal(mkfifo(absent, 0600), 0); // nobody writes it, and nobody waits
    assert_int_equal(store_blob_import(f->store, absent, NULL, NULL, &h, &size),
                     ERR_INVALID);
}

static void a_known_file_is_not_read_again(void **state)
{
    struct fixture *f = *state;
    AUTO(cstr_free) char *path = big_file(f, 100);
    struct hash h, again;
    int64_t size = 0;
    assert_int_equal(store_blob_import(f->store, path, NULL, NULL, &h, &size), 0);
    // The change time cannot be set, so that a row is made to say what a later look would see.
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    int64_t ctime_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    assert_int_equal(
        store_exec(tx, "INSERT OR REPLACE INTO blob_import VALUES (?, ?, ?, ?, ?, ?)",
                   "iiiiib", (int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)st.st_size,
                   st.st_mtim.tv_sec * INT64_C(1000000000), ctime_ns,
                   (const void *)h.bytes, (size_t)HASH_BYTES),
        0);
    assert_int_equal(store_commit(&tx), 0);
    struct seen seen = {0};
    assert_int_equal(store_blob_import(f->store, path, note, &seen, &again, &size), 0);
    assert_int_equal(seen.calls, 0);
    assert_true(hash_eq(&h, &again));
    // Touched: read again.
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
    assert_int_equal(store_blob_import(f->store, path, note, &seen, &again, &size), 0);
    assert_true(seen.calls > 0);
    assert_true(hash_eq(&h, &again));
}

static int refer(struct store *s, const char *owner, const struct hash *h)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(s, STORE_WRITE, &tx));
    TRY(h ? store_ref_add(tx, owner, h) : store_ref_drop(tx, owner));
    return store_commit(&tx);
}

static int64_t collect(struct fixture *f, int64_t min_age_us)
{
    const struct store_collect_config config = {.min_age_us = min_age_us};
    struct store_collected made = {0};
    assert_int_equal(store_collect(f->store, &config, &made), 0);
    return made.bytes;
}

static int add_loose(void *user, const struct stat *st)
{
    *(int64_t *)user += st->st_size;
    return 0;
}

// What would go if the references of this owner did.
static int64_t loose_without(struct fixture *f, const char *owner)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t bytes = 0;
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_ref_drop(tx, owner), 0);
    assert_int_equal(store_loose(tx, 0, add_loose, &bytes), 0);
    return bytes;
}

static bool at_once(void *user)
{
    ++*(int *)user;
    return true;
}

static void what_nobody_refers_to_is_collected(void **state)
{
    struct fixture *f = *state;
    struct hash kept, loose, absent;
    assert_int_equal(store_blob_put(f->blobs, "kept", 4, &kept), 0);
    assert_int_equal(store_blob_put(f->blobs, "loose!", 6, &loose), 0);
    hash_of("absent", 6, &absent);
    assert_int_equal(refer(f->store, "title:1", &kept), 0);
    assert_int_equal(refer(f->store, "title:2", &kept), 0);
    assert_int_equal(refer(f->store, "title:1", &absent), ERR_NOT_FOUND);
    // Half of a file that a dead process left.
    AUTO(cstr_free) char *left = file_in(f, "blobs/new/left", "half");
    assert_int_equal(collect(f, 3600 * INT64_C(1000000)), 0);
    assert_true(store_blob_exists(f->blobs, &loose));
    assert_int_equal(loose_without(f, "nobody"), 10);
    int asked = 0;
    struct store_collected made = {0};
    const struct store_collect_config stopped = {.stop = at_once, .user = &asked};
    assert_int_equal(store_collect(f->store, &stopped, &made), 0);
    assert_int_equal(asked, 1);
    assert_true(store_blob_exists(f->blobs, &loose));
    assert_int_equal(collect(f, 0), 10);
    assert_false(fs_exists(left));
    assert_false(store_blob_exists(f->blobs, &loose));
    assert_holds(f->blobs, &kept, "kept");
    assert_int_equal(refer(f->store, "title:1", NULL), 0);
    assert_int_equal(collect(f, 0), 0);
    assert_holds(f->blobs, &kept, "kept");
    assert_int_equal(loose_without(f, "title:2"), 4); // asked, not done
    assert_holds(f->blobs, &kept, "kept");
    assert_int_equal(refer(f->store, "title:2", NULL), 0);
    assert_int_equal(collect(f, 0), 4);
    assert_false(store_blob_exists(f->blobs, &kept));
}

static void bytes_with_another_link_stay_and_age_is_the_names(void **state)
{
    struct fixture *f = *state;
    struct hash h;
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &h), 0);
    AUTO(cstr_free) char *name = blob_path(f, &h);
    AUTO(cstr_free) char *published = path_in(f, "published");
    struct timespec old[2] = {{.tv_sec = clock_wall_us() / 1000000 - 7200},
                              {.tv_sec = clock_wall_us() / 1000000 - 7200}};
    assert_int_equal(utimensat(AT_FDCWD, name, old, 0), 0);
    assert_int_equal(store_blob_link(f->blobs, &h, published), 0);
    assert_int_equal(collect(f, 3600 * INT64_C(1000000)), 0); // nothing became free …
    assert_false(fs_exists(name));                            // … but the name is gone
    assert_true(fs_exists(published));
    // Kept again it is young, whatever its links are.
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &h), 0);
    assert_int_equal(collect(f, 3600 * INT64_C(1000000)), 0);
    assert_true(store_blob_exists(f->blobs, &h));
}

// New rows would know none of the blobs, and whatever removes what no row names would begin.
static void blobs_without_rows_are_not_taken_over(void **state)
{
    struct fixture *f = *state;
    struct hash h;
    AUTO(cstr_free) char *rows = path_in(f, "rows.sqlite");
    AUTO(cstr_free) char *aside = path_in(f, "aside");
    assert_int_equal(store_blob_put(f->blobs, "film", 4, &h), 0);
    store_close(&f->store);
    assert_int_equal(rename(rows, aside), 0);
    assert_int_equal(store_open(&f->store, f->dir), ERR_CORRUPT);
    assert_non_null(strstr(err_reason(), "rows.sqlite is lost"));
    assert_false(fs_exists(rows)); // nothing was begun
    assert_int_equal(rename(aside, rows), 0);
    assert_int_equal(store_open(&f->store, f->dir), 0);
    f->blobs = store_blobs_of(f->store);
    assert_true(store_blob_exists(f->blobs, &h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_blob_is_named_by_its_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(blobs_without_rows_are_not_taken_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(adopting_moves_a_file_in, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_blob_is_mended_by_the_next_writer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_link_is_the_blob_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(another_file_system_gets_a_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(an_import_copies_and_hashes_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_known_file_is_not_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_refers_to_is_collected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bytes_with_another_link_stay_and_age_is_the_names,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
