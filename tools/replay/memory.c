/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/native/native.h"
#include "tools/replay/cpu_clock.h"

/* A frame stands so that its IP header is aligned, behind the room for an outer one. */
#define FRAME_START (NATIVE_HEADROOM + 2)

static int reserve(struct memory_buffer *buffer, size_t size, struct err *err)
{
	uint8_t *grown;

	if (buffer->size >= size)
		return 0;
	grown = realloc(buffer->bytes, size);
	if (!grown)
		return err_set(err, -ENOMEM, "no memory for a frame of %zu bytes", size);
	buffer->bytes = grown;
	buffer->size = size;
	return 0;
}

int memory_run(const struct lb_tables *tables, struct memory_buffer *buffer,
	       const struct replay_frame *frame, struct replay_outcome *ret_outcome,
	       struct err *err)
{
	int ret = reserve(buffer, FRAME_START + frame->len, err);
	struct native_frame native;

	if (ret < 0)
		return ret;
	native = (struct native_frame){
		.data = buffer->bytes + FRAME_START,
		.len = frame->len,
		.headroom = NATIVE_HEADROOM,
	};
	if (frame->len)
		memcpy(native.data, frame->bytes, frame->len);
	native_process(tables, 0, &(struct lb_moment){.now_ns = frame->now_ns}, &native,
		       &ret_outcome->trace);
	ret_outcome->frame = (struct replay_frame){native.data, native.len, frame->now_ns};
	return 0;
}

/* So many frames are prepared at once, to be run without a pause. */
#define BATCH 256U

struct batch {
	uint8_t *buffers;
	size_t stride;
	struct native_frame native[BATCH];
};

static void batch_fill(struct batch *b, size_t count, const struct replay_bench *bench,
		       size_t *next)
{
	for (size_t i = 0; i < count; i++, *next = *next + 1 < bench->n ? *next + 1 : 0) {
		const struct replay_frame *frame = &bench->frames[*next];

		b->native[i] = (struct native_frame){
			.data = b->buffers + i * b->stride + FRAME_START,
			.len = frame->len,
			.headroom = NATIVE_HEADROOM,
		};
		if (frame->len)
			memcpy(b->native[i].data, frame->bytes, frame->len);
	}
}

static uint64_t batch_run(struct batch *b, size_t count, const struct lb_tables *tables)
{
	const struct lb_moment moment = {0};
	uint64_t start = cpu_time_ns();

	for (size_t i = 0; i < count; i++) {
		struct lb_trace trace;

		native_process(tables, 0, &moment, &b->native[i], &trace);
	}
	return cpu_time_ns() - start;
}

int memory_bench(const struct lb_tables *tables, const struct replay_bench *bench, struct err *err)
{
	AUTO_FREE uint8_t *buffers = NULL;
	struct batch b = {.stride = 0};

	for (size_t i = 0; i < bench->n; i++)
		if (bench->frames[i].len > b.stride)
			b.stride = bench->frames[i].len;
	b.stride = (b.stride + FRAME_START + 127) / 128 * 128;
	b.buffers = buffers = malloc(BATCH * b.stride);
	if (!buffers)
		return err_set(err, -ENOMEM, "no memory for %u frames of %zu bytes", BATCH,
			       b.stride);
	for (size_t round = 0; round < bench->rounds; round++) {
		size_t next = 0;

		bench->ret_ns[round] = 0;
		for (size_t done = 0; done < bench->count; done += BATCH) {
			size_t left = bench->count - done, batch = left < BATCH ? left : BATCH;

			batch_fill(&b, batch, bench, &next);
			bench->ret_ns[round] += batch_run(&b, batch, tables);
		}
	}
	return 0;
}

void memory_buffer_fini(struct memory_buffer *buffer)
{
	free(buffer->bytes);
	memset(buffer, 0, sizeof(*buffer));
}
