// SPDX-License-Identifier: GPL-3.0-or-later
//
// FFV1 pictures checked by their own sums, beside the decoder. Private to the room.
#ifndef MEDIA_FFV1_H
#define MEDIA_FFV1_H

#include <stddef.h>
#include <stdint.h>

// Looks at the slice footers of one version 3 picture (RFC 9043 4.9). NULL when they add up,
// otherwise what is wrong in words that live for ever.
const char *media_ffv1_check(const uint8_t *bytes, size_t len);

#endif
