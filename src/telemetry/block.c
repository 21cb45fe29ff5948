// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/block_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLACES_MAX 4096
#define PAGE_MAX     (64U << 20)
#define REPORTS_MAX \
    16 // of one block: a reader who comes again does not say it again and again

struct page {
    uint32_t first, bytes;
    uint64_t place;
};

struct block {
    atomic_int refs, reports;
    struct block_shape shape;
    char *path;
    int fd;
    int64_t bytes;
    uint32_t series_end;
    VEC(uint64_t) replaces;
    VEC(struct page) pages;
    block_corrupt_f *on_corrupt;
    void *user;
};

static void block_free(struct block **bp)
{
    struct block *b = TAKE(*bp);
    if (!b) {
        return;
    }
    fd_close(&b->fd);
    cstr_free(&b->path);
    vec_free(&b->replaces);
    vec_free(&b->pages);
    free(b);
}

struct block *block_ref(struct block *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void block_unref(struct block **bp)
{
    struct block *b = TAKE(*bp);
    if (b && atomic_fetch_sub(&b->refs, 1) == 1) {
        block_free(&b);
    }
}

const struct block_shape *block_shape(const struct block *b)
{
    return &b->shape;
}

int64_t block_bytes(const struct block *b)
{
    return b->bytes;
}

uint32_t block_series_end(const struct block *b)
{
    return b->series_end;
}

bool block_replaces(const struct block *b, uint64_t number)
{
    for (size_t i = 0; i < b->replaces.len; i++) {
        if (b->replaces.data[i] == number) {
            return true;
        }
    }
    return false;
}

bool block_is_damaged(const struct block *b)
{
    return atomic_load(&b->reports) > 0;
}

void block_remove(struct block *b)
{
    unlink(b->path);
}

static void report(struct block *b, uint64_t place, const char *what)
{
    if (atomic_fetch_add(&b->reports, 1) < REPORTS_MAX && b->on_corrupt) {
        char why[128];
        snprintf(why, sizeof why, "%s at %llu", what, (unsigned long long)place);
        b->on_corrupt(b->user, b->path, why);
    }
}

static int read_at(struct block *b, uint64_t place, size_t len, struct buf *ret)
{
    buf_clear(ret);
    buf_reserve(ret, len + 1);
    TRY(ret->err);
    while (ret->len < len) {
        ssize_t n =
            pread(b->fd, ret->data + ret->len, len - ret->len, (off_t)(place + ret->len));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_fail_errno("reading %s", b->path);
        }
        FAIL_IF(n == 0, ERR_CORRUPT, "%s ends early", b->path);
        ret->len += (size_t)n;
    }
    return 0;
}

// --- opening --------------------------------------------------------------------------------------

static int read_header(struct block *b, uint64_t *ret_len)
{
    AUTO(buf_free) struct buf bytes = {0};
    FAIL_IF(b->bytes < BLOCK_HEADER_BYTES, ERR_CORRUPT, "it is too short");
    TRY(read_at(b, 0, BLOCK_HEADER_BYTES, &bytes));
    struct unpack u = unpack_of(bytes.data, bytes.len);
    bool marked = memcmp(unpack_bytes(&u, 8), BLOCK_MARK, 8) == 0;
    uint32_t len = unpack_u32(&u);
    b->shape.columns = unpack_u32(&u);
    b->shape.number = unpack_u64(&u);
    b->shape.step_ms = (int64_t)unpack_u64(&u);
    b->shape.first = (int64_t)unpack_u64(&u);
    b->shape.slots = unpack_u32(&u);
    uint32_t replaces = unpack_u32(&u);
    FAIL_IF(!marked || replaces > REPLACES_MAX ||
                len != BLOCK_HEADER_BYTES + 8 * replaces,
            ERR_CORRUPT, "it does not begin as a block does");
    TRY(read_at(b, 0, len, &bytes));
    u = unpack_of(bytes.data + BLOCK_HEADER_BYTES - 4, len - BLOCK_HEADER_BYTES + 4);
    for (uint32_t i = 0; i < replaces; i++) {
        TRY(vec_push(&b->replaces, unpack_u64(&u)));
    }
    FAIL_IF(unpack_u32(&u) != crc32c(0, bytes.data, len - 4), ERR_CORRUPT,
            "its header is damaged");
    FAIL_IF(b->shape.slots == 0 || b->shape.slots > CODEC_VALUES_MAX ||
                (b->shape.columns != 1 && b->shape.columns != BLOCK_COLUMNS_MAX) ||
                b->shape.step_ms <= 0 || b->shape.first < 0 ||
                b->shape.first > (INT64_C(1) << 52) / b->shape.step_ms,
            ERR_CORRUPT, "its header makes no sense");
    *ret_len = len;
    return 0;
}

static int read_directory(struct block *b, uint64_t from)
{
    AUTO(buf_free) struct buf bytes = {0};
    uint64_t end = (uint64_t)b->bytes;
    FAIL_IF(end < from + BLOCK_FOOTER_BYTES, ERR_CORRUPT, "torn: the end is not there");
    TRY(read_at(b, end - BLOCK_FOOTER_BYTES, BLOCK_FOOTER_BYTES, &bytes));
    struct unpack u = unpack_of(bytes.data, bytes.len);
    uint64_t place = unpack_u64(&u);
    uint32_t pages = unpack_u32(&u), crc = unpack_u32(&u);
    uint64_t series_end = unpack_u64(&u);
    FAIL_IF(unpack_u32(&u) != crc32c(0, bytes.data, BLOCK_FOOTER_BYTES - 12) ||
                memcmp(unpack_bytes(&u, 8), BLOCK_END, 8) != 0,
            ERR_CORRUPT, "torn: the end is damaged");
    size_t len = (size_t)pages * PAGE_ENTRY_BYTES;
    FAIL_IF(place > end || end - place != len + BLOCK_FOOTER_BYTES, ERR_CORRUPT,
            "the directory is not where it should be");
    TRY(read_at(b, place, len, &bytes));
    FAIL_IF(crc32c(0, bytes.data, len) != crc, ERR_CORRUPT, "the directory is damaged");
    b->series_end = (uint32_t)MIN(series_end, (uint64_t)BLOCK_NONE);
    u = unpack_of(bytes.data, len);
    for (uint32_t i = 0; i < pages; i++) {
        struct page p = {.first = unpack_u32(&u)};
        p.place = unpack_u64(&u);
        p.bytes = unpack_u32(&u);
        FAIL_IF(p.place > place || p.bytes > place - p.place || p.bytes > PAGE_MAX,
                ERR_CORRUPT, "the directory makes no sense");
        TRY(vec_push(&b->pages, p));
    }
    return 0;
}

// A page's head: the numbers of its series and where their columns are.
struct page_head {
    uint32_t count;
    uint32_t series[BLOCK_PAGE_SERIES];
    uint32_t at[BLOCK_PAGE_SERIES][BLOCK_COLUMNS_MAX];  // in the page
    uint32_t len[BLOCK_PAGE_SERIES][BLOCK_COLUMNS_MAX]; // 0: none
    uint32_t bytes;                                     // of the whole page
};

static bool read_page_head(const struct block *b, struct str text, struct page_head *ret)
{
    struct unpack frame = unpack_of(text.data, text.len);
    const uint8_t *mark = unpack_bytes(&frame, 4);
    uint32_t len = unpack_u32(&frame), crc = unpack_u32(&frame);
    const uint8_t *head = unpack_bytes(&frame, len);
    if (frame.bad || memcmp(mark, PAGE_MARK, 4) != 0 || crc32c(0, head, len) != crc) {
        return false;
    }
    struct unpack u = unpack_of(head, len);
    ret->count = unpack_u8(&u);
    uint64_t at = PAGE_FRAME_BYTES + len, series = 0;
    if (ret->count == 0 || ret->count > BLOCK_PAGE_SERIES) {
        return false;
    }
    for (uint32_t i = 0; i < ret->count; i++) {
        uint64_t more = unpack_varint(&u);
        series += more;
        if (u.bad || more > BLOCK_NONE || series >= BLOCK_NONE || (i > 0 && more == 0)) {
            return false;
        }
        ret->series[i] = (uint32_t)series;
        for (uint32_t c = 0; c < b->shape.columns; c++) {
            uint64_t bytes = unpack_varint(&u);
            if (bytes > PAGE_MAX || at + bytes > PAGE_MAX) {
                return false;
            }
            ret->at[i][c] = (uint32_t)at;
            ret->len[i][c] = (uint32_t)bytes;
            at += bytes;
        }
    }
    ret->bytes = (uint32_t)at;
    return !u.bad;
}

// Without a directory: page by page, by their marks.
static int walk_pages(struct block *b, uint64_t from)
{
    AUTO(buf_free) struct buf text = {0};
    b->pages.len = 0;
    TRY(read_at(b, from, (size_t)((uint64_t)b->bytes - from), &text));
    struct page_head head;
    for (size_t at = 0; at < text.len;) {
        struct str rest = {text.data + at, text.len - at};
        if (read_page_head(b, rest, &head) && head.bytes <= rest.len &&
            (b->pages.len == 0 ||
             b->pages.data[b->pages.len - 1].first < head.series[0])) {
            struct page p = {
                .first = head.series[0], .bytes = head.bytes, .place = from + at};
            TRY(vec_push(&b->pages, p));
            b->series_end = head.series[head.count - 1] + 1;
            at += head.bytes;
            continue;
        }
        const char *mark = memmem(rest.data + 1, rest.len - 1, PAGE_MARK, 4);
        at = mark ? (size_t)(mark - text.data) : text.len;
    }
    return 0;
}

static int open_block(struct block *b)
{
    b->fd = open(b->path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (b->fd < 0 || fstat(b->fd, &st) < 0) {
        return err_fail_errno("opening %s", b->path);
    }
    b->bytes = st.st_size;
    uint64_t header = 0;
    TRY(read_header(b, &header));
    int err = read_directory(b, header);
    if (err == ERR_CORRUPT) {
        report(b, (uint64_t)b->bytes, err_reason());
        err = walk_pages(b, header);
    }
    return err;
}

int block_open(struct block **ret, const char *path, block_corrupt_f *on_corrupt,
               void *user)
{
    AUTO(block_free) struct block *b = calloc(1, sizeof *b);
    FAIL_IF(!b, ERR_NOMEM, "a block");
    b->fd = -1;
    b->on_corrupt = on_corrupt;
    b->user = user;
    atomic_init(&b->refs, 1);
    TRY(cstr_dup(&b->path, path));
    TRY(open_block(b));
    const char *name = strrchr(path, '/');
    unsigned tier = 0;
    FAIL_IF(!name || sscanf(name, "/t%u-", &tier) != 1, ERR_INVALID, "%s", path);
    b->shape.tier = tier;
    *ret = TAKE(b);
    return 0;
}

// --- reading --------------------------------------------------------------------------------------

struct block_cursor {
    struct block *block;
    size_t page;      // that is loaded, when `loaded`
    bool loaded, bad; // bad: it cannot be read
    uint32_t at;      // series in it
    struct page_head head;
    struct buf text;
};

int block_cursor_new(struct block_cursor **ret, struct block *b)
{
    struct block_cursor *c = calloc(1, sizeof *c);
    FAIL_IF(!c, ERR_NOMEM, "a reader of a block");
    c->block = block_ref(b);
    *ret = c;
    return 0;
}

void block_cursor_free(struct block_cursor **cp)
{
    struct block_cursor *c = TAKE(*cp);
    if (c) {
        block_unref(&c->block);
        buf_free(&c->text);
        free(c);
    }
}

static void load_page(struct block_cursor *c, size_t page)
{
    const struct page *p = &c->block->pages.data[page];
    c->page = page;
    c->loaded = true;
    c->at = 0;
    int err = read_at(c->block, p->place, p->bytes, &c->text);
    c->bad = err < 0 || !read_page_head(c->block, buf_view(&c->text), &c->head) ||
             c->head.bytes > p->bytes || c->head.series[0] != p->first;
    if (c->bad) {
        report(c->block, p->place, err < 0 ? err_reason() : "a page is damaged");
    }
}

// The last page that begins at or before `series`, or the first.
static size_t page_of(const struct block *b, uint32_t series)
{
    size_t low = 0, high = b->pages.len;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (b->pages.data[middle].first <= series) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t block_cursor_seek(struct block_cursor *c, uint32_t series)
{
    const struct block *b = c->block;
    if (b->pages.len == 0) {
        return BLOCK_NONE;
    }
    bool here =
        c->loaded && b->pages.data[c->page].first <= series &&
        (c->page + 1 == b->pages.len || b->pages.data[c->page + 1].first > series);
    for (size_t page = here ? c->page : page_of(b, series); page < b->pages.len; page++) {
        if (!c->loaded || c->page != page) {
            load_page(c, page);
        }
        if (c->bad) {
            continue;
        }
        c->at = c->at > 0 && c->head.series[c->at - 1] >= series ? 0 : c->at;
        while (c->at < c->head.count && c->head.series[c->at] < series) {
            c->at++;
        }
        if (c->at < c->head.count) {
            return c->head.series[c->at];
        }
    }
    return BLOCK_NONE;
}

bool block_cursor_read(struct block_cursor *c, uint32_t column,
                       double ret[CODEC_VALUES_MAX])
{
    uint32_t len = c->head.len[c->at][column];
    const char *bytes = c->text.data + c->head.at[c->at][column];
    if (len <= 4) {
        return false;
    }
    struct unpack u = unpack_of(bytes, 4);
    if (unpack_u32(&u) != block_sum(c->head.series[c->at], column, bytes + 4, len - 4) ||
        codec_decode(bytes + 4, len - 4, ret, c->block->shape.slots) < 0) {
        report(c->block, c->block->pages.data[c->page].place + c->head.at[c->at][column],
               "a column is damaged");
        return false;
    }
    return true;
}
