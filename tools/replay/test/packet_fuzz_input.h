/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_PACKET_FUZZ_INPUT_H
#define FAIRWAY_REPLAY_TEST_PACKET_FUZZ_INPUT_H

/*
 * What the packet fuzzers read: a state of the tables and up to four frames, which meet each other
 * in the flow table, the fragment table and the limits. Any bytes are an input:
 *
 *   slots mtu tags limits flows hand dead dead   one byte each
 *   control, length (2, little-endian), frame    up to four times; the last is cut where bytes end
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/native/test/world.h"

#define FUZZ_HEAD_BYTES  8U
#define FUZZ_FRAMES_MAX  4U
#define FUZZ_FRAME_MAX   2048U
#define FUZZ_INPUT_BYTES (FUZZ_HEAD_BYTES + FUZZ_FRAMES_MAX * (3U + FUZZ_FRAME_MAX))

/* What happens before a frame. */
#define FUZZ_SECOND   0x1U /* a second goes by */
#define FUZZ_MINUTE   0x2U /* a minute goes by, for fragments as well */
#define FUZZ_KILL     0x4U /* the real that the frame before went to dies */
#define FUZZ_QUESTION 0x8U /* the frame is only asked about */

struct fuzz_frame {
	uint8_t control;
	size_t len;
	const uint8_t *bytes;
};

struct fuzz_input {
	uint8_t head[FUZZ_HEAD_BYTES];
	size_t n;
	struct fuzz_frame frames[FUZZ_FRAMES_MAX];
};

/* The frames stay in `bytes`. */
void fuzz_read(struct fuzz_input *in, const uint8_t *bytes, size_t len);

/* The input as bytes, at most max: how many. Frames that don't fit are left out. `to` doesn't hold
 * the frames themselves. */
size_t fuzz_write(const struct fuzz_input *in, uint8_t *to, size_t max);

struct world_state fuzz_state(const struct fuzz_input *in);

#endif
