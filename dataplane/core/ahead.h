/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_AHEAD_H
#define FAIRWAY_CORE_AHEAD_H

/*
 * The steps of lb_decide_common() for a target that has many packets at once. It takes each step
 * for all of them before the next; a step asks memory for what the next one reads, so that the
 * cache misses of a burst overlap instead of adding up:
 *
 *   lb_ahead_key      parse, check, hash     asks for the slot, or for the VIP entry
 *   lb_ahead_waiting  VIP, service           asks for the slot of packets that waited for theirs
 *   lb_ahead_slot     slot                   asks for the real or, in a tracked slot, the flow
 *                                            bucket
 *   lb_ahead_real     real, next hop         1: decided, as lb_decide_common() says it
 *
 * Packets for one VIP come in rows: the service that is looked up for a burst's first packet serves
 * all packets of its key, and only those of other keys wait.
 * A packet that leaves the common kind on the way is lb_decide_any()'s, whatever step it is at.
 */

#include "dataplane/core/forward.h"

#define LB_AHEAD(address) __builtin_prefetch(address)
#define LB_AHEAD_MAX      32U

/* A packet on its way through the steps: what later ones need, no more, so that a burst of them
 * stays in the nearest cache. */
struct lb_ahead {
	const void *data;
	const struct lb_service *service_record;
	const __u16 *slot_word; /* NULL: no such slot */
	const struct lb_real *real_record;
	__u64 hash;
	__u32 ip_length;
	__u32 real;
	__u32 word; /* of the VIP key */
	__u32 vip;  /* where the VIP key's probe begins */
	__u8 kind;  /* 4 or 6; 0: not common */
};

/* What the packets of a burst have in common. */
struct lb_row {
	__u64 dst[2]; /* address of the first one's VIP key */
	__u32 word;   /* and its word; 0: not looked up yet */
	__u32 n_waiting;
	const struct lb_service *service_record; /* NULL: none that the common way can use */
	__u8 waiting[LB_AHEAD_MAX];
};

LB_ALWAYS_INLINE const void *lb_ahead_ip(const struct lb_ahead *a)
{
	return a->data + sizeof(struct lb_eth);
}

/* A service that asks for nothing special, or NULL. */
LB_ALWAYS_INLINE const struct lb_service *lb_ahead_service(const struct lb_target *t, __u32 service)
{
	const struct lb_service *record = (void *)0;

	if (service != LB_SERVICE_NONE)
		record = lb_table_service(t, service);
	return record && !record->flags && record->ring_slots ? record : (void *)0;
}

LB_ALWAYS_INLINE void lb_ahead_serve(const struct lb_target *t, struct lb_ahead *a,
				     const struct lb_service *record)
{
	if (LB_UNLIKELY(!record)) {
		a->kind = 0;
		return;
	}
	a->service_record = record;
	a->slot_word =
		lb_table_slot(t, record->ring_start + lb_hash_slot(a->hash, record->ring_slots));
	LB_AHEAD(a->slot_word);
}

LB_ALWAYS_INLINE void lb_ahead_wait(const struct lb_target *t, struct lb_ahead *a, __u32 at,
				    __u32 vip, struct lb_row *row)
{
	a->vip = vip;
	LB_AHEAD(lb_table_vip(t, vip));
	row->waiting[row->n_waiting++] = (__u8)at;
}

/* Not the row's key: it waits for its VIP entry, but for the first one, whose service becomes the
 * row's. */
LB_ALWAYS_INLINE void lb_ahead_other4(const struct lb_target *t, struct lb_ahead *a, __u32 at,
				      __be32 dst, struct lb_row *row)
{
	const __u32 vip = lb_hash_vip4(dst, a->word);

	if (row->word) {
		lb_ahead_wait(t, a, at, vip, row);
		return;
	}
	row->dst[0] = dst;
	row->word = a->word;
	row->service_record = lb_ahead_service(t, lb_vip_probe4(t, vip, dst, a->word));
	lb_ahead_serve(t, a, row->service_record);
}

LB_ALWAYS_INLINE void lb_ahead_other6(const struct lb_target *t, struct lb_ahead *a, __u32 at,
				      const __be16 *dst, struct lb_row *row)
{
	const __u32 vip = lb_hash_vip6(dst, a->word);

	if (row->word) {
		lb_ahead_wait(t, a, at, vip, row);
		return;
	}
	row->dst[0] = lb_get64(dst);
	row->dst[1] = lb_get64(dst + 4);
	row->word = a->word;
	row->service_record = lb_ahead_service(t, lb_vip_probe6(t, vip, dst, a->word));
	lb_ahead_serve(t, a, row->service_record);
}

LB_ALWAYS_INLINE void lb_ahead_key4(const struct lb_target *t, struct lb_ahead *a, __u32 at,
				    const void *end, struct lb_row *row)
{
	const struct lb_ip4 *ip = lb_ahead_ip(a);
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const __u32 dst = lb_get32(ip->dst);
	__u32 length;

	if (!lb_common_length4(ip, end, &length) ||
	    lb_check_l4(l4, end, length, ip->protocol, 1, 0) != LB_REASON_forwarded)
		return;
	a->kind = 4;
	a->ip_length = (__u32)sizeof(*ip) + length;
	a->word = lb_vip_word(l4->dst, ip->protocol, LB_KEY_EXACT4);
	a->hash =
		lb_hash_flow4(lb_table_node(t), lb_get32(ip->src), dst, lb_ports(l4), ip->protocol);
	if (LB_LIKELY(row->word == a->word && row->dst[0] == dst))
		lb_ahead_serve(t, a, row->service_record);
	else
		lb_ahead_other4(t, a, at, dst, row);
}

LB_ALWAYS_INLINE void lb_ahead_key6(const struct lb_target *t, struct lb_ahead *a, __u32 at,
				    const void *end, struct lb_row *row)
{
	const struct lb_ip6 *ip = lb_ahead_ip(a);
	const struct lb_udp *l4 = (const void *)(ip + 1);
	__u32 length;

	if (!lb_common_length6(ip, end, &length) ||
	    lb_check_l4(l4, end, length, ip->next_header, 1, 0) != LB_REASON_forwarded)
		return;
	a->kind = 6;
	a->ip_length = (__u32)sizeof(*ip) + length;
	a->word = lb_vip_word(l4->dst, ip->next_header, LB_KEY_EXACT6);
	a->hash = lb_hash_flow6(lb_table_node(t), ip->src, ip->dst, lb_ports(l4), ip->next_header);
	if (LB_LIKELY(row->word == a->word && row->dst[0] == lb_get64(ip->dst) &&
		      row->dst[1] == lb_get64(&ip->dst[4])))
		lb_ahead_serve(t, a, row->service_record);
	else
		lb_ahead_other6(t, a, at, ip->dst, row);
}

/* A packet, the at-th of its burst: data to end is its frame, or the frame's first part. */
LB_ALWAYS_INLINE void lb_ahead_key(const struct lb_target *t, struct lb_ahead *a, __u32 at,
				   const void *data, const void *end, struct lb_row *row)
{
	const struct lb_eth *eth = data;
	const __u64 bytes = (__u64)(end - data);

	a->data = data;
	a->kind = 0;
	if (LB_UNLIKELY(bytes < sizeof(*eth) + sizeof(struct lb_ip4) + sizeof(struct lb_tcp)) ||
	    (eth->dst[0] & 1))
		return;
	if (LB_LIKELY(eth->proto == LB_BE16(LB_ETH_P_IP4)))
		lb_ahead_key4(t, a, at, end, row);
	else if (eth->proto == LB_BE16(LB_ETH_P_IP6) &&
		 bytes >= sizeof(*eth) + sizeof(struct lb_ip6) + sizeof(struct lb_tcp))
		lb_ahead_key6(t, a, at, end, row);
}

/* Those of the burst that waited for their VIP entry. */
LB_ALWAYS_INLINE void lb_ahead_waiting(const struct lb_target *t, struct lb_ahead *burst,
				       const struct lb_row *row)
{
	for (__u32 i = 0; i < row->n_waiting; i++) {
		struct lb_ahead *a = &burst[row->waiting[i]];
		__u32 service;

		if (a->kind == 4) {
			const struct lb_ip4 *ip = lb_ahead_ip(a);

			service = lb_vip_probe4(t, a->vip, lb_get32(ip->dst), a->word);
		} else {
			const struct lb_ip6 *ip = lb_ahead_ip(a);

			service = lb_vip_probe6(t, a->vip, ip->dst, a->word);
		}
		lb_ahead_serve(t, a, lb_ahead_service(t, service));
	}
}

LB_ALWAYS_INLINE __u32 lb_ahead_slot_at(const struct lb_ahead *a)
{
	return a->service_record->ring_start + lb_hash_slot(a->hash, a->service_record->ring_slots);
}

LB_ALWAYS_INLINE void lb_ahead_slot(const struct lb_target *t, struct lb_ahead *a)
{
	if (LB_UNLIKELY(!a->kind))
		return;
	a->real = a->slot_word ? LB_READ_ONCE(*a->slot_word) : 0;
	if (LB_UNLIKELY(a->real & LB_SLOT_TRACKED)) {
		LB_AHEAD(lb_table_flow(t, lb_flow_bucket(a->hash, lb_table_node(t)->flow_buckets)));
		LB_AHEAD(lb_table_previous(t, lb_ahead_slot_at(a)));
		return;
	}
	a->real_record = lb_table_real(t, a->real);
	LB_AHEAD(a->real_record);
}

/* Does it begin a connection? All of the common kind have as much of an L4 header. */
LB_ALWAYS_INLINE __u32 lb_ahead_how(const struct lb_ahead *a)
{
	const struct lb_ip4 *ip4 = lb_ahead_ip(a);
	const struct lb_ip6 *ip6 = lb_ahead_ip(a);
	const __u8 protocol = a->kind == 4 ? ip4->protocol : ip6->next_header;
	const struct lb_tcp *tcp = a->kind == 4 ? (const void *)(ip4 + 1) : (const void *)(ip6 + 1);

	if (protocol != LB_IPPROTO_TCP || (tcp->flags & (LB_TCP_SYN | LB_TCP_ACK)) != LB_TCP_SYN)
		return 0;
	return LB_TRACK_NEW;
}

/* end: of the frame, or of its first part. */
LB_ALWAYS_INLINE int lb_ahead_real(const struct lb_target *t, const struct lb_ahead *a,
				   const void *end, struct lb_decision *d)
{
	struct lb_track track = {.bucket = (void *)0};
	const struct lb_real *real = a->real_record;
	__u32 id = a->real;

	if (LB_UNLIKELY(!a->kind))
		return 0;
	if (LB_UNLIKELY(id & LB_SLOT_TRACKED)) {
		id = lb_track_choose(t, lb_ahead_slot_at(a), id & LB_SLOT_REAL_MASK, a->hash,
				     lb_ahead_how(a), &track);
		real = lb_table_real(t, id);
	}
	if (LB_UNLIKELY(!real))
		return 0;
	d->service_record = a->service_record;
	d->slot = lb_hash_slot(a->hash, a->service_record->ring_slots);
	d->entropy = lb_hash_entropy(a->hash);
	d->ip_length = a->ip_length;
	d->padding = (__u32)(end - lb_ahead_ip(a)) - a->ip_length;
	d->inner_family = a->kind;
	d->n_tags = d->n_tags_out = 0;
	if (LB_UNLIKELY(!lb_common_way(lb_table_node(t), a->data, id, real, d)))
		return 0;
	lb_track_remember(&track);
	return 1;
}

#endif
