/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

struct lane {
	const struct lb_tables *tables;
	const struct replay_bench *bench;
	uint32_t worker;
	uint8_t *buffers;
	size_t stride;
	struct native_frame native[BATCH];
};

int memory_bench_open(const struct lb_tables *tables, const struct replay_bench *bench,
		      uint32_t worker, void **ret_lane, struct err *err)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return err_set(err, -ENOMEM, "out of memory");
	lane->tables = tables;
	lane->bench = bench;
	lane->worker = worker;
	for (size_t i = 0; i < bench->n; i++)
		if (bench->frames[i].len > lane->stride)
			lane->stride = bench->frames[i].len;
	lane->stride = (lane->stride + FRAME_START + 127) / 128 * 128;
	lane->buffers = malloc(BATCH * lane->stride);
	if (!lane->buffers) {
		err_set(err, -ENOMEM, "no memory for %u frames of %zu bytes", BATCH, lane->stride);
		memory_bench_close(lane);
		return -ENOMEM;
	}
	*ret_lane = lane;
	return 0;
}

void memory_bench_close(void *arg)
{
	struct lane *lane = arg;

	free(lane->buffers);
	free(lane);
}

static void batch_fill(struct lane *l, size_t count, size_t *next)
{
	for (size_t i = 0; i < count; i++, *next = *next + 1 < l->bench->n ? *next + 1 : 0) {
		const struct replay_frame *frame = &l->bench->frames[*next];

		l->native[i] = (struct native_frame){
			.data = l->buffers + i * l->stride + FRAME_START,
			.len = frame->len,
			.headroom = NATIVE_HEADROOM,
		};
		if (frame->len)
			memcpy(l->native[i].data, frame->bytes, frame->len);
	}
}

static uint64_t batch_run(struct lane *l, size_t count)
{
	const struct lb_moment moment = {0};
	uint64_t start = cpu_time_ns();

	for (size_t i = 0; i < count; i++) {
		struct lb_trace trace;

		native_process(l->tables, l->worker, &moment, &l->native[i], &trace);
	}
	return cpu_time_ns() - start;
}

int memory_bench_run(void *arg, size_t count, struct replay_sample *ret_sample, struct err *err)
{
	struct lane *lane = arg;
	uint64_t ns = 0;
	size_t next = 0;

	(void)err;
	for (size_t done = 0; done < count; done += BATCH) {
		size_t left = count - done, batch = left < BATCH ? left : BATCH;

		batch_fill(lane, batch, &next);
		ns += batch_run(lane, batch);
	}
	*ret_sample = (struct replay_sample){.ns = ns};
	return 0;
}

void memory_buffer_fini(struct memory_buffer *buffer)
{
	free(buffer->bytes);
	memset(buffer, 0, sizeof(*buffer));
}
