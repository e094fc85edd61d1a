/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_DECODE_H
#define FAIRWAY_REPLAY_DECODE_H

/* Frames in words, for people. It reads frames by itself, not by the forwarding core, so that it
 * shows what is there where the core should be wrong. Nothing is read beyond a frame's end. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum decode_kind {
	DECODE_ETHERNET,
	DECODE_VLAN,
	DECODE_IP4,
	DECODE_IP6,
	DECODE_IP6_EXTENSION,
	DECODE_TCP,
	DECODE_UDP,
	DECODE_ICMP,
	DECODE_ICMP6,
	DECODE_DATA,    /* what an IP packet holds that isn't one of those */
	DECODE_PADDING, /* behind the IP packet */
	DECODE_CUT,     /* of a header, whose rest is missing */
};

struct decode_layer {
	enum decode_kind kind;
	size_t offset, len;
	uint16_t type; /* an IPv6 extension header's number */
};

/* A tag or two, three times IP, a chain of extension headers in each, and what is inside. */
#define DECODE_LAYERS_MAX 48

/* The frame's parts, from the first byte to the last. gue_port: UDP to this port carries IP (GUE,
 * variant 1); 0: none does. Returns how many there are. */
size_t decode_layers(const uint8_t *frame, size_t len, uint16_t gue_port,
		     struct decode_layer ret_layers[DECODE_LAYERS_MAX]);

/* A line for each part, each with the indent before it. */
void decode_print(FILE *out, const char *indent, const uint8_t *frame, size_t len,
		  uint16_t gue_port);

/* Where in the frame an offset lies: "byte 2 of the IPv4 header at 14". Returns text. */
const char *decode_place(const uint8_t *frame, size_t len, uint16_t gue_port, size_t offset,
			 char *text, size_t size);

/* Rows of 16 bytes around an offset, with each byte that differs from `other` marked. */
void decode_hex(FILE *out, const char *indent, const uint8_t *frame, size_t len,
		const uint8_t *other, size_t other_len, size_t around);

#endif
