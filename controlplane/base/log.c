/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum log_level min_level = LOG_LEVEL_INFO;
static void (*line_sink)(void *arg, enum log_level level, const char *line);
static void *line_sink_arg;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
	min_level = level;
}

void log_set_sink(void (*sink)(void *arg, enum log_level level, const char *line), void *arg)
{
	line_sink = sink;
	line_sink_arg = arg;
}

const char *log_quote(const char *value, char *buf, unsigned long len)
{
	unsigned long n = 0;

	if (len < 3)
		return "";
	buf[n++] = '"';
	for (; *value && n + 4 < len; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\') {
			buf[n++] = '\\';
			buf[n++] = (char)c;
		} else if (c == '\n') {
			buf[n++] = '\\';
			buf[n++] = 'n';
		} else {
			buf[n++] = c < 0x20 ? '?' : (char)c;
		}
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}

void log_write(enum log_level level, const char *module, const char *msg, const char *fields, ...)
{
	char line[2048], quoted[512], stamp[32];
	struct timespec ts;
	struct tm tm;
	va_list ap;
	int n;

	if (level < min_level)
		return;
	n = snprintf(line, sizeof(line), "level=%s module=%s msg=%s", level_names[level], module,
		     log_quote(msg, quoted, sizeof(quoted)));
	if (*fields && n < (int)sizeof(line) - 1) {
		line[n++] = ' ';
		va_start(ap, fields);
		vsnprintf(line + n, sizeof(line) - (size_t)n, fields, ap);
		va_end(ap);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "ts=%s.%03ldZ %s\n", stamp, ts.tv_nsec / 1000000, line);
	if (line_sink)
		line_sink(line_sink_arg, level, line);
}
