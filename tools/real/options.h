/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_OPTIONS_H
#define FAIRWAY_REAL_OPTIONS_H

#include "tools/real/real.h"

enum real_command { REAL_SETUP, REAL_REMOVE, REAL_CHECK, REAL_HELP, REAL_VERSION };

/* Read the command line. -EINVAL with the reason in e: a usage error. REAL_HELP: help was asked
 * for, *ret_topic then is the command it is about, or REAL_HELP. Free opts with
 * real_options_fini(). */
int real_options_parse(int argc, char **argv, enum real_command *ret_command,
		       enum real_command *ret_topic, struct real_options *opts, struct err *e)
	__attribute__((warn_unused_result));
void real_options_fini(struct real_options *opts);

/* The help text of a command, or with REAL_HELP of the whole program. */
const char *real_options_help(enum real_command topic);

#endif
