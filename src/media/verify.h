// SPDX-License-Identifier: GPL-3.0-or-later
//
// Behind an encoder: its packets are decoded again and each picture is compared with the one that
// went in. Private to the room.
//
//     scaled picture ──┬─▶ encoder ─▶ packet ──┬─▶ segmenter
//                      │                       ▼
//                      └─▶ FIFO ────────▶ decoder: count, time, key, PSNR
//
// Each segment gets a decoder that knows nothing of the one before, so what is proved is what a
// player that joins there sees.
#ifndef MEDIA_VERIFY_H
#define MEDIA_VERIFY_H

#include "media/media.h"

#include <libavcodec/avcodec.h>

struct verifier;

struct verify_config {
    const char *rendition; // for messages
    const AVCodecContext *encoder;
    int64_t first_frame; // number of the first picture, for messages
    double floor_db;
};

int verifier_new(struct verifier **ret, const struct verify_config *);
void verifier_free(struct verifier **);
// A picture that was given to the encoder; its pts are as the encoder got them. Referenced, not
// copied. `starts_segment`: it must come out as a key picture. ERR_INTERNAL when the encoder holds
// back more than VERIFY_MAX_BEHIND of them.
#define VERIFY_MAX_BEHIND 200
struct verify_source {
    const AVFrame *picture;
    bool starts_segment;
};
int verifier_source(struct verifier *, struct verify_source);
// A packet that came out, in that order. ERR_CORRUPT names the frame that is wrong.
int verifier_packet(struct verifier *, const AVPacket *);
// After the last packet: every picture came back. Fills frames and psnr_*.
int verifier_finish(struct verifier *, struct media_encoded *);

// After ERR_CORRUPT: a starved encoder might have made it as well as a fault; a coarser one would not.
bool verifier_doubts(const struct verifier *);

// True when a picture is rather another than its own source: by mean squared errors against both, and
// of the two against each other (verify.c).
bool verify_is_displaced(double own, double other, double apart);

#endif
