/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_WORKER_H
#define FAIRWAY_DPDK_WORKER_H

/*
 * A worker: one thread on one CPU that takes bursts from its queues of every port, has the core
 * decide them, and sends each to completion before it takes the next:
 *
 *   port --> burst --> core --> port          forwarded, answered
 *                        |
 *                        +----> kernel        not ours
 *   kernel --> port                           the kernel's answers
 *
 * Workers share the tables, which only the control plane changes, and nothing else.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/core/memory.h"
#include "dataplane/core/page.h"
#include "dataplane/dpdk/port.h"

/* What all workers see. The main thread writes it. */
struct dpdk_shared {
	const struct lb_tables *tables; /* changed whole, between two rounds of a worker */
	bool stop;
	bool sleep; /* without packets, sleep for a moment */
	uint16_t n_workers;
	uint16_t n_ports;
	struct dpdk_port ports[LB_PAGE_PORTS_MAX];
};

struct dpdk_worker {
	const struct dpdk_shared *shared;
	struct lb_page_worker *page; /* what it tells of itself */
	uint32_t number;
};

/* Runs until shared->stop; arg is a struct dpdk_worker. For rte_eal_remote_launch(). */
int dpdk_worker_run(void *arg);

#endif
