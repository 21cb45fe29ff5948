// SPDX-License-Identifier: GPL-3.0-or-later
//
// One sound, whole: decoded once, at 48 kHz with two channels at most, and at all rates.
//
//     reader ─▶ resampler ─▶ lane (time line of samples) ─▶ blocks ─┬─▶ encoder ─▶ segmenter
//                                                                    └─▶ …
//
// The lane begins at the picture's first frame. What lies before is cut off, a gap becomes silence,
// an overlap is dropped; time stamps that only tremble (less than `TOLERANCE`) are left alone, so
// that no sample is lost to rounding. Silence goes on to the picture's end where the sound is
// shorter; a sound that is longer is kept. Encoders run on without a seam; their priming is
// taken away by an edit list (mux.h).
#include "media/media.h"

#include "media/decode.h"
#include "media/encoder.h"
#include "media/mux.h"

#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>
#include <string.h>

#define RATE      48000
#define TOLERANCE (RATE / 25) // 40 ms: within it lip-sync is not in danger
#define MAX_BEHIND \
    (60 * RATE) // a frame that far behind the end of the picture has a broken time,
#define MAX_OVERLAP (10 * RATE) // and so has one that goes back that far
#define BLOCK       960

struct voice { // one rate
    const struct media_rendition *rendition;
    AVCodecContext *encoder;
    struct mux *mux;
    AVFrame *frame; // of the encoder's size, being filled
    int filled;     // samples
    int64_t at;     // samples encoded so far
};

struct sound {
    const struct media_encode_config *config;
    int channels;
    struct media_reader *reader;
    SwrContext *swr;
    // what swr was made for
    AVChannelLayout layout;
    int rate, format;
    struct voice *voices;
    size_t voice_count;
    int64_t *boundaries; // of all segments, in samples
    int64_t position; // samples given to the voices so far: time 0 is the first picture
    int64_t skip;     // samples yet to be dropped of what the resampler gives
    int64_t picture_end; // in samples
    AVPacket *packet;
    float *samples; // interleaved, as swr gave them
    size_t samples_cap;
};

static void sound_free(struct sound *s)
{
    for (size_t i = 0; s->voices && i < s->voice_count; i++) {
        avcodec_free_context(&s->voices[i].encoder);
        mux_free(&s->voices[i].mux);
        av_frame_free(&s->voices[i].frame);
    }
    free(s->voices);
    free(s->boundaries);
    free(s->samples);
    av_packet_free(&s->packet);
    av_channel_layout_uninit(&s->layout);
    swr_free(&s->swr);
    media_reader_free(&s->reader);
}

// --- opening -------------------------------------------------------------------------------

static int64_t samples_at(const struct media_encode_config *c, int64_t pts)
{
    AVRational tb = {c->timeline->time_base.num, c->timeline->time_base.den};
    return av_rescale_q(pts - c->plan->origin_pts, tb, (AVRational){1, RATE});
}

static int find_boundaries(struct sound *s)
{
    const struct media_plan *p = s->config->plan;
    s->boundaries = calloc(p->segments.len, sizeof *s->boundaries);
    FAIL_IF(!s->boundaries, ERR_NOMEM, "a sound");
    for (size_t i = 0; i < p->segments.len; i++) {
        s->boundaries[i] =
            samples_at(s->config, s->config->timeline->pts[p->segments.data[i]]);
    }
    s->picture_end = s->boundaries[p->segments.len - 1];
    return 0;
}

static int open_mux(struct sound *s, struct voice *v)
{
    AUTO(avcodec_parameters_free) AVCodecParameters *par = avcodec_parameters_alloc();
    FAIL_IF(!par || avcodec_parameters_from_context(par, v->encoder) < 0, ERR_NOMEM,
            "a segmenter");
    const struct media_encode_config *c = s->config;
    struct mux_config mc = {
        .rendition = v->rendition->id,
        .kind = MEDIA_RENDITION_AUDIO,
        .codec = par,
        .language = v->rendition->language,
        .packet_time_base = {1, RATE},
        .timescale = RATE,
        .first_segment = 1,
        .boundaries = s->boundaries,
        .segment_count = c->plan->segments.len - 1,
        .lead = v->encoder->initial_padding,
        .write = c->write,
        .user = c->user,
    };
    return mux_new(&v->mux, &mc);
}

static int open_voice(struct sound *s, size_t at)
{
    struct voice *v = &s->voices[at];
    v->rendition = &s->config->plan->renditions.data[s->config->renditions[at]];
    TRY(encoder_audio_open(v->rendition, &v->encoder));
    v->frame = av_frame_alloc();
    FAIL_IF(!v->frame, ERR_NOMEM, "a sound");
    v->frame->format = v->encoder->sample_fmt;
    v->frame->sample_rate = RATE;
    v->frame->nb_samples = v->encoder->frame_size > 0 ? v->encoder->frame_size : BLOCK;
    FAIL_IF(av_channel_layout_copy(&v->frame->ch_layout, &v->encoder->ch_layout) < 0 ||
                av_frame_get_buffer(v->frame, 0) < 0,
            ERR_NOMEM, "a sound");
    return open_mux(s, v);
}

static int check_config(const struct media_encode_config *c)
{
    FAIL_IF(c->rendition_count == 0, ERR_INVALID, "nothing to encode");
    for (size_t i = 0; i < c->rendition_count; i++) {
        int at = c->renditions[i];
        FAIL_IF(at < 0 || (size_t)at >= c->plan->renditions.len, ERR_INVALID,
                "no rendition %d", at);
        const struct media_rendition *r = &c->plan->renditions.data[at];
        const struct media_rendition *first = &c->plan->renditions.data[c->renditions[0]];
        FAIL_IF(r->kind != MEDIA_RENDITION_AUDIO || r->sample_rate != RATE ||
                    r->timescale != RATE || r->channels < 1 || r->channels > 2 ||
                    r->channels != first->channels || r->stream != first->stream,
                ERR_INVALID, "%s does not go with %s", r->id, first->id);
    }
    return 0;
}

static int open_sound(struct sound *s, const struct media_input *input)
{
    const struct media_encode_config *c = s->config;
    const struct media_rendition *first = &c->plan->renditions.data[c->renditions[0]];
    s->channels = first->channels;
    s->packet = av_packet_alloc();
    s->voice_count = c->rendition_count;
    s->voices = calloc(s->voice_count, sizeof *s->voices);
    FAIL_IF(!s->voices || !s->packet, ERR_NOMEM, "a sound");
    TRY(find_boundaries(s));
    for (size_t i = 0; i < s->voice_count; i++) {
        TRY(open_voice(s, i));
    }
    return media_reader_new(
        input,
        &(struct media_reader_config){
            .stream = first->stream, .timeline = NULL, .start_rap = -1, .end_rap = -1},
        &s->reader);
}

// --- encoding ------------------------------------------------------------------------------

static int take_packets(struct sound *s, struct voice *v)
{
    for (;;) {
        int err = avcodec_receive_packet(v->encoder, s->packet);
        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF) {
            return 0;
        }
        FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "encoding");
        FAIL_IF(err < 0, ERR_INTERNAL, "%s: the encoder failed", v->rendition->id);
        if (s->packet->duration <= 0 || s->packet->duration > v->frame->nb_samples) {
            s->packet->duration = v->frame->nb_samples;
        }
        err = mux_packet(v->mux, s->packet);
        av_packet_unref(s->packet);
        TRY(err);
    }
}

static int send_block(struct sound *s, struct voice *v, int samples)
{
    AUTO(av_frame_free) AVFrame *f = av_frame_clone(v->frame);
    FAIL_IF(!f, ERR_NOMEM, "encoding");
    f->pts = v->at;
    f->nb_samples = samples;
    v->at += samples;
    v->filled = 0;
    int err = avcodec_send_frame(v->encoder, f);
    FAIL_IF(err < 0, ERR_INTERNAL, "%s: the encoder refused a block", v->rendition->id);
    av_frame_free(&f);
    TRY(take_packets(s, v));
    return av_frame_make_writable(v->frame) < 0 ? ERR_NOMEM : 0;
}

// `from`: interleaved; NULL: silence.
static void fill_block(struct sound *s, struct voice *v, const float *from, int count)
{
    if (v->frame->format == AV_SAMPLE_FMT_FLT) {
        float *to = (float *)(void *)v->frame->data[0] + v->filled * s->channels;
        size_t bytes = (size_t)(count * s->channels) * sizeof *to;
        from ? memcpy(to, from, bytes) : memset(to, 0, bytes);
        return;
    }
    for (int c = 0; c < s->channels; c++) {
        float *to = (float *)(void *)v->frame->data[c] + v->filled;
        for (int i = 0; i < count; i++) {
            to[i] = from ? from[i * s->channels + c] : 0;
        }
    }
}

static int give_voice(struct sound *s, struct voice *v, const float *from, int64_t count)
{
    while (count > 0) {
        int n = (int)MIN(count, v->frame->nb_samples - v->filled);
        fill_block(s, v, from, n);
        v->filled += n;
        count -= n;
        from = from ? from + n * s->channels : NULL;
        if (v->filled == v->frame->nb_samples) {
            TRY(send_block(s, v, v->filled));
        }
    }
    return 0;
}

static int give(struct sound *s, const float *from, int64_t count)
{
    for (size_t i = 0; i < s->voice_count; i++) {
        TRY(give_voice(s, &s->voices[i], from, count));
    }
    s->position += count;
    return 0;
}

// --- resampling ----------------------------------------------------------------------------

static int grow_samples(struct sound *s, size_t count)
{
    size_t need = count * (size_t)s->channels;
    if (need > s->samples_cap) {
        float *bigger = realloc(s->samples, need * sizeof *bigger);
        FAIL_IF(!bigger, ERR_NOMEM, "a sound");
        s->samples = bigger;
        s->samples_cap = need;
    }
    return 0;
}

// `f` NULL: what the resampler still holds.
static int resample(struct sound *s, const AVFrame *f, int64_t *ret_count)
{
    int limit = swr_get_out_samples(s->swr, f ? f->nb_samples : 0);
    FAIL_IF(limit < 0, ERR_INTERNAL, "the resampler failed");
    TRY(grow_samples(s, (size_t)limit + 1));
    uint8_t *to = (uint8_t *)s->samples;
    int got =
        swr_convert(s->swr, &to, limit, f ? (const uint8_t **)f->extended_data : NULL,
                    f ? f->nb_samples : 0);
    FAIL_IF(got < 0, ERR_INTERNAL, "the resampler failed");
    *ret_count = got;
    return 0;
}

static int open_swr(struct sound *s, const AVFrame *f)
{
    AVChannelLayout to = {0}, from = {0};
    av_channel_layout_default(&to, s->channels);
    if (f->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
        av_channel_layout_default(&from, f->ch_layout.nb_channels);
    } else if (av_channel_layout_copy(&from, &f->ch_layout) < 0) {
        return ERR_NOMEM;
    }
    swr_free(&s->swr);
    int err = swr_alloc_set_opts2(&s->swr, &to, AV_SAMPLE_FMT_FLT, RATE, &from, f->format,
                                  f->sample_rate, 0, NULL);
    err = err < 0 ? err : swr_init(s->swr);
    av_channel_layout_uninit(&from);
    FAIL_IF(err < 0, ERR_UNSUPPORTED, "cannot convert sound of %d channels at %d Hz",
            f->ch_layout.nb_channels, f->sample_rate);
    av_channel_layout_uninit(&s->layout);
    FAIL_IF(av_channel_layout_copy(&s->layout, &f->ch_layout) < 0, ERR_NOMEM, "a sound");
    s->rate = f->sample_rate;
    s->format = f->format;
    return 0;
}

// Gives what the resampler gave, but for what is to be skipped.
static int give_resampled(struct sound *s, int64_t count)
{
    int64_t skip = MIN(s->skip, count);
    s->skip -= skip;
    return give(s, s->samples + skip * s->channels, count - skip);
}

static int flush_swr(struct sound *s)
{
    int64_t count = 0;
    if (s->swr) {
        TRY(resample(s, NULL, &count));
        TRY(give_resampled(s, count));
        swr_free(&s->swr);
    }
    s->skip = 0;
    return 0;
}

// --- the lane ------------------------------------------------------------------------------

// Samples from the first picture to the frame; what the resampler holds counts as given.
static int64_t frame_position(const struct sound *s, const AVFrame *f)
{
    const AVStream *st = media_reader_stream(s->reader);
    AVRational tb = {s->config->timeline->time_base.num,
                     s->config->timeline->time_base.den};
    AVRational rate = {1, RATE};
    return av_rescale_q(f->pts, st->time_base, rate) -
           av_rescale_q(s->config->plan->origin_pts, tb, rate);
}

static int64_t expected_position(const struct sound *s)
{
    return s->position + (s->swr ? swr_get_delay(s->swr, RATE) : 0) - s->skip;
}

// Where the frame lies ahead of (or, negative, behind) the sound so far. 0 for frames without a
// time, or with one that cannot be: they follow the one before.
static int64_t offset_of(const struct sound *s, const AVFrame *f)
{
    if (f->pts == AV_NOPTS_VALUE) {
        return 0;
    }
    int64_t at = frame_position(s, f), off = at - expected_position(s);
    bool first = s->position == 0 && !s->swr;
    bool broken = (off > TOLERANCE && at > s->picture_end + MAX_BEHIND) ||
                  (off < -MAX_OVERLAP && !first);
    // The very first sample is placed exactly: there is nothing before it to stay joined to.
    int64_t tolerance = first ? 0 : TOLERANCE;
    return broken || llabs(off) <= tolerance ? 0 : off;
}

// *ret_heard: false when all of the frame was heard already, or lies before the picture.
static int align(struct sound *s, const AVFrame *f, bool *ret_heard)
{
    int64_t off = offset_of(s, f);
    *ret_heard = true;
    if (off < 0) {
        *ret_heard = -off < av_rescale(f->nb_samples, RATE, f->sample_rate);
        s->skip += *ret_heard ? -off : 0;
    }
    if (off <= 0) {
        return 0;
    }
    TRY(flush_swr(s));
    return give(s, NULL, MAX(frame_position(s, f) - s->position, 0));
}

static int take_frame(struct sound *s, const AVFrame *f)
{
    FAIL_IF(f->sample_rate <= 0 || f->nb_samples < 0, ERR_CORRUPT, "sound at %d Hz",
            f->sample_rate);
    bool same = s->swr && s->rate == f->sample_rate && s->format == f->format &&
                av_channel_layout_compare(&s->layout, &f->ch_layout) == 0;
    if (s->swr && !same) {
        TRY(flush_swr(s));
    }
    bool heard = false;
    int64_t count = 0;
    TRY(align(s, f, &heard));
    if (!heard) {
        return 0;
    }
    if (!s->swr) {
        TRY(open_swr(s, f));
    }
    TRY(resample(s, f, &count));
    return give_resampled(s, count);
}

static int finish_voice(struct sound *s, size_t at, struct media_encoded *ret)
{
    struct voice *v = &s->voices[at];
    if (v->filled > 0) {
        // libopus wants whole blocks; the rest is silence behind the end.
        int missing = v->frame->nb_samples - v->filled;
        fill_block(s, v, NULL, missing);
        TRY(send_block(s, v, v->frame->nb_samples));
    }
    FAIL_IF(avcodec_send_frame(v->encoder, NULL) < 0, ERR_INTERNAL,
            "%s: the encoder does not end", v->rendition->id);
    TRY(take_packets(s, v));
    TRY(mux_finish(v->mux, s->position, ret));
    memcpy(ret->rendition, v->rendition->id, sizeof ret->rendition);
    return 0;
}

static int read_all(struct sound *s, int64_t bytes)
{
    const struct media_encode_config *c = s->config;
    for (;;) {
        AVFrame *f = NULL;
        int64_t index = 0;
        int got = media_reader_next(s->reader, &f, &index);
        TRY(got);
        if (got == 0) {
            break;
        }
        TRY(take_frame(s, f));
        if (c->progress && index % 64 == 0) {
            c->progress(c->user, MIN(media_reader_position(s->reader), bytes), bytes);
        }
    }
    TRY(flush_swr(s));
    return give(s, NULL, MAX(s->picture_end - s->position, 0));
}

int media_encode_audio(const struct media_input *input,
                       const struct media_encode_config *config,
                       struct media_encoded *ret)
{
    TRY(check_config(config));
    AUTO(sound_free) struct sound s = {.config = config};
    TRY(open_sound(&s, input));
    TRY(read_all(&s, input->size));
    for (size_t i = 0; i < s.voice_count; i++) {
        int err = finish_voice(&s, i, &ret[i]);
        if (err < 0) {
            for (size_t k = 0; k <= i; k++) {
                media_encoded_clear(&ret[k]);
            }
            return err;
        }
    }
    return 0;
}
