/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_ENCAP_H
#define FAIRWAY_CORE_ENCAP_H

/*
 * Writing the headers of a packet that is forwarded: IP in IP (RFC 2003, RFC 2473, RFC 4213) or IP
 * directly in UDP (variant 1 of draft-ietf-intarea-gue) in all four combinations of families, and
 * L2 direct server return. The inner packet is not touched.
 * Outer TTL or hop limit 64, DSCP and ECN copied (RFC 6040 section 4.1, normal mode), DF as the
 * inner's and set for inner IPv6, flow entropy in the source address's free bits, in the IPv6 flow
 * label (RFC 6438) and in the UDP source port, whose checksum is zero (RFC 6935, RFC 6936).
 */

#include "dataplane/core/decision.h"
#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

#define LB_OUTER_TTL 64

/* lb_real.grow_bytes of each kind of tunnel; L2 DSR has 0. */
#define LB_GROW_IP4  20U
#define LB_GROW_GUE4 28U
#define LB_GROW_IP6  40U
#define LB_GROW_GUE6 48U

/* One's complement sum of what a real fixes in the checksum of an outer IPv4 header, in memory
 * order: the destination. Kept in lb_real.checksum_base. */
LB_ALWAYS_INLINE __u32 lb_checksum_base(__be32 real_addr)
{
	return (real_addr >> 16) + (real_addr & 0xffff);
}

/* The checksum of a sum of at most 2^15 words of 16 or 32 bits. */
LB_ALWAYS_INLINE __u16 lb_checksum_fold(__u64 sum)
{
	__u64 half;

	/* Below 2^32 + 2^15, so the halves' sum carries once at most. */
	sum = (__u32)sum + (sum >> 32);
	half = (sum & 0xffff) + (sum >> 16);
	half += half >> 16;
	return (__u16)~half;
}

/* The same for a sum below 2^48, in one multiplication: the product's top 16 bits are the sum of
 * the sum's three 16-bit words and of what the product's lower bits carry, which is what that sum
 * carries itself. */
LB_ALWAYS_INLINE __u16 lb_checksum_fold48(__u64 sum)
{
	return (__u16) ~((sum * 0x0001000100010001ULL) >> 48);
}

/* The next hop's word begins with the address as it stands in the frame; what follows in it is
 * overwritten by the source. */
LB_ALWAYS_INLINE void lb_write_eth_addresses(struct lb_eth *eth, const struct lb_decision *d)
{
	lb_put64(eth, d->nexthop);
	*(__be16 *)eth->src = *(const __be16 *)d->iface->mac;
	lb_put32(&eth->src[2], lb_get32(&d->iface->mac[2]));
}

/* The index of lb_iface within lb_real.nexthop. */
LB_ALWAYS_INLINE __u32 lb_nexthop_iface(__u64 nexthop)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u32)(nexthop >> 48);
#else
	return (__u32)(nexthop & 0xffff);
#endif
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LB_NEXTHOP_MAC 0xffffffffffffULL
#else
#define LB_NEXTHOP_MAC 0xffffffffffff0000ULL
#endif

/* A MAC address as lb_real.nexthop has it, interface 0. */
LB_ALWAYS_INLINE __u64 lb_nexthop_mac(const __u8 mac[6])
{
	const __u64 head = lb_get32(mac), tail = *(const __u16 *)(mac + 4);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return head | tail << 32;
#else
	return head << 32 | tail << 16;
#endif
}

/* What an outer header takes over from the inner one. */
struct lb_inner {
	__u32 tos;
	__u32 protocol; /* of the inner packet, where the outer header says what it carries */
	__u32 id_flags; /* second word of an outer IPv4 header, as it stands in memory */
};

/* An atomic datagram needs no ID (RFC 6864); others keep the inner's, told apart by flow. */
LB_ALWAYS_INLINE __u32 lb_outer_id4(__be16 inner_id, __be16 inner_flags_offset, __u32 entropy)
{
	return inner_flags_offset & LB_BE16(LB_IP4_DF)
		       ? LB_BE32(LB_IP4_DF)
		       : LB_BE32((LB_HOST16(inner_id) ^ (entropy & 0xffff)) << 16);
}

LB_ALWAYS_INLINE struct lb_inner lb_read_inner(const void *inner, __u8 family, __u32 entropy)
{
	struct lb_inner in;

	if (family == 4) {
		const struct lb_ip4 *ip = inner;

		in.tos = ip->tos;
		in.protocol = LB_IPPROTO_IPIP;
		in.id_flags = lb_outer_id4(ip->id, ip->flags_offset, entropy);
	} else {
		in.tos = (LB_HOST16(*(const __be16 *)inner) >> 4) & 0xff;
		in.protocol = LB_IPPROTO_IPV6;
		in.id_flags = LB_BE32(LB_IP4_DF);
	}
	return in;
}

/* GUE's UDP header. Source ports from 49152 on, RFC 6335 section 6. */
LB_ALWAYS_INLINE void lb_write_gue(struct lb_udp *udp, const struct lb_decision *d)
{
	const __u32 source = 0xc000 | (d->entropy & 0x3fff);

	udp->src = LB_BE16(source);
	udp->dst = d->real_record->gue_port;
	lb_put32(&udp->length, LB_BE32((sizeof(*udp) + d->ip_length) << 16));
}

/* An outer IPv4 header but for the destination: its words as they stand in memory. */
struct lb_outer4 {
	__u32 first; /* version, TOS, length */
	__u32 id_flags;
	__u32 ttl; /* and protocol, no checksum */
	__be32 src;
	__u16 checksum;
};

/* length: all that the header says follows its start. base: lb_real.checksum_base. The checksum is
 * summed in the words' memory order, two words at a time (RFC 1071 section 2). */
LB_ALWAYS_INLINE struct lb_outer4 lb_outer4(__u32 tos, __u32 length, __u32 id_flags, __u32 protocol,
					    __be32 src, __u32 base)
{
	struct lb_outer4 o = {
		.first = LB_BE32(0x45000000U | tos << 16 | length),
		.id_flags = id_flags,
		.ttl = LB_BE32((__u32)LB_OUTER_TTL << 24 | protocol << 16),
		.src = src,
	};

	o.checksum = lb_checksum_fold48((__u64)base + o.first + o.id_flags + o.ttl + o.src);
	return o;
}

/* udp: bytes of a UDP header between this one and the inner packet. */
LB_ALWAYS_INLINE void lb_write_outer4(struct lb_ip4 *ip, const struct lb_inner *in,
				      const struct lb_decision *d, __u32 udp)
{
	const struct lb_real *r = d->real_record;
	const struct lb_outer4 o =
		lb_outer4(in->tos, (__u32)sizeof(*ip) + udp + d->ip_length, in->id_flags,
			  udp ? LB_IPPROTO_UDP : in->protocol,
			  r->source[0] ^ (d->entropy & r->source_mask), r->checksum_base);

	lb_put32(ip, o.first);
	lb_put32(&ip->id, o.id_flags);
	lb_put32(&ip->ttl, o.ttl);
	ip->checksum = o.checksum;
	lb_put32(ip->src, o.src);
	lb_put32(ip->dst, r->addr[0]);
}

LB_ALWAYS_INLINE void lb_write_outer6(struct lb_ip6 *ip, const struct lb_inner *in,
				      const struct lb_decision *d, __u32 udp)
{
	const struct lb_real *r = d->real_record;
	const __u32 protocol = udp ? LB_IPPROTO_UDP : in->protocol;

	lb_put32(ip, LB_BE32(0x60000000U | in->tos << 20 | (d->entropy & 0xfffff)));
	lb_put32(&ip->payload_length,
		 LB_BE32((udp + d->ip_length) << 16 | protocol << 8 | LB_OUTER_TTL));
	lb_put64(ip->src, lb_get64(r->source));
	lb_put32(&ip->src[4], r->source[2]);
	lb_put32(&ip->src[6], r->source[3] ^ (d->entropy & r->source_mask));
	lb_put64(ip->dst, lb_get64(r->addr));
	lb_put64(&ip->dst[4], lb_get64(&r->addr[2]));
}

LB_ALWAYS_INLINE int lb_write_tunnel4(void *at, const void *end, const struct lb_decision *d,
				      __u32 udp)
{
	struct lb_ip4 *ip = at;
	void *inner = at + sizeof(*ip) + udp;
	struct lb_inner in;

	if (inner + sizeof(struct lb_ip4) > end)
		return -1;
	in = lb_read_inner(inner, d->inner_family, d->entropy);
	lb_write_outer4(ip, &in, d, udp);
	if (udp)
		lb_write_gue((struct lb_udp *)(ip + 1), d);
	return 0;
}

LB_ALWAYS_INLINE int lb_write_tunnel6(void *at, const void *end, const struct lb_decision *d,
				      __u32 udp)
{
	struct lb_ip6 *ip = at;
	void *inner = at + sizeof(*ip) + udp;
	struct lb_inner in;

	if (inner + sizeof(struct lb_ip4) > end)
		return -1;
	in = lb_read_inner(inner, d->inner_family, d->entropy);
	lb_write_outer6(ip, &in, d, udp);
	if (udp)
		lb_write_gue((struct lb_udp *)(ip + 1), d);
	return 0;
}

/* VLAN tags and EtherType behind the MAC addresses. The frame is known to hold them. */
LB_ALWAYS_INLINE void lb_write_tags(void *data, const struct lb_decision *d, __u32 n, __be16 proto)
{
	if (n == 0) {
		*(__be16 *)(data + 12) = proto;
		return;
	}
	lb_put32(data + 12, d->tags[0]);
	if (n == 1) {
		*(__be16 *)(data + 16) = proto;
		return;
	}
	lb_put32(data + 16, d->tags[1]);
	*(__be16 *)(data + 20) = proto;
}

/* Write all headers of a forwarded packet. data is the frame after the target grew it by
 * grow_bytes (that of *d, which a target may know as a constant) and by what tags more it leaves
 * with, at its head; n_tags is how many those are. 0, or -1 when the frame is shorter than its
 * headers, which only the verifier doesn't know to be impossible. */
LB_ALWAYS_INLINE int lb_write_headers(void *data, const void *end, const struct lb_decision *d,
				      __u32 grow_bytes, __u32 n_tags)
{
	const __u32 l2 = lb_l2_bytes(n_tags);
	void *at = data + l2;
	__be16 proto = d->inner_family == 4 ? LB_BE16(LB_ETH_P_IP4) : LB_BE16(LB_ETH_P_IP6);
	int rc = 0;

	/* The verifier wants a constant where the number of tags isn't one. */
	if (!__builtin_constant_p(n_tags)) { /* uncovered: a constant in the XDP program only */
		LB_KEEP(at);
		if (data + lb_l2_bytes(LB_TAGS_MAX) > end)
			return -1;
	}
	switch (grow_bytes) {
	case LB_GROW_IP4:
	case LB_GROW_GUE4:
		proto = LB_BE16(LB_ETH_P_IP4);
		rc = lb_write_tunnel4(at, end, d, grow_bytes - LB_GROW_IP4);
		break;
	case LB_GROW_IP6:
	case LB_GROW_GUE6:
		proto = LB_BE16(LB_ETH_P_IP6);
		rc = lb_write_tunnel6(at, end, d, grow_bytes - LB_GROW_IP6);
		break;
	default:
		rc = at > end ? -1 : 0; /* uncovered: was asked above where no constant */
	}
	if (rc)
		return rc;
	lb_write_eth_addresses(data, d);
	lb_write_tags(data, d, n_tags, proto);
	return 0;
}

#endif
