// SPDX-License-Identifier: GPL-3.0-or-later
//
// What inspection keeps of a frame. Detectors never see pixels: they run at the merge, over the
// features of the whole film in a row, so that their verdicts cannot depend on how the film was
// split. What needs two pictures (difference, fields) is measured on sampled rows; a range keeps
// those of its first and last frame, and the merge measures across the edge with the same code.
// Private to the room.
//
//     picture rows   0 ─────────────── 16 ─────────────── 32
//     sampled              6 7 8 9          22 23 24 25          even rows are of the top field
//     tiles                32 pixels wide, 16 rows high, seen through their four rows
#ifndef MEDIA_FEATURE_H
#define MEDIA_FEATURE_H

#include "media/decode.h"
#include "media/kernels.h"
#include "media/wire.h"

#define FEATURE_GRID     8   // cells a side of the reduced picture
#define FEATURE_ONE      256 // levels of luma are in 1/256
#define FEATURE_MAX_SIDE 16384

enum {
    FEATURE_CORRUPT = 1,    // the decoder marked the picture
    FEATURE_FIRST = 2,      // nothing to compare with
    FEATURE_RESIZED = 4,    // another size than the picture before
    FEATURE_INTERLACED = 8, // what the stream says
    FEATURE_TOP_FIRST = 16,
    FEATURE_FULL_RANGE = 32, // black is 0
};

struct media_feature {
    int64_t pts;            // FINDING_NONE unknown
    int64_t duration;       // 0 unknown
    uint64_t digest;        // of all samples
    uint32_t mean;          // luma, ×256
    uint32_t black_ppm;     // pixels that are black
    uint32_t outside_ppm;   // sampled pixels outside nominal range
    uint32_t difference;    // to the picture before: mean |Δ| ×256
    uint32_t tile;          // the same of the tile that differs most
    uint32_t comb_bottom;   // bottom field's rows against the top's around them ×256
    uint32_t comb_top;      // top field's rows against the bottom's
    uint32_t top_on_bottom; // as comb_bottom, with the bottom field of the picture before
    uint32_t bottom_on_top; // as comb_top, with the top field of the picture before
    uint32_t field_steps;   // rows against the next of their own field, both fields ×256
    uint16_t left, top, right, bottom; // dark borders, pixels
    uint8_t min, max, flags;
    uint8_t grid[FEATURE_GRID * FEATURE_GRID]; // mean luma
};

// Rows of one picture, as compared. Two of one film are comparable when their sizes are equal.
struct media_sample {
    int width, height; // of the picture
    uint8_t *rows;     // media_sample_rows(height) × width
};

int media_sample_rows(int height);
void media_sample_clear(struct media_sample *);

// Fills f's difference, tile, top_on_bottom, bottom_on_top.
void media_feature_compare(const struct kernels *, const struct media_sample *before,
                           const struct media_sample *now, struct media_feature *f);

// What the pictures are, from a frame on.
struct media_look {
    int64_t frame; // counted in the range
    int width, height;
    struct rational sar;
    char pixel_format[32], primaries[24], transfer[24], matrix[24], range[8];
};

struct media_scanner;

int media_scanner_new(const struct kernels *, struct media_scanner **ret);
void media_scanner_free(struct media_scanner **);
// The features of the next frame, compared with the one given before.
int media_scanner_frame(struct media_scanner *, const AVFrame *,
                        struct media_feature *ret);
// The rows of the frame given last; owned by the scanner.
const struct media_sample *media_scanner_sample(const struct media_scanner *);

// One range, as it travels to the merge.
struct media_features {
    VEC(struct media_feature) frames;
    VEC(struct media_look) looks;
    VEC(struct media_defect) defects; // frames counted in the range
    struct media_sample first, last;
    int64_t packets;
    // frame of each random-access point that begins in the range, counted in the range
    VEC(int64_t) cells;
};

void media_features_clear(struct media_features *);
int media_features_write(const struct media_features *, struct buf *out);
// Into an empty one; to be cleared even after failure.
int media_features_read(struct str bytes, struct media_features *ret);

#endif
