// SPDX-License-Identifier: GPL-3.0-or-later
//
// The key of a part is the hash of all that decides its result:
//
//     {"common":…,"inputs":[[name,hash]…],"part":…,"step":type,"toolchain":…,"version":n}
//
// in canonical JSON. The names of parts and steps are not in it: they decide nothing.
#include "flow/internal.h"

#include <stdlib.h>
#include <string.h>

static const struct flow_part the_only_part = {.name = "main"};

size_t flow_part_count(const struct flow_step_spec *spec)
{
    return spec->parts ? spec->part_count : 1;
}

struct flow_part flow_part_at(const struct flow_step_spec *spec, size_t i)
{
    return spec->parts ? spec->parts[i] : the_only_part;
}

const struct flow_step_type *flow_find_type(const struct flow_executor_config *config,
                                            const char *name)
{
    for (size_t i = 0; i < config->type_count; i++) {
        if (strcmp(config->types[i].name, name) == 0) {
            return &config->types[i];
        }
    }
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    const struct flow_input *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int sorted_inputs(const struct flow_step_spec *spec, json_t **ret)
{
    AUTO(json_free) json_t *list = json_array();
    VEC(struct flow_input) sorted = {0};
    int err = vec_reserve(&sorted, spec->input_count);
    for (size_t i = 0; err == 0 && i < spec->input_count; i++) {
        err = vec_push(&sorted, spec->inputs[i]);
    }
    if (err == 0 && sorted.len) {
        qsort(sorted.data, sorted.len, sizeof *sorted.data, by_name);
    }
    vec_for_each (input, &sorted) {
        char hex[HASH_HEX_BYTES];
        hash_hex(&input->blob, hex);
        if (json_array_append_new(list, json_pack("[s, s]", input->name, hex)) < 0) {
            err = err_fail(ERR_NOMEM, "a key");
        }
    }
    vec_free(&sorted);
    TRY(err);
    return json_made(TAKE(list), ret);
}

int flow_keys(const struct flow_step_spec *spec, const struct flow_step_type *type,
              const char *toolchain, struct hash *keys, struct hash *ret_sum)
{
    AUTO(json_free) json_t *inputs = NULL;
    AUTO(json_free) json_t *none = json_object();
    AUTO(hasher_free) struct hasher *sum = NULL;
    AUTO(json_free) json_t *key = NULL;
    TRY(sorted_inputs(spec, &inputs));
    TRY(hasher_new(&sum));
    TRY(json_made(json_pack("{s:s, s:I, s:s, s:O, s:O}", "step", spec->type, "version",
                            (json_int_t)type->version, "toolchain",
                            toolchain ? toolchain : "", "common",
                            spec->params ? spec->params : none, "inputs", inputs),
                  &key));
    for (size_t i = 0; i < flow_part_count(spec); i++) {
        struct flow_part part = flow_part_at(spec, i);
        AUTO(buf_free) struct buf text = {0};
        json_t *params =
            json_incref((json_t *)(uintptr_t)(part.params ? part.params : none));
        FAIL_IF(json_object_set_new(key, "part", params) < 0, ERR_NOMEM, "a key");
        json_write_canonical(&text, key);
        TRY(text.err);
        hash_of(text.data, text.len, &keys[i]);
        hasher_add(sum, keys[i].bytes, HASH_BYTES);
        hasher_add(sum, part.name, strlen(part.name) + 1);
    }
    hasher_finish(sum, ret_sum);
    return 0;
}

int flow_spec_json(const struct flow_step_spec *spec, json_t **ret)
{
    AUTO(json_free) json_t *inputs = json_array();
    AUTO(json_free) json_t *none = json_object();
    for (size_t i = 0; i < spec->input_count; i++) {
        char hex[HASH_HEX_BYTES];
        hash_hex(&spec->inputs[i].blob, hex);
        json_t *input =
            json_pack("{s:s, s:s}", "name", spec->inputs[i].name, "hash", hex);
        FAIL_IF(json_array_append_new(inputs, input) < 0, ERR_NOMEM, "a step");
    }
    return json_made(json_pack("{s:O, s:O}", "params", spec->params ? spec->params : none,
                               "inputs", inputs),
                     ret);
}

bool flow_name_is_safe(const char *name)
{
    struct str rest = str_of(name), head;
    if (!rest.len || rest.len > 200 || !str_is_utf8(rest)) {
        return false;
    }
    while (str_next(&rest, '/', &head)) {
        if (!head.len || head.data[0] == '.') {
            return false;
        }
    }
    return true;
}
