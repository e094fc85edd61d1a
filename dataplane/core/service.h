/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_SERVICE_H
#define FAIRWAY_CORE_SERVICE_H

/*
 * From a flow's destination to its service: the very address and port first, then the shapes that
 * the configuration has (any port, blocks of ports, prefixes), most specific first. The most
 * specific VIP owns an address: when it has no service for a port, no wider one is asked.
 */

#include "dataplane/core/key.h"
#include "dataplane/core/lookup.h"
#include "dataplane/core/packet.h"

/* The value of a key of the VIP index, or LB_SERVICE_NONE. */
LB_GLOBAL_SUBPROGRAM __u32 lb_key_find(const struct lb_target *t, const struct lb_key *key)
{
	LB_GIVEN(t && key);
	const __u32 at = lb_hash_key(key);

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_VIP_PROBE_MAX; i++) {
		const struct lb_vip_entry *e = lb_table_vip(t, at + i);
		__u32 service;

		service = LB_READ_FIRST(e->service);
		if (service == LB_SERVICE_NONE)
			return LB_SERVICE_NONE;
		if (service != LB_SERVICE_DELETED && lb_key_matches(e, key))
			return service;
	}
	return LB_SERVICE_NONE;
}

/* The key of a flow's destination under a shape. */
LB_ALWAYS_INLINE void lb_shape_key(struct lb_key *key, const struct lb_flow *f, __u32 shape)
{
	const __u32 bits = LB_SHAPE_PORT_BITS(shape);
	const __u8 kind = f->family == 4 ? LB_KEY_SHAPED4 : LB_KEY_SHAPED6;
	const __u32 port = LB_HOST16((__be16)f->ports);

	lb_mask_addr(key->addr, f->dst, LB_SHAPE_PREFIX(shape));
	key->scope = shape;
	if (bits == LB_SHAPE_ADDRESS)
		key->word = lb_vip_word(0, 0, kind);
	else
		key->word =
			lb_vip_word(LB_BE16(port >> (bits & 31) << (bits & 31)), f->protocol, kind);
}

/* The first shape that matches. address_only: shapes that tell a VIP, not a service. */
LB_GLOBAL_SUBPROGRAM __u32 lb_shape_find(const struct lb_target *t, const struct lb_flow *f,
					 __u32 address_only)
{
	LB_GIVEN(t && f);
	const struct lb_node *node = lb_table_node(t);

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_SHAPES_MAX; i++) {
		const __u32 shape = f->family == 4 ? LB_READ_ONCE(node->shapes4[i])
						   : LB_READ_ONCE(node->shapes6[i]);
		struct lb_key key;
		__u32 service;

		if (!shape)
			break;
		if (address_only && LB_SHAPE_PORT_BITS(shape) != LB_SHAPE_ADDRESS)
			continue;
		lb_shape_key(&key, f, shape);
		service = lb_key_find(t, &key);
		if (service != LB_SERVICE_NONE)
			return service;
	}
	return LB_SERVICE_NONE;
}

LB_ALWAYS_INLINE __u32 lb_exact_find(const struct lb_target *t, const struct lb_flow *f,
				     __be16 port, __u8 protocol)
{
	if (f->family == 4)
		return lb_vip_find4(t, f->dst[0], lb_vip_word(port, protocol, LB_KEY_EXACT4));
	return lb_vip_find6(t, f->dst, lb_vip_word(port, protocol, LB_KEY_EXACT6));
}

/* The address record of the VIP that a packet is for, or LB_SERVICE_NONE. */
LB_ALWAYS_INLINE __u32 lb_vip_find(const struct lb_target *t, const struct lb_flow *f)
{
	__u32 service = lb_exact_find(t, f, 0, 0);

	return service != LB_SERVICE_NONE ? service : lb_shape_find(t, f, 1);
}

/* The service of a flow, or LB_SERVICE_NONE; the address record where the VIP has no service of
 * this port and protocol, if it was met. */
LB_ALWAYS_INLINE __u32 lb_service_find(const struct lb_target *t, const struct lb_flow *f)
{
	__u32 service = lb_exact_find(t, f, (__be16)f->ports, f->protocol);

	return service != LB_SERVICE_NONE ? service : lb_shape_find(t, f, 0);
}

#endif
