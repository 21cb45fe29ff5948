// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a process of this program counts, beside what its rooms do: itself, and HTTP requests.
#ifndef APP_METERS_H
#define APP_METERS_H

#include "http/http.h"
#include "meter/meter.h"

struct app_meter_config {
    const char *process; // "serve", "ingest"
    const char *address; // NULL: MARQUEE_METER's, or …
    const char *beside; // … a service's of this data folder, where one is; NULL: nowhere
    meter_sink_f *sink; // as for meter_new; NULL
    void *user;
};
// With the tags of MARQUEE_METER_TAGS ("node=web1,cluster=web") on every line. ERR_INVALID names what
// is wrong with them or the address.
int app_meter_new(struct meter **ret, const struct app_meter_config *);

// Requests by route, method and status: each a handle that is found once.
struct request_counts;
int request_counts_new(struct request_counts **ret, struct meter *, size_t route_count);
void request_counts_free(struct request_counts **);
void request_counts_add(struct request_counts *, const struct http_done *);

#endif
