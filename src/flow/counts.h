// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an executor counts of its steps, by their type.
#ifndef FLOW_COUNTS_H
#define FLOW_COUNTS_H

#include "flow/attempt.h"
#include "meter/meter.h"

struct flow_counts;
int flow_counts_new(struct flow_counts **ret, const struct flow_executor_config *);
void flow_counts_free(struct flow_counts **);

// After the transaction that says so.
void flow_counts_started(struct flow_counts *, const struct attempt *);
// Also sends on what the step itself counted, where what it made was taken.
void flow_counts_ended(struct flow_counts *, const struct attempt *);
// Gauges, every few seconds: what runs, what waits, and the jobs.
void flow_counts_look(struct flow_counts *, size_t running);

#endif
