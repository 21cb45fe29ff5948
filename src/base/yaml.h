// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a person writes, through libcyaml schemas; every mistake as `file:line: message`.
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/diag.h"

#include <cyaml/cyaml.h>

// Loads `text` by the schema; free *ret with yaml_data_free and the same schema. ERR_INVALID with
// diagnostics; unknown keys are mistakes. `file` is only a name.
int yaml_load(struct str text, const char *file, const cyaml_schema_value_t *schema,
              void **ret,
              unsigned *ret_count /* of a top-level sequence; NULL otherwise */,
              struct diag *);
// The line (from 1) on which the value at `path` begins, keys and positions from 0 joined by '/':
// "video/3/height". Where the path ends early, the line of what was found; 0 for what is not YAML.
// For mistakes that a schema cannot see.
int yaml_line_of(struct str text, const char *path);
void yaml_data_free(const cyaml_schema_value_t *schema, void *data, unsigned count);

#endif
