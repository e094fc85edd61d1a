/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Divides what arrives on an interface between the DPDK engine and the kernel: packets for VIPs go
 * to the AF_XDP socket of their queue, everything else goes on into the kernel, which so keeps the
 * interface for BGP, SSH and the like. Where there is no socket, because the engine has ended or
 * has fewer of them than the card has queues, the packet is the XDP balancer's: same tables, same
 * flows.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/core/memory.h"
#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

const volatile __u32 vips_mask;

/* The tables that are in force; the loader names them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_node);
} lb_node SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct lb_vip_entry));
} lb_vips SEC(".maps");

/* The driver's: its sockets by queue. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} xsks_map SEC(".maps");

/* The control plane keeps the XDP balancer in it. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} lb_next SEC(".maps");

struct lb_target {
	__u32 frame_bytes;
};

/* What a lookup that can't fail is said to give, for the verifier. */
static const struct lb_node no_node;
static const struct lb_vip_entry no_vip;

static __always_inline const struct lb_node *lb_table_node(const struct lb_target *t)
{
	__u32 zero = 0;
	const struct lb_node *node = bpf_map_lookup_elem(&lb_node, &zero);

	return node ? node : &no_node;
}

static __always_inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *t,
							       __u32 index)
{
	__u32 zero = 0;
	const struct lb_vip_entry *vips = bpf_map_lookup_elem(&lb_vips, &zero);
	__u64 at = index & vips_mask;

	asm volatile("" : "+r"(at));
	return vips ? vips + at : &no_vip;
}

static __always_inline __u32 lb_frame_bytes(const struct lb_target *t)
{
	return t->frame_bytes;
}

/* Which real a packet goes to is not asked here. */
static __always_inline const __u16 *lb_table_slot(const struct lb_target *t, __u32 slot)
{
	return (void *)0;
}

static __always_inline const __u16 *lb_table_previous(const struct lb_target *t, __u32 slot)
{
	return (void *)0;
}

#include "dataplane/core/packet.h"
#include "dataplane/core/service.h"

/* A global subprogram, as the balancer's: what the verifier learns of the packet's headers ends
 * with it. */
__noinline int parse(struct xdp_md *ctx, struct lb_packet *p)
{
	const struct lb_target t = {.frame_bytes = (__u32)(ctx->data_end - ctx->data)};
	struct lb_decision d = {};

	LB_GIVEN(p);
	return (int)lb_parse(&t, (void *)(long)ctx->data, (void *)(long)ctx->data_end, p, &d);
}

/* Is a packet the engine's? All that goes to a VIP is, but for ports that no service has: those the
 * kernel answers. */
static __always_inline int is_ours(struct xdp_md *ctx)
{
	struct lb_target t = {};
	struct lb_packet p = {};
	const int reason = parse(ctx, &p);
	const struct lb_udp *l4;
	__u32 vip;

	if (!p.flow.family)
		return 0;
	vip = lb_vip_find(&t, &p.flow);
	if (vip == LB_SERVICE_NONE)
		return 0;
	if (reason != LB_REASON_forwarded || p.fragment ||
	    (p.flow.protocol != LB_IPPROTO_TCP && p.flow.protocol != LB_IPPROTO_UDP))
		return 1;
	l4 = lb_at((void *)(long)ctx->data, (void *)(long)ctx->data_end, p.l4, sizeof(*l4));
	if (!l4)
		return 1;
	p.flow.ports = lb_ports(l4);
	return lb_service_find(&t, &p.flow) != vip;
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	if (!bpf_map_lookup_elem(&xsks_map, &queue)) {
		bpf_tail_call(ctx, &lb_next, 0);
		return XDP_PASS;
	}
	return is_ours(ctx) ? (int)bpf_redirect_map(&xsks_map, queue, XDP_DROP) : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
