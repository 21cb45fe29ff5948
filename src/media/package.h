// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the two manifests have in common. Private to the room.
#ifndef MEDIA_PACKAGE_H
#define MEDIA_PACKAGE_H

#include "media/media.h"

// The tracks a device may have, in the package's order: borrowed from the package.
struct package_choice {
    VEC(const struct media_track *) video;
    VEC(const struct media_track *) audio;
    VEC(const struct media_track *) text;
};

void package_choice_clear(struct package_choice *);
// Codecs are never relaxed. Where nothing is as low as max_height, the lowest is given; where
// nothing is in SDR, HDR is. ERR_NOT_FOUND: no picture (or, of a film without one, no sound) fits.
int package_choose(const struct media_package *, const struct media_filter *,
                   struct package_choice *ret);

// Width of the picture as shown on square pixels.
int package_shown_width(const struct media_rendition *);
// The whole of a track, in its timescale.
int64_t package_track_duration(const struct media_track *);
// Seconds for EXT-X-TARGETDURATION: the longest segment of all picture and sound, to the nearest
// second, at least 1 (RFC 8216bis section 4.4.3.1; the same in all playlists: 6.2.4).
int64_t package_target_s(const struct media_package *);
// `value` ticks of `timescale` as microseconds, to the nearest.
int64_t package_us(int64_t value, int64_t timescale);
// What people call it: its title, else its language.
const char *package_track_name(const struct media_track *);

#endif
