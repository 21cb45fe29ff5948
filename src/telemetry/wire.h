// SPDX-License-Identifier: GPL-3.0-or-later
//
// How numbers come in: spectatord lines over datagram sockets, and bodies of HTTP requests in the forms
// that Atlas and Prometheus senders speak. All input is hostile: what cannot be read is counted by
// reason and dropped.
#ifndef TELEMETRY_WIRE_H
#define TELEMETRY_WIRE_H

#include "telemetry/series.h"

// What came and what became of it, by reason. A table, so that names and counts cannot drift apart.
#define TELEMETRY_INTAKE_COUNTS(X)                                         \
    X(datagrams, "datagrams received")                                     \
    X(lines, "lines read")                                                 \
    X(samples, "values given to the store")                                \
    X(malformed, "lines, bodies or series that are not of the grammar")    \
    X(bad_value, "values that are no finite number, or not of their type") \
    X(refused, "values that the store does not take: too old, too new")    \
    X(over_limit, "values of series over a limit")                         \
    X(kernel_drops, "datagrams that the kernel dropped, its buffer being full")

struct telemetry_intake_counts {
#define X(name, text) uint64_t name;
    TELEMETRY_INTAKE_COUNTS(X)
#undef X
};

// Meters as spectatord keeps them: 15 minutes after their last line they are forgotten, gauges after
// their TTL. At each flush gauges go to the store, and at the end of each step what was counted in it:
//
//     type   values in the store, by `statistic`                                    atlas.dstype
//     c C U X  count                                                                rate
//     d D    count, totalAmount, totalOfSquares; max                                rate; gauge
//     t T    count, totalTime, totalOfSquares (seconds); max                        rate; gauge
//     D T    beside these percentile, by `percentile` = D0000… or T0000… (ns)       rate
//     g A    gauge                                                                  gauge
//     m      max                                                                    gauge
//
// https://netflix.github.io/atlas-docs/spectator/agent/usage/
struct telemetry_intake;
struct telemetry_intake_config {
    struct telemetry *store;
    // Added to the tags of every meter, over a sender's own; copied. NULL: none.
    const struct telemetry_tags *common;
    int64_t flush_ms; // 0: 5,000, and at most a step; <0: only by telemetry_intake_flush
    uint32_t max_meters;     // 0: 500,000
    uint32_t max_age_gauges; // 0: 1,000
    // Now, in ms of the wall clock; NULL: the system's.
    int64_t (*now_ms)(void *user);
    void *user;
};
int telemetry_intake_new(struct telemetry_intake **ret,
                         const struct telemetry_intake_config *);
void telemetry_intake_free(struct telemetry_intake **); // after what it holds is stored
// A datagram of lines. Never fails for what it holds. Any thread.
void telemetry_intake_lines(struct telemetry_intake *, struct str lines);
// As the intake's own thread does, as if `now_ms` were now; later than the last flush.
int telemetry_intake_flush(struct telemetry_intake *, int64_t now_ms);
struct telemetry_intake_counts telemetry_intake_counts(struct telemetry_intake *);

// Receives on a thread of its own. "udp://127.0.0.1:1234", "udp://[::1]:1234", "unix:///run/marquee/series.sock".
// ERR_INVALID: no such address; ERR_BUSY: another process listens there.
struct telemetry_receiver;
int telemetry_receiver_start(struct telemetry_receiver **ret, struct telemetry_intake *,
                             const char *address);
void telemetry_receiver_stop(struct telemetry_receiver **);
uint16_t telemetry_receiver_port(const struct telemetry_receiver *); // 0: not UDP

// --- bodies ---------------------------------------------------------------------------------
//
// What Prometheus sends is kept as it came, counters too: each is a GAUGE, the last value of its step, so
// that PromQL sees the number that its users know and rate() takes the differences. `__name__` is the tag
// name; a label that is called name becomes exported_name.

#define TELEMETRY_TAKEN_REASONS 5
struct telemetry_taken {
    size_t stored, dropped;
    size_t reason_count; // of the first that were dropped
    char reasons[TELEMETRY_TAKEN_REASONS][160];
};
// POST /api/v1/publish of Atlas: {"tags":{},"metrics":[{"tags":{},"timestamp":ms,"value":x}]}.
// ERR_INVALID: it is no such object; what of it can be stored is stored.
int telemetry_take_publish(struct telemetry_intake *, const json_t *body,
                           struct telemetry_taken *ret);
// A body in gzip, of one member or several, at most 16 MiB in all and, beyond the first of them, a hundred times what
// came. ERR_INVALID: it is none, or cut off; ERR_LIMIT. *ret is to be freed.
int telemetry_unpack_gzip(struct telemetry_intake *, struct str packed, struct buf *ret);
// Prometheus remote write 1.0: a snappy block of the protobuf prometheus.WriteRequest. ERR_INVALID as above.
int telemetry_take_remote_write(struct telemetry_intake *, struct str body,
                                struct telemetry_taken *ret);
// The same without the snappy block around it.
int telemetry_take_write_request(struct telemetry_intake *, struct str message,
                                 struct telemetry_taken *ret);
// Prometheus text exposition 0.0.4; `now_ms` for lines without a time. `more` (NULL: none) is added to the
// tags of each. A line that cannot be read is dropped.
int telemetry_take_exposition(struct telemetry_intake *, struct str body,
                              const struct telemetry_tags *more, int64_t now_ms,
                              struct telemetry_taken *ret);
// OTLP metrics, protobuf: gauges and sums, of histograms count and totalAmount. What the protocol means by a
// sum says its atlas.dstype: counter, sum, or gauge. ERR_INVALID as above.
int telemetry_take_otlp(struct telemetry_intake *, struct str body,
                        struct telemetry_taken *ret);

// What is answered where a part was dropped: an ExportMetricsServiceResponse.
int telemetry_otlp_partial(const struct telemetry_taken *, struct buf *out);

// --- targets --------------------------------------------------------------------------------

// Fetches text expositions on a thread of its own, as a YAML file names them:
//
//     interval_s: 15                          # usual; at most 3600
//     timeout_s: 10
//     targets:
//       - url: http://127.0.0.1:9100/metrics
//         job: node                           # usual: scrape
//         instance: web-1                     # usual: the url's host and port
//         interval_s: 60                      # its own
//
// ERR_INVALID with what is wrong in the diagnostics; `file` is only a name.
struct telemetry_scraper;
int telemetry_scraper_start(struct telemetry_scraper **ret, struct telemetry_intake *,
                            struct str yaml, const char *file, struct diag *);
void telemetry_scraper_stop(struct telemetry_scraper **);

#endif
