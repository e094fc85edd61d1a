/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_PROCESS_H
#define FAIRWAY_DPDK_PROCESS_H

/* The forwarding core on DPDK's packet buffers. Frames may have several segments, of which the
 * first holds the headers; nobody else may refer to them. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/core/memory.h"

struct rte_mbuf;

/* Decide one frame and, when it is forwarded or answered, write its headers: into the mbuf's
 * headroom, with Ethernet padding trimmed. Counts in row `worker`. *ret_trace says what was decided
 * and why. */
void dpdk_process(const struct lb_tables *tables, uint32_t worker, const struct lb_moment *moment,
		  struct rte_mbuf *mbuf, struct lb_trace *ret_trace);

#define DPDK_BURST 32U

/* What is to become of a frame. */
struct dpdk_fate {
	uint32_t verdict; /* enum lb_verdict */
	uint32_t ifindex; /* LB_FORWARD: the interface it leaves by; 0: the port it came from */
};

/* The same for up to DPDK_BURST frames at once, at least one, which overlaps their cache misses.
 * True when all of them leave by one interface, that of ret_fates[0], so that they needn't be
 * sorted; then the other fates aren't set. */
bool dpdk_process_burst(const struct lb_tables *tables, uint32_t worker,
			const struct lb_moment *moment, struct rte_mbuf **mbufs, uint32_t n,
			struct dpdk_fate *ret_fates);

/* Bits of the vectors that bursts are computed with: the widest that the CPU is good at, unless
 * told otherwise. Which ones makes no difference but in speed. */
uint32_t dpdk_vectors(void);
/* 128, 256 or 512; -ENOTSUP: this CPU hasn't those. */
int dpdk_vectors_use(uint32_t bits);

#endif
