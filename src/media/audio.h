// SPDX-License-Identifier: GPL-3.0-or-later
//
// What media_inspect_audio wrote, for the merge. Private to the room.
#ifndef MEDIA_AUDIO_H
#define MEDIA_AUDIO_H

#include "media/media.h"

// {"tracks":[{"stream","loudness":null|{…},"peaks":[permille],"step_us","samples","start_pts",
// "end_pts","time_base":[n,d]}],"findings":[…]}; of empty bytes: without tracks. ERR_CORRUPT.
int media_audio_read(struct str bytes, json_t **ret);

#endif
