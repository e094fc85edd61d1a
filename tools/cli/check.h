/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_CHECK_H
#define FAIRWAY_CLI_CHECK_H

#include <jansson.h>
#include <stddef.h>

#include "controlplane/base/err.h"

/* Check a configuration in this program, without a daemon: everything but what only the node knows.
 * A new document in *ret_result, of the same form as the daemon's answer to config.check; why tells
 * in not_checked why the daemon wasn't asked. 0 or -ENOMEM. */
int check_text_here(const char *text, size_t len, const char *file, const char *why,
		    json_t **ret_result, struct err *err) __attribute__((warn_unused_result));

#endif
