/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/schema.h"

#include "controlplane/base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Structs to canonical YAML: keys in the order of the schema, what equals its default left out,
 * small objects on one line. */

/* Words that some YAML reader or other takes for something else. */
static bool is_special_word(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

/* True when text means itself without quotes, to this parser and to any other. */
static bool is_plain(const struct field *f, const char *text)
{
	switch (f->type) {
	case VALUE_NUMBER:
	case VALUE_PRIME:
	case VALUE_ASN:
	case VALUE_PORTS:
	case VALUE_BOOL:
	case VALUE_DURATION:
	case VALUE_CHOICE:
		return true;
	case VALUE_ADDRESS:
	case VALUE_IPV4:
	case VALUE_PREFIX:
	case VALUE_PREFIX4:
	case VALUE_ENDPOINT:
		/* A dotted quad, with /len or :port or without. */
		return *text != '[' && (strchr(text, '.') || !strchr(text, ':')) &&
		       !strstr(text, "::");
	case VALUE_NAME:
	case VALUE_INTERFACE:
	case VALUE_URL_PATH:
		break;
	default:
		return false;
	}
	if (!isalpha((unsigned char)*text) && *text != '/')
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") ==
		       strlen(text) &&
	       !is_special_word(text);
}

static void emit_text(FILE *out, const struct field *f, const char *text)
{
	if (is_plain(f, text)) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text; text++)
		fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	putc('"', out);
}

static bool worth_writing(const struct field *f, const void *object)
{
	char text[VALUE_STRLEN];

	if (f->required)
		return true;
	if (f->type == VALUE_LIST)
		return *list_count(f, object) > 0;
	if (f->type == VALUE_OBJECT) {
		if (f->optional_object)
			return *field_present(f, object);
		for (size_t i = 0; i < f->object->n_fields; i++)
			if (worth_writing(&f->object->fields[i], field_at(f, object)))
				return true;
		return false;
	}
	value_format(f, field_at(f, object), text);
	return *text && !(f->fallback && !strcmp(text, f->fallback));
}

static void emit_block(FILE *out, const struct schema *schema, const void *object, int indent,
		       bool first_in_line);

static void emit_scalar(FILE *out, const struct field *f, const void *object)
{
	char text[VALUE_STRLEN];

	emit_text(out, f, value_format(f, field_at(f, object), text));
}

static void emit_values(FILE *out, const struct field *f, const void *object)
{
	putc('[', out);
	for (size_t i = 0; i < *list_count(f, object); i++) {
		fputs(i ? ", " : "", out);
		emit_scalar(out, &f->object->fields[0], list_item(f, object, i));
	}
	putc(']', out);
}

/* Lists inside are of single values. */
static void emit_flow(FILE *out, const struct schema *schema, const void *object)
{
	const char *comma = "";

	putc('{', out);
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];

		if (!worth_writing(f, object))
			continue;
		fprintf(out, "%s%s: ", comma, f->key);
		comma = ", ";
		if (f->type == VALUE_OBJECT)
			emit_flow(out, f->object, field_at(f, object));
		else if (f->type == VALUE_LIST)
			emit_values(out, f, object);
		else
			emit_scalar(out, f, object);
	}
	putc('}', out);
}

static void emit_list(FILE *out, const struct field *f, const void *object, int indent)
{
	size_t n = *list_count(f, object);

	if (f->object->single_value) {
		putc(' ', out);
		emit_values(out, f, object);
		putc('\n', out);
		return;
	}
	putc('\n', out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%*s- ", indent, "");
		if (f->object->flow) {
			emit_flow(out, f->object, list_item(f, object, i));
			putc('\n', out);
		} else {
			emit_block(out, f->object, list_item(f, object, i), indent + 2, true);
		}
	}
}

static void emit_field(FILE *out, const struct field *f, const void *object, int indent)
{
	fprintf(out, "%s:", f->key);
	if (f->type == VALUE_LIST) {
		emit_list(out, f, object, indent + 2);
	} else if (f->type == VALUE_OBJECT && !f->object->flow) {
		putc('\n', out);
		emit_block(out, f->object, field_at(f, object), indent + 2, false);
	} else {
		putc(' ', out);
		if (f->type == VALUE_OBJECT)
			emit_flow(out, f->object, field_at(f, object));
		else
			emit_scalar(out, f, object);
		putc('\n', out);
	}
}

static void emit_block(FILE *out, const struct schema *schema, const void *object, int indent,
		       bool first_in_line)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];

		if (!worth_writing(f, object))
			continue;
		if (!first_in_line)
			fprintf(out, "%*s", indent, "");
		first_in_line = false;
		emit_field(out, f, object, indent);
	}
}

int config_emit(const struct config *cfg, FILE *out)
{
	emit_block(out, &schema_config, cfg, 0, false);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int config_emit_string(const struct config *cfg, char **ret_text)
{
	AUTO_FREE char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (!out)
		return -ENOMEM;
	r = config_emit(cfg, out);
	if (fclose(out) || r)
		return -ENOMEM;
	*ret_text = STEAL(text);
	return 0;
}
