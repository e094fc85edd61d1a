/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP balancer: glue between the kernel and the forwarding core. Its maps are the tables of
 * dataplane/core/tables.h, flat and mappable; the loader sets their sizes and the constants below.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/balancer.h"
#include "dataplane/core/memory.h"
#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

/* The one variable in .rodata. The program doesn't read it: an instruction that names a place of
 * lb_constants_here is made a constant by what stands at the same place of lb_constants
 * (dataplane/xdp/direct.c). */
const volatile struct lb_constants lb_constants;

struct lb_constants lb_constants_here SEC(".data.constants");

#define CONSTANT(field)                                                                            \
	({                                                                                         \
		__u64 value;                                                                       \
		asm("%0 = lb_constants_here + %1 ll"                                               \
		    : "=r"(value)                                                                  \
		    : "i"(__builtin_offsetof(struct lb_constants, field)));                        \
		value;                                                                             \
	})

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
TABLE(lb_slots, sizeof(struct lb_slot_line));
TABLE(lb_previous, sizeof(struct lb_slot_line));
/* Each bucket is one, too. */
TABLE(lb_flows, sizeof(struct lb_bucket));
TABLE(lb_fragments, sizeof(struct lb_bucket));
TABLE(lb_denied, sizeof(struct lb_vip_entry));
TABLE(lb_limits, sizeof(struct lb_limit));
TABLE(lb_counters, sizeof(struct lb_counter));
TABLE(lb_trace, sizeof(struct lb_trace));
/* What the traced program is told of the moment. */
TABLE(lb_moment, sizeof(struct lb_moment));

struct lb_target {
	__u32 frame_bytes;
	__u32 traced;
};

/* Stand for those tables until the program is loaded: dataplane/xdp/direct.c. */
char lb_vips_here SEC(".data.vips");
char lb_services_here SEC(".data.services");
char lb_reals_here SEC(".data.reals");
char lb_slots_here SEC(".data.slots");
char lb_counters_here SEC(".data.counters");
char lb_denied_here SEC(".data.denied");
char lb_limits_here SEC(".data.limits");

/* The barriers hold the index in one register from the comparison to the product: the verifier of
 * Linux 6.1 forgets what a copy was compared to. They also keep the compiler from thinking that it
 * knows how little it would find there. */
static __always_inline void *element(void *table, __u64 index, __u64 count, __u64 bytes)
{
	void *at;

	asm volatile("" : "+r"(index), "+r"(table));
	if (LB_UNLIKELY(index >= count))
		return (void *)0;
	asm volatile("" : "+r"(index));
	at = table + index * bytes;
	__builtin_assume(at != (void *)0);
	return at;
}

static __always_inline const struct lb_node *lb_table_node(const struct lb_target *t)
{
	return &lb_node;
}

/* Of a table whose size is a power of two: every index within the mask is one. */
static __always_inline const struct lb_vip_entry *masked(void *table, __u64 index, __u64 mask)
{
	index &= mask;
	asm volatile("" : "+r"(index), "+r"(table));
	table += index * sizeof(struct lb_vip_entry);
	__builtin_assume(table != (void *)0);
	return table;
}

static __always_inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *t,
							       __u32 index)
{
	return masked(&lb_vips_here, index, CONSTANT(vips_mask));
}

static __always_inline const struct lb_service *lb_table_service(const struct lb_target *t,
								 __u32 index)
{
	return element(&lb_services_here, index, CONSTANT(services), sizeof(struct lb_service));
}

static __always_inline const struct lb_real *lb_table_real(const struct lb_target *t, __u32 index)
{
	return element(&lb_reals_here, index, CONSTANT(reals), sizeof(struct lb_real));
}

/* A slot within its line, which may be NULL. */
static __always_inline const __u16 *slot_of(const struct lb_slot_line *line, __u32 slot)
{
	return line ? &line->slot[slot % LB_SLOTS_PER_LINE] : (void *)0;
}

static __always_inline const __u16 *lb_table_slot(const struct lb_target *t, __u32 slot)
{
	__u32 line;

	if (CONSTANT(slots))
		return element(&lb_slots_here, slot, CONSTANT(slots), sizeof(__u16));
	LB_KEEP(slot);
	line = slot / LB_SLOTS_PER_LINE;
	return slot_of(bpf_map_lookup_elem(&lb_slots, &line), slot);
}

static __always_inline const __u16 *lb_table_previous(const struct lb_target *t, __u32 slot)
{
	__u32 line = slot / LB_SLOTS_PER_LINE;

	return slot_of(bpf_map_lookup_elem(&lb_previous, &line), slot);
}

static __always_inline struct lb_bucket *lb_table_flow(const struct lb_target *t, __u32 bucket)
{
	return bpf_map_lookup_elem(&lb_flows, &bucket);
}

static __always_inline struct lb_bucket *lb_table_fragment(const struct lb_target *t, __u32 bucket)
{
	return bpf_map_lookup_elem(&lb_fragments, &bucket);
}

static __always_inline const struct lb_vip_entry *lb_table_denied(const struct lb_target *t,
								  __u32 index)
{
	return masked(&lb_denied_here, index, CONSTANT(denied_mask));
}

static __always_inline struct lb_limit *lb_table_limit(const struct lb_target *t, __u32 index)
{
	return element(&lb_limits_here, index, CONSTANT(limits), sizeof(struct lb_limit));
}

static __always_inline __u32 lb_frame_bytes(const struct lb_target *t)
{
	return t->frame_bytes;
}

static __always_inline const struct lb_moment *moment(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lb_moment, &zero);
}

static __always_inline __u64 lb_now_ns(const struct lb_target *t)
{
	const struct lb_moment *m = t->traced ? moment() : (void *)0;

	return m ? m->now_ns : bpf_ktime_get_coarse_ns();
}

static __always_inline int lb_may_write(const struct lb_target *t)
{
	const struct lb_moment *m = t->traced ? moment() : (void *)0;

	return !m || !m->question;
}

static __always_inline __u32 lb_real_counter(const struct lb_target *t, __u32 real)
{
	return (__u32)CONSTANT(counters_first_real) + real;
}

/* The row of this CPU. */
static __always_inline struct lb_counter *own_counters(void)
{
	__u32 row = bpf_get_smp_processor_id();

	if (CONSTANT(counter_rows))
		return element(&lb_counters_here, row, CONSTANT(counter_rows),
			       CONSTANT(counter_row_bytes));
	return bpf_map_lookup_elem(&lb_counters, &row);
}

static __always_inline void count(struct lb_counter *row, __u32 counter, __u32 bytes)
{
	struct lb_counter *c = element(row, counter, CONSTANT(counter_stride), sizeof(*row));

	if (c) {
		c->packets++;
		c->bytes += bytes;
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
 * helper wait for the real to be read: the processor goes ahead by its prediction. n_tags is how
 * many the frame leaves with, more how many more than it came with. */
static __always_inline int encapsulate(struct xdp_md *ctx, struct lb_decision *d, __u32 grow_bytes,
				       __u32 n_tags, int more)
{
	const int grow = (int)grow_bytes + 4 * more;

	if (grow && bpf_xdp_adjust_head(ctx, -grow))
		return -1;
	return lb_write_headers(frame_start(ctx), frame_end(ctx), d, grow_bytes, n_tags);
}

static __always_inline int encapsulate_by_kind(struct xdp_md *ctx, struct lb_decision *d,
					       __u32 n_tags, int more)
{
	__u32 grow_bytes = d->grow_bytes;

	if (LB_LIKELY(grow_bytes == LB_GROW_IP4))
		return encapsulate(ctx, d, LB_GROW_IP4, n_tags, more);
	/* Or the compiler makes one computed jump of all. */
	LB_KEEP(grow_bytes);
	if (grow_bytes == LB_GROW_IP6)
		return encapsulate(ctx, d, LB_GROW_IP6, n_tags, more);
	if (grow_bytes == LB_GROW_GUE4)
		return encapsulate(ctx, d, LB_GROW_GUE4, n_tags, more);
	if (grow_bytes == LB_GROW_GUE6)
		return encapsulate(ctx, d, LB_GROW_GUE6, n_tags, more);
	return encapsulate(ctx, d, 0, n_tags, more);
}

/* Cut Ethernet padding off. What data_end shows may be less than all of the frame, which then has
 * none or, if its sender lied, more. */
static __always_inline int trim(struct xdp_md *ctx, const struct lb_decision *d, __u32 l2)
{
	if (LB_LIKELY(!d->padding || !d->grow_bytes))
		return 0;
	return (int)bpf_xdp_adjust_tail(ctx,
					(int)(l2 + d->ip_length) - (int)bpf_xdp_get_buff_len(ctx));
}

static __always_inline int leave(const struct xdp_md *ctx, const struct lb_decision *d)
{
	if (d->iface->flags & LB_IFACE_SOLE || d->iface->ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return (int)bpf_redirect(d->iface->ifindex, 0);
}

static __always_inline void trace(enum lb_reason reason, const struct lb_decision *d)
{
	__u32 zero = 0;
	struct lb_trace *out = bpf_map_lookup_elem(&lb_trace, &zero);

	if (out)
		*out = lb_trace_of(reason, d);
}

static __always_inline int write_too_big(struct xdp_md *ctx, const struct lb_target *t,
					 const struct lb_decision *d)
{
	const __u32 cut = lb_frame_bytes(t) - lb_quoted_frame_bytes(d);

	if (bpf_xdp_adjust_tail(ctx, -(int)cut) ||
	    bpf_xdp_adjust_head(ctx, -(int)lb_too_big_grow(d)))
		return -1;
	return lb_write_too_big(frame_start(ctx), frame_end(ctx), d);
}

/* A frame that is not of the common kind, decided. The parts are subprograms of their own, so that
 * each has the whole stack of its caller and the verifier meets each once. */
static __noinline int reply(struct xdp_md *ctx, const struct lb_target *t,
			    const struct lb_decision *d)
{
	if (d->reply == LB_REPLY_ECHO)
		return lb_write_echo(frame_start(ctx), frame_end(ctx), d);
	return write_too_big(ctx, t, d);
}

static __noinline int encapsulate_any(struct xdp_md *ctx, struct lb_decision *d)
{
	__u32 in = d->n_tags, out = d->n_tags_out;

	if (in > LB_TAGS_MAX || out > LB_TAGS_MAX || trim(ctx, d, lb_l2_bytes(in)))
		return -1;
	return encapsulate_by_kind(ctx, d, out, (int)out - (int)in);
}

static __always_inline int act(struct xdp_md *ctx, const struct lb_target *t,
			       enum lb_reason *reason, struct lb_decision *d)
{
	const __u32 bytes = lb_frame_bytes(t);

	switch (lb_reason_verdict(*reason)) {
	case LB_FORWARD:
		if (encapsulate_any(ctx, d))
			break;
		lb_count_forwarded(t, *reason, d);
		return leave(ctx, d);
	case LB_REPLY:
		if (reply(ctx, t, d))
			break;
		lb_count(t, *reason, bytes);
		return XDP_TX;
	case LB_PASS:
		return XDP_PASS;
	case LB_DROP:
		return XDP_DROP;
	}
	*reason = LB_REASON_no_headroom;
	lb_count(t, *reason, bytes);
	return XDP_DROP;
}

/* A global subprogram: whatever way a packet took through its headers, the verifier goes on behind
 * it in one state only. */
__noinline int parse(struct xdp_md *ctx, struct lb_packet *p, struct lb_decision *d)
{
	const struct lb_target t = {.frame_bytes = (__u32)bpf_xdp_get_buff_len(ctx)};

	LB_GIVEN(p && d);
	return (int)lb_parse(&t, frame_start(ctx), frame_end(ctx), p, d);
}

/* Any frame: a subprogram of its own, so that the common case keeps its registers. */
static __noinline int balance_any(struct xdp_md *ctx, __u32 traced)
{
	const struct lb_target t = {
		.frame_bytes = (__u32)bpf_xdp_get_buff_len(ctx),
		.traced = traced,
	};
	struct lb_decision d = {};
	struct lb_packet p = {};
	enum lb_reason reason = (enum lb_reason)parse(ctx, &p, &d);
	const void *data = frame_start(ctx), *end = frame_end(ctx);
	int action;

	/* What the subprogram knows, for the verifier, who has forgotten it. */
	if (reason != LB_REASON_forwarded &&
	    ((int)reason < LB_REASON_FIRST_PASS || (int)reason >= LB_REASON_COUNT))
		reason = LB_REASON_eth_truncated;
	if (data + sizeof(struct lb_eth) > end)
		reason = LB_REASON_eth_truncated;
	reason = lb_decide_parsed(&t, data, end, reason, &p, &d);
	action = act(ctx, &t, &reason, &d);
	if (traced)
		trace(reason, &d);
	return action;
}

/* The common kind of frame couldn't be written. */
static __noinline int no_headroom(struct xdp_md *ctx)
{
	const struct lb_target t = {.frame_bytes = (__u32)bpf_xdp_get_buff_len(ctx)};

	lb_count(&t, LB_REASON_no_headroom, lb_frame_bytes(&t));
	return 0;
}

/* Send a frame of the common kind. */
static __always_inline int send(struct xdp_md *ctx, const struct lb_target *t,
				struct lb_decision *d)
{
	enum lb_reason reason = LB_REASON_forwarded;
	int action = XDP_DROP;

	if (LB_UNLIKELY(trim(ctx, d, lb_l2_bytes(0)) || encapsulate_by_kind(ctx, d, 0, 0))) {
		reason = LB_REASON_no_headroom;
		no_headroom(ctx);
	} else {
		lb_count_forwarded(t, reason, d);
		action = leave(ctx, d);
	}
	if (t->traced)
		trace(reason, d);
	return action;
}

/* The families go their own ways, so that neither asks again which it is. */
static __always_inline int balance(struct xdp_md *ctx, __u32 traced)
{
	const struct lb_target t = {.traced = traced};
	struct lb_decision d = {};

	if (LB_LIKELY(lb_decide_common4(&t, frame_start(ctx), frame_end(ctx), &d)))
		return send(ctx, &t, &d);
	if (lb_decide_common6(&t, frame_start(ctx), frame_end(ctx), &d))
		return send(ctx, &t, &d);
	return balance_any(ctx, traced);
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
