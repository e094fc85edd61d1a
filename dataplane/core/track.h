/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_TRACK_H
#define FAIRWAY_CORE_TRACK_H

/*
 * Just-enough tracking. A slot that never changed needs no memory of its flows. In one that did,
 * old flows have the previous real and new ones the current, and only the flow table can tell them
 * apart:
 *
 *  - A SYN takes the current real; whatever was remembered of its flow is forgotten.
 *  - Anything else goes where its entry says while that real is alive; without an entry to the
 *    previous real while that is alive, else to the current one.
 *  - While previous and current differ, each choice is remembered: unconfirmed first, confirmed by
 *    the next packet that finds it. Once they are the same (the control plane lets a slot settle)
 *    nothing is remembered any more, and what was is still honoured.
 */

#include "dataplane/core/encap.h"
#include "dataplane/core/flow.h"
#include "dataplane/core/lookup.h"

/* What a packet may do to the flow table. */
#define LB_TRACK_NEW  0x1U /* it begins a connection: a TCP SYN without ACK */
#define LB_TRACK_READ 0x2U /* it speaks of the flow without belonging to it: an ICMP error */

LB_ALWAYS_INLINE int lb_real_alive(const struct lb_target *t, __u32 id)
{
	const struct lb_real *real = lb_table_real(t, id);

	return id && real && !(lb_nexthop_iface(LB_READ_ONCE(real->nexthop)) & LB_NEXTHOP_DEAD);
}

/* Make the flow's entry say `real`, or forget it when that is 0. */
LB_ALWAYS_INLINE void lb_track_write(struct lb_bucket *b, __u64 *place, __u64 seen, __u64 entry)
{
	if (place)
		lb_replace64(place, seen, entry);
	else if (entry)
		lb_bucket_put(b, entry);
}

/* What is to be remembered of a flow. */
struct lb_track {
	struct lb_bucket *bucket; /* NULL: nothing */
	__u64 *place;             /* of the flow's entry as it was seen; NULL: it has none */
	__u64 seen;
	__u64 entry; /* what it is to be; 0: to be forgotten */
};

LB_ALWAYS_INLINE void lb_track_remember(const struct lb_track *track)
{
	if (track->bucket)
		lb_track_write(track->bucket, track->place, track->seen, track->entry);
}

/* The real of a flow whose slot is tracked; nothing is written yet. slot counts from the start of
 * the slots table; hash is that of the whole 5-tuple; how: LB_TRACK_*. */
LB_ALWAYS_INLINE __u32 lb_track_choose(const struct lb_target *t, __u32 slot, __u32 current,
				       __u64 hash, __u32 how, struct lb_track *ret_track)
{
	const struct lb_node *node = lb_table_node(t);
	const __u32 previous = lb_slot_previous(t, slot);
	const int writes = !(how & LB_TRACK_READ) && lb_may_write(t);
	const int unsettled = previous && previous != current;
	struct lb_bucket *b = lb_table_flow(t, lb_flow_bucket(hash, node->flow_buckets));
	__u64 seen = 0, *place = b ? lb_bucket_find(b, hash, &seen) : (void *)0;
	__u32 real = current;

	*ret_track =
		(struct lb_track){.bucket = writes ? b : (void *)0, .place = place, .seen = seen};
	if (!(how & LB_TRACK_NEW)) {
		if (place && lb_real_alive(t, lb_flow_real(seen))) {
			ret_track->entry = (seen & ~LB_FLOW_STAMP_MASK) | LB_FLOW_CONFIRMED |
					   (__u64)(LB_READ_ANY(node->flow_stamp) & 0xff)
						   << LB_FLOW_STAMP_LOW;
			if (ret_track->entry == seen)
				ret_track->bucket = (void *)0;
			return lb_flow_real(seen);
		}
		if (previous && lb_real_alive(t, previous))
			real = previous;
	}
	if (unsettled && real)
		ret_track->entry = lb_flow_entry(hash, real, LB_READ_ANY(node->flow_stamp));
	return real;
}

/* The same, and it is remembered. */
LB_GLOBAL_SUBPROGRAM __u32 lb_track_real(const struct lb_target *t, __u32 slot, __u32 current,
					 __u64 hash, __u32 how)
{
	LB_GIVEN(t);
	struct lb_track track;
	const __u32 real = lb_track_choose(t, slot, current, hash, how, &track);

	lb_track_remember(&track);
	return real;
}

#endif
