/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_OFFLINE_H
#define FAIRWAY_DPDK_OFFLINE_H

/* DPDK without ports, hugepages or a control plane: enough of its environment (EAL) for frames in
 * mbufs, for replay and tests. Starts with the first open, stays until the process ends, and binds
 * the calling thread to one CPU, as EAL does. Needs no privileges. */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "controlplane/base/err.h"
#include "dataplane/core/memory.h"

/* Largest frame: what an mbuf's 16-bit buffer length leaves beside the headroom. */
#define DPDK_OFFLINE_FRAME_MAX 65000U

struct dpdk_offline;

int dpdk_offline_open(struct dpdk_offline **ret_offline, struct err *err)
	__attribute__((warn_unused_result));
void dpdk_offline_free(struct dpdk_offline *o);

/* Run one frame of at most DPDK_OFFLINE_FRAME_MAX bytes. *ret_frame is the frame after it, valid
 * until the next call. */
int dpdk_offline_run(struct dpdk_offline *o, const struct lb_tables *tables,
		     const struct lb_moment *moment, const void *frame, size_t len,
		     const uint8_t **ret_frame, size_t *ret_len, struct lb_trace *ret_trace,
		     struct err *err) __attribute__((warn_unused_result));

/* Run `count` frames, going round the list of n, and say how much CPU time that took without the
 * copying.
 * None may be larger than DPDK_OFFLINE_FRAME_MAX. */
int dpdk_offline_bench(struct dpdk_offline *o, const struct lb_tables *tables,
		       const struct iovec *frames, size_t n, size_t count, uint64_t *ret_ns,
		       struct err *err) __attribute__((warn_unused_result));

#endif
