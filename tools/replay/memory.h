/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_MEMORY_H
#define FAIRWAY_REPLAY_MEMORY_H

/* Running frames by the native core over tables in plain memory. */

#include "tools/replay/engine.h"

/* Room for a frame and what is put before it. All zero: empty. */
struct memory_buffer {
	uint8_t *bytes;
	size_t size;
};

/* Run one frame in the buffer; the outcome's frame lies in it. */
int memory_run(const struct lb_tables *tables, struct memory_buffer *buffer,
	       const struct replay_frame *frame, struct replay_outcome *ret_outcome,
	       struct err *err) __attribute__((warn_unused_result));
void memory_buffer_fini(struct memory_buffer *buffer);

/* A lane of a measurement; counts in the row of its worker. See struct replay_engine. */
int memory_bench_open(const struct lb_tables *tables, const struct replay_bench *bench,
		      uint32_t worker, void **ret_lane, struct err *err)
	__attribute__((warn_unused_result));
int memory_bench_run(void *lane, size_t count, struct replay_sample *ret_sample, struct err *err)
	__attribute__((warn_unused_result));
void memory_bench_close(void *lane);

#endif
