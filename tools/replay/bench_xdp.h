/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_BENCH_XDP_H
#define FAIRWAY_REPLAY_BENCH_XDP_H

#include "dataplane/xdp/engine.h"
#include "tools/replay/engine.h"

/* Time the program in force with bpf/bench.bpf.c. What the harness itself takes is measured in the
 * same way and subtracted. */
int bench_xdp(struct xdp_engine *xdp, const struct replay_bench *bench, struct err *err)
	__attribute__((warn_unused_result));

#endif
