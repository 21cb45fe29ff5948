// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/work.h"

static void add_types(struct app_work *work, const struct flow_step_type *types,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ASSERT(work->type_count < ARRAY_LEN(work->types));
        work->types[work->type_count++] = types[i];
    }
}

void app_work_fill(struct app_work *work, const struct ingest_config *ingest)
{
    *work = (struct app_work){0};
    add_types(work, ingest_step_types, ingest_step_type_count);
    add_types(work, insight_step_types, insight_step_type_count);
    add_types(work, insight_related_types, insight_related_type_count);
    if (ingest) {
        work->workflows[work->workflow_count++] = ingest_workflow(ingest);
        work->workflows[work->workflow_count++] = insight_runbook_workflow();
        work->workflows[work->workflow_count++] = insight_related_workflow();
    }
}
