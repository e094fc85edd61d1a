/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any bytes: no crash, no leak, and either errors that fit one line each or a configuration that
 * the other entry points agree about. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static void check_errors(const struct config_errors *errs)
{
	char line[1024];

	require(errs->n_errors > 0, "a refusal says why");
	for (size_t i = 0; i < errs->n_errors; i++) {
		config_error_format(errs, &errs->errors[i], line, sizeof(line));
		require(!strpbrk(line, "\n\r\t"), "an error is one line");
		require(strlen(line) < sizeof(line) - 1, "an error is not cut off");
	}
}

static void check_config(const struct config *cfg, struct config_errors *errs)
{
	struct config *clone = config_clone(cfg), *again;
	char *text, *text_again;

	require(clone && config_equal(cfg, clone), "a clone is equal");
	require(config_validate(clone, errs) == 0, "what loads is valid");
	require(config_emit_string(clone, &text) == 0, "what loads can be written");
	require(config_parse(text, strlen(text), "again", &again, errs) == 0,
		"what is written loads");
	require(config_equal(cfg, again), "what is written means the same");
	require(config_emit_string(again, &text_again) == 0 && !strcmp(text, text_again),
		"what is written is canonical");
	free(text_again);
	free(text);
	config_free(again);
	config_free(clone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config_errors errs;
	struct config *cfg;

	if (config_parse((const char *)data, size, "fuzz", &cfg, &errs)) {
		check_errors(&errs);
		return 0;
	}
	check_config(cfg, &errs);
	config_free(cfg);
	return 0;
}
