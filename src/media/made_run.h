// SPDX-License-Identifier: GPL-3.0-or-later
//
// For tests: a made film through plan and encoders. Fails the test where a preparation fails.
#ifndef MEDIA_MADE_RUN_H
#define MEDIA_MADE_RUN_H

#include "media/encode.h"
#include "media/made_film.h"

struct run {
    struct made_file file;
    struct media_ladder *ladder;
    struct media_plan *plan;
    struct made_sink sink;
    VEC(struct media_encoded) encoded; // renditions × chunks
    media_progress_f *progress;
    int err;
};

#define H264_240                                                        \
    "video:\n  - {codec: h264, height: 240, preset: veryfast, crf: 23," \
    " max_kbps: 3000, buffer_ms: 2000}\n"
#define AAC      "audio:\n  - {codec: aac, kbps: 96}\n  - {codec: opus, kbps: 64}\n"
#define NO_SOUND "audio: []\n"

// A ladder of these rungs, segments of `segment_ms`, chunks of two.
void run_new(struct run *, const struct made_film *, const char *rungs,
             int64_t segment_ms);
void run_plan(struct run *);
// Encodes all pictures; stops at the first failure, in run's err.
void run_video(struct run *, const struct encode_faults *);
void run_audio(struct run *);
void run_free(struct run *);
void expect_success(const struct run *);

#endif
