/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/metrics/text.h"

#include <inttypes.h>

void metrics_family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s ", name);
	for (; *help; help++) {
		if (*help == '\\')
			fputs("\\\\", out);
		else if (*help == '\n')
			fputs("\\n", out);
		else
			fputc(*help, out);
	}
	fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void label_value(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fprintf(out, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void name_and_labels(FILE *out, const char *name, const char *const labels[])
{
	fputs(name, out);
	for (size_t i = 0; labels && labels[i]; i += 2) {
		fprintf(out, "%c%s=\"", i ? ',' : '{', labels[i]);
		label_value(out, labels[i + 1]);
		fputc('"', out);
	}
	fputs(labels && labels[0] ? "} " : " ", out);
}

void metrics_value(FILE *out, const char *name, double value, const char *const labels[])
{
	name_and_labels(out, name, labels);
	fprintf(out, "%.9g\n", value);
}

void metrics_count(FILE *out, const char *name, uint64_t value, const char *const labels[])
{
	name_and_labels(out, name, labels);
	fprintf(out, "%" PRIu64 "\n", value);
}

void metrics_html(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}
