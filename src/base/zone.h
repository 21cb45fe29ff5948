// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time zones by name ("Europe/Vienna", "UTC"), read from the system's zone files: several at once, any
// thread, and the process' own zone does not matter.
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/str.h"

struct zone;

// ERR_NOT_FOUND: no zone of that name; ERR_CORRUPT: its file is not of RFC 8536.
int zone_open(struct zone **ret, const char *name);
void zone_free(struct zone **);
// The bytes of a zone file, for tests of hostile ones.
int zone_parse(struct zone **ret, const char *name, struct str bytes);
const char *zone_name(const struct zone *);

// Seconds east of Greenwich at that second since 1970. *ret_abbreviation (may be NULL): "CET".
int32_t zone_offset(const struct zone *, int64_t utc_s, const char **ret_abbreviation);
// The second at which clocks there show `local_s` (seconds since 1970 as if they were UTC). Where a
// change of clocks skips it: the instant of the change; where it comes twice: the first.
int64_t zone_to_utc(const struct zone *, int64_t local_s);

// A moment by the calendar; months and days from 1, Monday is 1.
struct zone_date {
    int64_t year;
    int month, day, hour, minute, second, weekday, year_day;
};
// Of seconds since 1970 that are local already: utc + zone_offset.
struct zone_date zone_date(int64_t local_s);
int64_t zone_seconds(const struct zone_date *); // its inverse; weekday, year_day ignored

#endif
