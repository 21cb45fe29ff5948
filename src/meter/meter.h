// SPDX-License-Identifier: Apache-2.0
//
// The telemetry client: counters, timers, gauges and distributions as spectatord lines over a
// datagram socket. Fire and forget: a meter never blocks, never fails its caller, and costs
// a comparison when there is no receiver.
//
// Line: `<type>:<name>[,<tag>=<value>…]:<number>` (github.com/Netflix-Skunkworks/spectatord,
// "Format").
#ifndef METER_METER_H
#define METER_METER_H

#include "base/base.h"

struct meter;

// `address`: "udp://127.0.0.1:1234", "unix:///run/spectatord.unix", or NULL for no receiver.
// ERR_INVALID names what is wrong with it.
int meter_new(struct meter **ret, const char *address);
void meter_free(struct meter **); // sends what is buffered

struct meter_tag {
    const char *key;
    const char *value;
};

// Tags end with a NULL key. Characters outside [-._A-Za-z0-9~^] are sent as '_'. Any thread.
void meter_count(struct meter *, const char *name, const struct meter_tag *tags,
                 int64_t more);
void meter_time(struct meter *, const char *name, const struct meter_tag *tags,
                int64_t us);
void meter_gauge(struct meter *, const char *name, const struct meter_tag *tags,
                 double value);
void meter_record(struct meter *, const char *name, const struct meter_tag *tags,
                  int64_t amount);
void meter_flush(struct meter *);

#endif
