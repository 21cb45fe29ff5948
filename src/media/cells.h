// SPDX-License-Identifier: GPL-3.0-or-later
//
// A picture's luma by the means of its cells of 8 × 8: what is left of it when noise is not looked
// at. Private to the room.
#ifndef MEDIA_CELLS_H
#define MEDIA_CELLS_H

#include <libavutil/frame.h>
#include <stddef.h>
#include <stdint.h>

struct cells {
    uint16_t *sums; // of the 64 samples of each whole cell
    size_t count;   // 0 for pictures smaller than a cell
};

// Of 8-bit luma. *ret is cleared by the caller.
int cells_of(const AVFrame *, struct cells *ret);
void cells_clear(struct cells *);
// Mean squared difference of the cells' means, in grey levels; both of one size. 0 without cells.
double cells_mse(const struct cells *, const struct cells *);

#endif
