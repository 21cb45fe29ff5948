// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/promql.h"

int telemetry_promql_match(struct str text, struct arena *a,
                           const struct telemetry_match **ret)
{
    struct maker m = {.arena = a, .zone = "UTC", .now_ms = 0};
    const struct node *node = NULL;
    char *copy = arena_dup(a, text); // names point into it
    FAIL_IF(!copy, ERR_NOMEM, "a selector");
    TRY(promql_parse((struct str){copy, text.len}, &m, &node));
    // A selector alone is the latest value of a window without a range.
    FAIL_IF(node->kind != NODE_WINDOW || node->window->has_range, ERR_INVALID,
            "a selector is needed: name{label=\"value\"}");
    *ret = &node->window->query->match;
    return 0;
}
