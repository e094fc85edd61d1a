/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_PORT_H
#define FAIRWAY_DPDK_PORT_H

/* The engine's ports: network cards, and for each what leads to the kernel. */

#include <stdint.h>

#include "controlplane/base/err.h"
#include "dataplane/core/page.h"
#include "dataplane/dpdk/options.h"

struct rte_mempool;

#define DPDK_NO_PORT UINT16_MAX

struct dpdk_port {
	uint16_t id;      /* DPDK's number */
	uint16_t kernel;  /* that of the port to the kernel, or DPDK_NO_PORT */
	uint16_t queues;  /* for RX; for TX each worker has its own */
	uint32_t ifindex; /* of the kernel's interface */
};

/* Buffers for all ports, one pool for each NUMA node that has a worker. */
struct dpdk_pools {
	struct rte_mempool *of_socket[RTE_MAX_NUMA_NODES]; /* NULL: none */
};
int dpdk_pools_make(const struct dpdk_options *opt, struct dpdk_pools *ret_pools, struct err *err)
	__attribute__((warn_unused_result));

/* Configure and start the port of opt->ports[number], and what leads to the kernel. */
int dpdk_port_start(const struct dpdk_options *opt, uint16_t number, const struct dpdk_pools *pools,
		    struct dpdk_port *ret_port, struct err *err)
	__attribute__((warn_unused_result));

/* What doesn't change while the port runs, and what does. */
void dpdk_port_describe(const struct dpdk_options *opt, uint16_t number,
			const struct dpdk_port *port, struct lb_page_port *ret);
void dpdk_port_observe(const struct dpdk_port *port, struct lb_page_port *ret);

void dpdk_port_stop(struct dpdk_port *port);

#endif
