/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_HASH_H
#define FAIRWAY_CORE_HASH_H

/*
 * Two hashes: a keyed one of the flow, which decides the slot, and a fixed one of a VIP key, which
 * only places entries in the VIP index.
 *
 * The flow hash multiplies by odd numbers that only the fleet knows, so that who sends packets
 * can't aim them at one slot. Its upper half selects the slot, its lower half is the entropy of
 * outer headers.
 */

#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

LB_ALWAYS_INLINE __u64 lb_hash_step(__u64 h, __u64 word, __u64 multiplier)
{
	h = (h ^ word) * multiplier;
	return h ^ (h >> 32);
}

/* ports: the first four bytes of the TCP or UDP header as they stand in memory. */
LB_ALWAYS_INLINE __u64 lb_hash_flow4(const struct lb_node *node, __be32 src, __be32 dst,
				     __u32 ports, __u8 protocol)
{
	__u64 h = node->hash_key[0];

	h = lb_hash_step(h, ((__u64)src << 32) | ports, node->hash_key[2]);
	h = lb_hash_step(h, (((__u64)dst << 32) | protocol) ^ node->hash_key[1], node->hash_key[3]);
	return lb_hash_step(h, 0, node->hash_key[2]);
}

LB_ALWAYS_INLINE __u64 lb_hash_pair(__be32 first, __be32 second)
{
	return ((__u64)first << 32) | second;
}

LB_ALWAYS_INLINE __u64 lb_hash_flow6(const struct lb_node *node, const struct lb_in6 *src,
				     const struct lb_in6 *dst, __u32 ports, __u8 protocol)
{
	__u64 h = node->hash_key[0];

	h = lb_hash_step(h, lb_hash_pair(src->word[0], src->word[1]), node->hash_key[2]);
	h = lb_hash_step(h, lb_hash_pair(src->word[2], src->word[3]), node->hash_key[3]);
	h = lb_hash_step(h, lb_hash_pair(dst->word[0], dst->word[1]) ^ node->hash_key[1],
			 node->hash_key[2]);
	h = lb_hash_step(h, lb_hash_pair(dst->word[2], dst->word[3]), node->hash_key[3]);
	h = lb_hash_step(h, ((__u64)protocol << 32) | ports, node->hash_key[2]);
	return lb_hash_step(h, 0, node->hash_key[3]);
}

/* The slot of a flow in a ring: scales the upper half into 0 .. ring_slots - 1 without a division,
 * evenly to one part in 2^32 / ring_slots. */
LB_ALWAYS_INLINE __u32 lb_hash_slot(__u64 hash, __u32 ring_slots)
{
	return (__u32)(((hash >> 32) * ring_slots) >> 32);
}

LB_ALWAYS_INLINE __u32 lb_hash_entropy(__u64 hash)
{
	return (__u32)hash;
}

/* The last word of a VIP key as it stands in struct lb_vip_entry: port, protocol, family. */
LB_ALWAYS_INLINE __u32 lb_vip_word(__be16 port, __u8 protocol, __u8 family)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u32)port | (__u32)protocol << 16 | (__u32)family << 24;
#else
	return (__u32)port << 16 | (__u32)protocol << 8 | family;
#endif
}

/* Where a VIP key's probe sequence starts, before masking. */
LB_ALWAYS_INLINE __u32 lb_hash_vip4(__be32 addr, __u32 word)
{
	__u64 h = (((__u64)addr << 32) | word) * 0x9e3779b97f4a7c15ULL;

	return (__u32)(h >> 32) ^ (__u32)(h >> 52);
}

LB_ALWAYS_INLINE __u32 lb_hash_vip6(const struct lb_in6 *addr, __u32 word)
{
	__u64 h = lb_hash_step(word, lb_hash_pair(addr->word[0], addr->word[1]),
			       0x9e3779b97f4a7c15ULL);

	h = (h ^ lb_hash_pair(addr->word[2], addr->word[3])) * 0xbf58476d1ce4e5b9ULL;
	return (__u32)(h >> 32) ^ (__u32)(h >> 52);
}

#endif
