/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_RUN_H
#define FAIRWAY_REPLAY_RUN_H

#include <stdio.h>

#include "controlplane/base/err.h"
#include "tools/replay/options.h"
#include "tools/replay/replay.h"
#include "tools/replay/walk.h"

/* Replay --in, write --out and --verdicts, explain the packet of --explain on `explained`. On
 * failure, and when a signal ended it (-EINTR), everything before that is written; *ret_report is
 * filled in any case. */
int run_capture(struct replay *r, const struct config *config, const struct replay_options *options,
		FILE *explained, struct walk_report *ret_report, struct err *err)
	__attribute__((warn_unused_result));

#endif
