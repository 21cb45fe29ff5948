// SPDX-License-Identifier: GPL-3.0-or-later
//
// A table of series: refused, or whole, and what is read of it can be judged.
#include "insight/insight.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(insight_sheet_free) struct insight_sheet t = {0};
    AUTO(insight_changes_free) struct insight_changes c = {0};
    if (insight_sheet_parse((struct str){(const char *)data, size}, &t) < 0) {
        return 0;
    }
    ASSERT(t.rows > 0 && t.columns > 0);
    for (size_t i = 0; i < t.rows * t.columns; i++) {
        ASSERT(isfinite(t.values[i]) || isnan(t.values[i]));
    }
    ASSERT(insight_changes_find(insight_sheet_column(&t, 0), MIN(t.rows, 500), &c) == 0);
    for (size_t i = 0; i < c.count; i++) {
        ASSERT(c.at[i] > (i ? c.at[i - 1] : 0) && c.at[i] < t.rows);
    }
    return 0;
}
