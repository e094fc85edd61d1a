/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "controlplane/publish/xdp_backend.h"
#include "dataplane/xdp/engine.h"
#include "tools/replay/bench_xdp.h"

/* The BPF program in the kernel, run with BPF_PROG_TEST_RUN: attached to nothing, nothing pinned.
 */

struct xdp_state {
	struct xdp_engine *xdp;
	uint8_t out[XDP_ENGINE_FRAME_MAX + 64];
};

static void xdp_close(void *state)
{
	struct xdp_state *x = state;

	xdp_engine_free(x->xdp);
	free(x);
}

static int xdp_open(const struct lb_dims *dims, uint32_t workers, void **ret_state, struct err *err)
{
	struct xdp_state *x = calloc(1, sizeof(*x));
	int ret;

	(void)workers; /* its counters have a row for each CPU */
	if (!x)
		return err_set(err, -ENOMEM, "out of memory");
	ret = xdp_engine_open(NULL, dims, &x->xdp, err);
	if (ret == -EPERM || ret == -EACCES)
		err_prefix(err, ret,
			   "the xdp engine runs in the kernel and needs root (CAP_BPF and"
			   " CAP_NET_ADMIN); --engine native needs nothing");
	if (ret < 0) {
		free(x);
		return ret;
	}
	*ret_state = x;
	return 0;
}

static struct publish_engine xdp_writer(void *state)
{
	struct xdp_state *x = state;

	return publish_xdp_engine(x->xdp);
}

static int xdp_run(void *state, const struct replay_frame *frame,
		   struct replay_outcome *ret_outcome, struct err *err)
{
	struct xdp_state *x = state;

	ret_outcome->frame.bytes = x->out;
	return xdp_engine_run(x->xdp, &(struct lb_moment){.now_ns = frame->now_ns}, frame->bytes,
			      frame->len, x->out, &ret_outcome->frame.len, &ret_outcome->trace,
			      err);
}

static int xdp_bench_open(void *state, const struct replay_bench *bench, uint32_t worker,
			  void **ret_lane, struct err *err)
{
	struct xdp_state *x = state;

	(void)worker;
	return bench_xdp_open(x->xdp, bench, ret_lane, err);
}

const struct replay_engine replay_engine_xdp = {
	.name = "xdp",
	.open = xdp_open,
	.close = xdp_close,
	.writer = xdp_writer,
	.process = xdp_run,
	.bench_open = xdp_bench_open,
	.bench_run = bench_xdp_run,
	.bench_close = bench_xdp_close,
	.bench_foretells = true,
	.frame_min = XDP_ENGINE_FRAME_MIN,
	.frame_max = XDP_ENGINE_FRAME_MAX,
};
