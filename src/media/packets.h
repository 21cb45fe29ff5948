// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the packets of a file promise: times, random-access points, and where they contradict
// themselves. Private to the room.
#ifndef MEDIA_PACKETS_H
#define MEDIA_PACKETS_H

#include "media/input.h"

// Reads every packet of `file` from where it stands. Fills durations of `source`'s streams that the
// packets know better, and the promise for source->video (a timeline of 0 frames where there is
// none). Findings: "corrupt_packets", "non_monotonic", "container_damage", "damaged_slices", "encrypted".
int media_packets_walk(struct media_file *file, struct media_source *source,
                       struct media_timeline **ret, struct findings *);

#endif
