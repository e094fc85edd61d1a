/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_AHEAD_H
#define FAIRWAY_CORE_AHEAD_H

/*
 * The steps of lb_decide_common() for a target that has many packets at once. It takes each step
 * for all of them before the next; a step asks memory for what the next one reads, so that the
 * cache misses of a burst overlap instead of adding up:
 *
 *   lb_ahead_key      parse, check, hash     asks for the VIP entry
 *   lb_ahead_service  VIP, service           asks for the slot
 *   lb_ahead_slot     slot                   asks for the real or, in a tracked slot, the flow
 * bucket lb_ahead_real     real, next hop         1: decided, as lb_decide_common() says it
 *
 * A packet that leaves the common kind on the way is lb_decide_any()'s, whatever step it is at.
 */

#include "dataplane/core/forward.h"

#define LB_AHEAD(address) __builtin_prefetch(address)

/* A packet on its way through the steps: what later ones need, no more, so that a burst of them
 * stays in the nearest cache. */
struct lb_ahead {
	const void *data, *end;
	const struct lb_service *service_record; /* NULL: none that the common way can use */
	const __u16 *slot_word;
	const struct lb_real *real_record;
	__u64 hash;
	__u32 ip_length;
	__u32 word; /* of the VIP key */
	__u32 vip;  /* where the VIP key's probe begins */
	__u32 service;
	__u32 slot;
	__u32 real;
	__u8 kind; /* 4 or 6; 0: not common */
	__u8 same; /* the VIP key is that of the packet before */
};

LB_ALWAYS_INLINE const void *lb_ahead_ip(const struct lb_ahead *a)
{
	return a->data + sizeof(struct lb_eth);
}

/* Packets for one VIP come in rows: then the key needn't be looked up again. */
LB_ALWAYS_INLINE int lb_ahead_key4(const struct lb_target *t, struct lb_ahead *a,
				   const struct lb_ahead *before)
{
	const struct lb_ip4 *ip = lb_ahead_ip(a), *ip_before;
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const __u32 dst = lb_get32(ip->dst);
	__u32 length;

	if (!lb_common_length4(ip, a->end, &length) ||
	    lb_check_l4(l4, a->end, length, ip->protocol, 1, 0) != LB_REASON_forwarded)
		return 0;
	a->ip_length = (__u32)sizeof(*ip) + length;
	a->word = lb_vip_word(l4->dst, ip->protocol, LB_KEY_EXACT4);
	a->hash =
		lb_hash_flow4(lb_table_node(t), lb_get32(ip->src), dst, lb_ports(l4), ip->protocol);
	if (before && before->kind == 4 && before->word == a->word) {
		ip_before = lb_ahead_ip(before);
		if (lb_get32(ip_before->dst) == dst) {
			a->same = 1;
			return 4;
		}
	}
	a->vip = lb_hash_vip4(dst, a->word);
	LB_AHEAD(lb_table_vip(t, a->vip));
	return 4;
}

LB_ALWAYS_INLINE int lb_ahead_key6(const struct lb_target *t, struct lb_ahead *a,
				   const struct lb_ahead *before)
{
	const struct lb_ip6 *ip = lb_ahead_ip(a), *ip_before;
	const struct lb_udp *l4 = (const void *)(ip + 1);
	__u32 length;

	if (!lb_common_length6(ip, a->end, &length) ||
	    lb_check_l4(l4, a->end, length, ip->next_header, 1, 0) != LB_REASON_forwarded)
		return 0;
	a->ip_length = (__u32)sizeof(*ip) + length;
	a->word = lb_vip_word(l4->dst, ip->next_header, LB_KEY_EXACT6);
	a->hash = lb_hash_flow6(lb_table_node(t), ip->src, ip->dst, lb_ports(l4), ip->next_header);
	if (before && before->kind == 6 && before->word == a->word) {
		ip_before = lb_ahead_ip(before);
		if (lb_get64(ip_before->dst) == lb_get64(ip->dst) &&
		    lb_get64(&ip_before->dst[4]) == lb_get64(&ip->dst[4])) {
			a->same = 1;
			return 6;
		}
	}
	a->vip = lb_hash_vip6(ip->dst, a->word);
	LB_AHEAD(lb_table_vip(t, a->vip));
	return 6;
}

/* data and end are set: the frame, or its first part. before: the packet before it in the burst, or
 * NULL. */
LB_ALWAYS_INLINE void lb_ahead_key(const struct lb_target *t, struct lb_ahead *a,
				   const struct lb_ahead *before)
{
	const struct lb_eth *eth = a->data;
	const __u64 bytes = (__u64)(a->end - a->data);

	a->kind = a->same = 0;
	if (LB_UNLIKELY(bytes < sizeof(*eth) + sizeof(struct lb_ip4) + sizeof(struct lb_tcp)) ||
	    (eth->dst[0] & 1))
		return;
	if (LB_LIKELY(eth->proto == LB_BE16(LB_ETH_P_IP4)))
		a->kind = (__u8)lb_ahead_key4(t, a, before);
	else if (eth->proto == LB_BE16(LB_ETH_P_IP6) &&
		 bytes >= sizeof(*eth) + sizeof(struct lb_ip6) + sizeof(struct lb_tcp))
		a->kind = (__u8)lb_ahead_key6(t, a, before);
}

LB_ALWAYS_INLINE void lb_ahead_find(const struct lb_target *t, struct lb_ahead *a)
{
	const struct lb_service *record = (void *)0;

	if (LB_LIKELY(a->kind == 4)) {
		const struct lb_ip4 *ip = lb_ahead_ip(a);

		a->service = lb_vip_probe4(t, a->vip, lb_get32(ip->dst), a->word);
	} else {
		const struct lb_ip6 *ip = lb_ahead_ip(a);

		a->service = lb_vip_probe6(t, a->vip, ip->dst, a->word);
	}
	if (a->service != LB_SERVICE_NONE)
		record = lb_table_service(t, a->service);
	a->service_record = record && !record->flags && record->ring_slots ? record : (void *)0;
}

LB_ALWAYS_INLINE void lb_ahead_service(const struct lb_target *t, struct lb_ahead *a,
				       const struct lb_ahead *before)
{
	const struct lb_service *record;

	if (LB_UNLIKELY(!a->kind))
		return;
	if (before && a->same) {
		a->service = before->service;
		a->service_record = before->service_record;
	} else {
		lb_ahead_find(t, a);
	}
	record = a->service_record;
	if (LB_UNLIKELY(!record)) {
		a->kind = 0;
		return;
	}
	a->slot = lb_hash_slot(a->hash, record->ring_slots);
	a->slot_word = lb_table_slot(t, record->ring_start + a->slot);
	LB_AHEAD(a->slot_word);
}

LB_ALWAYS_INLINE void lb_ahead_slot(const struct lb_target *t, struct lb_ahead *a)
{
	if (LB_UNLIKELY(!a->kind))
		return;
	a->real = a->slot_word ? LB_READ_ONCE(*a->slot_word) : 0;
	if (LB_UNLIKELY(a->real & LB_SLOT_TRACKED)) {
		const struct lb_node *node = lb_table_node(t);

		LB_AHEAD(lb_table_flow(t, lb_flow_bucket(a->hash, node->flow_buckets)));
		LB_AHEAD(lb_table_previous(t, a->service_record->ring_start + a->slot));
		a->kind = 0;
		return;
	}
	a->real_record = lb_table_real(t, a->real);
	LB_AHEAD(a->real_record);
}

LB_ALWAYS_INLINE int lb_ahead_real(const struct lb_target *t, const struct lb_ahead *a,
				   struct lb_decision *d)
{
	if (LB_UNLIKELY(!a->kind || !a->real_record))
		return 0;
	d->service = a->service;
	d->service_record = a->service_record;
	d->slot = a->slot;
	d->entropy = lb_hash_entropy(a->hash);
	d->ip_length = a->ip_length;
	d->padding = (__u32)(a->end - lb_ahead_ip(a)) - a->ip_length;
	d->inner_family = a->kind;
	d->n_tags = d->n_tags_out = 0;
	return lb_common_way(lb_table_node(t), a->data, a->real, a->real_record, d);
}

#endif
