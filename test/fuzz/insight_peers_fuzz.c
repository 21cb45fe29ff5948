// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an owner wrote about clusters of servers: refused with mistakes, or it can judge a made cluster.
#include "insight/insight.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERVERS 12

static void look(const struct insight_peers_config *c)
{
    size_t steps = c->window + 3;
    // Huge windows are read right, and would only take long.
    if (steps > 200 || c->metric_count > 8) {
        return;
    }
    AUTO(insight_recording_free) struct insight_recording *r = NULL;
    AUTO(insight_suspects_free) struct insight_suspects *found = NULL;
    ASSERT(insight_recording_new(&r, c->metric_count, SERVERS, steps) == 0);
    r->step_ms = c->step_ms;
    for (size_t i = 0; i < c->metric_count * SERVERS * steps; i++) {
        r->values[i] = i % 17 ? (double)(i * 7919 % 101) : NAN;
    }
    for (size_t s = 0; s < SERVERS; s++) {
        ASSERT(cstr_printf(&r->names[s], "s%zu", s) == 0);
    }
    ASSERT(insight_peers_suspect(c, r, &found) == 0);
    ASSERT(found->list.len <= SERVERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(insight_peers_file_free) struct insight_peers_file file = {0};
    AUTO(diag_free) struct diag mistakes = {0};
    struct str text = {(const char *)data, size};
    if (insight_peers_parse(text, "peers.yaml", &file, &mistakes) < 0) {
        ASSERT(mistakes.items.len > 0);
        ASSERT(file.clusters.len == 0);
        return 0;
    }
    ASSERT(file.clusters.len > 0);
    vec_for_each (cluster, &file.clusters) {
        ASSERT((*cluster)->metric_count > 0 && (*cluster)->window > 0);
        ASSERT((*cluster)->enough >= 1 && (*cluster)->enough <= (*cluster)->of);
        look(*cluster);
    }
    return 0;
}
