// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far jobs are, on stderr: bars on a terminal, a line now and then elsewhere.
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include "base/base.h"

struct progress;
int progress_new(struct progress **ret);
void progress_free(struct progress **); // clears the bars
// A job as flow_job gives it, under a name for people. Call progress_draw after all.
void progress_job(struct progress *, const char *name, const json_t *job);
// Whether one of its steps runs.
bool progress_runs(const json_t *job);
// The films wait for another's job, which has this name.
void progress_behind(struct progress *, const char *name, const json_t *job);
void progress_draw(struct progress *);
// A line that stays, above the bars.
void progress_say(struct progress *, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Copying and hashing a file.
void progress_bytes(struct progress *, const char *name, int64_t done, int64_t total);

#endif
