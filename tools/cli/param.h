/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_PARAM_H
#define FAIRWAY_CLI_PARAM_H

#include <jansson.h>

#include "controlplane/base/err.h"
#include "tools/cli/command.h"

/* From a word of the command line to a parameter of the API. Values are checked with the parsers of
 * the configuration, so that a word means the same in both. */

/* 0 with a new reference in *ret_value, -EINVAL with reason and fix, -ENOMEM. VALUE_FILE isn't
 * handled here: reading a file can fail for other reasons than its name. */
int param_parse(enum value_kind kind, const char *text, json_t **ret_value, struct err *err)
	__attribute__((warn_unused_result));

/* The words a value can be, NULL-terminated; NULL when it isn't one of a few words. */
const char *const *param_words(enum value_kind kind);

/* Read a whole file, "-" being standard input, as text. 0; -errno with words; -EINVAL when it isn't
 * UTF-8 text or holds NUL bytes; -EFBIG above limit bytes. *ret_text is the caller's to free(). */
int param_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_len,
		    struct err *err) __attribute__((warn_unused_result));

#endif
