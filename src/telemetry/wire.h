// SPDX-License-Identifier: GPL-3.0-or-later
//
// How numbers come in: spectatord lines over datagram sockets, and bodies of HTTP requests in the forms
// that Atlas and Prometheus senders speak. All input is hostile: what cannot be read is counted by
// reason and dropped.
#ifndef TELEMETRY_WIRE_H
#define TELEMETRY_WIRE_H

#include "telemetry/series.h"

// What came and what became of it, by reason. A table, so that names and counts cannot drift apart.
#define TELEMETRY_INTAKE_COUNTS(X)                              \
    X(lines, "lines read")                                      \
    X(samples, "values stored")                                 \
    X(malformed, "lines or bodies that are not of the grammar") \
    X(bad_value, "values that are no finite number")            \
    X(too_old, "values from before the step that is open")      \
    X(over_limit, "values of series over a limit")

struct telemetry_intake_counts {
#define X(name, text) uint64_t name;
    TELEMETRY_INTAKE_COUNTS(X)
#undef X
};

// Meters as spectatord keeps them (lifetimes, gauge TTLs, percentile buckets), put into the store at each
// step. It adds `common` to the tags of every meter.
struct telemetry_intake;
struct telemetry_intake_config {
    struct telemetry *store;
    const struct telemetry_tags *common; // copied; NULL: none
    int64_t flush_ms;                    // 0: 5,000
};
int telemetry_intake_new(struct telemetry_intake **ret,
                         const struct telemetry_intake_config *);
void telemetry_intake_free(struct telemetry_intake **);
// A datagram of lines. Never fails for what it holds. Any thread.
void telemetry_intake_lines(struct telemetry_intake *, struct str lines);
struct telemetry_intake_counts telemetry_intake_counts(struct telemetry_intake *);

// Receives on a thread of its own. "udp://127.0.0.1:1234", "unix:///run/marquee/series.sock".
struct telemetry_receiver;
int telemetry_receiver_start(struct telemetry_receiver **ret, struct telemetry_intake *,
                             const char *address);
void telemetry_receiver_stop(struct telemetry_receiver **);

// --- bodies ---------------------------------------------------------------------------------

struct telemetry_taken {
    size_t stored, dropped;
    char reason[160]; // of the first that was dropped
};
// POST /api/v1/publish of Atlas: {"tags":{},"metrics":[{"tags":{},"timestamp":ms,"value":x}]}.
// ERR_INVALID: it is no such object; what of it can be stored is stored.
int telemetry_take_publish(struct telemetry_intake *, const json_t *body,
                           struct telemetry_taken *ret);
// What Prometheus sends is kept as it came, counters too: each is a GAUGE, the last value of its step, so
// that PromQL sees the number that its users know and rate() takes the differences.
// Prometheus remote write 1.0: a snappy block of the protobuf prometheus.WriteRequest.
int telemetry_take_remote_write(struct telemetry_intake *, struct str body,
                                struct telemetry_taken *ret);
// Prometheus text exposition 0.0.4; `now_ms` for lines without a time.
int telemetry_take_exposition(struct telemetry_intake *, struct str body, int64_t now_ms,
                              struct telemetry_taken *ret);

#endif
