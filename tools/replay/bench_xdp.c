/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/bench_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/bench.h"
#include "bpf/bench.skel.h"
#include "tools/replay/cpu_clock.h"

struct bench_run {
	struct bench_bpf *skel;
	struct xdp_engine *xdp;
	const struct replay_bench *bench;
	int prog_fd;
};

static int describe_frame(struct bench_run *run, const struct replay_frame *frame,
			  struct bench_frame *ret_frame, struct err *err)
{
	const struct lb_tables *tables = xdp_engine_tables(run->xdp);
	uint8_t out[XDP_ENGINE_FRAME_MAX + 64];
	struct lb_trace trace;
	size_t out_len;
	int ret = xdp_engine_run(run->xdp, &(struct lb_moment){0}, frame->bytes, frame->len, out,
				 &out_len, &trace, err);

	if (ret < 0)
		return ret;
	memset(ret_frame, 0, sizeof(*ret_frame));
	if (trace.verdict == LB_FORWARD)
		ret_frame->grown = tables->reals[trace.real].grow_bytes;
	ret_frame->len = (uint16_t)frame->len;
	ret_frame->len_after = (uint16_t)(out_len - ret_frame->grown);
	ret_frame->header_bytes =
		frame->len < BENCH_HEADER_MAX ? (uint16_t)frame->len : BENCH_HEADER_MAX;
	memcpy(ret_frame->header, frame->bytes, ret_frame->header_bytes);
	return 0;
}

static int load_frames(struct bench_run *run, struct err *err)
{
	int fd = bpf_map__fd(run->skel->maps.bench_frames);

	for (uint32_t i = 0; i < run->bench->n; i++) {
		struct bench_frame frame;
		int ret = describe_frame(run, &run->bench->frames[i], &frame, err);

		if (ret < 0)
			return ret;
		if (bpf_map_update_elem(fd, &i, &frame, BPF_ANY) < 0)
			return err_set(err, -errno, "load frame %u into the bench: %s", i,
				       strerror(errno));
	}
	run->skel->bss->bench_count = (uint32_t)run->bench->n;
	return 0;
}

/* One round with the program prog_fd behind the bench. The kernel tells the mean per run in whole
 * nanoseconds, too coarse for a difference, so the time is taken here. */
static int run_round(const struct bench_run *run, int prog_fd, size_t count, uint64_t *ret_ns,
		     struct err *err)
{
	const struct replay_bench *bench = run->bench;
	struct bench_bpf *skel = run->skel;
	const struct replay_frame *first = &bench->frames[0];
	int target = bpf_map__fd(skel->maps.bench_target);
	uint32_t slot = 0;
	uint64_t start;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = first->bytes,
		    .data_size_in = (__u32)first->len, .repeat = (int)count);

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
			       skel->bss->bench_failed, count);
	return 0;
}

/* Rounds with and without the program take turns, so that both meet the same machine. */
int bench_xdp_run(void *lane, size_t count, struct replay_sample *ret_sample, struct err *err)
{
	struct bench_run *run = lane;
	int nothing_fd = bpf_program__fd(run->skel->progs.bench_nothing), ret;

	run->skel->bss->bench_empty = 1;
	ret = run_round(run, nothing_fd, count, &ret_sample->harness_ns, err);
	if (ret < 0)
		return ret;
	run->skel->bss->bench_empty = 0;
	return run_round(run, run->prog_fd, count, &ret_sample->ns, err);
}

static int load_bench(struct bench_run *run, struct err *err)
{
	int ret;

	run->prog_fd = bpf_prog_get_fd_by_id(xdp_engine_program_id(run->xdp));
	if (run->prog_fd < 0)
		return err_set(err, -errno, "find the program: %s", strerror(errno));
	run->skel = bench_bpf__open();
	if (!run->skel)
		return err_set(err, -errno, "open the bench: %s", strerror(errno));
	ret = bpf_map__set_max_entries(run->skel->maps.bench_frames, (uint32_t)run->bench->n);
	if (ret == 0)
		ret = bench_bpf__load(run->skel);
	if (ret < 0)
		return err_set(err, ret, "load the bench: %s", strerror(-ret));
	return load_frames(run, err);
}

int bench_xdp_open(struct xdp_engine *xdp, const struct replay_bench *bench, void **ret_lane,
		   struct err *err)
{
	struct bench_run *run = calloc(1, sizeof(*run));
	int ret;

	if (!run)
		return err_set(err, -ENOMEM, "out of memory");
	run->xdp = xdp;
	run->bench = bench;
	ret = load_bench(run, err);
	if (ret < 0) {
		bench_xdp_close(run);
		return ret;
	}
	*ret_lane = run;
	return 0;
}

void bench_xdp_close(void *lane)
{
	struct bench_run *run = lane;

	if (run->prog_fd >= 0)
		close(run->prog_fd);
	bench_bpf__destroy(run->skel);
	free(run);
}
