/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_FLOW_H
#define FAIRWAY_CORE_FLOW_H

/*
 * Set-associative tables of flows: a bucket is one cache line of entries, found by the flow's hash.
 * No locks: an entry is one word, put in place by compare-and-swap. Which entry is evicted when a
 * bucket is full: an unconfirmed one, first in first out, and only if there is none a confirmed
 * one; so a flood of first packets evicts first packets.
 */

#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

LB_ALWAYS_INLINE __u32 lb_flow_bucket(__u64 hash, __u32 buckets)
{
	return (__u32)(((hash & 0xffffffffU) * buckets) >> 32);
}

/* The slot that an entry's flow has in a ring, as lb_hash_slot() has it from the hash. */
LB_ALWAYS_INLINE __u32 lb_flow_slot(__u64 entry, __u32 ring_slots)
{
	return (__u32)(((entry >> 32) * ring_slots) >> 32);
}

LB_ALWAYS_INLINE __u64 lb_flow_entry(__u64 hash, __u32 real, __u32 stamp)
{
	return (hash & LB_FLOW_TAG_MASK) | (__u64)(stamp & 0xff) << LB_FLOW_STAMP_LOW | real;
}

LB_ALWAYS_INLINE __u32 lb_flow_real(__u64 entry)
{
	return (__u32)(entry & LB_FLOW_REAL_MASK);
}

LB_ALWAYS_INLINE __u32 lb_flow_stamp(__u64 entry)
{
	return (__u32)(entry >> LB_FLOW_STAMP_LOW) & 0xff;
}

/* The entry of a hash and what it held, or NULL. */
LB_ALWAYS_INLINE __u64 *lb_bucket_find(struct lb_bucket *b, __u64 hash, __u64 *ret_entry)
{
	for (__u32 i = 0; i < LB_BUCKET_WAYS; i++) {
		const __u64 entry = LB_READ_ONCE(b->entry[i]);

		if (entry && !((entry ^ hash) & LB_FLOW_TAG_MASK)) {
			*ret_entry = entry;
			return &b->entry[i];
		}
	}
	return (void *)0;
}

/*
 * lb_bucket.hand: bits 7..0 the way where the search for a victim starts, bits 31..8 how many
 * unconfirmed entries were evicted and bits 63..32 how many confirmed ones, each modulo its width.
 */
LB_ALWAYS_INLINE __u64 lb_hand_next(__u64 hand, __u32 way, int confirmed)
{
	const __u64 next = way + 1 == LB_BUCKET_WAYS ? 0 : way + 1;
	const __u64 unconfirmed = (hand + (confirmed ? 0 : 0x100)) & 0xffffff00ULL;
	const __u64 evicted = (hand >> 32) + (confirmed ? 1 : 0);

	return evicted << 32 | unconfirmed | next;
}

/* How dear the loss of an entry would be: free 0, unconfirmed 1, confirmed 2. */
LB_ALWAYS_INLINE __u32 lb_flow_worth(__u64 entry)
{
	if (!entry)
		return 0;
	return entry & LB_FLOW_CONFIRMED ? 2 : 1;
}

LB_ALWAYS_INLINE int lb_bucket_try(struct lb_bucket *b, __u64 entry)
{
	const __u64 hand = LB_READ_ONCE(b->hand);
	__u32 at = (__u32)(hand & 7), way = 0, worth = 3;
	__u64 victim = 0;

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_BUCKET_WAYS; i++, at++) {
		__u64 seen;

		if (at >= LB_BUCKET_WAYS)
			at = 0;
		seen = LB_READ_ONCE(b->entry[at]);
		if (lb_flow_worth(seen) < worth) {
			worth = lb_flow_worth(seen);
			victim = seen;
			way = at;
		}
	}
	/* uncovered: only the verifier doesn't know that way is below */
	if (way >= LB_BUCKET_WAYS || !lb_replace64(&b->entry[way], victim, entry))
		return 0;
	if (victim)
		LB_WRITE(b->hand, lb_hand_next(hand, way, worth == 2));
	return 1;
}

/* Enter an entry whose flow has none. When another worker takes the same place at the same moment,
 * twice, it isn't entered. */
LB_ALWAYS_INLINE void lb_bucket_put(struct lb_bucket *b, __u64 entry)
{
	if (!lb_bucket_try(b, entry))
		lb_bucket_try(b, entry);
}

#endif
