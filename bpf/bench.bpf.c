/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Measures an XDP program with BPF_PROG_TEST_RUN, which leaves the frame between two runs as the
 * program left it: this wrapper undoes what was done, makes the buffer the next frame of a list,
 * and calls the program in slot 0. Run with an empty program there it costs the same but for the
 * program, so the difference is the program.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_frame);
} bench_frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_target SEC(".maps");

__u32 bench_count;  /* frames in the list */
__u32 bench_next;   /* the next one */
__u32 bench_undo;   /* what the last run put before its frame */
__u32 bench_len;    /* of the frame now, once that is undone */
__u32 bench_empty;  /* 1: the target is the empty program */
__u32 bench_failed; /* runs that couldn't be prepared: the measurement is void */

SEC("xdp")
int bench(struct xdp_md *ctx)
{
	__u32 index = bench_next;
	struct bench_frame *frame = bpf_map_lookup_elem(&bench_frames, &index);
	__u32 header_bytes;

	if (!frame)
		goto failed;
	header_bytes = frame->header_bytes;
	if (header_bytes < 1 || header_bytes > BENCH_HEADER_MAX)
		goto failed;
	if (bpf_xdp_adjust_head(ctx, (int)bench_undo) ||
	    bpf_xdp_adjust_tail(ctx, (int)frame->len - (int)bench_len) ||
	    bpf_xdp_store_bytes(ctx, 0, frame->header, header_bytes))
		goto failed;
	bench_next = index + 1 < bench_count ? index + 1 : 0;
	bench_undo = bench_empty ? 0 : frame->grown;
	bench_len = bench_empty ? frame->len : frame->len_after;
	bpf_tail_call(ctx, &bench_target, 0);
failed:
	bench_failed++;
	return XDP_ABORTED;
}

SEC("xdp")
int bench_nothing(struct xdp_md *ctx)
{
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
