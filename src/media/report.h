// SPDX-License-Identifier: GPL-3.0-or-later
//
// Parts of struct media_report that the merge makes. Private to the room.
#ifndef MEDIA_REPORT_H
#define MEDIA_REPORT_H

#include "media/film.h"

// The report's `series`, out of frames and what the sound's inspection gave.
int media_series_make(const struct media_film *, const json_t *audio, json_t **ret);

#endif
