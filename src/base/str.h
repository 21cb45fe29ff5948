// SPDX-License-Identifier: GPL-3.0-or-later
//
// A view of bytes that somebody else owns (struct str), and a buffer that grows (struct buf).
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/err.h"

#include <stdarg.h>

struct str {
    const char *data; // not NUL-terminated
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_FMT      "%.*s"
#define STR_ARG(s)   (int)(s).len, (s).data

struct str str_of(const char *cstr); // NULL gives the empty view
bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s); // ASCII white space
// Splits at the first `sep`: *ret_head gets what precedes it, *rest what follows. False when
// *rest was already exhausted (data NULL).
bool str_next(struct str *rest, char sep, struct str *ret_head);
// Whole of `s` as a number within [min, max]; ERR_INVALID otherwise.
int str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret);
int str_to_double(struct str s, double min, double max, double *ret);
// Copies into a fixed array with a terminator; ERR_LIMIT when it does not fit.
int str_copy(char *dst, size_t dst_bytes, struct str s);
// True for well-formed UTF-8 without NUL (RFC 3629).
bool str_is_utf8(struct str s);
// True for such text without control characters: a name, a subject, a line of a file.
bool str_is_line(struct str s);

// Grows by doubling. The first failed allocation is kept in `err`; later writes do nothing, so
// that a writer checks once, at the end. `data` is always NUL-terminated when not NULL.
struct buf {
    char *data;
    size_t len;
    size_t cap;
    int err;
};

void buf_free(struct buf *);
void buf_clear(struct buf *); // keeps the memory
void buf_reserve(struct buf *, size_t more);
void buf_add(struct buf *, const void *bytes, size_t len);
void buf_str(struct buf *, struct str s);
void buf_cstr(struct buf *, const char *s);
void buf_char(struct buf *, char c);
// Whatever bytes, as one line of UTF-8: a control character becomes a space, a byte that is none of
// UTF-8 becomes U+FFFD.
void buf_line(struct buf *, struct str s);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct str buf_view(const struct buf *);
// The text with its terminator, owned by the caller; the buffer is empty afterwards.
int buf_take(struct buf *, char **ret);

void cstr_free(char **);
int cstr_dup(char **ret, const char *s);
int cstr_printf(char **ret, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
