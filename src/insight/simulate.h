// SPDX-License-Identifier: GPL-3.0-or-later
//
// A made cluster of servers: what a healthy fleet does that looks sick (daily cycles, deploys, servers that come and go,
// noisy neighbours, heavy tails, missing values), and faults that a health check misses. The same seed gives the
// same recording on every machine.
#ifndef INSIGHT_SIMULATE_H
#define INSIGHT_SIMULATE_H

#include "insight/peers.h"

#define INSIGHT_FAULTS(X) \
    X(LATENCY, "latency") \
    X(CPU_CAP, "cpu_cap") \
    X(LOSS, "loss")       \
    X(ERRORS, "errors")   \
    X(LEAK, "leak")       \
    X(SLOW_DISK, "slow_disk")
enum insight_fault {
    INSIGHT_HEALTHY,
#define X(name, text) INSIGHT_FAULT_##name,
    INSIGHT_FAULTS(X)
#undef X
        INSIGHT_FAULT_COUNT
};
const char *insight_fault_name(enum insight_fault);
// Kinds to tune by, and others to test by: bits 1 << kind.
extern const unsigned insight_faults_tuning, insight_faults_test;

// In the order of a recording's metrics.
#define INSIGHT_SIMULATED(X)                      \
    X(latency, "ms, of the requests of a minute") \
    X(errors, "share of requests")                \
    X(cpu, "percent")                             \
    X(memory, "percent")                          \
    X(disk, "ms, of a write")                     \
    X(loss, "share of segments sent again")
enum insight_simulated {
#define X(name, what) INSIGHT_SIMULATED_##name,
    INSIGHT_SIMULATED(X)
#undef X
        INSIGHT_SIMULATED_COUNT
};
// -1: there is no such metric.
int insight_simulated_find(const char *name);

struct insight_simulation {
    uint64_t seed;
    size_t servers;                 // at the beginning
    size_t steps;                   // minutes
    unsigned faults;                // kinds that may befall: bits 1 << kind
    double sick;                    // share of servers
    size_t onset_first, onset_last; // a fault's first step is within these
};

struct insight_simulated_cluster {
    struct insight_recording *recording; // all metrics
    enum insight_fault *faults;          // by server
};
void insight_simulated_cluster_free(struct insight_simulated_cluster *);
int insight_simulate(const struct insight_simulation *,
                     struct insight_simulated_cluster *ret);
// The metrics of `config`, by their names, in its order. ERR_NOT_FOUND: one that is not simulated.
int insight_simulated_pick(const struct insight_simulated_cluster *,
                           const struct insight_peers_config *,
                           struct insight_recording **ret);

#endif
