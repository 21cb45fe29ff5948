// SPDX-License-Identifier: GPL-3.0-or-later
//
// The colour that stands for a picture until the picture is there: the heaviest of 64 bins of a tiny
// copy, colourful pixels weighing more than grey ones and black bars almost nothing.
#include "media/input.h"
#include "media/media.h"

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <string.h>

enum { WIDE = 32, HIGH = 18, BINS = 64, BRIGHTEST = 112 };

struct bin {
    int64_t weight, red, green, blue;
};

static int decode(struct str jpeg, AVFrame *ret)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_MJPEG);
    FAIL_IF(!codec, ERR_UNSUPPORTED, "no JPEG decoder");
    AUTO(avcodec_free_context) AVCodecContext *c = avcodec_alloc_context3(codec);
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    FAIL_IF(!c || !packet, ERR_NOMEM, "a JPEG decoder");
    FAIL_IF(jpeg.len > INT32_MAX, ERR_LIMIT, "a picture over 2 GiB");
    FAIL_IF(av_new_packet(packet, (int)jpeg.len) < 0, ERR_NOMEM, "a picture");
    memcpy(packet->data, jpeg.data, jpeg.len);
    c->thread_count = 1;
    int err = avcodec_open2(c, codec, NULL);
    err = err < 0 ? err : avcodec_send_packet(c, packet);
    err = err < 0 ? err : avcodec_receive_frame(c, ret);
    return err < 0 ? media_av_fail(err, "a picture") : 0;
}

static int shrink(const AVFrame *picture, uint8_t rgb[WIDE * HIGH * 3])
{
    uint8_t *const to[4] = {rgb};
    const int strides[4] = {WIDE * 3};
    struct SwsContext *sws = sws_getContext(
        picture->width, picture->height, picture->format, WIDE, HIGH, AV_PIX_FMT_RGB24,
        SWS_AREA | SWS_BITEXACT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    FAIL_IF(!sws, ERR_UNSUPPORTED, "a picture in an unknown format");
    int rows = sws_scale(sws, (const uint8_t *const *)picture->data, picture->linesize, 0,
                         picture->height, to, strides);
    sws_freeContext(sws);
    FAIL_IF(rows != HIGH, ERR_INTERNAL, "shrinking a picture");
    return 0;
}

static struct bin heaviest(const uint8_t *rgb)
{
    struct bin bins[BINS] = {0};
    for (const uint8_t *p = rgb; p < rgb + (ptrdiff_t)WIDE * HIGH * 3; p += 3) {
        int most = MAX(MAX(p[0], p[1]), p[2]), least = MIN(MIN(p[0], p[1]), p[2]);
        int64_t weight = most < 24 ? 1 : 16 + most - least;
        struct bin *b = &bins[p[0] >> 6 << 4 | p[1] >> 6 << 2 | p[2] >> 6];
        b->weight += weight;
        b->red += weight * p[0];
        b->green += weight * p[1];
        b->blue += weight * p[2];
    }
    const struct bin *best = &bins[0];
    for (size_t i = 1; i < BINS; i++) {
        best = bins[i].weight > best->weight ? &bins[i] : best;
    }
    return *best;
}

int media_tint(struct str jpeg, char ret[MEDIA_TINT_BYTES])
{
    uint8_t rgb[WIDE * HIGH * 3];
    AUTO(av_frame_free) AVFrame *picture = av_frame_alloc();
    FAIL_IF(!picture, ERR_NOMEM, "a picture");
    TRY(decode(jpeg, picture));
    TRY(shrink(picture, rgb));
    struct bin b = heaviest(rgb);
    int64_t most = MAX(MAX(b.red, b.green), b.blue);
    // Dark enough for white words on it.
    int64_t whole = MAX(b.weight, (most + BRIGHTEST - 1) / BRIGHTEST);
    snprintf(ret, MEDIA_TINT_BYTES, "#%02x%02x%02x", (unsigned)(b.red / whole),
             (unsigned)(b.green / whole), (unsigned)(b.blue / whole));
    return 0;
}
