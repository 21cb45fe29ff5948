// SPDX-License-Identifier: GPL-3.0-or-later
//
// For tests of the intake: a store that keeps the values it was given as they came.
#ifndef TELEMETRY_FAKE_STORE_H
#define TELEMETRY_FAKE_STORE_H

#include "telemetry/series.h"

// `step_ms`, and no value older than it.
int fake_store_open(struct telemetry **ret, int64_t step_ms);
void fake_store_close(struct telemetry **);
// What came since the last call, a line a value, sorted: "name,key=value,… @time = value".
char *fake_store_take(struct telemetry *, struct arena *);
size_t fake_store_series(struct telemetry *);
void fake_store_limit(struct telemetry *, size_t series);

#endif
