// SPDX-License-Identifier: GPL-3.0-or-later
//
// From whatever a decoder gives to the pictures that encoders take: 8-bit 4:2:0, limited range.
// Private to the room.
#ifndef MEDIA_SCALE_H
#define MEDIA_SCALE_H

#include "media/media.h"

#include <libavutil/frame.h>

// What is written in the published stream. Unknown source values are guessed from the size, as
// players do, but once and from the source, so that all rungs say and mean the same.
struct scale_color {
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
};

// ERR_UNSUPPORTED for a matrix that cannot be converted.
int scale_color_of(const struct media_stream *, struct scale_color *ret);

struct scaler;

int scaler_new(struct scaler **ret, int width, int height, const struct scale_color *);
void scaler_free(struct scaler **);
// The picture in the scaler's size; a new reference that the caller frees. `from` may change its
// size and format from call to call. A picture that is right already is passed on, not copied.
int scaler_run(struct scaler *, const AVFrame *from, AVFrame **ret);

#endif
