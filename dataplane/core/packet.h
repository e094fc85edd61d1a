/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_PACKET_H
#define FAIRWAY_CORE_PACKET_H

/*
 * From a frame to what it is: VLAN tags (IEEE 802.1Q, at most two), IPv4 (RFC 791) with options and
 * fragments, IPv6 (RFC 8200) with its chain of extension headers, up to where TCP, UDP or ICMP
 * begins. Lengths are the IP header's, never the frame's. Nothing is read past the end.
 */

#include "dataplane/core/decision.h"
#include "dataplane/core/lookup.h"
#include "dataplane/core/reasons.h"
#include "dataplane/core/wire.h"

/* Extension headers that are walked; RFC 8504 section 5.3 lets a node limit them, and no honest
 * packet has more. */
#define LB_IP6_WALK_MAX 8

/* No header begins further into a frame, not even that of a packet that is quoted behind the
 * longest chain of extension headers; and no packet is longer. */
#define LB_OFFSET_MAX 0xf000U

/* What tells one flow from another. An IPv4 address stands in the first word, the rest is zero. */
struct lb_flow {
	__be32 src[4];
	__be32 dst[4];
	__u32 ports; /* lb_ports() */
	__u8 protocol;
	__u8 family; /* 4, 6; 0: the frame's destination isn't known */
	__u8 reserved[2];
};

enum lb_fragment_kind {
	LB_FRAGMENT_NONE,
	LB_FRAGMENT_FIRST,
	LB_FRAGMENT_LATER,
};

struct lb_packet {
	struct lb_flow flow;
	__u32 l3;              /* offset of the IP header in the frame */
	__u32 l4;              /* offset of what follows it and its extension headers */
	__u32 l4_length;       /* what the IP header leaves for that */
	__u32 fragment_id;     /* as on the wire */
	__u16 fragment_offset; /* in bytes */
	__u8 fragment;         /* enum lb_fragment_kind */
	__u8 dont_fragment;    /* IPv4 with DF, or IPv6 */
};

LB_ALWAYS_INLINE __u32 lb_ports(const struct lb_udp *l4)
{
	return (__u32)l4->src << 16 | l4->dst;
}

/* `bytes` at an offset of the frame, or NULL where the frame doesn't hold them. */
LB_ALWAYS_INLINE const void *lb_at(const void *data, const void *end, __u32 offset, __u32 bytes)
{
	const void *p;

	if (offset > LB_OFFSET_MAX)
		return (const void *)0;
	p = data + offset;
	return p + bytes > end ? (const void *)0 : p;
}

LB_ALWAYS_INLINE int lb_is_tag(__be16 proto)
{
	return proto == LB_BE16(LB_ETH_P_8021Q) || proto == LB_BE16(LB_ETH_P_8021AD);
}

/* The frame's tags into *d, its EtherType into *ret_proto. */
LB_ALWAYS_INLINE enum lb_reason lb_parse_tags(const void *data, const void *end,
					      struct lb_decision *d, __be16 *ret_proto)
{
	const struct lb_eth *eth = data;
	__be16 proto = eth->proto;

	d->n_tags = 0;
	if (lb_is_tag(proto)) {
		if (data + sizeof(*eth) + 4 > end)
			return LB_REASON_eth_truncated;
		d->tags[0] = lb_get32(data + 12);
		d->n_tags = 1;
		proto = *(const __be16 *)(data + 16);
		if (lb_is_tag(proto)) {
			if (data + sizeof(*eth) + 8 > end)
				return LB_REASON_eth_truncated;
			d->tags[1] = lb_get32(data + 16);
			d->n_tags = 2;
			proto = *(const __be16 *)(data + 20);
			if (lb_is_tag(proto))
				return LB_REASON_vlan_depth;
		}
	}
	*ret_proto = proto;
	return LB_REASON_forwarded;
}

/* Does the frame hold `bytes` from an offset on? Its end may lie in buffers that this program
 * doesn't see, so the target is asked when need be. */
LB_ALWAYS_INLINE int lb_frame_holds(const struct lb_target *t, const void *data, const void *end,
				    __u32 offset, __u32 bytes)
{
	return offset + bytes <= (__u64)(end - data) || offset + bytes <= lb_frame_bytes(t);
}

LB_ALWAYS_INLINE void lb_parse_fragment4(const struct lb_ip4 *ip, struct lb_packet *p)
{
	const __u32 word = LB_HOST16(ip->flags_offset);

	p->dont_fragment = !!(word & LB_IP4_DF);
	p->fragment = LB_FRAGMENT_NONE;
	if (!(word & LB_IP4_FRAGMENT))
		return;
	p->fragment = word & LB_IP4_OFFSET ? LB_FRAGMENT_LATER : LB_FRAGMENT_FIRST;
	p->fragment_offset = (__u16)((word & LB_IP4_OFFSET) * 8);
	p->fragment_id = ip->id;
}

LB_ALWAYS_INLINE enum lb_reason lb_parse_ip4(const struct lb_target *t, const void *data,
					     const void *end, struct lb_packet *p,
					     struct lb_decision *d)
{
	const struct lb_ip4 *ip = lb_at(data, end, p->l3, sizeof(*ip));
	__u32 header, total;

	if (!ip)
		return LB_REASON_ip4_truncated;
	if ((ip->version_ihl >> 4) != 4)
		return LB_REASON_ip4_version;
	p->flow.src[0] = lb_get32(ip->src);
	p->flow.dst[0] = lb_get32(ip->dst);
	p->flow.protocol = ip->protocol;
	p->flow.family = 4;
	header = (ip->version_ihl & 0xf) * 4;
	total = LB_HOST16(ip->total_length);
	if (header < sizeof(*ip) || header > total)
		return LB_REASON_ip4_header_length;
	if (!lb_frame_holds(t, data, end, p->l3, total))
		return LB_REASON_ip4_total_length;
	d->ip_length = total;
	p->l4 = p->l3 + header;
	p->l4_length = total - header;
	lb_parse_fragment4(ip, p);
	return LB_REASON_forwarded;
}

LB_ALWAYS_INLINE int lb_is_extension(__u8 next)
{
	switch (next) {
	case LB_IPPROTO_HOPOPTS:
	case LB_IPPROTO_ROUTING:
	case LB_IPPROTO_FRAGMENT:
	case LB_IPPROTO_AH:
	case LB_IPPROTO_DSTOPTS:
	case LB_IPPROTO_MOBILITY:
		return 1;
	}
	return 0;
}

/* Length of an extension header by its own length field. */
LB_ALWAYS_INLINE __u32 lb_extension_bytes(__u8 type, __u8 length)
{
	if (type == LB_IPPROTO_FRAGMENT)
		return sizeof(struct lb_ip6_fragment);
	return type == LB_IPPROTO_AH ? (length + 2U) * 4 : (length + 1U) * 8;
}

LB_ALWAYS_INLINE void lb_parse_fragment6(const struct lb_ip6_fragment *f, struct lb_packet *p)
{
	const __u32 word = LB_HOST16(f->offset_flags);

	/* With neither offset nor more it is a whole packet (RFC 6946). */
	if (!(word & (LB_IP6_FRAGMENT_OFFSET | LB_IP6_FRAGMENT_MORE)))
		return;
	p->fragment = word & LB_IP6_FRAGMENT_OFFSET ? LB_FRAGMENT_LATER : LB_FRAGMENT_FIRST;
	p->fragment_offset = (__u16)(word & LB_IP6_FRAGMENT_OFFSET);
	p->fragment_id = lb_get32(f->id);
}

/* One extension header more. *next, p->l4 and p->l4_length are what follows it. */
LB_ALWAYS_INLINE enum lb_reason lb_step_ip6(const void *data, const void *end, struct lb_packet *p,
					    __u8 *next)
{
	const struct lb_ip6_extension *e = lb_at(data, end, p->l4, sizeof(*e));
	__u32 bytes;

	if (!e)
		return LB_REASON_ip6_extension;
	bytes = lb_extension_bytes(*next, e->length);
	if (bytes > p->l4_length)
		return LB_REASON_ip6_extension;
	if (*next == LB_IPPROTO_ROUTING && e->segments_left)
		return LB_REASON_ip6_routing;
	if (*next == LB_IPPROTO_FRAGMENT)
		lb_parse_fragment6((const void *)e, p);
	*next = e->next_header;
	p->l4 += bytes;
	p->l4_length -= bytes;
	return LB_REASON_forwarded;
}

/* Walk the extension headers; what follows a later fragment's header is the middle of something. */
LB_SUBPROGRAM enum lb_reason lb_walk_ip6(const void *data, const void *end, struct lb_packet *p,
					 __u32 first)
{
	enum lb_reason reason = LB_REASON_forwarded;
	__u8 next = (__u8)first;

	LB_NO_UNROLL
	for (int i = 0; i < LB_IP6_WALK_MAX && reason == LB_REASON_forwarded; i++) {
		if (!lb_is_extension(next) || p->fragment == LB_FRAGMENT_LATER)
			break;
		reason = lb_step_ip6(data, end, p, &next);
	}
	p->flow.protocol = next;
	if (reason == LB_REASON_forwarded && lb_is_extension(next) &&
	    p->fragment != LB_FRAGMENT_LATER)
		return LB_REASON_ip6_extension_depth;
	return reason;
}

LB_ALWAYS_INLINE enum lb_reason lb_parse_ip6(const struct lb_target *t, const void *data,
					     const void *end, struct lb_packet *p,
					     struct lb_decision *d)
{
	const struct lb_ip6 *ip = lb_at(data, end, p->l3, sizeof(*ip));

	if (!ip)
		return LB_REASON_ip6_truncated;
	if ((*(const __u8 *)ip >> 4) != 6)
		return LB_REASON_ip6_version;
	for (int i = 0; i < 4; i++) {
		p->flow.src[i] = lb_get32(&ip->src[2 * i]);
		p->flow.dst[i] = lb_get32(&ip->dst[2 * i]);
	}
	p->flow.family = 6;
	p->fragment = LB_FRAGMENT_NONE;
	p->dont_fragment = 1;
	p->l4 = p->l3 + (__u32)sizeof(*ip);
	p->l4_length = LB_HOST16(ip->payload_length);
	d->ip_length = p->l4_length + (__u32)sizeof(*ip);
	if (!lb_frame_holds(t, data, end, p->l4, p->l4_length))
		return LB_REASON_ip6_payload_length;
	return lb_walk_ip6(data, end, p, ip->next_header);
}

/* Everything up to the L4 header. p->flow.family says whether the destination is known, whatever
 * the reason; LB_REASON_forwarded that the packet is well formed so far. *p is zeroed. */
LB_ALWAYS_INLINE enum lb_reason lb_parse(const struct lb_target *t, const void *data,
					 const void *end, struct lb_packet *p,
					 struct lb_decision *d)
{
	const struct lb_eth *eth = data;
	enum lb_reason reason;
	__be16 proto;

	if (LB_UNLIKELY((const void *)(eth + 1) > end))
		return LB_REASON_eth_truncated;
	if (LB_UNLIKELY(eth->dst[0] & 1))
		return LB_REASON_multicast;
	reason = lb_parse_tags(data, end, d, &proto);
	if (reason != LB_REASON_forwarded)
		return reason;
	p->l3 = lb_l2_bytes(d->n_tags);
	if (proto == LB_BE16(LB_ETH_P_IP4))
		return lb_parse_ip4(t, data, end, p, d);
	if (proto == LB_BE16(LB_ETH_P_IP6))
		return lb_parse_ip6(t, data, end, p, d);
	return LB_REASON_not_ip;
}

#endif
