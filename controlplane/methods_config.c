/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as a whole: check, compare, apply, save, show. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/methods.h"

/* The configuration that a request names. */
struct source {
	const char *name; /* the file, or what the caller calls the text */
	const char *text; /* NULL: read the file */
	bool own;         /* the daemon's own file */
};

static int find_source(struct daemon *d, const json_t *params, struct source *ret,
		       struct api_reply *reply)
{
	const char *text = api_string(params, "text"), *path = api_string(params, "path");
	const char *file = api_string(params, "file");

	if (text && path)
		return api_bad_param(reply, API_INVALID_PARAMS, "path",
				     "give text or path, not both");
	if (file && !text)
		return api_bad_param(reply, API_INVALID_PARAMS, "file",
				     "file names a text; to read a file give path");
	if (path && path[0] != '/')
		return api_bad_param(reply, API_INVALID_VALUE, "path",
				     "path must be absolute: the daemon runs elsewhere");
	if (text)
		*ret = (struct source){.name = file ? file : "<text>", .text = text};
	else if (path && strcmp(path, d->config_path) != 0)
		*ret = (struct source){.name = path};
	else
		*ret = (struct source){.name = d->config_path, .own = true};
	return 0;
}

/* Load and check; errors are told in the way of config_errors. */
static int load(struct daemon *d, const struct source *src, struct config **ret_cfg,
		struct config_errors *errs, struct stat *ret_stat, struct api_reply *reply)
{
	int rc = daemon_config_load(src->name, src->text, d->cfg, ret_cfg, errs, ret_stat);

	if (rc == 0)
		return 0;
	if (rc == -ENOMEM)
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	if (rc == -ENOENT && errs->n_errors <= 1) {
		api_fail(reply, API_NOT_FOUND, "%s: %s", src->name, strerror(-rc));
		api_data(reply, "object", json_string("file"));
		api_data(reply, "key", json_string(src->name));
		return api_data(reply, "nearest", NULL);
	}
	return fail_config_errors(reply, errs);
}

int method_config_check(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	static struct config_errors errs;
	struct config *cfg = NULL;
	struct source src;
	bool ok;

	if (find_source(d, params, &src, reply) < 0)
		return -1;
	ok = load(d, &src, &cfg, &errs, NULL, reply) == 0;
	config_free(cfg);
	if (!ok && reply->code != API_CONFIG_ERRORS)
		return -1;
	json_decref(reply->data);
	memset(reply, 0, sizeof(*reply));
	reply->result =
		json_pack("{s:i, s:s, s:b, s:o, s:o, s:[]}", "schema_version", API_SCHEMA_VERSION,
			  "file", src.name, "ok", ok, "errors", doc_findings(&errs, false),
			  "warnings", doc_findings(&errs, true), "not_checked");
	return 0;
}

/* Warnings as plain strings. */
static json_t *warning_lines(const struct config_errors *errs)
{
	json_t *list = json_array();
	char line[768];

	for (size_t i = 0; i < errs->n_warnings; i++)
		json_array_append_new(list, json_string(config_error_format(
						    errs, &errs->warnings[i], line, sizeof(line))));
	return list;
}

int method_config_diff(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	static struct config_errors errs;
	struct daemon_change change;
	struct config *cfg;
	struct source src;
	struct err err;
	int rc;

	if (find_source(d, params, &src, reply) < 0 || load(d, &src, &cfg, &errs, NULL, reply) < 0)
		return -1;
	rc = daemon_change_plan(d, cfg, &change, &err);
	if (rc < 0) {
		config_free(cfg);
		return fail_plan(reply, rc, &err);
	}
	reply->result =
		json_pack("{s:i, s:s, s:b, s:o, s:b, s:o, s:o}", "schema_version",
			  API_SCHEMA_VERSION, "file", src.name, "equal", config_equal(d->cfg, cfg),
			  "plan", doc_plan(&change.changes), "needs_force", change.brake[0] != '\0',
			  "brake", doc_text(change.brake), "warnings", warning_lines(&errs));
	daemon_change_fini(&change);
	config_free(cfg);
	return 0;
}

int method_config_apply(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	static struct config_errors errs;
	bool was_unsaved = d->unsaved, changed;
	struct config *cfg;
	struct source src;
	struct stat st;

	if (find_source(d, params, &src, reply) < 0 || load(d, &src, &cfg, &errs, &st, reply) < 0)
		return -1;
	if (change_config(d, cfg, api_bool(params, "force"), false, reply) < 0)
		return -1;
	changed = json_is_true(json_object_get(reply->result, "changed"));
	if (src.own) {
		d->config_stat = st;
		d->config_at_ns = clock_now_ns();
	}
	d->unsaved = src.own ? false : was_unsaved || changed;
	json_object_set_new(reply->result, "unsaved_changes", json_boolean(d->unsaved));
	json_object_set_new(reply->result, "file", json_string(src.name));
	json_object_set_new(reply->result, "warnings", warning_lines(&errs));
	return 0;
}

int method_config_save(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	bool foreign = daemon_config_changed_on_disk(d);
	bool write = d->unsaved || foreign;
	struct stat st;
	struct err err;

	if (foreign && !api_bool(params, "force")) {
		api_fail(reply, API_CONFLICT, "%s was edited since fairwayd last read or wrote it",
			 d->config_path);
		return api_hint(reply,
				"see `fairway config diff`; --force (force: true) overwrites it");
	}
	if (write && config_save(d->config_path, d->cfg, &err) < 0)
		return api_fail(reply, API_FAILED, "%s", err.text);
	if (stat(d->config_path, &st) < 0)
		return api_fail(reply, API_FAILED, "%s: %s", d->config_path, strerror(errno));
	d->config_stat = st;
	d->config_at_ns = clock_now_ns();
	d->unsaved = false;
	if (write)
		journal_write(LOG_LEVEL_INFO, "file", d->config_path, "configuration saved");
	reply->result =
		json_pack("{s:i, s:s, s:b, s:I}", "schema_version", API_SCHEMA_VERSION, "file",
			  d->config_path, "changed", write, "bytes", (json_int_t)st.st_size);
	return 0;
}

int method_config_show(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	char *text;

	(void)params;
	if (config_emit_string(d->cfg, &text) < 0)
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	reply->result =
		json_pack("{s:i, s:s, s:b, s:s}", "schema_version", API_SCHEMA_VERSION, "file",
			  d->config_path, "unsaved_changes", d->unsaved, "text", text);
	free(text);
	return 0;
}
