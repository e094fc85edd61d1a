/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_FRAMES_H
#define FAIRWAY_BENCH_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 1600

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

/* A kind of packet. Every flow of it has another client port. */
struct frame_case {
	const char *name;
	const char *help;
	uint32_t flows;
	/* What is sent before it and not counted: NULL, or e.g. the first fragment. */
	void (*before)(struct frame *frame, uint32_t flow);
	void (*build)(struct frame *frame, uint32_t flow);
	/* Count the packet that comes first, not the one that finds what it left behind. */
	int first;
};

/* The last one's name is NULL. */
extern const struct frame_case frame_cases[];

#endif
