/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP balancer: glue between the kernel and the forwarding core. Its maps are the tables of
 * dataplane/core/tables.h, flat and mappable; the loader sets their sizes and the constants below.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/core/memory.h"
#include "dataplane/core/tables.h"

/* Counters in a row, see struct lb_dims. */
const volatile __u32 lb_counter_stride = 1;

/* The one table that needs no lookup: a data section is an array map of one element too. */
struct lb_node lb_node SEC(".data.node");

/* A table as a map of its own name. */
#define TABLE(name, element, entries)                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, element);                                                            \
	} name SEC(".maps")

TABLE(lb_vips, struct lb_vip_entry, 1);
TABLE(lb_services, struct lb_service, 1);
TABLE(lb_slots, struct lb_slot_line, 1);
TABLE(lb_previous, struct lb_slot_line, 1);
TABLE(lb_reals, struct lb_real, 1);
TABLE(lb_counters, struct lb_counter, 1);
TABLE(lb_trace, struct lb_trace, 1);

struct lb_target {
	struct xdp_md *ctx;
};

static __always_inline const struct lb_node *lb_table_node(const struct lb_target *t)
{
	return &lb_node;
}

static __always_inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *t,
							       __u32 index)
{
	return bpf_map_lookup_elem(&lb_vips, &index);
}

static __always_inline const struct lb_service *lb_table_service(const struct lb_target *t,
								 __u32 index)
{
	return bpf_map_lookup_elem(&lb_services, &index);
}

static __always_inline const struct lb_slot_line *lb_table_slots(const struct lb_target *t,
								 __u32 line)
{
	return bpf_map_lookup_elem(&lb_slots, &line);
}

static __always_inline const struct lb_real *lb_table_real(const struct lb_target *t, __u32 index)
{
	return bpf_map_lookup_elem(&lb_reals, &index);
}

static __always_inline void lb_count(const struct lb_target *t, __u32 counter, __u32 bytes)
{
	__u32 index = bpf_get_smp_processor_id() * lb_counter_stride + counter;
	struct lb_counter *c = bpf_map_lookup_elem(&lb_counters, &index);

	if (c) {
		c->packets++;
		c->bytes += bytes;
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

	if (!out)
		return;
	out->verdict = lb_reason_verdict(reason);
	out->reason = reason;
	out->service = d->service;
	out->real = d->real;
	out->slot = d->slot;
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
