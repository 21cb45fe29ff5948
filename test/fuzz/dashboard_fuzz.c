// SPDX-License-Identifier: GPL-3.0-or-later
//
// A dashboard that somebody wrote: refused with a mistake, or an object that the pages can draw.
#include "app/dashboards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_free) json_t *board = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    int err = dashboard_parse("fuzz", (struct str){(const char *)data, size}, "d.yaml",
                              &board, &mistakes);
    if (err < 0) {
        ASSERT(!board && (mistakes.items.len > 0 || err != ERR_INVALID));
        return 0;
    }
    size_t graphs = 0, row, graph;
    const json_t *r, *g;
    json_array_foreach(json_object_get(board, "rows"), row, r)
    {
        json_array_foreach(json_object_get(r, "graphs"), graph, g)
        {
            ASSERT(json_str_or(g, "q", NULL) && json_str_or(g, "title", NULL));
            graphs++;
        }
    }
    ASSERT(json_i64_or(board, "graphs", -1) == (int64_t)graphs);
    return 0;
}
