/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_LOOKUP_H
#define FAIRWAY_CORE_LOOKUP_H

/*
 * Table reads. A target defines `struct lb_target` and these accessors before it includes any file
 * of the core that reads tables; each returns NULL when the index lies outside the table:
 *
 *   static inline const struct lb_node *lb_table_node(const struct lb_target *);
 *   static inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *, __u32 index);
 *   static inline const struct lb_service *lb_table_service(const struct lb_target *, __u32 index);
 *   static inline const struct lb_slot_line *lb_table_slots(const struct lb_target *, __u32 line);
 *   static inline const struct lb_real *lb_table_real(const struct lb_target *, __u32 index);
 *   static inline __u32 lb_real_counter(const struct lb_target *, __u32 real);
 *   static inline void lb_count(const struct lb_target *, __u32 counter, __u32 bytes);
 *   static inline void lb_count_both(const struct lb_target *, __u32 a, __u32 b, __u32 bytes);
 */

#include "dataplane/core/hash.h"
#include "dataplane/core/tables.h"

/* Words that the writer changes under readers are read once. */
#define LB_READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

/* The service behind a VIP key, or LB_SERVICE_NONE. */
LB_ALWAYS_INLINE __u32 lb_vip_find4(const struct lb_target *t, const struct lb_node *node,
				    __be32 addr, __u32 word)
{
	__u32 at = lb_hash_vip4(addr, word);

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_VIP_PROBE_MAX; i++) {
		const struct lb_vip_entry *e = lb_table_vip(t, (at + i) & node->vip_mask);
		__u32 service;

		if (LB_UNLIKELY(!e))
			return LB_SERVICE_NONE;
		service = LB_READ_ONCE(e->service);
		if (service == LB_SERVICE_NONE)
			return LB_SERVICE_NONE;
		if (e->addr[0] == addr && e->word == word && service != LB_SERVICE_DELETED)
			return service;
	}
	return LB_SERVICE_NONE;
}

LB_ALWAYS_INLINE __u32 lb_vip_find6(const struct lb_target *t, const struct lb_node *node,
				    const void *addr, __u32 word)
{
	__u32 at = lb_hash_vip6(addr, word);

	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_VIP_PROBE_MAX; i++) {
		const struct lb_vip_entry *e = lb_table_vip(t, (at + i) & node->vip_mask);
		__u32 service;

		if (LB_UNLIKELY(!e))
			return LB_SERVICE_NONE;
		service = LB_READ_ONCE(e->service);
		if (service == LB_SERVICE_NONE)
			return LB_SERVICE_NONE;
		if (lb_get64(e->addr) == lb_get64(addr) &&
		    lb_get64(&e->addr[2]) == lb_get64(addr + 8) && e->word == word &&
		    service != LB_SERVICE_DELETED)
			return service;
	}
	return LB_SERVICE_NONE;
}

/* The service of a packet: its port's, else the address's any-port service. */
LB_ALWAYS_INLINE __u32 lb_service_find4(const struct lb_target *t, const struct lb_node *node,
					__be32 addr, __be16 port, __u8 protocol)
{
	__u32 service = lb_vip_find4(t, node, addr, lb_vip_word(port, protocol, 4));

	if (service == LB_SERVICE_NONE)
		service = lb_vip_find4(t, node, addr, lb_vip_word(0, protocol, 4));
	return service;
}

LB_ALWAYS_INLINE __u32 lb_service_find6(const struct lb_target *t, const struct lb_node *node,
					const void *addr, __be16 port, __u8 protocol)
{
	__u32 service = lb_vip_find6(t, node, addr, lb_vip_word(port, protocol, 6));

	if (service == LB_SERVICE_NONE)
		service = lb_vip_find6(t, node, addr, lb_vip_word(0, protocol, 6));
	return service;
}

/* The real in a slot, counted from the start of the slots table; 0 when none. */
LB_ALWAYS_INLINE __u32 lb_slot_real(const struct lb_target *t, __u32 slot)
{
	const struct lb_slot_line *line = lb_table_slots(t, slot / LB_SLOTS_PER_LINE);

	if (LB_UNLIKELY(!line))
		return 0;
	return LB_READ_ONCE(line->slot[slot % LB_SLOTS_PER_LINE]) & LB_SLOT_REAL_MASK;
}

#endif
