/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_SLOWER_H
#define FAIRWAY_REPLAY_TEST_SLOWER_H

/* Included before an engine's code, it makes that take SLOWER_BY instructions more for each packet
 * and leaves the rest alone: what the guard of instruction counts (testbed/perf) must find. */

#include "dataplane/core/memory_target.h"

#define SLOWER_TEXT_OF(x) #x
#define SLOWER_TEXT(x)    SLOWER_TEXT_OF(x)

static inline struct lb_target slower_target(const struct lb_tables *tables, __u32 worker,
					     __u32 frame_bytes, const struct lb_moment *moment)
{
	__asm__ volatile(".rept " SLOWER_TEXT(SLOWER_BY) "\n\tnop\n\t.endr");
	return lb_memory_target(tables, worker, frame_bytes, moment);
}

#define lb_memory_target slower_target

#endif
