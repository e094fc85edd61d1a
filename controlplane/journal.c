/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/journal.h"

#include <stdarg.h>
#include <stdio.h>

#include "controlplane/base/clock.h"

static struct journal_entry entries[JOURNAL_ENTRIES];
static uint64_t newest;

static void write_log(enum log_level level, const char *object, const char *name, const char *text)
{
	char quoted[JOURNAL_NAME_LEN + 16];

	if (name && *name)
		log_write(level, object ? object : "daemon", text, "name=%s",
			  log_quote(name, quoted, sizeof(quoted)));
	else
		log_write(level, object ? object : "daemon", text, "%s", "");
}

void journal_write(enum log_level level, const char *object, const char *name, const char *fmt, ...)
{
	struct journal_entry *e;
	char text[JOURNAL_TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_log(level, object, name, text);
	if (level == LOG_LEVEL_DEBUG)
		return;
	newest++;
	e = &entries[newest % JOURNAL_ENTRIES];
	e->seq = newest;
	e->at_ns = clock_now_ns();
	e->level = level;
	e->object = object;
	snprintf(e->name, sizeof(e->name), "%s", name ? name : "");
	snprintf(e->text, sizeof(e->text), "%s", text);
}

const struct journal_entry *journal_get(uint64_t seq)
{
	const struct journal_entry *e = &entries[seq % JOURNAL_ENTRIES];

	return seq && e->seq == seq ? e : NULL;
}

uint64_t journal_oldest(void)
{
	return newest > JOURNAL_ENTRIES ? newest - JOURNAL_ENTRIES + 1 : newest ? 1 : 0;
}

uint64_t journal_newest(void)
{
	return newest;
}
