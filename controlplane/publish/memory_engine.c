/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/memory_engine.h"

#include "dataplane/native/native.h"

static struct lb_tables *tables(void *arg)
{
	return &((struct publish_memory *)arg)->tables;
}

static int grow(void *arg, const struct lb_dims *dims, const struct publish_move *move,
		struct err *err)
{
	struct publish_memory *m = arg;
	struct lb_tables grown;
	int rc = native_tables_init(&grown, dims);

	if (rc)
		return err_set(err, rc, "no memory for larger tables");
	rc = move->fill(move->arg, &grown, &m->tables, err);
	if (rc) {
		native_tables_fini(&grown);
		return rc;
	}
	move->carry(move->arg, &grown, &m->tables);
	native_tables_exchange(&grown, &m->tables);
	native_tables_fini(&m->tables);
	m->tables = grown;
	return 0;
}

static void grace(void *arg)
{
	(void)arg;
}

int publish_memory_init(struct publish_memory *m, const struct lb_dims *dims, uint32_t workers)
{
	struct lb_dims d = *dims;

	m->workers = workers;
	d.counter_rows = workers + 1;
	return native_tables_init(&m->tables, &d);
}

void publish_memory_fini(struct publish_memory *m)
{
	native_tables_fini(&m->tables);
}

struct publish_engine publish_memory_engine(struct publish_memory *m)
{
	return (struct publish_engine){
		.name = "memory", .arg = m, .tables = tables, .grow = grow, .grace = grace};
}
