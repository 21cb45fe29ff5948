// SPDX-License-Identifier: GPL-3.0-or-later
//
// How samples come onto the grid, one series at a time, as Atlas normalises (atlas-core, package norm):
//
//   GAUGE    the last value within (t - step, t]
//   SUM      the values within it, added up
//   RATE     each value v at time x stands for the time since the value before it; what of that lies within
//            the step counts by its share. After a silence of more than two steps it stands for the
//            step it fell into only.
//   COUNTER  the difference to the value before it by seconds, which then goes as RATE does. Where the
//            count became smaller it began anew: how much was lost nobody knows, so the rate is 0.
//
// So a rate of a step is known when a value comes from its end or behind it. Private to the room.
#ifndef TELEMETRY_GRID_H
#define TELEMETRY_GRID_H

#include "telemetry/series.h"

#define GRID_NEVER     INT64_MIN
#define GRID_FORGOTTEN UINT8_MAX // as a dstype: see forget.h
// Two whole steps of silence, and the one that is left.
#define GRID_OUT_MAX 4

struct grid_state {
    int64_t last_ms;  // of the latest sample; GRID_NEVER: none yet
    int64_t rated_ms; // until when `weighted` counts; GRID_NEVER: not begun
    double last;      // COUNTER: the count at last_ms
    double weighted;  // of the step that is open
    uint8_t dstype;   // enum telemetry_dstype
};

struct grid_value {
    int64_t slot; // the grid's time by its step
    double value;
};

// Windows of `slots` slots begin behind a multiple of that, so that coarser slots end where windows do. The first
// slot of the one that has `slot`.
static inline int64_t grid_window(int64_t slot, int64_t slots)
{
    return slot - (slot - 1) % slots;
}

// The number of the slot that `at_ms` falls into.
static inline int64_t grid_slot(int64_t at_ms, int64_t step_ms)
{
    return (at_ms + step_ms - 1) / step_ms; // times are positive
}

// Takes a sample, which for RATE and COUNTER is later than last_ms. How many slots have a value now; for
// SUM it is what to add.
int grid_take(struct grid_state *, int64_t step_ms, int64_t at_ms, double value,
              struct grid_value ret[GRID_OUT_MAX]);

#endif
