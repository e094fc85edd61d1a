/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_PACKET_FUZZ_BUILD_H
#define FAIRWAY_REPLAY_TEST_PACKET_FUZZ_BUILD_H

/* Frames at random, such as lead deep into the rules: few clients and ports, so that frames of one
 * input belong to the same flows, datagrams and connections. */

#include <stddef.h>
#include <stdint.h>

struct fuzz_random {
	uint64_t state;
};

uint32_t fuzz_below(struct fuzz_random *r, uint32_t n);

/* A frame into `to`, which has FUZZ_FRAME_MAX bytes: its length. */
size_t fuzz_build(struct fuzz_random *r, uint8_t *to);

/* Make the lengths of a frame's IP header, and of UDP right behind it, what the frame holds. */
void fuzz_mend_lengths(uint8_t *frame, size_t len);

#endif
