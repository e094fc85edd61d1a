/* SPDX-License-Identifier: BSD-2-Clause */
/* How libFuzzer makes inputs of inputs: by frames and fields rather than by bytes, so that what is
 * under lengths and checks is reached. */
#include <string.h>

#include "tools/replay/test/packet_fuzz.h"
#include "tools/replay/test/packet_fuzz_build.h"
#include "tools/replay/test/packet_fuzz_input.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max);

/* An input whose frames can be changed in place. */
struct draft {
	struct fuzz_input in;
	uint8_t frames[FUZZ_FRAMES_MAX][FUZZ_FRAME_MAX];
};

static void draft_read(struct draft *d, const uint8_t *bytes, size_t len)
{
	fuzz_read(&d->in, bytes, len);
	for (size_t i = 0; i < d->in.n; i++) {
		if (d->in.frames[i].len)
			memcpy(d->frames[i], d->in.frames[i].bytes, d->in.frames[i].len);
		d->in.frames[i].bytes = d->frames[i];
	}
}

static void set_frame(struct draft *d, size_t i, const uint8_t *bytes, size_t len)
{
	memmove(d->frames[i], bytes, len);
	d->in.frames[i].bytes = d->frames[i];
	d->in.frames[i].len = len;
}

/* A frame that is new, or one that was there once more. */
static void add_frame(struct draft *d, struct fuzz_random *r)
{
	const int again = d->in.n && !fuzz_below(r, 3);
	const size_t from = again ? fuzz_below(r, (uint32_t)d->in.n) : 0;
	const size_t to = d->in.n < FUZZ_FRAMES_MAX ? d->in.n++ : fuzz_below(r, FUZZ_FRAMES_MAX);

	d->in.frames[to].control = fuzz_below(r, 3) ? 0 : (uint8_t)fuzz_below(r, 16);
	if (again)
		set_frame(d, to, d->frames[from], d->in.frames[from].len);
	else
		set_frame(d, to, d->frames[to], fuzz_build(r, d->frames[to]));
}

/* Values that decide something somewhere in a header. */
static void change_field(uint8_t *frame, size_t len, struct fuzz_random *r)
{
	static const uint8_t bytes[] = {0,   1,    2,    3,    4,    5,    6,    8,    11, 12,  17,
					20,  40,   41,   43,   44,   0x45, 0x46, 0x4f, 50, 51,  58,
					59,  60,   0x60, 64,   80,   81,   82,   83,   84, 128, 129,
					135, 0x12, 0xff, 0x80, 0x81, 0x88, 0xa8, 0xdd};
	const size_t at = fuzz_below(r, (uint32_t)(len < 120 ? len : 120));

	frame[at] = fuzz_below(r, 4) ? bytes[fuzz_below(r, sizeof(bytes))]
				     : (uint8_t)(frame[at] ^ 1U << fuzz_below(r, 8));
}

static void insert_tag(struct draft *d, size_t i, struct fuzz_random *r)
{
	const uint8_t tag[4] = {0x81, 0, 0, (uint8_t)fuzz_below(r, 256)};
	const size_t len = d->in.frames[i].len;

	if (len < 12 || len + 4 > FUZZ_FRAME_MAX)
		return;
	memmove(d->frames[i] + 16, d->frames[i] + 12, len - 12);
	memcpy(d->frames[i] + 12, tag, 4);
	d->in.frames[i].len = len + 4;
}

static void change_frame(struct draft *d, size_t i, struct fuzz_random *r)
{
	struct fuzz_frame *f = &d->in.frames[i];

	switch (fuzz_below(r, 8)) {
	case 0:
		f->len = LLVMFuzzerMutate(d->frames[i], f->len, FUZZ_FRAME_MAX);
		return;
	case 1:
		f->len = fuzz_below(r, (uint32_t)f->len + 1);
		return;
	case 2:
		insert_tag(d, i, r);
		return;
	case 3:
		f->control ^= (uint8_t)(1U << fuzz_below(r, 4));
		return;
	case 4:
		set_frame(d, i, d->frames[i], fuzz_build(r, d->frames[i]));
		return;
	}
	for (uint32_t n = 1 + fuzz_below(r, 3); n && f->len; n--)
		change_field(d->frames[i], f->len, r);
	if (fuzz_below(r, 2))
		fuzz_mend_lengths(d->frames[i], f->len);
}

static void mutate(struct draft *d, struct fuzz_random *r)
{
	const uint32_t what = fuzz_below(r, 8);

	if (what == 0)
		d->in.head[fuzz_below(r, FUZZ_HEAD_BYTES)] = (uint8_t)fuzz_below(r, 256);
	else if (what == 1 && d->in.n > 1)
		d->in.n--;
	else if (what <= 3 || !d->in.n)
		add_frame(d, r);
	else
		change_frame(d, fuzz_below(r, (uint32_t)d->in.n), r);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned int seed)
{
	struct fuzz_random r = {seed * 2654435761ULL + 1};
	static struct draft d;

	draft_read(&d, bytes, len);
	for (uint32_t n = 1 + fuzz_below(&r, 3); n; n--)
		mutate(&d, &r);
	return fuzz_write(&d.in, bytes, max);
}

/* The state of one, frames of both. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
				 uint8_t *out, size_t max, unsigned int seed)
{
	struct fuzz_random r = {seed * 2654435761ULL + 1};
	struct fuzz_input from, to;

	fuzz_read(&to, a, a_len);
	fuzz_read(&from, b, b_len);
	for (size_t i = 0; i < from.n; i++) {
		if (fuzz_below(&r, 2))
			continue;
		if (to.n < FUZZ_FRAMES_MAX)
			to.frames[to.n++] = from.frames[i];
		else
			to.frames[fuzz_below(&r, FUZZ_FRAMES_MAX)] = from.frames[i];
	}
	return fuzz_write(&to, out, max);
}
