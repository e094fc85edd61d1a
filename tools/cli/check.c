/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/check.h"

#include <errno.h>
#include <stdio.h>

#include "controlplane/config/config.h"
#include "tools/cli/rpc.h"

static json_t *make_findings(const struct config_errors *errs, const struct config_error *list,
			     size_t n, size_t dropped)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct config_error *e = &list[i];
		const char *hint = e->hint[0] ? e->hint : NULL;

		json_array_append_new(findings, json_pack("{s:s?, s:i, s:i, s:s, s:s?}", "file",
							  errs->file[0] ? errs->file : NULL, "line",
							  (int)e->line, "column", (int)e->column,
							  "message", e->text, "hint", hint));
	}
	if (dropped > 0) {
		char text[64];

		snprintf(text, sizeof(text), "%zu more not shown", dropped);
		json_array_append_new(findings, json_pack("{s:s?, s:i, s:i, s:s, s:n}", "file",
							  errs->file[0] ? errs->file : NULL, "line",
							  0, "column", 0, "message", text, "hint"));
	}
	return findings;
}

int check_text_here(const char *text, size_t len, const char *file, const char *why,
		    json_t **ret_result, struct err *err)
{
	struct config *cfg = NULL;
	struct config_errors errs;
	int ret = config_parse(text, len, file, &cfg, &errs);
	json_t *result;

	if (ret < 0 && ret != -EINVAL)
		return err_set(err, ret, "cannot check %s: %s", file,
			       ret == -ENOMEM ? "out of memory" : "it can't be read");
	config_free(cfg);
	result = json_pack(
		"{s:i, s:s, s:b, s:o, s:o, s:[s, s]}", "schema_version", RPC_SCHEMA_VERSION, "file",
		file, "ok", ret == 0, "errors",
		make_findings(&errs, errs.errors, errs.n_errors, errs.n_errors_dropped), "warnings",
		make_findings(&errs, errs.warnings, errs.n_warnings, errs.n_warnings_dropped),
		"not_checked",
		"routes to the reals, and whether this node has the interfaces: only the daemon "
		"knows",
		why);
	if (!result)
		return err_set(err, -ENOMEM, "out of memory");
	*ret_result = result;
	return 0;
}
