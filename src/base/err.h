// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every function that can fail returns int: 0 (or a count) on success, one of these negative
// codes on failure. The code says what the caller can do; the reason, kept per thread, says why
// in words. Libraries never log: the edge (a command, a route, an executor) reports once.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/macro.h"

//  name          http  text
#define ERR_LIST(X)                                        \
    X(NOMEM, 500, "out of memory")                         \
    X(IO, 500, "input or output failed")                   \
    X(NO_SPACE, 507, "no space left")                      \
    X(NOT_FOUND, 404, "not found")                         \
    X(EXISTS, 409, "already exists")                       \
    X(INVALID, 400, "invalid")                             \
    X(LIMIT, 413, "over a limit")                          \
    X(UNSUPPORTED, 415, "not supported")                   \
    X(CORRUPT, 422, "damaged data")                        \
    X(CONFLICT, 409, "conflicts with the present state")   \
    X(UNKNOWN_USER, 401, "not signed in")                  \
    X(DENIED, 403, "not allowed")                          \
    X(BUSY, 503, "busy")                                   \
    X(THROTTLED, 429, "too many requests")                 \
    X(TIMEOUT, 504, "timed out")                           \
    X(CANCELLED, 499, "cancelled")                         \
    X(FENCED, 409, "the lease was lost to another worker") \
    X(REFUSED, 422, "refused, see the findings")           \
    X(CRASHED, 500, "a process ended abnormally")          \
    X(KILLED, 500, "a process was killed from outside")    \
    X(INTERNAL, 500, "internal error")

enum err_index {
#define X(name, http, text) ERR_INDEX_##name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

enum err {
#define X(name, http, text) ERR_##name = -1 - ERR_INDEX_##name,
    ERR_LIST(X)
#undef X
};

// "NOT_FOUND", "not found", 404. Any int is accepted; 0 and unknown codes have names too.
const char *err_name(int code);
const char *err_text(int code);
int err_http_status(int code);
// The code whose name is `name`, or ERR_INTERNAL.
int err_from_name(const char *name);
// The code for an errno value.
int err_from_errno(int errno_value);

// The latest reason given on this thread, never NULL; valid until the next failure on it.
const char *err_reason(void);
// Sets the reason and returns `code`, so that `return err_fail(…)` is one line.
int err_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);
// As err_fail, with the text of errno appended and the code derived from it.
int err_fail_errno(const char *fmt, ...) PRINTF_LIKE(1, 2);

#define FAIL(code, ...) return err_fail((code), __VA_ARGS__)

#define FAIL_IF(cond, code, ...)                  \
    do {                                          \
        if (__builtin_expect(!!(cond), 0)) {      \
            return err_fail((code), __VA_ARGS__); \
        }                                         \
    } while (0)

#define TRY(call)                                \
    do {                                         \
        int try_err_ = (call);                   \
        if (__builtin_expect(try_err_ < 0, 0)) { \
            return try_err_;                     \
        }                                        \
    } while (0)

#endif
