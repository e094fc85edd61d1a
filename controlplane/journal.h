/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_JOURNAL_H
#define FAIRWAY_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/log.h"

/* What the daemon did and noticed, the last JOURNAL_ENTRIES of it, in memory: for `fairway
 * journal`. Each entry is also a log line. One per process, as the log is. */

#define JOURNAL_ENTRIES  1000
#define JOURNAL_TEXT_LEN 512
#define JOURNAL_NAME_LEN 160

struct journal_entry {
	uint64_t seq;   /* from 1, without gaps */
	uint64_t at_ns; /* monotonic */
	enum log_level level;
	const char *object;          /* "vip", "real", ...: a constant, or NULL */
	char name[JOURNAL_NAME_LEN]; /* "" for none */
	char text[JOURNAL_TEXT_LEN];
};

/* Write an entry and a log line. object is a constant of the caller, or NULL; name may be NULL.
 * Debug entries are only logged. */
void journal_write(enum log_level level, const char *object, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Entry of this number, or NULL when it is not there (any more). */
const struct journal_entry *journal_get(uint64_t seq);
/* First and last number kept; both 0 while empty. */
uint64_t journal_oldest(void);
uint64_t journal_newest(void);

#endif
