// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 512

static _Thread_local char reason[REASON_BYTES];

static const struct {
    const char *name;
    const char *text;
    int http;
} table[ERR_COUNT] = {
#define X(name, http, text) {#name, text, http},
    ERR_LIST(X)
#undef X
};

static bool known(int code)
{
    return code < 0 && code >= -(int)ERR_COUNT;
}

const char *err_name(int code)
{
    return code >= 0 ? "OK" : known(code) ? table[-1 - code].name : "INTERNAL";
}

const char *err_text(int code)
{
    return code >= 0 ? "ok" : known(code) ? table[-1 - code].text : "internal error";
}

int err_http_status(int code)
{
    return code >= 0 ? 200 : known(code) ? table[-1 - code].http : 500;
}

int err_from_name(const char *name)
{
    for (int i = 0; i < ERR_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return -1 - i;
        }
    }
    return ERR_INTERNAL;
}

int err_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

const char *err_reason(void)
{
    return reason;
}

int err_fail(int code, const char *fmt, ...)
{
    // A new reason often quotes the old one, so it is made beside it first.
    char made[REASON_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(made, sizeof made, fmt, args);
    va_end(args);
    memcpy(reason, made, sizeof reason);
    return code;
}

int err_fail_errno(const char *fmt, ...)
{
    int saved = errno;
    char made[REASON_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(made, sizeof made, fmt, args);
    va_end(args);
    char text[128] = "";
    return err_fail(err_from_errno(saved), "%s: %s", made,
                    strerror_r(saved, text, sizeof text));
}

_Noreturn void base_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
