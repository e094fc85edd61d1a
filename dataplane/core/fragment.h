/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_FRAGMENT_H
#define FAIRWAY_CORE_FRAGMENT_H

/*
 * IP fragments. The first one has the ports and goes where they say; where that was is remembered
 * by source, destination, id and protocol, and the later ones follow it. A later one that comes
 * before its first is dropped: its real can't be known, and half a datagram at a wrong real is
 * worse than a retransmission.
 */

#include "dataplane/core/flow.h"
#include "dataplane/core/hash.h"
#include "dataplane/core/packet.h"
#include "dataplane/core/track.h"

/* Ticks of lb_node.fragment_stamp, one a second, for which a first fragment is remembered: what
 * RFC 8200 section 4.5 and Linux give to reassembly is 60 and 30 seconds. */
#define LB_FRAGMENT_LIFE 30U

LB_ALWAYS_INLINE __u64 lb_fragment_hash(const struct lb_node *node, const struct lb_packet *p)
{
	/* The id stands where ports would, in a table where there are none. */
	if (p->flow.family == 4)
		return lb_hash_flow4(node, p->flow.src[0], p->flow.dst[0], p->fragment_id,
				     p->flow.protocol);
	return lb_hash_flow6(node, (const __be16 *)p->flow.src, (const __be16 *)p->flow.dst,
			     p->fragment_id, 0);
}

LB_GLOBAL_SUBPROGRAM int lb_fragment_remember(const struct lb_target *t, const struct lb_packet *p,
					      __u32 real)
{
	LB_GIVEN(t && p);
	const struct lb_node *node = lb_table_node(t);
	const __u64 hash = lb_fragment_hash(node, p);
	struct lb_bucket *b = lb_table_fragment(t, lb_flow_bucket(hash, node->fragment_buckets));
	__u64 seen = 0, *place = b ? lb_bucket_find(b, hash, &seen) : (void *)0;

	if (b && lb_may_write(t))
		lb_track_write(b, place, seen,
			       lb_flow_entry(hash, real, LB_READ_ANY(node->fragment_stamp)));
	return 0;
}

/* The real that the first fragment went to, or 0. */
LB_GLOBAL_SUBPROGRAM __u32 lb_fragment_real(const struct lb_target *t, const struct lb_packet *p)
{
	LB_GIVEN(t && p);
	const struct lb_node *node = lb_table_node(t);
	const __u64 hash = lb_fragment_hash(node, p);
	struct lb_bucket *b = lb_table_fragment(t, lb_flow_bucket(hash, node->fragment_buckets));
	__u64 seen = 0;

	if (!b || !lb_bucket_find(b, hash, &seen))
		return 0;
	if (((LB_READ_ANY(node->fragment_stamp) - lb_flow_stamp(seen)) & 0xff) > LB_FRAGMENT_LIFE)
		return 0;
	return lb_real_alive(t, lb_flow_real(seen)) ? lb_flow_real(seen) : 0;
}

#endif
