// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ownership in one word (AUTO, TAKE), assertions that stay on in release, and arithmetic on
// sizes that came from outside.
#ifndef BASE_MACRO_H
#define BASE_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// `AUTO(x_free) struct x *p = NULL;` frees at scope exit; the free function takes `struct x **`
// (or, for a struct held by value, a pointer to it) and accepts NULL.
#define AUTO(free_fn) __attribute__((cleanup(free_fn)))

// Moves a pointer out of an AUTO local: the local becomes NULL, the caller owns the value.
#define TAKE(p)                \
    ({                         \
        typeof(p) take_ = (p); \
        (p) = NULL;            \
        take_;                 \
    })

#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define CLAMP(v, lo, hi)  (MIN(MAX(v, lo), hi))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NODISCARD         __attribute__((warn_unused_result))
#define UNUSED            __attribute__((unused))

// An invariant of this program. Aborts with place and text, in every build.
#define ASSERT(cond) ((cond) ? (void)0 : base_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void base_assert_failed(const char *cond, const char *file, int line);

// True on overflow; *ret is then undefined.
#define ADD_OVERFLOWS(a, b, ret) __builtin_add_overflow((a), (b), (ret))
#define MUL_OVERFLOWS(a, b, ret) __builtin_mul_overflow((a), (b), (ret))

struct rational {
    int32_t num;
    int32_t den;
};

#endif
