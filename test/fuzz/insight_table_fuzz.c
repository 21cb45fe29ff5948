// SPDX-License-Identifier: GPL-3.0-or-later
//
// Points that a person hands in: refused with a reason, or numbers that are all finite and cluster as points do.
#include "insight/insight.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(insight_table_free) struct insight_table table = {0};
    struct str text = {(const char *)data, size};
    if (insight_table_parse(text, "points.csv", &table) < 0) {
        ASSERT(table.values == NULL);
        return 0;
    }
    ASSERT(table.count > 0 && table.dims > 0);
    for (size_t i = 0; i < table.count * table.dims; i++) {
        ASSERT(isfinite(table.values[i]));
    }
    AUTO(insight_clusters_free) struct insight_clusters found = {0};
    struct insight_points points = {table.values, table.count, table.dims};
    ASSERT(insight_dbscan(&points, 1, 3, &found) == 0);
    for (size_t i = 0; i < table.count; i++) {
        ASSERT(found.labels[i] >= INSIGHT_NOISE &&
               found.labels[i] < (int32_t)found.count);
        ASSERT(!found.core[i] || found.labels[i] >= 0);
    }
    return 0;
}
