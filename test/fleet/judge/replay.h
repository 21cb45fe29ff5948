// SPDX-License-Identifier: GPL-3.0-or-later
//
// A real store under a clock of its own: lines go in as they come over the wire, and what the service would ask at
// that time is asked.
#ifndef REPLAY_H
#define REPLAY_H

#include "insight/insight.h"
#include "telemetry/telemetry.h"

struct replay {
    int64_t now_ms, step_ms, flushed_ms;
    struct telemetry *store;
    struct telemetry_intake *intake;
    char folder[40]; // of the store; goes with it
};
// Stays where it is: the store reads its clock from it.
int replay_open(struct replay *, int64_t step_ms, int64_t start_ms);
void replay_close(struct replay *);
// The clock moves on to `ms`; each step that ends on the way is flushed at its end.
int replay_to(struct replay *, int64_t ms);
// Recorded text: `#MILLISECONDS`, and the lines of the datagrams that came then.
int replay_lines(struct replay *, struct str text);

// --- many clusters in one store -------------------------------------------------------------------

// The same questions about the servers of one cluster: those tagged cluster=cN. Owned by the caller.
int replay_cluster(const struct insight_peers_config *, size_t number,
                   struct insight_peers_config **ret);
double replay_cpu_s(void); // of this thread
void replay_show(const char *what, const struct insight_quality *);

#endif
