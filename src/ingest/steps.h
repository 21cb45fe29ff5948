// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside a step's process: inputs, outputs and results in the forms that media wants.
#ifndef INGEST_STEPS_H
#define INGEST_STEPS_H

#include "ingest/internal.h"

int step_probe(struct flow_step *);
int step_inspect_range(struct flow_step *);
int step_inspect_audio(struct flow_step *);
int step_inspect_merge(struct flow_step *);
int step_plan(struct flow_step *);
int step_encode_video(struct flow_step *);
int step_encode_audio(struct flow_step *);
int step_assemble(struct flow_step *);
int step_captions(struct flow_step *);
int step_stills(struct flow_step *);
int step_package(struct flow_step *);

// The one part of a step that has no others.
#define PART_MAIN "main"

// Not synced: the executor makes outputs durable when it commits.
int step_write(struct flow_step *, const char *part, const char *name, const void *bytes,
               size_t len);
int step_write_json(struct flow_step *, const char *part, const char *name,
                    const json_t *value); // canonical
int step_read(struct flow_step *, const char *input, struct buf *out);
int step_timeline(struct flow_step *, const char *input, struct media_timeline **ret);
int step_report(struct flow_step *, const char *input, struct media_report **ret);
int step_source(struct flow_step *, const char *input, struct media_source **ret);
// A media_progress_f; `user` is the step.
void step_progress(void *user, int64_t done, int64_t total);
// Ends this process where it makes no end: seconds of CPU time.
void step_limit_cpu(int64_t seconds);

#endif
