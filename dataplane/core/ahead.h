/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_AHEAD_H
#define FAIRWAY_CORE_AHEAD_H

/*
 * The steps of lb_decide_common() for a target that has many packets at once. It takes each step
 * for all of them before the next; a step asks memory for what the next one reads, so that the
 * cache misses of a burst overlap instead of adding up:
 *
 *   lb_ahead_key      parse, hash            asks for the VIP entry
 *   lb_ahead_service  VIP, service           asks for the slot
 *   lb_ahead_slot     slot                   asks for the real or, in a tracked slot, the flow
 * bucket lb_ahead_real     real, next hop         1: decided, as lb_decide_common() says it
 *
 * A packet that leaves the common kind on the way is lb_decide_any()'s, whatever step it is at.
 */

#include "dataplane/core/forward.h"

#define LB_AHEAD(address) __builtin_prefetch(address)

/* A packet on its way through the steps. kind 0: not common. */
struct lb_ahead {
	const void *data, *end;
	__u64 hash;
	__u32 length; /* of what follows the IP header */
	__u32 word;   /* of the VIP key */
	__u32 slot;   /* where it stands in the table of slots */
	__u32 kind;   /* 4 or 6 */
};

LB_ALWAYS_INLINE int lb_ahead_key4(const struct lb_target *t, struct lb_ahead *a,
				   const struct lb_ip4 *ip)
{
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const __u32 dst = lb_get32(ip->dst);

	if (!lb_common_length4(ip, a->end, &a->length))
		return 0;
	a->word = lb_vip_word(l4->dst, ip->protocol, LB_KEY_EXACT4);
	LB_AHEAD(lb_table_vip(t, lb_hash_vip4(dst, a->word)));
	a->hash =
		lb_hash_flow4(lb_table_node(t), lb_get32(ip->src), dst, lb_ports(l4), ip->protocol);
	return 4;
}

LB_ALWAYS_INLINE int lb_ahead_key6(const struct lb_target *t, struct lb_ahead *a,
				   const struct lb_ip6 *ip)
{
	const struct lb_udp *l4 = (const void *)(ip + 1);

	if (!lb_common_length6(ip, a->end, &a->length))
		return 0;
	a->word = lb_vip_word(l4->dst, ip->next_header, LB_KEY_EXACT6);
	LB_AHEAD(lb_table_vip(t, lb_hash_vip6(ip->dst, a->word)));
	a->hash = lb_hash_flow6(lb_table_node(t), ip->src, ip->dst, lb_ports(l4), ip->next_header);
	return 6;
}

/* data and end are set: the frame, or its first part. */
LB_ALWAYS_INLINE void lb_ahead_key(const struct lb_target *t, struct lb_ahead *a)
{
	const struct lb_eth *eth = a->data;
	const void *ip = eth + 1;
	int kind = 0;

	if (ip + sizeof(struct lb_ip4) + sizeof(struct lb_tcp) > a->end || (eth->dst[0] & 1))
		kind = 0;
	else if (eth->proto == LB_BE16(LB_ETH_P_IP4))
		kind = lb_ahead_key4(t, a, ip);
	else if (eth->proto == LB_BE16(LB_ETH_P_IP6) &&
		 ip + sizeof(struct lb_ip6) + sizeof(struct lb_tcp) <= a->end)
		kind = lb_ahead_key6(t, a, ip);
	a->kind = (__u32)kind;
}

LB_ALWAYS_INLINE int lb_ahead_find(const struct lb_target *t, const struct lb_ahead *a,
				   struct lb_decision *d)
{
	const void *ip = a->data + sizeof(struct lb_eth);

	if (a->kind == 4) {
		const struct lb_ip4 *ip4 = ip;

		d->service = lb_vip_find4(t, lb_get32(ip4->dst), a->word);
		d->ip_length = a->length + (__u32)sizeof(*ip4);
		d->inner_family = 4;
		ip = ip4 + 1;
	} else {
		const struct lb_ip6 *ip6 = ip;

		d->service = lb_vip_find6(t, ip6->dst, a->word);
		d->ip_length = a->length + (__u32)sizeof(*ip6);
		d->inner_family = 6;
		ip = ip6 + 1;
	}
	d->padding = (__u32)(a->end - ip) - a->length;
	/* The word's third byte is the protocol. */
	return lb_common_serve(t, ip, a->end, a->length, (__u8)(a->word >> 16), d);
}

LB_ALWAYS_INLINE void lb_ahead_service(const struct lb_target *t, struct lb_ahead *a,
				       struct lb_decision *d)
{
	if (!a->kind)
		return;
	if (!lb_ahead_find(t, a, d) || !lb_common_slot(a->hash, d, &a->slot)) {
		a->kind = 0;
		return;
	}
	LB_AHEAD(lb_table_slot(t, a->slot));
}

LB_ALWAYS_INLINE void lb_ahead_slot(const struct lb_target *t, struct lb_ahead *a,
				    struct lb_decision *d)
{
	if (!a->kind)
		return;
	d->real = lb_slot_word(t, a->slot);
	if (d->real & LB_SLOT_TRACKED) {
		LB_AHEAD(lb_table_flow(t, lb_flow_bucket(a->hash, lb_table_node(t)->flow_buckets)));
		LB_AHEAD(lb_table_previous(t, a->slot));
		a->kind = 0;
		return;
	}
	LB_AHEAD(lb_table_real(t, d->real));
}

LB_ALWAYS_INLINE int lb_ahead_real(const struct lb_target *t, const struct lb_ahead *a,
				   struct lb_decision *d)
{
	if (!a->kind)
		return 0;
	d->n_tags = d->n_tags_out = 0;
	return lb_common_real(t, lb_table_node(t), a->data, d->real, d);
}

#endif
