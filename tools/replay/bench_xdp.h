/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_BENCH_XDP_H
#define FAIRWAY_REPLAY_BENCH_XDP_H

#include "dataplane/xdp/engine.h"
#include "tools/replay/engine.h"

/* Time the program in force with bpf/bench.bpf.c, a wrapper for each lane. What the harness itself
 * takes is measured in the same way, in turns with the program. See struct replay_engine. */
int bench_xdp_open(struct xdp_engine *xdp, const struct replay_bench *bench, void **ret_lane,
		   struct err *err) __attribute__((warn_unused_result));
int bench_xdp_run(void *lane, size_t count, struct replay_sample *ret_sample, struct err *err)
	__attribute__((warn_unused_result));
void bench_xdp_close(void *lane);

#endif
