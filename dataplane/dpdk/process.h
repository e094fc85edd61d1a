/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_PROCESS_H
#define FAIRWAY_DPDK_PROCESS_H

/* The forwarding core on DPDK's packet buffers. */

#include <stdint.h>

#include "dataplane/core/memory.h"

struct rte_mbuf;

/* Decide one frame and, when it is forwarded or answered, write its headers: into the mbuf's
 * headroom, with Ethernet padding trimmed. The frame must lie in one segment that nobody else
 * refers to. Counts in row `worker`. *ret_trace says what was decided and why. */
void dpdk_process(const struct lb_tables *tables, uint32_t worker, const struct lb_moment *moment,
		  struct rte_mbuf *mbuf, struct lb_trace *ret_trace);

#endif
