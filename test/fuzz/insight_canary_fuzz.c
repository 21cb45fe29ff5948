// SPDX-License-Identifier: GPL-3.0-or-later
//
// A canary's configuration that a person wrote: refused with mistakes, or a judge.
#include "insight/insight.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(insight_canary_free) struct insight_canary_config *config = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    AUTO(json_free) json_t *json = NULL;
    struct str text = {(const char *)data, size};
    if (insight_canary_parse(text, "canary.yaml", &config, &mistakes) < 0) {
        ASSERT(mistakes.items.len > 0);
        return 0;
    }
    static const double base[] = {1, 2, 3, 4, 5, 6, 7, 8},
                        canary[] = {2, 4, 4, 5, 7, 8, 8, 9};
    struct insight_canary_result *results = calloc(config->metrics.len, sizeof *results);
    ASSERT(results);
    for (size_t i = 0; i < config->metrics.len; i++) {
        ASSERT(insight_canary_compare(
                   config, &config->metrics.data[i], (struct insight_sample){base, 8},
                   (struct insight_sample){canary, 8}, &results[i]) == 0);
    }
    ASSERT(insight_canary_judge(config, results, &json) == 0);
    free(results);
    return 0;
}
