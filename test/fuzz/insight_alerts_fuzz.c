// SPDX-License-Identifier: GPL-3.0-or-later
//
// Alert rules that an owner wrote: refused with a line for each mistake, or each expression is looked at.
#include "insight/insight.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(insight_alert_rules_free) struct insight_alert_rules *rules = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    struct str text = {(const char *)data, size};
    int err = insight_alert_rules_parse(text, "alerts.yaml", &rules, &mistakes);
    if (err < 0) {
        ASSERT(!rules && (mistakes.items.len > 0 || err != ERR_INVALID));
        return 0;
    }
    ASSERT(mistakes.items.len == 0);
    err = insight_alert_rules_check(rules, text, "alerts.yaml", &mistakes);
    ASSERT(err < 0 || mistakes.items.len == 0);
    ASSERT(mistakes.items.len <= insight_alert_rule_count(rules));
    return 0;
}
