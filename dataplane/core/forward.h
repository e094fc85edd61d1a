/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_FORWARD_H
#define FAIRWAY_CORE_FORWARD_H

/*
 * The forwarding decision, from a frame to one verdict with one named reason:
 *
 *   Ethernet --> IPv4 or IPv6 --> TCP or UDP --> service --> slot --> real --> next hop
 *
 * Pure: it reads the frame and the tables, counts, and fills a struct lb_decision. The target makes
 * room (lb_decision.grow_bytes), has lb_write_headers() write, and sends.
 *
 * What is not for a VIP is left to the kernel, be it well formed or not; what is malformed and for
 * a VIP is dropped.
 */

#include "dataplane/core/encap.h"
#include "dataplane/core/lookup.h"
#include "dataplane/core/memory.h"
#include "dataplane/core/reasons.h"
#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

#define LB_REASON_PASS_BIT(verdict, name, help)                                                    \
	| ((__u64)(LB_##verdict == LB_PASS) << LB_REASON_##name)
#define LB_REASON_PASS_MASK (0ULL LB_REASONS(LB_REASON_PASS_BIT))

LB_ALWAYS_INLINE enum lb_verdict lb_reason_verdict(enum lb_reason reason)
{
	if (reason == LB_REASON_forwarded)
		return LB_FORWARD;
	return (LB_REASON_PASS_MASK >> reason) & 1 ? LB_PASS : LB_DROP;
}

/* The TCP or UDP header of a packet for a VIP: whole, and true to itself. length is what the IP
 * header leaves for it; whole says that the frame is known to hold 20 bytes of it. */
LB_ALWAYS_INLINE enum lb_reason lb_check_l4(const void *l4, const void *end, __u32 length,
					    __u8 protocol, int whole)
{
	if (LB_LIKELY(protocol == LB_IPPROTO_TCP)) {
		const struct lb_tcp *tcp = l4;
		__u32 header;

		if (length < sizeof(*tcp) || (!whole && (const void *)(tcp + 1) > end))
			return LB_REASON_l4_truncated;
		header = (tcp->data_offset >> 4) * 4;
		if (header < sizeof(*tcp) || header > length)
			return LB_REASON_tcp_header_length;
	} else {
		const struct lb_udp *udp = l4;
		__u32 udp_length;

		if (length < sizeof(*udp) || (!whole && (const void *)(udp + 1) > end))
			return LB_REASON_l4_truncated;
		udp_length = LB_HOST16(udp->length);
		if (udp_length < sizeof(*udp) || udp_length > length)
			return LB_REASON_udp_length;
	}
	return LB_REASON_forwarded;
}

/* From a service and a flow hash to a real and its next hop. d->ip_length is set. */
LB_ALWAYS_INLINE enum lb_reason lb_pick_real(const struct lb_target *t, const struct lb_node *node,
					     const struct lb_service *service, __u64 hash,
					     struct lb_decision *d)
{
	const struct lb_real *real;
	__u32 id;

	if (!service->ring_slots)
		return LB_REASON_no_real;
	d->slot = lb_hash_slot(hash, service->ring_slots);
	id = lb_slot_real(t, service->ring_start + d->slot);
	real = lb_table_real(t, id);
	if (LB_UNLIKELY(!real))
		return LB_REASON_table_error;
	d->real = id;
	d->nexthop = LB_READ_ONCE(real->nexthop);
	if (LB_UNLIKELY(!d->nexthop))
		return id ? LB_REASON_real_unresolved : LB_REASON_no_real;
	d->iface = &node->ifaces[lb_nexthop_iface(d->nexthop) % LB_IFACES_MAX];
	d->service_record = service;
	d->real_record = real;
	d->entropy = lb_hash_entropy(hash);
	d->grow_bytes = real->grow_bytes;
	if (LB_UNLIKELY(d->ip_length + d->grow_bytes > d->iface->mtu))
		return LB_REASON_too_big;
	return LB_REASON_forwarded;
}

LB_ALWAYS_INLINE __u32 lb_ports(const struct lb_udp *l4)
{
	return (__u32)l4->src << 16 | l4->dst;
}

LB_ALWAYS_INLINE enum lb_reason lb_pick_real4(const struct lb_target *t, const struct lb_node *node,
					      const struct lb_service *service,
					      const struct lb_ip4 *ip, const struct lb_udp *l4,
					      struct lb_decision *d)
{
	__u64 hash = lb_hash_flow4(node, lb_get32(ip->src), lb_get32(ip->dst), lb_ports(l4),
				   ip->protocol);

	d->ip_length = LB_HOST16(ip->total_length);
	d->inner_family = 4;
	return lb_pick_real(t, node, service, hash, d);
}

LB_ALWAYS_INLINE enum lb_reason lb_pick_real6(const struct lb_target *t, const struct lb_node *node,
					      const struct lb_service *service,
					      const struct lb_ip6 *ip, const struct lb_udp *l4,
					      struct lb_decision *d)
{
	__u64 hash = lb_hash_flow6(node, ip->src, ip->dst, lb_ports(l4), ip->next_header);

	d->ip_length = LB_HOST16(ip->payload_length) + sizeof(*ip);
	d->inner_family = 6;
	return lb_pick_real(t, node, service, hash, d);
}

/* ---- the common case: a whole TCP or UDP packet for the very port of a service ---- */

LB_ALWAYS_INLINE int lb_common_ip4(const struct lb_target *t, const struct lb_ip4 *ip,
				   const void *end, struct lb_decision *d)
{
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const struct lb_node *node = lb_table_node(t);
	__u32 length = LB_HOST16(ip->total_length) - (__u32)sizeof(*ip);
	const struct lb_service *service;

	if (ip->version_ihl != 0x45 || length > (__u64)(end - (const void *)l4) ||
	    (ip->flags_offset & LB_BE16(LB_IP4_FRAGMENT)))
		return 0;
	if (ip->protocol != LB_IPPROTO_TCP && ip->protocol != LB_IPPROTO_UDP)
		return 0;
	d->service =
		lb_vip_find4(t, node, lb_get32(ip->dst), lb_vip_word(l4->dst, ip->protocol, 4));
	if (d->service == LB_SERVICE_NONE)
		return 0;
	service = lb_table_service(t, d->service);
	if (!service)
		return 0;
	if (lb_check_l4(l4, end, length, ip->protocol, 1) != LB_REASON_forwarded)
		return 0;
	return lb_pick_real4(t, node, service, ip, l4, d) == LB_REASON_forwarded;
}

LB_ALWAYS_INLINE int lb_common_ip6(const struct lb_target *t, const struct lb_ip6 *ip,
				   const void *end, struct lb_decision *d)
{
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const struct lb_node *node = lb_table_node(t);
	__u32 length = LB_HOST16(ip->payload_length);
	const struct lb_service *service;

	if ((*(const __u8 *)ip >> 4) != 6 || length > (__u64)(end - (const void *)l4))
		return 0;
	if (ip->next_header != LB_IPPROTO_TCP && ip->next_header != LB_IPPROTO_UDP)
		return 0;
	d->service = lb_vip_find6(t, node, ip->dst, lb_vip_word(l4->dst, ip->next_header, 6));
	if (d->service == LB_SERVICE_NONE)
		return 0;
	service = lb_table_service(t, d->service);
	if (!service)
		return 0;
	if (lb_check_l4(l4, end, length, ip->next_header, 1) != LB_REASON_forwarded)
		return 0;
	return lb_pick_real6(t, node, service, ip, l4, d) == LB_REASON_forwarded;
}

/* What nearly every packet is, in few instructions: 1 says it is forwarded as *d says, exactly as
 * lb_decide_any() would have it. 0 says nothing but that lb_decide_any() must be asked; nothing was
 * counted. */
LB_ALWAYS_INLINE int lb_decide_common(const struct lb_target *t, const void *data, const void *end,
				      struct lb_decision *d)
{
	const struct lb_eth *eth = data;
	const struct lb_ip4 *ip4 = (const void *)(eth + 1);
	const struct lb_ip6 *ip6 = (const void *)(eth + 1);

	if ((const void *)(ip4 + 1) + sizeof(struct lb_tcp) > end || (eth->dst[0] & 1))
		return 0;
	if (eth->proto == LB_BE16(LB_ETH_P_IP4))
		return lb_common_ip4(t, ip4, end, d);
	if (eth->proto == LB_BE16(LB_ETH_P_IP6) &&
	    (const void *)(ip6 + 1) + sizeof(struct lb_tcp) <= end)
		return lb_common_ip6(t, ip6, end, d);
	return 0;
}

/* ---- every case ---- */

/* Well formed or not, a packet for no VIP is the kernel's. */
LB_ALWAYS_INLINE enum lb_reason lb_malformed_ip4(const struct lb_target *t,
						 const struct lb_node *node,
						 const struct lb_ip4 *ip, enum lb_reason reason,
						 struct lb_decision *d)
{
	d->service = lb_vip_find4(t, node, lb_get32(ip->dst), lb_vip_word(0, 0, 4));
	return d->service ? reason : LB_REASON_not_vip;
}

LB_ALWAYS_INLINE enum lb_reason lb_malformed_ip6(const struct lb_target *t,
						 const struct lb_node *node,
						 const struct lb_ip6 *ip, enum lb_reason reason,
						 struct lb_decision *d)
{
	d->service = lb_vip_find6(t, node, ip->dst, lb_vip_word(0, 0, 6));
	return d->service ? reason : LB_REASON_not_vip;
}

LB_ALWAYS_INLINE enum lb_reason lb_decide_ip4(const struct lb_target *t, const void *data,
					      const void *end, struct lb_decision *d)
{
	const struct lb_ip4 *ip = data + sizeof(struct lb_eth);
	const struct lb_node *node = lb_table_node(t);
	const struct lb_service *service;
	const struct lb_udp *l4;
	enum lb_reason reason;
	__u32 header, total;

	if ((const void *)(ip + 1) > end)
		return LB_REASON_ip4_truncated;
	if ((ip->version_ihl >> 4) != 4)
		return LB_REASON_ip4_version;
	header = (ip->version_ihl & 0xf) * 4;
	total = LB_HOST16(ip->total_length);
	if (header < sizeof(*ip) || header > total)
		return lb_malformed_ip4(t, node, ip, LB_REASON_ip4_header_length, d);
	if (total > (__u64)(end - (const void *)ip))
		return lb_malformed_ip4(t, node, ip, LB_REASON_ip4_total_length, d);
	if (ip->protocol != LB_IPPROTO_TCP && ip->protocol != LB_IPPROTO_UDP)
		return LB_REASON_not_tcp_udp;
	if (ip->flags_offset & LB_BE16(LB_IP4_FRAGMENT))
		return lb_malformed_ip4(t, node, ip, LB_REASON_fragment, d);
	l4 = (const void *)ip + header;
	if ((const void *)(l4 + 1) > end)
		return lb_malformed_ip4(t, node, ip, LB_REASON_l4_truncated, d);
	d->service = lb_service_find4(t, node, lb_get32(ip->dst), l4->dst, ip->protocol);
	if (d->service == LB_SERVICE_NONE)
		return total - header < sizeof(*l4)
			       ? lb_malformed_ip4(t, node, ip, LB_REASON_l4_truncated, d)
			       : LB_REASON_not_vip;
	service = lb_table_service(t, d->service);
	if (!service)
		return LB_REASON_table_error;
	reason = lb_check_l4(l4, end, total - header, ip->protocol, 0);
	if (reason != LB_REASON_forwarded)
		return reason;
	return lb_pick_real4(t, node, service, ip, l4, d);
}

LB_ALWAYS_INLINE enum lb_reason lb_decide_ip6(const struct lb_target *t, const void *data,
					      const void *end, struct lb_decision *d)
{
	const struct lb_ip6 *ip = data + sizeof(struct lb_eth);
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const struct lb_node *node = lb_table_node(t);
	const struct lb_service *service;
	enum lb_reason reason;
	__u32 length;

	if ((const void *)(ip + 1) > end)
		return LB_REASON_ip6_truncated;
	if ((*(const __u8 *)ip >> 4) != 6)
		return LB_REASON_ip6_version;
	length = LB_HOST16(ip->payload_length);
	if (length > (__u64)(end - (const void *)l4))
		return lb_malformed_ip6(t, node, ip, LB_REASON_ip6_payload_length, d);
	if (ip->next_header != LB_IPPROTO_TCP && ip->next_header != LB_IPPROTO_UDP) {
		if (ip->next_header != LB_IPPROTO_FRAGMENT)
			return LB_REASON_not_tcp_udp;
		return lb_malformed_ip6(t, node, ip, LB_REASON_fragment, d);
	}
	if ((const void *)(l4 + 1) > end)
		return lb_malformed_ip6(t, node, ip, LB_REASON_l4_truncated, d);
	d->service = lb_service_find6(t, node, ip->dst, l4->dst, ip->next_header);
	if (d->service == LB_SERVICE_NONE)
		return length < sizeof(*l4)
			       ? lb_malformed_ip6(t, node, ip, LB_REASON_l4_truncated, d)
			       : LB_REASON_not_vip;
	service = lb_table_service(t, d->service);
	if (!service)
		return LB_REASON_table_error;
	reason = lb_check_l4(l4, end, length, ip->next_header, 0);
	if (reason != LB_REASON_forwarded)
		return reason;
	return lb_pick_real6(t, node, service, ip, l4, d);
}

/* Count a packet that is on its way: its service and its real, bytes of the inner IP packet. */
LB_ALWAYS_INLINE void lb_count_forwarded(const struct lb_target *t, const struct lb_decision *d)
{
	lb_count_both(t, d->service_record->counter, lb_real_counter(t, d->real), d->ip_length);
}

/* Decide one frame by every rule; as lb_decide(), which it is but for speed. */
LB_ALWAYS_INLINE enum lb_reason lb_decide_any(const struct lb_target *t, const void *data,
					      const void *end, struct lb_decision *d)
{
	const struct lb_eth *eth = data;
	enum lb_reason reason;

	d->service = LB_SERVICE_NONE;
	d->real = 0;
	if (LB_UNLIKELY((const void *)(eth + 1) > end))
		reason = LB_REASON_eth_truncated;
	else if (LB_UNLIKELY(eth->dst[0] & 1))
		reason = LB_REASON_multicast;
	else if (eth->proto == LB_BE16(LB_ETH_P_IP4))
		reason = lb_decide_ip4(t, data, end, d);
	else if (eth->proto == LB_BE16(LB_ETH_P_IP6))
		reason = lb_decide_ip6(t, data, end, d);
	else if (eth->proto == LB_BE16(LB_ETH_P_8021Q) || eth->proto == LB_BE16(LB_ETH_P_8021AD))
		reason = LB_REASON_vlan;
	else
		reason = LB_REASON_not_ip;
	if (LB_UNLIKELY(reason != LB_REASON_forwarded))
		lb_count(t, reason, (__u32)(end - data));
	return reason;
}

/* Decide one frame. LB_REASON_forwarded: *d says where to, and the target calls
 * lb_count_forwarded() once the headers are written, or counts the reason why it couldn't. Any
 * other reason is counted here, under its name, with the frame's bytes. d->service and d->real are
 * set as far as the packet came, else 0. */
LB_ALWAYS_INLINE enum lb_reason lb_decide(const struct lb_target *t, const void *data,
					  const void *end, struct lb_decision *d)
{
	if (LB_LIKELY(lb_decide_common(t, data, end, d)))
		return LB_REASON_forwarded;
	return lb_decide_any(t, data, end, d);
}

LB_ALWAYS_INLINE struct lb_trace lb_trace_of(enum lb_reason reason, const struct lb_decision *d)
{
	return (struct lb_trace){
		.verdict = lb_reason_verdict(reason),
		.reason = reason,
		.service = d->service,
		.real = d->real,
		.slot = d->slot,
	};
}

/* Bytes at the frame's end that belong to no IP packet (Ethernet padding) and must not travel on
 * inside a tunnel; L2 DSR leaves the frame as it is. Call before growing. */
LB_ALWAYS_INLINE __u32 lb_padding_bytes(const void *data, const void *end,
					const struct lb_decision *d)
{
	__u32 used = sizeof(struct lb_eth) + d->ip_length;
	__u32 frame = (__u32)(end - data);

	return d->grow_bytes && frame > used ? frame - used : 0;
}

#endif
