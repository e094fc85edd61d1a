/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_BURST_H
#define FAIRWAY_DPDK_BURST_H

/* What the ways to process a burst share. Not for others: process.h is. */

#include "dataplane/dpdk/process.h"

struct lb_ahead;

/* What all packets of a burst have in common. */
struct dpdk_run {
	const struct lb_tables *tables;
	uint32_t worker;
	const struct lb_moment *moment;
};

/* The last step for one packet that came as far as its slot: all that dpdk_process_burst() does for
 * it. */
struct dpdk_fate dpdk_finish(const struct dpdk_run *run, const struct lb_ahead *a,
			     struct rte_mbuf *mbuf);

/* A burst of IPv4 packets for one port of one VIP. False: it isn't one, and nothing was done. Else
 * *ret_uniform is what dpdk_process_burst() returns. */
typedef bool dpdk_columns_fn(const struct dpdk_run *run, struct rte_mbuf **mbufs, uint32_t n,
			     struct dpdk_fate *ret_fates, bool *ret_uniform);

/* One for each width of vectors; the wider ones where DPDK_WIDE_VECTORS says so. */
dpdk_columns_fn dpdk_columns_128, dpdk_columns_256, dpdk_columns_512;

/* The one for the vectors in use. */
dpdk_columns_fn *dpdk_columns(void);

#endif
