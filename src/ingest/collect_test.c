// SPDX-License-Identifier: GPL-3.0-or-later
//
// Collecting loses nothing that is needed and frees what is not, whoever is killed in the middle. The
// oracle is the list of what was put where: each blob and package of the folder is made by this test, which
// knows why it is needed.
#include "catalog/catalog.h"
#include "ingest/internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the ones above it.
#include <cmocka.h>

#define DAY_US INT64_C(86400000000)

struct blob {
    struct hash hash;
    bool needed;
};

struct package {
    char hex[HASH_HEX_BYTES];
    bool needed;
};

struct folder {
    char dir[64];
    struct store *store;
    unsigned made; // texts and names differ by it
    VEC(struct blob) blobs;
    VEC(struct package) packages;
};

static int migrate(struct store *s)
{
    TRY(store_migrate(s, bus_migrations, bus_migration_count));
    TRY(store_migrate(s, flow_migrations, flow_migration_count));
    TRY(store_migrate(s, account_migrations, account_migration_count));
    TRY(store_migrate(s, catalog_migrations, catalog_migration_count));
    return store_migrate(s, ingest_migrations, ingest_migration_count);
}

static int set_up(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    memcpy(f->dir, "/tmp/marquee-collect-XXXXXX", sizeof "/tmp/marquee-collect-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(store_open(&f->store, f->dir), 0);
    assert_int_equal(migrate(f->store), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct folder *f = *state;
    store_close(&f->store);
    vec_free(&f->blobs);
    vec_free(&f->packages);
    assert_int_equal(fs_remove_tree(f->dir), 0);
    free(f);
    return 0;
}

static struct store_tx *begin(struct folder *f)
{
    struct store_tx *tx = NULL;
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    return tx;
}

// --- what the folder holds ----------------------------------------------------------------------

static char *blob_path(const struct folder *f, const struct hash *h)
{
    char hex[HASH_HEX_BYTES], *path = NULL;
    hash_hex(h, hex);
    assert_int_equal(cstr_printf(&path, "%s/blobs/%.2s/%s", f->dir, hex, hex + 2), 0);
    return path;
}

// A blob of ten bytes that was kept so long ago.
static struct hash put(struct folder *f, int64_t age_us, bool needed)
{
    char text[16];
    struct hash h;
    snprintf(text, sizeof text, "%010u", f->made++);
    assert_int_equal(store_blob_put(store_blobs_of(f->store), text, 10, &h), 0);
    int64_t at_s = (clock_wall_us() - age_us) / 1000000;
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    AUTO(cstr_free) char *path = blob_path(f, &h);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(vec_push(&f->blobs, (struct blob){h, needed}), 0);
    return h;
}

static void refer(struct store_tx *tx, const char *owner, const struct hash *h)
{
    // Not store_ref_add, which makes the blob young: this was long ago.
    assert_int_equal(store_exec(tx, "INSERT INTO blob_ref (hash, owner) VALUES (?, ?)",
                                "bs", (const void *)h->bytes, (size_t)HASH_BYTES, owner),
                     0);
}

// A job with one step that made this blob; running, or ended so long ago.
static void add_job(struct folder *f, const struct hash *blob, bool running,
                    int64_t ended_us_ago)
{
    char job[UUID_BYTES], hex[HASH_HEX_BYTES], owner[80];
    struct hash key;
    uuid_v7(job);
    hash_of(job, sizeof job, &key);
    hash_hex(&key, hex);
    snprintf(owner, sizeof owner, "flow:%s", hex);
    int64_t then_us = clock_wall_us() - ended_us_ago, step = 0;
    struct store_tx *tx = begin(f);
    assert_int_equal(
        store_exec(tx,
                   "INSERT INTO flow_job (id, workflow, subject, params, priority, actor,"
                   " state, dirty, created_us, finished_us) VALUES (?, 'w', 's', '{}', 0,"
                   " 'system', ?, 0, 1, iif(?, NULL, ?))",
                   "ssii", job, running ? "running" : "done", (int64_t)running, then_us),
        0);
    assert_int_equal(
        store_get_i64(tx, &step,
                      "INSERT INTO flow_step (job, name, type, version, sum, priority,"
                      " cost, spec, state) VALUES (?, 'n', 't', 1, x'', 0, 1, '{}',"
                      " 'done') RETURNING id",
                      "s", job),
        0);
    assert_int_equal(store_exec(tx,
                                "INSERT INTO flow_part VALUES (?, 0, 'main', ?, 0, NULL)",
                                "ib", step, (const void *)key.bytes, (size_t)HASH_BYTES),
                     0);
    assert_int_equal(store_exec(tx, "INSERT INTO flow_result VALUES (?, 'null', 1)", "b",
                                (const void *)key.bytes, (size_t)HASH_BYTES),
                     0);
    refer(tx, owner, blob);
    assert_int_equal(store_commit(&tx), 0);
}

static void add_title(struct folder *f, char ret_id[UUID_BYTES])
{
    struct store_tx *tx = begin(f);
    AUTO(json_free) json_t *metadata = json_pack("{s:s}", "name", "A film");
    assert_int_equal(catalog_upsert(tx, metadata, "system", ret_id), 0);
    assert_int_equal(store_commit(&tx), 0);
}

// A package of two files, whose blobs only its links keep, published for a title a year ago; unless
// `unused_us_ago` is negative, no title plays it since then.
static void add_package(struct folder *f, const char *title, int64_t unused_us_ago,
                        bool needed)
{
    AUTO(json_free) json_t *package = NULL, *files = json_array();
    for (int i = 0; i < 2; i++) {
        struct hash h = put(f, 400 * DAY_US, false);
        char hex[HASH_HEX_BYTES], path[24];
        hash_hex(&h, hex);
        snprintf(path, sizeof path, "h264/%05d.m4s", i);
        json_array_append_new(
            files, json_pack("{s:s, s:s, s:i}", "path", path, "hash", hex, "bytes", 10));
    }
    package = json_pack("{s:i, s:O}", "schema", 1, "files", files);
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, package);
    struct hash h;
    struct package p = {.needed = needed};
    assert_int_equal(store_blob_put(store_blobs_of(f->store), text.data, text.len, &h),
                     0);
    assert_int_equal(publish_folder(f->store, package, &h), 0);
    AUTO(cstr_free) char *own = blob_path(f, &h);
    assert_int_equal(unlink(own), 0); // as if collected before
    hash_hex(&h, p.hex);
    struct store_tx *tx = begin(f);
    assert_int_equal(
        store_exec(tx,
                   "INSERT INTO ingest_package (hash, delivery_id, published_us,"
                   " unused_us) VALUES (?, ?, 1, iif(? < 0, NULL, ?))",
                   "ssii", p.hex, title, unused_us_ago, clock_wall_us() - unused_us_ago),
        0);
    if (unused_us_ago < 0) {
        const struct catalog_publication publication = {.package = p.hex,
                                                        .duration_us = 1};
        assert_int_equal(catalog_publish(tx, title, &publication), 0);
    }
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(vec_push(&f->packages, p), 0);
}

static void add_reasons(struct folder *f)
{
    char title[UUID_BYTES], withdrawn[UUID_BYTES];
    add_title(f, title);
    add_title(f, withdrawn);
    add_package(f, title, 8 * DAY_US, false);
    add_package(f, title, 6 * DAY_US, true); // a grant may be used for so long
    add_package(f, title, -1, true);
    add_package(f, withdrawn, -1, true);
    struct store_tx *tx = begin(f);
    assert_int_equal(catalog_withdraw(tx, withdrawn, "system"), 0);
    // A delivery's film, report and pictures.
    for (int i = 0; i < 3; i++) {
        struct hash h = put(f, 400 * DAY_US, true);
        refer(tx, "ingest:a delivery", &h);
    }
    assert_int_equal(store_commit(&tx), 0);
    struct hash h = put(f, 400 * DAY_US, true);
    add_job(f, &h, true, 0);
    h = put(f, 400 * DAY_US, true);
    add_job(f, &h, false, 6 * DAY_US);
    h = put(f, 400 * DAY_US, false);
    add_job(f, &h, false, 8 * DAY_US);
    (void)put(f, 1000000, true); // somebody is about to refer to it
    (void)put(f, 2 * DAY_US, false);
}

// --- the oracle ---------------------------------------------------------------------------------

static bool package_is_whole(const struct folder *f, const char *hex)
{
    AUTO(cstr_free) char *root = NULL, *own = NULL;
    AUTO(json_free) json_t *package = NULL;
    size_t i;
    json_t *file;
    assert_int_equal(cstr_printf(&root, "%s/media/%s", f->dir, hex), 0);
    assert_int_equal(cstr_printf(&own, "%s/package.json", root), 0);
    if (!fs_exists(own)) {
        return false;
    }
    assert_int_equal(json_parse_file(&package, own, 1 << 20), 0);
    json_array_foreach(json_object_get(package, "files"), i, file)
    {
        AUTO(cstr_free) char *path = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct hash h, of;
        assert_int_equal(cstr_printf(&path, "%s/%s", root, json_str_or(file, "path", "")),
                         0);
        if (fs_read_file(path, 100, &text) < 0) {
            return false;
        }
        assert_int_equal(hash_parse(str_of(json_str_or(file, "hash", "")), &h), 0);
        hash_of(text.data, text.len, &of);
        assert_true(hash_eq(&h, &of));
    }
    return true;
}

static void assert_nothing_is_lost(struct folder *f)
{
    vec_for_each (b, &f->blobs) {
        if (b->needed) {
            assert_true(store_blob_exists(store_blobs_of(f->store), &b->hash));
        }
    }
    vec_for_each (p, &f->packages) {
        if (p->needed) {
            assert_true(package_is_whole(f, p->hex));
        }
    }
}

static void assert_nothing_is_left(struct folder *f)
{
    vec_for_each (b, &f->blobs) {
        assert_int_equal(store_blob_exists(store_blobs_of(f->store), &b->hash),
                         b->needed);
    }
    vec_for_each (p, &f->packages) {
        AUTO(cstr_free) char *root = NULL;
        assert_int_equal(cstr_printf(&root, "%s/media/%s", f->dir, p->hex), 0);
        assert_int_equal(fs_exists(root), p->needed);
    }
}

static int64_t count(struct folder *f, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = -1;
    assert_int_equal(store_begin(f->store, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

// --- tests --------------------------------------------------------------------------------------

static void what_is_needed_stays_and_the_rest_goes(void **state)
{
    struct folder *f = *state;
    struct ingest_collected asked = {0}, made = {0};
    add_reasons(f);
    // What somebody who was killed had taken away already.
    AUTO(cstr_free) char *trash = NULL;
    assert_int_equal(cstr_printf(&trash, "%s/media/.1.old/h264", f->dir), 0);
    assert_int_equal(fs_make_dirs(trash), 0);
    assert_true(ingest_collection_is_due(f->store, 3600000000));
    assert_int_equal(ingest_collectable(f->store, &ingest_retention_usual, &asked), 0);
    assert_nothing_is_lost(f);
    assert_int_equal(count(f, "SELECT count(*) FROM flow_result"), 3);
    assert_int_equal(ingest_collect(f->store, &ingest_retention_usual, NULL, NULL, &made),
                     0);
    assert_nothing_is_lost(f);
    assert_nothing_is_left(f);
    assert_false(fs_exists(trash));
    // What was promised is what was done.
    assert_memory_equal(&asked, &made, sizeof made);
    assert_int_equal(made.results, 1);
    assert_int_equal(made.packages, 1);
    // Two loose blobs and the names of all packages' files; the bytes of the first package alone are free.
    assert_int_equal(made.files, 2 + 4 * 2);
    assert_true(made.bytes > 4 * 10);
    assert_false(ingest_collection_is_due(f->store, 3600000000));
    assert_int_equal(
        count(f, "SELECT count(*) FROM event WHERE type = 'store.collected.v1'"), 1);
    // Once more there is nothing, and nobody is told of it.
    assert_int_equal(ingest_collect(f->store, &ingest_retention_usual, NULL, NULL, &made),
                     0);
    assert_int_equal(made.files + made.packages + made.results + made.bytes, 0);
    assert_int_equal(
        count(f, "SELECT count(*) FROM event WHERE type = 'store.collected.v1'"), 1);
}

static void a_package_is_kept_from_when_it_was_superseded(void **state)
{
    struct folder *f = *state;
    char title[UUID_BYTES];
    struct ingest_collected made = {0};
    add_title(f, title);
    add_package(f, title, -1, true);
    // Rows of a program that did not mark: superseded, and nobody knows since when.
    add_package(f, title, -1, true);
    const struct ingest_retention eager = {0}; // of packages it is taken for a week
    assert_int_equal(ingest_collect(f->store, &eager, NULL, NULL, &made), 0);
    assert_nothing_is_lost(f);
    assert_int_equal(
        count(f, "SELECT count(*) FROM ingest_package WHERE unused_us IS NOT NULL"), 1);
    struct store_tx *tx = begin(f);
    assert_int_equal(store_exec(tx,
                                "UPDATE ingest_package SET unused_us = unused_us - ?"
                                " WHERE unused_us IS NOT NULL",
                                "i", 7 * DAY_US),
                     0);
    // Played again after all: the mark is taken back.
    const struct catalog_publication again = {.package = f->packages.data[0].hex,
                                              .duration_us = 1};
    assert_int_equal(catalog_publish(tx, title, &again), 0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(ingest_collect(f->store, &eager, NULL, NULL, &made), 0);
    assert_nothing_is_lost(f);
    assert_int_equal(made.packages, 0);
}

static int collect_in(const char *dir)
{
    AUTO(store_close) struct store *s = NULL;
    struct ingest_collected made;
    TRY(store_open(&s, dir));
    TRY(migrate(s));
    return ingest_collect(s, &ingest_retention_usual, NULL, NULL, &made);
}

// COLLECT_KILLS=500 in the environment: so many.
static void who_is_killed_while_collecting_loses_nothing(void **state)
{
    struct folder *f = *state;
    const char *asked = getenv("COLLECT_KILLS");
    int64_t rounds = 12, longest_us = 0;
    char title[UUID_BYTES];
    if (asked) {
        assert_int_equal(str_to_i64(str_of(asked), 1, 100000, &rounds), 0);
    }
    add_reasons(f);
    add_title(f, title);
    uint32_t dice = 1;
    for (int64_t i = 0; i < rounds; i++) {
        add_package(f, title, 8 * DAY_US, false);
        struct hash h = put(f, 400 * DAY_US, false);
        add_job(f, &h, false, 8 * DAY_US);
        int64_t start_us = clock_mono_us();
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            _exit(collect_in(f->dir) < 0 ? 1 : 0);
        }
        // The first is let go on, to know how long it takes; the others are killed anywhere in it.
        dice = dice * 1664525u + 1013904223u;
        if (i > 0) {
            int64_t delay_us = (int64_t)(dice >> 8) % MAX(longest_us, INT64_C(1));
            struct timespec delay = {.tv_sec = delay_us / 1000000,
                                     .tv_nsec = delay_us % 1000000 * 1000};
            nanosleep(&delay, NULL);
            kill(pid, SIGKILL);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (i == 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            longest_us = clock_mono_us() - start_us;
        }
        assert_nothing_is_lost(f);
    }
    struct ingest_collected made = {0};
    assert_int_equal(ingest_collect(f->store, &ingest_retention_usual, NULL, NULL, &made),
                     0);
    assert_nothing_is_lost(f);
    assert_nothing_is_left(f);
    assert_int_equal(count(f, "SELECT count(*) FROM ingest_package"), 3);
    assert_int_equal(count(f, "SELECT count(*) FROM flow_result"), 2);
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

static void a_collection_that_is_stopped_is_not_done(void **state)
{
    struct folder *f = *state;
    struct ingest_collected made = {0};
    add_reasons(f);
    assert_int_equal(
        ingest_collect(f->store, &ingest_retention_usual, at_once, NULL, &made), 0);
    assert_int_equal(made.results + made.packages + made.files, 0);
    assert_true(ingest_collection_is_due(f->store, 0));
    assert_nothing_is_lost(f);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

// --- what the disk forgot -----------------------------------------------------------------------

struct bad {
    int count, err;
    char path[256];
};

static void note_bad(void *user, const char *path, int err)
{
    struct bad *b = user;
    b->count++;
    b->err = err;
    assert_int_equal(str_copy(b->path, sizeof b->path, str_of(path)), 0);
}

static void damage_is_found(void **state)
{
    struct folder *f = *state;
    char title[UUID_BYTES];
    add_title(f, title);
    add_package(f, title, -1, true);
    struct hash film = put(f, 0, true);
    struct store_tx *tx = begin(f);
    refer(tx, "ingest:a", &film);
    assert_int_equal(store_commit(&tx), 0);
    struct bad bad = {0};
    struct store_checked made = {0};
    assert_int_equal(ingest_check(f->store, note_bad, &bad, &made), 0);
    assert_int_equal(made.files, 3);
    assert_int_equal(store_blobs_check(f->store, note_bad, &bad, &made), 0);
    assert_true(made.files >= 1);
    assert_int_equal(bad.count, 0);

    AUTO(cstr_free) char *segment = NULL, *name = blob_path(f, &film);
    assert_int_equal(cstr_printf(&segment, "%s/media/%s/h264/00001.m4s", f->dir,
                                 f->packages.data[0].hex),
                     0);
    assert_int_equal(chmod(segment, 0600), 0);
    AUTO(fd_close) int fd = open(segment, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 9), 1);
    assert_int_equal(ingest_check(f->store, note_bad, &bad, &made), 0);
    assert_int_equal(made.bad, 1);
    assert_int_equal(bad.err, ERR_CORRUPT);
    assert_true(str_ends(str_of(bad.path), "h264/00001.m4s"));

    assert_int_equal(unlink(name), 0);
    assert_int_equal(store_blobs_check(f->store, note_bad, &bad, &made), 0);
    assert_int_equal(made.bad, 1);
    assert_int_equal(bad.err, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(what_is_needed_stays_and_the_rest_goes),
        EACH(a_package_is_kept_from_when_it_was_superseded),
        EACH(who_is_killed_while_collecting_loses_nothing),
        EACH(a_collection_that_is_stopped_is_not_done),
        EACH(damage_is_found),
    };
    return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
