// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an owner wrote about events and what follows them: refused with a mistake, or a whole set of rules.
#include "bus/bus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(bus_rules_free) struct bus_rules *rules = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    const struct bus_rules_config config = {.actions = bus_rule_actions,
                                            .action_count = bus_rule_action_count};
    int err = bus_rules_parse((struct str){(const char *)data, size}, "rules.yaml",
                              &config, &rules, &mistakes);
    ASSERT((err == 0) == (rules != NULL));
    ASSERT(err != 0 || mistakes.items.len == 0);
    ASSERT(err != ERR_INVALID || mistakes.items.len > 0);
    return 0;
}
