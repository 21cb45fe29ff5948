// SPDX-License-Identifier: GPL-3.0-or-later
//
// A row of values, some of them missing, in few bytes.
//
//   values ─▶ integers ─▶ what a predictor leaves ─▶ Rice codes
//
// Integers. Most series were decimals or counts once: v = m / d, with d a power of ten, or the seconds of a step
// by which a count was divided. The smallest d that gives back the values is taken. Sums and means of decimals miss
// them by a few last bits (51.846000000000004): with all 53 bits wanted, d may be one that nearly gives back all but
// a few values, and nudges say how many doubles further each value is. Where no d does, m is the IEEE bits
// themselves, counted up and down from zero, so that near values have near numbers, rounded
// to `precision` significant bits. Then the greatest common divisor of all m - m0 is taken out. That most doubles that
// are kept are decimals in this sense is what ALP builds on (A. Afroozeh, L. Kuffó, P. Boncz, SIGMOD 2024).
//
// What is lost: nothing of whole numbers below 2^53, and nothing but the sign of zero at a precision of 53;
// else at most the part 2^-(precision + 1) of a value.
//
// Predictors. None, the value before, the line through the two before, and three that follow slowly (half, a
// quarter, an eighth of the way to each value), the best of which a constant is taken off: so a counter that
// grows by 1000 ± 30 costs what ± 30 costs.
//
//   +------+---------+-------------+----+-----+--------+----------------------------+---------------+
//   | kind | divisor | gaps        | m0 | gcd | center | numbers                    | nudges        |
//   +------+---------+-------------+----+-----+--------+----------------------------+---------------+
//     1      1         if any        v    v     v        dense: Rice codes of all     0, Rice codes; or
//                      count, runs                       sparse: count, places,       count + 1, places,
//                                                        Rice codes of those not 0    Rice codes of those not 0
//
//   kind: bits 0-1 codec_form, bit 2 gaps, bits 3-5 predictor, bit 6 numbers are >= 0 (no zigzag), bit 7 nudges.
//   v: a varint. CONSTANT has nothing between m0 and nudges.
//
// Private to the room.
#ifndef TELEMETRY_CODEC_H
#define TELEMETRY_CODEC_H

#include "base/base.h"

#define CODEC_VALUES_MAX 2048

// NaN is a gap. At least one value is there.
void codec_encode(const double *values, size_t count, unsigned precision,
                  struct buf *out);
// ERR_CORRUPT: not what codec_encode writes. Never reads behind `len`.
int codec_decode(const void *bytes, size_t len, double *ret, size_t count);

#endif
