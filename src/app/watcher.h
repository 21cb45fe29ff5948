// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a service does by itself beside serving: treats sick servers, looks at alert rules,
// follows rules over events. Described in
// files of a folder: clusters.yaml, peers.yaml, alerts.yaml, calls.yaml, rules.yaml, runbooks.yaml; what is not there is not done.
#ifndef APP_WATCHER_H
#define APP_WATCHER_H

#include "insight/insight.h"
#include "telemetry/telemetry.h"

struct watcher;
struct watcher_config {
    struct store *store;
    struct telemetry *series; // NULL: no alerts, no looks
    const char *conf_dir;
    const char *base_url;
};
// ERR_INVALID: a mistake in a file; all of them go to stderr.
int watcher_start(struct watcher **ret, const struct watcher_config *);
void watcher_stop(struct watcher **);
// Borrowed; NULL without clusters.yaml.
struct insight_act *watcher_act(struct watcher *);
// Borrowed; NULL without runbooks.yaml.
const struct insight_runbooks *watcher_runbooks(struct watcher *);

#endif
