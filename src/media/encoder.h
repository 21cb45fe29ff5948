// SPDX-License-Identifier: GPL-3.0-or-later
//
// Encoders of libavcodec, set so that the same pictures give the same bytes, every segment stands
// alone, and all chunks share their parameter sets. Private to the room.
#ifndef MEDIA_ENCODER_H
#define MEDIA_ENCODER_H

#include "media/media.h"
#include "media/scale.h"

#include <libavcodec/avcodec.h>

// The average frame rate: the stream's own where the timeline agrees, otherwise measured. Encoders
// take it for levels only; times come with the pictures.
AVRational encoder_frame_rate(const struct media_report *, const struct media_timeline *);

struct encoder_config {
    const struct media_rendition *rendition;
    const struct scale_color *color;
    AVRational frame_rate;
    double vbv_init; // 0..1
    double coarser; // added to the crf, for a film that starves the encoder under its cap
    int b_frames;   // at most, in a row; -1: the preset's
};

// Pictures are to be sent with pts in 1 / rendition->timescale.
int encoder_video_open(const struct encoder_config *, AVCodecContext **ret);
int encoder_audio_open(const struct media_rendition *, AVCodecContext **ret);

#endif
