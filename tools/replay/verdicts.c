/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/verdicts.h"

#include <errno.h>
#include <jansson.h>
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
	return err_set(err, -EIO, "%s: can't write: %s", v->path, strerror(errno));
}

int verdicts_write(struct verdicts *v, uint64_t index, const struct replay_verdict *verdict,
		   struct err *err)
{
	char real[ADDR_STRLEN];
	json_t *line = json_pack("{s:I, s:s, s:s, s:s?, s:s?}", "index", (json_int_t)index,
				 "verdict", publish_verdict_name(verdict->verdict), "reason",
				 publish_reason_name(verdict->reason), "vip", verdict->vip, "real",
				 verdict->real.family ? addr_format(&verdict->real, real) : NULL);
	int ret;

	if (!line)
		return err_set(err, -ENOMEM, "out of memory");
	errno = 0;
	ret = json_dumpf(line, v->file, JSON_COMPACT);
	json_decref(line);
	if (ret < 0 || putc('\n', v->file) == EOF)
		return write_failed(v, err);
	return 0;
}

int verdicts_flush(struct verdicts *v, struct err *err)
{
	if (fflush(v->file) == EOF)
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
