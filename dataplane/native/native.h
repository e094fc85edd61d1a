/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NATIVE_NATIVE_H
#define FAIRWAY_NATIVE_NATIVE_H

/* The forwarding core as plain C functions over tables in plain memory: for replay, unit tests and
 * fuzzers, and the tables that the DPDK engine uses where there is no BPF. */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/core/memory.h"

/* Room that a frame needs before its first byte. */
#define NATIVE_HEADROOM 64U

/* Zeroed tables of these dimensions (counter_stride is computed); rows is the number of workers
 * plus one for the control plane. 0 or -ENOMEM. */
int native_tables_init(struct lb_tables *tables, const struct lb_dims *dims)
	__attribute__((warn_unused_result));
void native_tables_fini(struct lb_tables *tables);
/* What workers write (flows, fragments, limits) stays the same memory in a larger set as long as it
 * keeps its size: the two sets exchange it. */
void native_tables_exchange(struct lb_tables *grown, struct lb_tables *old);

/* A frame in a buffer: data may move, into the headroom before it or away, and len shrink. */
struct native_frame {
	uint8_t *data;
	size_t len;
	size_t headroom;
};

/* Decide one frame and, when it is forwarded or answered, write its headers. Counts in row
 * `worker`. *ret_trace says what was decided and why. */
void native_process(const struct lb_tables *tables, uint32_t worker, const struct lb_moment *moment,
		    struct native_frame *frame, struct lb_trace *ret_trace);

#endif
