/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_DISPLAY_H
#define FAIRWAY_CLI_DISPLAY_H

/* Every answer is a JSON document; a view says how to show it to people. `--json` prints the
 * document, otherwise the view picks from the same document, so that the two can't tell different
 * stories. A view is data: blocks of labelled fields, tables, and lines. */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct view_column;

/* Writes one cell. row is the object the column's path starts from, value what lies there (NULL
 * when nothing does or it is null). A cell that writes nothing shows as "-". */
typedef void view_cell_fn(FILE *out, const json_t *row, const json_t *value);

struct view_column {
	const char *header;
	const char *path; /* keys with dots between, from the row */
	view_cell_fn *cell;
	bool right;  /* align right: numbers */
	bool if_set; /* fields: leave the line out where nothing is there */
};

enum view_kind {
	VIEW_FIELDS, /* one object: a line for each column, "header  value" */
	VIEW_TABLE,  /* list of objects: a row each */
	VIEW_LINES,  /* list of objects or strings: columns one after the other, a line each */
	VIEW_TEXT,   /* a string, as it is */
};

struct view_block {
	enum view_kind kind;
	const char *title; /* a line above; "": only an empty line; NULL: neither */
	const char *path;  /* "" is the whole document; lists on the way are walked through */
	const struct view_column *columns; /* ends with header NULL */
	const char *empty; /* said instead of no rows; NULL: the block is then left out */
};

struct view {
	const struct view_block *blocks;
	size_t n_blocks;
};

/* Value at a path below row; NULL for none or null. */
const json_t *display_find(const json_t *row, const char *path);

/* Print document as one JSON text, or by the view. Text from the document that could steer a
 * terminal is made harmless. 0 or -ENOMEM; errors of out itself show in ferror(out). */
int display_json(FILE *out, const json_t *document) __attribute__((warn_unused_result));
int display_view(FILE *out, const json_t *document, const struct view *view)
	__attribute__((warn_unused_result));

/* Print text with control characters replaced by '?' (line feeds stay if lines is true). */
void display_text(FILE *out, const char *text, bool lines);

/* ---- cells ---- */
view_cell_fn cell_text;    /* strings as they are, numbers in full, lists with ", " between */
view_cell_fn cell_bytes;   /* 1536 -> 1.5k */
view_cell_fn cell_percent; /* 33.333 -> 33.3 % */
view_cell_fn cell_age;     /* milliseconds -> 3m 5s */
view_cell_fn cell_ms;      /* 1.25 -> 1.25 ms */
view_cell_fn cell_yes_no;

/* The same into a buffer, for sentences. */
#define DISPLAY_UNIT_LEN 32
const char *display_bytes(unsigned long long bytes, char buf[DISPLAY_UNIT_LEN]);
const char *display_age(unsigned long long ms, char buf[DISPLAY_UNIT_LEN]);

#endif
