// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is wrong with a picture is decided by three comparisons.
//
// 1. PSNR of each plane against its source, over a floor. A starved encoder (noise at a capped
//    rate) may fall below it and still be right, so a picture under the floor passes when its
//    error is about what the means of 16×16 blocks alone would leave, or twice that, where noise
//    was predicted from noise: any encoder keeps the means, and no other picture does.
// 2. Against the sources around it. With G what came out, S its source, O another,
//
//        way = ⟨G − S, O − S⟩ ÷ |O − S|² = (|G − S|² − |G − O|² + |O − S|²) ÷ 2|O − S|²
//
//    says how far from S towards O the picture went, whatever else coding did to it: right pictures
//    of films were seen at up to 0.53 (skipped blocks), most at 0.03, displaced ones are their
//    mirror image. The next sources are compared sample by sample, those farther away by the means
//    of cells, in which slow motion adds up and noise does not. Where the quantiser is so coarse
//    that encoders drop what does not fit (each packet says how coarse), pictures may be those
//    beside them, and nothing can be told. Sources that are alike to 37 dB, or to what the
//    quantiser does not see, are not told apart.
// 3. Time stamps and counts, which are exact, so that a displaced still picture is found as well
//    when its packet moved.
#include "media/verify.h"

#include "media/cells.h"
#include "media/input.h"
#include "media/sse.h"

#include <libavcodec/avcodec.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STARVED_FACTOR 2.2
#define DISPLACED_WAY  0.6
#define APART_LEAST    12.0 // squared grey levels between two sources,
#define APART_STEPS    0.25 // or this share of the quantiser's step, squared
#define CELLS_APART    4.0  // the same of means
#define CELLS_STEPS    0.2
#define COARSE_QP      40.0 // a step of 64 grey levels
#define REACH          8    // pictures on each side that are compared
#define PSNR_MAX_DB    100.0

struct source {
    AVFrame *picture;
    bool starts_segment;
    double qp; // of the packet, on the scale of H.264
    struct cells cells;
};

struct verifier {
    char rendition[24];
    double floor_db;
    sse_f *sse;
    AVCodecContext *decoder;
    VEC(struct source)
    past; // checked last, at most REACH; only the very last has its picture
    VEC(struct source) sources; // from the next picture to be checked on
    VEC(AVFrame *) decoded;     // waiting for the sources behind theirs
    int64_t frame;              // number of the next picture to be checked
    int64_t first_frame;
    bool doubtful;
    bool ended;
    double psnr_min, psnr_sum;
};

static void source_clear(struct source *s)
{
    av_frame_free(&s->picture);
    cells_clear(&s->cells);
}

static int decoder_new(const AVCodecContext *encoder, AVCodecContext **ret)
{
    // libavcodec's own av1 needs hardware; libaom is an encoder first.
    const AVCodec *codec = encoder->codec_id == AV_CODEC_ID_AV1
                               ? avcodec_find_decoder_by_name("libdav1d")
                               : avcodec_find_decoder(encoder->codec_id);
    FAIL_IF(!codec, ERR_UNSUPPORTED, "no decoder for %s",
            avcodec_get_name(encoder->codec_id));
    AUTO(avcodec_free_context) AVCodecContext *d = avcodec_alloc_context3(codec);
    AUTO(avcodec_parameters_free) AVCodecParameters *par = avcodec_parameters_alloc();
    FAIL_IF(!d || !par, ERR_NOMEM, "a decoder");
    FAIL_IF(avcodec_parameters_from_context(par, encoder) < 0 ||
                avcodec_parameters_to_context(d, par) < 0,
            ERR_NOMEM, "a decoder");
    d->pkt_timebase = encoder->time_base;
    d->thread_count = 1;
    d->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_EXPLODE;
    int err = avcodec_open2(d, codec, NULL);
    if (err < 0) {
        return media_av_fail(err, codec->name);
    }
    *ret = TAKE(d);
    return 0;
}

int verifier_new(struct verifier **ret, const struct verify_config *config)
{
    AUTO(verifier_free) struct verifier *v = calloc(1, sizeof *v);
    FAIL_IF(!v, ERR_NOMEM, "a verifier");
    TRY(str_copy(v->rendition, sizeof v->rendition, str_of(config->rendition)));
    v->floor_db = config->floor_db;
    v->first_frame = v->frame = config->first_frame;
    v->psnr_min = PSNR_MAX_DB;
    v->sse = sse_best();
    TRY(decoder_new(config->encoder, &v->decoder));
    *ret = TAKE(v);
    return 0;
}

void verifier_free(struct verifier **ptr)
{
    struct verifier *v = TAKE(*ptr);
    if (!v) {
        return;
    }
    avcodec_free_context(&v->decoder);
    vec_for_each (s, &v->past) {
        source_clear(s);
    }
    vec_for_each (s, &v->sources) {
        source_clear(s);
    }
    vec_for_each (f, &v->decoded) {
        av_frame_free(f);
    }
    vec_free(&v->past);
    vec_free(&v->sources);
    vec_free(&v->decoded);
    free(v);
}

// --- one picture ---------------------------------------------------------------------------

static struct plane8 plane_of(const AVFrame *f, int plane)
{
    return (struct plane8){f->data[plane], f->linesize[plane]};
}

static double luma_mse(const struct verifier *v, const AVFrame *a, const AVFrame *b)
{
    return (double)v->sse(plane_of(a, 0), plane_of(b, 0), a->width, a->height) /
           ((double)a->width * a->height);
}

static double psnr_of(double mse)
{
    return mse > 0 ? MIN(10 * log10(255.0 * 255.0 / mse), PSNR_MAX_DB) : PSNR_MAX_DB;
}

// What remains of a plane when each block is replaced by its mean, per sample.
static double block_variance(struct plane8 p, int width, int height, int block)
{
    double total = 0;
    for (int y = 0; y < height; y += block) {
        for (int x = 0; x < width; x += block) {
            int w = MIN(block, width - x), h = MIN(block, height - y);
            int64_t sum = 0, squares = 0;
            for (int j = 0; j < h; j++) {
                const uint8_t *row = p.data + (y + j) * p.stride + x;
                for (int i = 0; i < w; i++) {
                    sum += row[i];
                    squares += row[i] * row[i];
                }
            }
            total += (double)squares - (double)sum * (double)sum / (w * h);
        }
    }
    return total / ((double)width * height);
}

bool verify_is_displaced(double own, double other, double apart)
{
    return own - other + apart > 2 * DISPLACED_WAY * apart;
}

static int check_floor(struct verifier *v, const AVFrame *got, const AVFrame *source,
                       int plane, double mse)
{
    static const char names[] = "YUV";
    double psnr = psnr_of(mse);
    if (psnr >= v->floor_db) {
        return 0;
    }
    int width = plane ? (got->width + 1) / 2 : got->width;
    int height = plane ? (got->height + 1) / 2 : got->height;
    double flat = block_variance(plane_of(source, plane), width, height, plane ? 8 : 16);
    v->doubtful = mse > STARVED_FACTOR * flat;
    FAIL_IF(v->doubtful, ERR_CORRUPT,
            "%s: frame %lld has a PSNR-%c of %.2f dB, the floor is %.2f dB", v->rendition,
            (long long)v->frame, names[plane], psnr, v->floor_db);
    return 0;
}

// Another source that the picture is rather than its own; `off` 0: none.
struct other {
    int off; // frames behind its own
    double own, mse, apart;
};

static const struct source *source_around(const struct verifier *v, int off)
{
    size_t back = (size_t)-off, ahead = (size_t)off;
    return off < 0 ? (back <= v->past.len ? &v->past.data[v->past.len - back] : NULL)
                   : (ahead < v->sources.len ? &v->sources.data[ahead] : NULL);
}

// Squared grey levels that a quantiser may leave as they were. Its step doubles every six QP (ITU-T
// H.264 8.5.9).
static double unseen(double qp, double steps)
{
    double levels = exp2((qp - 4) / 6) * steps;
    return levels * levels;
}

static void find_near(const struct verifier *v, const AVFrame *got, double own,
                      struct other *best)
{
    const struct source *s = &v->sources.data[0];
    double least = MAX(APART_LEAST, unseen(s->qp, APART_STEPS));
    if (s->qp >= COARSE_QP || !verify_is_displaced(own, 0, least)) {
        return; // too near to its own source to be on the way to another
    }
    for (int off = -1; off <= 1; off += 2) {
        const struct source *o = source_around(v, off);
        double apart = o ? luma_mse(v, s->picture, o->picture) : 0;
        double mse = apart > least ? luma_mse(v, got, o->picture) : INFINITY;
        if (mse < best->mse && verify_is_displaced(own, mse, apart)) {
            *best = (struct other){off, own, mse, apart};
        }
    }
}

static int find_far(const struct verifier *v, const AVFrame *got, struct other *best)
{
    const struct source *s = &v->sources.data[0];
    AUTO(cells_clear) struct cells cells = {0};
    TRY(cells_of(got, &cells));
    double own = cells_mse(&cells, &s->cells);
    double least = MAX(CELLS_APART, unseen(s->qp, CELLS_STEPS));
    if (!verify_is_displaced(own, 0, least)) {
        return 0;
    }
    for (int off = -REACH; off <= REACH && s->qp < COARSE_QP; off++) {
        const struct source *o = off ? source_around(v, off) : NULL;
        double apart = o ? cells_mse(&s->cells, &o->cells) : 0;
        double mse = apart > least ? cells_mse(&cells, &o->cells) : INFINITY;
        if (mse < best->mse && verify_is_displaced(own, mse, apart)) {
            *best = (struct other){off, own, mse, apart};
        }
    }
    return 0;
}

static int check_place(struct verifier *v, const AVFrame *got, double own)
{
    struct other o = {.mse = INFINITY};
    find_near(v, got, own, &o);
    if (o.off == 0) {
        TRY(find_far(v, got, &o));
    }
    v->doubtful = o.off != 0;
    FAIL_IF(
        o.off != 0, ERR_CORRUPT,
        "%s: frame %lld is rather frame %lld (squared errors: %.2f, to its own source "
        "%.2f, between the sources %.2f; QP %.1f)",
        v->rendition, (long long)v->frame, (long long)v->frame + o.off, o.mse, o.own,
        o.apart, v->sources.data[0].qp);
    return 0;
}

static int check_pixels(struct verifier *v, const AVFrame *got)
{
    const struct source *s = &v->sources.data[0];
    double own[3];
    for (int plane = 0; plane < 3; plane++) {
        int width = plane ? (got->width + 1) / 2 : got->width;
        int height = plane ? (got->height + 1) / 2 : got->height;
        uint64_t sse =
            v->sse(plane_of(got, plane), plane_of(s->picture, plane), width, height);
        own[plane] = (double)sse / ((double)width * height);
    }
    for (int plane = 0; plane < 3; plane++) {
        TRY(check_floor(v, got, s->picture, plane, own[plane]));
    }
    TRY(check_place(v, got, own[0]));
    v->psnr_min = MIN(v->psnr_min, psnr_of(own[0]));
    v->psnr_sum += psnr_of(own[0]);
    return 0;
}

static int check_picture(struct verifier *v, const AVFrame *got)
{
    const struct source *s = &v->sources.data[0];
    FAIL_IF(got->pts != s->picture->pts, ERR_CORRUPT,
            "%s: frame %lld is shown at %lld instead of %lld", v->rendition,
            (long long)v->frame, (long long)got->pts, (long long)s->picture->pts);
    FAIL_IF(got->width != s->picture->width || got->height != s->picture->height ||
                got->format != AV_PIX_FMT_YUV420P,
            ERR_CORRUPT, "%s: frame %lld is %d×%d instead of %d×%d", v->rendition,
            (long long)v->frame, got->width, got->height, s->picture->width,
            s->picture->height);
    FAIL_IF(s->starts_segment && !got->key_frame, ERR_CORRUPT,
            "%s: frame %lld begins a segment and is no key frame", v->rendition,
            (long long)v->frame);
    FAIL_IF(got->decode_error_flags != 0 || (got->flags & AV_FRAME_FLAG_CORRUPT),
            ERR_CORRUPT, "%s: frame %lld does not decode cleanly", v->rendition,
            (long long)v->frame);
    return check_pixels(v, got);
}

static int drop_first(struct verifier *v)
{
    if (v->past.len > 0) {
        av_frame_free(&v->past.data[v->past.len - 1].picture);
    }
    TRY(vec_push(&v->past, v->sources.data[0]));
    v->sources.len--;
    memmove(v->sources.data, v->sources.data + 1,
            v->sources.len * sizeof *v->sources.data);
    if (v->past.len > REACH) {
        source_clear(&v->past.data[0]);
        v->past.len--;
        memmove(v->past.data, v->past.data + 1, v->past.len * sizeof *v->past.data);
    }
    av_frame_free(&v->decoded.data[0]);
    v->decoded.len--;
    memmove(v->decoded.data, v->decoded.data + 1,
            v->decoded.len * sizeof *v->decoded.data);
    v->frame++;
    return 0;
}

// Checks what has both its source and those behind.
static int check_ready(struct verifier *v)
{
    while (v->decoded.len > 0) {
        FAIL_IF(v->sources.len == 0, ERR_CORRUPT,
                "%s: more frames come out than went in: one at %lld behind frame %lld",
                v->rendition, (long long)v->decoded.data[0]->pts,
                (long long)v->frame - 1);
        if (v->sources.len <= REACH && !v->ended) {
            return 0;
        }
        TRY(check_picture(v, v->decoded.data[0]));
        TRY(drop_first(v));
    }
    return 0;
}

// --- the flow ------------------------------------------------------------------------------

int verifier_source(struct verifier *v, struct verify_source source)
{
    FAIL_IF(v->sources.len >= VERIFY_MAX_BEHIND, ERR_INTERNAL,
            "%s: the encoder holds back %zu frames", v->rendition, v->sources.len);
    AUTO(source_clear) struct source s = {.starts_segment = source.starts_segment};
    s.picture = av_frame_clone(source.picture);
    FAIL_IF(!s.picture, ERR_NOMEM, "a picture");
    TRY(cells_of(s.picture, &s.cells));
    TRY(vec_push(&v->sources, s));
    s = (struct source){0};
    return check_ready(v);
}

// ret: 1 a picture, 0 none for now.
static int receive(struct verifier *v)
{
    AUTO(av_frame_free) AVFrame *f = av_frame_alloc();
    FAIL_IF(!f, ERR_NOMEM, "a picture");
    int err = avcodec_receive_frame(v->decoder, f);
    if (err == AVERROR(EAGAIN) || err == AVERROR_EOF) {
        return 0;
    }
    FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "decoding");
    FAIL_IF(err < 0, ERR_CORRUPT, "%s: frame %lld does not decode", v->rendition,
            (long long)(v->frame + (int64_t)v->decoded.len));
    TRY(vec_push(&v->decoded, f));
    f = NULL;
    return 1;
}

static int send(struct verifier *v, const AVPacket *packet)
{
    for (;;) {
        int err = avcodec_send_packet(v->decoder, packet);
        FAIL_IF(err == AVERROR(ENOMEM), ERR_NOMEM, "decoding");
        FAIL_IF(err < 0 && err != AVERROR(EAGAIN) && err != AVERROR_EOF, ERR_CORRUPT,
                "%s: a packet near frame %lld does not decode", v->rendition,
                (long long)(v->frame + (int64_t)v->decoded.len));
        int got = 0;
        do {
            got = receive(v);
            TRY(got);
        } while (got);
        if (err != AVERROR(EAGAIN)) {
            return check_ready(v);
        }
    }
}

static struct source *source_at(const struct verifier *v, int64_t pts)
{
    vec_for_each (s, &v->sources) {
        if (s->picture->pts == pts) {
            return s;
        }
    }
    return NULL;
}

// ITU-T H.264 7.3.1: the first slice behind start codes is of an IDR picture (type 5).
static bool is_idr(const AVPacket *p)
{
    for (int i = 0; i + 3 < p->size; i++) {
        if (p->data[i] == 0 && p->data[i + 1] == 0 && p->data[i + 2] == 1) {
            int type = p->data[i + 3] & 0x1f;
            if (type >= 1 && type <= 5) {
                return type == 5;
            }
        }
    }
    return false;
}

// How coarsely the picture was coded. Side data: quality u32 in lambda, little-endian (packet.h).
// SVT-AV1 counts to 63 where x264 counts to 51. Without a word on it: as fine as can be.
static double qp_of(const struct verifier *v, const AVPacket *packet)
{
    size_t len = 0;
    const uint8_t *b = av_packet_get_side_data(packet, AV_PKT_DATA_QUALITY_STATS, &len);
    double qp = b && len >= 4 ? (double)AV_RL32(b) / FF_QP2LAMBDA : 0;
    return v->decoder->codec_id == AV_CODEC_ID_AV1 ? qp * 51 / 63 : qp;
}

int verifier_packet(struct verifier *v, const AVPacket *packet)
{
    struct source *s = source_at(v, packet->pts);
    FAIL_IF(!s, ERR_CORRUPT, "%s: a packet is shown at %lld, where no frame is",
            v->rendition, (long long)packet->pts);
    s->qp = qp_of(v, packet);
    if (s->starts_segment) {
        FAIL_IF(!(packet->flags & AV_PKT_FLAG_KEY) ||
                    (v->decoder->codec_id == AV_CODEC_ID_H264 && !is_idr(packet)),
                ERR_CORRUPT, "%s: the segment at %lld does not begin with a closed GOP",
                v->rendition, (long long)packet->pts);
        TRY(send(v, NULL));
        avcodec_flush_buffers(v->decoder);
    }
    return send(v, packet);
}

bool verifier_doubts(const struct verifier *v)
{
    return v->doubtful;
}

int verifier_finish(struct verifier *v, struct media_encoded *ret)
{
    v->ended = true;
    TRY(send(v, NULL));
    FAIL_IF(v->sources.len > 0, ERR_CORRUPT, "%s: frame %lld and %zu behind it are lost",
            v->rendition, (long long)v->frame, v->sources.len - 1);
    ret->frames = v->frame - v->first_frame;
    ret->psnr_min_db = v->psnr_min;
    ret->psnr_mean_db = v->psnr_sum / (double)MAX(ret->frames, 1);
    return 0;
}
