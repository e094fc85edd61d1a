/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_OPTIONS_H
#define FAIRWAY_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"

/* The command line. Strings are argv's. */
struct replay_options {
	const char *engine; /* "native" unless told */
	const char *config;
	const char *in;
	const char *out;      /* NULL: not wanted */
	const char *verdicts; /* NULL: not wanted */
	struct addr *down;    /* addresses of reals that count as failed; owned */
	size_t n_down;
	const char *events; /* NULL: none */
	bool perf;
	bool help, version; /* asked for; nothing else is checked then */
};

/* 0; -EINVAL with words when the command line is wrong; -ENOMEM. */
int replay_options_parse(int argc, char **argv, struct replay_options *ret_options, struct err *err)
	__attribute__((warn_unused_result));
void replay_options_fini(struct replay_options *options);

void replay_options_help(FILE *out);

#endif
