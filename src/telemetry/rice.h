// SPDX-License-Identifier: GPL-3.0-or-later
//
// Small non-negative numbers in few bits: Rice codes, one parameter for all (R. F. Rice, JPL 79-22, 1979; Golomb
// 1966). A number u is its low k bits, and u >> k in unary. The two parts lie apart, so that the low bits are read
// without waiting for the unary ones:
//
//   +---+---------------------------+--------------------------------+------------+
//   | k | low bits, k a number      | u >> k zeros, then a one, each | exceptions |
//   +---+---------------------------+--------------------------------+------------+
//     1   ceil(n k / 8)               to a whole byte                  varints
//
// Where all numbers are below 2^k and nearly as high, there is no unary part, and 64 is added to k.
// A number with RICE_UNARY_MAX zeros or more has just as many, and the rest of u >> k as an exception. Private
// to the room.
#ifndef TELEMETRY_RICE_H
#define TELEMETRY_RICE_H

#include "telemetry/pack.h"

#define RICE_UNARY_MAX 24

// The cheapest parameter, and what it costs.
unsigned rice_parameter(const uint64_t *u, size_t n, uint64_t *ret_bits);
void rice_write(struct buf *out, const uint64_t *u, size_t n, unsigned k);
// Marks `from` bad where it is not what was written.
void rice_read(struct unpack *from, uint64_t *ret, size_t n);

#endif
