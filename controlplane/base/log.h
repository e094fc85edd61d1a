/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_LOG_H
#define FAIRWAY_BASE_LOG_H

#include <stdbool.h>

/* Structured log lines (logfmt) on stderr, for programs; libraries return errors and report events
 * instead. One line:
 *
 *   ts=2026-11-20T03:00:00.123Z level=info module=bgp msg="session established" peer=192.0.2.1
 */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Lines below this level are dropped. Default: info. */
void log_set_level(enum log_level level);

/* Is told each line that was written (without ts and newline), e.g. to keep a journal. NULL: off.
 */
void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg);

/* msg is a fixed sentence; fields is a printf format of `key=value` pairs, or "" for none. Values
 * that may hold blanks go through log_quote(). */
void log_write(enum log_level level, const char *module, const char *msg, const char *fields, ...)
	__attribute__((format(printf, 4, 5)));

/* Quote a value for a field ("..." with \" \\ \n escaped) into buf; returns buf. */
const char *log_quote(const char *value, char *buf, unsigned long len);

#define log_debug(module, msg, ...) log_write(LOG_LEVEL_DEBUG, module, msg, __VA_ARGS__)
#define log_info(module, msg, ...)  log_write(LOG_LEVEL_INFO, module, msg, __VA_ARGS__)
#define log_warn(module, msg, ...)  log_write(LOG_LEVEL_WARN, module, msg, __VA_ARGS__)
#define log_error(module, msg, ...) log_write(LOG_LEVEL_ERROR, module, msg, __VA_ARGS__)

#endif
