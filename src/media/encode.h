// SPDX-License-Identifier: GPL-3.0-or-later
//
// Private to the room: encoding with a saboteur between the parts, for tests.
#ifndef MEDIA_ENCODE_H
#define MEDIA_ENCODE_H

#include "media/media.h"

#include <libavcodec/avcodec.h>

// What a test plants. Either function may be NULL.
struct encode_faults {
    void *user;
    // The picture that goes to the encoder instead; the verifier keeps the right one. Returns a
    // new reference through *ret, or leaves it NULL to change nothing.
    int (*picture)(void *user, int rendition, int64_t frame, const AVFrame *right,
                   AVFrame **ret);
    // Behind the encoder: may change the packet; 0 keeps it, 1 loses it.
    int (*packet)(void *user, int rendition, AVPacket *);
};

int encode_video_with(const struct media_input *, const struct media_encode_config *,
                      const struct encode_faults *, struct media_encoded *ret);

#endif
