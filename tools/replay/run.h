/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_RUN_H
#define FAIRWAY_REPLAY_RUN_H

#include <stdint.h>

#include "controlplane/base/err.h"
#include "tools/replay/options.h"
#include "tools/replay/replay.h"

/* What the run met that the operator should know besides the verdicts. */
struct run_report {
	uint64_t n_packets;
	uint64_t n_cut; /* captured shorter than they were on the wire */
};

/* Replay --in, write --out and --verdicts. On failure everything before the failure is written;
 * *ret_report is filled in any case. */
int run_capture(struct replay *r, const struct config *config, const struct replay_options *options,
		struct run_report *ret_report, struct err *err) __attribute__((warn_unused_result));

#endif
