// SPDX-License-Identifier: GPL-3.0-or-later
//
// One line a happening, on stderr: `2026-11-22T18:39:00.123456Z warn http: slow client ip=…`.
// Only edges log (commands, the server loop, executors); secrets never come here.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level); // LOG_INFO at start
bool log_enabled(enum log_level);
void log_write(enum log_level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(room, ...) log_write(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...)  log_write(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...)  log_write(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_write(LOG_DEBUG, room, __VA_ARGS__)

#endif
