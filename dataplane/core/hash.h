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

LB_ALWAYS_INLINE __u64 lb_hash_pair(__u32 first, __u32 second)
{
	return ((__u64)first << 32) | second;
}

/* ports: source port << 16 | destination port, each as it stands in memory. Fields are read in the
 * widths they have: a load that spans stores just made (by a tunnel's other end, or by a harness)
 * can't be forwarded from them and stalls. */
LB_ALWAYS_INLINE __u64 lb_hash_flow4(const struct lb_node *node, __u32 src, __u32 dst, __u32 ports,
				     __u8 protocol)
{
	__u64 h = LB_READ_ANY(node->hash_key[0]);

	h = lb_hash_step(h, lb_hash_pair(protocol, ports), LB_READ_ANY(node->hash_key[2]));
	h = lb_hash_step(h, lb_hash_pair(dst, src) ^ LB_READ_ANY(node->hash_key[1]),
			 LB_READ_ANY(node->hash_key[3]));
	return lb_hash_step(h, 0, LB_READ_ANY(node->hash_key[2]));
}

/* Half of an IPv6 address. */
LB_ALWAYS_INLINE __u64 lb_hash_half(const __be16 *half)
{
	return lb_hash_pair(lb_get32(half + 2), lb_get32(half));
}

LB_ALWAYS_INLINE __u64 lb_hash_flow6(const struct lb_node *node, const __be16 *src,
				     const __be16 *dst, __u32 ports, __u8 protocol)
{
	__u64 h = LB_READ_ANY(node->hash_key[0]);

	h = lb_hash_step(h, lb_hash_pair(protocol, ports), LB_READ_ANY(node->hash_key[2]));
	h = lb_hash_step(h, lb_hash_half(src) ^ LB_READ_ANY(node->hash_key[1]),
			 LB_READ_ANY(node->hash_key[3]));
	h = lb_hash_step(h, lb_hash_half(src + 4), LB_READ_ANY(node->hash_key[2]));
	h = lb_hash_step(h, lb_hash_half(dst), LB_READ_ANY(node->hash_key[3]));
	h = lb_hash_step(h, lb_hash_half(dst + 4), LB_READ_ANY(node->hash_key[2]));
	return lb_hash_step(h, 0, LB_READ_ANY(node->hash_key[3]));
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

/* struct lb_vip_entry.word; kind is one of LB_KEY_*, for exact keys the family. */
LB_ALWAYS_INLINE __u32 lb_vip_word(__be16 port, __u8 protocol, __u8 kind)
{
	return (__u32)port | (__u32)protocol << 16 | (__u32)kind << 24;
}

/* Where a VIP key's probe sequence starts, before masking. */
LB_ALWAYS_INLINE __u32 lb_hash_vip4(__be32 addr, __u32 word)
{
	__u64 h = (((__u64)addr << 32) | word) * 0x9e3779b97f4a7c15ULL;

	return (__u32)(h >> 32) ^ (__u32)(h >> 52);
}

LB_ALWAYS_INLINE __u32 lb_hash_vip6(const void *addr, __u32 word)
{
	__u64 h = lb_hash_step(word, lb_get64(addr), 0x9e3779b97f4a7c15ULL);

	h = (h ^ lb_get64((const char *)addr + 8)) * 0xbf58476d1ce4e5b9ULL;
	return (__u32)(h >> 32) ^ (__u32)(h >> 52);
}

#endif
