// SPDX-License-Identifier: GPL-3.0-or-later
//
// The loops that touch each pixel of a film. Plain C is the truth; AVX2 beside it gives the same
// numbers bit for bit, and is chosen at run time. Private to the room.
#ifndef MEDIA_KERNELS_H
#define MEDIA_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A 64-bit digest of bytes, in order. Made to tell pictures apart, not to resist anybody.
struct kernel_digest {
    uint64_t lane[4];
};

// Of the rows of a picture's luma, 8 bits.
struct kernel_scan {
    struct kernel_digest digest;
    uint64_t sum;
    uint64_t black; // pixels at or below the threshold
    uint8_t min, max;
};

// Of one tile of sampled rows against the same tile a picture earlier.
#define KERNEL_TILE 32 // pixels wide

struct kernels {
    const char *name;
    // Adds one row of n ≥ 0 bytes.
    void (*digest)(struct kernel_digest *, const uint8_t *row, size_t n);
    void (*scan)(struct kernel_scan *, const uint8_t *row, size_t n, uint8_t black);
    // row >> shift as bytes, saturated.
    void (*narrow)(uint8_t *ret, const uint16_t *row, size_t n, int shift);
    // Sum of absolute differences.
    uint32_t (*sad)(const uint8_t *a, const uint8_t *b, size_t n);
    // Σ |above − 2·middle + below|
    uint64_t (*comb)(const uint8_t *above, const uint8_t *middle, const uint8_t *below,
                     size_t n);
    // max(columns[i], row[i]) into columns
    void (*column_max)(uint8_t *columns, const uint8_t *row, size_t n);
};

extern const struct kernels kernels_c;
// NULL where this build or this processor has none.
const struct kernels *kernels_avx2(void);
// The fastest that the processor runs.
const struct kernels *kernels_best(void);

void kernel_digest_init(struct kernel_digest *);
uint64_t kernel_digest_finish(const struct kernel_digest *);

#endif
