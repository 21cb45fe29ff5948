// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of this room share: the commands (cmd_*.c) and the service (serve*.c).
#ifndef APP_APP_H
#define APP_APP_H

#include "base/base.h"

struct store;

struct app_serve_config {
    const char *data_dir;
    const char *bind;   // "127.0.0.1"
    uint16_t port;      // 0: any; what it became stands in DATA/serve.json
    const char *ui_dir; // of the pages; NULL: found beside the program
    // As others reach this service, for mails; NULL: http://bind:port
    const char *base_url;
    const char *smtp_url; // NULL: notices wait
    const char *smtp_user, *smtp_password, *mail_from;
    const char
        *conf_dir;  // clusters.yaml, peers.yaml, alerts.yaml, calls.yaml; NULL: DATA/conf
    unsigned slots; // steps at once; 0: one a core
    const char
        *meter; // where spectatord lines go; NULL: where MARQUEE_METER says, or nowhere
    const char *series_udp; // where lines come in, as series_service_config.udp; NULL
    int64_t series_step_ms; // 0: a minute
    const char *scrape; // a file of targets, as telemetry_scraper_start reads it; NULL
};

// Opens the data folder, recovers, starts the executor and the server, and returns 0 after SIGINT
// or SIGTERM. ERR_BUSY: another service holds the folder.
int app_serve(const struct app_serve_config *);

// Opens the folder and brings the rows of every room up to date.
int app_store_open(const char *dir, struct store **ret);

#endif
