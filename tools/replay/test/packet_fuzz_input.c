/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/packet_fuzz_input.h"

#include <string.h>

void fuzz_read(struct fuzz_input *in, const uint8_t *bytes, size_t len)
{
	size_t at = len < FUZZ_HEAD_BYTES ? len : FUZZ_HEAD_BYTES;

	*in = (struct fuzz_input){0};
	if (at)
		memcpy(in->head, bytes, at);
	while (in->n < FUZZ_FRAMES_MAX && len - at >= 3) {
		struct fuzz_frame *f = &in->frames[in->n++];

		f->control = bytes[at];
		f->len = bytes[at + 1] | (size_t)bytes[at + 2] << 8;
		at += 3;
		if (f->len > len - at)
			f->len = len - at;
		if (f->len > FUZZ_FRAME_MAX)
			f->len = FUZZ_FRAME_MAX;
		f->bytes = bytes + at;
		at += f->len;
	}
}

size_t fuzz_write(const struct fuzz_input *in, uint8_t *to, size_t max)
{
	size_t at = FUZZ_HEAD_BYTES;

	if (max < at)
		return 0;
	memcpy(to, in->head, at);
	for (size_t i = 0; i < in->n; i++) {
		const struct fuzz_frame *f = &in->frames[i];

		if (max - at < 3 + f->len)
			break;
		to[at] = f->control;
		to[at + 1] = (uint8_t)f->len;
		to[at + 2] = (uint8_t)(f->len >> 8);
		if (f->len)
			memcpy(to + at + 3, f->bytes, f->len);
		at += 3 + f->len;
	}
	return at;
}

struct world_state fuzz_state(const struct fuzz_input *in)
{
	static const uint16_t mtus[8] = {1500, 0xffff, 1480, 1300, 600, 120, 60, 20};
	const uint8_t *h = in->head;

	return (struct world_state){
		.slots = h[0] % WORLD_SLOTS_COUNT,
		.mtu = mtus[h[1] % 8],
		.tags = h[2] % 4,
		.limits = h[3],
		.flows = h[4] % WORLD_FLOWS_COUNT,
		.hand = h[5] % 8,
		.dead = (uint16_t)(h[6] | h[7] << 8),
	};
}
