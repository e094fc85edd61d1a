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

/* Before the driver: take our program off that an earlier process left, or the driver refuses; with
 * in_gap the driver's own, too, of one that ended before it had put ours in its place. 0 also when
 * there is none. */
int dpdk_steer_clear(const char *dir, const char *interface, bool in_gap, struct err *err)
	__attribute__((warn_unused_result));

/* Put our program in place of what is attached: the driver's, or ours over older tables. It is
 * pinned as <dir>/steer-INTERFACE. */
int dpdk_steer_put(const char *dir, const char *interface, const struct lb_tables *tables,
		   struct err *err) __attribute__((warn_unused_result));

/* After a start that failed: put the pinned program back where none or only the driver's is
 * attached. Where none was ever pinned the driver's is taken off. */
int dpdk_steer_restore(const char *dir, const char *interface, struct err *err)
	__attribute__((warn_unused_result));

#endif
