// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/block_parts.h"

#include "telemetry/crc32c.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WRITE_BYTES (1U << 20)

struct block_writer {
    struct block_shape shape;
    unsigned precision;
    char *dir, *beside;
    int fd;
    uint64_t written;

    struct buf out;       // pages that are done
    struct buf directory; // of them
    uint32_t pages;

    struct buf head, columns; // of the page that is open
    uint32_t page_count, page_first, before;
};

void block_writer_free(struct block_writer **wp)
{
    struct block_writer *w = TAKE(*wp);
    if (!w) {
        return;
    }
    fd_close(&w->fd);
    if (w->beside) {
        unlink(w->beside);
    }
    cstr_free(&w->dir);
    cstr_free(&w->beside);
    buf_free(&w->out);
    buf_free(&w->directory);
    buf_free(&w->head);
    buf_free(&w->columns);
    free(w);
}

static void add_header(struct block_writer *w, const struct block_writer_config *c)
{
    struct buf *b = &w->out;
    buf_add(b, BLOCK_MARK, 8);
    pack_u32(b, (uint32_t)(BLOCK_HEADER_BYTES + 8 * c->replace_count));
    pack_u32(b, c->shape.columns);
    pack_u64(b, c->shape.number);
    pack_u64(b, (uint64_t)c->shape.step_ms);
    pack_u64(b, (uint64_t)c->shape.first);
    pack_u32(b, c->shape.slots);
    pack_u32(b, (uint32_t)c->replace_count);
    for (size_t i = 0; i < c->replace_count; i++) {
        pack_u64(b, c->replaces[i]);
    }
    pack_u32(b, crc32c(0, b->data, b->len));
}

int block_writer_new(struct block_writer **ret, const struct block_writer_config *c)
{
    ASSERT(c->shape.slots > 0 && c->shape.slots <= CODEC_VALUES_MAX);
    AUTO(block_writer_free) struct block_writer *w = calloc(1, sizeof *w);
    FAIL_IF(!w, ERR_NOMEM, "a block");
    *w = (struct block_writer){.shape = c->shape, .precision = c->precision, .fd = -1};
    TRY(cstr_dup(&w->dir, c->dir));
    TRY(cstr_printf(&w->beside, "%s/new-%016" PRIx64, c->dir, c->shape.number));
    w->fd = open(w->beside, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (w->fd < 0) {
        return err_fail_errno("creating %s", w->beside);
    }
    add_header(w, c);
    TRY(w->out.err);
    *ret = TAKE(w);
    return 0;
}

static int write_out(struct block_writer *w)
{
    TRY(w->out.err);
    TRY(fd_write_all(w->fd, w->out.data, w->out.len));
    w->written += w->out.len;
    buf_clear(&w->out);
    return 0;
}

static int end_page(struct block_writer *w)
{
    if (w->page_count == 0) {
        return 0;
    }
    struct buf *b = &w->out;
    uint8_t count = (uint8_t)w->page_count;
    uint32_t crc = crc32c(crc32c(0, &count, 1), w->head.data, w->head.len);
    uint64_t place = w->written + b->len;
    size_t begin = b->len;
    buf_add(b, PAGE_MARK, 4);
    pack_u32(b, (uint32_t)w->head.len + 1);
    pack_u32(b, crc);
    buf_char(b, (char)count);
    buf_add(b, w->head.data, w->head.len);
    buf_add(b, w->columns.data, w->columns.len);
    pack_u32(&w->directory, w->page_first);
    pack_u64(&w->directory, place);
    pack_u32(&w->directory, (uint32_t)(b->len - begin));
    TRY(w->head.err);
    TRY(w->columns.err);
    w->pages++;
    w->page_count = 0;
    buf_clear(&w->head);
    buf_clear(&w->columns);
    return b->len >= WRITE_BYTES ? write_out(w) : b->err;
}

static size_t how_many(const double *values, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; values && i < count; i++) {
        n += isnan(values[i]) ? 0 : 1;
    }
    return n;
}

int block_writer_add(struct block_writer *w, uint32_t series,
                     const double *const *columns)
{
    size_t there[BLOCK_COLUMNS_MAX], all = 0;
    for (uint32_t c = 0; c < w->shape.columns; c++) {
        there[c] = how_many(columns[c], w->shape.slots);
        all += there[c];
    }
    if (all == 0) {
        return 0;
    }
    bool first = w->page_count == 0;
    w->page_first = first ? series : w->page_first;
    pack_varint(&w->head, first ? series : series - w->before);
    w->before = series;
    for (uint32_t c = 0; c < w->shape.columns; c++) {
        size_t begin = w->columns.len;
        if (there[c] > 0) {
            pack_u32(&w->columns, 0);
            codec_encode(columns[c], w->shape.slots, w->precision, &w->columns);
            TRY(w->columns.err);
            uint32_t crc = htole32(block_sum(series, c, w->columns.data + begin + 4,
                                             w->columns.len - begin - 4));
            memcpy(w->columns.data + begin, &crc, sizeof crc);
        }
        pack_varint(&w->head, w->columns.len - begin);
    }
    w->page_count++;
    return w->page_count == BLOCK_PAGE_SERIES ? end_page(w) : 0;
}

static void add_footer(struct block_writer *w)
{
    uint64_t place = w->written + w->out.len;
    buf_add(&w->out, w->directory.data, w->directory.len);
    size_t begin = w->out.len;
    pack_u64(&w->out, place);
    pack_u32(&w->out, w->pages);
    pack_u32(&w->out, crc32c(0, w->directory.data, w->directory.len));
    pack_u64(&w->out, (uint64_t)w->before + 1);
    pack_u32(&w->out, crc32c(0, w->out.data + begin, w->out.len - begin));
    buf_add(&w->out, BLOCK_END, 8);
}

int block_writer_publish(struct block_writer *w, char **ret_path)
{
    AUTO(cstr_free) char *path = NULL;
    TRY(end_page(w));
    if (w->pages == 0) {
        *ret_path = NULL;
        return 0;
    }
    TRY(w->directory.err);
    add_footer(w);
    TRY(write_out(w));
    if (fsync(w->fd) < 0) {
        return err_fail_errno("syncing %s", w->beside);
    }
    TRY(cstr_printf(&path, "%s/t%u-%016" PRIx64 ".block", w->dir, w->shape.tier,
                    w->shape.number));
    if (rename(w->beside, path) < 0) {
        return err_fail_errno("renaming %s", w->beside);
    }
    cstr_free(&w->beside);
    TRY(fs_sync_dir(w->dir));
    *ret_path = TAKE(path);
    return 0;
}
