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

/* What was decided for a packet, enough to write its headers once the target made room. */
struct lb_decision {
	const struct lb_service *service_record;
	const struct lb_real *real_record;
	const struct lb_iface *iface;
	__u64 nexthop;
	__u32 service;
	__u32 real;
	__u32 entropy;
	__u32 slot;      /* position in the service's ring */
	__u16 ip_length; /* inner packet, by its own header */
	__u16 inner_id;
	__u16 grow_bytes; /* 0, 20 or 40: what goes between Ethernet header and inner packet */
	__u8 inner_family;
	__u8 inner_df;
	__u8 tos;
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
	__be16 *w = (__be16 *)eth;
	const __u16 *mac = (const __u16 *)d->iface->mac;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	w[0] = (__be16)d->nexthop;
	w[1] = (__be16)(d->nexthop >> 16);
	w[2] = (__be16)(d->nexthop >> 32);
#else
	w[0] = (__be16)(d->nexthop >> 48);
	w[1] = (__be16)(d->nexthop >> 32);
	w[2] = (__be16)(d->nexthop >> 16);
#endif
	w[3] = mac[0];
	w[4] = mac[1];
	w[5] = mac[2];
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

LB_ALWAYS_INLINE void lb_write_outer4(struct lb_ip4 *ip, const struct lb_decision *d)
{
	const struct lb_real *r = d->real_record;
	__u32 total = sizeof(*ip) + d->ip_length;
	__u32 protocol = d->inner_family == 4 ? LB_IPPROTO_IPIP : LB_IPPROTO_IPV6;
	__u32 flags = d->inner_df ? LB_IP4_DF : 0;
	/* An atomic datagram needs no ID (RFC 6864); others keep the inner's, told apart by flow.
	 */
	__u32 id = d->inner_df ? 0 : (__u16)(d->inner_id ^ d->entropy);
	__be32 src = r->source[0] ^ (d->entropy & r->source_mask);
	__u32 src_host = LB_HOST32(src);

	ip->version_ihl = 0x45;
	ip->tos = d->tos;
	ip->total_length = LB_BE16(total);
	ip->id = LB_BE16(id);
	ip->flags_offset = LB_BE16(flags);
	ip->ttl = LB_OUTER_TTL;
	ip->protocol = (__u8)protocol;
	ip->checksum = LB_BE16(lb_checksum_fold(r->checksum_base + d->tos + total + id + flags +
						protocol + (src_host >> 16) + (src_host & 0xffff)));
	ip->src = src;
	ip->dst = r->addr[0];
}

LB_ALWAYS_INLINE void lb_write_outer6(struct lb_ip6 *ip, const struct lb_decision *d)
{
	const struct lb_real *r = d->real_record;

	ip->version_class_label =
		LB_BE32(0x60000000U | (__u32)d->tos << 20 | (d->entropy & 0xfffff));
	ip->payload_length = LB_BE16(d->ip_length);
	ip->next_header = d->inner_family == 4 ? LB_IPPROTO_IPIP : LB_IPPROTO_IPV6;
	ip->hop_limit = LB_OUTER_TTL;
	ip->src.word[0] = r->source[0];
	ip->src.word[1] = r->source[1];
	ip->src.word[2] = r->source[2];
	ip->src.word[3] = r->source[3] ^ (d->entropy & r->source_mask);
	ip->dst.word[0] = r->addr[0];
	ip->dst.word[1] = r->addr[1];
	ip->dst.word[2] = r->addr[2];
	ip->dst.word[3] = r->addr[3];
}

/* Write all headers of a forwarded packet. data is the frame after the target grew it by
 * grow_bytes at its head. 0, or -1 when the frame is shorter than its headers, which only the
 * verifier doesn't know to be impossible. */
LB_ALWAYS_INLINE int lb_write_headers(void *data, const void *data_end, const struct lb_decision *d)
{
	struct lb_eth *eth = data;

	if (d->grow_bytes == sizeof(struct lb_ip4)) {
		struct lb_ip4 *ip = (struct lb_ip4 *)(eth + 1);

		if ((const void *)(ip + 1) > data_end)
			return -1;
		eth->proto = LB_BE16(LB_ETH_P_IP4);
		lb_write_outer4(ip, d);
	} else if (d->grow_bytes == sizeof(struct lb_ip6)) {
		struct lb_ip6 *ip = (struct lb_ip6 *)(eth + 1);

		if ((const void *)(ip + 1) > data_end)
			return -1;
		eth->proto = LB_BE16(LB_ETH_P_IP6);
		lb_write_outer6(ip, d);
	} else if ((const void *)(eth + 1) > data_end) {
		return -1;
	}
	lb_write_eth_addresses(eth, d);
	return 0;
}

#endif
