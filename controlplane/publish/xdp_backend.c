/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/xdp_backend.h"

static struct lb_tables *tables(void *arg)
{
	return xdp_engine_tables(arg);
}

static int grow(void *arg, const struct lb_dims *dims, const struct publish_move *move,
		struct err *err)
{
	return xdp_engine_grow(arg, dims,
			       &(struct xdp_engine_move){
				       .arg = move->arg, .fill = move->fill, .carry = move->carry},
			       err);
}

static void grace(void *arg)
{
	xdp_engine_grace(arg);
}

struct publish_engine publish_xdp_engine(struct xdp_engine *e)
{
	return (struct publish_engine){
		.name = "xdp", .arg = e, .tables = tables, .grow = grow, .grace = grace};
}
