// SPDX-License-Identifier: GPL-3.0-or-later
//
// The boxes of a CMAF track (ISO/IEC 23000-19 section 7): the CMAF header (ftyp, moov) and a CMAF
// segment of one fragment (styp, moof, mdat). Bytes are a function of the arguments alone.
#ifndef MEDIA_CMAF_H
#define MEDIA_CMAF_H

#include "media/codec_config.h"
#include "media/mux.h"

struct cmaf_sample {
    int64_t pts;      // presentation, track ticks, before the edit list
    uint32_t size;    // bytes
    int64_t duration; // ticks
    bool is_sync;
};

struct cmaf_samples {
    VEC(struct cmaf_sample) items; // decoding order
};

int cmaf_write_init(const struct mux_config *, const struct codec_config *,
                    struct buf *out);
// `decode_time` of the first sample; sample k is decoded at decode_time + the durations before.
int cmaf_write_segment(int64_t number, int64_t decode_time, const struct cmaf_samples *,
                       struct str data, struct buf *out);

#endif
