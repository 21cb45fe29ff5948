// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/crc32c.h"

#include <string.h>

// The reversed polynomial, four bits at a time.
uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t len)
{
    static const uint32_t nibble[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    const uint8_t *at = bytes;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
    }
    return ~crc;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t state = ~crc, word;
    for (; len >= 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        state = _mm_crc32_u64(state, word);
    }
    uint32_t left = (uint32_t)state;
    for (; len > 0; at++, len--) {
        left = _mm_crc32_u8(left, *at);
    }
    return ~left;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, bytes, len)
                                            : crc32c_plain(crc, bytes, len);
}
#else
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return crc32c_plain(crc, bytes, len);
}
#endif
