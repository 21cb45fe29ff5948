// SPDX-License-Identifier: GPL-3.0-or-later
//
// Blocks of 16 KiB in a list; what is larger gets a block of its own.
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384u

struct block {
    struct block *next;
    size_t used;
    size_t cap;
    _Alignas(max_align_t) char data[];
};

struct arena {
    struct block *head;
};

int arena_new(struct arena **ret)
{
    struct arena *a = calloc(1, sizeof *a);
    FAIL_IF(!a, ERR_NOMEM, "an arena");
    *ret = a;
    return 0;
}

void arena_free(struct arena **a)
{
    if (!*a) {
        return;
    }
    for (struct block *b = (*a)->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(*a);
    *a = NULL;
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (MUL_OVERFLOWS(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        return NULL;
    }
    bytes = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct block *b = a->head;
    if (!b || b->cap - b->used < bytes) {
        size_t cap = MAX(bytes, (size_t)BLOCK_BYTES);
        b = malloc(sizeof *b + cap);
        if (!b) {
            return NULL;
        }
        *b = (struct block){.next = a->head, .cap = cap};
        a->head = b;
    }
    void *p = b->data + b->used;
    b->used += bytes;
    return memset(p, 0, bytes);
}

char *arena_dup(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.len + 1, 1);
    if (p && s.len) {
        memcpy(p, s.data, s.len);
    }
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1, 1);
    if (p) {
        va_start(args, fmt);
        vsnprintf(p, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    return p;
}
