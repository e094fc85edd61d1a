/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/verdicts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verdicts {
	FILE *file;
	char *path;
};

int verdicts_open(const char *path, struct verdicts **ret_verdicts, struct err *err)
{
	struct verdicts *v = calloc(1, sizeof(*v));
	int ret;

	if (!v || !(v->path = strdup(strcmp(path, "-") ? path : "standard output"))) {
		free(v);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	v->file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	if (!v->file) {
		ret = err_set(err, -errno, "%s: can't create the file of verdicts: %s", path,
			      strerror(errno));
		verdicts_free(v);
		return ret;
	}
	*ret_verdicts = v;
	return 0;
}

static int write_failed(const struct verdicts *v, struct err *err)
{
	return err_set(err, -EIO, "%s: can't write: %s", v->path,
		       errno ? strerror(errno) : "an earlier write failed");
}

/* A string, or null. Names of a configuration need no escapes, but nothing here relies on it. */
static void write_string(FILE *file, const char *text)
{
	if (!text) {
		fputs("null", file);
		return;
	}
	putc('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20)
			fprintf(file, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else
			putc(c, file);
	}
	putc('"', file);
}

/* By hand, as a JSON library takes longer for a line than the core for ten packets. */
int verdicts_write(struct verdicts *v, uint64_t index, const struct replay_verdict *verdict,
		   struct err *err)
{
	char real[ADDR_STRLEN];

	errno = 0;
	fprintf(v->file,
		"{\"index\":%" PRIu64 ",\"verdict\":\"%s\",\"reason\":\"%s\",\"vip\":", index,
		publish_verdict_name(verdict->verdict), publish_reason_name(verdict->reason));
	write_string(v->file, verdict->vip);
	fputs(",\"real\":", v->file);
	write_string(v->file, verdict->real.family ? addr_format(&verdict->real, real) : NULL);
	fputs("}\n", v->file);
	return ferror(v->file) ? write_failed(v, err) : 0;
}

int verdicts_flush(struct verdicts *v, struct err *err)
{
	errno = 0;
	if (fflush(v->file) == EOF || ferror(v->file))
		return write_failed(v, err);
	return 0;
}

void verdicts_free(struct verdicts *v)
{
	if (!v)
		return;
	if (v->file && v->file != stdout)
		fclose(v->file);
	free(v->path);
	free(v);
}
