// SPDX-License-Identifier: GPL-3.0-or-later
//
// libcyaml reports a mistake as one line that says what, then a backtrace of lines that say where:
//
//     Load: Unexpected key: hieght
//     Load: Backtrace:
//       in mapping (line: 3, column: 5)
//       in sequence entry '0' (line: 2, column: 3)
//
// The first place after a message is the innermost one.
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_YAML_BYTES (1u << 20)

struct mistakes {
    struct buf what;
    int line;
};

static void collect(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct mistakes *m = ctx;
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    if (level < CYAML_LOG_ERROR) {
        return;
    }
    struct str s = str_trim(str_of(text));
    const char *place = strstr(text, "(line: ");
    if (place) {
        if (m->line == 0) {
            m->line = (int)strtol(place + 7, NULL, 10);
        }
        return;
    }
    if (str_starts(s, "Load: ")) {
        s = (struct str){s.data + 6, s.len - 6};
    }
    if (str_eq_c(s, "Backtrace:")) {
        return;
    }
    if (m->what.len) {
        buf_cstr(&m->what, ": ");
    }
    buf_str(&m->what, s);
}

static cyaml_config_t config_for(struct mistakes *m)
{
    return (cyaml_config_t){
        .log_fn = collect,
        .log_ctx = m,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

int yaml_load(struct str text, const char *file, const cyaml_schema_value_t *schema,
              void **ret, unsigned *ret_count, struct diag *diag)
{
    if (text.len > MAX_YAML_BYTES) {
        diag_add(diag, file, 0, "the file is over %u bytes", MAX_YAML_BYTES);
        return diag_fail(diag, ERR_LIMIT);
    }
    struct mistakes m = {0};
    cyaml_config_t config = config_for(&m);
    void *data = NULL;
    cyaml_err_t err = cyaml_load_data((const uint8_t *)text.data, text.len, &config,
                                      schema, (cyaml_data_t **)&data, ret_count);
    if (err != CYAML_OK) {
        diag_add(diag, file, m.line, "%s",
                 m.what.len ? m.what.data : cyaml_strerror(err));
    }
    buf_free(&m.what);
    if (err != CYAML_OK) {
        return diag_fail(diag, ERR_INVALID);
    }
    *ret = data;
    return 0;
}

void yaml_free(const cyaml_schema_value_t *schema, void *data, unsigned count)
{
    struct mistakes ignored = {0};
    cyaml_config_t config = config_for(&ignored);
    cyaml_free(&config, schema, data, count);
    buf_free(&ignored.what);
}
