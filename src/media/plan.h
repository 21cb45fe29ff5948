// SPDX-License-Identifier: GPL-3.0-or-later
//
// The parts of a plan, each a pure function. Private to the room.
#ifndef MEDIA_PLAN_H
#define MEDIA_PLAN_H

#include "media/media.h"

// Fills segments and chunks from the timeline, the shots and the random-access points.
int plan_cut(const struct media_report *, const struct media_timeline *,
             const struct media_ladder *, struct media_plan *);
// Fills renditions and groups from the source and the ladder.
int plan_offer(const struct media_report *, const struct media_timeline *,
               const struct media_ladder *, struct media_plan *);

// Frames before a frame that its deinterlacing looks at: 1, or 0 where nothing is deinterlaced.
int64_t plan_context_frames(const struct media_report *);
// The last random-access point that gives `frame` and its context; -1: the start of the file.
int64_t plan_find_rap(const struct media_timeline *, int64_t frame, int64_t context);

int plan_rendition_to_json(const struct media_rendition *, json_t **ret);
int plan_rendition_from_json(const json_t *, struct media_rendition *ret);

#endif
