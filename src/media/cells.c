// SPDX-License-Identifier: GPL-3.0-or-later
#include "media/cells.h"

#include "base/base.h"

#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define SIDE 8

// Adds the sums of a row's samples, cell by cell. On x86-64 one instruction sums eight.
static void add_row(const uint8_t *row, int columns, uint16_t *to)
{
    int x = 0;
#if defined(__SSE2__)
    for (; x + 2 <= columns; x += 2) {
        __m128i two = _mm_loadu_si128((const __m128i *)(const void *)(row + x * SIDE));
        __m128i sums = _mm_sad_epu8(two, _mm_setzero_si128());
        to[x] = (uint16_t)(to[x] + _mm_cvtsi128_si32(sums));
        to[x + 1] = (uint16_t)(to[x + 1] + _mm_extract_epi16(sums, 4));
    }
#endif
    for (; x < columns; x++) {
        int sum = 0;
        for (int i = 0; i < SIDE; i++) {
            sum += row[x * SIDE + i];
        }
        to[x] = (uint16_t)(to[x] + sum);
    }
}

int cells_of(const AVFrame *f, struct cells *ret)
{
    int columns = f->width / SIDE, rows = f->height / SIDE;
    size_t count = (size_t)columns * (size_t)rows;
    uint16_t *sums = calloc(count + 1, sizeof *sums);
    FAIL_IF(!sums, ERR_NOMEM, "cells");
    for (int y = 0; y < rows * SIDE; y++) {
        add_row(f->data[0] + (ptrdiff_t)y * f->linesize[0], columns,
                sums + (size_t)(y / SIDE) * (size_t)columns);
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
