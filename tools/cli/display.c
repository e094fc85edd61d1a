/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/base/cleanup.h"

#define GAP          "  "
#define JSON_OPTIONS (JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))

/* ---- text ---- */

/* Columns that UTF-8 text takes, as far as counting code points goes. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void display_text(FILE *out, const char *text, bool lines)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* U+0080 to U+009F are control characters too: c2 80 to c2 9f. */
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			fputc('?', out);
			p++;
		} else if ((*p < 0x20 && !(lines && *p == '\n')) || *p == 0x7f) {
			fputc('?', out);
		} else {
			fputc(*p, out);
		}
	}
}

static void put_spaces(FILE *out, size_t n)
{
	while (n-- > 0)
		fputc(' ', out);
}

/* ---- cells ---- */

void cell_text(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	if (json_is_string(value)) {
		display_text(out, json_string_value(value), false);
	} else if (json_is_integer(value)) {
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_real(value)) {
		fprintf(out, "%.2f", json_real_value(value));
	} else if (json_is_boolean(value)) {
		fputs(json_is_true(value) ? "yes" : "no", out);
	} else if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++) {
			fputs(i ? ", " : "", out);
			cell_text(out, row, json_array_get(value, i));
		}
	}
}

void cell_yes_no(FILE *out, const json_t *row, const json_t *value)
{
	cell_text(out, row, value);
}

const char *display_bytes(unsigned long long bytes, char buf[DISPLAY_UNIT_LEN])
{
	static const char units[] = {'k', 'M', 'G', 'T', 'P', 'E'};
	double scaled = (double)bytes;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(buf, DISPLAY_UNIT_LEN, "%llu", bytes);
		return buf;
	}
	scaled /= 1000;
	/* 999.96 would print as 1000.0. */
	while (scaled >= 999.95 && unit + 1 < sizeof(units)) {
		scaled /= 1000;
		unit++;
	}
	snprintf(buf, DISPLAY_UNIT_LEN, "%.1f%c", scaled, units[unit]);
	return buf;
}

void cell_bytes(FILE *out, const json_t *row, const json_t *value)
{
	char buf[DISPLAY_UNIT_LEN];

	(void)row;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		fputs(display_bytes((unsigned long long)json_integer_value(value), buf), out);
}

void cell_percent(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	if (json_is_number(value))
		fprintf(out, "%.1f %%", json_number_value(value));
}

const char *display_age(unsigned long long ms, char buf[DISPLAY_UNIT_LEN])
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, DISPLAY_UNIT_LEN, "%llums", ms);
	else if (s < 60)
		snprintf(buf, DISPLAY_UNIT_LEN, "%llu.%llus", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(buf, DISPLAY_UNIT_LEN, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, DISPLAY_UNIT_LEN, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, DISPLAY_UNIT_LEN, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return buf;
}

void cell_age(FILE *out, const json_t *row, const json_t *value)
{
	char buf[DISPLAY_UNIT_LEN];

	(void)row;
	if (json_is_number(value) && json_number_value(value) >= 0)
		fputs(display_age((unsigned long long)json_number_value(value), buf), out);
}

void cell_ms(FILE *out, const json_t *row, const json_t *value)
{
	(void)row;
	if (json_is_number(value))
		fprintf(out, "%.*f ms", json_number_value(value) < 10 ? 2 : 0,
			json_number_value(value));
}

/* ---- finding ---- */

static const json_t *step(const json_t *from, const char **path)
{
	char key[64];
	size_t len = strcspn(*path, ".");

	if (len >= sizeof(key))
		return NULL;
	memcpy(key, *path, len);
	key[len] = '\0';
	*path += len + ((*path)[len] == '.');
	return json_object_get(from, key);
}

const json_t *display_find(const json_t *row, const char *path)
{
	while (row && *path)
		row = step(row, &path);
	return json_is_null(row) ? NULL : row;
}

/* Call fn for every row at path, walking through all lists on the way. */
typedef int row_fn(void *arg, const json_t *row);

static int each_row(const json_t *from, const char *path, row_fn *fn, void *arg)
{
	if (json_is_array(from)) {
		int ret = 0;

		for (size_t i = 0; ret == 0 && i < json_array_size(from); i++)
			ret = each_row(json_array_get(from, i), path, fn, arg);
		return ret;
	}
	if (!from || json_is_null(from))
		return 0;
	if (*path == '\0')
		return fn(arg, from);
	from = step(from, &path);
	return each_row(from, path, fn, arg);
}

/* ---- blocks ---- */

/* The text of one cell; NULL out of memory. */
static char *make_cell(const struct view_column *column, const json_t *row)
{
	char *text = NULL;
	size_t len;
	FILE *cell = open_memstream(&text, &len);
	const json_t *value = display_find(row, column->path);

	if (!cell)
		return NULL;
	column->cell(cell, row, value);
	/* "-" in its place keeps columns columns. */
	if (ftell(cell) == 0 && !column->if_set)
		fputc('-', cell);
	if (fclose(cell) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static size_t count_columns(const struct view_column *columns)
{
	size_t n = 0;

	while (columns[n].header)
		n++;
	return n;
}

struct table {
	const struct view_column *columns;
	size_t n_columns, n_rows, size;
	char **cells; /* n_rows times n_columns */
	size_t *widths;
};

static int table_add_row(void *arg, const json_t *row)
{
	struct table *t = arg;

	if (t->n_rows == t->size) {
		size_t larger = t->size ? t->size * 2 : 64;
		char **moved = reallocarray(t->cells, larger * t->n_columns, sizeof(*moved));

		if (!moved)
			return -ENOMEM;
		t->cells = moved;
		t->size = larger;
	}
	memset(t->cells + t->n_rows * t->n_columns, 0, t->n_columns * sizeof(*t->cells));
	t->n_rows++;
	for (size_t i = 0; i < t->n_columns; i++) {
		char *cell = make_cell(&t->columns[i], row);

		if (!cell)
			return -ENOMEM;
		t->cells[(t->n_rows - 1) * t->n_columns + i] = cell;
		if (text_width(cell) > t->widths[i])
			t->widths[i] = text_width(cell);
	}
	return 0;
}

static void table_print_cell(FILE *out, const struct table *t, size_t i, const char *cell)
{
	size_t pad = t->widths[i] - text_width(cell);

	fputs(i ? GAP : "", out);
	if (t->columns[i].right)
		put_spaces(out, pad);
	fputs(cell, out);
	/* No spaces at the end of a line. */
	if (!t->columns[i].right && i + 1 < t->n_columns)
		put_spaces(out, pad);
}

static void table_print(FILE *out, const struct table *t)
{
	for (size_t i = 0; i < t->n_columns; i++)
		table_print_cell(out, t, i, t->columns[i].header);
	fputc('\n', out);
	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t i = 0; i < t->n_columns; i++)
			table_print_cell(out, t, i, t->cells[r * t->n_columns + i]);
		fputc('\n', out);
	}
}

static void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->widths);
}

static int print_table(FILE *out, const json_t *doc, const struct view_block *block,
		       const char *title)
{
	CLEANUP(table_fini)
	struct table t = {
		.columns = block->columns,
		.n_columns = count_columns(block->columns),
	};
	int ret;

	t.widths = calloc(t.n_columns, sizeof(*t.widths));
	if (!t.widths)
		return -ENOMEM;
	for (size_t i = 0; i < t.n_columns; i++)
		t.widths[i] = text_width(t.columns[i].header);
	ret = each_row(doc, block->path, table_add_row, &t);
	if (ret < 0)
		return ret;
	if (t.n_rows > 0 || block->empty)
		fputs(title, out);
	if (t.n_rows > 0)
		table_print(out, &t);
	else if (block->empty)
		fprintf(out, "%s\n", block->empty);
	return 0;
}

static int print_fields(FILE *out, const json_t *doc, const struct view_block *block,
			const char *title)
{
	const json_t *row = display_find(doc, block->path);
	size_t width = 0;

	if (!row && !block->empty)
		return 0;
	fputs(title, out);
	if (!row)
		fprintf(out, "%s\n", block->empty);
	for (const struct view_column *col = block->columns; row && col->header; col++) {
		if (text_width(col->header) > width)
			width = text_width(col->header);
	}
	for (const struct view_column *col = block->columns; row && col->header; col++) {
		AUTO_FREE char *cell = make_cell(col, row);

		if (!cell)
			return -ENOMEM;
		if (*cell == '\0')
			continue;
		fputs(col->header, out);
		put_spaces(out, width - text_width(col->header));
		fprintf(out, GAP "%s\n", cell);
	}
	return 0;
}

struct lines {
	FILE *out;
	const struct view_block *block;
	const char *title;
	size_t n;
};

/* The cells of a row, one after the other; a column's header stands before its cell. */
static int print_line(void *arg, const json_t *row)
{
	struct lines *l = arg;
	bool any = false;

	if (l->n++ == 0)
		fputs(l->title, l->out);
	for (const struct view_column *col = l->block->columns; col->header; col++) {
		AUTO_FREE char *cell = make_cell(col, row);

		if (!cell)
			return -ENOMEM;
		if (*cell == '\0')
			continue;
		fprintf(l->out, "%s%s", col->header, cell);
		any = true;
	}
	if (any)
		fputc('\n', l->out);
	return 0;
}

static int print_lines(FILE *out, const json_t *doc, const struct view_block *block,
		       const char *title)
{
	struct lines l = {out, block, title, 0};
	int ret = each_row(doc, block->path, print_line, &l);

	if (ret == 0 && l.n == 0 && block->empty)
		fprintf(out, "%s%s\n", title, block->empty);
	return ret;
}

static int print_block(FILE *out, const json_t *doc, const struct view_block *block,
		       const char *title)
{
	const char *text;

	switch (block->kind) {
	case VIEW_FIELDS:
		return print_fields(out, doc, block, title);
	case VIEW_TABLE:
		return print_table(out, doc, block, title);
	case VIEW_LINES:
		return print_lines(out, doc, block, title);
	case VIEW_TEXT:
		/* Tabs would be lost: this text is to be read by programs again. */
		text = json_string_value(display_find(doc, block->path));
		if (text)
			fputs(text, out);
		return 0;
	}
	return -EINVAL;
}

int display_view(FILE *out, const json_t *document, const struct view *view)
{
	bool first = true;

	for (size_t i = 0; i < view->n_blocks; i++) {
		const struct view_block *block = &view->blocks[i];
		AUTO_FREE char *text = NULL;
		char title[128] = "";
		size_t len = 0;
		FILE *mem = open_memstream(&text, &len);
		int ret;

		if (!mem)
			return -ENOMEM;
		if (block->title && *block->title)
			snprintf(title, sizeof(title), "%s\n", block->title);
		ret = print_block(mem, document, block, title);
		if (fclose(mem) != 0 || ret < 0)
			return ret < 0 ? ret : -ENOMEM;
		if (len == 0)
			continue;
		/* A block with a title, be it empty, stands off from the one before. */
		if (!first && block->title)
			fputc('\n', out);
		fwrite(text, 1, len, out);
		first = false;
	}
	return 0;
}

int display_json(FILE *out, const json_t *document)
{
	AUTO_FREE char *text = json_dumps(document, JSON_OPTIONS);

	if (!text)
		return -ENOMEM;
	fprintf(out, "%s\n", text);
	return 0;
}
