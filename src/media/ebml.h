// SPDX-License-Identifier: GPL-3.0-or-later
//
// Matroska's structure, element by element. Private to the room.
#ifndef MEDIA_EBML_H
#define MEDIA_EBML_H

#include "media/media.h"

// Walks the file from `start`, where an EBML header is. Adds a finding for each kind of fault, with
// places and texts of the first ones: "ebml_header", "ebml_structure", "ebml_crc", "ebml_text",
// "matroska_parent", "matroska_mandatory", "matroska_value", "matroska_seek". 0, ERR_IO, ERR_NOMEM.
int media_ebml_check(const struct media_input *, int64_t start, struct findings *);

#endif
