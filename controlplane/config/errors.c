/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/errors.h"

#include "controlplane/config/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct config_error *e, const struct config_mark *mark, const char *hint,
		 const char *fmt, va_list ap)
{
	e->line = mark ? mark->line : 0;
	e->column = mark ? mark->column : 0;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	snprintf(e->hint, sizeof(e->hint), "%s", hint);
}

void report_error(struct config_errors *errs, const struct config_mark *mark, const char *hint,
		  const char *fmt, ...)
{
	va_list ap;

	if (report_full(errs)) {
		errs->n_errors_dropped++;
		return;
	}
	va_start(ap, fmt);
	fill(&errs->errors[errs->n_errors++], mark, hint, fmt, ap);
	va_end(ap);
}

void report_warning(struct config_errors *errs, const struct config_mark *mark, const char *hint,
		    const char *fmt, ...)
{
	va_list ap;

	if (errs->n_warnings == CONFIG_ERRORS_MAX) {
		errs->n_warnings_dropped++;
		return;
	}
	va_start(ap, fmt);
	fill(&errs->warnings[errs->n_warnings++], mark, hint, fmt, ap);
	va_end(ap);
}

bool report_full(const struct config_errors *errs)
{
	return errs->n_errors == CONFIG_ERRORS_MAX;
}

/* Insertion sort: few, nearly sorted, and equal places keep their order. */
static void sort(struct config_error *e, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct config_error moving = e[i];
		size_t j = i;

		for (; j && (e[j - 1].line > moving.line ||
			     (e[j - 1].line == moving.line && e[j - 1].column > moving.column));
		     j--)
			e[j] = e[j - 1];
		e[j] = moving;
	}
}

void report_sort(struct config_errors *errs)
{
	sort(errs->errors, errs->n_errors);
	sort(errs->warnings, errs->n_warnings);
}

static const char *format(const struct config_errors *errs, const struct config_error *e,
			  const char *kind, char *buf, size_t len)
{
	char place[sizeof(errs->file) + 32] = "";

	if (errs->file[0] && e->line)
		snprintf(place, sizeof(place), "%s:%u:%u: ", errs->file, e->line, e->column);
	else if (errs->file[0])
		snprintf(place, sizeof(place), "%s: ", errs->file);
	snprintf(buf, len, "%s%s%s%s%s", place, kind, e->text, e->hint[0] ? ": " : "", e->hint);
	return buf;
}

const char *config_error_format(const struct config_errors *errs, const struct config_error *e,
				char *buf, size_t len)
{
	return format(errs, e, "", buf, len);
}

static void print(const struct config_errors *errs, const struct config_error *e, size_t n,
		  size_t dropped, const char *kind, FILE *out)
{
	char line[1024];

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\n", format(errs, &e[i], kind, line, sizeof(line)));
	if (dropped)
		fprintf(out, "%s%s%sand %zu more\n", errs->file, errs->file[0] ? ": " : "", kind,
			dropped);
}

void config_errors_print(const struct config_errors *errs, FILE *out)
{
	print(errs, errs->errors, errs->n_errors, errs->n_errors_dropped, "", out);
}

void config_warnings_print(const struct config_errors *errs, FILE *out)
{
	print(errs, errs->warnings, errs->n_warnings, errs->n_warnings_dropped, "warning: ", out);
}
