/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "controlplane/base/cleanup.h"
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

static int dpdk_open(const struct lb_dims *dims, void **ret_state, struct err *err)
{
	struct dpdk_state *d = calloc(1, sizeof(*d));
	int ret;

	if (!d || publish_memory_init(&d->memory, dims, 1) < 0) {
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

static int dpdk_bench(void *state, const struct replay_bench *bench, struct err *err)
{
	AUTO_FREE struct iovec *list = calloc(bench->n, sizeof(*list));
	struct dpdk_state *d = state;
	int ret = 0;

	if (!list)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < bench->n; i++)
		list[i] = (struct iovec){(void *)bench->frames[i].bytes, bench->frames[i].len};
	for (size_t round = 0; round < bench->rounds && ret == 0; round++)
		ret = dpdk_offline_bench(d->dpdk, &d->memory.tables, list, bench->n, bench->count,
					 &bench->ret_ns[round], err);
	return ret;
}

const struct replay_engine replay_engine_dpdk = {
	.name = "dpdk",
	.open = dpdk_open,
	.close = dpdk_close,
	.writer = dpdk_writer,
	.process = dpdk_run,
	.bench = dpdk_bench,
	.frame_min = 0,
	.frame_max = DPDK_OFFLINE_FRAME_MAX,
};
