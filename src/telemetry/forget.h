// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series that have no value any more, in no block and no window: the index lets them go, so that limits of
// cardinality count what there is. Nothing on disk says that a series is forgotten: it follows from the blocks, so
// no crash can come between. A number stays taken for good; who still holds it and appends to it gets the series
// anew, under another one.
//
// While the store is open a series is forgotten when two looks, a meter's lifetime apart, found it without values
// and silent: whoever has just made one has time to use it. At opening one look is enough, nobody holds a
// number yet. Where a block cannot be read nothing is forgotten: its numbers may be those of any series.
// Private to the room.
#ifndef TELEMETRY_FORGET_H
#define TELEMETRY_FORGET_H

#include "telemetry/series_parts.h"

#define FORGET_LIFETIME_MS INT64_C(900000)

int forget_at_opening(struct telemetry *);
// Looks once a lifetime. Needs `work`.
int forget_silent(struct telemetry *);
// A series under a new number: its tags are those of another that is restored. Needs nothing.
void forget_one(struct telemetry *, uint32_t series);

#endif
