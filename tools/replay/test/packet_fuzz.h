/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_PACKET_FUZZ_H
#define FAIRWAY_REPLAY_TEST_PACKET_FUZZ_H

/*
 * Inputs of packet_fuzz_input.h through the native core, in buffers that end where the frames end,
 * over the tables of dataplane/native/test/world.h; abort() when a promise is broken:
 *  - what leaves, and what is counted, is as packet_fuzz_check.h has it;
 *  - what the short way for common packets decides, the full rules decide too;
 *  - a question changes nothing, and its answer is what then happens.
 */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/core/memory.h"
#include "tools/replay/test/packet_fuzz_check.h"
#include "tools/replay/test/packet_fuzz_input.h"

/* Who sees each frame as well: another engine that is held against this one. */
struct fuzz_witness {
	void *arg;
	/* Tables were brought into a state. */
	void (*begin)(void *arg, const struct world_state *state);
	/* A frame went through; t are the tables after it. */
	void (*frame)(void *arg, const struct lb_tables *t, const struct lb_moment *moment,
		      struct fuzz_bytes in, struct fuzz_bytes out, const struct lb_trace *trace);
};

/* witness may be NULL. */
void fuzz_run(const struct fuzz_input *in, const struct fuzz_witness *witness);

/* How many times a frame went through the core so far. */
uint64_t fuzz_frames(void);

/* One frame in the plain state. */
void fuzz_run_frame(const uint8_t *frame, size_t len);

/* libFuzzer's entries. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
				 uint8_t *out, size_t max, unsigned int seed);

#endif
