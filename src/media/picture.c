// SPDX-License-Identifier: GPL-3.0-or-later
//
// Deinterlacing looks at a frame before and one behind, so those are decoded over the chunk's
// edges as well, and what comes out of them is dropped: the chunks of a film give the pictures
// that the whole film would.
#include "media/picture.h"

#include "media/decode.h"
#include "media/plan.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_BWDIF_SIDE 3

struct pictures {
    struct pictures_config config;
    struct media_reader *reader;
    const char *parity; // of bwdif; NULL: nothing to deinterlace
    const char *only;   // bwdif's "deint"
    int rotation;
    int64_t context;
    AVFilterGraph *graph; // NULL: frames pass as they are
    AVFilterContext *in, *out;
    int width, height, format; // of what the graph takes
    int64_t fed;               // frames given to the graph, in all
    int64_t next_out;          // number of the frame that comes out next
    bool drained;
    AVFrame *held; // a frame of another format, that the graph was drained for
    int64_t held_at;
};

static const struct media_stream *stream_of(const struct pictures *p)
{
    const struct media_source *s = p->config.report->source;
    return &s->streams.data[s->video];
}

static void choose_filters(struct pictures *p)
{
    const struct media_report *r = p->config.report;
    p->rotation = stream_of(p)->rotation;
    bool large = stream_of(p)->width >= LEAST_BWDIF_SIDE &&
                 stream_of(p)->height >= LEAST_BWDIF_SIDE;
    p->context = large ? plan_context_frames(r) : 0;
    if (p->context) {
        bool mixed = strcmp(r->scan, "mixed") == 0;
        p->parity = mixed ? "auto" : strcmp(r->scan, "tff") == 0 ? "tff" : "bff";
        p->only = mixed ? "interlaced" : "all";
    }
}

int pictures_new(struct pictures **ret, const struct media_input *input,
                 const struct pictures_config *config)
{
    AUTO(pictures_free) struct pictures *p = calloc(1, sizeof *p);
    FAIL_IF(!p, ERR_NOMEM, "a source of pictures");
    p->config = *config;
    choose_filters(p);
    int64_t first = MAX(config->chunk.start_frame - p->context, 0);
    struct media_reader_config rc = {
        .stream = stream_of(p)->index,
        .timeline = config->timeline,
        .start_rap = plan_find_rap(config->timeline, first, 0),
        .end_rap = -1,
    };
    p->next_out = first;
    TRY(media_reader_new(input, &rc, &p->reader));
    *ret = TAKE(p);
    return 0;
}

void pictures_free(struct pictures **ptr)
{
    struct pictures *p = TAKE(*ptr);
    if (p) {
        avfilter_graph_free(&p->graph);
        av_frame_free(&p->held);
        media_reader_free(&p->reader);
        free(p);
    }
}

// --- the graph -----------------------------------------------------------------------------

static int append(struct pictures *p, const char *filter, const char *args)
{
    AVFilterContext *f = NULL;
    int err = avfilter_graph_create_filter(&f, avfilter_get_by_name(filter), NULL, args,
                                           NULL, p->graph);
    if (err < 0) {
        return media_av_fail(err, filter);
    }
    err = avfilter_link(p->out, 0, f, 0);
    if (err < 0) {
        return media_av_fail(err, filter);
    }
    p->out = f;
    return 0;
}

static int append_source(struct pictures *p, const AVFrame *f)
{
    AUTO(cstr_free) char *args = NULL;
    TRY(cstr_printf(&args, "video_size=%dx%d:pix_fmt=%d:time_base=1/1000000", f->width,
                    f->height, f->format));
    int err = avfilter_graph_create_filter(&p->in, avfilter_get_by_name("buffer"), NULL,
                                           args, NULL, p->graph);
    if (err < 0) {
        return media_av_fail(err, "a filter graph");
    }
    p->out = p->in;
    return 0;
}

static int graph_new(struct pictures *p, const AVFrame *f)
{
    avfilter_graph_free(&p->graph);
    p->graph = avfilter_graph_alloc();
    FAIL_IF(!p->graph, ERR_NOMEM, "a filter graph");
    p->graph->nb_threads = 1;
    TRY(append_source(p, f));
    if (p->parity) {
        AUTO(cstr_free) char *args = NULL;
        TRY(cstr_printf(&args, "mode=send_frame:parity=%s:deint=%s", p->parity, p->only));
        TRY(append(p, "bwdif", args));
    }
    if (p->rotation == 90 || p->rotation == 270) {
        TRY(append(p, "transpose", p->rotation == 90 ? "dir=clock" : "dir=cclock"));
    } else if (p->rotation == 180) {
        TRY(append(p, "hflip", NULL));
        TRY(append(p, "vflip", NULL));
    }
    TRY(append(p, "buffersink", NULL));
    int err = avfilter_graph_config(p->graph, NULL);
    if (err < 0) {
        return media_av_fail(err, "a filter graph");
    }
    p->width = f->width;
    p->height = f->height;
    p->format = f->format;
    p->drained = false;
    return 0;
}

static bool needs_graph(const struct pictures *p)
{
    return p->parity || p->rotation;
}

static bool fits_graph(const struct pictures *p, const AVFrame *f)
{
    return p->graph && f->width == p->width && f->height == p->height &&
           f->format == p->format;
}

// --- the flow ------------------------------------------------------------------------------

// Where points are trusted every frame has its time, and inspection saw the same: a reader that
// counts from the wrong place is found out.
static int check_time(const struct pictures *p, const AVFrame *f, int64_t index)
{
    const struct media_timeline *t = p->config.timeline;
    FAIL_IF(t->raps.len && f->pts != AV_NOPTS_VALUE && f->pts != t->pts[index],
            ERR_CORRUPT, "frame %lld came at %lld, inspection saw it at %lld",
            (long long)index, (long long)f->pts, (long long)t->pts[index]);
    return 0;
}

// The next decoded frame that matters; *ret NULL when none is needed any more.
static int read_frame(struct pictures *p, AVFrame **ret)
{
    int64_t last = MIN(p->config.chunk.end_frame + p->context, p->config.timeline->count);
    for (;;) {
        AVFrame *f = NULL;
        int64_t index = 0;
        int64_t wanted = p->next_out > p->fed ? p->next_out : p->fed;
        if (wanted >= last) {
            *ret = NULL;
            return 0;
        }
        int got = media_reader_next(p->reader, &f, &index);
        TRY(got);
        FAIL_IF(got == 0, ERR_CORRUPT, "the film ends before frame %lld",
                (long long)wanted);
        if (index < wanted) {
            continue;
        }
        FAIL_IF(index > wanted, ERR_CORRUPT, "frame %lld is missing", (long long)wanted);
        TRY(check_time(p, f, index));
        p->fed = index + 1;
        AVFrame *own = av_frame_clone(f);
        FAIL_IF(!own, ERR_NOMEM, "a frame");
        *ret = own;
        return 0;
    }
}

static int feed_graph(struct pictures *p, AVFrame *f, int64_t index)
{
    f->pts = index;
    int err = av_buffersrc_add_frame_flags(p->in, f, AV_BUFFERSRC_FLAG_PUSH);
    return err < 0 ? media_av_fail(err, "a filter graph") : 0;
}

static int drain_graph(struct pictures *p)
{
    int err = av_buffersrc_add_frame_flags(p->in, NULL, AV_BUFFERSRC_FLAG_PUSH);
    p->drained = true;
    return err < 0 ? media_av_fail(err, "a filter graph") : 0;
}

// Gives the graph its next frame, or the end. A change of format drains the graph first.
static int feed(struct pictures *p)
{
    AUTO(av_frame_free) AVFrame *f = NULL;
    int64_t index = p->held_at;
    if (p->held) {
        f = TAKE(p->held);
    } else {
        TRY(read_frame(p, &f));
        index = p->fed - 1;
    }
    if (!f) {
        return drain_graph(p);
    }
    if (!fits_graph(p, f)) {
        if (p->graph && !p->drained) {
            p->held = TAKE(f);
            p->held_at = index;
            return drain_graph(p);
        }
        TRY(graph_new(p, f));
    }
    return feed_graph(p, f, index);
}

static int filtered_next(struct pictures *p, AVFrame **ret)
{
    AUTO(av_frame_free) AVFrame *f = av_frame_alloc();
    FAIL_IF(!f, ERR_NOMEM, "a picture");
    for (;;) {
        int err = p->graph ? av_buffersink_get_frame(p->out, f) : AVERROR(EAGAIN);
        if (err == 0) {
            *ret = TAKE(f);
            return 0;
        }
        bool more = err == AVERROR(EAGAIN) || (err == AVERROR_EOF && p->held);
        FAIL_IF(err == AVERROR_EOF && !more, ERR_CORRUPT,
                "the film ends before frame %lld", (long long)p->next_out);
        if (!more) {
            return media_av_fail(err, "a filter graph");
        }
        TRY(feed(p));
    }
}

int pictures_next(struct pictures *p, AVFrame **ret)
{
    for (;;) {
        AUTO(av_frame_free) AVFrame *f = NULL;
        if (needs_graph(p)) {
            TRY(filtered_next(p, &f));
        } else {
            TRY(read_frame(p, &f));
            FAIL_IF(!f, ERR_INTERNAL, "pictures behind the chunk");
        }
        int64_t at = p->next_out++;
        if (at >= p->config.chunk.start_frame) {
            *ret = TAKE(f);
            return 0;
        }
    }
}
