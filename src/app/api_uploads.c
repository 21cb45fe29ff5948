// SPDX-License-Identifier: GPL-3.0-or-later
//
// Resumable uploads: tus 1.0.0 with creation, expiration and termination (tus.io/protocols). An
// upload is a row and a file, DATA/uploads/<id>, that is appended to as bytes come; its size is its
// offset, so that a killed server or a broken line loses nothing that was acknowledged. A lock on
// the file keeps a second sender out.
#include "app/api.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define TUS_VERSION    "1.0.0"
#define UPLOAD_LIFE_US (INT64_C(7) * 86400 * 1000000)
#define UPLOADS_OPEN   50                 // of one person, at once
#define SPARE_BYTES    (INT64_C(1) << 30) // of the disk, left free

static void add_tus_headers(struct http_response *res)
{
    http_header(res, "Tus-Resumable", TUS_VERSION);
}

// 412 in the words of the protocol; true when that was answered.
static bool refused_version(struct http_request *req, struct http_response *res)
{
    const char *version = http_request_header(req, "Tus-Resumable");
    add_tus_headers(res);
    if (version && strcmp(version, TUS_VERSION) == 0) {
        return false;
    }
    http_status(res, 412);
    http_header(res, "Tus-Version", TUS_VERSION);
    return true;
}

static int number_header(struct http_request *req, const char *name, int64_t max,
                         int64_t *ret)
{
    const char *text = http_request_header(req, name);
    FAIL_IF(!text, ERR_INVALID, "the header %s is missing", name);
    return str_to_i64(str_of(text), 0, max, ret);
}

static void add_expiry(struct http_response *res, int64_t at_us)
{
    time_t at = (time_t)(at_us / 1000000);
    struct tm tm;
    char text[40];
    if (gmtime_r(&at, &tm) &&
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0) {
        http_header(res, "Upload-Expires", text);
    }
}

static int uploads_dir(struct api *api, char **ret)
{
    return cstr_printf(ret, "%s/uploads", store_dir(api->store));
}

int upload_find(struct api *api, struct http_request *req, const char *id,
                struct upload *ret)
{
    FAIL_IF(!id || !uuid_is_valid(str_of(id)), ERR_NOT_FOUND, "there is no such upload");
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    AUTO(cstr_free) char *dir = NULL, *path = NULL;
    TRY(store_begin(api->store, STORE_READ, &tx));
    TRY(store_query(tx, &rows,
                    "SELECT user_id, bytes, file_name, expires_us FROM app_upload WHERE "
                    "id = ? AND user_id = ? AND expires_us > ?",
                    "ssi", id, api_caller(req)->who.user_id, clock_wall_us()));
    int any = store_next(rows);
    TRY(any);
    FAIL_IF(any == 0, ERR_NOT_FOUND, "there is no such upload");
    struct upload u = {.bytes = store_i64(rows, 1), .expires_us = store_i64(rows, 3)};
    TRY(str_copy(u.id, sizeof u.id, str_of(id)));
    TRY(str_copy(u.user_id, sizeof u.user_id, str_of(store_text(rows, 0))));
    TRY(str_copy(u.file_name, sizeof u.file_name, str_of(store_text(rows, 2))));
    TRY(uploads_dir(api, &dir));
    TRY(cstr_printf(&path, "%s/%s", dir, id));
    TRY(str_copy(u.path, sizeof u.path, str_of(path)));
    *ret = u;
    return 0;
}

int upload_offset(const struct upload *u, int64_t *ret)
{
    AUTO(fd_close) int fd = open(u->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fdatasync(fd) < 0 || fstat(fd, &st) < 0) {
        return err_fail_errno("the upload");
    }
    *ret = st.st_size;
    return 0;
}

int upload_forget(struct store_tx *tx, const char *id)
{
    return store_exec(tx, "DELETE FROM app_upload WHERE id = ?", "s", id);
}

// A file without a row: its delivery was committed, and the process killed before it was removed.
static int sweep_one(struct store_tx *tx, const char *dir, const char *name)
{
    AUTO(cstr_free) char *path = NULL;
    struct str id = {name, UUID_BYTES - 1};
    int64_t known = 0;
    if (strlen(name) < id.len || !uuid_is_valid(id)) {
        return 0;
    }
    TRY(store_get_i64(tx, &known, "SELECT count(*) FROM app_upload WHERE id = ?", "S",
                      id));
    TRY(cstr_printf(&path, "%s/%s", dir, name));
    FAIL_IF(known == 0 && unlink(path) < 0, ERR_IO, "a delivered upload's file stays");
    return 0;
}

static void dir_close(DIR **dir)
{
    if (*dir) {
        closedir(*dir);
    }
}

int uploads_sweep(struct api *api)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(uploads_dir(api, &path));
    TRY(fs_make_dirs(path));
    AUTO(dir_close) DIR *dir = opendir(path);
    if (!dir) {
        return err_fail_errno("the uploads' folder");
    }
    TRY(store_begin(api->store, STORE_READ, &tx));
    for (const struct dirent *e; (e = readdir(dir));) {
        TRY(sweep_one(tx, path, e->d_name));
    }
    return 0;
}

// --- creating -------------------------------------------------------------------------------

// What nobody finished: the files first, so that none stays whose row is gone.
static int remove_expired(struct store_tx *tx, const char *dir)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    TRY(store_query(tx, &rows,
                    "SELECT id FROM app_upload WHERE expires_us <= ? LIMIT 100", "i",
                    clock_wall_us()));
    int any;
    while ((any = store_next(rows)) > 0) {
        AUTO(cstr_free) char *path = NULL;
        TRY(cstr_printf(&path, "%s/%s", dir, store_text(rows, 0)));
        FAIL_IF(unlink(path) < 0 && errno != ENOENT, ERR_IO, "an old upload stays");
    }
    TRY(any);
    store_rows_free(&rows);
    return store_exec(tx, "DELETE FROM app_upload WHERE expires_us <= ?", "i",
                      clock_wall_us());
}

// What other uploads have announced and not yet sent.
static int announced(struct store_tx *tx, const char *dir, int64_t *ret)
{
    AUTO(store_rows_free) struct store_rows *rows = NULL;
    int64_t due = 0;
    TRY(store_query(tx, &rows, "SELECT id, bytes FROM app_upload", ""));
    int any;
    while ((any = store_next(rows)) > 0) {
        AUTO(cstr_free) char *path = NULL;
        struct stat st;
        TRY(cstr_printf(&path, "%s/%s", dir, store_text(rows, 0)));
        if (stat(path, &st) == 0) {
            due += MAX(store_i64(rows, 1) - st.st_size, INT64_C(0));
        }
    }
    TRY(any);
    *ret = due;
    return 0;
}

static int check_room(struct store_tx *tx, const char *dir, int64_t bytes)
{
    struct statvfs fs;
    int64_t due = 0;
    TRY(announced(tx, dir, &due));
    if (statvfs(dir, &fs) < 0) {
        return err_fail_errno("the uploads' folder");
    }
    int64_t room = (int64_t)(fs.f_bavail * fs.f_frsize);
    FAIL_IF(room - SPARE_BYTES - due < bytes, ERR_NO_SPACE,
            "the disk has no room for %lld bytes", (long long)bytes);
    return 0;
}

static int make_file(const char *dir, const char *id)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(cstr_printf(&path, "%s/%s", dir, id));
    AUTO(fd_close) int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("a new upload");
    }
    return fs_sync_dir(dir);
}

// The name without folders, whatever system it came from.
static const char *base_name(const char *name)
{
    const char *base = name;
    for (const char *p = name; *p; p++) {
        if (*p == '/' || *p == '\\') {
            base = p + 1;
        }
    }
    return *base ? base : "upload";
}

static int create(struct api *api, struct http_request *req, int64_t bytes,
                  char ret_id[UUID_BYTES], int64_t *ret_expires_us)
{
    const char *user_id = api_caller(req)->who.user_id, *name = NULL;
    struct str metadata = str_of(http_request_header(req, "Upload-Metadata"));
    int err = http_tus_metadata(metadata, "filename", http_request_arena(req), &name);
    FAIL_IF(err < 0 && err != ERR_NOT_FOUND, err, "Upload-Metadata: %s", err_reason());
    name = base_name(err < 0 ? "upload" : name);
    FAIL_IF(strlen(name) > 255, ERR_INVALID, "a file's name over 255 bytes");
    AUTO(cstr_free) char *dir = NULL;
    TRY(uploads_dir(api, &dir));
    TRY(fs_make_dirs(dir));
    int64_t now = clock_wall_us(), open_count = 0;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(remove_expired(tx, dir));
    TRY(check_room(tx, dir, bytes));
    TRY(store_get_i64(tx, &open_count,
                      "SELECT count(*) FROM app_upload WHERE user_id = ?", "s", user_id));
    FAIL_IF(open_count >= UPLOADS_OPEN, ERR_THROTTLED, "%d uploads are open already",
            UPLOADS_OPEN);
    uuid_v7(ret_id);
    TRY(make_file(dir, ret_id));
    TRY(store_exec(tx, "INSERT INTO app_upload VALUES (?,?,?,?,?,?)", "ssisii", ret_id,
                   user_id, bytes, name, now, now + UPLOAD_LIFE_US));
    *ret_expires_us = now + UPLOAD_LIFE_US;
    return store_commit(&tx);
}

int api_uploads_options(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    char *max =
        arena_printf(http_request_arena(req), "%lld", (long long)api->upload_max_bytes);
    FAIL_IF(!max, ERR_NOMEM, "a header");
    add_tus_headers(res);
    http_header(res, "Tus-Version", TUS_VERSION);
    http_header(res, "Tus-Extension", "creation,expiration,termination");
    http_header(res, "Tus-Max-Size", max);
    return api_done(res);
}

int api_uploads_create(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    int64_t bytes = 0, expires_us = 0;
    char id[UUID_BYTES];
    if (refused_version(req, res)) {
        return 0;
    }
    TRY(number_header(req, "Upload-Length", INT64_MAX, &bytes));
    FAIL_IF(bytes == 0, ERR_INVALID, "an empty file is no film");
    FAIL_IF(bytes > api->upload_max_bytes, ERR_LIMIT, "at most %lld bytes are taken",
            (long long)api->upload_max_bytes);
    TRY(create(api, req, bytes, id, &expires_us));
    char *location = arena_printf(http_request_arena(req), API "/uploads/%s", id);
    FAIL_IF(!location, ERR_NOMEM, "a header");
    http_header(res, "Location", location);
    add_expiry(res, expires_us);
    http_status(res, 201);
    return 0;
}

// --- sending --------------------------------------------------------------------------------

static int add_offset(struct http_request *req, struct http_response *res, int64_t offset)
{
    char *text = arena_printf(http_request_arena(req), "%lld", (long long)offset);
    FAIL_IF(!text, ERR_NOMEM, "a header");
    http_header(res, "Upload-Offset", text);
    return 0;
}

int api_uploads_head(struct http_request *req, struct http_response *res, void *user)
{
    struct upload u;
    int64_t offset = 0;
    if (refused_version(req, res)) {
        return 0;
    }
    TRY(upload_find(user, req, http_request_param(req, "id"), &u));
    TRY(upload_offset(&u, &offset));
    char *length = arena_printf(http_request_arena(req), "%lld", (long long)u.bytes);
    FAIL_IF(!length, ERR_NOMEM, "a header");
    http_header(res, "Upload-Length", length);
    return add_offset(req, res, offset);
}

// Before the body: whether it may be appended, and where to.
int api_uploads_open(struct http_request *req, void *user, int *ret_fd,
                     int64_t *ret_max_bytes)
{
    struct upload u;
    int64_t from = 0;
    const char *type = http_request_header(req, "Content-Type");
    const char *version = http_request_header(req, "Tus-Resumable");
    FAIL_IF(!version || strcmp(version, TUS_VERSION) != 0, ERR_INVALID,
            "this server speaks tus " TUS_VERSION);
    FAIL_IF(!type || strcmp(type, "application/offset+octet-stream") != 0,
            ERR_UNSUPPORTED, "a piece is application/offset+octet-stream");
    TRY(upload_find(user, req, http_request_param(req, "id"), &u));
    TRY(number_header(req, "Upload-Offset", INT64_MAX, &from));
    AUTO(fd_close)
    int fd = open(u.path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_fail_errno("the upload");
    }
    FAIL_IF(flock(fd, LOCK_EX | LOCK_NB) < 0, ERR_BUSY,
            "another connection is sending this upload");
    struct stat st;
    FAIL_IF(fstat(fd, &st) < 0, ERR_IO, "the upload");
    FAIL_IF(st.st_size != from, ERR_CONFLICT, "the upload is at %lld, not at %lld",
            (long long)st.st_size, (long long)from);
    *ret_max_bytes = u.bytes - st.st_size;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int api_uploads_patch(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    struct stat st;
    struct upload u;
    struct hash hash;
    int64_t hashed = 0;
    int fd = http_request_body_fd(req);
    if (fdatasync(fd) < 0 || fstat(fd, &st) < 0) {
        return err_fail_errno("the upload");
    }
    TRY(upload_find(api, req, http_request_param(req, "id"), &u));
    // What cannot be read now is read when it is delivered, which says why it fails.
    (void)upload_hash_advance(api->hashes, &u, api->check_us, &hashed, &hash);
    add_tus_headers(res);
    add_expiry(res, u.expires_us);
    TRY(add_offset(req, res, st.st_size));
    return api_done(res);
}

int api_uploads_delete(struct http_request *req, struct http_response *res, void *user)
{
    struct api *api = user;
    struct upload u;
    if (refused_version(req, res)) {
        return 0;
    }
    TRY(upload_find(api, req, http_request_param(req, "id"), &u));
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(api->store, STORE_WRITE, &tx));
    TRY(upload_forget(tx, u.id));
    TRY(store_commit(&tx));
    upload_hash_forget(api->hashes, u.id);
    FAIL_IF(unlink(u.path) < 0 && errno != ENOENT, ERR_IO, "the upload's file stays");
    return api_done(res);
}
