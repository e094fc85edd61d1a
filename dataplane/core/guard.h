/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_GUARD_H
#define FAIRWAY_CORE_GUARD_H

/*
 * What is kept from a VIP: sources that can't be (RFC 6890, RFC 1122 section 3.2.1.3, RFC 4291
 * section 2.5 and 2.7), sources that the configuration denies, and events above a rate.
 */

#include "dataplane/core/key.h"
#include "dataplane/core/lookup.h"
#include "dataplane/core/packet.h"

/* 0/8, 127/8, 224/4 and 240/4. */
LB_ALWAYS_INLINE int lb_martian4(__be32 src)
{
	const __u32 first = LB_HOST32(src) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* ::, ::1, ::ffff:0:0/96 and ff00::/8. */
LB_ALWAYS_INLINE int lb_martian6(const __be32 src[4])
{
	if (LB_HOST32(src[0]) >> 24 == 0xff)
		return 1;
	if (src[0] | src[1])
		return 0;
	return src[2] == LB_BE32(0xffff) || (!src[2] && LB_HOST32(src[3]) <= 1);
}

/* LB_REASON_forwarded, or why a packet to a VIP can't come from where it says. */
LB_ALWAYS_INLINE enum lb_reason lb_check_source(const struct lb_flow *f)
{
	if (f->family == 4 ? lb_martian4(f->src[0]) : lb_martian6(f->src))
		return LB_REASON_martian_source;
	if (f->src[0] == f->dst[0] && f->src[1] == f->dst[1] && f->src[2] == f->dst[2] &&
	    f->src[3] == f->dst[3])
		return LB_REASON_land;
	return LB_REASON_forwarded;
}

/* Is a key in the table of denied prefixes? */
LB_GLOBAL_SUBPROGRAM int lb_denied_find(const struct lb_target *t, const struct lb_key *key)
{
	LB_GIVEN(t && key);
	const __u32 at = lb_hash_key(key);

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_VIP_PROBE_MAX; i++) {
		const struct lb_vip_entry *e = lb_table_denied(t, at + i);
		__u32 service;

		service = LB_READ_FIRST(e->service);
		if (service == LB_SERVICE_NONE)
			return 0;
		if (service != LB_SERVICE_DELETED && lb_key_matches(e, key))
			return 1;
	}
	return 0;
}

/* Is the flow's source on a list? One lookup for each length of prefix in use. */
LB_GLOBAL_SUBPROGRAM int lb_is_denied(const struct lb_target *t, const struct lb_flow *f,
				      __u32 list)
{
	LB_GIVEN(t && f);
	const struct lb_node *node = lb_table_node(t);

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_SHAPES_MAX; i++) {
		const __u32 length = f->family == 4 ? LB_READ_ONCE(node->denied4[i])
						    : LB_READ_ONCE(node->denied6[i]);
		struct lb_key key;

		if (!length)
			break;
		lb_mask_addr(key.addr, f->src, length - 1);
		key.word = lb_vip_word((__be16)(length - 1), 0,
				       f->family == 4 ? LB_KEY_DENIED4 : LB_KEY_DENIED6);
		key.scope = list;
		if (lb_denied_find(t, &key))
			return 1;
	}
	return 0;
}

/* One more event under a limit: 1 when there is room for it. Workers that race for the same moment
 * may let one more pass than the limit says. */
LB_GLOBAL_SUBPROGRAM int lb_limit_take(const struct lb_target *t, __u32 index)
{
	LB_GIVEN(t);
	struct lb_limit *limit = lb_table_limit(t, index);
	__u64 arrival, now, due;

	if (!limit || !LB_READ_ANY(limit->interval_ns))
		return 1;
	now = lb_now_ns(t);
	arrival = LB_READ_ONCE(limit->arrival_ns);
	due = arrival > now ? arrival : now;
	if (due - now > LB_READ_ANY(limit->burst_ns))
		return 0;
	if (lb_may_write(t))
		lb_replace64(&limit->arrival_ns, arrival, due + LB_READ_ANY(limit->interval_ns));
	return 1;
}

#endif
