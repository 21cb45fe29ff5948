// SPDX-License-Identifier: GPL-3.0-or-later
//
// CRC-32C (Castagnoli; RFC 3720 appendix B.4), by the processor's instruction where it has one. Private to
// the room.
#ifndef TELEMETRY_CRC32C_H
#define TELEMETRY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

// Of `bytes` behind those that gave `crc`; 0 to begin with.
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
// The plain one, which is the truth.
uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t len);

#endif
