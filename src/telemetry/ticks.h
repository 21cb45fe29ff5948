// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the marks of an axis stand and what they say.
#ifndef TELEMETRY_TICKS_H
#define TELEMETRY_TICKS_H

#include "telemetry/graph.h"

#define TICKS_MAX 100

struct tick {
    double at; // a value, or milliseconds since 1970
    char text[24];
    bool is_major;
};
struct ticks {
    struct tick list[TICKS_MAX];
    size_t count;
};

// Of values from low to high, low < high, both finite; about `wanted` of them, on round numbers.
void ticks_of_values(double low, double high, size_t wanted, const struct graph_axis *,
                     struct ticks *ret);
// Of times, on round hours and days of the zone; major where a day begins. At most `most`.
void ticks_of_time(int64_t start_ms, int64_t end_ms, size_t most, const struct zone *,
                   struct ticks *ret);
// "12.345k", "980.000m", as a legend shows a value; "NaN". `ticks` as of its axis.
#define TICKS_TEXT_BYTES 24
void ticks_text(double value, enum graph_ticks ticks, char ret[TICKS_TEXT_BYTES]);

// Where a value lies between low (0) and high (1) on that scale; beyond them outside 0..1.
double ticks_place(double value, double low, double high, enum graph_scale scale);

#endif
