// SPDX-License-Identifier: GPL-3.0-or-later
//
// A walk of our own over a container's structure: libavformat mends silently what a film archive
// wants to know. Private to the room.
#ifndef MEDIA_STRUCTURE_H
#define MEDIA_STRUCTURE_H

#include "media/media.h"

// Recognises Matroska and ISO base media by their first bytes; does nothing for others. Findings name the fault; those
// that cannot touch picture or sound are warnings. 0, ERR_IO or ERR_NOMEM.
int media_structure_check(const struct media_input *, struct findings *);
// For a file that no demuxer opens: says what it might have been.
int media_structure_explain(const struct media_input *, struct findings *);

#endif
