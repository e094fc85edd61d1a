/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_LANES_H
#define FAIRWAY_REPLAY_LANES_H

#include "tools/replay/replay.h"

/* The same measurement on several CPUs at once, over the same tables. */
struct lanes;

/* -EINVAL when the process may not use so many CPUs. The bench must outlive the lanes. */
int lanes_open(struct replay *r, const struct replay_bench *bench, uint32_t n,
	       struct lanes **ret_lanes, struct err *err) __attribute__((warn_unused_result));
void lanes_close(struct lanes *lanes);

/* Run count frames on each at the same time; one lane runs on the calling thread. ret_samples: one
 * for each lane, to which what this took is added. */
int lanes_run(struct lanes *lanes, size_t count, struct replay_sample *ret_samples, struct err *err)
	__attribute__((warn_unused_result));

#endif
