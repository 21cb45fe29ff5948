// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sums of squared differences of 8-bit planes. Private to the room.
#ifndef MEDIA_SSE_H
#define MEDIA_SSE_H

#include <stddef.h>
#include <stdint.h>

struct plane8 {
    const uint8_t *data;
    ptrdiff_t stride;
};

// width × height ≤ 2^31 samples, width ≤ 65536.
typedef uint64_t sse_f(struct plane8 a, struct plane8 b, int width, int height);

sse_f sse_c;           // the truth
sse_f *sse_best(void); // the fastest that this CPU has; equal to the truth

#endif
