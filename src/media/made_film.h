// SPDX-License-Identifier: GPL-3.0-or-later
//
// For tests: small films whose every pixel and sample is known by a formula, as files in memory.
#ifndef MEDIA_MADE_FILM_H
#define MEDIA_MADE_FILM_H

#include "media/media.h"

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

struct made_film {
    int width, height; // as coded
    enum AVPixelFormat format;
    enum AVColorRange range;   // 0: not said
    enum AVColorSpace matrix;  // AVCOL_SPC_UNSPECIFIED: not said
    struct rational sar;       // 0/0: not said
    struct rational time_base; // 0/0: 1/25
    const int64_t *pts;        // frames + 1 values; NULL: 0, 1, 2 …
    int64_t frames;
    int speed;       // pixels that the picture moves in a frame; 0: still
    int slow;        // … in so many frames, if over 1
    int noise;       // grey levels, at most, that each pixel of each frame is off
    bool interlaced; // top field first: the lower field is half a frame later
    bool x264;       // lossless with B-pictures and a key every 12; else raw
    // sound: a tone
    int channels; // 0: none
    int sample_rate;
    double sound_start, sound_end; // seconds on the film's clock
    double gap_start, gap_end;     // no packets in between; equal: no gap
    double jump_at, jump;          // from then on, stamps say so many seconds more
};

// The luma (8-bit, limited range) that frame `n` has at x, y of the picture as coded.
int made_luma(const struct made_film *, int64_t n, int x, int y);

struct made_file {
    struct buf bytes;
    struct media_input input;
    struct media_report report; // as inspection would give it: one shot, progressive
    struct media_timeline *timeline;
};

// Fails the test where anything fails.
void made_file_new(struct made_file *ret, const struct made_film *);
void made_file_free(struct made_file *);

// What was published: files by path.
struct made_sink_file {
    char path[64];
    struct buf bytes;
};
struct made_sink {
    VEC(struct made_sink_file) files;
};
media_write_f made_sink_write; // user: struct made_sink *
void made_sink_free(struct made_sink *);
// Initialisation and all segments of a rendition in order, as one file.
void made_sink_join(const struct made_sink *, const char *rendition, struct buf *out);
bool made_sink_equal(const struct made_sink *, const struct made_sink *);

// Decodes the first stream of a file in memory; the caller frees the frames.
struct made_frames {
    VEC(AVFrame *) items;
    AVRational time_base, sar;
    int64_t start_pts; // of the stream
};
void made_decode(struct str file, struct made_frames *ret);
void made_frames_free(struct made_frames *);

#endif
