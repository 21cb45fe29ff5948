// SPDX-License-Identifier: GPL-3.0-or-later
//
// For tests of answers: a store that is a list of random series with gaps, which a scan walks.
#ifndef TELEMETRY_MADE_SERIES_H
#define TELEMETRY_MADE_SERIES_H

#include "telemetry/telemetry.h"

#define MADE_STEP   60000
#define MADE_POINTS 48
#define MADE_LEAD   16 // before the span of a question, for those that look back
#define MADE_SERIES 14
#define MADE_KEYS   3
#define MADE_START  (INT64_C(1420070400000) + 7 * MADE_STEP)

struct made_series {
    const char *name;
    const char *key[MADE_KEYS]; // of k0, k1, k2; NULL: it has none
    double v[MADE_LEAD + MADE_POINTS];
};

extern struct made_series made_series[MADE_SERIES];
extern const char *const made_keys[MADE_KEYS];
extern uint64_t made_random; // the state; not 0
unsigned made_draw(unsigned below);
void made_fill(void);

#endif
