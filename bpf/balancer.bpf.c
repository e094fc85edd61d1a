/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP balancer: glue between the kernel and the forwarding core. Its maps are the tables of
 * dataplane/core/tables.h, flat and mappable; the loader sets their sizes and the constants below.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/core/memory.h"
#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

/* How many elements each table has; the verifier knows these as constants. */
const volatile __u32 lb_vips_n = 1;
const volatile __u32 lb_services_n = 1;
const volatile __u32 lb_reals_n = 1;
const volatile __u32 lb_counter_stride = 1;

/* The one table that needs no lookup: a data section is an array map of one element too. */
struct lb_node lb_node SEC(".data.node");

/* A table as a map; the loader sets the sizes. */
#define TABLE(name, bytes)                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__uint(key_size, sizeof(__u32));                                                   \
		__uint(value_size, bytes);                                                         \
	} name SEC(".maps")

/* Tables of moderate size are one element each, whose address the program knows as a constant. */
TABLE(lb_vips, sizeof(struct lb_vip_entry));
TABLE(lb_services, sizeof(struct lb_service));
TABLE(lb_reals, sizeof(struct lb_real));
/* Slots can be more than an element may hold, so each line is one. */
TABLE(lb_slots, sizeof(struct lb_slot_line));
TABLE(lb_previous, sizeof(struct lb_slot_line));
/* Each bucket is one, too. */
TABLE(lb_flows, sizeof(struct lb_bucket));
TABLE(lb_fragments, sizeof(struct lb_bucket));
TABLE(lb_denied, sizeof(struct lb_vip_entry));
TABLE(lb_limits, sizeof(struct lb_limit));
/* One element a row. */
TABLE(lb_counters, sizeof(struct lb_counter));
TABLE(lb_trace, sizeof(struct lb_trace));

struct lb_target {
	struct xdp_md *ctx;
};

/* Stand for those tables until the program is loaded: dataplane/xdp/direct.c. */
char lb_vips_here SEC(".data.vips");
char lb_services_here SEC(".data.services");
char lb_reals_here SEC(".data.reals");

/* The barriers hold the index in one register from the comparison to the product: the verifier of
 * Linux 6.1 forgets what a copy was compared to. They also keep the compiler from thinking that it
 * knows how little it would find there. */
static __always_inline const void *element(const void *table, __u64 index, __u64 count, __u32 bytes)
{
	asm volatile("" : "+r"(index), "+r"(table));
	if (LB_UNLIKELY(index >= count))
		return (void *)0;
	asm volatile("" : "+r"(index));
	return table + index * bytes;
}

static __always_inline const struct lb_node *lb_table_node(const struct lb_target *t)
{
	return &lb_node;
}

static __always_inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *t,
							       __u32 index)
{
	return element(&lb_vips_here, index, lb_vips_n, sizeof(struct lb_vip_entry));
}

static __always_inline const struct lb_service *lb_table_service(const struct lb_target *t,
								 __u32 index)
{
	return element(&lb_services_here, index, lb_services_n, sizeof(struct lb_service));
}

static __always_inline const struct lb_real *lb_table_real(const struct lb_target *t, __u32 index)
{
	return element(&lb_reals_here, index, lb_reals_n, sizeof(struct lb_real));
}

static __always_inline const struct lb_slot_line *lb_table_slots(const struct lb_target *t,
								 __u32 line)
{
	return bpf_map_lookup_elem(&lb_slots, &line);
}

static __always_inline __u32 lb_real_counter(const struct lb_target *t, __u32 real)
{
	return LB_COUNTER_REASONS + lb_services_n + real;
}

static __always_inline struct lb_counter *own_counters(void)
{
	__u32 row = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&lb_counters, &row);
}

static __always_inline void count(struct lb_counter *row, __u32 counter, __u32 bytes)
{
	if (counter < lb_counter_stride) {
		row += counter;
		row->packets++;
		row->bytes += bytes;
	}
}

static __always_inline void lb_count(const struct lb_target *t, __u32 counter, __u32 bytes)
{
	struct lb_counter *row = own_counters();

	if (row)
		count(row, counter, bytes);
}

static __always_inline void lb_count_both(const struct lb_target *t, __u32 a, __u32 b, __u32 bytes)
{
	struct lb_counter *row = own_counters();

	if (row) {
		count(row, a, bytes);
		count(row, b, bytes);
	}
}

#include "dataplane/core/forward.h"

static __always_inline void *frame_start(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *frame_end(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* Make room and write the headers. grow_bytes is a constant, so that neither the headers nor the
 * helper wait for the real to be read: the processor goes ahead by its prediction. */
static __always_inline int encapsulate(struct xdp_md *ctx, struct lb_decision *d, __u32 grow_bytes)
{
	d->grow_bytes = grow_bytes;
	if (grow_bytes && bpf_xdp_adjust_head(ctx, -(int)grow_bytes))
		return -1;
	return lb_write_headers(frame_start(ctx), frame_end(ctx), d);
}

static __always_inline int encapsulate_any(struct xdp_md *ctx, struct lb_decision *d)
{
	if (LB_LIKELY(d->grow_bytes == sizeof(struct lb_ip4)))
		return encapsulate(ctx, d, sizeof(struct lb_ip4));
	if (d->grow_bytes == sizeof(struct lb_ip6))
		return encapsulate(ctx, d, sizeof(struct lb_ip6));
	return encapsulate(ctx, d, 0);
}

/* Write the headers and choose the way out. */
static __always_inline enum lb_reason forward(const struct lb_target *t, struct lb_decision *d,
					      int *action)
{
	struct xdp_md *ctx = t->ctx;
	__u32 padding = lb_padding_bytes(frame_start(ctx), frame_end(ctx), d);

	if (LB_UNLIKELY(padding) && bpf_xdp_adjust_tail(ctx, -(int)padding))
		return LB_REASON_no_headroom;
	if (encapsulate_any(ctx, d))
		return LB_REASON_no_headroom;
	lb_count_forwarded(t, d);
	if (d->iface->flags & LB_IFACE_SOLE || d->iface->ifindex == ctx->ingress_ifindex)
		*action = XDP_TX;
	else
		*action = bpf_redirect(d->iface->ifindex, 0);
	return LB_REASON_forwarded;
}

static __always_inline void trace(enum lb_reason reason, const struct lb_decision *d)
{
	__u32 zero = 0;
	struct lb_trace *out = bpf_map_lookup_elem(&lb_trace, &zero);

	if (out)
		*out = lb_trace_of(reason, d);
}

/* Count why a frame that was to be forwarded couldn't be. */
static __always_inline int finish(const struct lb_target *t, enum lb_reason reason, int action,
				  const struct lb_decision *d, int traced)
{
	if (LB_UNLIKELY(reason != LB_REASON_forwarded)) {
		lb_count(t, reason, d->ip_length);
		action = XDP_DROP;
	}
	if (traced)
		trace(reason, d);
	return action;
}

/* Any frame: a subprogram of its own, so that the common case keeps its registers. */
static __noinline int balance_any(struct xdp_md *ctx, int traced)
{
	const struct lb_target t = {.ctx = ctx};
	struct lb_decision d = {};
	enum lb_reason reason = lb_decide_any(&t, frame_start(ctx), frame_end(ctx), &d);
	int action = XDP_DROP;

	if (reason == LB_REASON_forwarded) {
		reason = forward(&t, &d, &action);
		return finish(&t, reason, action, &d, traced);
	}
	if (traced)
		trace(reason, &d);
	return lb_reason_verdict(reason) == LB_PASS ? XDP_PASS : XDP_DROP;
}

static __always_inline int balance(struct xdp_md *ctx, int traced)
{
	const struct lb_target t = {.ctx = ctx};
	struct lb_decision d = {};
	enum lb_reason reason;
	int action = XDP_DROP;

	if (LB_UNLIKELY(!lb_decide_common(&t, frame_start(ctx), frame_end(ctx), &d)))
		return balance_any(ctx, traced);
	reason = forward(&t, &d, &action);
	return finish(&t, reason, action, &d, traced);
}

SEC("xdp.tables")
int balancer(struct xdp_md *ctx)
{
	return balance(ctx, 0);
}

/* The same, and it leaves a trace of each packet: for replay and explain, never attached. */
SEC("xdp.tables")
int traced(struct xdp_md *ctx)
{
	return balance(ctx, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
