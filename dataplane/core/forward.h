/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_FORWARD_H
#define FAIRWAY_CORE_FORWARD_H

/*
 * The forwarding decision, from a frame to one verdict with one named reason:
 *
 *   frame --> packet --> service --> slot --> real --> next hop
 *     |          |          |          |
 *     |          |          |          +-- flow table, where the slot changed (track.h)
 *     |          |          +-- deny list, SYN limit (guard.h), connection id (quic.h)
 *     |          +-- fragments (fragment.h), ICMP (icmp.h)
 *     +-- VLAN tags, IPv4, IPv6 (packet.h)
 *
 * It reads the frame and the tables, counts, and fills a struct lb_decision. The target makes room,
 * has lb_write_headers() (encap.h) or a reply (reply.h) written, and sends.
 *
 * What is not for a VIP is left to the kernel, be it well formed or not; what is malformed and for
 * a VIP is dropped.
 */

#include "dataplane/core/decision.h"
#include "dataplane/core/encap.h"
#include "dataplane/core/fragment.h"
#include "dataplane/core/guard.h"
#include "dataplane/core/icmp.h"
#include "dataplane/core/lookup.h"
#include "dataplane/core/memory.h"
#include "dataplane/core/packet.h"
#include "dataplane/core/quic.h"
#include "dataplane/core/reasons.h"
#include "dataplane/core/reply.h"
#include "dataplane/core/service.h"
#include "dataplane/core/tables.h"
#include "dataplane/core/track.h"
#include "dataplane/core/wire.h"

/* The list of reasons goes by verdict: how many there are of each tells which a reason has. */
#define LB_REASON_IS_FORWARD(verdict, name, help) +(LB_##verdict == LB_FORWARD)
#define LB_REASON_IS_REPLY(verdict, name, help)   +(LB_##verdict == LB_REPLY)
#define LB_REASON_IS_PASS(verdict, name, help)    +(LB_##verdict == LB_PASS)
enum {
	LB_REASON_FIRST_REPLY = 0 LB_REASONS(LB_REASON_IS_FORWARD),
	LB_REASON_FIRST_PASS = LB_REASON_FIRST_REPLY LB_REASONS(LB_REASON_IS_REPLY),
	LB_REASON_FIRST_DROP = LB_REASON_FIRST_PASS LB_REASONS(LB_REASON_IS_PASS),
};

LB_ALWAYS_INLINE enum lb_verdict lb_reason_verdict(enum lb_reason reason)
{
	const int number = (int)reason;

	if (number < LB_REASON_FIRST_REPLY)
		return LB_FORWARD;
	if (number < LB_REASON_FIRST_PASS)
		return LB_REPLY;
	return number < LB_REASON_FIRST_DROP ? LB_PASS : LB_DROP;
}

#define LB_REASON_IN_ORDER(verdict, name, help)                                                    \
	&&(int)LB_##verdict ==                                                                     \
		((int)LB_REASON_##name < (int)LB_REASON_FIRST_REPLY  ? (int)LB_FORWARD             \
		 : (int)LB_REASON_##name < (int)LB_REASON_FIRST_PASS ? (int)LB_REPLY               \
		 : (int)LB_REASON_##name < (int)LB_REASON_FIRST_DROP ? (int)LB_PASS                \
								     : (int)LB_DROP)
LB_ASSERT(1 LB_REASONS(LB_REASON_IN_ORDER), "the list of reasons goes by verdict");

/* A header that says it has less than is required, or more than there is: length is what the IP
 * header leaves for it. first: of a first fragment, which holds less than a UDP header says. */
LB_ALWAYS_INLINE int lb_tcp_length_fits(__u32 length, __u8 data_offset)
{
	const __u32 header = (data_offset >> 4) * 4U;

	return header >= sizeof(struct lb_tcp) && header <= length;
}

LB_ALWAYS_INLINE int lb_udp_length_fits(__u32 length, __u32 udp_length, int first)
{
	return udp_length >= sizeof(struct lb_udp) && (first || udp_length <= length);
}

/* The TCP or UDP header of a packet for a VIP: whole, and true to itself. length is what the IP
 * header leaves for it; whole says that the frame is known to hold 20 bytes of it, first that it is
 * a first fragment, which holds less than a UDP header says. */
LB_ALWAYS_INLINE enum lb_reason lb_check_l4(const void *l4, const void *end, __u32 length,
					    __u8 protocol, int whole, int first)
{
	if (LB_LIKELY(protocol == LB_IPPROTO_TCP)) {
		const struct lb_tcp *tcp = l4;

		if (length < sizeof(*tcp) || (!whole && (const void *)(tcp + 1) > end))
			return LB_REASON_l4_truncated;
		if (!lb_tcp_length_fits(length, tcp->data_offset))
			return LB_REASON_tcp_header_length;
	} else {
		const struct lb_udp *udp = l4;

		/* uncovered: who isn't sure has looked for 8 bytes, the verifier forgets it */
		if (length < sizeof(*udp) || (!whole && (const void *)(udp + 1) > end))
			return LB_REASON_l4_truncated;
		if (!lb_udp_length_fits(length, LB_HOST16(udp->length), first))
			return LB_REASON_udp_length;
	}
	return LB_REASON_forwarded;
}

/* ---- the common case: a whole, untagged TCP or UDP packet for the very port of a service that
 * asks for nothing special, in a slot that never changed. Its steps, each of which says 0 when the
 * packet is not of that kind, are taken one after another here and, for a burst of packets, step by
 * step in ahead.h and columns.h ---- */

/* An IPv4 header of the common kind: length is what it says follows it, room what does. */
LB_ALWAYS_INLINE int lb_common_values4(__u8 version_ihl, __u32 length, __u64 room,
				       __be16 flags_offset, __u8 protocol, __be32 src, __be32 dst)
{
	return version_ihl == 0x45 && length <= room &&
	       !(flags_offset & LB_BE16(LB_IP4_FRAGMENT)) &&
	       (protocol == LB_IPPROTO_TCP || protocol == LB_IPPROTO_UDP) && src != dst &&
	       !lb_martian4(src);
}

/* What follows an IPv4 header of the common kind, whose frame holds 20 bytes behind it. */
LB_ALWAYS_INLINE int lb_common_length4(const struct lb_ip4 *ip, const void *end, __u32 *ret_length)
{
	*ret_length = LB_HOST16(ip->total_length) - (__u32)sizeof(*ip);
	return lb_common_values4(ip->version_ihl, *ret_length,
				 (__u64)(end - (const void *)(ip + 1)), ip->flags_offset,
				 ip->protocol, lb_get32(ip->src), lb_get32(ip->dst));
}

LB_ALWAYS_INLINE int lb_common_length6(const struct lb_ip6 *ip, const void *end, __u32 *ret_length)
{
	const __u64 room = (__u64)(end - (const void *)(ip + 1));

	*ret_length = LB_HOST16(ip->payload_length);
	if ((*(const __u8 *)ip >> 4) != 6 || *ret_length > room)
		return 0;
	if (ip->next_header != LB_IPPROTO_TCP && ip->next_header != LB_IPPROTO_UDP)
		return 0;
	/* Those and more that lb_check_source() knows: ::/64 and ff00::/8, and the VIP's interface
	 * identifier. */
	return *(const __u8 *)ip->src != 0xff && (lb_get32(ip->src) | lb_get32(&ip->src[2])) &&
	       (lb_get32(&ip->src[6]) != lb_get32(&ip->dst[6]) ||
		lb_get32(&ip->src[4]) != lb_get32(&ip->dst[4]));
}

/* The service of d->service, and the packet's header held against it. */
LB_ALWAYS_INLINE int lb_common_serve(const struct lb_target *t, const struct lb_udp *l4,
				     const void *end, __u32 length, __u8 protocol,
				     struct lb_decision *d)
{
	if (d->service == LB_SERVICE_NONE)
		return 0;
	d->service_record = lb_table_service(t, d->service);
	return d->service_record &&
	       lb_check_l4(l4, end, length, protocol, 1, 0) == LB_REASON_forwarded;
}

/* The slot of a hash; where it stands in the table of slots into *ret_at. */
LB_ALWAYS_INLINE int lb_common_slot(__u64 hash, struct lb_decision *d, __u32 *ret_at)
{
	const struct lb_service *service = d->service_record;

	if (service->flags || !service->ring_slots)
		return 0;
	d->entropy = lb_hash_entropy(hash);
	d->slot = lb_hash_slot(hash, service->ring_slots);
	*ret_at = service->ring_start + d->slot;
	return 1;
}

/* The way to the real of this number. d->ip_length is set. */
LB_ALWAYS_INLINE int lb_common_way(const struct lb_node *node, const struct lb_eth *eth, __u32 id,
				   const struct lb_real *real, struct lb_decision *d)
{
	d->real = id;
	d->nexthop = LB_READ_ONCE(real->nexthop);
	d->iface = &node->ifaces[lb_nexthop_iface(d->nexthop) % LB_IFACES_MAX];
	d->real_record = real;
	d->grow_bytes = real->grow_bytes;
	/* No interface, real 0 among them, has no MTU. */
	if (LB_UNLIKELY(d->ip_length + d->grow_bytes > d->iface->common_mtu))
		return 0;
	return d->grow_bytes || lb_nexthop_mac(eth->src) != (d->nexthop & LB_NEXTHOP_MAC);
}

/* The same for a slot's word. */
LB_ALWAYS_INLINE int lb_common_real(const struct lb_target *t, const struct lb_node *node,
				    const struct lb_eth *eth, __u32 word, struct lb_decision *d)
{
	const struct lb_real *real;

	if (LB_UNLIKELY(word & LB_SLOT_TRACKED))
		return 0;
	real = lb_table_real(t, word);
	if (LB_UNLIKELY(!real))
		return 0;
	return lb_common_way(node, eth, word, real, d);
}

LB_ALWAYS_INLINE int lb_common_pick(const struct lb_target *t, const struct lb_node *node,
				    const struct lb_eth *eth, __u64 hash, struct lb_decision *d)
{
	__u32 at;

	return lb_common_slot(hash, d, &at) && lb_common_real(t, node, eth, lb_slot_word(t, at), d);
}

LB_ALWAYS_INLINE int lb_common_ip4(const struct lb_target *t, const struct lb_eth *eth,
				   const struct lb_ip4 *ip, const void *end, struct lb_decision *d)
{
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const struct lb_node *node = lb_table_node(t);
	const __u32 dst = lb_get32(ip->dst);
	__u32 length;

	if (!lb_common_length4(ip, end, &length))
		return 0;
	d->service = lb_vip_find4(t, dst, lb_vip_word(l4->dst, ip->protocol, LB_KEY_EXACT4));
	if (!lb_common_serve(t, l4, end, length, ip->protocol, d))
		return 0;
	d->ip_length = length + (__u32)sizeof(*ip);
	d->padding = (__u32)(end - (const void *)l4) - length;
	d->inner_family = 4;
	return lb_common_pick(
		t, node, eth,
		lb_hash_flow4(node, lb_get32(ip->src), dst, lb_ports(l4), ip->protocol), d);
}

LB_ALWAYS_INLINE int lb_common_ip6(const struct lb_target *t, const struct lb_eth *eth,
				   const struct lb_ip6 *ip, const void *end, struct lb_decision *d)
{
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const struct lb_node *node = lb_table_node(t);
	__u32 length;

	if (!lb_common_length6(ip, end, &length))
		return 0;
	d->service = lb_vip_find6(t, ip->dst, lb_vip_word(l4->dst, ip->next_header, LB_KEY_EXACT6));
	if (!lb_common_serve(t, l4, end, length, ip->next_header, d))
		return 0;
	d->ip_length = length + (__u32)sizeof(*ip);
	d->padding = (__u32)(end - (const void *)l4) - length;
	d->inner_family = 6;
	return lb_common_pick(t, node, eth,
			      lb_hash_flow6(node, ip->src, ip->dst, lb_ports(l4), ip->next_header),
			      d);
}

LB_ALWAYS_INLINE int lb_decide_common4(const struct lb_target *t, const void *data, const void *end,
				       struct lb_decision *d)
{
	const struct lb_eth *eth = data;
	const struct lb_ip4 *ip = (const void *)(eth + 1);

	if ((const void *)(ip + 1) + sizeof(struct lb_tcp) > end || (eth->dst[0] & 1) ||
	    eth->proto != LB_BE16(LB_ETH_P_IP4))
		return 0;
	return lb_common_ip4(t, eth, ip, end, d);
}

LB_ALWAYS_INLINE int lb_decide_common6(const struct lb_target *t, const void *data, const void *end,
				       struct lb_decision *d)
{
	const struct lb_eth *eth = data;
	const struct lb_ip6 *ip = (const void *)(eth + 1);

	if ((const void *)(ip + 1) + sizeof(struct lb_tcp) > end || (eth->dst[0] & 1) ||
	    eth->proto != LB_BE16(LB_ETH_P_IP6))
		return 0;
	return lb_common_ip6(t, eth, ip, end, d);
}

/* What nearly every packet is, in few instructions: 1 says it is forwarded as *d says, exactly as
 * lb_decide_any() would have it. 0 says nothing but that lb_decide_any() must be asked; nothing was
 * counted. A target may ask for each family by itself, as here, to go on with what it knows then.
 */
LB_ALWAYS_INLINE int lb_decide_common(const struct lb_target *t, const void *data, const void *end,
				      struct lb_decision *d)
{
	return lb_decide_common4(t, data, end, d) || lb_decide_common6(t, data, end, d);
}

/* ---- every case ---- */

/* The tags that a packet leaves with: the interface's, or those it came with. */
LB_ALWAYS_INLINE void lb_set_tags(struct lb_decision *d)
{
	d->n_tags_out = d->n_tags;
	if (!(d->iface->flags & LB_IFACE_TAGS))
		return;
	d->n_tags_out = d->iface->n_tags < LB_TAGS_MAX ? (__u8)d->iface->n_tags : LB_TAGS_MAX;
	d->tags[0] = d->iface->tags[0];
	d->tags[1] = d->iface->tags[1];
}

/* The way to a real. d->ip_length is set. */
LB_ALWAYS_INLINE enum lb_reason lb_take_real(const struct lb_target *t, __u32 id,
					     const struct lb_eth *eth, struct lb_decision *d)
{
	const struct lb_node *node = lb_table_node(t);
	const struct lb_real *real = lb_table_real(t, id);
	__u32 iface;

	if (!id)
		return LB_REASON_no_real;
	if (!real)
		return LB_REASON_table_error;
	d->real = id;
	d->real_record = real;
	d->nexthop = LB_READ_ONCE(real->nexthop);
	iface = lb_nexthop_iface(d->nexthop) % LB_IFACES_MAX;
	if (!iface)
		return LB_REASON_real_unresolved;
	d->iface = &node->ifaces[iface];
	d->grow_bytes = real->grow_bytes;
	if (real->encap == LB_ENCAP_L2DSR &&
	    lb_nexthop_mac(eth->src) == (d->nexthop & LB_NEXTHOP_MAC))
		return LB_REASON_looped;
	if (d->ip_length + d->grow_bytes > d->iface->mtu)
		return LB_REASON_too_big;
	lb_set_tags(d);
	return LB_REASON_forwarded;
}

LB_ALWAYS_INLINE __u64 lb_hash_flow(const struct lb_node *node, const struct lb_flow *f)
{
	if (f->family == 4)
		return lb_hash_flow4(node, f->src[0], f->dst[0], f->ports, f->protocol);
	return lb_hash_flow6(node, (const __be16 *)f->src, (const __be16 *)f->dst, f->ports,
			     f->protocol);
}

/* What the slot is chosen by, where that isn't the whole 5-tuple. */
LB_GLOBAL_SUBPROGRAM __u64 lb_hash_masked(const struct lb_target *t, const struct lb_flow *f,
					  __u32 mode)
{
	LB_GIVEN(t && f);
	struct lb_flow masked = {.family = f->family};

	for (int i = 0; i < 4; i++) {
		masked.src[i] = mode == LB_HASH_DESTINATION_PORT ? 0 : f->src[i];
		masked.dst[i] = mode == LB_HASH_SOURCE_DESTINATION ? f->dst[i] : 0;
	}
	masked.ports = mode == LB_HASH_DESTINATION_PORT ? f->ports & 0xffff : 0;
	return lb_hash_flow(lb_table_node(t), &masked);
}

/* From a service and a flow to a real, 0: none. how: LB_TRACK_*. */
LB_ALWAYS_INLINE __u32 lb_pick_slot(const struct lb_target *t, const struct lb_service *service,
				    const struct lb_flow *f, __u32 how, struct lb_decision *d)
{
	const __u64 hash = lb_hash_flow(lb_table_node(t), f);
	__u64 by = hash;
	__u32 word;

	d->entropy = lb_hash_entropy(hash);
	if (!service->ring_slots)
		return 0;
	if (service->flags & LB_SERVICE_HASH)
		by = lb_hash_masked(t, f, service->hash);
	d->slot = lb_hash_slot(by, service->ring_slots);
	word = lb_slot_word(t, service->ring_start + d->slot);
	if (word & LB_SLOT_TRACKED)
		return lb_track_real(t, service->ring_start + d->slot, word & LB_SLOT_REAL_MASK,
				     hash, how);
	return word;
}

/* Well formed or not, a packet for no VIP is the kernel's. */
LB_ALWAYS_INLINE enum lb_reason lb_if_vip(const struct lb_target *t, const struct lb_flow *f,
					  enum lb_reason reason, struct lb_decision *d)
{
	d->service = lb_vip_find(t, f);
	return d->service != LB_SERVICE_NONE ? reason : LB_REASON_not_vip;
}

/* A packet that doesn't fit: its sender is told where it listens. IPv6 has no less than 1280 (RFC
 * 8200 section 5), and a packet without DF asks for fragments that are not made here. */
LB_ALWAYS_INLINE enum lb_reason lb_too_big(const struct lb_target *t, const struct lb_packet *p,
					   struct lb_decision *d)
{
	if (!p->dont_fragment || d->iface->mtu <= d->grow_bytes)
		return LB_REASON_too_big;
	d->mtu = d->iface->mtu - d->grow_bytes;
	if (p->flow.family == 6 && d->mtu < LB_IP6_MTU_MIN)
		d->mtu = LB_IP6_MTU_MIN;
	if (d->ip_length <= d->mtu)
		return LB_REASON_too_big;
	if (!lb_limit_take(t, LB_LIMIT_TOO_BIG))
		return LB_REASON_too_big_limited;
	d->reply = LB_REPLY_TOO_BIG;
	return LB_REASON_too_big_answered;
}

/* What a service asks for beyond a slot. */
LB_ALWAYS_INLINE enum lb_reason lb_check_service(const struct lb_target *t,
						 const struct lb_service *service,
						 const struct lb_flow *f, __u32 how)
{
	if (service->flags & LB_SERVICE_DENY && lb_is_denied(t, f, service->deny_list))
		return LB_REASON_denied;
	if (service->flags & LB_SERVICE_LIMIT_SYN && how & LB_TRACK_NEW &&
	    !lb_limit_take(t, service->limit))
		return LB_REASON_syn_limited;
	return LB_REASON_forwarded;
}

/* A TCP or UDP packet, whole or a first fragment. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_l4(const struct lb_target *t, const void *data,
					     const void *end, struct lb_packet *p,
					     struct lb_decision *d)
{
	const struct lb_udp *l4 = lb_at(data, end, p->l4, sizeof(*l4));
	const struct lb_service *service;
	enum lb_reason reason;
	__u32 how = 0, real = 0;

	if (!l4)
		return lb_if_vip(t, &p->flow, LB_REASON_l4_truncated, d);
	p->flow.ports = lb_ports(l4);
	d->service = lb_service_find(t, &p->flow);
	service = lb_table_service(t, d->service);
	if (d->service == LB_SERVICE_NONE || !service ||
	    LB_READ_ANY(service->flags) & LB_SERVICE_ADDRESS) {
		if (d->service != LB_SERVICE_NONE && !service)
			return LB_REASON_table_error;
		d->service = LB_SERVICE_NONE;
		return p->l4_length < sizeof(*l4)
			       ? lb_if_vip(t, &p->flow, LB_REASON_l4_truncated, d)
			       : LB_REASON_not_vip;
	}
	reason = lb_check_l4(l4, end, p->l4_length, p->flow.protocol, 0,
			     p->fragment == LB_FRAGMENT_FIRST);
	if (reason == LB_REASON_forwarded)
		reason = lb_check_source(&p->flow);
	if (reason != LB_REASON_forwarded)
		return reason;
	if (p->flow.protocol == LB_IPPROTO_TCP) {
		const struct lb_tcp *tcp = (const void *)l4;

		/* uncovered: lb_check_l4() has looked, the verifier forgets it */
		if ((const void *)(tcp + 1) <= end &&
		    (tcp->flags & (LB_TCP_SYN | LB_TCP_ACK)) == LB_TCP_SYN)
			how = LB_TRACK_NEW;
	}
	reason = lb_check_service(t, service, &p->flow, how);
	if (reason != LB_REASON_forwarded)
		return reason;
	d->service_record = service;
	if (service->flags & LB_SERVICE_QUIC)
		real = lb_quic_real(t, data, end, p, service);
	if (real)
		d->entropy = lb_hash_entropy(lb_hash_flow(lb_table_node(t), &p->flow));
	else
		real = lb_pick_slot(t, service, &p->flow, how, d);
	reason = lb_take_real(t, real, data, d);
	if (reason == LB_REASON_too_big)
		return lb_too_big(t, p, d);
	if (reason == LB_REASON_forwarded && p->fragment == LB_FRAGMENT_FIRST)
		lb_fragment_remember(t, p, real);
	return reason;
}

/* A later fragment goes where its first went. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_fragment(const struct lb_target *t, const void *data,
						   struct lb_packet *p, struct lb_decision *d)
{
	enum lb_reason reason = lb_if_vip(t, &p->flow, LB_REASON_forwarded, d);
	__u32 real;

	if (reason == LB_REASON_forwarded)
		reason = lb_check_source(&p->flow);
	if (reason != LB_REASON_forwarded)
		return reason;
	/* RFC 1858 section 4.2, RFC 3128: what overlaps the TCP header is an attack. */
	if (p->flow.protocol == LB_IPPROTO_TCP && p->fragment_offset < sizeof(struct lb_tcp))
		return LB_REASON_fragment_overlap;
	real = lb_fragment_real(t, p);
	if (!real)
		return LB_REASON_fragment_early;
	d->entropy = lb_hash_entropy(lb_fragment_hash(lb_table_node(t), p));
	reason = lb_take_real(t, real, data, d);
	return reason == LB_REASON_forwarded ? LB_REASON_fragment_followed : reason;
}

/* An ICMP error, to the real that has the flow it quotes. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_error(const struct lb_target *t, const void *data,
						const void *end, const struct lb_packet *p,
						struct lb_decision *d)
{
	const struct lb_service *service;
	struct lb_packet quote = {};
	enum lb_reason reason = lb_parse_quote(data, end, p, &quote);
	__u32 id;

	if (reason != LB_REASON_forwarded)
		return reason;
	id = lb_service_find(t, &quote.flow);
	service = lb_table_service(t, id);
	if (id == LB_SERVICE_NONE || !service || LB_READ_ANY(service->flags) & LB_SERVICE_ADDRESS)
		return LB_REASON_icmp_no_flow;
	d->service = id;
	reason = lb_take_real(t, lb_pick_slot(t, service, &quote.flow, LB_TRACK_READ, d), data, d);
	return reason == LB_REASON_forwarded ? LB_REASON_icmp_error : reason;
}

/* ICMP to a VIP; to others it is the kernel's. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_icmp(const struct lb_target *t, const void *data,
					       const void *end, const struct lb_packet *p,
					       struct lb_decision *d)
{
	const struct lb_icmp *icmp = lb_at(data, end, p->l4, sizeof(*icmp));
	const struct lb_service *vip;
	enum lb_reason reason = lb_if_vip(t, &p->flow, LB_REASON_forwarded, d);

	if (reason != LB_REASON_forwarded)
		return reason;
	vip = lb_table_service(t, d->service);
	if (!vip)
		return LB_REASON_table_error;
	if (!icmp || p->l4_length < sizeof(*icmp))
		return LB_REASON_l4_truncated;
	reason = lb_check_source(&p->flow);
	if (reason != LB_REASON_forwarded)
		return reason;
	if (p->fragment)
		return LB_REASON_icmp_fragment;
	if (lb_icmp_is_echo(p->flow.family, icmp->type))
		return lb_decide_echo(t, vip, d);
	if (lb_icmp_is_error(p->flow.family, icmp->type))
		return lb_decide_error(t, data, end, p, d);
	return LB_REASON_not_tcp_udp;
}

/* A packet that is well formed up to its L4 header. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_packet(const struct lb_target *t, const void *data,
						 const void *end, struct lb_packet *p,
						 struct lb_decision *d)
{
	d->inner_family = p->flow.family;
	d->l4 = p->l4;
	if (p->fragment == LB_FRAGMENT_LATER)
		return lb_decide_fragment(t, data, p, d);
	switch (p->flow.protocol) {
	case LB_IPPROTO_TCP:
	case LB_IPPROTO_UDP:
		return lb_decide_l4(t, data, end, p, d);
	case LB_IPPROTO_IPIP:
	case LB_IPPROTO_IPV6:
		return lb_if_vip(t, &p->flow, LB_REASON_encapsulated, d);
	}
	if (p->flow.protocol == (p->flow.family == 4 ? LB_IPPROTO_ICMP : LB_IPPROTO_ICMPV6))
		return lb_decide_icmp(t, data, end, p, d);
	return LB_REASON_not_tcp_udp;
}

/* Decide a packet by every rule: what lb_parse() made of the frame, with its reason. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_parsed(const struct lb_target *t, const void *data,
						 const void *end, enum lb_reason reason,
						 struct lb_packet *p, struct lb_decision *d)
{
	d->service = LB_SERVICE_NONE;
	d->service_record = (void *)0;
	d->real = 0;
	d->slot = 0;
	d->padding = lb_frame_bytes(t) - p->l3 - d->ip_length;
	if (reason == LB_REASON_forwarded)
		reason = lb_decide_packet(t, data, end, p, d);
	else if (p->flow.family)
		reason = lb_if_vip(t, &p->flow, reason, d);
	if ((int)reason >= LB_REASON_FIRST_PASS)
		lb_count(t, reason, lb_frame_bytes(t));
	return reason;
}

/* Decide one frame by every rule; as lb_decide(), which it is but for speed. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_any(const struct lb_target *t, const void *data,
					      const void *end, struct lb_decision *d)
{
	struct lb_packet p = {};
	const enum lb_reason reason = lb_parse(t, data, end, &p, d);

	return lb_decide_parsed(t, data, end, reason, &p, d);
}

/* Decide one frame. A verdict of LB_FORWARD: *d says where to, and the target calls
 * lb_count_forwarded() once the headers are written. LB_REPLY: the target writes d->reply, counts
 * the reason with the frame's bytes and sends. When it can't, it counts why. Other reasons are
 * counted here. d->service and d->real are set as far as the packet came, else 0. */
LB_ALWAYS_INLINE enum lb_reason lb_decide(const struct lb_target *t, const void *data,
					  const void *end, struct lb_decision *d)
{
	if (LB_LIKELY(lb_decide_common(t, data, end, d))) {
		d->n_tags = d->n_tags_out = 0;
		return LB_REASON_forwarded;
	}
	return lb_decide_any(t, data, end, d);
}

/* Count a packet that is on its way, with the bytes of the inner IP packet: its real, and its
 * service or, when it isn't of the service itself, the reason. */
LB_ALWAYS_INLINE void lb_count_forwarded(const struct lb_target *t, enum lb_reason reason,
					 const struct lb_decision *d)
{
	lb_count_both(t, reason == LB_REASON_forwarded ? d->service_record->counter : (__u32)reason,
		      lb_real_counter(t, d->real), d->ip_length);
}

LB_ALWAYS_INLINE struct lb_trace lb_trace_of(enum lb_reason reason, const struct lb_decision *d)
{
	return (struct lb_trace){
		.verdict = (__u32)lb_reason_verdict(reason),
		.reason = reason,
		.service = d->service,
		.real = d->real,
		.slot = d->slot,
	};
}

#endif
