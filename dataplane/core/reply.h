/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_REPLY_H
#define FAIRWAY_CORE_REPLY_H

/*
 * What the balancer sends by itself, from the VIP's address, out of where the packet came in: the
 * answer to ping, and the error that says how large a packet may be (RFC 1191, RFC 8201).
 */

#include "dataplane/core/encap.h"
#include "dataplane/core/icmp.h"

/* How much of a packet an error quotes: IPv4 up to 576 bytes in all (RFC 1812 section 4.3.2.3),
 * IPv6 up to 1280 (RFC 4443 section 2.4), in whole words. */
#define LB_QUOTE4_MAX 548U
#define LB_QUOTE6_MAX 1232U

#define LB_TOO_BIG4_GROW ((__u32)(sizeof(struct lb_ip4) + sizeof(struct lb_icmp)))
#define LB_TOO_BIG6_GROW ((__u32)(sizeof(struct lb_ip6) + sizeof(struct lb_icmp)))

LB_ALWAYS_INLINE __u32 lb_too_big_grow(const struct lb_decision *d)
{
	return d->inner_family == 4 ? LB_TOO_BIG4_GROW : LB_TOO_BIG6_GROW;
}

/* Bytes of the frame that stay when its packet is quoted, before it grows by lb_too_big_grow(). */
LB_ALWAYS_INLINE __u32 lb_quoted_frame_bytes(const struct lb_decision *d)
{
	const __u32 most = d->inner_family == 4 ? LB_QUOTE4_MAX : LB_QUOTE6_MAX;

	return lb_l2_bytes(d->n_tags) + ((d->ip_length < most ? d->ip_length : most) & ~3U);
}

/* The frame's MAC addresses, changed over. */
LB_ALWAYS_INLINE void lb_write_macs_back(void *to, const void *from)
{
	const __u32 dst_head = lb_get32(from), src_tail = lb_get32(from + 8);
	const __be16 dst_tail = *(const __be16 *)(from + 4), src_head = *(const __be16 *)(from + 6);

	*(__be16 *)to = src_head;
	lb_put32(to + 2, src_tail);
	lb_put32(to + 6, dst_head);
	*(__be16 *)(to + 10) = dst_tail;
}

/* RFC 1624, equation 3: the checksum when one 16-bit word becomes another. */
LB_ALWAYS_INLINE __u16 lb_checksum_change(__u16 checksum, __u16 from, __u16 to)
{
	return lb_checksum_fold((__u64)(__u16)~checksum + (__u16)~from + to);
}

/* The addresses of an IP header, `words` of 32 bits each, changed over. */
LB_ALWAYS_INLINE void lb_swap_addresses(__be16 *src, __be16 *dst, int words)
{
	for (int i = 0; i < words; i++) {
		const __u32 word = lb_get32(&src[2 * i]);

		lb_put32(&src[2 * i], lb_get32(&dst[2 * i]));
		lb_put32(&dst[2 * i], word);
	}
}

LB_ALWAYS_INLINE void lb_turn_ip4(struct lb_ip4 *ip)
{
	const __be16 before = *(const __be16 *)&ip->ttl;

	ip->ttl = LB_OUTER_TTL;
	ip->checksum = lb_checksum_change(ip->checksum, before, *(const __be16 *)&ip->ttl);
	lb_swap_addresses(ip->src, ip->dst, 1);
}

LB_ALWAYS_INLINE void lb_turn_ip6(struct lb_ip6 *ip)
{
	ip->hop_limit = LB_OUTER_TTL;
	lb_swap_addresses(ip->src, ip->dst, 4);
}

/* Turn an echo request into its reply. 0, or -1 as lb_write_headers(). */
LB_ALWAYS_INLINE int lb_write_echo(void *data, const void *end, const struct lb_decision *d)
{
	const __u32 l3 = lb_l2_bytes(d->n_tags);
	struct lb_icmp *icmp;
	__be16 before;

	if (data + lb_l2_bytes(LB_TAGS_MAX) > end || data + l3 + sizeof(struct lb_ip4) > end)
		return -1;
	lb_write_macs_back(data, data);
	if (d->inner_family == 4)
		lb_turn_ip4(data + l3);
	else if (data + l3 + sizeof(struct lb_ip6) > end)
		return -1;
	else
		lb_turn_ip6(data + l3);
	icmp = (struct lb_icmp *)lb_at(data, end, d->l4, sizeof(*icmp));
	if (!icmp)
		return -1;
	before = *(const __be16 *)icmp;
	icmp->type = d->inner_family == 4 ? LB_ICMP4_ECHO_REPLY : LB_ICMP6_ECHO_REPLY;
	icmp->checksum = lb_checksum_change(icmp->checksum, before, *(const __be16 *)icmp);
	return 0;
}

/* Sum of the words from `from` to the end, at most `most` bytes. */
LB_ALWAYS_INLINE __u64 lb_sum_words(const void *from, const void *end, __u32 most)
{
	__u64 sum = 0;

	LB_NO_UNROLL
	for (__u32 i = 0; i < most; i += 4) {
		if (from + i + 4 > end)
			break;
		sum += lb_get32(from + i);
	}
	return sum;
}

/* The packet that is quoted begins behind the headers that are written here. */
LB_ALWAYS_INLINE int lb_write_too_big4(void *at, const void *end, const struct lb_decision *d,
				       __u32 quoted)
{
	struct lb_ip4 *ip = at;
	struct lb_icmp *icmp = (void *)(ip + 1);
	const struct lb_ip4 *from = (const void *)(icmp + 1);
	const __u32 first = LB_BE32(0x45c00000U | (LB_TOO_BIG4_GROW + quoted));
	const __u32 id_flags = LB_BE32(LB_IP4_DF);
	const __u32 third = LB_BE32((__u32)LB_OUTER_TTL << 24 | LB_IPPROTO_ICMP << 16);
	const __u32 type = LB_BE32((__u32)LB_ICMP4_UNREACHABLE << 24 | LB_ICMP4_FRAG_NEEDED << 16);
	__u32 src, dst;

	if ((const void *)(from + 1) > end)
		return -1;
	src = lb_get32(from->dst);
	dst = lb_get32(from->src);
	lb_put32(ip, first);
	lb_put32(&ip->id, id_flags);
	lb_put32(&ip->ttl, third);
	ip->checksum = lb_checksum_fold((__u64)first + id_flags + third + src + dst);
	lb_put32(ip->src, src);
	lb_put32(ip->dst, dst);
	lb_put32(icmp, type);
	lb_put32(icmp->rest, LB_BE32(d->mtu));
	icmp->checksum =
		lb_checksum_fold(lb_sum_words(from, end, LB_QUOTE4_MAX) + type + LB_BE32(d->mtu));
	return 0;
}

LB_ALWAYS_INLINE int lb_write_too_big6(void *at, const void *end, const struct lb_decision *d,
				       __u32 quoted)
{
	struct lb_ip6 *ip = at;
	struct lb_icmp *icmp = (void *)(ip + 1);
	const struct lb_ip6 *from = (const void *)(icmp + 1);
	const __u32 length = (__u32)sizeof(*icmp) + quoted;
	const __u32 type = LB_BE32((__u32)LB_ICMP6_TOO_BIG << 24);
	__u64 sum = type + LB_BE32(d->mtu);

	if ((const void *)(from + 1) > end)
		return -1;
	lb_put32(ip, LB_BE32(0x60000000U));
	lb_put32(&ip->payload_length,
		 LB_BE32(length << 16 | LB_IPPROTO_ICMPV6 << 8 | LB_OUTER_TTL));
	for (int i = 0; i < 4; i++) {
		const __u32 src = lb_get32(&from->dst[2 * i]), dst = lb_get32(&from->src[2 * i]);

		lb_put32(&ip->src[2 * i], src);
		lb_put32(&ip->dst[2 * i], dst);
		sum += (__u64)src + dst;
	}
	lb_put32(icmp, type);
	lb_put32(icmp->rest, LB_BE32(d->mtu));
	/* The pseudo-header, RFC 8200 section 8.1. */
	sum += (__u64)LB_BE32(length) + LB_BE32(LB_IPPROTO_ICMPV6);
	icmp->checksum = lb_checksum_fold(sum + lb_sum_words(from, end, LB_QUOTE6_MAX));
	return 0;
}

/* Write the error in front of the packet that it quotes. data is the frame after the target cut it
 * to lb_quoted_frame_bytes() and grew it at its head. 0, or -1 as lb_write_headers(). */
LB_ALWAYS_INLINE int lb_write_too_big(void *data, const void *end, const struct lb_decision *d)
{
	const __u32 l2 = lb_l2_bytes(d->n_tags), grow = lb_too_big_grow(d);
	const __u32 quoted = lb_quoted_frame_bytes(d) - l2;
	void *at;

	if (data + lb_l2_bytes(LB_TAGS_MAX) > end || data + grow + sizeof(struct lb_eth) > end)
		return -1;
	lb_write_macs_back(data, data + grow);
	lb_write_tags(data, d, d->n_tags,
		      d->inner_family == 4 ? LB_BE16(LB_ETH_P_IP4) : LB_BE16(LB_ETH_P_IP6));
	at = data + l2;
	LB_KEEP(at);
	return d->inner_family == 4 ? lb_write_too_big4(at, end, d, quoted)
				    : lb_write_too_big6(at, end, d, quoted);
}

#endif
