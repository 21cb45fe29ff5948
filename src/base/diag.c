// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/diag.h"

#include <stdlib.h>

void diag_free(struct diag *d)
{
    vec_for_each (item, &d->items) {
        free(item->file);
        free(item->text);
    }
    vec_free(&d->items);
}

void diag_add(struct diag *d, const char *file, int line, const char *fmt, ...)
{
    AUTO(buf_free) struct buf text = {0};
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    buf_reserve(&text, n > 0 ? (size_t)n : 0);
    if (!text.err && n > 0) {
        vsnprintf(text.data, (size_t)n + 1, fmt, again);
        text.len = (size_t)n;
    }
    va_end(again);
    struct diag_item item = {.line = line};
    if (cstr_dup(&item.file, file ? file : "") < 0 || buf_take(&text, &item.text) < 0 ||
        vec_push(&d->items, item) < 0) {
        free(item.file);
        free(item.text);
    }
}

void diag_print(const struct diag *d, FILE *out)
{
    vec_for_each (item, &d->items) {
        if (item->line) {
            fprintf(out, "%s:%d: %s\n", item->file, item->line, item->text);
        } else {
            fprintf(out, "%s: %s\n", item->file, item->text);
        }
    }
}

int diag_fail(const struct diag *d, int code)
{
    if (d->items.len == 0) {
        return code;
    }
    const struct diag_item *first = &d->items.data[0];
    return err_fail(code, "%s:%d: %s", first->file, first->line, first->text);
}
