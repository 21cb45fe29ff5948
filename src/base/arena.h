// SPDX-License-Identifier: GPL-3.0-or-later
//
// Memory that lives as long as one request, job or frame batch, and is freed at once.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena;

int arena_new(struct arena **ret);
void arena_free(struct arena **);
// Zeroed, aligned for any type, owned by the arena. NULL when memory is out: callers check once
// with FAIL_IF. `count * size` is checked.
void *arena_alloc(struct arena *, size_t count, size_t size);
char *arena_dup(struct arena *, struct str s); // with terminator
char *arena_printf(struct arena *, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
