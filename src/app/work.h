// SPDX-License-Identifier: GPL-3.0-or-later
//
// What executors of this program run: the steps and workflows of all rooms.
#ifndef APP_WORK_H
#define APP_WORK_H

#include "ingest/ingest.h"
#include "insight/insight.h"

struct app_work {
    struct flow_step_type types[32];
    size_t type_count;
    struct flow_workflow workflows[4];
    size_t workflow_count;
};
// `ingest` outlives it; NULL for steps alone.
void app_work_fill(struct app_work *, const struct ingest_config *ingest);

#endif
