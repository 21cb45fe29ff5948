// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/roster.h"

#include "telemetry/crc32c.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define MARK         "MQRO"
#define FRAME_BYTES  24
#define SUMMED_FROM  12 // crc32c is of all behind it
#define ENTRY_SERIES 65536
#define RAW_MAX      (256U << 20)
#define FILE_MAX     (INT64_C(2) << 30)
#define ZSTD_LEVEL   6

static int path_of(const struct telemetry *t, char **ret)
{
    return cstr_printf(ret, "%s/series.roster", t->dir);
}

// --- writing --------------------------------------------------------------------------------------

static void describe(const struct telemetry *t, uint32_t series, struct buf *out)
{
    struct telemetry_tag list[INDEX_TAGS_MAX];
    size_t count = 0;
    if (index_is_used(t->index, series)) {
        index_tags(t->index, series, list, &count);
    }
    buf_char(out, (char)index_dstype(t->index, series));
    pack_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        pack_varint(out, list[i].key.len);
        buf_str(out, list[i].key);
        pack_varint(out, list[i].value.len);
        buf_str(out, list[i].value);
    }
}

static int make_entry(const struct telemetry *t, uint32_t first, uint32_t count,
                      struct buf *out)
{
    AUTO(buf_free) struct buf raw = {0};
    for (uint32_t i = 0; i < count; i++) {
        describe(t, first + i, &raw);
    }
    TRY(raw.err);
    buf_add(out, MARK, 4);
    pack_u64(out, 0); // length and sum, below
    pack_u32(out, first);
    pack_u32(out, count);
    pack_u32(out, (uint32_t)raw.len);
    buf_reserve(out, ZSTD_compressBound(raw.len));
    TRY(out->err);
    size_t len = ZSTD_compress(out->data + out->len, out->cap - out->len, raw.data,
                               raw.len, ZSTD_LEVEL);
    FAIL_IF(ZSTD_isError(len), ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(len));
    out->len += len;
    uint32_t le[2] = {htole32((uint32_t)len), htole32(crc32c(0, out->data + SUMMED_FROM,
                                                             out->len - SUMMED_FROM))};
    memcpy(out->data + 4, le, sizeof le);
    return 0;
}

// Adds to *bytes.
static int write_entries(struct telemetry *t, int fd, uint32_t from, uint32_t until,
                         uint64_t *bytes)
{
    while (from < until) {
        AUTO(buf_free) struct buf entry = {0};
        uint32_t count = MIN(until - from, (uint32_t)ENTRY_SERIES);
        TRY(make_entry(t, from, count, &entry));
        TRY(fd_write_all(fd, entry.data, entry.len));
        *bytes += entry.len;
        from += count;
    }
    return 0;
}

int roster_rewrite(struct telemetry *t)
{
    AUTO(cstr_free) char *path = NULL, *beside = NULL;
    TRY(path_of(t, &path));
    TRY(cstr_printf(&beside, "%s/new-roster", t->dir));
    AUTO(fd_close)
    int fd = open(beside, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_fail_errno("creating %s", beside);
    }
    uint64_t bytes = 0;
    TRY(write_entries(t, fd, 0, t->rostered, &bytes));
    if (fsync(fd) < 0 || rename(beside, path) < 0) {
        return err_fail_errno("writing %s", path);
    }
    TRY(fs_sync_dir(t->dir));
    t->roster_bytes = bytes;
    return 0;
}

int roster_write(struct telemetry *t, uint32_t until)
{
    AUTO(cstr_free) char *path = NULL;
    if (t->rostered >= until) {
        return 0;
    }
    TRY(path_of(t, &path));
    AUTO(fd_close) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || lseek(fd, (off_t)t->roster_bytes, SEEK_SET) < 0) {
        return err_fail_errno("opening %s", path);
    }
    uint64_t bytes = t->roster_bytes;
    TRY(write_entries(t, fd, t->rostered, until, &bytes));
    // What an earlier try left behind goes.
    if (ftruncate(fd, (off_t)bytes) < 0 || fsync(fd) < 0) {
        return err_fail_errno("writing %s", path);
    }
    TRY(fs_sync_dir(t->dir));
    t->roster_bytes = bytes;
    t->rostered = until;
    return 0;
}

// --- reading --------------------------------------------------------------------------------------

static bool entry_at(struct str text, size_t at, size_t *ret_end)
{
    struct unpack u = unpack_of(text.data + at, text.len - at);
    const uint8_t *mark = unpack_bytes(&u, 4);
    uint64_t len = unpack_u32(&u);
    uint32_t crc = unpack_u32(&u);
    const uint8_t *summed = unpack_bytes(&u, len + FRAME_BYTES - SUMMED_FROM);
    if (!summed || memcmp(mark, MARK, 4) != 0 ||
        crc32c(0, summed, len + FRAME_BYTES - SUMMED_FROM) != crc) {
        return false;
    }
    *ret_end = at + FRAME_BYTES + len;
    return true;
}

static int restore_entry(struct telemetry *t, struct unpack *u, uint32_t first,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct telemetry_tag list[INDEX_TAGS_MAX];
        struct telemetry_tags tags = {.list = list};
        uint8_t dstype = unpack_u8(u);
        const uint8_t *begin = u->at;
        if (unpack_varint(u) == 0) {
            continue; // a number that was lost before
        }
        u->at = begin;
        TRY(series_read_tags(u, list, &tags.count));
        TRY(series_restore(t, first + i, dstype, &tags));
    }
    // Those behind the last are taken, too.
    uint32_t numbers = index_numbers(t->index);
    bool is_next = first + count > numbers && first <= numbers;
    return is_next ? series_skip_to(t, first + count) : 0;
}

static int read_entry(struct telemetry *t, struct str entry)
{
    struct unpack u = unpack_of(entry.data + SUMMED_FROM, entry.len - SUMMED_FROM);
    uint32_t first = unpack_u32(&u), count = unpack_u32(&u), bytes = unpack_u32(&u);
    FAIL_IF(bytes > RAW_MAX || count > ENTRY_SERIES, ERR_CORRUPT, "an entry of %u bytes",
            bytes);
    char *raw = malloc(MAX(bytes, 1U));
    FAIL_IF(!raw, ERR_NOMEM, "a list of series");
    size_t len = ZSTD_decompress(raw, bytes, u.at, unpack_left(&u));
    int err = 0;
    if (ZSTD_isError(len) || len != bytes) {
        err = err_fail(ERR_CORRUPT, "an entry cannot be unpacked");
    } else {
        u = unpack_of(raw, bytes);
        err = restore_entry(t, &u, first, count);
    }
    free(raw);
    return err;
}

int roster_parse(struct telemetry *t, struct str text, size_t *ret_sound)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(path_of(t, &path));
    size_t sound = 0, end = 0;
    for (size_t at = 0; at < text.len;) {
        if (!entry_at(text, at, &end)) {
            const char *mark = memmem(text.data + at + 1, text.len - at - 1, MARK, 4);
            at = mark ? (size_t)(mark - text.data) : text.len;
            continue;
        }
        if (at > sound) {
            series_corrupt(t, path, "a damaged entry was passed over");
        }
        int err = read_entry(t, (struct str){text.data + at, end - at});
        if (err == ERR_CORRUPT) {
            series_corrupt(t, path, err_reason());
        }
        TRY(err == ERR_CORRUPT ? 0 : err);
        at = sound = end;
    }
    if (sound < text.len) {
        series_corrupt(t, path, "torn: the end is damaged");
    }
    *ret_sound = sound;
    return 0;
}

int roster_read(struct telemetry *t)
{
    AUTO(cstr_free) char *path = NULL;
    AUTO(buf_free) struct buf text = {0};
    TRY(path_of(t, &path));
    if (!fs_exists(path)) {
        return 0;
    }
    TRY(fs_read_file(path, FILE_MAX, &text));
    size_t sound;
    TRY(roster_parse(t, buf_view(&text), &sound));
    t->roster_bytes = sound;
    t->rostered = index_numbers(t->index);
    return 0;
}
