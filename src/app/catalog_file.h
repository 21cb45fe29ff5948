// SPDX-License-Identifier: GPL-3.0-or-later
//
// A YAML file that says what films are, by the names of their files (demo/catalog.yaml).
#ifndef APP_CATALOG_FILE_H
#define APP_CATALOG_FILE_H

#include "base/base.h"

// An array of {"file":text|null,"captions":[{"file","language"}],"title":{…as catalog_upsert takes
// it…}}, in the file's order. Mistakes go to `diag` as file:line.
int catalog_file_load(const char *path, json_t **ret, struct diag *);
// The entry of a file by its name without folders; NULL where it has none. Borrowed.
const json_t *catalog_file_find(const json_t *entries, const char *file_name);

#endif
