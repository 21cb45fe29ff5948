// SPDX-License-Identifier: GPL-3.0-or-later
//
// One decode of one range, with all that looks at pixels in that pass.
#include "media/feature.h"
#include "media/jpeg.h"

#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_US       (15 * 1000 * 1000LL)
#define LONG_FILM_US   (60 * 1000 * 1000LL)
#define LONG_FILM_MIN  4
#define MAX_RANGES     1000
#define MAX_LOOKS      1000
#define PROGRESS_EVERY 16

// --- ranges -----------------------------------------------------------------------------------

static int64_t pieces_by_length(const struct media_source *source)
{
    int64_t pieces = source->duration_us / RANGE_US;
    return source->duration_us > LONG_FILM_US ? MAX(pieces, LONG_FILM_MIN)
                                              : MAX(pieces, 1);
}

static void clear_ranges(struct media_ranges *r)
{
    vec_free(&r->items);
}

int media_ranges_plan(const struct media_source *source, const struct media_timeline *t,
                      int ranges, struct media_ranges *ret)
{
    FAIL_IF(ranges < 0, ERR_INVALID, "%d ranges", ranges);
    int64_t pieces = MIN(ranges ? ranges : pieces_by_length(source), MAX_RANGES);
    AUTO(clear_ranges) struct media_ranges out = {0};
    int64_t start = -1, count = (int64_t)t->raps.len;
    for (int64_t i = 0; i < count && pieces > 1; i++) {
        int64_t made = (int64_t)out.items.len + 1;
        // The first point at or behind the next equal part; frame 0 needs no range before it.
        if (t->raps.data[i].frame == 0 || made >= pieces ||
            t->raps.data[i].frame < t->count * made / pieces) {
            continue;
        }
        TRY(vec_push(&out.items, (struct media_range){start, i}));
        start = i;
    }
    TRY(vec_push(&out.items, (struct media_range){start, -1}));
    *ret = out;
    out = (struct media_ranges){0};
    return 0;
}

// --- the pass -----------------------------------------------------------------------------------

struct pass {
    const struct media_inspect_config *config;
    struct media_reader *reader;
    struct media_scanner *scanner;
    struct media_jpeg *jpeg;
    struct media_features features;
    int64_t start_frame;
};

static void look_of(const AVFrame *frame, int64_t index, struct media_look *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->frame = index;
    ret->width = frame->width;
    ret->height = frame->height;
    AVRational sar = frame->sample_aspect_ratio;
    ret->sar = sar.num > 0 && sar.den > 0 ? (struct rational){sar.num, sar.den}
                                          : (struct rational){1, 1};
    const struct {
        char *at;
        size_t bytes;
        const char *name;
    } texts[] = {
        {ret->pixel_format, sizeof ret->pixel_format, av_get_pix_fmt_name(frame->format)},
        {ret->primaries, sizeof ret->primaries,
         av_color_primaries_name(frame->color_primaries)},
        {ret->transfer, sizeof ret->transfer, av_color_transfer_name(frame->color_trc)},
        {ret->matrix, sizeof ret->matrix, av_color_space_name(frame->colorspace)},
        {ret->range, sizeof ret->range, av_color_range_name(frame->color_range)},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str name = str_of(texts[i].name ? texts[i].name : "unknown");
        name.len = MIN(name.len, texts[i].bytes - 1);
        memcpy(texts[i].at, name.data, name.len);
    }
}

static int note_look(struct pass *p, const AVFrame *frame, int64_t index)
{
    struct media_look look;
    look_of(frame, index, &look);
    if (p->features.looks.len) {
        struct media_look same = p->features.looks.data[p->features.looks.len - 1];
        same.frame = index;
        if (memcmp(&same, &look, sizeof look) == 0 ||
            p->features.looks.len >= MAX_LOOKS) {
            return 0;
        }
    }
    return vec_push(&p->features.looks, look);
}

static int copy_sample(const struct media_sample *from, struct media_sample *ret)
{
    size_t bytes = (size_t)from->width * (size_t)media_sample_rows(from->height);
    uint8_t *rows = malloc(bytes);
    FAIL_IF(!rows, ERR_NOMEM, "rows of a picture");
    memcpy(rows, from->rows, bytes);
    media_sample_clear(ret);
    *ret = (struct media_sample){from->width, from->height, rows};
    return 0;
}

// --- pictures of the grid ---------------------------------------------------------------------

static int64_t grid_index(const struct media_timeline *t, int64_t every_us, int64_t pts)
{
    AVRational tb = {t->time_base.num, t->time_base.den};
    int64_t us = av_rescale_q_rnd(pts - t->pts[0], tb, AV_TIME_BASE_Q, AV_ROUND_DOWN);
    return us < 0 ? -1 : us / every_us;
}

// The frame promised before `pts`: the same whatever range we are in. -1 none.
static int64_t promised_before(const struct media_timeline *t, int64_t pts)
{
    int64_t low = 0, high = t->count;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (t->pts[mid] < pts) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low - 1;
}

static int emit_still(struct pass *p, const AVFrame *frame)
{
    const struct media_inspect_config *c = p->config;
    const struct media_timeline *t = c->timeline;
    if (!c->still || c->still_every_us <= 0 || t->count == 0 ||
        frame->pts == AV_NOPTS_VALUE) {
        return 0;
    }
    int64_t at = promised_before(t, frame->pts);
    int64_t grid = grid_index(t, c->still_every_us, frame->pts);
    if (grid < 0 || (at >= 0 && grid_index(t, c->still_every_us, t->pts[at]) >= grid)) {
        return 0;
    }
    const struct media_stream *s = &c->source->streams.data[c->source->video];
    if (!p->jpeg) {
        TRY(media_jpeg_new(&p->jpeg));
    }
    AUTO(buf_free) struct buf jpeg = {0};
    TRY(media_jpeg_make(p->jpeg, frame, s->sar, s->rotation, c->still_width, &jpeg));
    // The frame's number as promised: what was lost before it is not known here.
    return c->still(c->user, grid, at + 1, jpeg.data, jpeg.len);
}

static int take_frame(struct pass *p, const AVFrame *frame, int64_t index)
{
    int64_t local = index - p->start_frame;
    struct media_feature f;
    TRY(media_scanner_frame(p->scanner, frame, &f));
    TRY(vec_push(&p->features.frames, f));
    TRY(note_look(p, frame, local));
    if (local == 0) {
        TRY(copy_sample(media_scanner_sample(p->scanner), &p->features.first));
    }
    TRY(emit_still(p, frame));
    if (p->config->progress && local % PROGRESS_EVERY == 0) {
        const struct media_timeline *t = p->config->timeline;
        int64_t end = p->config->range.end_rap < 0
                          ? t->count
                          : t->raps.data[p->config->range.end_rap].frame;
        p->config->progress(p->config->user, MIN(local, end - p->start_frame),
                            end - p->start_frame);
    }
    return 0;
}

static int finish(struct pass *p, struct buf *out)
{
    if (p->features.frames.len) {
        TRY(copy_sample(media_scanner_sample(p->scanner), &p->features.last));
    }
    size_t count = 0;
    const struct media_defect *defects = media_reader_defects(p->reader, &count);
    for (size_t i = 0; i < count; i++) {
        struct media_defect d = defects[i];
        d.frame -= p->start_frame;
        TRY(vec_push(&p->features.defects, d));
    }
    const int64_t *cells = media_reader_cells(p->reader, &count);
    for (size_t i = 0; i < count; i++) {
        TRY(vec_push(&p->features.cells, cells[i] - p->start_frame));
    }
    p->features.packets = media_reader_packets(p->reader);
    return media_features_write(&p->features, out);
}

static int run(struct pass *p, const struct media_input *input, struct buf *out)
{
    const struct media_inspect_config *c = p->config;
    struct media_reader_config rc = {
        .stream = c->source->streams.data[c->source->video].index,
        .timeline = c->timeline,
        .start_rap = c->range.start_rap,
        .end_rap = c->range.end_rap,
    };
    TRY(media_reader_new(input, &rc, &p->reader));
    TRY(media_scanner_new(kernels_best(), &p->scanner));
    p->start_frame =
        c->range.start_rap < 0 ? 0 : c->timeline->raps.data[c->range.start_rap].frame;
    AVFrame *frame = NULL;
    int64_t index = 0;
    int got;
    while ((got = media_reader_next(p->reader, &frame, &index)) > 0) {
        TRY(take_frame(p, frame, index));
    }
    TRY(got);
    return finish(p, out);
}

int media_inspect_video(const struct media_input *input,
                        const struct media_inspect_config *config, struct buf *out)
{
    FAIL_IF(config->source->video < 0, ERR_INVALID, "the source has no picture");
    FAIL_IF(config->range.start_rap >= (int64_t)config->timeline->raps.len ||
                config->range.end_rap > (int64_t)config->timeline->raps.len,
            ERR_INVALID, "no such range");
    struct pass p = {.config = config};
    struct media_log log = {0}; // converters complain too
    struct media_log *before = media_log_enter(&log);
    int err = run(&p, input, out);
    media_log_leave(before);
    media_reader_free(&p.reader);
    media_scanner_free(&p.scanner);
    media_jpeg_free(&p.jpeg);
    media_features_clear(&p.features);
    return err;
}
