/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/api/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *api_code_name(enum api_code code)
{
	switch (code) {
	case API_PARSE_ERROR:
		return "parse_error";
	case API_INVALID_REQUEST:
		return "invalid_request";
	case API_METHOD_NOT_FOUND:
		return "method_not_found";
	case API_INVALID_PARAMS:
		return "invalid_params";
	case API_INTERNAL_ERROR:
		return "internal_error";
	case API_NOT_FOUND:
		return "not_found";
	case API_ALREADY_EXISTS:
		return "already_exists";
	case API_INVALID_VALUE:
		return "invalid_value";
	case API_CONFLICT:
		return "conflict";
	case API_NEEDS_FORCE:
		return "needs_force";
	case API_CONFIG_ERRORS:
		return "config_errors";
	case API_NOT_SUPPORTED:
		return "not_supported";
	case API_FAILED:
		return "failed";
	}
	return "unknown";
}

/* ---- replies ---- */

static void clear_reply(struct api_reply *reply)
{
	json_decref(reply->result);
	json_decref(reply->data);
	memset(reply, 0, sizeof(*reply));
}

int api_fail(struct api_reply *reply, enum api_code code, const char *fmt, ...)
{
	va_list ap;

	clear_reply(reply);
	reply->code = code;
	va_start(ap, fmt);
	vsnprintf(reply->message, sizeof(reply->message), fmt, ap);
	va_end(ap);
	return -1;
}

int api_hint(struct api_reply *reply, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reply->hint, sizeof(reply->hint), fmt, ap);
	va_end(ap);
	return -1;
}

int api_data(struct api_reply *reply, const char *key, json_t *value)
{
	if (!reply->data)
		reply->data = json_object();
	/* Out of memory costs the extra key, never the error itself. */
	if (json_object_set_new(reply->data, key, value ? value : json_null()) < 0)
		return -1;
	return -1;
}

int api_bad_param(struct api_reply *reply, enum api_code code, const char *param, const char *fmt,
		  ...)
{
	va_list ap;

	clear_reply(reply);
	reply->code = code;
	va_start(ap, fmt);
	vsnprintf(reply->message, sizeof(reply->message), fmt, ap);
	va_end(ap);
	return api_data(reply, "param", param ? json_string(param) : NULL);
}

/* ---- writing answers ---- */

static json_t *error_object(struct api_reply *reply)
{
	json_t *data = reply->data ? json_incref(reply->data) : json_object();

	json_object_set_new(data, "name", json_string(api_code_name(reply->code)));
	json_object_set_new(data, "hint", reply->hint[0] ? json_string(reply->hint) : json_null());
	return json_pack("{s:i, s:s, s:o}", "code", (int)reply->code, "message", reply->message,
			 "data", data);
}

/* Take reply's parts and dump the answer. */
static int dump(struct api_reply *reply, json_t *id, char **ret_answer)
{
	json_t *root, *body;
	char *text, *line;
	size_t len;

	body = reply->code ? error_object(reply) : json_incref(reply->result);
	root = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id,
			 reply->code ? "error" : "result", body);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	line = realloc(text, len + 2);
	if (!line) {
		free(text);
		return -ENOMEM;
	}
	memcpy(line + len, "\n", 2);
	*ret_answer = line;
	return 0;
}

int api_refuse(enum api_code code, const char *message, const char *hint, char **ret_answer)
{
	struct api_reply reply = {0};
	json_t *id = json_null();
	int rc;

	api_fail(&reply, code, "%s", message);
	if (hint)
		api_hint(&reply, "%s", hint);
	rc = dump(&reply, id, ret_answer);
	clear_reply(&reply);
	return rc;
}

/* ---- parameters ---- */

static const char *const type_words[] = {
	[API_STRING] = "a string",  [API_STRING_OR_NULL] = "a string or null",
	[API_INTEGER] = "a number", [API_BOOLEAN] = "true or false",
	[API_ARRAY] = "a list",
};

static bool type_fits(enum api_type type, const json_t *value)
{
	switch (type) {
	case API_STRING:
		return json_is_string(value);
	case API_STRING_OR_NULL:
		return json_is_string(value) || json_is_null(value);
	case API_INTEGER:
		return json_is_integer(value);
	case API_BOOLEAN:
		return json_is_boolean(value);
	case API_ARRAY:
		return json_is_array(value);
	}
	return false;
}

static const struct api_param *find_param(const struct api_method *m, const char *name)
{
	for (const struct api_param *p = m->params; p && p->name; p++) {
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static int unknown_param(const struct api_method *m, const char *name, struct api_reply *reply)
{
	struct api_nearest near = {0};

	api_bad_param(reply, API_INVALID_PARAMS, name, "%s has no parameter '%.64s'", m->name,
		      name);
	for (const struct api_param *p = m->params; p && p->name; p++)
		api_nearest_offer(&near, name, p->name);
	return near.best ? api_hint(reply, "did you mean '%s'?", near.best) : -1;
}

static int check_params(const struct api_method *m, json_t *params, struct api_reply *reply)
{
	const char *name;
	json_t *value;

	json_object_foreach(params, name, value)
	{
		const struct api_param *p = find_param(m, name);

		if (!p)
			return unknown_param(m, name, reply);
		if (!type_fits(p->type, value))
			return api_bad_param(reply, API_INVALID_PARAMS, name, "%s: '%s' must be %s",
					     m->name, name, type_words[p->type]);
	}
	for (const struct api_param *p = m->params; p && p->name; p++) {
		if (p->required && !json_object_get(params, p->name))
			return api_bad_param(reply, API_INVALID_PARAMS, p->name,
					     "%s: parameter '%s' is missing", m->name, p->name);
	}
	return 0;
}

const char *api_string(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

bool api_has(const json_t *params, const char *name)
{
	return json_object_get(params, name) != NULL;
}

bool api_bool(const json_t *params, const char *name)
{
	return json_is_true(json_object_get(params, name));
}

json_int_t api_integer(const json_t *params, const char *name, json_int_t absent)
{
	const json_t *value = json_object_get(params, name);

	return value ? json_integer_value(value) : absent;
}

/* ---- requests ---- */

static const struct api_method *find_method(const struct api_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++) {
		if (strcmp(table->methods[i].name, name) == 0)
			return &table->methods[i];
	}
	return NULL;
}

static int no_method(const struct api_table *table, const char *name, struct api_reply *reply)
{
	struct api_nearest near = {0};

	for (size_t i = 0; i < table->n; i++)
		api_nearest_offer(&near, name, table->methods[i].name);
	api_fail(reply, API_METHOD_NOT_FOUND, "no method '%.64s'", name);
	if (near.best)
		api_hint(reply, "did you mean '%s'?", near.best);
	return api_data(reply, "nearest", near.best ? json_string(near.best) : NULL);
}

/* What must be so of a request before its method counts. */
static int check_request(const json_t *root, struct api_reply *reply)
{
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));
	const json_t *id = json_object_get(root, "id");

	if (json_is_array(root)) {
		api_fail(reply, API_INVALID_REQUEST, "batches are not supported");
		return api_hint(reply, "send each request on its own line");
	}
	if (!json_is_object(root))
		return api_fail(reply, API_INVALID_REQUEST, "a request is a JSON object");
	if (!version || strcmp(version, "2.0") != 0)
		return api_fail(reply, API_INVALID_REQUEST, "\"jsonrpc\" must be \"2.0\"");
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return api_fail(reply, API_INVALID_REQUEST,
				"\"id\" must be a string, a number or null");
	if (!json_is_string(json_object_get(root, "method")))
		return api_fail(reply, API_INVALID_REQUEST, "\"method\" must be a string");
	return 0;
}

static void run(const struct api_table *table, const json_t *root, struct api_reply *reply)
{
	const char *name = json_string_value(json_object_get(root, "method"));
	const struct api_method *m = find_method(table, name);
	json_t *given = json_object_get(root, "params");
	json_t *params;

	if (!m) {
		no_method(table, name, reply);
		return;
	}
	if (given && !json_is_object(given)) {
		api_bad_param(reply, API_INVALID_PARAMS, NULL, "%s: \"params\" must be an object",
			      m->name);
		return;
	}
	params = given ? json_incref(given) : json_object();
	if (!params)
		api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	else if (check_params(m, params, reply) == 0 && m->handle(table->arg, params, reply) == 0 &&
		 !reply->result)
		api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	json_decref(params);
}

int api_call(const struct api_table *table, const char *line, size_t len, char **ret_answer)
{
	struct api_reply reply = {0};
	json_error_t jerr;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &jerr);
	json_t *id = NULL;
	bool answer = true;
	int rc = 0;

	*ret_answer = NULL;
	if (!root) {
		api_fail(&reply, API_PARSE_ERROR, "not JSON: %s (byte %d)", jerr.text,
			 jerr.position);
	} else if (check_request(root, &reply) == 0) {
		id = json_object_get(root, "id");
		answer = id != NULL;
		run(table, root, &reply);
	} else if (json_is_string(json_object_get(root, "id")) ||
		   json_is_number(json_object_get(root, "id"))) {
		id = json_object_get(root, "id");
	}
	id = id ? json_incref(id) : json_null();
	if (answer)
		rc = dump(&reply, id, ret_answer);
	json_decref(id);
	json_decref(root);
	clear_reply(&reply);
	return rc;
}

/* ---- similar names ---- */

#define NEAREST_LEN 64

/* Levenshtein distance; long names count as different. */
static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[NEAREST_LEN + 1];

	if (la > NEAREST_LEN || lb > NEAREST_LEN)
		return NEAREST_LEN;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned keep = diagonal + (a[i - 1] != b[j - 1]);
			unsigned edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = keep < edit ? keep : edit;
		}
	}
	return row[lb];
}

void api_nearest_offer(struct api_nearest *n, const char *name, const char *candidate)
{
	unsigned d = distance(name, candidate);

	/* Alike: a third of the letters may differ, one in any case. */
	if (d > 1 + strlen(candidate) / 3 || d >= strlen(candidate))
		return;
	if (n->best && n->distance <= d)
		return;
	n->best = candidate;
	n->distance = d;
}
