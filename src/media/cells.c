// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/cells.h"

#include "base/base.h"

#include <stdlib.h>

#define SIDE 8

int cells_of(const AVFrame *f, struct cells *ret)
{
    int columns = f->width / SIDE, rows = f->height / SIDE;
    size_t count = (size_t)columns * (size_t)rows;
    uint16_t *sums = calloc(count + 1, sizeof *sums);
    FAIL_IF(!sums, ERR_NOMEM, "cells");
    for (int y = 0; y < rows * SIDE; y++) {
        const uint8_t *row = f->data[0] + (ptrdiff_t)y * f->linesize[0];
        uint16_t *to = sums + (size_t)(y / SIDE) * (size_t)columns;
        for (int x = 0; x < columns; x++, row += SIDE) {
            int sum = 0;
            for (int i = 0; i < SIDE; i++) {
                sum += row[i];
            }
            to[x] = (uint16_t)(to[x] + sum);
        }
    }
    *ret = (struct cells){sums, count};
    return 0;
}

void cells_clear(struct cells *c)
{
    free(c->sums);
    *c = (struct cells){0};
}

double cells_mse(const struct cells *a, const struct cells *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < a->count; i++) {
        int64_t d = a->sums[i] - b->sums[i];
        sum += (uint64_t)(d * d);
    }
    double samples = SIDE * SIDE;
    return a->count ? (double)sum / (samples * samples * (double)a->count) : 0;
}
