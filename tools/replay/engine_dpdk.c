/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "controlplane/publish/memory_engine.h"
#include "dataplane/dpdk/offline.h"

/* The core on DPDK's packet buffers, over tables on the heap. */

struct dpdk_state {
	struct publish_memory memory;
	struct dpdk_offline *dpdk;
};

static void dpdk_close(void *state)
{
	struct dpdk_state *d = state;

	dpdk_offline_free(d->dpdk);
	publish_memory_fini(&d->memory);
	free(d);
}

static int dpdk_open(const struct lb_dims *dims, uint32_t workers, void **ret_state,
		     struct err *err)
{
	struct dpdk_state *d = calloc(1, sizeof(*d));
	int ret;

	if (!d || publish_memory_init(&d->memory, dims, workers) < 0) {
		free(d);
		return err_set(err, -ENOMEM, "no memory for the tables");
	}
	ret = dpdk_offline_open(&d->dpdk, err);
	if (ret < 0) {
		dpdk_close(d);
		return ret;
	}
	*ret_state = d;
	return 0;
}

static struct publish_engine dpdk_writer(void *state)
{
	struct dpdk_state *d = state;

	return publish_memory_engine(&d->memory);
}

static int dpdk_run(void *state, const struct replay_frame *frame,
		    struct replay_outcome *ret_outcome, struct err *err)
{
	struct dpdk_state *d = state;

	return dpdk_offline_run(d->dpdk, &d->memory.tables,
				&(struct lb_moment){.now_ns = frame->now_ns}, frame->bytes,
				frame->len, &ret_outcome->frame.bytes, &ret_outcome->frame.len,
				&ret_outcome->trace, err);
}

struct dpdk_lane {
	struct dpdk_offline *dpdk;
	struct lb_tables tables; /* as the worker sees them */
	struct iovec *list;
	size_t n;
};

static void dpdk_bench_close(void *arg)
{
	struct dpdk_lane *lane = arg;

	free(lane->list);
	free(lane);
}

static int dpdk_bench_open(void *state, const struct replay_bench *bench, uint32_t worker,
			   void **ret_lane, struct err *err)
{
	struct dpdk_lane *lane = calloc(1, sizeof(*lane));
	struct dpdk_state *d = state;

	if (!lane || !(lane->list = calloc(bench->n, sizeof(*lane->list)))) {
		free(lane);
		return err_set(err, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < bench->n; i++)
		lane->list[i] =
			(struct iovec){(void *)bench->frames[i].bytes, bench->frames[i].len};
	lane->n = bench->n;
	lane->dpdk = d->dpdk;
	/* The measurement counts in row 0: it is the worker's. */
	lane->tables = d->memory.tables;
	lane->tables.counters += (size_t)worker * lane->tables.dims.counter_stride;
	*ret_lane = lane;
	return 0;
}

static int dpdk_bench_run(void *arg, size_t count, struct replay_sample *ret_sample,
			  struct err *err)
{
	struct dpdk_lane *lane = arg;

	ret_sample->harness_ns = 0;
	return dpdk_offline_bench(lane->dpdk, &lane->tables, lane->list, lane->n, count,
				  &ret_sample->ns, err);
}

const struct replay_engine replay_engine_dpdk = {
	.name = "dpdk",
	.open = dpdk_open,
	.close = dpdk_close,
	.writer = dpdk_writer,
	.process = dpdk_run,
	.bench_open = dpdk_bench_open,
	.bench_run = dpdk_bench_run,
	.bench_close = dpdk_bench_close,
	.frame_min = 0,
	.frame_max = DPDK_OFFLINE_FRAME_MAX,
};
