// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/journal.h"

#include "telemetry/crc32c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK         "MQLR"
#define FRAME_BYTES  13
#define GATHER_BYTES (256U << 10)
#define WAIT_BYTES   (64U << 20)
#define FILE_MAX     (INT64_C(4) << 30)

struct journal {
    char *dir;

    pthread_mutex_t file_lock; // taken before `lock`; guards the file
    int fd;
    uint64_t number, first; // of the open file, of the oldest
    int64_t length;         // of the open file, whole records
    struct buf writing;     // not yet in the file
    bool unsynced;

    pthread_mutex_t lock; // guards what waits
    struct buf waiting;
    int broken; // why nothing can be written, 0: it can
    uint64_t bytes;
};

// --- records ------------------------------------------------------------------------------------

static uint32_t sum_of(uint32_t len, uint8_t type, const void *payload)
{
    uint32_t le = htole32(len);
    return crc32c(crc32c(crc32c(0, &le, sizeof le), &type, 1), payload, len);
}

static bool record_at(struct str text, size_t at, struct journal_record *ret)
{
    struct unpack u = unpack_of(text.data + at, text.len - at);
    const uint8_t *mark = unpack_bytes(&u, 4);
    uint32_t len = unpack_u32(&u), crc = unpack_u32(&u);
    uint8_t type = unpack_u8(&u);
    const uint8_t *payload = unpack_bytes(&u, len);
    if (u.bad || memcmp(mark, MARK, 4) != 0 || len > JOURNAL_RECORD_MAX ||
        sum_of(len, type, payload) != crc) {
        return false;
    }
    *ret = (struct journal_record){.type = type,
                                   .payload = {(const char *)payload, len},
                                   .end = at + FRAME_BYTES + len};
    return true;
}

bool journal_next(struct str text, size_t at, struct journal_record *ret,
                  size_t *ret_damaged)
{
    size_t begin = at;
    while (at < text.len && !record_at(text, at, ret)) {
        const char *mark = memmem(text.data + at + 1, text.len - at - 1, MARK, 4);
        at = mark ? (size_t)(mark - text.data) : text.len;
    }
    *ret_damaged = at - begin;
    return at < text.len;
}

void journal_add(struct journal *j, uint8_t type, struct str payload)
{
    ASSERT(payload.len <= JOURNAL_RECORD_MAX);
    uint32_t len = (uint32_t)payload.len, crc = sum_of(len, type, payload.data);
    pthread_mutex_lock(&j->lock);
    buf_reserve(&j->waiting, FRAME_BYTES + payload.len);
    if (j->waiting.err == 0) { // a record is whole or not there
        buf_add(&j->waiting, MARK, 4);
        pack_u32(&j->waiting, len);
        pack_u32(&j->waiting, crc);
        buf_char(&j->waiting, (char)type);
        buf_str(&j->waiting, payload);
    }
    pthread_mutex_unlock(&j->lock);
}

// --- files --------------------------------------------------------------------------------------

static int path_of(const struct journal *j, uint64_t number, char **ret)
{
    return cstr_printf(ret, "%s/log-%016" PRIx64 ".journal", j->dir, number);
}

static int open_file(struct journal *j, uint64_t number)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(path_of(j, number, &path));
    AUTO(fd_close) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("opening %s", path);
    }
    int64_t length;
    TRY(fs_size(path, &length));
    if (lseek(fd, 0, SEEK_END) < 0) {
        return err_fail_errno("%s", path);
    }
    TRY(fs_sync_dir(j->dir));
    fd_close(&j->fd);
    j->fd = fd;
    fd = -1;
    j->number = number;
    j->length = length;
    return 0;
}

// What waits goes into the file. A write that fails is undone, so that no half record stands before whole ones.
static int write_locked(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    int lost = j->waiting.err;
    if (j->writing.len == 0) {
        struct buf swap = j->writing;
        j->writing = j->waiting;
        j->waiting = swap;
        j->waiting.err = j->writing.err = 0;
    }
    pthread_mutex_unlock(&j->lock);
    int err = 0;
    if (j->writing.len > 0) {
        err = fd_write_all(j->fd, j->writing.data, j->writing.len);
        if (err < 0) {
            (void)!ftruncate(j->fd, j->length);
            lseek(j->fd, j->length, SEEK_SET);
        } else {
            j->length += (int64_t)j->writing.len;
            j->unsynced = true;
        }
    }
    pthread_mutex_lock(&j->lock);
    j->broken = err;
    if (err == 0) {
        j->bytes += j->writing.len;
    }
    pthread_mutex_unlock(&j->lock);
    if (err == 0) {
        buf_clear(&j->writing);
    }
    FAIL_IF(err == 0 && lost < 0, lost, "records of the log were lost");
    return err;
}

int journal_flush_if_full(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool full = j->waiting.len >= GATHER_BYTES;
    pthread_mutex_unlock(&j->lock);
    if (!full) {
        return 0;
    }
    pthread_mutex_lock(&j->file_lock);
    int err = write_locked(j);
    pthread_mutex_unlock(&j->file_lock);
    return err;
}

static int sync_locked(struct journal *j)
{
    TRY(write_locked(j));
    // What came while it was written goes with it.
    TRY(write_locked(j));
    if (j->unsynced && fdatasync(j->fd) < 0) {
        return err_fail_errno("syncing the log in %s", j->dir);
    }
    j->unsynced = false;
    return 0;
}

int journal_sync(struct journal *j)
{
    pthread_mutex_lock(&j->file_lock);
    int err = sync_locked(j);
    pthread_mutex_unlock(&j->file_lock);
    return err;
}

int journal_rotate(struct journal *j, uint64_t *ret_number)
{
    pthread_mutex_lock(&j->file_lock);
    int err = sync_locked(j);
    if (err == 0) {
        err = open_file(j, j->number + 1);
    }
    *ret_number = err == 0 ? j->number : *ret_number;
    pthread_mutex_unlock(&j->file_lock);
    return err;
}

int journal_drop(struct journal *j, uint64_t number)
{
    int err = 0;
    pthread_mutex_lock(&j->file_lock);
    for (; err == 0 && j->first < number && j->first < j->number; j->first++) {
        AUTO(cstr_free) char *path = NULL;
        int64_t size = 0;
        err = path_of(j, j->first, &path);
        if (err == 0 && fs_exists(path) && fs_size(path, &size) == 0) {
            unlink(path);
        }
        pthread_mutex_lock(&j->lock);
        j->bytes -= MIN(j->bytes, (uint64_t)size);
        pthread_mutex_unlock(&j->lock);
    }
    pthread_mutex_unlock(&j->file_lock);
    return err;
}

int journal_check(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    int err = j->waiting.len > WAIT_BYTES && j->broken < 0 ? j->broken : j->waiting.err;
    pthread_mutex_unlock(&j->lock);
    FAIL_IF(err < 0, err, "the log in %s cannot be written", j->dir);
    return 0;
}

uint64_t journal_bytes(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t n = j->bytes + j->waiting.len;
    pthread_mutex_unlock(&j->lock);
    return n;
}

// --- opening ------------------------------------------------------------------------------------

static int replay(const struct journal_config *c, const char *path, size_t *ret_sound)
{
    AUTO(buf_free) struct buf text = {0};
    TRY(fs_read_file(path, FILE_MAX, &text));
    struct journal_record r = {0};
    size_t damaged, at = 0;
    while (journal_next(buf_view(&text), at, &r, &damaged)) {
        if (damaged > 0) {
            char why[128];
            snprintf(why, sizeof why, "%zu damaged bytes passed over at %zu", damaged,
                     at);
            c->on_corrupt(c->user, path, why);
        }
        TRY(c->on_record(c->user, r.type, r.payload));
        at = r.end;
    }
    if (damaged > 0) {
        char why[128];
        snprintf(why, sizeof why, "torn: %zu bytes at the end, from %zu on", damaged, at);
        c->on_corrupt(c->user, path, why);
    }
    *ret_sound = at;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

typedef VEC(uint64_t) numbers;

static int list_files(const char *dir, numbers *ret)
{
    DIR *d = opendir(dir);
    if (!d) {
        return err_fail_errno("opening %s", dir);
    }
    int err = 0;
    for (struct dirent *e = readdir(d); err == 0 && e; e = readdir(d)) {
        uint64_t number;
        int end = 0;
        if (sscanf(e->d_name, "log-%16" SCNx64 ".journal%n", &number, &end) == 1 &&
            end > 0 && e->d_name[end] == '\0') {
            err = vec_push(ret, number);
        }
    }
    closedir(d);
    if (err == 0 && ret->len > 0) {
        qsort(ret->data, ret->len, sizeof *ret->data, by_number);
    }
    return err;
}

static int replay_all(struct journal *j, const struct journal_config *c, numbers *files)
{
    TRY(list_files(j->dir, files));
    size_t sound = 0;
    vec_for_each (number, files) {
        AUTO(cstr_free) char *path = NULL;
        TRY(path_of(j, *number, &path));
        TRY(replay(c, path, &sound));
        j->bytes += sound;
    }
    j->first = files->len ? files->data[0] : 1;
    TRY(open_file(j, files->len ? files->data[files->len - 1] : 1));
    if (j->length > (int64_t)sound) {
        if (ftruncate(j->fd, (off_t)sound) < 0 || fsync(j->fd) < 0 ||
            lseek(j->fd, 0, SEEK_END) < 0) {
            return err_fail_errno("cutting the log in %s", j->dir);
        }
        j->length = (int64_t)sound;
    }
    return 0;
}

static void journal_free(struct journal **jp)
{
    struct journal *j = TAKE(*jp);
    if (!j) {
        return;
    }
    fd_close(&j->fd);
    pthread_mutex_destroy(&j->file_lock);
    pthread_mutex_destroy(&j->lock);
    buf_free(&j->writing);
    buf_free(&j->waiting);
    cstr_free(&j->dir);
    free(j);
}

int journal_open(struct journal **ret, const struct journal_config *c)
{
    AUTO(journal_free) struct journal *j = calloc(1, sizeof *j);
    FAIL_IF(!j, ERR_NOMEM, "a log");
    j->fd = -1;
    pthread_mutex_init(&j->file_lock, NULL);
    pthread_mutex_init(&j->lock, NULL);
    TRY(cstr_dup(&j->dir, c->dir));
    numbers files = {0};
    int err = replay_all(j, c, &files);
    vec_free(&files);
    TRY(err);
    *ret = TAKE(j);
    return 0;
}

void journal_close(struct journal **jp)
{
    if (*jp) {
        (void)journal_sync(*jp);
    }
    journal_free(jp);
}
