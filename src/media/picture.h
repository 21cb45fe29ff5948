// SPDX-License-Identifier: GPL-3.0-or-later
//
// The frames of a chunk as they are to be shown: progressive and upright, one for each frame of
// the film. Private to the room.
#ifndef MEDIA_PICTURE_H
#define MEDIA_PICTURE_H

#include "media/media.h"

#include <libavutil/frame.h>

struct pictures;

struct pictures_config {
    const struct media_report *report;
    const struct media_timeline *timeline;
    struct media_chunk chunk;
};

int pictures_new(struct pictures **ret, const struct media_input *,
                 const struct pictures_config *);
void pictures_free(struct pictures **);
// Frame chunk.start_frame first. ERR_CORRUPT when the film ends before the chunk does. The caller
// frees *ret. Not called beyond the chunk's end.
int pictures_next(struct pictures *, AVFrame **ret);

#endif
