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

/* One's complement sum of the words of an outer IPv4 header that a real fixes: version and header
 * length, TTL, protocol 0 and the destination. Kept in lb_real.checksum_base. */
LB_ALWAYS_INLINE __u32 lb_checksum_base(__be32 real_addr)
{
	__u32 dst = LB_HOST32(real_addr);

	return 0x4500 + (LB_OUTER_TTL << 8) + (dst >> 16) + (dst & 0xffff);
}

LB_ALWAYS_INLINE __u16 lb_checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
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
	__u32 id;    /* host order */
	__u32 flags; /* LB_IP4_DF or 0, host order */
	__u32 protocol;
};

LB_ALWAYS_INLINE struct lb_inner lb_read_inner(const void *inner, __u8 family)
{
	struct lb_inner in;

	if (family == 4) {
		const struct lb_ip4 *ip = inner;

		in.tos = ip->tos;
		in.flags = LB_HOST16(ip->flags_offset) & LB_IP4_DF;
		in.id = LB_HOST16(ip->id);
		in.protocol = LB_IPPROTO_IPIP;
	} else {
		in.tos = (LB_HOST16(*(const __be16 *)inner) >> 4) & 0xff;
		in.flags = LB_IP4_DF;
		in.id = 0;
		in.protocol = LB_IPPROTO_IPV6;
	}
	return in;
}

LB_ALWAYS_INLINE void lb_write_outer4(struct lb_ip4 *ip, const struct lb_inner *in,
				      const struct lb_decision *d)
{
	const struct lb_real *r = d->real_record;
	__u32 total = sizeof(*ip) + d->ip_length;
	/* An atomic datagram needs no ID (RFC 6864); others keep the inner's, told apart by flow.
	 */
	__u32 id = in->flags ? 0 : (in->id ^ d->entropy) & 0xffff;
	__be32 src = r->source[0] ^ (d->entropy & r->source_mask);
	__u32 sum = r->checksum_base + in->tos + total + id + in->flags + in->protocol;
	__u32 src_host = LB_HOST32(src);

	sum = lb_checksum_fold(sum + (src_host >> 16) + (src_host & 0xffff));
	lb_put32(ip, LB_BE32(0x45000000U | in->tos << 16 | total));
	lb_put32(&ip->id, LB_BE32(id << 16 | in->flags));
	lb_put32(&ip->ttl, LB_BE32((__u32)LB_OUTER_TTL << 24 | in->protocol << 16 | sum));
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
		in = lb_read_inner(ip + 1, d->inner_family);
		eth->proto = LB_BE16(LB_ETH_P_IP4);
		lb_write_outer4(ip, &in, d);
	} else if (d->grow_bytes == sizeof(struct lb_ip6)) {
		struct lb_ip6 *ip = (struct lb_ip6 *)(eth + 1);
		struct lb_inner in;

		if ((const void *)(ip + 1) + sizeof(struct lb_ip4) > data_end)
			return -1;
		in = lb_read_inner(ip + 1, d->inner_family);
		eth->proto = LB_BE16(LB_ETH_P_IP6);
		lb_write_outer6(ip, &in, d);
	} else if ((const void *)(eth + 1) > data_end) {
		return -1;
	}
	lb_write_eth_addresses(eth, d);
	return 0;
}

#endif
