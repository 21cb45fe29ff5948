// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/rap.h"

#include "base/macro.h"

void media_rap_scan_init(struct media_rap_scan *scan, const AVCodecParameters *par)
{
    const AVCodecDescriptor *d = avcodec_descriptor_get(par->codec_id);
    *scan = (struct media_rap_scan){.codec = par->codec_id};
    scan->intra_only = d && (d->props & AV_CODEC_PROP_INTRA_ONLY);
    // x264 before build 151 wrote 4:4:4 with a fault that libavcodec mends when it has read the
    // encoder's note in the first packet: a decoder opened afresh further on has not.
    scan->needs_start = par->codec_id == AV_CODEC_ID_H264 &&
                        par->profile == FF_PROFILE_H264_HIGH_444_PREDICTIVE;
    // avcC (ISO/IEC 14496-15 5.3.3.1) and hvcC (8.3.3.1) begin with version 1; Annex B with zeros.
    const uint8_t *x = par->extradata;
    if (par->codec_id == AV_CODEC_ID_H264 && par->extradata_size >= 7 && x[0] == 1) {
        scan->nal_length = (x[4] & 3) + 1;
    } else if (par->codec_id == AV_CODEC_ID_HEVC && par->extradata_size >= 23 &&
               x[0] == 1) {
        scan->nal_length = (x[21] & 3) + 1;
    }
}

struct nal_walk {
    const uint8_t *at, *end;
    const uint8_t *inside; // of the unit given last, where units have lengths
    int length_bytes;
};

static const uint8_t *next_start_code(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 4; at++) {
        if (at[0] == 0 && at[1] == 0 && at[2] == 1) {
            return at + 3;
        }
    }
    return NULL;
}

// The next NAL unit's first byte with at least one more behind it; NULL at the end.
static const uint8_t *next_nal(struct nal_walk *w)
{
    if (w->length_bytes == 0) {
        const uint8_t *nal = next_start_code(w->at, w->end);
        w->at = nal ? nal : w->end;
        return nal && w->end - nal >= 2 ? nal : NULL;
    }
    // Some muxers wrap several units with start codes between them into one length; a sound unit
    // holds no start code.
    const uint8_t *wrapped = w->inside ? next_start_code(w->inside, w->at) : NULL;
    if (wrapped && w->at - wrapped >= 2) {
        w->inside = wrapped;
        return wrapped;
    }
    if (w->end - w->at < w->length_bytes + 2) {
        return NULL;
    }
    uint32_t len = 0;
    for (int i = 0; i < w->length_bytes; i++) {
        len = len << 8 | w->at[i];
    }
    const uint8_t *nal = w->at + w->length_bytes;
    if (len > (size_t)(w->end - nal) || len < 2) {
        return NULL;
    }
    w->at = nal + len;
    w->inside = nal;
    return nal;
}

// ITU-T H.264 7.4.1, H.265 7.4.2.2: the type of the first slice decides.
static struct media_rap_packet scan_nals(const struct media_rap_scan *scan,
                                         const uint8_t *bytes, int len)
{
    bool hevc = scan->codec == AV_CODEC_ID_HEVC;
    struct nal_walk walk = {
        .at = bytes, .end = bytes + len, .length_bytes = scan->nal_length};
    bool sps = false, pps = false;
    for (const uint8_t *nal; (nal = next_nal(&walk)) != NULL;) {
        int type = hevc ? (nal[0] >> 1) & 0x3f : nal[0] & 0x1f;
        sps = sps || type == (hevc ? 33 : 7);
        pps = pps || type == (hevc ? 34 : 8);
        if (hevc ? type < 32 : type >= 1 && type <= 5) {
            bool idr = hevc ? type == 19 || type == 20 : type == 5;
            return (struct media_rap_packet){.rap = idr, .parameters = sps && pps};
        }
    }
    return (struct media_rap_packet){.parameters = sps && pps};
}

// ISO/IEC 13818-2 6.2: a sequence header, then a group of pictures that is closed.
static struct media_rap_packet scan_mpeg2(const uint8_t *bytes, int len)
{
    const uint8_t *at = bytes, *end = bytes + len;
    bool sequence = false, closed = false;
    while ((at = next_start_code(at, end)) != NULL) {
        if (at[0] == 0xb3) {
            sequence = true;
        } else if (at[0] == 0xb8 && end - at >= 5) {
            closed = (at[4] & 0x40) != 0; // behind 25 bits of time code
        } else if (at[0] == 0x00 && end - at >= 3) {
            bool intra = ((at[2] >> 3) & 7) == 1;
            return (struct media_rap_packet){.rap = sequence && closed && intra,
                                             .parameters = true};
        }
    }
    return (struct media_rap_packet){0};
}

// VP9 bitstream specification 6.2: frame_marker 2, profile 2 (+1), show_existing 1, frame_type 1,
// show_frame 1.
static struct media_rap_packet scan_vp9(const uint8_t *bytes, int len)
{
    if (len < 2 || bytes[0] >> 6 != 2) {
        return (struct media_rap_packet){0};
    }
    int profile = ((bytes[0] >> 5) & 1) | ((bytes[0] >> 4) & 1) << 1;
    int bit = profile == 3 ? 5 : 4;
    int existing = bytes[0] >> (7 - bit) & 1;
    int frame_type = bytes[0] >> (6 - bit) & 1;
    int show = bytes[0] >> (5 - bit) & 1;
    bool superframe = (bytes[len - 1] & 0xe0) == 0xc0;
    return (struct media_rap_packet){
        .rap = !existing && frame_type == 0 && show,
        .parameters = true,
        .hidden = !existing && !show && !superframe,
    };
}

// AV1 specification 5.3 to 5.9: a sequence header, then a frame header of a shown key frame.
static struct media_rap_packet scan_av1(const uint8_t *bytes, int len)
{
    const uint8_t *at = bytes, *end = bytes + len;
    bool sequence = false;
    while (end - at >= 2) {
        int type = at[0] >> 3 & 15;
        bool extended = at[0] & 4, sized = at[0] & 2;
        at += extended ? 2 : 1;
        uint64_t size = 0;
        for (int i = 0; sized && i < 8 && at < end; i++) {
            size |= (uint64_t)(*at & 0x7f) << (7 * i);
            if (!(*at++ & 0x80)) {
                break;
            }
        }
        size = sized ? size : (uint64_t)(end - at);
        if (at >= end || size > (uint64_t)(end - at)) {
            break;
        }
        // The sequence header's reduced_still_picture_header would change the bits that follow.
        sequence = sequence || (type == 1 && !(at[0] & 0x08));
        if (type == 3 || type == 6) {
            bool shown_key = (at[0] & 0xf0) == 0x10;
            return (struct media_rap_packet){.rap = sequence && shown_key,
                                             .parameters = sequence};
        }
        at += size;
    }
    return (struct media_rap_packet){0};
}

struct media_rap_packet media_rap_scan(struct media_rap_scan *scan, const uint8_t *bytes,
                                       int len, bool key_flag)
{
    struct media_rap_packet p = {0};
    if (!bytes || len < 2) {
        return p;
    }
    int codec = (int)scan->codec;
    if (codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC) {
        p = scan_nals(scan, bytes, len);
        scan->parameters_seen = scan->parameters_seen || p.parameters;
        p.rap = p.rap && (p.parameters || scan->nal_length != 0) && !scan->needs_start;
    } else if (codec == AV_CODEC_ID_MPEG2VIDEO || codec == AV_CODEC_ID_MPEG1VIDEO) {
        p = scan_mpeg2(bytes, len);
    } else if (codec == AV_CODEC_ID_VP8) {
        // RFC 6386 9.1: frame_type 0 is a key frame; show_frame is bit 4.
        p = (struct media_rap_packet){
            .rap = !(bytes[0] & 1), .parameters = true, .hidden = !(bytes[0] & 0x10)};
    } else if (codec == AV_CODEC_ID_VP9) {
        p = scan_vp9(bytes, len);
    } else if (codec == AV_CODEC_ID_AV1) {
        p = scan_av1(bytes, len);
    } else if (codec == AV_CODEC_ID_FFV1) {
        // RFC 9043 4.3: the first bit of the range coder says key frame. In state 128 it is one
        // when the first 16 bits are not below 0xff00 - (0xff00 × 128 >> 8).
        p = (struct media_rap_packet){.rap = (bytes[0] << 8 | bytes[1]) >= 0x7f80,
                                      .parameters = true};
    } else {
        p = (struct media_rap_packet){.rap = scan->intra_only, .parameters = true};
    }
    p.rap = p.rap && key_flag;
    return p;
}
