// SPDX-License-Identifier: GPL-3.0-or-later
//
// All sound of a film in one pass over the file: each stream has a decoder, a loudness meter
// (libebur128: EBU R 128, ITU-R BS.1770-4 with true peak by oversampling), and detectors that
// are state machines over samples. Time is counted in samples from the last time stamp that
// fitted, so that a stream's rounding never looks like a gap.
#include "media/audio.h"

#include "media/decode.h"
#include "media/wire.h"

#include <ebur128.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC            "mqaudio "
#define VERSION          1
#define MAX_CHANNELS     64
#define FULL_SCALE       0.99996f
#define CLIP_RUN         3 // samples at full scale in a row
#define CLIP_JOIN_MS     1000
#define SILENCE_PEAK     0.001f // -60 dBFS
#define SILENCE_MS       2000
#define GAP_TOLERANCE_MS 12
#define LONG_GAP_MS      1000
#define PEAKS_MAX        4000
#define PEAK_STEP_MS     20
#define FINDINGS_EACH    300 // a kind and stream
#define STALL_PACKETS    5000
#define CHUNK            4096

struct run {
    int64_t start, end; // samples since the stream's first, exclusive
    int64_t count;
};

struct track {
    int stream;
    const AVStream *av;
    AVCodecContext *codec;
    ebur128_state *meter;
    int rate, channels;
    bool started, changed, given_up;
    int64_t origin_pts; // of sample 0
    int64_t samples;    // decoded so far, gaps included
    int64_t frames, packets, packets_without_frame;
    float loudest;
    // clipping
    int64_t at_full[MAX_CHANNELS];
    struct run clip;
    VEC(struct run) clips;
    // silence
    int64_t silent_from; // -1 while there is sound
    VEC(struct run) silences;
    // errors, by sample
    VEC(struct run) errors;
    struct media_log log;
    VEC(struct run) gaps; // count: samples missing, negative where they overlap
    // waveform
    VEC(uint16_t) peaks; // permille
    int64_t peak_step;   // samples
    float peak;
    int64_t peak_fill;
};

struct pass {
    const struct media_source *source;
    struct media_file *file;
    VEC(struct track) tracks;
    AVFrame *frame;
    float *samples; // CHUNK × channels, interleaved
};

// --- samples as floats ----------------------------------------------------------------------------

static float sample_at(const AVFrame *f, int channels, int channel, int i)
{
    bool planar = av_sample_fmt_is_planar(f->format);
    const uint8_t *plane = f->extended_data[planar ? channel : 0];
    size_t at = planar ? (size_t)i : (size_t)i * (size_t)channels + (size_t)channel;
    switch ((int)av_get_packed_sample_fmt(f->format)) {
    case AV_SAMPLE_FMT_U8:
        return (float)(plane[at] - 128) / 128.0f;
    case AV_SAMPLE_FMT_S16:
        return (float)((const int16_t *)(const void *)plane)[at] / 32768.0f;
    case AV_SAMPLE_FMT_S32:
        return (float)((const int32_t *)(const void *)plane)[at] / 2147483648.0f;
    case AV_SAMPLE_FMT_S64:
        return (float)((const int64_t *)(const void *)plane)[at] / 9223372036854775808.0f;
    case AV_SAMPLE_FMT_FLT:
        return ((const float *)(const void *)plane)[at];
    case AV_SAMPLE_FMT_DBL:
        return (float)((const double *)(const void *)plane)[at];
    default:
        return 0;
    }
}

static void interleave(const AVFrame *f, int channels, int start, int n, float *ret)
{
    if (f->format == AV_SAMPLE_FMT_FLTP) {
        for (int c = 0; c < channels; c++) {
            const float *plane = (const float *)(const void *)f->extended_data[c] + start;
            for (int i = 0; i < n; i++) {
                ret[i * channels + c] = plane[i];
            }
        }
    } else {
        for (int i = 0; i < n; i++) {
            for (int c = 0; c < channels; c++) {
                ret[i * channels + c] = sample_at(f, channels, c, start + i);
            }
        }
    }
    for (int i = 0; i < n * channels; i++) {
        ret[i] = isfinite(ret[i]) ? ret[i] : 0;
    }
}

// --- detectors --------------------------------------------------------------------------------------

static int64_t ms_to_samples(const struct track *t, int64_t ms)
{
    return ms * t->rate / 1000;
}

static int push_peak(struct track *t)
{
    float permille = MIN(t->peak * 1000, 60000.0f);
    TRY(vec_push(&t->peaks, (uint16_t)lrintf(permille)));
    t->peak = 0;
    t->peak_fill = 0;
    if (t->peaks.len >= PEAKS_MAX) { // halve
        for (size_t i = 0; i < t->peaks.len / 2; i++) {
            t->peaks.data[i] = MAX(t->peaks.data[2 * i], t->peaks.data[2 * i + 1]);
        }
        t->peaks.len /= 2;
        t->peak_step *= 2;
    }
    return 0;
}

static int end_silence(struct track *t, int64_t at)
{
    if (t->silent_from >= 0 && at - t->silent_from >= ms_to_samples(t, SILENCE_MS)) {
        TRY(vec_push(&t->silences, (struct run){t->silent_from, at, 1}));
    }
    t->silent_from = -1;
    return 0;
}

static int note_clip(struct track *t, int64_t at)
{
    if (t->clip.count && at - t->clip.end > ms_to_samples(t, CLIP_JOIN_MS)) {
        TRY(vec_push(&t->clips, t->clip));
        t->clip.count = 0;
    }
    if (t->clip.count == 0) {
        t->clip.start = at - CLIP_RUN + 1;
    }
    t->clip.count++;
    t->clip.end = at + 1;
    return 0;
}

static int detect(struct track *t, const float *samples, int n)
{
    for (int i = 0; i < n; i++) {
        float loudest = 0;
        for (int c = 0; c < t->channels; c++) {
            float v = fabsf(samples[i * t->channels + c]);
            loudest = MAX(loudest, v);
            if (v < FULL_SCALE) {
                t->at_full[c] = 0;
            } else if (++t->at_full[c] == CLIP_RUN) {
                TRY(note_clip(t, t->samples + i));
            }
        }
        if (loudest >= SILENCE_PEAK) {
            TRY(end_silence(t, t->samples + i));
        } else if (t->silent_from < 0) {
            t->silent_from = t->samples + i;
        }
        t->peak = MAX(t->peak, loudest);
        t->loudest = MAX(t->loudest, loudest);
        if (++t->peak_fill >= t->peak_step) {
            TRY(push_peak(t));
        }
    }
    t->samples += n;
    return 0;
}

// --- decoding -----------------------------------------------------------------------------------------

static void map_channels(struct track *t, const AVFrame *f)
{
    static const struct {
        enum AVChannel av;
        int ebu;
    } map[] = {
        {AV_CHAN_FRONT_LEFT, EBUR128_LEFT},
        {AV_CHAN_FRONT_RIGHT, EBUR128_RIGHT},
        {AV_CHAN_FRONT_CENTER, EBUR128_CENTER},
        {AV_CHAN_LOW_FREQUENCY, EBUR128_UNUSED},
        {AV_CHAN_SIDE_LEFT, EBUR128_Mp090},
        {AV_CHAN_SIDE_RIGHT, EBUR128_Mm090},
        {AV_CHAN_BACK_LEFT, EBUR128_LEFT_SURROUND},
        {AV_CHAN_BACK_RIGHT, EBUR128_RIGHT_SURROUND},
        {AV_CHAN_BACK_CENTER, EBUR128_Mp180},
    };
    for (int c = 0; t->channels > 2 && c < t->channels; c++) {
        enum AVChannel is =
            av_channel_layout_channel_from_index(&f->ch_layout, (unsigned)c);
        for (size_t i = 0; i < ARRAY_LEN(map); i++) {
            if (map[i].av == is) {
                ebur128_set_channel(t->meter, (unsigned)c, map[i].ebu);
            }
        }
    }
}

static int start_track(struct track *t, const AVFrame *f)
{
    t->started = true;
    t->rate = f->sample_rate;
    t->channels = f->ch_layout.nb_channels;
    t->origin_pts = f->pts == AV_NOPTS_VALUE ? 0 : f->pts;
    t->peak_step = MAX(ms_to_samples(t, PEAK_STEP_MS), 1);
    t->meter = ebur128_init((unsigned)t->channels, (unsigned long)t->rate,
                            EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK);
    if (t->meter) {
        map_channels(t, f);
    }
    return 0;
}

// Time stamps against the count of samples.
static int check_time(struct track *t, const AVFrame *f)
{
    if (f->pts == AV_NOPTS_VALUE) {
        return 0;
    }
    int64_t at =
        av_rescale_q(f->pts - t->origin_pts, t->av->time_base, (AVRational){1, t->rate});
    int64_t off = at - t->samples;
    if (llabs(off) <= ms_to_samples(t, GAP_TOLERANCE_MS)) {
        return 0;
    }
    TRY(vec_push(&t->gaps, (struct run){MIN(t->samples, at), MAX(t->samples, at), off}));
    if (off > 0) {
        // What is missing is silence on the time line, and no sound in the measurement.
        t->samples = at;
    } else {
        t->origin_pts =
            f->pts - av_rescale_q(t->samples, (AVRational){1, t->rate}, t->av->time_base);
    }
    return 0;
}

static int take_frame(struct pass *p, struct track *t)
{
    const AVFrame *f = p->frame;
    if (!t->started && f->sample_rate > 0 && f->ch_layout.nb_channels > 0 &&
        f->ch_layout.nb_channels <= MAX_CHANNELS) {
        TRY(start_track(t, f));
    }
    if (f->sample_rate != t->rate || f->ch_layout.nb_channels != t->channels) {
        t->changed = true;
        return 0;
    }
    t->frames++;
    TRY(check_time(t, f));
    for (int at = 0; at < f->nb_samples; at += CHUNK) {
        int n = MIN(CHUNK, f->nb_samples - at);
        interleave(f, t->channels, at, n, p->samples);
        if (t->meter && ebur128_add_frames_float(t->meter, p->samples, (size_t)n) != 0) {
            FAIL(ERR_NOMEM, "loudness");
        }
        TRY(detect(t, p->samples, n));
    }
    return 0;
}

static int note_error(struct track *t)
{
    struct run *last = t->errors.len ? &t->errors.data[t->errors.len - 1] : NULL;
    if (last && t->samples - last->end <= MAX(t->rate, 1)) {
        last->end = t->samples;
        last->count++;
        return 0;
    }
    return vec_push(&t->errors, (struct run){t->samples, t->samples, 1});
}

static int decode(struct pass *p, struct track *t, const AVPacket *packet)
{
    int64_t errors = t->log.errors;
    struct media_log *before = media_log_enter(&t->log);
    int sent = avcodec_send_packet(t->codec, packet);
    int err = 0, got = 0;
    while (err == 0 && (got = avcodec_receive_frame(t->codec, p->frame)) >= 0) {
        t->packets_without_frame = 0;
        err = take_frame(p, t);
        av_frame_unref(p->frame);
    }
    media_log_leave(before);
    TRY(err);
    FAIL_IF(sent == AVERROR(ENOMEM) || got == AVERROR(ENOMEM), ERR_NOMEM,
            "decoding sound");
    bool failed = (sent < 0 && sent != AVERROR_EOF) ||
                  (got < 0 && got != AVERROR_EOF && got != AVERROR(EAGAIN));
    return failed || t->log.errors > errors ? note_error(t) : 0;
}

static int take_packet(struct pass *p, const AVPacket *packet)
{
    vec_for_each (t, &p->tracks) {
        if (t->stream != packet->stream_index || t->given_up) {
            continue;
        }
        t->packets++;
        t->given_up = ++t->packets_without_frame > STALL_PACKETS;
        return decode(p, t, packet);
    }
    return 0;
}

static int open_tracks(struct pass *p)
{
    for (unsigned i = 0; i < p->file->format->nb_streams; i++) {
        p->file->format->streams[i]->discard = AVDISCARD_ALL;
    }
    vec_for_each (s, &p->source->streams) {
        if (s->kind != MEDIA_AUDIO || (unsigned)s->index >= p->file->format->nb_streams) {
            continue;
        }
        struct track t = {.stream = s->index, .silent_from = -1};
        AVStream *av = p->file->format->streams[s->index];
        t.av = av;
        struct media_log *before = media_log_enter(&t.log);
        int err = media_decoder_open(av, &t.codec);
        media_log_leave(before);
        if (err == ERR_NOMEM) {
            return err;
        }
        if (err == 0) { // the others were refused at the probe
            av->discard = AVDISCARD_DEFAULT;
            int pushed = vec_push(&p->tracks, t);
            if (pushed < 0) {
                avcodec_free_context(&t.codec);
                return pushed;
            }
        }
    }
    return 0;
}

static int read_all(struct pass *p, media_progress_f *progress, void *user)
{
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    FAIL_IF(!packet, ERR_NOMEM, "a packet");
    for (int64_t n = 0; p->tracks.len; n++) {
        int got = media_file_read(p->file, packet);
        if (got == ERR_IO || got == ERR_NOMEM) {
            return got;
        }
        if (got <= 0) {
            break; // the probe told about a container that breaks off
        }
        int err = take_packet(p, packet);
        av_packet_unref(packet);
        TRY(err);
        if (progress && n % 256 == 0) {
            progress(user, p->file->position, p->file->input->size);
        }
    }
    vec_for_each (t, &p->tracks) {
        TRY(decode(p, t, NULL));
        TRY(end_silence(t, t->samples));
        if (t->clip.count) {
            TRY(vec_push(&t->clips, t->clip));
        }
        if (t->peak_fill) {
            TRY(push_peak(t));
        }
    }
    return 0;
}

// --- the result -----------------------------------------------------------------------------------

static int64_t pts_of(const struct track *t, int64_t sample)
{
    return t->started ? t->origin_pts + av_rescale_q(sample, (AVRational){1, t->rate},
                                                     t->av->time_base)
                      : FINDING_NONE;
}

static int add(const struct track *t, const char *kind, enum finding_severity severity,
               const struct run *at, json_t *evidence, struct findings *out)
{
    struct finding f = finding_about_file(kind, severity);
    f.stream = t->stream;
    f.time_base = (struct rational){t->av->time_base.num, t->av->time_base.den};
    if (at && t->started) {
        f.start_pts = pts_of(t, at->start);
        f.end_pts = pts_of(t, at->end);
    }
    f.evidence = evidence;
    return findings_add(out, &f);
}

static int64_t ms_of(const struct track *t, int64_t samples)
{
    return t->rate ? samples * 1000 / t->rate : 0;
}

static int judge_runs(const struct track *t, struct findings *out)
{
    for (size_t i = 0; i < MIN(t->gaps.len, FINDINGS_EACH); i++) {
        const struct run *r = &t->gaps.data[i];
        int64_t ms = ms_of(t, llabs(r->count));
        TRY(add(t, r->count > 0 ? "audio_gap" : "audio_overlap",
                ms > LONG_GAP_MS ? FINDING_ERROR : FINDING_WARNING, r,
                json_pack("{s:I}", "milliseconds", (json_int_t)ms), out));
    }
    bool all = t->silences.len == 1 && t->loudest < SILENCE_PEAK;
    for (size_t i = 0; i < MIN(t->silences.len, FINDINGS_EACH); i++) {
        const struct run *r = &t->silences.data[i];
        TRY(add(t, all ? "silent_stream" : "silence",
                all ? FINDING_WARNING : FINDING_INFO, r,
                json_pack("{s:I, s:i}", "milliseconds",
                          (json_int_t)ms_of(t, r->end - r->start), "below_dbfs", -60),
                out));
    }
    for (size_t i = 0; i < MIN(t->clips.len, FINDINGS_EACH); i++) {
        const struct run *r = &t->clips.data[i];
        TRY(add(t, "clipping", r->count >= 10 ? FINDING_WARNING : FINDING_INFO, r,
                json_pack("{s:I, s:i}", "runs", (json_int_t)r->count, "samples_each",
                          CLIP_RUN),
                out));
    }
    for (size_t i = 0; i < MIN(t->errors.len, FINDINGS_EACH); i++) {
        json_t *messages = NULL;
        TRY(media_log_to_json(&t->log, &messages));
        TRY(add(t, "audio_decode_error", FINDING_ERROR, &t->errors.data[i],
                json_pack("{s:I, s:o}", "packets", (json_int_t)t->errors.data[i].count,
                          "messages", messages),
                out));
    }
    return 0;
}

static int judge(const struct track *t, struct findings *out)
{
    TRY(judge_runs(t, out));
    if (t->changed) {
        TRY(add(t, "audio_changes", FINDING_ERROR, NULL,
                json_pack("{s:i, s:i}", "sample_rate", t->rate, "channels", t->channels),
                out));
    }
    if (t->frames == 0) {
        TRY(add(t, "audio_no_frames", FINDING_ERROR, NULL,
                json_pack("{s:I}", "packets", (json_int_t)t->packets), out));
    }
    return 0;
}

static double hundredths(double v)
{
    return round(v * 100) / 100;
}

static json_t *loudness_of(const struct track *t, struct findings *out, int *err)
{
    double integrated = 0, range = 0, peak = 0;
    *err = 0;
    if (!t->meter || ebur128_loudness_global(t->meter, &integrated) != 0 ||
        ebur128_loudness_range(t->meter, &range) != 0 || !isfinite(integrated) ||
        !isfinite(range)) {
        return json_null();
    }
    for (int c = 0; c < t->channels; c++) {
        double of = 0;
        if (ebur128_true_peak(t->meter, (unsigned)c, &of) == 0) {
            peak = MAX(peak, of);
        }
    }
    if (peak <= 0) {
        return json_null();
    }
    double dbtp = hundredths(20 * log10(peak));
    if (dbtp > 0) {
        *err = add(t, "true_peak", FINDING_INFO, NULL, json_pack("{s:f}", "dbtp", dbtp),
                   out);
    }
    return json_pack("{s:f, s:f, s:f}", "integrated_lufs", hundredths(integrated),
                     "true_peak_dbtp", dbtp, "range_lu", hundredths(range));
}

static int track_to_json(const struct track *t, struct findings *findings, json_t **ret)
{
    AUTO(json_free) json_t *peaks = json_array();
    vec_for_each (v, &t->peaks) {
        FAIL_IF(json_array_append_new(peaks, json_integer(*v)) != 0, ERR_NOMEM, "peaks");
    }
    int err = 0;
    json_t *loudness = loudness_of(t, findings, &err);
    TRY(err);
    int64_t step_us = t->rate ? t->peak_step * 1000000 / t->rate : 0;
    return json_made(json_pack("{s:i, s:o, s:O, s:I, s:I, s:I, s:I, s:[i,i]}", "stream",
                               t->stream, "loudness", loudness, "peaks", peaks, "step_us",
                               (json_int_t)step_us, "samples", (json_int_t)t->samples,
                               "start_pts", (json_int_t)(t->started ? pts_of(t, 0) : 0),
                               "end_pts",
                               (json_int_t)(t->started ? pts_of(t, t->samples) : 0),
                               "time_base", t->av->time_base.num, t->av->time_base.den),
                     ret);
}

static int write_result(const struct pass *p, struct buf *out)
{
    AUTO(findings_free) struct findings findings = {0};
    AUTO(json_free) json_t *tracks = json_array(), *list = NULL, *whole = NULL;
    vec_for_each (t, &p->tracks) {
        json_t *one = NULL;
        TRY(judge(t, &findings));
        TRY(track_to_json(t, &findings, &one));
        FAIL_IF(json_array_append_new(tracks, one) != 0, ERR_NOMEM, "sound");
    }
    TRY(findings_to_json(&findings, &list));
    TRY(json_made(json_pack("{s:O, s:O}", "tracks", tracks, "findings", list), &whole));
    AUTO(buf_free) struct buf text = {0};
    json_write_canonical(&text, whole);
    TRY(text.err);
    size_t start = out->len;
    wire_begin(out, MAGIC, VERSION);
    buf_add(out, text.data, text.len);
    return wire_end(out, start);
}

static void clear_pass(struct pass *p)
{
    vec_for_each (t, &p->tracks) {
        avcodec_free_context(&t->codec);
        if (t->meter) {
            ebur128_destroy(&t->meter);
        }
        vec_free(&t->clips);
        vec_free(&t->silences);
        vec_free(&t->errors);
        vec_free(&t->gaps);
        vec_free(&t->peaks);
    }
    vec_free(&p->tracks);
    av_frame_free(&p->frame);
    free(p->samples);
    media_file_free(&p->file);
}

int media_inspect_audio(const struct media_input *input,
                        const struct media_source *source, media_progress_f *progress,
                        void *user, struct buf *out)
{
    AUTO(clear_pass) struct pass p = {.source = source};
    p.frame = av_frame_alloc();
    p.samples = calloc(CHUNK * MAX_CHANNELS, sizeof *p.samples);
    FAIL_IF(!p.frame || !p.samples, ERR_NOMEM, "sound");
    TRY(media_file_open(input, &p.file));
    TRY(open_tracks(&p));
    TRY(read_all(&p, progress, user));
    return write_result(&p, out);
}

int media_audio_read(struct str bytes, json_t **ret)
{
    if (bytes.len == 0) { // a film without sound was never inspected for it
        return json_made(json_pack("{s:[], s:[]}", "tracks", "findings"), ret);
    }
    struct wire w;
    TRY(wire_open(bytes, MAGIC, VERSION, &w));
    AUTO(json_free) json_t *whole = NULL;
    TRY(json_parse(&whole, w.rest, 64u << 20));
    json_t *list = NULL;
    TRY(json_get_array(whole, "tracks", &list));
    TRY(json_get_array(whole, "findings", &list));
    *ret = TAKE(whole);
    return 0;
}
