// SPDX-License-Identifier: GPL-3.0-or-later
//
// The words of one cue as WebVTT cue text (W3C WebVTT section 4.2.2): escaped, without empty lines,
// with no more markup than WebVTT knows. Private to the room.
#ifndef MEDIA_CAPTION_TEXT_H
#define MEDIA_CAPTION_TEXT_H

#include "base/base.h"

#define CAPTION_TEXT_MAX 4096 // bytes of one cue; what goes beyond is cut at a character

enum caption_place { CAPTION_BOTTOM, CAPTION_MIDDLE, CAPTION_TOP };

// The text field of an ASS dialogue (everything that libavcodec decodes becomes one): italics, bold and
// underline stay, other overrides and drawings go. *ret_place from {\anN}.
void caption_text_from_ass(const char *ass, struct buf *out,
                           enum caption_place *ret_place);
// WebVTT cue text as it came: known tags and entities stay, all else is escaped.
void caption_text_from_vtt(struct str text, struct buf *out);
// Cue settings of which each is well-formed, joined by spaces ("line:0 align:start").
void caption_settings_clean(struct str settings, struct buf *out);

#endif
