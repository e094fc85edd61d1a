/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/engine.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "controlplane/publish/memory_engine.h"
#include "tools/replay/memory.h"

/* The core as a plain C program over tables on the heap. */

struct native_state {
	struct publish_memory memory;
	struct memory_buffer buffer;
};

static void native_close(void *state)
{
	struct native_state *n = state;

	publish_memory_fini(&n->memory);
	memory_buffer_fini(&n->buffer);
	free(n);
}

static int native_open(const struct lb_dims *dims, uint32_t workers, void **ret_state,
		       struct err *err)
{
	struct native_state *n = calloc(1, sizeof(*n));

	if (!n || publish_memory_init(&n->memory, dims, workers) < 0) {
		free(n);
		return err_set(err, -ENOMEM, "no memory for the tables");
	}
	*ret_state = n;
	return 0;
}

static struct publish_engine native_writer(void *state)
{
	struct native_state *n = state;

	return publish_memory_engine(&n->memory);
}

static int native_run(void *state, const struct replay_frame *frame,
		      struct replay_outcome *ret_outcome, struct err *err)
{
	struct native_state *n = state;

	return memory_run(&n->memory.tables, &n->buffer, frame, ret_outcome, err);
}

static int native_bench_open(void *state, const struct replay_bench *bench, uint32_t worker,
			     void **ret_lane, struct err *err)
{
	struct native_state *n = state;

	return memory_bench_open(&n->memory.tables, bench, worker, ret_lane, err);
}

const struct replay_engine replay_engine_native = {
	.name = "native",
	.open = native_open,
	.close = native_close,
	.writer = native_writer,
	.process = native_run,
	.bench_open = native_bench_open,
	.bench_run = memory_bench_run,
	.bench_close = memory_bench_close,
	.frame_min = 0,
	.frame_max = SIZE_MAX,
};
