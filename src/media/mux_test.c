// SPDX-License-Identifier: GPL-3.0-or-later
//
// The segmenter, fed by real encoders and read back by libavformat's demuxer.
#include "media/mux.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FRAMES     48
#define GOP        12
#define TICKS      1000 // of a frame in the picture's timescale, when the rate is constant
#define JITTER     137
#define PICTURE_TS 24000 // 24 frames a second
#define SOUND_RATE 48000

struct sink {
    struct buf init;
    struct buf segments[16];
    size_t count;
};

static void sink_free(struct sink *s)
{
    buf_free(&s->init);
    for (size_t i = 0; i < ARRAY_LEN(s->segments); i++) {
        buf_free(&s->segments[i]);
    }
}

static int sink_write(void *user, const char *rendition, const char *path,
                      const void *bytes, size_t len)
{
    struct sink *s = user;
    assert_string_equal(rendition, "test");
    if (strcmp(path, "test/init.mp4") == 0) {
        buf_add(&s->init, bytes, len);
        return s->init.err;
    }
    long long number = 0;
    assert_int_equal(sscanf(path, "test/%05lld.m4s", &number), 1);
    assert_true(s->count < ARRAY_LEN(s->segments));
    buf_add(&s->segments[s->count], bytes, len);
    return s->segments[s->count++].err;
}

// --- packets ------------------------------------------------------------------------------

struct stream {
    AVCodecContext *codec;
    AVCodecParameters *par;
    VEC(AVPacket *) packets;
    int64_t times[FRAMES + 1]; // of the pictures
};

static void stream_free(struct stream *s)
{
    vec_for_each (packet, &s->packets) {
        av_packet_free(packet);
    }
    vec_free(&s->packets);
    avcodec_parameters_free(&s->par);
    avcodec_free_context(&s->codec);
}

static void receive_all(struct stream *s)
{
    for (;;) {
        AVPacket *packet = av_packet_alloc();
        assert_non_null(packet);
        int got = avcodec_receive_packet(s->codec, packet);
        if (got < 0) {
            av_packet_free(&packet);
            assert_true(got == AVERROR(EAGAIN) || got == AVERROR_EOF);
            return;
        }
        assert_int_equal(vec_push(&s->packets, packet), 0);
    }
}

static void encode(struct stream *s, const AVFrame *frame)
{
    assert_int_equal(avcodec_send_frame(s->codec, frame), 0);
    receive_all(s);
}

static AVFrame *picture(int index, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int plane = 0; plane < 3; plane++) {
        int rows = plane == 0 ? height : height / 2,
            cols = plane == 0 ? width : width / 2;
        for (int y = 0; y < rows; y++) {
            for (int x = 0; x < cols; x++) {
                uint8_t *pixel = frame->data[plane] + y * frame->linesize[plane] + x;
                *pixel = plane == 0 ? (uint8_t)(x * 3 + y * 2 + index * 5) : 128;
            }
        }
    }
    return frame;
}

// `jitter`: added to every third picture's time, so that the rate varies.
static void encode_picture(struct stream *s, const char *encoder, int jitter)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(encoder);
    assert_non_null(codec);
    s->codec = avcodec_alloc_context3(codec);
    s->codec->width = 64;
    s->codec->height = 64;
    s->codec->pix_fmt = AV_PIX_FMT_YUV420P;
    s->codec->time_base = (AVRational){1, PICTURE_TS};
    s->codec->framerate = (AVRational){24, 1};
    s->codec->gop_size = FRAMES;
    s->codec->thread_count = 1;
    s->codec->flags |= (int)(AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP);
    s->codec->color_primaries = AVCOL_PRI_BT709;
    s->codec->color_trc = AVCOL_TRC_BT709;
    s->codec->colorspace = AVCOL_SPC_BT709;
    s->codec->color_range = AVCOL_RANGE_MPEG;
    s->codec->sample_aspect_ratio = (AVRational){4, 3};
    AVDictionary *options = NULL;
    av_dict_set(&options, "preset", strcmp(encoder, "libx264") == 0 ? "fast" : "12", 0);
    if (strcmp(encoder, "libx264") == 0) {
        av_dict_set(&options, "forced-idr", "1", 0);
    } else {
        av_dict_set(&options, "svtav1-params", "enable-force-key-frames=1:lp=1", 0);
    }
    assert_int_equal(avcodec_open2(s->codec, codec, &options), 0);
    av_dict_free(&options);
    for (int i = 0; i <= FRAMES; i++) {
        s->times[i] = (int64_t)i * TICKS + (i % 3 == 1 ? jitter : 0);
    }
    for (int i = 0; i < FRAMES; i++) {
        AUTO(av_frame_free) AVFrame *frame = picture(i, 64, 64);
        frame->pts = s->times[i];
        frame->pict_type = i % GOP == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        encode(s, frame);
    }
    encode(s, NULL);
    s->par = avcodec_parameters_alloc();
    assert_int_equal(avcodec_parameters_from_context(s->par, s->codec), 0);
    assert_int_equal(s->packets.len, FRAMES);
}

static void encode_sound(struct stream *s, const char *encoder, int samples)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(encoder);
    assert_non_null(codec);
    s->codec = avcodec_alloc_context3(codec);
    s->codec->sample_rate = SOUND_RATE;
    s->codec->bit_rate = 64000;
    s->codec->sample_fmt = codec->sample_fmts[0];
    av_channel_layout_default(&s->codec->ch_layout, 2);
    s->codec->time_base = (AVRational){1, SOUND_RATE};
    s->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    assert_int_equal(avcodec_open2(s->codec, codec, NULL), 0);
    for (int at = 0; at < samples; at += s->codec->frame_size) {
        AUTO(av_frame_free) AVFrame *frame = av_frame_alloc();
        frame->format = s->codec->sample_fmt;
        frame->sample_rate = SOUND_RATE;
        frame->nb_samples = MIN(s->codec->frame_size, samples - at);
        frame->pts = at;
        assert_int_equal(av_channel_layout_copy(&frame->ch_layout, &s->codec->ch_layout),
                         0);
        assert_int_equal(av_frame_get_buffer(frame, 0), 0);
        av_samples_set_silence(frame->extended_data, 0, frame->nb_samples, 2,
                               s->codec->sample_fmt);
        encode(s, frame);
    }
    encode(s, NULL);
    s->par = avcodec_parameters_alloc();
    assert_int_equal(avcodec_parameters_from_context(s->par, s->codec), 0);
}

// --- segments -----------------------------------------------------------------------------

static void config_of(const struct stream *s, const int64_t *bounds, size_t count,
                      struct sink *sink, struct mux_config *ret)
{
    bool is_video = s->codec->codec_type == AVMEDIA_TYPE_VIDEO;
    *ret = (struct mux_config){
        .rendition = "test",
        .kind = is_video ? MEDIA_RENDITION_VIDEO : MEDIA_RENDITION_AUDIO,
        .codec = s->par,
        .language = "de",
        .packet_time_base = s->codec->time_base,
        .timescale = is_video ? PICTURE_TS : SOUND_RATE,
        .first_segment = 1,
        .boundaries = bounds,
        .segment_count = count,
        .lead = is_video ? (int64_t)s->codec->has_b_frames * (TICKS + JITTER)
                         : s->codec->initial_padding,
        .write = sink_write,
        .user = sink,
    };
}

static int mux_all(const struct stream *s, const struct mux_config *config, int64_t end,
                   struct media_encoded *ret)
{
    AUTO(mux_free) struct mux *m = NULL;
    TRY(mux_new(&m, config));
    int64_t from =
        config->kind == MEDIA_RENDITION_VIDEO ? config->boundaries[0] : INT64_MIN;
    int64_t to = config->kind == MEDIA_RENDITION_VIDEO
                     ? config->boundaries[config->segment_count]
                     : INT64_MAX;
    vec_for_each (packet, &s->packets) {
        if ((*packet)->pts >= from && (*packet)->pts < to) {
            TRY(mux_packet(m, *packet));
        }
    }
    return mux_finish(m, end, ret);
}

static void encoded_free(struct media_encoded *e)
{
    vec_free(&e->segments);
    vec_free(&e->frame_bytes);
}

static void picture_bounds(const struct stream *s, int64_t ret[FRAMES / GOP + 1])
{
    for (int i = 0; i <= FRAMES / GOP; i++) {
        ret[i] = s->times[i * GOP];
    }
}

// --- reading back -------------------------------------------------------------------------

struct memory {
    struct str bytes;
    size_t at;
};

static int memory_read(void *user, uint8_t *ret, int len)
{
    struct memory *m = user;
    size_t take = MIN((size_t)len, m->bytes.len - m->at);
    if (take == 0) {
        return AVERROR_EOF;
    }
    memcpy(ret, m->bytes.data + m->at, take);
    m->at += take;
    return (int)take;
}

static int64_t memory_seek(void *user, int64_t offset, int whence)
{
    struct memory *m = user;
    if ((whence & AVSEEK_SIZE) != 0) {
        return (int64_t)m->bytes.len;
    }
    int64_t at = (whence & ~AVSEEK_FORCE) == SEEK_CUR ? (int64_t)m->at + offset : offset;
    m->at = (size_t)CLAMP(at, 0, (int64_t)m->bytes.len);
    return (int64_t)m->at;
}

struct demuxed {
    AVStream *stream;
    VEC(AVPacket *) packets;
    AVFormatContext *format;
    AVIOContext *io;
};

static void demuxed_free(struct demuxed *d)
{
    vec_for_each (packet, &d->packets) {
        av_packet_free(packet);
    }
    vec_free(&d->packets);
    avformat_close_input(&d->format);
    if (d->io != NULL) {
        av_freep(&d->io->buffer);
    }
    avio_context_free(&d->io);
}

static void demux(const struct sink *sink, struct demuxed *ret)
{
    AUTO(buf_free) struct buf whole = {0};
    buf_str(&whole, buf_view(&sink->init));
    for (size_t i = 0; i < sink->count; i++) {
        buf_str(&whole, buf_view(&sink->segments[i]));
    }
    struct memory memory = {.bytes = buf_view(&whole)};
    struct demuxed d = {0};
    d.io = avio_alloc_context(av_malloc(4096), 4096, 0, &memory, memory_read, NULL,
                              memory_seek);
    d.format = avformat_alloc_context();
    d.format->pb = d.io;
    assert_int_equal(avformat_open_input(&d.format, NULL, NULL, NULL), 0);
    assert_int_equal(d.format->nb_streams, 1);
    d.stream = d.format->streams[0];
    for (;;) {
        AVPacket *packet = av_packet_alloc();
        if (av_read_frame(d.format, packet) < 0) {
            av_packet_free(&packet);
            break;
        }
        assert_int_equal(vec_push(&d.packets, packet), 0);
    }
    *ret = d;
}

static uint32_t u32_at(struct str s, size_t at)
{
    assert_true(at + 4 <= s.len);
    const uint8_t *p = (const uint8_t *)s.data + at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// The payload of the box at the end of `path` ("moof/traf/tfdt").
static struct str box_find(struct str in, const char *path)
{
    for (size_t at = 0; at + 8 <= in.len;) {
        uint32_t size = u32_at(in, at);
        assert_true(size >= 8 && size <= in.len - at);
        if (memcmp(in.data + at + 4, path, 4) == 0) {
            struct str payload = {.data = in.data + at + 8, .len = size - 8};
            return path[4] == '/' ? box_find(payload, path + 5) : payload;
        }
        at += size;
    }
    fail_msg("no box %s", path);
    return (struct str){0};
}

struct row {
    int64_t dts, pts, duration;
    uint32_t size;
    bool is_sync;
};

struct rows {
    VEC(struct row) items;
};

static void rows_free(struct rows *r)
{
    vec_free(&r->items);
}

// Appends the samples of a segment, checking that its boxes agree with each other.
static void read_segment(struct str segment, struct rows *out)
{
    assert_memory_equal(segment.data + 4, "styp", 4);
    struct str tfhd = box_find(segment, "moof/traf/tfhd");
    struct str tfdt = box_find(segment, "moof/traf/tfdt");
    struct str trun = box_find(segment, "moof/traf/trun");
    struct str mdat = box_find(segment, "mdat");
    assert_int_equal(u32_at(tfhd, 0), 0x020028);
    assert_int_equal(tfdt.data[0], 1);
    int64_t dts = (int64_t)u32_at(tfdt, 4) << 32 | u32_at(tfdt, 8);
    uint32_t flags = u32_at(trun, 0) & 0xffffff, count = u32_at(trun, 4);
    const char *moof = box_find(segment, "moof").data - 8;
    assert_ptr_equal(moof + u32_at(trun, 8), mdat.data);
    size_t at = 12, bytes = 0;
    uint32_t first_flags = u32_at(tfhd, 12);
    if ((flags & 0x4) != 0) {
        first_flags = u32_at(trun, at);
        at += 4;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct row row = {.dts = dts, .duration = u32_at(tfhd, 8)};
        uint32_t sample_flags = i == 0 ? first_flags : u32_at(tfhd, 12);
        if ((flags & 0x100) != 0) {
            row.duration = u32_at(trun, at);
            at += 4;
        }
        row.size = u32_at(trun, at);
        at += 4;
        if ((flags & 0x400) != 0) {
            sample_flags = u32_at(trun, at);
            at += 4;
        }
        row.pts = dts;
        if ((flags & 0x800) != 0) {
            row.pts += (int32_t)u32_at(trun, at);
            at += 4;
        }
        row.is_sync = (sample_flags & 0x10000) == 0;
        dts += row.duration;
        bytes += row.size;
        assert_int_equal(vec_push(&out->items, row), 0);
    }
    assert_int_equal(at, trun.len);
    assert_int_equal(bytes, mdat.len);
}

// --- tests --------------------------------------------------------------------------------

static void check_picture(const char *encoder, int jitter, const char *codecs)
{
    AUTO(stream_free) struct stream s = {0};
    encode_picture(&s, encoder, jitter);
    int64_t bounds[FRAMES / GOP + 1];
    picture_bounds(&s, bounds);
    AUTO(sink_free) struct sink sink = {0};
    AUTO(encoded_free) struct media_encoded done = {0};
    struct mux_config config;
    config_of(&s, bounds, FRAMES / GOP, &sink, &config);
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &done), 0);
    assert_string_equal(done.codecs, codecs);
    assert_int_equal(done.frames, FRAMES);
    assert_int_equal(done.segments.len, FRAMES / GOP);
    for (size_t i = 0; i < done.segments.len; i++) {
        assert_int_equal(done.segments.data[i].number, i + 1);
        assert_int_equal(done.segments.data[i].start, bounds[i]);
        assert_int_equal(done.segments.data[i].duration, bounds[i + 1] - bounds[i]);
        assert_int_equal(done.segments.data[i].bytes, sink.segments[i].len);
        assert_int_equal(done.segments.data[i].frames, GOP);
    }

    AUTO(rows_free) struct rows rows = {0};
    for (size_t i = 0; i < sink.count; i++) {
        read_segment(buf_view(&sink.segments[i]), &rows);
    }
    assert_int_equal(rows.items.len, FRAMES);
    AUTO(demuxed_free) struct demuxed back = {0};
    demux(&sink, &back);
    assert_int_equal(back.packets.len, FRAMES);
    assert_int_equal(back.stream->codecpar->codec_id, s.codec->codec_id);
    assert_int_equal(back.stream->time_base.den, PICTURE_TS);
    assert_int_equal(back.stream->sample_aspect_ratio.num, 4);
    assert_int_equal(back.stream->codecpar->color_primaries, AVCOL_PRI_BT709);
    for (size_t i = 0; i < FRAMES; i++) {
        const struct row *row = &rows.items.data[i];
        assert_int_equal(row->pts - config.lead, s.packets.data[i]->pts);
        assert_true(row->pts >= row->dts);
        assert_int_equal(row->dts, s.times[i]);
        assert_int_equal(row->duration, s.times[i + 1] - s.times[i]);
        assert_int_equal(row->is_sync, i % GOP == 0);
        const AVPacket *packet = back.packets.data[i];
        assert_int_equal(packet->pts, s.packets.data[i]->pts);
        assert_int_equal(packet->dts, s.times[i] - config.lead);
        assert_int_equal(packet->size, row->size);
        assert_int_equal(packet->flags & AV_PKT_FLAG_KEY, i % GOP == 0 ? 1 : 0);
    }

    // A chunk that begins in the middle gives the same bytes.
    AUTO(sink_free) struct sink part = {0};
    AUTO(encoded_free) struct media_encoded part_done = {0};
    config.boundaries = bounds + 1;
    config.segment_count = 2;
    config.first_segment = 2;
    config.user = &part;
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &part_done), 0);
    assert_int_equal(part.count, 2);
    assert_true(hash_eq(&part_done.init, &done.init));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(part.segments[i].len, sink.segments[i + 1].len);
        assert_memory_equal(part.segments[i].data, sink.segments[i + 1].data,
                            part.segments[i].len);
    }
}

static void h264_with_b_frames_is_exact(void **state)
{
    (void)state;
    check_picture("libx264", 0, "avc1.64000a");
}

static void h264_of_varying_rate_is_exact(void **state)
{
    (void)state;
    check_picture("libx264", JITTER, "avc1.64000a");
}

static void av1_is_exact(void **state)
{
    (void)state;
    check_picture("libsvtav1", 0, "av01.0.00M.08");
}

static void check_sound(const char *encoder, const char *codecs, int priming)
{
    AUTO(stream_free) struct stream s = {0};
    const int samples = 2 * SOUND_RATE + 4321;
    encode_sound(&s, encoder, samples);
    int64_t bounds[] = {0, 24000, 48000, 72000, 96000};
    AUTO(sink_free) struct sink sink = {0};
    AUTO(encoded_free) struct media_encoded done = {0};
    struct mux_config config;
    config_of(&s, bounds, 4, &sink, &config);
    assert_int_equal(config.lead, priming);
    assert_int_equal(mux_all(&s, &config, samples, &done), 0);
    assert_string_equal(done.codecs, codecs);
    assert_int_equal(done.segments.len, 4); // 4321 samples more are a runt
    int64_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        const struct media_segment *segment = &done.segments.data[i];
        assert_int_equal(segment->start, at);
        assert_true(llabs(at - bounds[i]) <= s.codec->frame_size / 2);
        at += segment->duration;
    }
    assert_int_equal(at, samples);

    AUTO(rows_free) struct rows rows = {0};
    for (size_t i = 0; i < sink.count; i++) {
        read_segment(buf_view(&sink.segments[i]), &rows);
    }
    AUTO(demuxed_free) struct demuxed back = {0};
    demux(&sink, &back);
    assert_int_equal(back.packets.len, done.frames);
    assert_int_equal(rows.items.len, done.frames);
    assert_int_equal(back.stream->codecpar->codec_id, s.codec->codec_id);
    int64_t end = -priming;
    for (size_t i = 0; i < back.packets.len; i++) {
        assert_int_equal(rows.items.data[i].pts - priming, end);
        assert_true(rows.items.data[i].is_sync);
        assert_int_equal(back.packets.data[i]->pts, end);
        assert_int_equal(back.packets.data[i]->size, rows.items.data[i].size);
        end += rows.items.data[i].duration;
    }
    assert_int_equal(end, samples);
}

static void aac_begins_behind_its_priming(void **state)
{
    (void)state;
    check_sound("aac", "mp4a.40.2", 1024);
}

static void opus_begins_behind_its_pre_skip(void **state)
{
    (void)state;
    check_sound("libopus", "opus", 312);
}

static void a_long_sound_is_cut_on(void **state)
{
    (void)state;
    AUTO(stream_free) struct stream s = {0};
    encode_sound(&s, "aac", 3 * SOUND_RATE);
    int64_t bounds[] = {0, 24000, 48000};
    AUTO(sink_free) struct sink sink = {0};
    AUTO(encoded_free) struct media_encoded done = {0};
    struct mux_config config;
    config_of(&s, bounds, 2, &sink, &config);
    assert_int_equal(mux_all(&s, &config, 3 * SOUND_RATE, &done), 0);
    assert_int_equal(done.segments.len, 6);
    int64_t total = 0;
    vec_for_each (segment, &done.segments) {
        total += segment->duration;
    }
    assert_int_equal(total, 3 * SOUND_RATE);
}

static void wrong_pictures_are_refused(void **state)
{
    (void)state;
    AUTO(stream_free) struct stream s = {0};
    encode_picture(&s, "libx264", 0);
    int64_t bounds[FRAMES / GOP + 1];
    picture_bounds(&s, bounds);
    struct mux_config config;
    AUTO(sink_free) struct sink sink = {0};
    AUTO(encoded_free) struct media_encoded done = {0};
    config_of(&s, bounds, FRAMES / GOP, &sink, &config);

    bounds[1] += TICKS; // no key frame there
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &done), ERR_CORRUPT);
    bounds[1] -= TICKS;
    bounds[FRAMES / GOP] -=
        2 * TICKS; // pictures behind the end are left out: a missing one
    sink.count = 0;
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &done), 0);
    encoded_free(&done);
    bounds[FRAMES / GOP] += 2 * TICKS;
    s.packets.data[5]->pts = s.packets.data[6]->pts; // a picture twice
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &done), ERR_CORRUPT);
    s.packets.data[GOP]->flags = 0;
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &done), ERR_CORRUPT);
    config.timescale = 90001; // times between its ticks
    assert_int_equal(mux_all(&s, &config, MUX_END_UNKNOWN, &done), ERR_CORRUPT);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    setenv("SVT_LOG", "0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_with_b_frames_is_exact),
        cmocka_unit_test(h264_of_varying_rate_is_exact),
        cmocka_unit_test(av1_is_exact),
        cmocka_unit_test(aac_begins_behind_its_priming),
        cmocka_unit_test(opus_begins_behind_its_pre_skip),
        cmocka_unit_test(a_long_sound_is_cut_on),
        cmocka_unit_test(wrong_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
