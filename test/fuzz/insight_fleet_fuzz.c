// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clusters that an owner wrote: refused, or safe to act by. What is read ends up in command lines and configuration files.
#include "insight/insight.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_other_meaning(const char *text)
{
    ASSERT(!text || (*text && *text != '-' && !strpbrk(text, " ;{}#$'\"`\n\t")));
}

static void look(const struct insight_fleet *fleet, const struct insight_cluster *c)
{
    const struct insight_guards *g = &c->guards;
    ASSERT(insight_fleet_cluster(fleet, c->name) == c);
    ASSERT(c->servers_count > 0);
    ASSERT(g->max_share_percent >= 1 && g->max_share_percent <= 100);
    ASSERT(g->min_left >= 1 && g->max_at_once >= 1 && g->max_per_hour >= 1);
    ASSERT(g->cooldown_s >= 1 && g->min_peers >= 1 && g->outlier_percent >= 1);
    ASSERT(c->drain_s >= 0);
    if (c->action != INSIGHT_NOTIFY) {
        ASSERT(c->discovery.driver != INSIGHT_DISCOVERY_NONE);
        ASSERT(c->action != INSIGHT_TERMINATE || c->life.driver != INSIGHT_LIFE_NONE);
        ASSERT(c->action != INSIGHT_TERMINATE || !insight_cluster_has_work(c) ||
               c->drain_s > 0);
    }
    for (size_t i = 0; i < c->servers_count; i++) {
        const struct insight_server *s = &c->servers[i];
        ASSERT(insight_cluster_server(c, s->name) == s);
        no_other_meaning(s->address);
        no_other_meaning(s->unit);
        no_other_meaning(s->node);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(insight_fleet_free) struct insight_fleet *fleet = NULL;
    AUTO(diag_free) struct diag mistakes = {0};
    struct str text = {(const char *)data, size};
    int err = insight_fleet_parse(text, "clusters.yaml", &fleet, &mistakes);
    if (err < 0) {
        ASSERT(!fleet && (mistakes.items.len > 0 || err != ERR_INVALID));
        return 0;
    }
    ASSERT(fleet->everywhere.max_at_once >= 1 && fleet->everywhere.max_per_hour >= 1);
    for (size_t i = 0; i < fleet->clusters_count; i++) {
        look(fleet, &fleet->clusters[i]);
    }
    return 0;
}
