// SPDX-License-Identifier: GPL-3.0-or-later
//
// The series of a service: their store in DATA/series, what comes in over datagrams, and the findings that
// tell of what is wrong with them.
#ifndef APP_SERIES_SERVICE_H
#define APP_SERIES_SERVICE_H

#include "store/store.h"
#include "telemetry/telemetry.h"

struct series_service;
struct series_service_config {
    struct store *store;
    // "127.0.0.1:1234", "[::1]:1234", or a port of 127.0.0.1; NULL: no UDP. Lines need no sign-in, so who
    // gives another address means the whole network behind it.
    const char *udp;
    int64_t step_ms; // 0: a minute
    // A YAML file of targets, as telemetry_scraper_start reads it; NULL: none.
    const char *scrape;
};
// ERR_INVALID: a mistake in the file of targets, further ones go to stderr.
// Listens at DATA/series.sock as well, where its path is not too long for a socket. ERR_BUSY: another process
// holds the series.
int series_service_start(struct series_service **ret,
                         const struct series_service_config *);
void series_service_stop(struct series_service **); // after what came is stored
struct telemetry *series_service_store(struct series_service *);
struct telemetry_intake *series_service_intake(struct series_service *);

#endif
