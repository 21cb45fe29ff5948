// SPDX-License-Identifier: GPL-3.0-or-later
//
// The list of series on disk: what the numbers in blocks mean. Only ever appended to, with what is new, before the
// log that told it goes.
//
//   series.roster    entries, one behind the other
//
//   +--------+-----+--------+-------+-------+-----------+-------------------------------------------+
//   | "MQRO" | len | crc32c | first | count | raw bytes | zstd: for each its dstype and its tags    |
//   +--------+-----+--------+-------+-------+-----------+-------------------------------------------+
//       4       4      4       4       4        4                    len; crc32c is of all from `first` on
//
// A damaged entry is reported and passed over: its numbers mean nothing any more. Private to the room.
#ifndef TELEMETRY_ROSTER_H
#define TELEMETRY_ROSTER_H

#include "telemetry/series_parts.h"

// Makes the series known; what is torn at the end is cut off.
int roster_read(struct telemetry *);
// Writes those below `until` that it does not have, durably.
int roster_write(struct telemetry *, uint32_t until);
// All anew, without those that are forgotten.
int roster_rewrite(struct telemetry *);
// The series of the entries in `text`: fed to series_restore. How many bytes are sound, from the beginning, in *ret_sound.
int roster_parse(struct telemetry *, struct str text, size_t *ret_sound);

#endif
