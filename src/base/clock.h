// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

int64_t clock_mono_us(void); // for durations
int64_t clock_wall_us(void); // since 1970-01-01T00:00:00Z
int64_t clock_cpu_us(void);  // of this process, all threads

#define CLOCK_RFC3339_BYTES 32
// "2026-11-22T18:39:00.123456Z" (RFC 3339, always UTC).
void clock_rfc3339(int64_t wall_us, char ret[CLOCK_RFC3339_BYTES]);
// "YYYY-MM-DD", or a whole RFC 3339 time in UTC ("…Z"). ERR_INVALID otherwise, also for a day that no
// calendar has and for a leap second.
int clock_parse(struct str text, int64_t *ret_wall_us);

#endif
