/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_COLUMNS_H
#define FAIRWAY_CORE_COLUMNS_H

/*
 * The steps of lb_decide_common() for a burst of IPv4 packets that all go to one port of one VIP,
 * with each field of their headers side by side: the loops below have no branch and no table, so
 * compilers make vectors of them, as wide as the CPU has. The rules and the arithmetic are those
 * that every other way takes, from forward.h, hash.h and encap.h.
 *
 * Fields are taken out of words as a little-endian machine reads them.
 */

#include "dataplane/core/forward.h"

/* A burst that has fewer fills the rest with copies of its first, so that each loop has one length.
 */
#define LB_COLUMNS 32U

/* A frame's first bytes that lb_columns_load() reads: Ethernet, IPv4, and 20 behind it. */
#define LB_COLUMNS_BYTES                                                                           \
	((__u32)(sizeof(struct lb_eth) + sizeof(struct lb_ip4) + sizeof(struct lb_tcp)))

struct lb_columns {
	/* As they stand in the frame. */
	__u64 l3[LB_COLUMNS];        /* bytes 16 to 23: total length, ID, fragment, TTL, protocol */
	__u64 addresses[LB_COLUMNS]; /* 26 to 33: source, destination */
	__u64 l4[LB_COLUMNS];        /* 34 to 41: ports, then what of UDP is its length */
	__u32 l2[LB_COLUMNS];        /* 12 to 15: EtherType, version and header length, TOS */
	/* Bytes of the frame, or of its first part, << 16; byte 46, what of TCP is its header's
	 * length, << 8; byte 0. */
	__u32 edges[LB_COLUMNS];
	/* lb_columns_keys() */
	__u64 hash[LB_COLUMNS];
	__u32 slot[LB_COLUMNS]; /* from the start of the slots table */
	__u32 ip_length[LB_COLUMNS];
	/* lb_columns_way() */
	__u32 word[LB_COLUMNS]; /* of the slot */
	__u64 nexthop[LB_COLUMNS];
	__u64 mask_base[LB_COLUMNS]; /* lb_real.source_mask, then checksum_base */
	__be32 source[LB_COLUMNS];
	__u32 grow_bytes[LB_COLUMNS];
	/* lb_columns_outer() */
	__u64 outer[2][LB_COLUMNS]; /* an outer IPv4 header but for its destination */
	__u32 fits[LB_COLUMNS];     /* 0: not of the kind that outer is for */
} __attribute__((aligned(64)));

/* data: at least LB_COLUMNS_BYTES that may be read, whatever they are where bytes is less. */
LB_ALWAYS_INLINE void lb_columns_load(struct lb_columns *c, __u32 i, const void *data, __u16 bytes)
{
	const __u8 *frame = data;

	c->l2[i] = lb_get32(frame + 12);
	c->l3[i] = lb_get64(frame + 16);
	c->addresses[i] = lb_get64(frame + 26);
	c->l4[i] = lb_get64(frame + 34);
	c->edges[i] = (__u32)bytes << 16 | (__u32)frame[46] << 8 | frame[0];
}

LB_ALWAYS_INLINE void lb_columns_fill(struct lb_columns *c, __u32 n)
{
	for (__u32 i = n; i < LB_COLUMNS; i++) {
		c->l2[i] = c->l2[0];
		c->l3[i] = c->l3[0];
		c->addresses[i] = c->addresses[0];
		c->l4[i] = c->l4[0];
		c->edges[i] = c->edges[0];
	}
}

/* Hash and slot of each. 0: at least one isn't of the common kind or has another key than this
 * one, which is the service's; what was made of them is worth nothing. */
LB_ALWAYS_INLINE int lb_columns_keys(struct lb_columns *c, const struct lb_node *node, __be32 dst,
				     __u32 word, __u32 ring_start, __u32 ring_slots)
{
	const struct lb_node key = {
		.hash_key = {LB_READ_ANY(node->hash_key[0]), LB_READ_ANY(node->hash_key[1]),
			     LB_READ_ANY(node->hash_key[2]), LB_READ_ANY(node->hash_key[3])},
	};
	__u32 odd = 0;

	for (__u32 i = 0; i < LB_COLUMNS; i++) {
		const __be32 src = (__be32)c->addresses[i], to = (__be32)(c->addresses[i] >> 32);
		const __u8 protocol = (__u8)(c->l3[i] >> 56);
		const __u32 bytes = c->edges[i] >> 16;
		const __u32 length = LB_HOST16((__be16)c->l3[i]) - (__u32)sizeof(struct lb_ip4);
		const __u32 room = bytes - (__u32)(sizeof(struct lb_eth) + sizeof(struct lb_ip4));
		const __be16 port = (__be16)(c->l4[i] >> 16);
		const int tcp = lb_tcp_length_fits(length, (__u8)(c->edges[i] >> 8));
		const int udp = lb_udp_length_fits(length, LB_HOST16((__be16)(c->l4[i] >> 32)), 0);

		__u32 bad = bytes < LB_COLUMNS_BYTES;

		bad |= c->edges[i] & 1;
		bad |= (__be16)c->l2[i] ^ LB_BE16(LB_ETH_P_IP4);
		bad |= !lb_common_values4((__u8)(c->l2[i] >> 16), length, room,
					  (__be16)(c->l3[i] >> 32), protocol, src, to);
		bad |= protocol == LB_IPPROTO_TCP ? !tcp : !udp;
		bad |= lb_vip_word(port, protocol, LB_KEY_EXACT4) ^ word;
		bad |= to ^ dst;
		odd |= bad;
		c->hash[i] = lb_hash_flow4(&key, src, to, (__u32)c->l4[i] << 16 | port, protocol);
		c->slot[i] = ring_start + lb_hash_slot(c->hash[i], ring_slots);
		c->ip_length[i] = length + (__u32)sizeof(struct lb_ip4);
	}
	return !odd;
}

/* The word that stands in its slot, and the real of that number. */
LB_ALWAYS_INLINE void lb_columns_way(struct lb_columns *c, __u32 i, __u32 word,
				     const struct lb_real *real)
{
	c->word[i] = word;
	c->nexthop[i] = LB_READ_ONCE(real->nexthop);
	c->mask_base[i] = lb_get64(&real->source_mask);
	c->source[i] = real->source[0];
	c->grow_bytes[i] = real->grow_bytes;
}

LB_ALWAYS_INLINE void lb_columns_fill_ways(struct lb_columns *c, __u32 n)
{
	for (__u32 i = n; i < LB_COLUMNS; i++) {
		c->word[i] = c->word[0];
		c->nexthop[i] = c->nexthop[0];
		c->mask_base[i] = c->mask_base[0];
		c->source[i] = c->source[0];
		c->grow_bytes[i] = c->grow_bytes[0];
	}
}

/* Outer headers for those that go into an IPv4 tunnel and leave by this interface. 1: all do. */
LB_ALWAYS_INLINE int lb_columns_outer(struct lb_columns *c, __u32 iface, __u32 mtu)
{
	__u32 all = 1;

	for (__u32 i = 0; i < LB_COLUMNS; i++) {
		const __u32 length = c->ip_length[i] + LB_GROW_IP4;
		const __u32 entropy = lb_hash_entropy(c->hash[i]);
		const struct lb_outer4 o = lb_outer4(
			c->l2[i] >> 24, length,
			lb_outer_id4((__be16)(c->l3[i] >> 16), (__be16)(c->l3[i] >> 32), entropy),
			LB_IPPROTO_IPIP, c->source[i] ^ (entropy & (__u32)c->mask_base[i]),
			(__u32)(c->mask_base[i] >> 32));

		c->outer[0][i] = (__u64)o.id_flags << 32 | o.first;
		c->outer[1][i] = (__u64)o.src << 32 | (__u64)o.checksum << 16 | o.ttl;
		c->fits[i] = !(c->word[i] & LB_SLOT_TRACKED) & (c->grow_bytes[i] == LB_GROW_IP4) &
			     (lb_nexthop_iface(c->nexthop[i]) == iface) & (length <= mtu);
		all &= c->fits[i];
	}
	return (int)all;
}

#endif
