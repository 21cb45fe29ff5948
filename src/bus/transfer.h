// SPDX-License-Identifier: GPL-3.0-or-later
//
// What mails and webhooks share of libcurl. Private to the room.
#ifndef BUS_TRANSFER_H
#define BUS_TRANSFER_H

#include "base/base.h"

#include <curl/curl.h>

// One exchange: no signals, ten seconds to connect, `seconds` in all. `told`, which outlives it, says
// what went wrong.
int transfer_new(CURL **ret, const char *url, long seconds, char told[CURL_ERROR_SIZE]);
void transfer_free(CURL **);
void transfer_list_free(struct curl_slist **);

#endif
