/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_MEMORY_TARGET_H
#define FAIRWAY_CORE_MEMORY_TARGET_H

/* The accessors that lookup.h asks of a target, for targets that see the tables as plain memory. */

#include "dataplane/core/memory.h"
#include "dataplane/core/wire.h"

struct lb_target {
	const struct lb_tables *tables;
	struct lb_counter *row; /* the worker's own row of counters */
	const struct lb_moment *moment;
	__u32 frame_bytes;
};

/* The target of one worker, which counts in the row of its number, for one frame. */
static inline struct lb_target lb_memory_target(const struct lb_tables *tables, __u32 worker,
						__u32 frame_bytes, const struct lb_moment *moment)
{
	return (struct lb_target){
		.tables = tables,
		.row = tables->counters + (__u64)worker * tables->dims.counter_stride,
		.moment = moment,
		.frame_bytes = frame_bytes,
	};
}

static inline __u32 lb_frame_bytes(const struct lb_target *t)
{
	return t->frame_bytes;
}

static inline __u64 lb_now_ns(const struct lb_target *t)
{
	return t->moment->now_ns;
}

static inline int lb_may_write(const struct lb_target *t)
{
	return !t->moment->question;
}

#define LB_MEMORY_ELEMENT(t, table, index, count)                                                  \
	((index) < (count) ? &(t)->tables->table[index] : (void *)0)

static inline const struct lb_node *lb_table_node(const struct lb_target *t)
{
	return t->tables->node;
}

static inline const struct lb_vip_entry *lb_table_vip(const struct lb_target *t, __u32 index)
{
	return &t->tables->vips[index & (t->tables->dims.vip_entries - 1)];
}

static inline const struct lb_service *lb_table_service(const struct lb_target *t, __u32 index)
{
	return LB_MEMORY_ELEMENT(t, services, index, t->tables->dims.services);
}

static inline const __u16 *lb_memory_slot(const struct lb_slot_line *lines, __u32 slot,
					  __u32 n_lines)
{
	return slot < n_lines * LB_SLOTS_PER_LINE ? (const __u16 *)lines + slot : (void *)0;
}

static inline const __u16 *lb_table_slot(const struct lb_target *t, __u32 slot)
{
	return lb_memory_slot(t->tables->slots, slot, t->tables->dims.slot_lines);
}

static inline const struct lb_real *lb_table_real(const struct lb_target *t, __u32 index)
{
	return LB_MEMORY_ELEMENT(t, reals, index, t->tables->dims.reals);
}

static inline const __u16 *lb_table_previous(const struct lb_target *t, __u32 slot)
{
	return lb_memory_slot(t->tables->previous, slot, t->tables->dims.slot_lines);
}

static inline struct lb_bucket *lb_table_flow(const struct lb_target *t, __u32 bucket)
{
	return LB_MEMORY_ELEMENT(t, flows, bucket, t->tables->dims.flow_buckets);
}

static inline struct lb_bucket *lb_table_fragment(const struct lb_target *t, __u32 bucket)
{
	return LB_MEMORY_ELEMENT(t, fragments, bucket, t->tables->dims.fragment_buckets);
}

static inline const struct lb_vip_entry *lb_table_denied(const struct lb_target *t, __u32 index)
{
	return &t->tables->denied[index & (t->tables->dims.deny_entries - 1)];
}

static inline struct lb_limit *lb_table_limit(const struct lb_target *t, __u32 index)
{
	return LB_MEMORY_ELEMENT(t, limits, index, t->tables->dims.limits);
}

static inline __u32 lb_real_counter(const struct lb_target *t, __u32 real)
{
	return LB_COUNTER_REAL(&t->tables->dims, real);
}

static inline void lb_count_many(const struct lb_target *t, __u32 counter, __u32 packets,
				 __u64 bytes)
{
	if (counter < t->tables->dims.counter_stride) {
		LB_WRITE(t->row[counter].packets, t->row[counter].packets + packets);
		LB_WRITE(t->row[counter].bytes, t->row[counter].bytes + bytes);
	}
}

static inline void lb_count(const struct lb_target *t, __u32 counter, __u32 bytes)
{
	if (counter < t->tables->dims.counter_stride) {
		LB_WRITE(t->row[counter].packets, t->row[counter].packets + 1);
		LB_WRITE(t->row[counter].bytes, t->row[counter].bytes + bytes);
	}
}

static inline void lb_count_both(const struct lb_target *t, __u32 a, __u32 b, __u32 bytes)
{
	lb_count(t, a, bytes);
	lb_count(t, b, bytes);
}

#endif
