// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is wrong with something a person wrote, line by line: `file:line: message`.
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include "base/str.h"
#include "base/vec.h"

#include <stdio.h>

struct diag_item {
    char *file;
    int line; // 1-based; 0 where unknown
    char *text;
};

struct diag {
    VEC(struct diag_item) items;
};

void diag_free(struct diag *);
// Never fails for the caller: when memory is out the item is lost, the count is not.
void diag_add(struct diag *, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void diag_print(const struct diag *, FILE *out);
// The first item as the reason of `code`, or `code` with what stands there already.
int diag_fail(const struct diag *, int code);

#endif
