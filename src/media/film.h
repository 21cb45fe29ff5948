// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole film as the detectors see it: features of all frames in a row, however many ranges they
// came from. Each detector is a function from here to findings. Private to the room.
#ifndef MEDIA_FILM_H
#define MEDIA_FILM_H

#include "media/feature.h"

struct media_film {
    const struct media_source *source;
    const struct media_stream *stream; // the picture
    const struct media_timeline *promised;
    struct media_feature *frames; // owned by whoever made the film
    int64_t count;
    int64_t *pts;       // count + 1, ascending
    int64_t step;       // the usual distance of two frames, in the time base; ≥ 1
    int64_t irregular;  // distances that are not the usual one
    int64_t disordered; // frames whose time stamp was not above the one before
    int64_t first_disorder;
    int64_t untimed; // frames without a time in a film that was therefore laid out evenly
    struct findings *findings;
};

// Frames in so many milliseconds at the usual distance, at least 1.
int64_t film_frames_in_ms(const struct media_film *, int64_t ms);
int64_t film_ms_of(const struct media_film *, int64_t start_frame, int64_t end_frame);
bool film_is_black(const struct media_feature *);
// First frame at or behind a time; `count` when there is none.
int64_t film_frame_at(const struct media_film *, int64_t pts);
// Whether a finding of this kind is there already.
bool film_has(const struct media_film *, const char *kind);
// Takes the evidence.
int film_add(struct media_film *, const char *kind, enum finding_severity,
             int64_t start_frame, int64_t end_frame, json_t *evidence);

// film_time.c: "non_monotonic", "missing_timestamps", "timestamp_gap", "missing_frames", "leading_frames",
// "length_mismatch".
int film_detect_time(struct media_film *, const json_t *tracks);
// film_damage.c: "decode_error", "corrupt_packets", "container_damage", "decoding_stalled",
// "corrupt_frames".
int film_detect_damage(struct media_film *, const struct media_defect *, size_t count);
// film_picture.c: "black", "frozen", "duplicated_frames", "duplicated_cadence", "illegal_levels".
int film_detect_picture(struct media_film *);
// film_form.c: "interlaced", "field_order", "letterbox", "picture_changes", "unsupported_hdr".
int film_detect_scan(struct media_film *, char ret_scan[16]);
int film_detect_crop(struct media_film *, struct media_crop *ret);
int film_detect_looks(struct media_film *, const struct media_look *, size_t count);
// film_shots.c
int film_detect_shots(const struct media_film *, struct media_report *ret);
int64_t film_choose_poster(const struct media_film *);

#endif
