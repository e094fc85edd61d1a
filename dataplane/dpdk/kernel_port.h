/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_KERNEL_PORT_H
#define FAIRWAY_DPDK_KERNEL_PORT_H

/* The exception path: an interface of the kernel whose other end is a port of DPDK. It has the MAC
 * address of the card it stands for, so that the kernel answers ARP, speaks BGP and so on as if the
 * card were its own. A TAP interface outlives the process, with its addresses and routes. */

#include <stdint.h>

#include "controlplane/base/err.h"
#include "dataplane/dpdk/options.h"

/* Make the interface for the port `card`; *ret_id is DPDK's number of its end. */
int dpdk_kernel_port_make(const struct dpdk_port_options *options, uint16_t number, uint16_t card,
			  uint16_t queues, uint16_t *ret_id, struct err *err)
	__attribute__((warn_unused_result));

/* Set it up, with this MTU. */
int dpdk_kernel_port_up(const char *interface, uint16_t mtu, struct err *err)
	__attribute__((warn_unused_result));

#endif
