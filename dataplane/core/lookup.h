/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_LOOKUP_H
#define FAIRWAY_CORE_LOOKUP_H

/*
 * Table reads. A target defines `struct lb_target` and these accessors before it includes any file
 * of the core that reads tables; each returns NULL when the index lies outside the table, but
 * lb_table_vip() and lb_table_denied(), which take an index modulo the table's size:
 *
 *   static inline const struct lb_node *lb_table_node(const struct lb_target *);
 *   static inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *, __u32 index);
 *   static inline const struct lb_service *lb_table_service(const struct lb_target *, __u32 index);
 *   static inline const __u16 *lb_table_slot(const struct lb_target *, __u32 slot);
 *   static inline const struct lb_real *lb_table_real(const struct lb_target *, __u32 index);
 *   static inline const struct lb_slot_line *lb_table_previous(const struct lb_target *, __u32
 * line); static inline struct lb_bucket *lb_table_flow(const struct lb_target *, __u32 bucket);
 *   static inline struct lb_bucket *lb_table_fragment(const struct lb_target *, __u32 bucket);
 *   static inline const struct lb_vip_entry *lb_table_denied(const struct lb_target *, __u32
 * index); static inline struct lb_limit *lb_table_limit(const struct lb_target *, __u32 index);
 *   static inline __u32 lb_real_counter(const struct lb_target *, __u32 real);
 *   static inline void lb_count(const struct lb_target *, __u32 counter, __u32 bytes);
 *   static inline void lb_count_both(const struct lb_target *, __u32 a, __u32 b, __u32 bytes);
 *
 * and what it knows of the packet and the moment:
 *
 *   static inline __u32 lb_frame_bytes(const struct lb_target *);  all of the frame, as it came
 *   static inline __u64 lb_now_ns(const struct lb_target *);       a monotonic clock
 *   static inline int lb_may_write(const struct lb_target *);      0: a question, leave no trace
 */

#include "dataplane/core/hash.h"
#include "dataplane/core/tables.h"

/* The service behind a VIP key whose probe begins at `at`, or LB_SERVICE_NONE. */
LB_ALWAYS_INLINE __u32 lb_vip_probe4(const struct lb_target *t, __u32 at, __be32 addr, __u32 word)
{
	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_VIP_PROBE_MAX; i++) {
		const struct lb_vip_entry *e = lb_table_vip(t, at + i);
		__u32 service;

		service = LB_READ_FIRST(e->service);
		if (service == LB_SERVICE_NONE)
			return LB_SERVICE_NONE;
		if (LB_IS_WHOLE(service != LB_SERVICE_DELETED) && e->addr[0] == addr &&
		    e->word == word && service != LB_SERVICE_DELETED)
			return service;
	}
	return LB_SERVICE_NONE;
}

LB_ALWAYS_INLINE __u32 lb_vip_find4(const struct lb_target *t, __be32 addr, __u32 word)
{
	return lb_vip_probe4(t, lb_hash_vip4(addr, word), addr, word);
}

LB_ALWAYS_INLINE __u32 lb_vip_probe6(const struct lb_target *t, __u32 at, const void *addr,
				     __u32 word)
{
	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_VIP_PROBE_MAX; i++) {
		const struct lb_vip_entry *e = lb_table_vip(t, at + i);
		__u32 service;

		service = LB_READ_FIRST(e->service);
		if (service == LB_SERVICE_NONE)
			return LB_SERVICE_NONE;
		if (LB_IS_WHOLE(service != LB_SERVICE_DELETED) &&
		    lb_get64(e->addr) == lb_get64(addr) &&
		    lb_get64(&e->addr[2]) == lb_get64(addr + 8) && e->word == word &&
		    service != LB_SERVICE_DELETED)
			return service;
	}
	return LB_SERVICE_NONE;
}

LB_ALWAYS_INLINE __u32 lb_vip_find6(const struct lb_target *t, const void *addr, __u32 word)
{
	return lb_vip_probe6(t, lb_hash_vip6(addr, word), addr, word);
}

/* A slot, counted from the start of the slots table: its real and LB_SLOT_TRACKED. */
LB_ALWAYS_INLINE __u32 lb_slot_word(const struct lb_target *t, __u32 slot)
{
	const __u16 *word = lb_table_slot(t, slot);

	return word ? LB_READ_ONCE(*word) : 0;
}

/* The previous real of a slot, 0: none. */
LB_ALWAYS_INLINE __u32 lb_slot_previous(const struct lb_target *t, __u32 slot)
{
	const __u16 *word = lb_table_previous(t, slot);

	return word ? LB_READ_ONCE(*word) & LB_SLOT_REAL_MASK : 0;
}

#endif
