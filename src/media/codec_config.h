// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an initialisation segment says about a codec: the decoder's configuration record and the
// RFC 6381 name, both read out of the parameter sets that the encoder gave, never guessed.
#ifndef MEDIA_CODEC_CONFIG_H
#define MEDIA_CODEC_CONFIG_H

#include "base/base.h"

#include <libavcodec/avcodec.h>

struct codec_config {
    struct buf record; // the payload of avcC, av1C, esds (with version and flags) or dOps
    char codecs[64];   // "avc1.64001f"
    char sample_entry[5]; // "avc1", "av01", "mp4a", "Opus"
    char record_box[5];   // "avcC", "av1C", "esds", "dOps"
    bool is_annex_b;      // of the packets: they want start codes replaced by lengths
};

void codec_config_clear(struct codec_config *);
// From AVCodecParameters' extradata: Annex B or avcC, an AV1 sequence header or av1C, an
// AudioSpecificConfig, an OpusHead. ERR_UNSUPPORTED for other codecs, ERR_CORRUPT for what
// cannot be read.
int codec_config_read(const AVCodecParameters *, struct codec_config *ret);

// Appends one access unit as a sample: H.264 (ISO/IEC 14496-15 section 5.3) with four-byte lengths and
// without parameter sets, delimiters and the encoder's notes about itself; AV1 (AV1 in ISOBMFF
// section 2.4) without temporal delimiters and padding; sound as it is.
int codec_config_add_sample(const struct codec_config *, struct str packet,
                            struct buf *out);

#endif
