/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/bench_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bench.h"
#include "bpf/bench.skel.h"
#include "controlplane/base/cleanup.h"
#include "tools/replay/cpu_clock.h"

static int describe_frame(struct xdp_engine *xdp, const struct replay_frame *frame,
			  struct bench_frame *ret_frame, struct err *err)
{
	const struct lb_tables *tables = xdp_engine_tables(xdp);
	uint8_t out[XDP_ENGINE_FRAME_MAX + 64];
	struct lb_trace trace;
	size_t out_len;
	int ret = xdp_engine_run(xdp, frame->bytes, frame->len, out, &out_len, &trace, err);

	if (ret < 0)
		return ret;
	memset(ret_frame, 0, sizeof(*ret_frame));
	if (trace.verdict == LB_FORWARD) {
		const struct lb_real *real = &tables->reals[trace.real];

		ret_frame->grown = real->encap == LB_ENCAP_L2DSR ? 0 : real->family == 4 ? 20 : 40;
	}
	ret_frame->len = (uint16_t)frame->len;
	ret_frame->len_after = (uint16_t)(out_len - ret_frame->grown);
	ret_frame->header_bytes =
		frame->len < BENCH_HEADER_MAX ? (uint16_t)frame->len : BENCH_HEADER_MAX;
	memcpy(ret_frame->header, frame->bytes, ret_frame->header_bytes);
	return 0;
}

static int load_frames(struct bench_bpf *skel, struct xdp_engine *xdp,
		       const struct replay_bench *bench, struct err *err)
{
	int fd = bpf_map__fd(skel->maps.bench_frames);

	for (uint32_t i = 0; i < bench->n; i++) {
		struct bench_frame frame;
		int ret = describe_frame(xdp, &bench->frames[i], &frame, err);

		if (ret < 0)
			return ret;
		if (bpf_map_update_elem(fd, &i, &frame, BPF_ANY) < 0)
			return err_set(err, -errno, "load frame %u into the bench: %s", i,
				       strerror(errno));
	}
	skel->bss->bench_count = (uint32_t)bench->n;
	return 0;
}

/* One round with the program prog_fd behind the bench. The kernel tells the mean per run in whole
 * nanoseconds, too coarse for a difference, so the time is taken here. */
static int run_round(struct bench_bpf *skel, int prog_fd, const struct replay_bench *bench,
		     uint64_t *ret_ns, struct err *err)
{
	const struct replay_frame *first = &bench->frames[0];
	int target = bpf_map__fd(skel->maps.bench_target);
	uint32_t slot = 0;
	uint64_t start;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = first->bytes,
		    .data_size_in = (__u32)first->len, .repeat = (int)bench->count);

	if (bpf_map_update_elem(target, &slot, &prog_fd, BPF_ANY) < 0)
		return err_set(err, -errno, "put the program behind the bench: %s",
			       strerror(errno));
	skel->bss->bench_next = 0;
	skel->bss->bench_undo = 0;
	skel->bss->bench_len = (uint32_t)first->len;
	skel->bss->bench_failed = 0;
	start = cpu_time_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.bench), &opts) < 0)
		return err_set(err, -errno, "run the bench: %s", strerror(errno));
	*ret_ns = cpu_time_ns() - start;
	if (skel->bss->bench_failed)
		return err_set(err, -EPROTO, "%u of %zu runs of the bench failed",
			       skel->bss->bench_failed, bench->count);
	return 0;
}

static int run_rounds(struct bench_bpf *skel, int prog_fd, const struct replay_bench *bench,
		      struct err *err)
{
	int nothing_fd = bpf_program__fd(skel->progs.bench_nothing);

	for (size_t round = 0; round < bench->rounds; round++) {
		uint64_t harness, whole;
		int ret;

		skel->bss->bench_empty = 1;
		ret = run_round(skel, nothing_fd, bench, &harness, err);
		if (ret < 0)
			return ret;
		skel->bss->bench_empty = 0;
		ret = run_round(skel, prog_fd, bench, &whole, err);
		if (ret < 0)
			return ret;
		bench->ret_ns[round] = whole > harness ? whole - harness : 0;
	}
	return 0;
}

int bench_xdp(struct xdp_engine *xdp, const struct replay_bench *bench, struct err *err)
{
	AUTO_CLOSE int prog_fd = bpf_prog_get_fd_by_id(xdp_engine_program_id(xdp));
	struct bench_bpf *skel;
	int ret;

	if (prog_fd < 0)
		return err_set(err, -errno, "find the program: %s", strerror(errno));
	skel = bench_bpf__open();
	if (!skel)
		return err_set(err, -errno, "open the bench: %s", strerror(errno));
	ret = bpf_map__set_max_entries(skel->maps.bench_frames, (uint32_t)bench->n);
	if (ret == 0)
		ret = bench_bpf__load(skel);
	if (ret < 0)
		err_set(err, ret, "load the bench: %s", strerror(-ret));
	if (ret == 0)
		ret = load_frames(skel, xdp, bench, err);
	if (ret == 0)
		ret = run_rounds(skel, prog_fd, bench, err);
	bench_bpf__destroy(skel);
	return ret;
}
