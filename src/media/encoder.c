// SPDX-License-Identifier: GPL-3.0-or-later
//
// VBV. The promise to viewers is the rendition's own bucket, which media_vbv_check proves over the
// whole film. Encoders get a smaller one, so that small trespasses of theirs stay within it, and a
// still smaller one the lower `vbv_init` is: asking for less at a chunk's start always makes the
// chunk cheaper, also where x264 would have refilled its bucket by then, and for SVT-AV1, which
// has no bucket but a capped rate.
#include "media/encoder.h"

#include "media/codec_config.h"
#include "media/input.h"

#include <errno.h>
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <linux/capability.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LARGE_PIXELS 1500000
#define MAX_SAR      4096 // libx264 of libavcodec takes no more in the stream
// x264 164 decides with AVX-512 on what lay in memory before, wherever a row of macroblocks is no
// multiple of 16 (mbtree): two runs differ. With AVX2 it gives the bytes of plain C.
#define X264_ASM "asm=AVX2"

AVRational encoder_frame_rate(const struct media_report *r,
                              const struct media_timeline *t)
{
    const struct media_stream *s = &r->source->streams.data[r->source->video];
    AVRational measured = {25, 1};
    int64_t ticks = t->pts[t->count] - t->pts[0];
    av_reduce(&measured.num, &measured.den, t->count * t->time_base.den,
              MAX(ticks * t->time_base.num, 1), 100000);
    double said = s->frame_rate.num > 0 && s->frame_rate.den > 0
                      ? (double)s->frame_rate.num / s->frame_rate.den
                      : 0;
    double is = av_q2d(measured);
    if (said > 0 && fabs(said - is) <= is / 100) {
        return (AVRational){s->frame_rate.num, s->frame_rate.den};
    }
    return measured.num > 0 && measured.den > 0 ? measured : (AVRational){1, 1};
}

// How much of the bucket and the rate an encoder is told of.
static double tightened(double vbv_init)
{
    return vbv_init >= 0.5 ? 0.96 : 0.96 - (0.5 - vbv_init);
}

static int set_common(AVCodecContext *c, const struct encoder_config *config)
{
    const struct media_rendition *r = config->rendition;
    c->width = r->width;
    c->height = r->height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    int sar_num = MAX(r->sar.num, 1), sar_den = MAX(r->sar.den, 1);
    av_reduce(&c->sample_aspect_ratio.num, &c->sample_aspect_ratio.den, sar_num, sar_den,
              MAX_SAR);
    c->time_base = (AVRational){1, (int)r->timescale};
    c->framerate = config->frame_rate;
    c->color_primaries = config->color->primaries;
    c->color_trc = config->color->transfer;
    c->colorspace = config->color->matrix;
    c->color_range = AVCOL_RANGE_MPEG;
    c->chroma_sample_location = AVCHROMA_LOC_LEFT;
    c->flags |= (int)(AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP |
                      AV_CODEC_FLAG_BITEXACT);
    c->thread_count = 1;
    double tight = tightened(config->vbv_init);
    int64_t rate = (int64_t)((double)r->max_bps * tight);
    int64_t bucket = (int64_t)((double)r->buffer_bits * tight);
    FAIL_IF(rate > INT32_MAX || bucket > INT32_MAX, ERR_LIMIT, "%s: a rate of %lld b/s",
            r->id, (long long)r->max_bps);
    c->rc_max_rate = rate;
    c->rc_buffer_size = (int)bucket;
    c->rc_initial_buffer_occupancy =
        (int)CLAMP((double)bucket * config->vbv_init, 1, (double)bucket);
    return 0;
}

static int set_option(AVCodecContext *c, const char *name, const char *value)
{
    int err = av_opt_set(c->priv_data, name, value, 0);
    FAIL_IF(err < 0, ERR_INTERNAL, "%s does not take %s = %s", c->codec->name, name,
            value);
    return 0;
}

static int set_x264(AVCodecContext *c, const struct encoder_config *config)
{
    // x264's own words: infinite; key pictures come where segments begin, and at scene cuts.
    c->gop_size = 1 << 30;
    c->thread_type = FF_THREAD_FRAME; // never slices
    c->max_b_frames = config->b_frames;
    TRY(set_option(c, "preset", config->rendition->preset));
    TRY(set_option(c, "forced-idr", "1"));
    double crf = MIN(config->rendition->crf + config->coarser, 51.0);
    // stitchable: the parameter sets do not depend on the crf, so chunks may differ in it.
    bool avx512 = av_get_cpu_flags() & AV_CPU_FLAG_AVX512;
    TRY(set_option(c, "x264-params",
                   avx512 ? "stitchable=1:sync-lookahead=0:lookahead-threads=1:" X264_ASM
                          : "stitchable=1:sync-lookahead=0:lookahead-threads=1"));
    int err = av_opt_set_double(c->priv_data, "crf", crf, 0);
    FAIL_IF(err < 0, ERR_INTERNAL, "a crf of %g", crf);
    return 0;
}

static int set_svt(AVCodecContext *c, const struct encoder_config *config)
{
    // A capped rate is no bucket: a chunk that must begin with less is coded coarser as well.
    double coarser = config->vbv_init >= 0.5 ? 0 : (0.5 - config->vbv_init) * 30;
    int64_t crf =
        CLAMP((int64_t)lround(config->rendition->crf + coarser + config->coarser), 1, 63);
    TRY(set_option(c, "preset", config->rendition->preset));
    FAIL_IF(av_opt_set_int(c->priv_data, "crf", crf, 0) < 0, ERR_INTERNAL,
            "a crf of %lld", (long long)crf);
    c->gop_size = 1 << 20;
    // Short mini-GOPs where a process would take 700 MB otherwise (ADR 21).
    bool large = c->width * c->height > LARGE_PIXELS;
    return set_option(c, "svtav1-params",
                      large ? "lp=1:enable-force-key-frames=1:irefresh-type=2:scd=0:"
                              "hierarchical-levels=3"
                            : "lp=1:enable-force-key-frames=1:irefresh-type=2:scd=0");
}

// SVT-AV1 gives its threads real-time priority where it may (root), which starves the whole machine. Its
// threads come into being while it is opened: for so long, this thread may not.
// As avcodec_open2.
static int open_modestly(AVCodecContext *c, const AVCodec *codec)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct had[2], less[2];
    if (syscall(SYS_capget, &head, had) != 0) {
        return AVERROR(errno);
    }
    memcpy(less, had, sizeof less);
    less[CAP_TO_INDEX(CAP_SYS_NICE)].effective &= ~CAP_TO_MASK(CAP_SYS_NICE);
    if (syscall(SYS_capset, &head, less) != 0) {
        return AVERROR(errno);
    }
    int err = avcodec_open2(c, codec, NULL);
    if (syscall(SYS_capset, &head, had) != 0) {
        return AVERROR(errno);
    }
    return err;
}

// x264 derives the level from the rate that it is told of. A chunk that is told of less, to keep the
// bucket, must not get another level, and so another initialisation segment, than its siblings.
static int keep_level(AVCodecContext *c, const AVCodec *codec,
                      const struct encoder_config *config)
{
    struct encoder_config sibling = *config;
    sibling.vbv_init = 1;
    if (tightened(config->vbv_init) == tightened(sibling.vbv_init)) {
        return 0;
    }
    AUTO(avcodec_free_context) AVCodecContext *other = avcodec_alloc_context3(codec);
    AUTO(avcodec_parameters_free) AVCodecParameters *par = avcodec_parameters_alloc();
    AUTO(codec_config_clear) struct codec_config known = {0};
    FAIL_IF(!other || !par, ERR_NOMEM, "an encoder");
    TRY(set_common(other, &sibling));
    TRY(set_x264(other, &sibling));
    int err = avcodec_open2(other, codec, NULL);
    err = err < 0 ? err : avcodec_parameters_from_context(par, other);
    if (err < 0) {
        return media_av_fail(err, config->rendition->id);
    }
    TRY(codec_config_read(par, &known));
    c->level = (uint8_t)known.record.data[3]; // AVCLevelIndication of avcC
    return 0;
}

int encoder_video_open(const struct encoder_config *config, AVCodecContext **ret)
{
    bool av1 = strcmp(config->rendition->codec, "av1") == 0;
    const AVCodec *codec = avcodec_find_encoder_by_name(av1 ? "libsvtav1" : "libx264");
    FAIL_IF(!codec, ERR_UNSUPPORTED, "libavcodec has no encoder for %s",
            config->rendition->codec);
    AUTO(avcodec_free_context) AVCodecContext *c = avcodec_alloc_context3(codec);
    FAIL_IF(!c, ERR_NOMEM, "an encoder");
    TRY(set_common(c, config));
    // It prints its settings on stderr otherwise, and libavcodec has no switch for that.
    FAIL_IF(av1 && setenv("SVT_LOG", "0", 0) != 0, ERR_NOMEM, "an encoder");
    TRY(av1 ? set_svt(c, config) : set_x264(c, config));
    TRY(av1 ? 0 : keep_level(c, codec, config));
    int err = av1 ? open_modestly(c, codec) : avcodec_open2(c, codec, NULL);
    if (err < 0) {
        return media_av_fail(err, config->rendition->id);
    }
    *ret = TAKE(c);
    return 0;
}

int encoder_audio_open(const struct media_rendition *r, AVCodecContext **ret)
{
    bool opus = strcmp(r->codec, "opus") == 0;
    const AVCodec *codec = avcodec_find_encoder_by_name(opus ? "libopus" : "aac");
    FAIL_IF(!codec, ERR_UNSUPPORTED, "libavcodec has no encoder for %s", r->codec);
    AUTO(avcodec_free_context) AVCodecContext *c = avcodec_alloc_context3(codec);
    FAIL_IF(!c, ERR_NOMEM, "an encoder");
    c->sample_rate = r->sample_rate;
    c->sample_fmt = opus ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP;
    c->bit_rate = r->bps;
    c->time_base = (AVRational){1, r->sample_rate};
    c->thread_count = 1;
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    av_channel_layout_default(&c->ch_layout, r->channels);
    int err = avcodec_open2(c, codec, NULL);
    if (err < 0) {
        return media_av_fail(err, r->id);
    }
    *ret = TAKE(c);
    return 0;
}
