/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_PERF_H
#define FAIRWAY_REPLAY_PERF_H

#include <stdio.h>

#include "controlplane/base/err.h"
#include "tools/replay/options.h"
#include "tools/replay/replay.h"

/* Measure how long the engine takes for the packets of --in, and print it to out as JSON. */
int perf_capture(struct replay *r, const struct replay_options *options, FILE *out, struct err *err)
	__attribute__((warn_unused_result));

#endif
