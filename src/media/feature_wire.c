// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct media_features as bytes.
#include "media/feature.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC        "mqrange "
#define VERSION      2
#define MAX_FRAMES   50000000
#define MAX_LOOKS    10000
#define FRAME_BYTES  (3 * 8 + 10 * 4 + 4 * 4 + 3 + FEATURE_GRID * FEATURE_GRID)
#define LOOK_BYTES   (8 + 4 * 4 + 5 * 4)
#define DEFECT_BYTES (1 + 3 * 8 + 4)

void media_features_clear(struct media_features *f)
{
    vec_free(&f->frames);
    vec_free(&f->looks);
    vec_free(&f->defects);
    vec_free(&f->cells);
    media_sample_clear(&f->first);
    media_sample_clear(&f->last);
}

static void write_frame(struct buf *out, const struct media_feature *f)
{
    wire_i64(out, f->pts);
    wire_i64(out, f->duration);
    wire_i64(out, (int64_t)f->digest);
    const uint32_t words[] = {
        f->mean,        f->black_ppm, f->outside_ppm,   f->difference,    f->tile,
        f->comb_bottom, f->comb_top,  f->top_on_bottom, f->bottom_on_top, f->field_steps,
        f->left,        f->top,       f->right,         f->bottom};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        wire_u32(out, words[i]);
    }
    wire_u8(out, f->min);
    wire_u8(out, f->max);
    wire_u8(out, f->flags);
    buf_add(out, f->grid, sizeof f->grid);
}

static uint16_t get_u16(struct wire *w)
{
    uint32_t v = wire_get_u32(w);
    if (v > UINT16_MAX && w->err == 0) {
        w->err = err_fail(ERR_CORRUPT, "a border is too wide");
    }
    return (uint16_t)v;
}

static void read_frame(struct wire *w, struct media_feature *f)
{
    f->pts = wire_get_i64(w);
    f->duration = wire_get_i64(w);
    f->digest = (uint64_t)wire_get_i64(w);
    uint32_t *words[] = {&f->mean,       &f->black_ppm,     &f->outside_ppm,
                         &f->difference, &f->tile,          &f->comb_bottom,
                         &f->comb_top,   &f->top_on_bottom, &f->bottom_on_top,
                         &f->field_steps};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        *words[i] = wire_get_u32(w);
    }
    f->left = get_u16(w);
    f->top = get_u16(w);
    f->right = get_u16(w);
    f->bottom = get_u16(w);
    f->min = wire_get_u8(w);
    f->max = wire_get_u8(w);
    f->flags = wire_get_u8(w);
    struct str grid = wire_get_bytes(w, sizeof f->grid);
    if (grid.len) {
        memcpy(f->grid, grid.data, sizeof f->grid);
    }
}

static void write_look(struct buf *out, const struct media_look *l)
{
    wire_i64(out, l->frame);
    wire_u32(out, (uint32_t)l->width);
    wire_u32(out, (uint32_t)l->height);
    wire_u32(out, (uint32_t)l->sar.num);
    wire_u32(out, (uint32_t)l->sar.den);
    wire_text(out, l->pixel_format);
    wire_text(out, l->primaries);
    wire_text(out, l->transfer);
    wire_text(out, l->matrix);
    wire_text(out, l->range);
}

static void read_look(struct wire *w, struct media_look *l)
{
    l->frame = wire_get_i64(w);
    l->width = (int)wire_get_u32(w);
    l->height = (int)wire_get_u32(w);
    l->sar.num = (int32_t)wire_get_u32(w);
    l->sar.den = (int32_t)wire_get_u32(w);
    wire_get_text(w, l->pixel_format, sizeof l->pixel_format);
    wire_get_text(w, l->primaries, sizeof l->primaries);
    wire_get_text(w, l->transfer, sizeof l->transfer);
    wire_get_text(w, l->matrix, sizeof l->matrix);
    wire_get_text(w, l->range, sizeof l->range);
    bool sane = l->width > 0 && l->width <= FEATURE_MAX_SIDE && l->height > 0 &&
                l->height <= FEATURE_MAX_SIDE && l->sar.num > 0 && l->sar.den > 0;
    if (w->err == 0 && !sane) {
        w->err = err_fail(ERR_CORRUPT, "a picture of no size");
    }
}

static void write_defect(struct buf *out, const struct media_defect *d)
{
    wire_u8(out, (uint8_t)d->kind);
    wire_i64(out, d->frame);
    wire_i64(out, d->pts);
    wire_i64(out, d->errors);
    wire_text(out, d->text);
}

static void read_defect(struct wire *w, struct media_defect *d)
{
    uint8_t kind = wire_get_u8(w);
    d->kind = (enum media_defect_kind)kind;
    d->frame = wire_get_i64(w);
    d->pts = wire_get_i64(w);
    d->errors = wire_get_i64(w);
    wire_get_text(w, d->text, sizeof d->text);
    if (w->err == 0 && kind > MEDIA_DEFECT_STALLED) {
        w->err = err_fail(ERR_CORRUPT, "a defect of no kind");
    }
}

static void write_sample(struct buf *out, const struct media_sample *s)
{
    wire_u32(out, (uint32_t)s->width);
    wire_u32(out, (uint32_t)s->height);
    if (s->rows) {
        buf_add(out, s->rows, (size_t)s->width * (size_t)media_sample_rows(s->height));
    }
}

static int read_sample(struct wire *w, struct media_sample *s)
{
    uint32_t width = wire_get_u32(w), height = wire_get_u32(w);
    TRY(w->err);
    if (width == 0 && height == 0) {
        return 0;
    }
    FAIL_IF(width == 0 || height == 0 || width > FEATURE_MAX_SIDE ||
                height > FEATURE_MAX_SIDE,
            ERR_CORRUPT, "a sample of no size");
    struct str bytes = wire_get_bytes(w, width * (size_t)media_sample_rows((int)height));
    TRY(w->err);
    s->rows = malloc(bytes.len);
    FAIL_IF(!s->rows, ERR_NOMEM, "rows of a picture");
    memcpy(s->rows, bytes.data, bytes.len);
    s->width = (int)width;
    s->height = (int)height;
    return 0;
}

int media_features_write(const struct media_features *f, struct buf *out)
{
    size_t start = out->len;
    wire_begin(out, MAGIC, VERSION);
    buf_reserve(out, f->frames.len * FRAME_BYTES);
    wire_i64(out, (int64_t)f->frames.len);
    vec_for_each (frame, &f->frames) {
        write_frame(out, frame);
    }
    wire_i64(out, (int64_t)f->looks.len);
    vec_for_each (look, &f->looks) {
        write_look(out, look);
    }
    wire_i64(out, (int64_t)f->defects.len);
    vec_for_each (defect, &f->defects) {
        write_defect(out, defect);
    }
    wire_i64(out, (int64_t)f->cells.len);
    vec_for_each (cell, &f->cells) {
        wire_i64(out, *cell);
    }
    write_sample(out, &f->first);
    write_sample(out, &f->last);
    wire_i64(out, f->packets);
    return wire_end(out, start);
}

static int read_lists(struct wire *w, struct media_features *f)
{
    size_t n = wire_get_count(w, FRAME_BYTES, MAX_FRAMES);
    TRY(vec_reserve(&f->frames, n));
    for (size_t i = 0; i < n; i++) {
        struct media_feature frame = {0};
        read_frame(w, &frame);
        TRY(w->err);
        TRY(vec_push(&f->frames, frame));
    }
    n = wire_get_count(w, LOOK_BYTES, MAX_LOOKS);
    for (size_t i = 0; i < n; i++) {
        struct media_look look = {0};
        read_look(w, &look);
        TRY(w->err);
        TRY(vec_push(&f->looks, look));
    }
    n = wire_get_count(w, DEFECT_BYTES, MEDIA_DEFECTS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct media_defect defect = {0};
        read_defect(w, &defect);
        TRY(w->err);
        TRY(vec_push(&f->defects, defect));
    }
    n = wire_get_count(w, 8, MAX_FRAMES);
    for (size_t i = 0; i < n; i++) {
        TRY(vec_push(&f->cells, wire_get_i64(w)));
    }
    return w->err;
}

int media_features_read(struct str bytes, struct media_features *ret)
{
    struct wire w;
    TRY(wire_open(bytes, MAGIC, VERSION, &w));
    TRY(read_lists(&w, ret));
    TRY(read_sample(&w, &ret->first));
    TRY(read_sample(&w, &ret->last));
    ret->packets = wire_get_i64(&w);
    return wire_close(&w);
}
