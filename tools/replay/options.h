/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_OPTIONS_H
#define FAIRWAY_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"

/* The command line. Strings are argv's. */
struct replay_options {
	const char *engine;     /* "native" unless told */
	const char *compare[2]; /* the engines to compare; NULL: not asked for */
	const char *config;
	const char *in;
	const char *out;      /* NULL: not wanted */
	const char *verdicts; /* NULL: not wanted */
	struct addr *down;    /* addresses of reals that count as failed; owned */
	size_t n_down;
	const char *events;  /* NULL: none */
	const char *filter;  /* NULL: all packets */
	const char *against; /* the second engine's configuration; NULL: the same */
	bool has_explain;
	uint64_t explain; /* the index of the packet to explain */
	bool progress;    /* also where standard error is no terminal */
	bool perf;
	uint32_t cores;     /* to measure on, 1 unless told */
	bool help, version; /* asked for; nothing else is checked then */
};

/* 0; -EINVAL with words when the command line is wrong; -ENOMEM. */
int replay_options_parse(int argc, char **argv, struct replay_options *ret_options, struct err *err)
	__attribute__((warn_unused_result));
void replay_options_fini(struct replay_options *options);

void replay_options_help(FILE *out);

#endif
