// SPDX-License-Identifier: GPL-3.0-or-later
//
// More candidates than one process looks at, as steps of a job. Inside the room but for the workflow (insight.h).
//
//     store of series ─▶ chunk, chunk, … ─▶ related.sift each ─▶ related.merge ─▶ the alert's row
//
// A chunk is a blob of its own that holds the question, too: a step needs nothing else.
#ifndef INSIGHT_SPREAD_H
#define INSIGHT_SPREAD_H

#include "flow/flow.h"
#include "insight/signals.h"

// Where insight_signals_ask leaves what is too much for it.
struct insight_spread {
    struct store_blobs *blobs;
    size_t chunk;   // candidates of a chunk; 0: 10,000
    json_t *chunks; // of hashes, in their order; NULL: there was no need
    bool more;      // than chunks are taken
};
void spread_clear(struct insight_spread *);
// Keeps one more chunk.
int spread_put(struct insight_spread *, const struct insight_signals *,
               const struct insight_relate_config *);

// Submits the job for an alert's firing, in the transaction that remembers it.
struct spread_firing {
    const char *alert;
    int64_t fired_us;
};
int spread_submit(struct store_tx *, const struct insight_spread *,
                  const struct spread_firing *, char ret_job[UUID_BYTES]);

#endif
