// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/store.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka wants the four above it.
#include <cmocka.h>

static const struct store_migration toy[] = {
    {"toy", 1,
     "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE, size REAL,"
     " bytes BLOB, doc TEXT); CREATE TABLE counter (n INTEGER NOT NULL)"},
    {"toy", 2, "INSERT INTO counter (n) VALUES (0)"},
};

struct fixture {
    char dir[64];
    struct store *store;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    memcpy(f->dir, "/tmp/marquee-rows-XXXXXX", sizeof "/tmp/marquee-rows-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(store_open(&f->store, f->dir), 0);
    assert_int_equal(store_migrate(f->store, toy, ARRAY_LEN(toy)), 0);
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

static int64_t count(struct store *s, const char *sql)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = -1;
    assert_int_equal(store_begin(s, STORE_READ, &tx), 0);
    assert_int_equal(store_get_i64(tx, &n, sql, ""), 0);
    return n;
}

static void every_type_round_trips(void **state)
{
    struct fixture *f = *state;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(json_free) json_t *doc = json_pack("{s:[i,b,n]}", "a", 1, 1);
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx,
                                "INSERT INTO thing (id, name, size, bytes, doc)"
                                " VALUES (?, ?, ?, ?, ?)",
                                "iSdbj", INT64_MIN, STR("映画'; --"), 0.1,
                                (const void *)"a\0b", (size_t)3, doc),
                     0);
    assert_int_equal(store_changes(tx), 1);
    assert_int_equal(
        store_exec(tx, "INSERT INTO thing (id, name) VALUES (1, ?)", "s", (char *)NULL),
        0);
    assert_int_equal(store_commit(&tx), 0);
    assert_null(tx);

    assert_int_equal(store_begin(f->store, STORE_READ, &tx), 0);
    AUTO(store_rows_free) struct store_rows *r = NULL;
    assert_int_equal(
        store_query(tx, &r, "SELECT id, name, size, bytes, doc FROM thing ORDER BY id",
                    ""),
        0);
    assert_int_equal(store_next(r), 1);
    assert_true(store_i64(r, 0) == INT64_MIN);
    assert_string_equal(store_text(r, 1), "映画'; --");
    assert_true(store_double(r, 2) == 0.1);
    size_t len = 0;
    assert_memory_equal(store_bytes(r, 3, &len), "a\0b", 3);
    assert_int_equal(len, 3);
    AUTO(json_free) json_t *back = NULL;
    assert_int_equal(store_json(r, 4, &back), 0);
    assert_true(json_equal(back, doc));
    assert_int_equal(store_next(r), 1);
    assert_null(store_text(r, 1));
    assert_true(store_is_null(r, 2));
    assert_int_equal(store_next(r), 0);
}

static void wake(void *user)
{
    ++*(int *)user;
}

static void what_is_rolled_back_never_was(void **state)
{
    struct fixture *f = *state;
    struct store_tx *tx = NULL;
    int woken = 0;
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_on_commit(tx, wake, &woken), 0);
    assert_int_equal(store_exec(tx, "UPDATE counter SET n = 9", ""), 0);
    store_rollback(&tx);
    assert_null(tx);
    assert_int_equal(woken, 0);
    assert_int_equal(count(f->store, "SELECT n FROM counter"), 0);
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_on_commit(tx, wake, &woken), 0);
    assert_int_equal(store_exec(tx, "UPDATE counter SET n = 9", ""), 0);
    assert_int_equal(woken, 0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(woken, 1);
    assert_int_equal(count(f->store, "SELECT n FROM counter"), 9);
}

static void a_broken_constraint_spares_the_transaction(void **state)
{
    struct fixture *f = *state;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *insert = "INSERT INTO thing (name) VALUES (?)";
    assert_int_equal(store_begin(f->store, STORE_WRITE, &tx), 0);
    assert_int_equal(store_exec(tx, insert, "s", "a"), 0);
    assert_int_equal(store_exec(tx, insert, "s", "a"), ERR_CONFLICT);
    assert_int_equal(store_exec(tx, insert, "s", "b"), 0);
    assert_int_equal(store_commit(&tx), 0);
    assert_int_equal(count(f->store, "SELECT count(*) FROM thing"), 2);
}

static void mistakes_of_callers_are_told(void **state)
{
    struct fixture *f = *state;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(store_rows_free) struct store_rows *r = NULL;
    int64_t n = 5;
    char *text = NULL;
    assert_int_equal(store_begin(f->store, STORE_READ, &tx), 0);
    assert_int_equal(store_exec(tx, "UPDATE counter SET n = 1", ""), ERR_INTERNAL);
    assert_int_equal(store_exec(tx, "SELECT 1; SELECT 2", ""), ERR_INTERNAL);
    assert_int_equal(store_exec(tx, "SELECT ?", ""), ERR_INTERNAL);
    assert_int_equal(store_exec(tx, "SELECT ?", "x", 1), ERR_INTERNAL);
    assert_int_equal(store_query(tx, &r, "SELECT nothing FROM nowhere", ""),
                     ERR_INTERNAL);
    assert_int_equal(store_get_i64(tx, &n, "SELECT id FROM thing", ""), ERR_NOT_FOUND);
    assert_int_equal(n, 5);
    assert_int_equal(store_get_text(tx, &text, "SELECT NULL", ""), 0);
    assert_null(text);
}

static void a_query_may_run_inside_itself(void **state)
{
    struct fixture *f = *state;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    const char *sql = "WITH v(x) AS (VALUES (1), (2), (3)) SELECT x FROM v WHERE x >= ?";
    AUTO(store_rows_free) struct store_rows *outer = NULL;
    int pairs = 0;
    assert_int_equal(store_begin(f->store, STORE_READ, &tx), 0);
    assert_int_equal(store_query(tx, &outer, sql, "i", INT64_C(1)), 0);
    while (store_next(outer) == 1) {
        AUTO(store_rows_free) struct store_rows *inner = NULL;
        assert_int_equal(store_query(tx, &inner, sql, "i", store_i64(outer, 0)), 0);
        while (store_next(inner) == 1) {
            pairs++;
        }
    }
    assert_int_equal(pairs, 6);
}

#define THREADS 6
#define ROUNDS  20

static int add_one(struct store *s)
{
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t n = 0;
    TRY(store_begin(s, STORE_WRITE, &tx));
    TRY(store_get_i64(tx, &n, "SELECT n FROM counter", ""));
    TRY(store_exec(tx, "UPDATE counter SET n = ?", "i", n + 1));
    return store_commit(&tx);
}

static void *add_many(void *user)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (add_one(user) < 0) {
            return user;
        }
    }
    return NULL;
}

static pid_t in_child(int (*run)(const char *dir), const char *dir)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int err = run(dir);
        if (err < 0) {
            dprintf(2, "%s: %s\n", err_name(err), err_reason());
        }
        _exit(err < 0 ? 1 : 0);
    }
    return pid;
}

static int exit_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int count_up(const char *dir)
{
    AUTO(store_close) struct store *s = NULL;
    TRY(store_open(&s, dir));
    TRY(store_migrate(s, toy, ARRAY_LEN(toy)));
    return add_many(s) ? ERR_INTERNAL : 0;
}

static void threads_and_processes_lose_no_write(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    pid_t children[3];
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        children[i] = in_child(count_up, f->dir);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, f->store), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        assert_int_equal(exit_of(children[i]), 0);
    }
    assert_int_equal(count(f->store, "SELECT n FROM counter"), (THREADS + 3) * ROUNDS);
}

static void many_processes_may_make_one_folder(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 5; round++) {
        AUTO(cstr_free) char *dir = NULL;
        pid_t children[6];
        assert_int_equal(cstr_printf(&dir, "%s/fresh%d", f->dir, round), 0);
        for (size_t i = 0; i < ARRAY_LEN(children); i++) {
            children[i] = in_child(count_up, dir);
        }
        for (size_t i = 0; i < ARRAY_LEN(children); i++) {
            assert_int_equal(exit_of(children[i]), 0);
        }
        AUTO(store_close) struct store *s = NULL;
        assert_int_equal(store_open(&s, dir), 0);
        assert_int_equal(count(s, "SELECT n FROM counter"),
                         (int64_t)ARRAY_LEN(children) * ROUNDS);
    }
}

static void migrations_are_whole_and_in_order(void **state)
{
    struct fixture *f = *state;
    const struct store_migration torn[] = {
        {"torn", 1, "CREATE TABLE torn (x INTEGER); INSERT INTO nowhere VALUES (1)"}};
    const struct store_migration gap[] = {{"gap", 2, "SELECT 1"}};
    assert_int_equal(store_migrate(f->store, torn, 1), ERR_INTERNAL);
    assert_int_equal(
        count(f->store, "SELECT count(*) FROM sqlite_master WHERE name = 'torn'"), 0);
    assert_int_equal(store_migrate(f->store, gap, 1), ERR_INTERNAL);
    // An older program, that knows the first migration only.
    assert_int_equal(store_migrate(f->store, toy, 1), ERR_CONFLICT);
    assert_int_equal(store_migrate(f->store, toy, ARRAY_LEN(toy)), 0);
}

static void every_commit_changes_the_data_version(void **state)
{
    struct fixture *f = *state;
    int64_t a = 0, b = 0, c = 0;
    assert_int_equal(store_data_version(f->store, &a), 0);
    assert_int_equal(store_data_version(f->store, &b), 0);
    assert_int_equal(a, b);
    assert_int_equal(add_one(f->store), 0);
    assert_int_equal(store_data_version(f->store, &b), 0);
    assert_int_not_equal(a, b);
    assert_int_equal(exit_of(in_child(count_up, f->dir)), 0);
    assert_int_equal(store_data_version(f->store, &c), 0);
    assert_int_not_equal(b, c);
}

static int count_and_tell(const char *dir, int out)
{
    AUTO(store_close) struct store *s = NULL;
    TRY(store_open(&s, dir));
    for (;;) {
        TRY(add_one(s));
        TRY(fd_write_all(out, "+", 1));
    }
}

static void a_killed_writer_loses_nothing_acknowledged(void **state)
{
    struct fixture *f = *state;
    int64_t told = 0;
    for (int round = 0; round < 8; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            _exit(count_and_tell(f->dir, ends[1]) < 0);
        }
        close(ends[1]);
        char c;
        for (int i = 0; i < 3 + round; i++) {
            assert_int_equal(read(ends[0], &c, 1), 1);
            told++;
        }
        kill(pid, SIGKILL);
        assert_int_equal(exit_of(pid), -1);
        while (read(ends[0], &c, 1) == 1) {
            told++;
        }
        close(ends[0]);
        int64_t kept = count(f->store, "SELECT n FROM counter");
        // At most the one that was committed and not told yet.
        assert_in_range(kept, told, told + 1);
        told = kept;
    }
}

// A file system of 3 MB that only this child sees; 77 where the machine allows none.
#define CANNOT_MOUNT 77
static int fill_a_disk(const char *dir)
{
    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir, "tmpfs", 0, "size=3m") < 0) {
        _exit(CANNOT_MOUNT);
    }
    AUTO(store_close) struct store *s = NULL;
    AUTO(buf_free) struct buf block = {0};
    buf_reserve(&block, 100000);
    memset(block.data, 7, 100000);
    TRY(store_open(&s, dir));
    TRY(store_migrate(s, toy, ARRAY_LEN(toy)));
    int64_t kept = 0;
    int err = 0;
    while (err == 0) {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(s, STORE_WRITE, &tx));
        err = store_exec(tx, "INSERT INTO thing (bytes) VALUES (?)", "b", block.data,
                         (size_t)100000);
        if (err == 0) {
            err = store_commit(&tx);
        }
        kept += err == 0;
    }
    FAIL_IF(err != ERR_NO_SPACE || kept < 5, ERR_INTERNAL, "%s after %lld rows: %s",
            err_name(err), (long long)kept, err_reason());
    struct hash h;
    err = store_blob_put(store_blobs_of(s), block.data, 100000, &h);
    FAIL_IF(err != ERR_NO_SPACE, ERR_INTERNAL, "a blob: %s", err_name(err));
    FAIL_IF(store_blob_exists(store_blobs_of(s), &h), ERR_INTERNAL,
            "half a blob has a name");
    store_close(&s);
    TRY(store_open(&s, dir));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    int64_t found = 0;
    TRY(store_begin(s, STORE_READ, &tx));
    TRY(store_get_i64(tx, &found, "SELECT count(*) FROM thing", ""));
    FAIL_IF(found != kept, ERR_INTERNAL, "%lld rows of %lld", (long long)found,
            (long long)kept);
    return 0;
}

static void a_full_disk_is_told_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    AUTO(cstr_free) char *dir = NULL;
    assert_int_equal(cstr_printf(&dir, "%s/small", f->dir), 0);
    assert_int_equal(fs_make_dirs(dir), 0);
    int code = exit_of(in_child(fill_a_disk, dir));
    if (code == CANNOT_MOUNT) {
        cstr_free(&dir); // skip() jumps
        print_message("SKIPPED: this machine lets no small file system be mounted\n");
        skip();
    }
    assert_int_equal(code, 0);
}

static void rows_are_for_their_owner_alone(void **state)
{
    struct fixture *f = *state;
    AUTO(store_close) struct store *open_to_all = NULL;
    AUTO(cstr_free) char *dir = NULL;
    assert_int_equal(cstr_printf(&dir, "%s/second", f->dir), 0);
    assert_int_equal(mkdir(dir, 0755), 0);
    mode_t before = umask(0);
    assert_int_equal(store_open(&open_to_all, dir), 0);
    assert_int_equal(store_migrate(open_to_all, toy, ARRAY_LEN(toy)), 0);
    umask(before);
    static const char *const files[] = {"rows.sqlite", "rows.sqlite-wal",
                                        "rows.sqlite-shm"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO(cstr_free) char *path = NULL;
        struct stat at;
        assert_int_equal(cstr_printf(&path, "%s/%s", dir, files[i]), 0);
        assert_int_equal(stat(path, &at), 0);
        assert_int_equal(at.st_mode & 0777, 0600);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_round_trips, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_rolled_back_never_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_constraint_spares_the_transaction, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mistakes_of_callers_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_may_run_inside_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_and_processes_lose_no_write, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_processes_may_make_one_folder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(migrations_are_whole_and_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rows_are_for_their_owner_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(every_commit_changes_the_data_version, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_killed_writer_loses_nothing_acknowledged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_loses_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
