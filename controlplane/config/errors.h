/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_ERRORS_H
#define FAIRWAY_CONFIG_ERRORS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What is wrong with a configuration: every finding of one pass, in the order of the file, each
 * with its place, what it is, and how to mend it. Plain memory; needs no freeing. */

#define CONFIG_ERRORS_MAX 20

struct config_error {
	uint32_t line; /* from 1; 0: not from a file */
	uint32_t column;
	char text[384];
	char hint[256]; /* how to mend it; "" when the text says so already */
};

struct config_errors {
	char file[256]; /* "" when there is none */
	struct config_error errors[CONFIG_ERRORS_MAX];
	size_t n_errors;
	size_t n_errors_dropped; /* found, but beyond CONFIG_ERRORS_MAX */
	struct config_error warnings[CONFIG_ERRORS_MAX];
	size_t n_warnings;
	size_t n_warnings_dropped;
};

/* One finding as `fairway.yaml:12:7: unknown key 'prot': did you mean 'port'?` into buf, hint
 * included; returns buf. */
const char *config_error_format(const struct config_errors *errs, const struct config_error *e,
				char *buf, size_t len);

/* All errors, or all warnings (each line then says "warning"), one to a line. */
void config_errors_print(const struct config_errors *errs, FILE *out);
void config_warnings_print(const struct config_errors *errs, FILE *out);

#endif
