/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_ENGINE_H
#define FAIRWAY_DPDK_ENGINE_H

/*
 * The DPDK engine: starts ports and workers, and then is their main thread, which touches no packet
 * of theirs. It tells the control plane that it lives, takes over new generations of the tables,
 * runs single packets that the control plane wants tried, and ends when it is told to, when a
 * worker stands still for long, or when its tables are nobody's any more.
 */

#include "controlplane/base/err.h"
#include "dataplane/dpdk/options.h"

/* Run until SIGTERM or SIGINT. 0 after a clean end, or -errno with words. */
int dpdk_engine_run(const struct dpdk_options *opt, struct err *err)
	__attribute__((warn_unused_result));

#endif
