// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/jpeg.h"

#include "media/input.h"

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#define QUALITY  4 // of 2 (best) to 31
#define MAX_SIDE 4096

struct media_jpeg {
    struct SwsContext *sws;
    AVCodecContext *codec;
    AVFrame *scaled, *turned;
    AVPacket *packet;
    int64_t count;
};

int media_jpeg_new(struct media_jpeg **ret)
{
    struct media_jpeg *j = calloc(1, sizeof *j);
    FAIL_IF(!j, ERR_NOMEM, "a picture writer");
    j->packet = av_packet_alloc();
    if (!j->packet) {
        free(j);
        FAIL(ERR_NOMEM, "a picture writer");
    }
    *ret = j;
    return 0;
}

void media_jpeg_free(struct media_jpeg **ptr)
{
    struct media_jpeg *j = TAKE(*ptr);
    if (j) {
        sws_freeContext(j->sws);
        avcodec_free_context(&j->codec);
        av_frame_free(&j->scaled);
        av_frame_free(&j->turned);
        av_packet_free(&j->packet);
        free(j);
    }
}

static int even(int64_t v)
{
    return (int)CLAMP((v + 1) / 2 * 2, 2, MAX_SIDE);
}

void media_jpeg_size(int width, int height, struct rational sar, int rotation,
                     int width_limit, int *ret_width, int *ret_height)
{
    bool across = rotation == 90 || rotation == 270;
    // Shown size: the wider the pixels, the wider the picture.
    int64_t w = MAX((int64_t)width * sar.num / sar.den, 1), h = height;
    int64_t shown_w = across ? h : w, shown_h = across ? w : h;
    int64_t out_w = MIN(shown_w, width_limit);
    *ret_width = even(out_w);
    *ret_height = even((shown_h * out_w + shown_w / 2) / shown_w);
}

static int want_frame(AVFrame **frame, int width, int height)
{
    if (*frame && (*frame)->width == width && (*frame)->height == height) {
        return 0;
    }
    av_frame_free(frame);
    *frame = av_frame_alloc();
    FAIL_IF(!*frame, ERR_NOMEM, "a picture");
    (*frame)->width = width;
    (*frame)->height = height;
    (*frame)->format = AV_PIX_FMT_YUVJ420P;
    FAIL_IF(av_frame_get_buffer(*frame, 0) < 0, ERR_NOMEM, "a picture");
    return 0;
}

static int scale(struct media_jpeg *j, const AVFrame *frame, int width, int height)
{
    TRY(want_frame(&j->scaled, width, height));
    j->sws = sws_getCachedContext(j->sws, frame->width, frame->height, frame->format,
                                  width, height, AV_PIX_FMT_YUVJ420P,
                                  SWS_AREA | SWS_BITEXACT | SWS_ACCURATE_RND, NULL, NULL,
                                  NULL);
    FAIL_IF(!j->sws, ERR_UNSUPPORTED, "pictures of format %s",
            av_get_pix_fmt_name(frame->format));
    // JPEG (JFIF) is BT.601 at full range.
    int space = frame->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709
                : frame->colorspace == AVCOL_SPC_UNSPECIFIED && frame->height >= 720
                    ? SWS_CS_ITU709
                : frame->colorspace == AVCOL_SPC_BT2020_NCL ? SWS_CS_BT2020
                                                            : SWS_CS_ITU601;
    sws_setColorspaceDetails(j->sws, sws_getCoefficients(space),
                             frame->color_range == AVCOL_RANGE_JPEG,
                             sws_getCoefficients(SWS_CS_ITU601), 1, 0, 1 << 16, 1 << 16);
    int rows = sws_scale(j->sws, (const uint8_t *const *)frame->data, frame->linesize, 0,
                         frame->height, j->scaled->data, j->scaled->linesize);
    FAIL_IF(rows != height, ERR_INTERNAL, "scaling a picture");
    return 0;
}

// Turns a plane clockwise.
static void turn_plane(const uint8_t *from, ptrdiff_t from_stride, uint8_t *to,
                       ptrdiff_t to_stride, int to_width, int to_height, int rotation)
{
    for (int y = 0; y < to_height; y++) {
        for (int x = 0; x < to_width; x++) {
            int fx = rotation == 90    ? y
                     : rotation == 180 ? to_width - 1 - x
                                       : to_height - 1 - y;
            int fy = rotation == 90    ? to_width - 1 - x
                     : rotation == 180 ? to_height - 1 - y
                                       : x;
            to[y * to_stride + x] = from[fy * from_stride + fx];
        }
    }
}

static int turn(struct media_jpeg *j, int width, int height, int rotation)
{
    TRY(want_frame(&j->turned, width, height));
    for (int p = 0; p < 3; p++) {
        int w = p ? width / 2 : width, h = p ? height / 2 : height;
        turn_plane(j->scaled->data[p], j->scaled->linesize[p], j->turned->data[p],
                   j->turned->linesize[p], w, h, rotation);
    }
    return 0;
}

static int want_codec(struct media_jpeg *j, int width, int height)
{
    if (j->codec && j->codec->width == width && j->codec->height == height) {
        return 0;
    }
    avcodec_free_context(&j->codec);
    const AVCodec *encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    FAIL_IF(!encoder, ERR_UNSUPPORTED, "no JPEG encoder");
    j->codec = avcodec_alloc_context3(encoder);
    FAIL_IF(!j->codec, ERR_NOMEM, "a JPEG encoder");
    j->codec->width = width;
    j->codec->height = height;
    j->codec->pix_fmt = AV_PIX_FMT_YUVJ420P;
    j->codec->color_range = AVCOL_RANGE_JPEG;
    j->codec->time_base = (AVRational){1, 25};
    j->codec->thread_count = 1;
    j->codec->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    j->codec->global_quality = QUALITY * FF_QP2LAMBDA;
    int err = avcodec_open2(j->codec, encoder, NULL);
    return err < 0 ? media_av_fail(err, "the JPEG encoder") : 0;
}

int media_jpeg_make(struct media_jpeg *j, const AVFrame *frame, struct rational sar,
                    int rotation, int width_limit, struct buf *out)
{
    int width, height;
    media_jpeg_size(frame->width, frame->height, sar, rotation, width_limit, &width,
                    &height);
    bool across = rotation == 90 || rotation == 270;
    TRY(scale(j, frame, across ? height : width, across ? width : height));
    if (rotation) {
        TRY(turn(j, width, height, rotation));
    }
    TRY(want_codec(j, width, height));
    AVFrame *picture = rotation ? j->turned : j->scaled;
    picture->quality = QUALITY * FF_QP2LAMBDA;
    picture->pts = j->count++;
    int err = avcodec_send_frame(j->codec, picture);
    err = err < 0 ? err : avcodec_receive_packet(j->codec, j->packet);
    if (err < 0) {
        return media_av_fail(err, "the JPEG encoder");
    }
    buf_add(out, j->packet->data, (size_t)j->packet->size);
    av_packet_unref(j->packet);
    return out->err;
}
