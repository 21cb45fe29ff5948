// SPDX-License-Identifier: GPL-3.0-or-later
//
// A growable array as a struct by value: `VEC(struct shot) shots = {0};`
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/err.h"

#define VEC(type)   \
    struct {        \
        type *data; \
        size_t len; \
        size_t cap; \
    }

// Appends a copy of the value; 0 or ERR_NOMEM.
#define vec_push(v, ...)                                                                \
    ({                                                                                  \
        int vec_err_ =                                                                  \
            vec_grow_((void **)&(v)->data, &(v)->cap, (v)->len + 1, sizeof *(v)->data); \
        if (vec_err_ == 0) {                                                            \
            (v)->data[(v)->len++] = (__VA_ARGS__);                                      \
        }                                                                               \
        vec_err_;                                                                       \
    })

#define vec_reserve(v, n) \
    vec_grow_((void **)&(v)->data, &(v)->cap, (n), sizeof *(v)->data)

#define vec_free(v)       \
    do {                  \
        free((v)->data);  \
        (v)->data = NULL; \
        (v)->len = 0;     \
        (v)->cap = 0;     \
    } while (0)

// Loops may nest: the name of the end is unique to each.
#define vec_for_each(item, v)     vec_for_each_(item, v, __COUNTER__)
#define vec_for_each_(item, v, n) vec_for_each__(item, v, n)
#define vec_for_each__(item, v, n)                                        \
    for (typeof(*(v)->data) *item = (v)->data,                            \
                            *vec_end_##n = item ? item + (v)->len : item; \
         item < vec_end_##n; item++)

int vec_grow_(void **data, size_t *cap, size_t need, size_t item_bytes);

#endif
