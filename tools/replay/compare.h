/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_COMPARE_H
#define FAIRWAY_REPLAY_COMPARE_H

#include <stdio.h>

#include "controlplane/base/err.h"
#include "tools/replay/options.h"
#include "tools/replay/replay.h"
#include "tools/replay/walk.h"

/* One of the two that are compared. */
struct compare_side {
	const char *name; /* what it is called in what is told */
	struct replay *replay;
	const struct config *config;
};

struct compare_report {
	struct walk_report walk;
	uint64_t n_differ; /* packets that the two treat differently */
};

/* Run --in through two engines in lockstep. Tells on out the first packets that they treat
 * differently, with what differs, and in the end how many did. *ret_report is filled in any case;
 * -EINTR when a signal ended it. */
int compare_capture(const struct compare_side side[2], const struct replay_options *options,
		    FILE *out, struct compare_report *ret_report, struct err *err)
	__attribute__((warn_unused_result));

#endif
