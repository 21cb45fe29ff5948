// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an owner wrote about runbooks: refused with mistakes, or its filters are rules. And what a program answered: refused with a
// reason, or within its limits.
#include "insight/insight.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_file(struct str text)
{
    AUTO(insight_runbooks_free) struct insight_runbooks *all = NULL;
    AUTO(bus_rules_free) struct bus_rules *rules = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    const struct bus_rules_config config = {.actions = &insight_runbook_action,
                                            .action_count = 1};
    if (insight_runbooks_parse(text, "runbooks.yaml", &all, &mistakes) < 0) {
        ASSERT(mistakes.items.len > 0);
        return;
    }
    for (size_t i = 0; i < insight_runbook_count(all); i++) {
        const struct insight_runbook *r = insight_runbook_at(all, i);
        ASSERT(r->timeout_s >= 1 && r->stdout_bytes <= 1 << 20 && r->stderr_bytes > 0);
        ASSERT(r->where == INSIGHT_AT_AGENT || r->run[0][0] == '/');
        ASSERT(insight_runbook_find(all, r->name) == r);
    }
    ASSERT(bus_rules_new(&rules, &config) == 0);
    ASSERT(insight_runbooks_follow(all, rules) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    AUTO(json_free) json_t *answer = NULL;
    if (insight_answer_parse(text, 1 << 16, &answer) == 0) {
        const char *summary = json_str_or(answer, "summary", "");
        ASSERT(*summary && strlen(summary) <= 500 && str_is_line(str_of(summary)));
        ASSERT(json_array_size(json_object_get(answer, "findings")) <= 100);
        return 0;
    }
    read_file(text);
    return 0;
}
