// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first byte picks a language: the stack's, addresses of graphs, PromQL. What is read must print, and
// what is printed must be read.
#include "telemetry/telemetry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_stack(struct str text, struct arena *a)
{
    const struct telemetry_expr *e, *again;
    AUTO(buf_free) struct buf out = {0};
    if (telemetry_stack_parse(text, a, &e) == 0 && telemetry_expr_print(e, &out) == 0 &&
        out.len < 4096) {
        ASSERT(telemetry_stack_parse(buf_view(&out), a, &again) == 0);
    }
}

static void fuzz_promql(struct str text, struct arena *a)
{
    const struct telemetry_expr *e;
    telemetry_promql_parse(text, a, &e);
}

static void fuzz_graph(struct str text, struct arena *a)
{
    const struct telemetry_graph *g;
    telemetry_graph_parse(text, INT64_C(1420070400000), 60000, a, &g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *a = NULL;
    if (size == 0 || arena_new(&a) < 0) {
        return 0;
    }
    // A copy of its own size, so that a read behind the end is seen.
    char *copy = malloc(size > 1 ? size - 1 : 1);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data + 1, size - 1);
    struct str text = {copy, size - 1};
    switch (data[0] % 3) {
    case 0:
        fuzz_stack(text, a);
        break;
    case 1:
        fuzz_graph(text, a);
        break;
    default:
        fuzz_promql(text, a);
    }
    free(copy);
    return 0;
}
