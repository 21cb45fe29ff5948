// SPDX-License-Identifier: Apache-2.0
//
// The telemetry client: meters that are obtained once, by name and tags, and updated through their handle,
// and a thread that sends what they gathered as spectatord lines every few seconds.
//
//     struct meter_counter *requests = meter_counter_of(meter, "http.requests", tags);
//     meter_counter_add(requests, 1);
//
// Nothing here blocks or fails its caller. An update costs a few loads and stores into memory of its own
// thread. Where nobody listens, or a meter cannot be had, its handle is NULL and updates of it do nothing.
//
// Line: `<type>[,<option>]:<name>[,<tag>=<value>…]:<number>` (github.com/Netflix-Skunkworks/spectatord,
// "Format"). What each type of meter sends stands in docs/rooms/meter.md.
#ifndef METER_METER_H
#define METER_METER_H

#include "base/base.h"

struct meter;

// Lists of tags end with a NULL key. Their order means nothing; of a key that is there twice the first
// counts. Characters outside of [-._A-Za-z0-9] are sent as '_', an empty value as "_", and names are cut
// at 200 bytes, keys at 60, values at 120.
struct meter_tag {
    const char *key;
    const char *value;
};

// Called with whole lines, at most 8 KiB of them at a time, by who flushes: the meter's own thread or a
// caller of meter_flush. Must not call meter_flush.
typedef void meter_sink_f(void *user, struct str lines);

struct meter_config {
    // "udp://127.0.0.1:1234", "udp://[::1]:1234", "unix:///run/spectatord.unix"; NULL: no receiver
    const char *address;
    meter_sink_f *sink; // as well, or instead; NULL: none
    void *user;
    const struct meter_tag *common; // added to every line; NULL: none
    int64_t flush_us;  // 0: 5 s; <0: no thread of its own, only meter_flush sends
    size_t max_meters; // 0: 10,000; whoever asks for more gets NULL
};
// ERR_INVALID names what is wrong with the address. A receiver that is not there yet is no mistake.
int meter_new(struct meter **ret, const struct meter_config *);
// Sends what is left. No other thread uses it or its handles meanwhile; threads that did may live on.
void meter_free(struct meter **);
// Sends now, in this thread, which may wait 100 ms for a slow receiver.
void meter_flush(struct meter *);
// Called before each flush by who flushes, to set gauges. At most 16 (the rest is not called); none is
// taken away again.
void meter_on_flush(struct meter *, void (*call)(void *user), void *user);
// Gauges `<prefix>.rss` (bytes), `.cpu` (cores, since the last flush), `.files` and `.threads`, and how
// telemetry itself is: `.meter.lost` and `.meter.refused`, as in meter_stats.
void meter_watch_process(struct meter *, const char *prefix,
                         const struct meter_tag *tags);

struct meter_stats {
    uint64_t lines, datagrams;
    uint64_t lost;    // datagrams that nobody took
    uint64_t refused; // meters over a limit, numbers that are none, lines that are none
};
struct meter_stats meter_stats(struct meter *);

// --- handles ------------------------------------------------------------------------------
//
// The same type, name and tags give the same meter. Handles live as long as their client; any thread
// may use them. NULL when `meter` is NULL, has no receiver, or the id is over a limit (no name, over 20
// tags, over 1,000 bytes in all).

struct meter_counter *meter_counter_of(struct meter *, const char *name,
                                       const struct meter_tag *tags);
void meter_counter_add(struct meter_counter *, uint64_t more);

// Count, sum, sum of squares and maximum; with percentiles also how many fell into each of the 276
// buckets of spectator's histograms. Less than 0 counts as 0.
struct meter_timer *meter_timer_of(struct meter *, const char *name,
                                   const struct meter_tag *tags);
struct meter_timer *meter_percentile_timer_of(struct meter *, const char *name,
                                              const struct meter_tag *tags);
void meter_timer_add_ns(struct meter_timer *, int64_t ns);
void meter_timer_add_us(struct meter_timer *, int64_t us);

struct meter_summary *meter_summary_of(struct meter *, const char *name,
                                       const struct meter_tag *tags);
struct meter_summary *meter_percentile_summary_of(struct meter *, const char *name,
                                                  const struct meter_tag *tags);
void meter_summary_add(struct meter_summary *, int64_t amount); // at most 2^53 of it

// The latest value, sent once for each time that it was set. The receiver keeps it `ttl_s` seconds: at
// least 5, 0 for the receiver's usual 900. Another ttl replaces the meter's.
struct meter_gauge *meter_gauge_of(struct meter *, const char *name,
                                   const struct meter_tag *tags, int ttl_s);
void meter_gauge_set(struct meter_gauge *, double value);

// The largest value since the last flush.
struct meter_max *meter_max_of(struct meter *, const char *name,
                               const struct meter_tag *tags);
void meter_max_set(struct meter_max *, double value);

// Seconds since something last happened, which the receiver goes on counting. Told again every minute,
// so that a receiver that came later knows.
struct meter_age *meter_age_of(struct meter *, const char *name,
                               const struct meter_tag *tags);
void meter_age_set(struct meter_age *, int64_t wall_us); // 0: now

// What somebody else counts (a kernel, a library): the receiver takes the differences.
struct meter_monotone *meter_monotone_of(struct meter *, const char *name,
                                         const struct meter_tag *tags);
void meter_monotone_set(struct meter_monotone *, double total);
// The same where it rolls over at 2^64.
struct meter_monotone_uint *meter_monotone_uint_of(struct meter *, const char *name,
                                                   const struct meter_tag *tags);
void meter_monotone_uint_set(struct meter_monotone_uint *, uint64_t total);
// The same where it was read at another time than it is told.
struct meter_monotone_at *meter_monotone_at_of(struct meter *, const char *name,
                                               const struct meter_tag *tags);
void meter_monotone_at_set(struct meter_monotone_at *, double total, int64_t wall_ms);

// --- without a handle ---------------------------------------------------------------------
//
// For what happens rarely and has tags that are not known before: each call is a line, under a lock, and
// nothing is kept. At most 1 MiB between two flushes; the rest is counted as refused. A timer or summary
// is told one way or the other, not both: a handle's lines and these are different meters to a receiver.

void meter_count(struct meter *, const char *name, const struct meter_tag *tags,
                 int64_t more);
void meter_time(struct meter *, const char *name, const struct meter_tag *tags,
                int64_t us);
void meter_gauge(struct meter *, const char *name, const struct meter_tag *tags,
                 double value);
void meter_record(struct meter *, const char *name, const struct meter_tag *tags,
                  int64_t amount);
// Lines that somebody else made, who is not trusted: those that are of the grammar are sent, with the
// common tags.
void meter_forward(struct meter *, struct str lines);

#endif
