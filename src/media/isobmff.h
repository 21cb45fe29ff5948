// SPDX-License-Identifier: GPL-3.0-or-later
//
// The outermost boxes of an ISO base media file (ISO/IEC 14496-12 4.2). Private to the room.
#ifndef MEDIA_ISOBMFF_H
#define MEDIA_ISOBMFF_H

#include "media/media.h"

// "truncated": a box reaches beyond the file, or the film's index is missing. A mere mdat that
// claims too much while the index is there is a warning, "box_size": the index is what counts, and
// reading its samples is checked elsewhere. 0, ERR_IO, ERR_NOMEM.
int media_isobmff_check(const struct media_input *, struct findings *);

#endif
