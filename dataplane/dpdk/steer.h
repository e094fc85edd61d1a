/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_STEER_H
#define FAIRWAY_DPDK_STEER_H

/*
 * Ports of net_af_xdp on an interface that the kernel keeps for itself (`exception: kernel`).
 *
 * The driver attaches a program that gives its sockets every packet. Ours (bpf/steer.bpf.c) takes
 * its place, in one step, and gives them those for VIPs only. It stays when this process ends,
 * however it does: then there are no sockets, and it calls the XDP balancer, whose tables are the
 * same. So a restart, too, loses no more than what is in the sockets' rings and what arrives while
 * the driver attaches its own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "dataplane/core/memory.h"

/* Before the driver: take our program off that an earlier process left, or the driver refuses. 0
 * also when there is none. */
int dpdk_steer_clear(const char *dir, const char *interface, struct err *err)
	__attribute__((warn_unused_result));

/* Put our program in place of what is attached: the driver's, or ours over older tables. It is
 * pinned as <dir>/steer-INTERFACE. */
int dpdk_steer_put(const char *dir, const char *interface, const struct lb_tables *tables,
		   struct err *err) __attribute__((warn_unused_result));

#endif
