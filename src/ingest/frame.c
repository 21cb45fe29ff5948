// SPDX-License-Identifier: GPL-3.0-or-later
//
// The picture of one exact frame. Decoding is dangerous work: it happens in a process of its own
// (`marquee frame`), whose end is awaited for a bounded time; what it made is kept as a blob.
#include "ingest/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAME_LIMIT_MS = 20000, JPEG_BYTES_MAX = 1 << 24, TIMES_MAX = 1000 };

struct frame_source {
    struct delivery delivery;
    struct hash report, timeline;
};

static int frame_source_load(struct store_tx *tx, const char *delivery_id,
                             struct frame_source *ret)
{
    TRY(delivery_load(tx, delivery_id, &ret->delivery));
    FAIL_IF(!ret->delivery.report || !ret->delivery.timeline, ERR_NOT_FOUND,
            "delivery %s has no pictures", delivery_id);
    TRY(hash_parse(str_of(ret->delivery.report), &ret->report));
    return hash_parse(str_of(ret->delivery.timeline), &ret->timeline);
}

// In the child: decodes and writes the JPEG to `fd`.
int ingest_frame_child(const char *data_dir, const char *source_hex,
                       const char *report_hex, const char *timeline_hex, int64_t frame,
                       int width, int fd)
{
    AUTO(store_blobs_close) struct store_blobs *blobs = NULL;
    AUTO(store_blob_close) struct store_blob *film = NULL;
    AUTO(media_report_free) struct media_report *report = NULL;
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    struct hash hash;
    TRY(store_blobs_open(&blobs, data_dir));
    TRY(hash_parse(str_of(source_hex), &hash));
    TRY(store_blob_open(blobs, &hash, &film));
    TRY(hash_parse(str_of(report_hex), &hash));
    TRY(blob_report(blobs, &hash, &report));
    TRY(hash_parse(str_of(timeline_hex), &hash));
    TRY(blob_timeline(blobs, &hash, &timeline));
    FAIL_IF(frame < 0 || frame >= timeline->count, ERR_NOT_FOUND,
            "there is no frame %lld", (long long)frame);
    struct media_input input = blob_input(film);
    AUTO(buf_free) struct buf jpeg = {0};
    TRY(media_still(&input, report, timeline, frame, width, &jpeg));
    return fd_write_all(fd, jpeg.data, jpeg.len);
}

// Waits without a clock of its own: the kernel tells when the child has ended.
static int child_wait(pid_t pid)
{
    AUTO(fd_close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int ready = 0;
    do {
        ready = fd < 0 ? 0 : poll(&poll_fd, 1, FRAME_LIMIT_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        kill(pid, SIGKILL);
    }
    struct proc_exit end = {0};
    TRY(proc_wait(pid, true, &end));
    FAIL_IF(ready <= 0, ERR_TIMEOUT, "decoding the frame took too long");
    FAIL_IF(end.signal != 0, ERR_CRASHED, "the decoder crashed (signal %d)", end.signal);
    FAIL_IF(end.code != 0, ERR_NOT_FOUND, "the frame cannot be decoded");
    return 0;
}

static int frame_make(struct store *store, const struct frame_source *from, int64_t frame,
                      int width, struct buf *out)
{
    AUTO(cstr_free) char *program = NULL, *frame_text = NULL, *width_text = NULL;
    TRY(proc_self_path(&program));
    TRY(cstr_printf(&frame_text, "%lld", (long long)frame));
    TRY(cstr_printf(&width_text, "%d", width));
    char source[HASH_HEX_BYTES];
    hash_hex(&from->delivery.source, source);
    AUTO(fd_close) int fd = memfd_create("frame", MFD_CLOEXEC);
    if (fd < 0) {
        return err_fail_errno("a buffer for a frame");
    }
    const char *const argv[] = {program,
                                "frame",
                                store_dir(store),
                                source,
                                from->delivery.report,
                                from->delivery.timeline,
                                frame_text,
                                width_text,
                                NULL};
    struct proc_config config = {
        .argv = argv, .in_fd = -1, .out_fd = fd, .err_fd = -1, .nice = 5};
    pid_t pid = 0;
    TRY(proc_spawn(&config, &pid));
    TRY(child_wait(pid));
    off_t size = lseek(fd, 0, SEEK_END);
    FAIL_IF(size <= 0 || size > JPEG_BYTES_MAX, ERR_CORRUPT, "a picture of %lld bytes",
            (long long)size);
    buf_reserve(out, (size_t)size);
    TRY(out->err);
    ssize_t n = pread(fd, out->data + out->len, (size_t)size, 0);
    FAIL_IF(n != size, ERR_IO, "a picture ends early");
    out->len += (size_t)n;
    return 0;
}

static int frame_keep(struct store *store, const char *delivery_id, int64_t frame,
                      int width, const struct buf *jpeg)
{
    struct hash blob;
    char hex[HASH_HEX_BYTES];
    TRY(store_blob_put(store_blobs_of(store), jpeg->data, jpeg->len, &blob));
    TRY(store_blobs_sync(store_blobs_of(store)));
    hash_hex(&blob, hex);
    AUTO(store_rollback) struct store_tx *tx = NULL;
    AUTO(cstr_free) char *owner = NULL;
    TRY(cstr_printf(&owner, "ingest:%s", delivery_id));
    TRY(store_begin(store, STORE_WRITE, &tx));
    TRY(store_exec(tx, "INSERT OR REPLACE INTO ingest_frame VALUES (?,?,?,?)", "siis",
                   delivery_id, frame, (int64_t)width, hex));
    TRY(store_ref_add(tx, owner, &blob));
    return store_commit(&tx);
}

int ingest_frame(struct store *store, const char *delivery_id, int64_t frame, int width,
                 struct buf *out_jpeg)
{
    FAIL_IF(width < 16 || width > 3840, ERR_INVALID, "a picture %d wide", width);
    struct frame_source from = {0};
    AUTO(cstr_free) char *hex = NULL;
    AUTO(store_rollback) struct store_tx *tx = NULL;
    TRY(store_begin(store, STORE_READ, &tx));
    int err = store_get_text(tx, &hex,
                             "SELECT blob FROM ingest_frame WHERE delivery_id = ? AND "
                             "frame = ? AND width = ?",
                             "sii", delivery_id, frame, (int64_t)width);
    struct hash blob;
    if (err == 0 && hash_parse(str_of(hex), &blob) == 0 &&
        store_blob_exists(store_blobs_of(store), &blob)) {
        return blob_text(store_blobs_of(store), &blob, JPEG_BYTES_MAX, out_jpeg);
    }
    err = frame_source_load(tx, delivery_id, &from);
    store_rollback(&tx);
    AUTO(buf_free) struct buf jpeg = {0};
    if (err == 0) {
        err = frame_make(store, &from, frame, width, &jpeg);
    }
    delivery_clear(&from.delivery);
    TRY(err);
    TRY(frame_keep(store, delivery_id, frame, width, &jpeg));
    buf_str(out_jpeg, buf_view(&jpeg));
    return out_jpeg->err;
}

static int times_json(const struct media_timeline *timeline, int64_t start, int64_t end,
                      json_t **ret)
{
    FAIL_IF(start < 0 || start >= timeline->count || end <= start, ERR_NOT_FOUND,
            "there is no frame %lld", (long long)start);
    AUTO(json_free) json_t *pts = json_array();
    int64_t stop = MIN(end, MIN(timeline->count, start + TIMES_MAX));
    for (int64_t i = start; i < stop; i++) {
        FAIL_IF(json_array_append_new(pts, json_integer(timeline->pts[i])) != 0,
                ERR_NOMEM, "times");
    }
    return json_made(json_pack("{s:[i,i], s:I, s:O}", "time_base",
                               timeline->time_base.num, timeline->time_base.den, "start",
                               (json_int_t)start, "pts", pts),
                     ret);
}

int ingest_frame_times(struct store *store, const char *delivery_id, int64_t start,
                       int64_t end, json_t **ret)
{
    AUTO(media_timeline_free) struct media_timeline *timeline = NULL;
    struct frame_source from = {0};
    int err = 0;
    {
        AUTO(store_rollback) struct store_tx *tx = NULL;
        TRY(store_begin(store, STORE_READ, &tx));
        err = frame_source_load(tx, delivery_id, &from);
    }
    delivery_clear(&from.delivery);
    TRY(err);
    TRY(blob_timeline(store_blobs_of(store), &from.timeline, &timeline));
    return times_json(timeline, start, end, ret);
}
