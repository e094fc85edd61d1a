/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/tree.h"

#include "controlplane/config/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* libyaml's events to a tree. Its own document API would resolve aliases silently, at a cost that a
 * few lines of text can make enormous, and forget where they stood; here they are refused in place,
 * as is everything else that a configuration has no use for. */

#define DEPTH_MAX 16
#define NODES_MAX 2000000

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	struct config_errors *errs;
	struct tree_node *stack[DEPTH_MAX]; /* the open lists and maps */
	size_t depth;
	size_t n_nodes;
	struct tree_node *root;
};

void tree_free(struct tree_node *root)
{
	struct tree_node *next;

	/* Depth is at most DEPTH_MAX. */
	for (; root; root = next) {
		next = root->next;
		tree_free(root->first);
		free(root->text);
		free(root);
	}
}

static struct config_mark mark_of(const yaml_mark_t *m)
{
	return (struct config_mark){(uint32_t)m->line + 1, (uint32_t)m->column + 1};
}

/* ---- Syntax errors ---- */

/* The mark of a byte, for errors that come without one. */
static struct config_mark mark_of_offset(const char *text, size_t len, size_t offset)
{
	struct config_mark mark = {1, 1};

	for (size_t i = 0; i < offset && i < len; i++) {
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* The column of a tab that indents this line, or 0. */
static uint32_t tab_column(const char *text, size_t len, uint32_t line)
{
	size_t i = 0;
	uint32_t column = 1;

	for (; line > 1 && i < len; i++)
		line -= text[i] == '\n';
	for (; i < len && text[i] == ' '; i++)
		column++;
	return i < len && text[i] == '\t' ? column : 0;
}

static const char *syntax_hint(const char *problem)
{
	static const struct {
		const char *part, *hint;
	} hints[] = {
		{"mapping values are not allowed",
		 "indent it as its neighbours, or quote the value if it holds ': '"},
		{"could not find expected ':'", "write 'key: value', with a blank after the colon"},
		{"expected key", "check the indentation, and commas between { and }"},
		{"expected '-' indicator", "indent every item of a list alike, with '- ' in front"},
		{"expected ',' or ']'", "close the [ or put a comma between its items"},
		{"expected ',' or '}'", "close the { or put a comma between its keys"},
		{"unexpected end of stream", "close the quote"},
		{"cannot start any token", "put quotes around the value"},
		{"block sequence entries are not allowed", "begin the list on its own line"},
		{"expected the node content", "write a value here"},
		{"expected <document start>", "indent this line as the keys above it"},
		{"escape", "write the text in 'single quotes', where \\ is nothing special"},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(problem, hints[i].part))
			return hints[i].hint;
	return "see 'man fairway.yaml' for the shape of this file";
}

static int syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "unknown problem";
	struct config_mark mark = mark_of(&p->problem_mark);
	char began[64] = "";
	uint32_t tab;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) {
		mark = mark_of_offset(r->text, r->len, p->problem_offset);
		report_error(r->errs, &mark, "save the file as plain UTF-8 text",
			     "a byte that is not text (%s)", problem);
		return -EINVAL;
	}
	tab = tab_column(r->text, r->len, mark.line);
	if (tab) {
		mark.column = tab;
		report_error(r->errs, &mark, "indent with spaces", "a tab indents this line");
		return -EINVAL;
	}
	/* Not where the text ran out, but where the quote was opened. */
	if (p->error == YAML_SCANNER_ERROR && p->context && strstr(problem, "end of stream"))
		mark = mark_of(&p->context_mark);
	else if (p->context && p->context_mark.line + 1 != mark.line)
		snprintf(began, sizeof(began), ", in what began on line %zu",
			 p->context_mark.line + 1);
	report_error(r->errs, &mark, syntax_hint(problem), "not YAML: %s%s", problem, began);
	return -EINVAL;
}

/* ---- Nodes ---- */

static int refuse(struct reader *r, const yaml_mark_t *m, const char *hint, const char *what)
{
	struct config_mark mark = mark_of(m);

	report_error(r->errs, &mark, hint, "%s", what);
	return -EINVAL;
}

/* What scalars, lists and maps have in common: no anchor, no tag, and a place in the tree. */
static int add_node(struct reader *r, const yaml_event_t *e, const yaml_char_t *anchor,
		    const yaml_char_t *tag, enum tree_type type, struct tree_node **ret_node)
{
	struct tree_node *parent = r->depth ? r->stack[r->depth - 1] : NULL, *node;

	if (anchor)
		return refuse(r, &e->start_mark, "write the value out where it is needed",
			      "anchors (&name) are not supported");
	if (tag)
		return refuse(r, &e->start_mark, "remove it", "tags (!name) are not supported");
	if (++r->n_nodes > NODES_MAX)
		return refuse(r, &e->start_mark, "is this the right file?", "too many values");
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->type = type;
	node->mark = mark_of(&e->start_mark);
	if (!parent)
		r->root = node;
	else if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	if (parent) {
		parent->last = node;
		parent->n_children++;
	}
	*ret_node = node;
	return 0;
}

static int add_scalar(struct reader *r, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	struct tree_node *node;
	int err = add_node(r, e, e->data.scalar.anchor, e->data.scalar.tag, TREE_SCALAR, &node);

	if (err)
		return err;
	if (strlen(text) != e->data.scalar.length)
		return refuse(r, &e->start_mark, "remove the \\0", "a value with a NUL in it");
	node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup(text);
	return node->text ? 0 : -ENOMEM;
}

static int open_node(struct reader *r, const yaml_event_t *e, enum tree_type type)
{
	const yaml_char_t *anchor =
		type == TREE_LIST ? e->data.sequence_start.anchor : e->data.mapping_start.anchor;
	const yaml_char_t *tag =
		type == TREE_LIST ? e->data.sequence_start.tag : e->data.mapping_start.tag;
	struct tree_node *node;
	int err = add_node(r, e, anchor, tag, type, &node);

	if (err)
		return err;
	if (r->depth == DEPTH_MAX)
		return refuse(r, &e->start_mark, "nothing here needs that",
			      "nested more than 16 deep");
	r->stack[r->depth++] = node;
	return 0;
}

static int take_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->root)
			return refuse(r, &e->start_mark, "keep one, and remove this '---'",
				      "a second YAML document");
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(r, &e->start_mark, "write the value out here",
			      "aliases (*name) are not supported");
	case YAML_SCALAR_EVENT:
		return add_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(r, e, TREE_LIST);
	case YAML_MAPPING_START_EVENT:
		return open_node(r, e, TREE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

static int read_events(struct reader *r)
{
	bool end = false;
	int err = 0;

	while (!err && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&r->parser, &e))
			return syntax_error(r);
		end = e.type == YAML_STREAM_END_EVENT;
		err = take_event(r, &e);
		yaml_event_delete(&e);
	}
	return err;
}

int tree_parse(const char *text, size_t len, struct tree_node **ret_root,
	       struct config_errors *errs)
{
	struct reader r = {.text = text, .len = len, .errs = errs};
	int err;

	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	/* Some editors put a byte order mark in front; libyaml would count it as a column. */
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		r.text += 3;
		r.len -= 3;
	}
	/* Told, or it would take another such mark for leave to read UTF-16. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.len);
	err = read_events(&r);
	yaml_parser_delete(&r.parser);
	if (!err && (!r.root || (r.root->type == TREE_SCALAR && !*r.root->text))) {
		report_error(errs, &(struct config_mark){1, 1},
			     "write at least a node: section; 'man fairway.yaml' has an example",
			     "the file is empty");
		err = -EINVAL;
	}
	if (err) {
		tree_free(r.root);
		return err;
	}
	*ret_root = r.root;
	return 0;
}
