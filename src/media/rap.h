// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which packets decoding may begin at, decided on the bit stream and never on a container's word.
// Private to the room.
#ifndef MEDIA_RAP_H
#define MEDIA_RAP_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

struct media_rap_scan {
    enum AVCodecID codec;
    int nal_length;       // bytes of a NAL unit's length; 0: start codes
    bool intra_only;      // each packet stands alone, by the codec's nature
    bool parameters_seen; // parameter sets travel in packets
    bool needs_start;     // decoding depends on the stream's first packet
};

void media_rap_scan_init(struct media_rap_scan *, const AVCodecParameters *);

struct media_rap_packet {
    bool rap;        // an intra picture that forbids references across itself
    bool parameters; // carries what a fresh decoder needs
    bool hidden;     // makes no picture of its own (VP8 and VP9 alternative references)
};
// Looks at one packet's start codes and first header bits.
struct media_rap_packet media_rap_scan(struct media_rap_scan *, const uint8_t *bytes,
                                       int len, bool key_flag);

#endif
