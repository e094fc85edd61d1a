/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct space *space_of(struct publish *p, enum publish_table table)
{
	switch (table) {
	case PUBLISH_VIPS:
		return &p->entries;
	case PUBLISH_SERVICES:
		return &p->service_ids;
	case PUBLISH_LINES:
		return &p->lines;
	case PUBLISH_REALS:
		return &p->real_ids;
	case PUBLISH_DENIED:
		return &p->denied;
	case PUBLISH_LIMITS:
		return &p->limits;
	}
	abort();
}

static uint32_t *dim_of(struct lb_dims *d, enum publish_table table)
{
	switch (table) {
	case PUBLISH_VIPS:
		return &d->vip_entries;
	case PUBLISH_SERVICES:
		return &d->services;
	case PUBLISH_LINES:
		return &d->slot_lines;
	case PUBLISH_REALS:
		return &d->reals;
	case PUBLISH_DENIED:
		return &d->deny_entries;
	case PUBLISH_LIMITS:
		return &d->limits;
	}
	abort();
}

/* Engines write them meanwhile. */
static void copy_limits(struct lb_tables *to, const struct lb_tables *from)
{
	for (uint32_t i = 0; i < from->dims.limits; i++) {
		to->limits[i] = (struct lb_limit){
			.interval_ns = from->limits[i].interval_ns,
			.burst_ns = from->limits[i].burst_ns,
			.arrival_ns =
				__atomic_load_n(&from->limits[i].arrival_ns, __ATOMIC_RELAXED),
		};
	}
}

static int fill(void *arg, struct lb_tables *to, const struct lb_tables *from, struct err *err)
{
	(void)arg;
	memcpy(to->node, from->node, sizeof(*to->node));
	to->node->vip_mask = to->dims.vip_entries - 1;
	to->node->deny_mask = to->dims.deny_entries - 1;
	to->node->flow_buckets = to->dims.flow_buckets;
	to->node->fragment_buckets = to->dims.fragment_buckets;
	memcpy(to->services, from->services, from->dims.services * sizeof(*to->services));
	memcpy(to->slots, from->slots, from->dims.slot_lines * sizeof(*to->slots));
	memcpy(to->previous, from->previous, from->dims.slot_lines * sizeof(*to->previous));
	memcpy(to->reals, from->reals, from->dims.reals * sizeof(*to->reals));
	/* Of the same size they are the same memory, which engines write. */
	if (to->dims.limits != from->dims.limits)
		copy_limits(to, from);
	publish_flows_copy(to, from);
	if (publish_index_copy(to, from))
		return err_set(err, -ENOSPC, "the larger VIP index has no room");
	return 0;
}

/* Add what the old set counted to the row that no worker writes, and the flows that were entered
 * while the sets changed. */
static void carry(void *arg, struct lb_tables *to, const struct lb_tables *from)
{
	struct lb_counter *row =
		&to->counters[(to->dims.counter_rows - 1) * (size_t)to->dims.counter_stride];
	uint32_t n = LB_COUNTER_REASONS + from->dims.services + from->dims.reals;

	(void)arg;
	publish_flows_copy(to, from);
	for (uint32_t i = 0; i < n; i++) {
		struct publish_count sum = publish_counter_sum(from, i);
		uint32_t at = i < LB_COUNTER_REASONS + from->dims.services
				      ? i
				      : i + to->dims.services - from->dims.services;

		row[at].packets += sum.packets;
		row[at].bytes += sum.bytes;
	}
}

/* Entries stand elsewhere in a new table of keys. */
static int respace_entries(struct space *s, const struct lb_vip_entry *entries, uint32_t n)
{
	space_fini(s);
	if (space_init(s, n, 0))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (entries[i].service != LB_SERVICE_NONE)
			space_claim(s, i, 1);
	return 0;
}

static int respace(struct publish *p)
{
	const struct lb_dims *d = &p->t->dims;
	uint32_t services = p->service_ids.n;
	struct publish_record *records;
	struct publish_count *retired;

	if (respace_entries(&p->entries, p->t->vips, d->vip_entries) ||
	    respace_entries(&p->denied, p->t->denied, d->deny_entries) ||
	    space_grow(&p->lines, d->slot_lines) || space_grow(&p->service_ids, d->services) ||
	    space_grow(&p->service_counters, d->services) ||
	    space_grow(&p->deny_lists, d->services) || space_grow(&p->limits, d->limits) ||
	    space_grow(&p->real_ids, d->reals))
		return -ENOMEM;
	records = realloc(p->records, d->services * sizeof(*records));
	if (!records)
		return -ENOMEM;
	memset(records + services, 0, (d->services - services) * sizeof(*records));
	p->records = records;
	retired = realloc(p->retired, d->services * sizeof(*retired));
	if (!retired)
		return -ENOMEM;
	memset(retired + services, 0, (d->services - services) * sizeof(*retired));
	p->retired = retired;
	return publish_ids_resize(p);
}

int publish_regrow(struct publish *p, const struct lb_dims *dims, struct err *err)
{
	int rc =
		p->engine.grow(p->engine.arg, dims,
			       &(struct publish_move){.arg = p, .fill = fill, .carry = carry}, err);

	if (rc)
		return rc;
	p->t = p->engine.tables(p->engine.arg);
	return respace(p) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

int publish_flows_set(struct publish *p, uint32_t flows, struct err *err)
{
	struct lb_dims dims = p->t->dims;

	dims.flow_buckets = publish_dims(0, 0, 0, 2, flows).flow_buckets;
	if (dims.flow_buckets == p->t->dims.flow_buckets)
		return 0;
	/* The walk begins anew with the new table. */
	p->track.phase = PUBLISH_TRACK_IDLE;
	return publish_regrow(p, &dims, err);
}

static int grow(struct publish *p, enum publish_table table, uint32_t more, struct err *err)
{
	struct lb_dims dims = p->t->dims;
	uint32_t *n = dim_of(&dims, table);
	uint64_t want = *n;

	do
		want *= 2;
	while (want < (uint64_t)*n + more);
	if (table == PUBLISH_REALS && want > LB_REALS_MAX) {
		if (*n + more > LB_REALS_MAX)
			return err_set(err, -ENOSPC,
				       "more than %u real servers: that is all a slot can name; "
				       "spread the pools over more nodes",
				       LB_REALS_MAX - 1);
		want = LB_REALS_MAX;
	}
	if (want > UINT32_MAX / 64)
		return err_set(err, -ENOSPC, "the tables can't grow beyond %u elements",
			       UINT32_MAX / 64);
	*n = (uint32_t)want;
	return publish_regrow(p, &dims, err);
}

static bool grace_is_short(const struct publish *p)
{
	return !p->engine.grace_is_short || p->engine.grace_is_short(p->engine.arg);
}

int publish_make_room(struct publish *p, enum publish_table table, uint32_t more, struct err *err)
{
	struct space *s = space_of(p, table);

	/* What a large change gave up may be all that is missing: wait for it, some milliseconds,
	 * rather than grow for good. */
	if (publish_grace_due(p) && s->n - s->used + s->pending >= more && grace_is_short(p)) {
		publish_grace_begin(p);
		p->engine.grace(p->engine.arg);
		publish_grace_end(p);
		if (table != PUBLISH_VIPS && table != PUBLISH_DENIED)
			return 0;
	}
	return grow(p, table, more, err);
}

int publish_take(struct publish *p, enum publish_table table, uint32_t count, uint32_t *ret_first,
		 struct err *err)
{
	int rc;

	for (int tries = 0; tries < 3; tries++) {
		if (!space_take(space_of(p, table), count, ret_first))
			return 0;
		rc = tries == 1 ? grow(p, table, count, err)
				: publish_make_room(p, table, count, err);
		if (rc)
			return rc;
	}
	return err_set(err, -ENOSPC, "no room in the tables");
}
