// SPDX-License-Identifier: GPL-3.0-or-later
//
// A frame as a small JPEG, as it is to be seen. Private to the room.
#ifndef MEDIA_JPEG_H
#define MEDIA_JPEG_H

#include "media/media.h"

#include <libavutil/frame.h>

struct media_jpeg;

int media_jpeg_new(struct media_jpeg **ret);
void media_jpeg_free(struct media_jpeg **);
// Size of a picture of width × height coded pixels when shown at most `width_limit` wide: sample
// aspect ratio and rotation (clockwise degrees) applied, never enlarged, even.
void media_jpeg_size(int width, int height, struct rational sar, int rotation,
                     int width_limit, int *ret_width, int *ret_height);
// The same bytes for the same frame, everywhere: no SIMD that rounds differently, one thread, no
// comment. Appends to `out`.
int media_jpeg_make(struct media_jpeg *, const AVFrame *, struct rational sar,
                    int rotation, int width_limit, struct buf *out);

#endif
