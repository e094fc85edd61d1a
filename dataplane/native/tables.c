/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *table_new(size_t entries, size_t bytes)
{
	size_t total = (entries * bytes + 4095) / 4096 * 4096 + (entries ? 0 : 4096);
	void *p = aligned_alloc(4096, total);

	return p ? memset(p, 0, total) : NULL;
}

int native_tables_init(struct lb_tables *tables, const struct lb_dims *dims)
{
	const uint32_t per_page = 4096 / sizeof(struct lb_counter);
	struct lb_tables t = {.dims = *dims};
	uint32_t counters = LB_COUNTER_REASONS + dims->services + dims->reals;

	t.dims.counter_stride = (counters + per_page - 1) / per_page * per_page;
	t.node = table_new(1, sizeof(*t.node));
	t.vips = table_new(dims->vip_entries, sizeof(*t.vips));
	t.services = table_new(dims->services, sizeof(*t.services));
	t.slots = table_new(dims->slot_lines, sizeof(*t.slots));
	t.previous = table_new(dims->slot_lines, sizeof(*t.previous));
	t.reals = table_new(dims->reals, sizeof(*t.reals));
	t.flows = table_new(dims->flow_buckets, sizeof(*t.flows));
	t.fragments = table_new(dims->fragment_buckets, sizeof(*t.fragments));
	t.denied = table_new(dims->deny_entries, sizeof(*t.denied));
	t.limits = table_new(dims->limits, sizeof(*t.limits));
	t.counters =
		table_new((size_t)t.dims.counter_rows * t.dims.counter_stride, sizeof(*t.counters));
	if (!t.node || !t.vips || !t.services || !t.slots || !t.previous || !t.reals || !t.flows ||
	    !t.fragments || !t.denied || !t.limits || !t.counters) {
		native_tables_fini(&t);
		return -ENOMEM;
	}
	*tables = t;
	return 0;
}

void native_tables_fini(struct lb_tables *tables)
{
	free(tables->node);
	free(tables->vips);
	free(tables->services);
	free(tables->slots);
	free(tables->previous);
	free(tables->reals);
	free(tables->flows);
	free(tables->fragments);
	free(tables->denied);
	free(tables->limits);
	free(tables->counters);
	memset(tables, 0, sizeof(*tables));
}

void native_tables_exchange(struct lb_tables *grown, struct lb_tables *old)
{
	struct lb_tables t = *grown;

	if (t.dims.flow_buckets == old->dims.flow_buckets) {
		grown->flows = old->flows;
		old->flows = t.flows;
	}
	if (t.dims.fragment_buckets == old->dims.fragment_buckets) {
		grown->fragments = old->fragments;
		old->fragments = t.fragments;
	}
	if (t.dims.limits == old->dims.limits) {
		grown->limits = old->limits;
		old->limits = t.limits;
	}
}
