// SPDX-License-Identifier: GPL-3.0-or-later
//
// Blocks in time. Each tier has windows of `window` slots, beginning at multiples of it:
//
//   |<-------------------- window: 480 ------------------->|
//   [30][30][30][30][30][30]…                                what is frozen becomes a small block
//   [                         480                          ]  when the window is over they become one
//                            │ after keep_ms
//                            ▼
//   [48] of the next tier: sum, least, greatest, count of each slot
//
// A block that takes the place of others says so in its header, and they go when it is in place: whoever opens the
// folder after a crash between the two removes them first. Private to the room.
#ifndef TELEMETRY_TEND_H
#define TELEMETRY_TEND_H

#include "telemetry/series_parts.h"

// ERR_INVALID: tiers whose steps fit no window.
int tend_windows(struct telemetry *);
// Takes the folder's blocks in.
int tend_open(struct telemetry *);
// Freezes what is over and was not written to since `idle_us`, makes blocks of it, and of many blocks few. One at a
// time.
int tend(struct telemetry *, int64_t idle_us);

// --- its parts ------------------------------------------------------------------------------------

// shape: tier, first, slots.
int tend_writer(struct telemetry *, const struct block_shape *, const block_list *old,
                struct block_writer **ret);
int tend_publish(struct telemetry *, struct block_writer *, const block_list *old);
// tend_merge.c: the windows that ended at `due`, a slot of the first tier, become one block each.
int tend_merge(struct telemetry *, int64_t due);
// The windows that are over their time go to the next tier.
int tend_roll(struct telemetry *);
// Until when the next tier has what there was. Needs the head's lock.
void tend_mark_rolled(struct telemetry *);

#endif
