// SPDX-License-Identifier: GPL-3.0-or-later
//
// One chunk × one group of rungs, on one thread:
//
//     pictures (decode, deinterlace, turn) ─▶ scaler ─┬─▶ encoder ─▶ segmenter ─▶ write
//                                             scaler ─┤      └─▶ verifier
//                                             …       └─▶ …
//
// The rungs are ordered from the largest down, and a small one is scaled from a larger one's
// picture where that is still at least twice its size (docs/adr/0022).
//
// Times: a picture is shown at (pts − origin) × time_base.num in ticks of 1 / time_base.den s, so
// variable frame rates come out as they went in.
//
// A rung whose pictures do not verify, in a way that a starved encoder explains as well as a fault
// (verify.h), is given up, the others go on, and it alone is coded again, coarser.
#include "media/encode.h"

#include "media/encoder.h"
#include "media/mux.h"
#include "media/picture.h"
#include "media/verify.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>

// Coded coarser from the start, a noisy film stays under a cap that would starve the encoder once
// the buffer is drained.
#define COARSER_STEP 5.0
#define PASSES       7
#define MAX_RUNGS    64

struct rung {
    const struct media_rendition *rendition;
    struct scaler *scaler;
    int scale_from; // rung whose picture is scaled; -1: the source
    AVCodecContext *encoder;
    struct verifier *verifier;
    struct mux *mux;
    AVFrame *picture; // of the frame at work
    bool given_up;    // to be coded again
};

struct job {
    const struct media_encode_config *config;
    const struct encode_faults *faults;
    bool is_last; // pass: nothing is given up
    struct pictures *pictures;
    struct rung *rungs;
    size_t rung_count;
    const size_t *todo;    // position in the configuration's renditions of each rung
    const double *coarser; // of each of these renditions
    size_t *order;         // rungs from the largest to the smallest
    int64_t *boundaries;   // of the chunk's segments, in ticks, and its end
    size_t segment_count;
    AVPacket *packet;
};

static void job_free(struct job *j)
{
    for (size_t i = 0; j->rungs && i < j->rung_count; i++) {
        struct rung *r = &j->rungs[i];
        av_frame_free(&r->picture);
        avcodec_free_context(&r->encoder);
        verifier_free(&r->verifier);
        mux_free(&r->mux);
        scaler_free(&r->scaler);
    }
    free(j->rungs);
    free(j->order);
    free(j->boundaries);
    av_packet_free(&j->packet);
    pictures_free(&j->pictures);
}

static int64_t ticks_at(const struct media_encode_config *c, int64_t frame)
{
    return (c->timeline->pts[frame] - c->plan->origin_pts) * c->timeline->time_base.num;
}

static int check_config(const struct media_encode_config *c)
{
    const struct media_chunk *k = &c->chunk;
    FAIL_IF(c->rendition_count == 0, ERR_INVALID, "nothing to encode");
    FAIL_IF(c->rendition_count > MAX_RUNGS, ERR_LIMIT, "more than %d rungs at once",
            MAX_RUNGS);
    FAIL_IF(c->timeline->count != c->plan->frames, ERR_CONFLICT,
            "the plan is for %lld frames, the film has %lld", (long long)c->plan->frames,
            (long long)c->timeline->count);
    FAIL_IF(k->first_segment < 0 || k->end_segment <= k->first_segment ||
                (size_t)k->end_segment >= c->plan->segments.len ||
                c->plan->segments.data[k->first_segment] != k->start_frame ||
                c->plan->segments.data[k->end_segment] != k->end_frame ||
                k->end_frame > c->timeline->count,
            ERR_INVALID, "a chunk that is not the plan's");
    for (size_t i = 0; i < c->rendition_count; i++) {
        int at = c->renditions[i];
        FAIL_IF(at < 0 || (size_t)at >= c->plan->renditions.len ||
                    c->plan->renditions.data[at].kind != MEDIA_RENDITION_VIDEO ||
                    c->plan->renditions.data[at].timescale != c->timeline->time_base.den,
                ERR_INVALID, "rendition %d is no picture of this film", at);
    }
    return 0;
}

static int find_boundaries(struct job *j)
{
    const struct media_encode_config *c = j->config;
    j->segment_count = (size_t)(c->chunk.end_segment - c->chunk.first_segment);
    j->boundaries = calloc(j->segment_count + 1, sizeof *j->boundaries);
    FAIL_IF(!j->boundaries, ERR_NOMEM, "a chunk");
    for (size_t i = 0; i <= j->segment_count; i++) {
        size_t segment = (size_t)c->chunk.first_segment + i;
        j->boundaries[i] = ticks_at(c, c->plan->segments.data[segment]);
    }
    return 0;
}

static int64_t pixels_of(const struct rung *r)
{
    return (int64_t)r->rendition->width * r->rendition->height;
}

static void order_rungs(struct job *j)
{
    for (size_t i = 0; i < j->rung_count; i++) {
        size_t at = i;
        for (; at > 0 && pixels_of(&j->rungs[j->order[at - 1]]) < pixels_of(&j->rungs[i]);
             at--) {
            j->order[at] = j->order[at - 1];
        }
        j->order[at] = i;
    }
    // The smallest picture that is still twice as large, or the very same size.
    for (size_t i = 0; i < j->rung_count; i++) {
        struct rung *r = &j->rungs[j->order[i]];
        r->scale_from = -1;
        for (size_t k = 0; k < i; k++) {
            const struct media_rendition *o = j->rungs[j->order[k]].rendition;
            bool same =
                o->width == r->rendition->width && o->height == r->rendition->height;
            bool twice = o->width >= 2 * r->rendition->width &&
                         o->height >= 2 * r->rendition->height;
            if (same || twice) {
                r->scale_from = (int)j->order[k];
            }
        }
    }
}

// The longest that two frames in a row are shown: how far x264's pyramid moves a picture from its
// display time to its decode time.
static int64_t reorder_span(const struct media_encode_config *c)
{
    const struct media_timeline *t = c->timeline;
    int64_t span = 0;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t end = t->pts[MIN(i + 2, t->count)];
        span = MAX(span, end - t->pts[i]);
    }
    return span * t->time_base.num;
}

static int open_mux(struct job *j, struct rung *r, int64_t span)
{
    AUTO(avcodec_parameters_free) AVCodecParameters *par = avcodec_parameters_alloc();
    FAIL_IF(!par || avcodec_parameters_from_context(par, r->encoder) < 0, ERR_NOMEM,
            "a segmenter");
    par->sample_aspect_ratio = (AVRational){r->rendition->sar.num, r->rendition->sar.den};
    const struct media_encode_config *c = j->config;
    struct mux_config mc = {
        .rendition = r->rendition->id,
        .kind = MEDIA_RENDITION_VIDEO,
        .codec = par,
        .language = r->rendition->language,
        .packet_time_base = r->encoder->time_base,
        .timescale = r->rendition->timescale,
        .first_segment = c->chunk.first_segment + 1,
        .boundaries = j->boundaries,
        .segment_count = j->segment_count,
        .lead = r->encoder->has_b_frames ? span : 0,
        .write = c->write,
        .user = c->user,
    };
    return mux_new(&r->mux, &mc);
}

static int open_rung(struct job *j, size_t at, int64_t span,
                     const struct scale_color *color)
{
    const struct media_encode_config *c = j->config;
    struct rung *r = &j->rungs[at];
    r->rendition = &c->plan->renditions.data[c->renditions[j->todo[at]]];
    TRY(scaler_new(&r->scaler, r->rendition->width, r->rendition->height, color));
    TRY(encoder_video_open(
        &(struct encoder_config){.rendition = r->rendition,
                                 .color = color,
                                 .frame_rate = encoder_frame_rate(c->report, c->timeline),
                                 .vbv_init = c->vbv_init,
                                 .coarser = j->coarser[j->todo[at]],
                                 // Stills shown for long are not reordered.
                                 .b_frames = span > c->timeline->time_base.den ? 0 : -1},
        &r->encoder));
    TRY(verifier_new(&r->verifier,
                     &(struct verify_config){.rendition = r->rendition->id,
                                             .encoder = r->encoder,
                                             .first_frame = c->chunk.start_frame,
                                             .floor_db = c->plan->psnr_floor_db}));
    return open_mux(j, r, span);
}

static int open_job(struct job *j, const struct media_input *input)
{
    const struct media_encode_config *c = j->config;
    const struct media_source *source = c->report->source;
    struct scale_color color;
    TRY(scale_color_of(&source->streams.data[source->video], &color));
    TRY(find_boundaries(j));
    j->rungs = calloc(j->rung_count, sizeof *j->rungs);
    j->order = calloc(j->rung_count, sizeof *j->order);
    j->packet = av_packet_alloc();
    FAIL_IF(!j->rungs || !j->order || !j->packet, ERR_NOMEM, "a chunk");
    int64_t span = reorder_span(c);
    for (size_t i = 0; i < j->rung_count; i++) {
        TRY(open_rung(j, i, span, &color));
    }
    order_rungs(j);
    return pictures_new(&j->pictures, input,
                        &(struct pictures_config){.report = c->report,
                                                  .timeline = c->timeline,
                                                  .chunk = c->chunk});
}

// --- the flow ------------------------------------------------------------------------------

// What the verifier said of a rung; gives it up where another pass may help.
static int heed(const struct job *j, struct rung *r, int err)
{
    r->given_up = err == ERR_CORRUPT && verifier_doubts(r->verifier) && !j->is_last;
    return r->given_up ? 0 : err;
}

// One packet to its verifier and its segment.
static int take_packet(struct job *j, size_t at)
{
    struct rung *r = &j->rungs[at];
    const struct encode_faults *f = j->faults;
    if (f && f->packet && f->packet(f->user, (int)at, j->packet)) {
        return 0; // lost
    }
    TRY(heed(j, r, verifier_packet(r->verifier, j->packet)));
    return r->given_up ? 0 : mux_packet(r->mux, j->packet);
}

// Takes what the encoder has ready.
static int take_packets(struct job *j, size_t at)
{
    struct rung *r = &j->rungs[at];
    while (!r->given_up) {
        int err = avcodec_receive_packet(r->encoder, j->packet);
        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF) {
            return 0;
        }
        FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "encoding");
        FAIL_IF(err < 0, ERR_INTERNAL, "%s: the encoder failed", r->rendition->id);
        err = take_packet(j, at);
        av_packet_unref(j->packet);
        TRY(err);
    }
    return 0;
}

static int encode_picture(struct job *j, size_t at, int64_t frame, bool starts_segment)
{
    struct rung *r = &j->rungs[at];
    r->picture->pts = ticks_at(j->config, frame);
    r->picture->pict_type = starts_segment ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    TRY(heed(j, r,
             verifier_source(r->verifier,
                             (struct verify_source){r->picture, starts_segment})));
    if (r->given_up) {
        return 0;
    }
    AUTO(av_frame_free) AVFrame *wrong = NULL;
    if (j->faults && j->faults->picture) {
        TRY(j->faults->picture(j->faults->user, (int)at, frame, r->picture, &wrong));
        if (wrong) {
            wrong->pts = r->picture->pts;
            wrong->pict_type = r->picture->pict_type;
        }
    }
    int err = avcodec_send_frame(r->encoder, wrong ? wrong : r->picture);
    FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "encoding");
    FAIL_IF(err < 0, ERR_INTERNAL, "%s: the encoder refused frame %lld", r->rendition->id,
            (long long)frame);
    return take_packets(j, at);
}

static int encode_frame(struct job *j, const AVFrame *source, int64_t frame,
                        bool starts_segment)
{
    for (size_t i = 0; i < j->rung_count; i++) {
        struct rung *r = &j->rungs[j->order[i]];
        const AVFrame *from =
            r->scale_from < 0 ? source : j->rungs[r->scale_from].picture;
        av_frame_free(&r->picture);
        TRY(scaler_run(r->scaler, from, &r->picture));
    }
    for (size_t i = 0; i < j->rung_count; i++) {
        TRY(j->rungs[i].given_up ? 0 : encode_picture(j, i, frame, starts_segment));
    }
    return 0;
}

static int encode_all(struct job *j)
{
    const struct media_encode_config *c = j->config;
    int64_t segment = c->chunk.first_segment;
    int64_t total = c->chunk.end_frame - c->chunk.start_frame;
    for (int64_t frame = c->chunk.start_frame; frame < c->chunk.end_frame; frame++) {
        AUTO(av_frame_free) AVFrame *source = NULL;
        TRY(pictures_next(j->pictures, &source));
        bool starts = frame == c->plan->segments.data[segment];
        segment += starts;
        TRY(encode_frame(j, source, frame, starts));
        if (c->progress) {
            c->progress(c->user, frame + 1 - c->chunk.start_frame, total);
        }
    }
    return 0;
}

static int finish_rung(struct job *j, size_t at, struct media_encoded *ret)
{
    struct rung *r = &j->rungs[at];
    int err = avcodec_send_frame(r->encoder, NULL);
    FAIL_IF(err < 0, ERR_INTERNAL, "%s: the encoder does not end", r->rendition->id);
    TRY(take_packets(j, at));
    if (r->given_up) {
        return 0;
    }
    TRY(mux_finish(r->mux, MUX_END_UNKNOWN, ret));
    int64_t published = ret->frames;
    TRY(heed(j, r, verifier_finish(r->verifier, ret)));
    if (r->given_up) {
        media_encoded_clear(ret);
        return 0;
    }
    int64_t planned = j->config->chunk.end_frame - j->config->chunk.start_frame;
    FAIL_IF(published != planned || ret->frames != planned, ERR_CORRUPT,
            "%s: %lld frames published, %lld verified, %lld planned", r->rendition->id,
            (long long)published, (long long)ret->frames, (long long)planned);
    memcpy(ret->rendition, r->rendition->id, sizeof ret->rendition);
    ret->vbv_init = j->config->vbv_init;
    return 0;
}

static int encode_pass(const struct media_input *input, struct job *j,
                       struct media_encoded *ret)
{
    TRY(open_job(j, input));
    TRY(encode_all(j));
    for (size_t i = 0; i < j->rung_count; i++) {
        TRY(j->rungs[i].given_up ? 0 : finish_rung(j, i, &ret[j->todo[i]]));
    }
    return 0;
}

static int encode_passes(const struct media_input *input,
                         const struct media_encode_config *config,
                         const struct encode_faults *faults, struct media_encoded *ret)
{
    double coarser[MAX_RUNGS] = {0};
    size_t todo[MAX_RUNGS], count = config->rendition_count;
    for (size_t i = 0; i < count; i++) {
        todo[i] = i;
    }
    for (int pass = 1; count > 0; pass++) {
        AUTO(job_free)
        struct job j = {.config = config,
                        .faults = faults,
                        .is_last = faults || pass == PASSES,
                        .rung_count = count,
                        .todo = todo,
                        .coarser = coarser};
        TRY(encode_pass(input, &j, ret));
        count = 0;
        for (size_t i = 0; i < j.rung_count; i++) {
            if (j.rungs[i].given_up) {
                coarser[todo[i]] += COARSER_STEP;
                todo[count++] = todo[i];
            }
        }
    }
    return 0;
}

int encode_video_with(const struct media_input *input,
                      const struct media_encode_config *config,
                      const struct encode_faults *faults, struct media_encoded *ret)
{
    TRY(check_config(config));
    int err = encode_passes(input, config, faults, ret);
    for (size_t i = 0; err < 0 && i < config->rendition_count; i++) {
        media_encoded_clear(&ret[i]);
    }
    return err;
}

int media_encode_video(const struct media_input *input,
                       const struct media_encode_config *config,
                       struct media_encoded *ret)
{
    return encode_video_with(input, config, NULL, ret);
}
