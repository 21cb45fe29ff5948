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
#include <yaml.h>

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
    // libcyaml finds nothing wrong with a text that holds nothing.
    if (err == CYAML_OK && !data && !ret_count) {
        diag_add(diag, file, 1, "the file is empty");
        return diag_fail(diag, ERR_INVALID);
    }
    if (err != CYAML_OK) {
        return diag_fail(diag, ERR_INVALID);
    }
    *ret = data;
    return 0;
}

static yaml_node_t *child_of(yaml_document_t *doc, const yaml_node_t *node,
                             struct str key)
{
    if (node->type == YAML_SEQUENCE_NODE) {
        int64_t at = 0;
        const yaml_node_item_t *first = node->data.sequence.items.start;
        int64_t count = node->data.sequence.items.top - first;
        return str_to_i64(key, 0, count - 1, &at) < 0
                   ? NULL
                   : yaml_document_get_node(doc, first[at]);
    }
    if (node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *name = yaml_document_get_node(doc, p->key);
        if (name->type == YAML_SCALAR_NODE &&
            str_eq(key, (struct str){(const char *)name->data.scalar.value,
                                     name->data.scalar.length})) {
            return yaml_document_get_node(doc, p->value);
        }
    }
    return NULL;
}

int yaml_line_of(struct str text, const char *path)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    if (text.len > MAX_YAML_BYTES || !yaml_parser_initialize(&parser)) {
        return 0;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.len);
    int line = 0;
    if (yaml_parser_load(&parser, &doc)) {
        struct str rest = str_of(path), key;
        yaml_node_t *node = yaml_document_get_root_node(&doc);
        while (node) {
            line = (int)node->start_mark.line + 1;
            node = str_next(&rest, '/', &key) ? child_of(&doc, node, key) : NULL;
        }
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return line;
}

void yaml_data_free(const cyaml_schema_value_t *schema, void *data, unsigned count)
{
    struct mistakes ignored = {0};
    cyaml_config_t config = config_for(&ignored);
    cyaml_free(&config, schema, data, count);
    buf_free(&ignored.what);
}
