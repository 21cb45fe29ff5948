// SPDX-License-Identifier: GPL-3.0-or-later
#include "telemetry/intake.h"

#include <stdlib.h>

static int by_key(const void *a, const void *b)
{
    const struct telemetry_tag *left = a, *right = b;
    int order =
        memcmp(left->key.data, right->key.data, MIN(left->key.len, right->key.len));
    return order ? order
                 : (left->key.len > right->key.len) - (left->key.len < right->key.len);
}

void tag_list_set(struct tag_list *tags, struct str key, struct str value)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq(tags->list[i].key, key)) {
            tags->list[i].value = value;
            return;
        }
    }
    if (tags->count == TAGS_MAX) {
        tags->over = true;
        return;
    }
    tags->list[tags->count++] = (struct telemetry_tag){key, value};
}

bool tag_list_has(const struct tag_list *tags, const char *key)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (str_eq_c(tags->list[i].key, key)) {
            return true;
        }
    }
    return false;
}

int tag_list_label(struct tag_list *tags, struct str name, struct str value)
{
    if (name.len == 0 || !str_is_line(name) || !str_is_line(value)) {
        return ERR_INVALID;
    }
    if (value.len) {
        struct str key = str_eq_c(name, "__name__") ? STR("name")
                         : str_eq_c(name, "name")   ? STR("exported_name")
                                                    : name;
        tag_list_set(tags, key, value);
    }
    return 0;
}

struct telemetry_tags tag_list_tags(struct tag_list *tags)
{
    qsort(tags->list, tags->count, sizeof tags->list[0], by_key);
    return (struct telemetry_tags){tags->list, tags->count};
}
