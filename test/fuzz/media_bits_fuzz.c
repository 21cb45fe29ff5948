// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is read of packets beside the decoders: the first byte says the codec, the second how many of the
// rest are its extradata, what is left is a packet, and a picture of FFV1.
#include "base/base.h"
#include "media/ffv1.h"
#include "media/rap.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum AVCodecID codecs[] = {
    AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_VP8,
    AV_CODEC_ID_VP9,  AV_CODEC_ID_AV1,  AV_CODEC_ID_FFV1,       AV_CODEC_ID_MJPEG};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 20) {
        return 0;
    }
    size_t extra = MIN(data[1], size - 2);
    const uint8_t *packet = data + 2 + extra;
    size_t len = size - 2 - extra;
    AVCodecParameters *par = avcodec_parameters_alloc();
    ASSERT(par);
    par->codec_id = codecs[data[0] % ARRAY_LEN(codecs)];
    par->extradata = av_mallocz(extra + AV_INPUT_BUFFER_PADDING_SIZE);
    ASSERT(par->extradata);
    memcpy(par->extradata, data + 2, extra);
    par->extradata_size = (int)extra;
    struct media_rap_scan scan;
    media_rap_scan_init(&scan, par);
    media_rap_scan(&scan, packet, (int)len, true);
    avcodec_parameters_free(&par);
    media_ffv1_check(packet, len);
    return 0;
}
