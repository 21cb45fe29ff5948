// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef APP_WRITTEN_H
#define APP_WRITTEN_H

#include "ingest/ingest.h"
#include "insight/insight.h"
#include "media/media.h"

// Each reads a YAML file of at most 1 MiB. ERR_INVALID with the first mistake ("file:line: …") as its
// reason; further ones go to stderr.
int written_ladder(const char *file, struct media_ladder **ret);
int written_policy(const char *file, struct ingest_policy **ret);
int written_peers(const char *file, struct insight_peers_file *ret);
// As catalog_file_load.
int written_catalog(const char *file, json_t **ret);

#endif
