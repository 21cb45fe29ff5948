// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/feature.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_ROWS  16 // of the picture
#define GROUP_FIRST 6
#define GROUP_KEPT  4
// Levels of 8 bits. Black as ffmpeg's blackdetect has it: a tenth above the floor.
#define BLACK_LIMITED  38
#define BLACK_FULL     25
#define BORDER_LIMITED 24 // mean of a dark row
#define BORDER_FULL    10
#define BORDER_NOISE   16 // what a dark column may have more

struct media_scanner {
    const struct kernels *kernels;
    struct media_sample now, before;
    bool has_before;
    uint8_t *row;     // one row narrowed to 8 bits
    uint8_t *columns; // the brightest of each column in sampled rows
    struct SwsContext *sws;
    AVFrame *gray; // for formats whose luma is no plane
};

int media_sample_rows(int height)
{
    return height < GROUP_ROWS ? MIN(height, GROUP_KEPT)
                               : height / GROUP_ROWS * GROUP_KEPT;
}

// Which sampled row a row of the picture is; -1 none.
static int sampled_row(int height, int y)
{
    if (height < GROUP_ROWS) {
        return y < GROUP_KEPT ? y : -1;
    }
    int group = y / GROUP_ROWS, in_group = y % GROUP_ROWS - GROUP_FIRST;
    bool kept = group < height / GROUP_ROWS && in_group >= 0 && in_group < GROUP_KEPT;
    return kept ? group * GROUP_KEPT + in_group : -1;
}

void media_sample_clear(struct media_sample *s)
{
    free(s->rows);
    *s = (struct media_sample){0};
}

int media_scanner_new(const struct kernels *kernels, struct media_scanner **ret)
{
    struct media_scanner *s = calloc(1, sizeof *s);
    FAIL_IF(!s, ERR_NOMEM, "a scanner");
    s->kernels = kernels;
    *ret = s;
    return 0;
}

void media_scanner_free(struct media_scanner **ptr)
{
    struct media_scanner *s = TAKE(*ptr);
    if (!s) {
        return;
    }
    media_sample_clear(&s->now);
    media_sample_clear(&s->before);
    free(s->row);
    free(s->columns);
    sws_freeContext(s->sws);
    av_frame_free(&s->gray);
    free(s);
}

const struct media_sample *media_scanner_sample(const struct media_scanner *s)
{
    return &s->now;
}

// --- the luma of a frame ------------------------------------------------------------------------

struct luma {
    const uint8_t *at;
    ptrdiff_t stride;
    int width, height;
    int shift;   // of 16-bit samples down to 8
    bool wide;   // 16-bit samples
    bool planar; // plane 0 of the frame itself, so that scanning it also digests it
    bool full;
};

static bool has_luma_plane(const AVPixFmtDescriptor *d)
{
    const AVComponentDescriptor *y = &d->comp[0];
    int bytes = y->depth > 8 ? 2 : 1;
    return !(d->flags &
             (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
              AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_FLOAT)) &&
           y->plane == 0 && y->offset == 0 && y->step == bytes && y->depth >= 8 &&
           y->depth <= 16;
}

static int gray_of(struct media_scanner *s, const AVFrame *f)
{
    if (!s->gray || s->gray->width != f->width || s->gray->height != f->height) {
        av_frame_free(&s->gray);
        s->gray = av_frame_alloc();
        FAIL_IF(!s->gray, ERR_NOMEM, "a gray picture");
        s->gray->width = f->width;
        s->gray->height = f->height;
        s->gray->format = AV_PIX_FMT_GRAY8;
        FAIL_IF(av_frame_get_buffer(s->gray, 0) < 0, ERR_NOMEM, "a gray picture");
    }
    s->sws = sws_getCachedContext(
        s->sws, f->width, f->height, f->format, f->width, f->height, AV_PIX_FMT_GRAY8,
        SWS_POINT | SWS_BITEXACT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    FAIL_IF(!s->sws, ERR_UNSUPPORTED, "pictures of format %s",
            av_get_pix_fmt_name(f->format));
    int rows = sws_scale(s->sws, (const uint8_t *const *)f->data, f->linesize, 0,
                         f->height, s->gray->data, s->gray->linesize);
    FAIL_IF(rows != f->height, ERR_INTERNAL, "conversion to gray");
    return 0;
}

static int luma_of(struct media_scanner *s, const AVFrame *f, const AVPixFmtDescriptor *d,
                   struct luma *ret)
{
    *ret = (struct luma){.width = f->width, .height = f->height};
    if (has_luma_plane(d)) {
        ret->at = f->data[0];
        ret->stride = f->linesize[0];
        ret->planar = true;
        ret->wide = d->comp[0].depth > 8;
        ret->shift = d->comp[0].shift + d->comp[0].depth - 8;
        ret->full =
            f->color_range == AVCOL_RANGE_JPEG || strncmp(d->name, "yuvj", 4) == 0;
        return 0;
    }
    TRY(gray_of(s, f));
    ret->at = s->gray->data[0];
    ret->stride = s->gray->linesize[0];
    ret->full = true; // swscale's gray is
    return 0;
}

// --- the scan -----------------------------------------------------------------------------------

static int make_room(struct media_scanner *s, int width, int height)
{
    struct media_sample swap = s->before;
    s->before = s->now;
    s->now = swap;
    if (s->now.width == width && s->now.height == height) {
        return 0;
    }
    media_sample_clear(&s->now);
    free(s->row);
    free(s->columns);
    s->row = malloc((size_t)width);
    s->columns = malloc((size_t)width);
    s->now.rows = malloc((size_t)width * (size_t)media_sample_rows(height));
    FAIL_IF(!s->row || !s->columns || !s->now.rows, ERR_NOMEM, "rows of a picture");
    s->now.width = width;
    s->now.height = height;
    return 0;
}

struct borders {
    int top, last_bright; // rows
};

static void scan_rows(struct media_scanner *s, const struct luma *l,
                      struct kernel_scan *scan, struct borders *b)
{
    const size_t width = (size_t)l->width;
    const uint64_t dark = (uint64_t)(l->full ? BORDER_FULL : BORDER_LIMITED) * width;
    const uint8_t black = l->full ? BLACK_FULL : BLACK_LIMITED;
    *b = (struct borders){.top = l->height, .last_bright = -1};
    memset(s->columns, 0, width);
    for (int y = 0; y < l->height; y++) {
        const uint8_t *row = l->at + y * l->stride;
        if (l->wide) {
            s->kernels->narrow(s->row, (const uint16_t *)(const void *)row, width,
                               l->shift);
            row = s->row;
        }
        uint64_t before = scan->sum;
        s->kernels->scan(scan, row, width, black);
        if (scan->sum - before > dark) {
            b->top = MIN(b->top, y);
            b->last_bright = y;
        }
        int kept = sampled_row(l->height, y);
        if (kept >= 0) {
            memcpy(s->now.rows + (size_t)kept * width, row, width);
            s->kernels->column_max(s->columns, row, width);
        }
    }
}

static void find_borders(const struct media_scanner *s, const struct luma *l,
                         const struct borders *b, struct media_feature *f)
{
    const int dark = (l->full ? BORDER_FULL : BORDER_LIMITED) + BORDER_NOISE;
    int left = 0, right = l->width;
    while (left < l->width && s->columns[left] <= dark) {
        left++;
    }
    while (right > left && s->columns[right - 1] <= dark) {
        right--;
    }
    f->top = (uint16_t)b->top;
    f->bottom = (uint16_t)(l->height - 1 - b->last_bright);
    f->left = (uint16_t)left;
    f->right = (uint16_t)(l->width - right);
}

// Mean of each cell, and the pixels outside nominal range. A cell that is narrower than a pixel
// takes the nearest.
static void fill_grid(const struct media_sample *m, bool full, struct media_feature *f)
{
    const int rows = media_sample_rows(m->height), w = m->width;
    uint64_t outside = 0;
    for (int gy = 0; gy < FEATURE_GRID; gy++) {
        int y0 = gy * rows / FEATURE_GRID,
            y1 = MAX((gy + 1) * rows / FEATURE_GRID, y0 + 1);
        for (int gx = 0; gx < FEATURE_GRID; gx++) {
            int x0 = gx * w / FEATURE_GRID, x1 = MAX((gx + 1) * w / FEATURE_GRID, x0 + 1);
            uint64_t sum = 0;
            // Every second row is enough for a mean, and halves the cost.
            int step = y1 - y0 > 2 ? 2 : 1, lines = 0;
            for (int y = y0; y < y1; y += step, lines++) {
                const uint8_t *row = m->rows + (size_t)y * (size_t)w;
                uint32_t line = 0, out = 0;
                for (int x = x0; x < x1; x++) {
                    line += row[x];
                    out += (row[x] < 16) | (row[x] > 235);
                }
                sum += line;
                outside += full ? 0 : out;
            }
            f->grid[gy * FEATURE_GRID + gx] =
                (uint8_t)(sum / (uint64_t)((x1 - x0) * lines));
        }
    }
    uint64_t seen = (uint64_t)w * (uint64_t)rows / (rows / FEATURE_GRID > 2 ? 2 : 1);
    f->outside_ppm = (uint32_t)MIN(outside * 1000000 / MAX(seen, 1), 1000000);
}

static uint32_t levels(uint64_t sum, uint64_t pixels)
{
    return pixels ? (uint32_t)(sum * FEATURE_ONE / pixels) : 0;
}

static uint64_t digest_frame(const struct kernels *k, const AVFrame *f,
                             const AVPixFmtDescriptor *d, struct kernel_digest *state,
                             int first_plane)
{
    int planes = av_pix_fmt_count_planes(f->format);
    for (int p = first_plane; p < planes; p++) {
        bool chroma = p == 1 || p == 2;
        int rows = chroma ? AV_CEIL_RSHIFT(f->height, d->log2_chroma_h) : f->height;
        int bytes = av_image_get_linesize(f->format, f->width, p);
        for (int y = 0; y < rows && bytes > 0; y++) {
            k->digest(state, f->data[p] + (ptrdiff_t)y * f->linesize[p], (size_t)bytes);
        }
    }
    if (d->flags & AV_PIX_FMT_FLAG_PAL) {
        k->digest(state, f->data[1], AVPALETTE_SIZE);
    }
    return kernel_digest_finish(state);
}

// Fields of one picture against each other: progressive pictures have little there.
static void compare_inside(const struct kernels *k, const struct media_sample *m,
                           struct media_feature *f)
{
    const size_t w = (size_t)m->width;
    uint64_t bottom = 0, top = 0, steps = 0;
    int groups = m->height < GROUP_ROWS ? 0 : m->height / GROUP_ROWS;
    for (int g = 0; g < groups; g++) {
        const uint8_t *r = m->rows + (size_t)g * GROUP_KEPT * w;
        bottom += k->comb(r, r + w, r + 2 * w, w);
        top += k->comb(r + w, r + 2 * w, r + 3 * w, w);
        steps += k->sad(r, r + 2 * w, 2 * w);
    }
    f->comb_bottom = levels(bottom, w * (uint64_t)groups);
    f->comb_top = levels(top, w * (uint64_t)groups);
    f->field_steps = levels(steps, w * (uint64_t)groups);
}

static void compare_fields(const struct kernels *k, const struct media_sample *before,
                           const struct media_sample *now, struct media_feature *f)
{
    const size_t w = (size_t)now->width;
    uint64_t top = 0, bottom = 0;
    int groups = now->height < GROUP_ROWS ? 0 : now->height / GROUP_ROWS;
    for (int g = 0; g < groups; g++) {
        size_t at = (size_t)g * GROUP_KEPT * w;
        const uint8_t *n = now->rows + at, *b = before->rows + at;
        top += k->comb(n, b + w, n + 2 * w, w);
        bottom += k->comb(n + w, b + 2 * w, n + 3 * w, w);
    }
    f->top_on_bottom = levels(top, w * (uint64_t)groups);
    f->bottom_on_top = levels(bottom, w * (uint64_t)groups);
}

void media_feature_compare(const struct kernels *k, const struct media_sample *before,
                           const struct media_sample *now, struct media_feature *f)
{
    f->flags &= (uint8_t) ~(FEATURE_FIRST | FEATURE_RESIZED);
    if (before->width != now->width || before->height != now->height) {
        f->flags |= FEATURE_RESIZED;
        f->difference = f->tile = 255 * FEATURE_ONE;
        return;
    }
    const int rows = media_sample_rows(now->height);
    uint64_t sum = 0;
    uint32_t worst = 0;
    for (int y = 0; y < rows; y += GROUP_KEPT) {
        int high = MIN(GROUP_KEPT, rows - y);
        for (int x = 0; x < now->width; x += KERNEL_TILE) {
            size_t wide = (size_t)MIN(KERNEL_TILE, now->width - x);
            uint32_t tile = 0;
            for (int r = 0; r < high; r++) {
                size_t at = (size_t)(y + r) * (size_t)now->width + (size_t)x;
                tile += k->sad(now->rows + at, before->rows + at, wide);
            }
            sum += tile;
            worst = MAX(worst, levels(tile, wide * (uint64_t)high));
        }
    }
    f->difference = levels(sum, (uint64_t)rows * (uint64_t)now->width);
    f->tile = worst;
    compare_fields(k, before, now, f);
}

static uint8_t flags_of(const AVFrame *frame, bool full)
{
    unsigned flags = 0;
    if (frame->decode_error_flags || (frame->flags & AV_FRAME_FLAG_CORRUPT)) {
        flags |= FEATURE_CORRUPT;
    }
    flags |= frame->interlaced_frame ? FEATURE_INTERLACED : 0;
    flags |= frame->top_field_first ? FEATURE_TOP_FIRST : 0;
    flags |= full ? FEATURE_FULL_RANGE : 0;
    return (uint8_t)flags;
}

int media_scanner_frame(struct media_scanner *s, const AVFrame *frame,
                        struct media_feature *ret)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    FAIL_IF(!d || frame->width <= 0 || frame->height <= 0 ||
                frame->width > FEATURE_MAX_SIDE || frame->height > FEATURE_MAX_SIDE,
            ERR_UNSUPPORTED, "pictures of %d × %d", frame->width, frame->height);
    struct luma luma;
    TRY(luma_of(s, frame, d, &luma));
    TRY(make_room(s, frame->width, frame->height));
    struct kernel_scan scan = {.min = 255};
    kernel_digest_init(&scan.digest);
    struct borders borders;
    scan_rows(s, &luma, &scan, &borders);
    uint64_t pixels = (uint64_t)luma.width * (uint64_t)luma.height;
    bool digested = luma.planar && !luma.wide;
    if (!digested) {
        kernel_digest_init(&scan.digest);
    }
    struct media_feature f = {
        .pts = frame->pts == AV_NOPTS_VALUE ? FINDING_NONE : frame->pts,
        .duration = MAX(frame->pkt_duration, 0),
        .digest = digest_frame(s->kernels, frame, d, &scan.digest, digested ? 1 : 0),
        .mean = levels(scan.sum, pixels),
        .black_ppm = (uint32_t)(scan.black * 1000000 / pixels),
        .min = scan.min,
        .max = scan.max,
        .flags = flags_of(frame, luma.full),
    };
    find_borders(s, &luma, &borders, &f);
    fill_grid(&s->now, luma.full, &f);
    compare_inside(s->kernels, &s->now, &f);
    f.flags |= FEATURE_FIRST;
    if (s->has_before) {
        media_feature_compare(s->kernels, &s->before, &s->now, &f);
    }
    s->has_before = true;
    *ret = f;
    return 0;
}
