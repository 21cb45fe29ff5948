// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/made_film.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the two above it.
#include <cmocka.h>

#define TONE_HZ 440

// The same noise in every run: a hash of the place (the finaliser of MurmurHash3).
static int noise_at(const struct made_film *m, int64_t n, int x, int y)
{
    uint32_t h =
        (uint32_t)n * 0x9e3779b1u ^ (uint32_t)x * 0x85ebca77u ^ (uint32_t)y * 0xc2b2ae3du;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return m->noise ? (int)((h ^ h >> 16) % (uint32_t)(2 * m->noise + 1)) - m->noise : 0;
}

int made_luma(const struct made_film *m, int64_t n, int x, int y)
{
    // Smooth waves under a grid of blocks: edges to follow, nothing that needs many bits.
    double at = x + (double)(n * m->speed) / MAX(m->slow, 1);
    double wave = 40 * sin(at * 0.11) + 30 * sin(y * 0.13 + at * 0.03);
    int block = (((int)at >> 4) + (y >> 4)) & 3;
    int luma = (int)lround(110 + wave + block * 12) + noise_at(m, n, x, y);
    return CLAMP(luma, 16, 235);
}

static struct rational base_of(const struct made_film *m)
{
    return m->time_base.den ? m->time_base : (struct rational){1, 25};
}

static int64_t pts_of(const struct made_film *m, int64_t n)
{
    return m->pts ? m->pts[n] : n;
}

// --- pictures ------------------------------------------------------------------------------

static void put(AVFrame *f, const AVPixFmtDescriptor *d, int component, int x, int y,
                int value)
{
    const AVComponentDescriptor *c = &d->comp[component];
    uint8_t *at = f->data[c->plane] + y * f->linesize[c->plane] + x * c->step + c->offset;
    if (c->depth > 8) {
        uint16_t wide = (uint16_t)(value << c->shift);
        memcpy(at, &wide, sizeof wide);
    } else {
        *at = (uint8_t)value;
    }
}

// In the film's own format: grey, so that luma alone tells the picture.
static void paint(const struct made_film *m, AVFrame *f, int64_t n)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(m->format);
    bool rgb = d->flags & AV_PIX_FMT_FLAG_RGB;
    bool full = rgb || m->range == AVCOL_RANGE_JPEG;
    int top = (1 << d->comp[0].depth) - 1;
    struct made_film half = *m; // twice the frames, half the way each
    half.speed = m->speed / 2;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            int luma = m->interlaced ? made_luma(&half, 2 * n + (y & 1), x, y)
                                     : made_luma(m, n, x, y);
            double unit = full ? (luma - 16) / 219.0 : 0;
            int value = full ? (int)lround(CLAMP(unit, 0, 1) * top)
                             : luma << (d->comp[0].depth - 8);
            for (int c = 0; c < (rgb ? 3 : 1); c++) {
                put(f, d, c, x, y, value);
            }
        }
    }
    bool alpha = d->flags & AV_PIX_FMT_FLAG_ALPHA;
    for (int c = rgb ? 3 : 1; c < d->nb_components; c++) {
        bool is_alpha = alpha && c == d->nb_components - 1;
        int w = is_alpha ? f->width : AV_CEIL_RSHIFT(f->width, d->log2_chroma_w);
        int h = is_alpha ? f->height : AV_CEIL_RSHIFT(f->height, d->log2_chroma_h);
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                put(f, d, c, x, y, is_alpha ? top : (top + 1) / 2);
            }
        }
    }
}

static AVCodecContext *picture_encoder(const struct made_film *m)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(m->x264 ? "libx264" : "rawvideo");
    AVCodecContext *c = avcodec_alloc_context3(codec);
    assert_non_null(c);
    c->width = m->width;
    c->height = m->height;
    c->pix_fmt = m->format;
    c->time_base = (AVRational){base_of(m).num, base_of(m).den};
    c->color_range = m->range;
    c->colorspace = m->matrix;
    c->thread_count = 1;
    if (m->sar.den) {
        c->sample_aspect_ratio = (AVRational){m->sar.num, m->sar.den};
    }
    if (m->x264) {
        c->gop_size = 12;
        c->flags |= (int)AV_CODEC_FLAG_CLOSED_GOP;
        av_opt_set(c->priv_data, "preset", "veryfast", 0);
        av_opt_set(c->priv_data, "qp", "0", 0);
        av_opt_set(c->priv_data, "x264-params", "scenecut=0", 0);
    }
    assert_true(avcodec_open2(c, codec, NULL) >= 0);
    return c;
}

static AVCodecContext *sound_encoder(const struct made_film *m)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("pcm_s16le");
    AVCodecContext *c = avcodec_alloc_context3(codec);
    assert_non_null(c);
    c->sample_rate = m->sample_rate;
    c->sample_fmt = AV_SAMPLE_FMT_S16;
    c->time_base = (AVRational){1, m->sample_rate};
    av_channel_layout_default(&c->ch_layout, m->channels);
    assert_true(avcodec_open2(c, codec, NULL) >= 0);
    return c;
}

static AVStream *add_stream(AVFormatContext *f, AVCodecContext *c)
{
    AVStream *s = avformat_new_stream(f, NULL);
    assert_non_null(s);
    assert_true(avcodec_parameters_from_context(s->codecpar, c) >= 0);
    s->time_base = c->time_base;
    s->sample_aspect_ratio = c->sample_aspect_ratio;
    return s;
}

static void drain(AVFormatContext *f, AVStream *s, AVCodecContext *c,
                  const AVFrame *frame)
{
    AVPacket *p = av_packet_alloc();
    assert_true(avcodec_send_frame(c, frame) >= 0);
    while (avcodec_receive_packet(c, p) >= 0) {
        p->stream_index = s->index;
        av_packet_rescale_ts(p, c->time_base, s->time_base);
        assert_true(av_interleaved_write_frame(f, p) >= 0);
    }
    av_packet_free(&p);
}

static void write_pictures(const struct made_film *m, AVFormatContext *f, AVStream *s,
                           AVCodecContext *c)
{
    AVFrame *frame = av_frame_alloc();
    frame->format = m->format;
    frame->width = m->width;
    frame->height = m->height;
    frame->color_range = m->range;
    frame->colorspace = m->matrix;
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    for (int64_t n = 0; n < m->frames; n++) {
        assert_true(av_frame_make_writable(frame) >= 0);
        paint(m, frame, n);
        frame->pts = pts_of(m, n);
        drain(f, s, c, frame);
    }
    drain(f, s, c, NULL);
    av_frame_free(&frame);
}

static void write_sound(const struct made_film *m, AVFormatContext *f, AVStream *s,
                        AVCodecContext *c)
{
    AVFrame *frame = av_frame_alloc();
    frame->format = AV_SAMPLE_FMT_S16;
    frame->sample_rate = m->sample_rate;
    frame->nb_samples = 1000;
    assert_true(av_channel_layout_copy(&frame->ch_layout, &c->ch_layout) >= 0);
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    int64_t first = llround(m->sound_start * m->sample_rate);
    int64_t last = llround(m->sound_end * m->sample_rate);
    for (int64_t at = first; at < last; at += frame->nb_samples) {
        double seconds = (double)at / m->sample_rate;
        if (seconds >= m->gap_start && seconds < m->gap_end) {
            continue;
        }
        assert_true(av_frame_make_writable(frame) >= 0);
        int16_t *to = (int16_t *)(void *)frame->data[0];
        for (int i = 0; i < frame->nb_samples; i++) {
            double t = (double)(at + i) / m->sample_rate;
            for (int ch = 0; ch < m->channels; ch++) {
                *to++ = (int16_t)lround(8000 * sin(2 * M_PI * TONE_HZ * t));
            }
        }
        bool jumped = m->jump > 0 && seconds >= m->jump_at;
        frame->pts = at + (jumped ? llround(m->jump * m->sample_rate) : 0);
        drain(f, s, c, frame);
    }
    drain(f, s, c, NULL);
    av_frame_free(&frame);
}

static int write_bytes(void *opaque, uint8_t *bytes, int len)
{
    struct buf *b = opaque;
    buf_add(b, bytes, (size_t)len);
    return b->err ? AVERROR(ENOMEM) : len;
}

static void write_file(const struct made_film *m, struct buf *out)
{
    AVFormatContext *f = NULL;
    assert_true(avformat_alloc_output_context2(&f, NULL, "nut", NULL) >= 0);
    uint8_t *io = av_malloc(4096);
    f->pb = avio_alloc_context(io, 4096, 1, out, NULL, write_bytes, NULL);
    assert_non_null(f->pb);
    f->pb->seekable = 0;
    f->flags |= AVFMT_FLAG_BITEXACT;
    AVCodecContext *video = picture_encoder(m);
    AVStream *vs = add_stream(f, video), *as = NULL;
    AVCodecContext *audio = NULL;
    if (m->channels) {
        audio = sound_encoder(m);
        as = add_stream(f, audio);
    }
    // NUT's global index wants to go back: none.
    AVDictionary *options = NULL;
    av_dict_set(&options, "write_index", "0", 0);
    assert_true(avformat_write_header(f, &options) >= 0);
    av_dict_free(&options);
    write_pictures(m, f, vs, video);
    if (audio) {
        write_sound(m, f, as, audio);
    }
    assert_true(av_write_trailer(f) >= 0);
    avio_flush(f->pb);
    avcodec_free_context(&video);
    avcodec_free_context(&audio);
    av_freep(&f->pb->buffer);
    avio_context_free(&f->pb);
    avformat_free_context(f);
    assert_int_equal(out->err, 0);
}

static int64_t read_bytes(void *opaque, int64_t offset, void *ret, size_t len)
{
    const struct buf *b = opaque;
    if (offset < 0 || offset >= (int64_t)b->len) {
        return 0;
    }
    size_t n = MIN(len, b->len - (size_t)offset);
    memcpy(ret, b->data + offset, n);
    return (int64_t)n;
}

void made_file_new(struct made_file *ret, const struct made_film *m)
{
    *ret = (struct made_file){0};
    write_file(m, &ret->bytes);
    ret->input = (struct media_input){
        .opaque = &ret->bytes, .size = (int64_t)ret->bytes.len, .read = read_bytes};
    AUTO(findings_free) struct findings findings = {0};
    assert_int_equal(
        media_probe(&ret->input, &ret->report.source, &ret->timeline, &findings), 0);
    assert_int_equal(ret->timeline->count, m->frames);
    // NUT chooses a finer time base, in which all times are exact.
    struct media_timeline *t = ret->timeline;
    AVRational from = {base_of(m).num, base_of(m).den};
    AVRational to = {t->time_base.num, t->time_base.den};
    // Inspection knows where the last frame ends; packets of NUT do not say.
    t->pts[m->frames] =
        t->pts[0] + av_rescale_q(pts_of(m, m->frames) - pts_of(m, 0), from, to);
    for (int64_t n = 0; n <= m->frames; n++) {
        assert_int_equal(
            av_compare_ts(t->pts[n] - t->pts[0], to, pts_of(m, n) - pts_of(m, 0), from),
            0);
    }
    ret->report.frames = m->frames;
    memcpy(ret->report.scan, m->interlaced ? "tff" : "progressive",
           m->interlaced ? 4 : 12);
    assert_int_equal(vec_push(&ret->report.shots, (struct media_shot){0, m->frames}), 0);
}

void made_file_free(struct made_file *f)
{
    buf_free(&f->bytes);
    media_source_free(&f->report.source);
    media_timeline_free(&f->timeline);
    vec_free(&f->report.shots);
}

// --- what was published --------------------------------------------------------------------

int made_sink_write(void *user, const char *rendition, const char *path,
                    const void *bytes, size_t len)
{
    struct made_sink *s = user;
    assert_memory_equal(path, rendition, strlen(rendition));
    struct made_sink_file f = {0};
    TRY(str_copy(f.path, sizeof f.path, str_of(path)));
    buf_add(&f.bytes, bytes, len);
    TRY(f.bytes.err);
    vec_for_each (other, &s->files) {
        if (strcmp(other->path, path) == 0) { // chunks share their initialisation
            assert_int_equal(other->bytes.len, len);
            assert_memory_equal(other->bytes.data, bytes, len);
            buf_free(&f.bytes);
            return 0;
        }
    }
    return vec_push(&s->files, f);
}

void made_sink_free(struct made_sink *s)
{
    vec_for_each (f, &s->files) {
        buf_free(&f->bytes);
    }
    vec_free(&s->files);
}

static const struct made_sink_file *find_file(const struct made_sink *s, const char *path)
{
    vec_for_each (f, &s->files) {
        if (strcmp(f->path, path) == 0) {
            return f;
        }
    }
    return NULL;
}

void made_sink_join(const struct made_sink *s, const char *rendition, struct buf *out)
{
    char path[64];
    snprintf(path, sizeof path, "%s/init.mp4", rendition);
    const struct made_sink_file *f = find_file(s, path);
    assert_non_null(f);
    for (int number = 1; f; number++) {
        buf_add(out, f->bytes.data, f->bytes.len);
        snprintf(path, sizeof path, "%s/%05d.m4s", rendition, number);
        f = find_file(s, path);
    }
    assert_int_equal(out->err, 0);
}

bool made_sink_equal(const struct made_sink *a, const struct made_sink *b)
{
    if (a->files.len != b->files.len) {
        return false;
    }
    vec_for_each (f, &a->files) {
        const struct made_sink_file *o = find_file(b, f->path);
        if (!o || o->bytes.len != f->bytes.len ||
            memcmp(o->bytes.data, f->bytes.data, f->bytes.len) != 0) {
            return false;
        }
    }
    return true;
}

// --- reading back --------------------------------------------------------------------------

struct reading {
    struct str bytes;
    int64_t at;
};

static int read_more(void *opaque, uint8_t *to, int len)
{
    struct reading *r = opaque;
    int64_t left = (int64_t)r->bytes.len - r->at;
    int n = (int)MIN(left, len);
    if (n <= 0) {
        return AVERROR_EOF;
    }
    memcpy(to, r->bytes.data + r->at, (size_t)n);
    r->at += n;
    return n;
}

static int64_t seek_to(void *opaque, int64_t offset, int whence)
{
    struct reading *r = opaque;
    if (whence == AVSEEK_SIZE) {
        return (int64_t)r->bytes.len;
    }
    r->at = whence == SEEK_SET ? offset : r->at + offset;
    return r->at;
}

static void receive(AVCodecContext *c, struct made_frames *ret)
{
    for (;;) {
        AVFrame *f = av_frame_alloc();
        if (avcodec_receive_frame(c, f) < 0) {
            av_frame_free(&f);
            return;
        }
        assert_int_equal(vec_push(&ret->items, f), 0);
    }
}

void made_decode(struct str file, struct made_frames *ret)
{
    *ret = (struct made_frames){0};
    struct reading r = {file, 0};
    AVFormatContext *f = avformat_alloc_context();
    f->pb = avio_alloc_context(av_malloc(4096), 4096, 0, &r, read_more, NULL, seek_to);
    assert_true(avformat_open_input(&f, "", NULL, NULL) >= 0);
    assert_true(avformat_find_stream_info(f, NULL) >= 0);
    AVStream *s = f->streams[0];
    const AVCodec *codec = s->codecpar->codec_id == AV_CODEC_ID_AV1
                               ? avcodec_find_decoder_by_name("libdav1d")
                               : avcodec_find_decoder(s->codecpar->codec_id);
    AVCodecContext *c = avcodec_alloc_context3(codec);
    assert_true(avcodec_parameters_to_context(c, s->codecpar) >= 0);
    c->pkt_timebase = s->time_base;
    assert_true(avcodec_open2(c, codec, NULL) >= 0);
    AVPacket *p = av_packet_alloc();
    while (av_read_frame(f, p) >= 0) {
        if (p->stream_index == 0) {
            assert_true(avcodec_send_packet(c, p) >= 0);
            receive(c, ret);
        }
        av_packet_unref(p);
    }
    avcodec_send_packet(c, NULL);
    receive(c, ret);
    ret->time_base = s->time_base;
    ret->sar = s->sample_aspect_ratio;
    ret->start_pts = s->start_time;
    av_packet_free(&p);
    avcodec_free_context(&c);
    av_freep(&f->pb->buffer);
    avio_context_free(&f->pb);
    avformat_close_input(&f);
}

void made_frames_free(struct made_frames *m)
{
    vec_for_each (f, &m->items) {
        av_frame_free(f);
    }
    vec_free(&m->items);
}
