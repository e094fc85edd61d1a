/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_MEMORY_H
#define FAIRWAY_CORE_MEMORY_H

/* The tables as plain memory: for their writer, and the accessors of targets that read them so. */

#include "dataplane/core/tables.h"

/* One set of tables. Who allocated or mapped it owns it. */
struct lb_tables {
	struct lb_dims dims;
	struct lb_node *node;
	struct lb_vip_entry *vips;
	struct lb_service *services;
	struct lb_slot_line *slots;
	struct lb_slot_line *previous;
	struct lb_real *reals;
	struct lb_bucket *flows;
	struct lb_bucket *fragments;
	struct lb_vip_entry *denied;
	struct lb_limit *limits;
	struct lb_counter *counters; /* dims.counter_rows rows of dims.counter_stride */
};

/* The tables by the names they have where they are shared: pinned maps, or files. X(name, field of
 * struct lb_tables, bytes by the dimensions *d) */
#define LB_TABLES(X)                                                                               \
	X(lb_node, node, sizeof(struct lb_node))                                                   \
	X(lb_vips, vips, (__u64)d->vip_entries * sizeof(struct lb_vip_entry))                      \
	X(lb_services, services, (__u64)d->services * sizeof(struct lb_service))                   \
	X(lb_slots, slots, (__u64)d->slot_lines * sizeof(struct lb_slot_line))                     \
	X(lb_previous, previous, (__u64)d->slot_lines * sizeof(struct lb_slot_line))               \
	X(lb_reals, reals, (__u64)d->reals * sizeof(struct lb_real))                               \
	X(lb_flows, flows, (__u64)d->flow_buckets * sizeof(struct lb_bucket))                      \
	X(lb_fragments, fragments, (__u64)d->fragment_buckets * sizeof(struct lb_bucket))          \
	X(lb_denied, denied, (__u64)d->deny_entries * sizeof(struct lb_vip_entry))                 \
	X(lb_limits, limits, (__u64)d->limits * sizeof(struct lb_limit))                           \
	X(lb_counters, counters,                                                                   \
	  (__u64)d->counter_rows * d->counter_stride * sizeof(struct lb_counter))

/* What an engine that runs single packets on demand is told of the moment. */
struct lb_moment {
	__u64 now_ns;
	__u32 question; /* 1: only asked, nothing but counters is to change */
	__u32 reserved;
};
LB_ASSERT_SIZE(struct lb_moment, 16);

/* How a packet was decided, for replay, explain and tests. */
struct lb_trace {
	__u32 verdict; /* enum lb_verdict */
	__u32 reason;  /* enum lb_reason */
	__u32 service; /* index of struct lb_service, 0: none */
	__u32 real;    /* index of struct lb_real, 0: none */
	__u32 slot;    /* position in the service's ring; with a real only */
	__u32 reserved;
};
LB_ASSERT_SIZE(struct lb_trace, 24);

#endif
