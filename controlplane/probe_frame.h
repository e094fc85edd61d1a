/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PROBE_FRAME_H
#define FAIRWAY_PROBE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"

/* Frames to ask the program about, and what can be read from its answers. */

#define PROBE_FRAME_MAX 128

struct probe_flow {
	uint8_t protocol;                /* 6: a TCP SYN; 17: UDP with 8 bytes */
	bool ongoing;                    /* not the first packet of its flow: TCP without SYN */
	struct addr source, destination; /* of one family */
	uint16_t source_port, destination_port;
};

/* Build a packet of the flow, checksums right, from and to locally administered MAC
 * addresses. Returns its length. */
size_t probe_frame_build(const struct probe_flow *flow, uint8_t frame[PROBE_FRAME_MAX]);

/* The two addresses of the outermost IP header; 0, or -EINVAL when there is none. */
int probe_frame_addresses(const uint8_t *frame, size_t len, struct addr *ret_source,
			  struct addr *ret_destination) __attribute__((warn_unused_result));

#endif
