/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_ENCAP_H
#define FAIRWAY_CORE_ENCAP_H

/*
 * Writing the headers of a packet that is forwarded: IP in IP (RFC 2003, RFC 2473, RFC 4213) in
 * all four combinations of families, and L2 direct server return. The inner packet is not touched.
 * Outer TTL or hop limit 64, DSCP and ECN copied (RFC 6040 section 4.1, normal mode), DF as the
 * inner's and set for inner IPv6, flow entropy in the source address's free bits and in the IPv6
 * flow label (RFC 6438).
 */

#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

#define LB_OUTER_TTL 64

/* What was decided for a packet, enough to write its headers once the target made room. What can be
 * read from the packet again is not kept: registers are scarce. */
struct lb_decision {
	const struct lb_service *service_record;
	const struct lb_real *real_record;
	const struct lb_iface *iface;
	__u64 nexthop;
	__u32 service;
	__u32 real;
	__u32 slot; /* position in the service's ring */
	__u32 entropy;
	__u32 ip_length;  /* inner packet, by its own header */
	__u32 grow_bytes; /* 0, 20 or 40: what goes between Ethernet header and inner packet */
	__u8 inner_family;
};

/* One's complement sum of what a real fixes in the checksum of an outer IPv4 header, in memory
 * order: the destination. Kept in lb_real.checksum_base. */
LB_ALWAYS_INLINE __u32 lb_checksum_base(__be32 real_addr)
{
	return (real_addr >> 16) + (real_addr & 0xffff);
}

/* The checksum of a sum of 16-bit or 32-bit words, at most 2^31 of the latter. */
LB_ALWAYS_INLINE __u16 lb_checksum_fold(__u64 sum)
{
	__u32 half;

	sum = (sum & 0xffffffff) + (sum >> 32);
	half = (__u32)(sum & 0xffff) + (__u32)(sum >> 16);
	half = (half & 0xffff) + (half >> 16);
	half = (half & 0xffff) + (half >> 16);
	return (__u16)~half;
}

LB_ALWAYS_INLINE void lb_write_eth_addresses(struct lb_eth *eth, const struct lb_decision *d)
{
	const __u64 mac = lb_get64(d->iface->mac);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	lb_put64(eth, (d->nexthop & 0xffffffffffffULL) | mac << 48);
	lb_put32(&eth->src[2], (__u32)(mac >> 16));
#else
	lb_put64(eth, (d->nexthop & ~0xffffULL) | mac >> 48);
	lb_put32(&eth->src[2], (__u32)(mac >> 16));
#endif
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

/* What an outer header takes over from the inner one. */
struct lb_inner {
	__u32 tos;
	__u32 protocol; /* what the outer header says it carries */
	__u32 id_flags; /* second word of an outer IPv4 header, as it stands in memory */
};

LB_ALWAYS_INLINE struct lb_inner lb_read_inner(const void *inner, __u8 family, __u32 entropy)
{
	const __u32 df = LB_BE32(LB_IP4_DF);
	struct lb_inner in;

	if (family == 4) {
		const struct lb_ip4 *ip = inner;

		in.tos = ip->tos;
		in.protocol = LB_IPPROTO_IPIP;
		/* An atomic datagram needs no ID (RFC 6864); others keep the inner's, told apart by
		 * flow. */
		in.id_flags = df;
		if (!(ip->flags_offset & LB_BE16(LB_IP4_DF)))
			in.id_flags = LB_BE32((LB_HOST16(ip->id) ^ (entropy & 0xffff)) << 16);
	} else {
		in.tos = (LB_HOST16(*(const __be16 *)inner) >> 4) & 0xff;
		in.protocol = LB_IPPROTO_IPV6;
		in.id_flags = df;
	}
	return in;
}

/* The checksum is summed in the words' memory order, two words at a time (RFC 1071 section 2). */
LB_ALWAYS_INLINE void lb_write_outer4(struct lb_ip4 *ip, const struct lb_inner *in,
				      const struct lb_decision *d)
{
	const struct lb_real *r = d->real_record;
	const __u32 first =
		LB_BE32(0x45000000U | in->tos << 16 | (__u32)(sizeof(*ip) + d->ip_length));
	const __u32 third = LB_BE32((__u32)LB_OUTER_TTL << 24 | in->protocol << 16);
	const __be32 src = r->source[0] ^ (d->entropy & r->source_mask);
	const __u64 sum = (__u64)r->checksum_base + first + in->id_flags + third + src;

	lb_put32(ip, first);
	lb_put32(&ip->id, in->id_flags);
	lb_put32(&ip->ttl, third);
	ip->checksum = lb_checksum_fold(sum);
	lb_put32(ip->src, src);
	lb_put32(ip->dst, r->addr[0]);
}

LB_ALWAYS_INLINE void lb_write_outer6(struct lb_ip6 *ip, const struct lb_inner *in,
				      const struct lb_decision *d)
{
	const struct lb_real *r = d->real_record;

	lb_put32(ip, LB_BE32(0x60000000U | in->tos << 20 | (d->entropy & 0xfffff)));
	lb_put32(&ip->payload_length,
		 LB_BE32(d->ip_length << 16 | in->protocol << 8 | LB_OUTER_TTL));
	lb_put64(ip->src, lb_get64(r->source));
	lb_put32(&ip->src[4], r->source[2]);
	lb_put32(&ip->src[6], r->source[3] ^ (d->entropy & r->source_mask));
	lb_put64(ip->dst, lb_get64(r->addr));
	lb_put64(&ip->dst[4], lb_get64(&r->addr[2]));
}

/* Write all headers of a forwarded packet. data is the frame after the target grew it by
 * grow_bytes at its head. 0, or -1 when the frame is shorter than its headers, which only the
 * verifier doesn't know to be impossible. */
LB_ALWAYS_INLINE int lb_write_headers(void *data, const void *data_end, const struct lb_decision *d)
{
	struct lb_eth *eth = data;

	if (d->grow_bytes == sizeof(struct lb_ip4)) {
		struct lb_ip4 *ip = (struct lb_ip4 *)(eth + 1);
		struct lb_inner in;

		if ((const void *)(ip + 2) > data_end)
			return -1;
		in = lb_read_inner(ip + 1, d->inner_family, d->entropy);
		eth->proto = LB_BE16(LB_ETH_P_IP4);
		lb_write_outer4(ip, &in, d);
	} else if (d->grow_bytes == sizeof(struct lb_ip6)) {
		struct lb_ip6 *ip = (struct lb_ip6 *)(eth + 1);
		struct lb_inner in;

		if ((const void *)(ip + 1) + sizeof(struct lb_ip4) > data_end)
			return -1;
		in = lb_read_inner(ip + 1, d->inner_family, d->entropy);
		eth->proto = LB_BE16(LB_ETH_P_IP6);
		lb_write_outer6(ip, &in, d);
	} else if ((const void *)(eth + 1) > data_end) {
		return -1;
	}
	lb_write_eth_addresses(eth, d);
	return 0;
}

#endif
