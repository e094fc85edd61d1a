/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP balancer: glue between the kernel and the forwarding core. Its maps are the tables of
 * dataplane/core/tables.h, flat and mappable; the loader sets their sizes and the constants below.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/core/memory.h"
#include "dataplane/core/tables.h"

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

/* Tables of moderate size are one element each, found by a key that doesn't depend on the packet,
 * so that the processor need not wait for it. Slots can be larger than an element may be. */
TABLE(lb_vips, sizeof(struct lb_vip_entry));
TABLE(lb_services, sizeof(struct lb_service));
TABLE(lb_slots, sizeof(struct lb_slot_line));
TABLE(lb_previous, sizeof(struct lb_slot_line));
TABLE(lb_reals, sizeof(struct lb_real));
/* One element a row. */
TABLE(lb_counters, sizeof(struct lb_counter));
TABLE(lb_trace, sizeof(struct lb_trace));

struct lb_target {
	struct xdp_md *ctx;
};

static __always_inline const void *element(void *map, __u32 index, __u32 count, __u32 bytes)
{
	__u32 zero = 0;
	const void *table = bpf_map_lookup_elem(map, &zero);

	return table && index < count ? table + (__u64)index * bytes : (void *)0;
}

static __always_inline const struct lb_node *lb_table_node(const struct lb_target *t)
{
	return &lb_node;
}

static __always_inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *t,
							       __u32 index)
{
	return element(&lb_vips, index, lb_vips_n, sizeof(struct lb_vip_entry));
}

static __always_inline const struct lb_service *lb_table_service(const struct lb_target *t,
								 __u32 index)
{
	return element(&lb_services, index, lb_services_n, sizeof(struct lb_service));
}

static __always_inline const struct lb_real *lb_table_real(const struct lb_target *t, __u32 index)
{
	return element(&lb_reals, index, lb_reals_n, sizeof(struct lb_real));
}

static __always_inline const struct lb_slot_line *lb_table_slots(const struct lb_target *t,
								 __u32 line)
{
	return bpf_map_lookup_elem(&lb_slots, &line);
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

/* Make room, write the headers and choose the way out. */
static __always_inline enum lb_reason forward(const struct lb_target *t, struct lb_decision *d,
					      int *action)
{
	struct xdp_md *ctx = t->ctx;
	__u32 padding = lb_padding_bytes(frame_start(ctx), frame_end(ctx), d);

	if (padding && bpf_xdp_adjust_tail(ctx, -(int)padding))
		return LB_REASON_no_headroom;
	if (d->grow_bytes && bpf_xdp_adjust_head(ctx, -(int)d->grow_bytes))
		return LB_REASON_no_headroom;
	if (lb_write_headers(frame_start(ctx), frame_end(ctx), d))
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

static __always_inline int balance(struct xdp_md *ctx, int traced)
{
	const struct lb_target t = {.ctx = ctx};
	struct lb_decision d = {};
	enum lb_reason reason = lb_decide(&t, frame_start(ctx), frame_end(ctx), &d);
	int action = lb_reason_verdict(reason) == LB_PASS ? XDP_PASS : XDP_DROP;

	if (LB_LIKELY(reason == LB_REASON_forwarded)) {
		reason = forward(&t, &d, &action);
		if (LB_UNLIKELY(reason != LB_REASON_forwarded))
			lb_count(&t, reason, d.ip_length);
	}
	if (traced)
		trace(reason, &d);
	return action;
}

SEC("xdp")
int balancer(struct xdp_md *ctx)
{
	return balance(ctx, 0);
}

/* The same, and it leaves a trace of each packet: for replay and explain, never attached. */
SEC("xdp")
int traced(struct xdp_md *ctx)
{
	return balance(ctx, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
