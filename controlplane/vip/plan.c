/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

struct planner {
	const struct vip_state *loaded, *desired;
	uint64_t now_ns, drain_ns;
	struct vip_plan plan;
};

static struct vip_op *add_op(struct planner *p, enum vip_op_kind kind)
{
	struct vip_op *grown = realloc(p->plan.ops, (p->plan.n + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	p->plan.ops = grown;
	memset(&grown[p->plan.n], 0, sizeof(*grown));
	grown[p->plan.n].kind = kind;
	return &grown[p->plan.n++];
}

static void wait_until(struct planner *p, uint64_t ns)
{
	if (p->plan.next_ns == 0 || ns < p->plan.next_ns)
		p->plan.next_ns = ns;
}

/* When the drain of this address ends; 0 when it isn't draining (or never was announced). An
 * address that this very plan withdraws starts to drain now. */
static uint64_t drain_end(const struct planner *p, const struct prefix *address)
{
	const struct vip_route *r = vip_state_find_route(p->loaded, address);
	uint64_t end;

	if (!r || vip_state_announced(p->desired, address))
		return 0;
	end = (r->announced ? p->now_ns : r->withdrawn_ns) + p->drain_ns;
	return end > p->now_ns ? end : 0;
}

static int plan_withdrawals(struct planner *p)
{
	for (size_t i = 0; i < p->loaded->n_routes; i++) {
		const struct vip_route *r = &p->loaded->routes[i];
		struct vip_op *op;

		if (!r->announced || vip_state_announced(p->desired, &r->address))
			continue;
		op = add_op(p, VIP_OP_WITHDRAW);
		if (!op)
			return -ENOMEM;
		op->address = r->address;
	}
	return 0;
}

static int plan_node(struct planner *p)
{
	struct vip_op *op;

	if (vip_node_equal(&p->loaded->node, &p->desired->node))
		return 0;
	op = add_op(p, VIP_OP_NODE_SET);
	if (!op)
		return -ENOMEM;
	op->node = p->desired->node;
	return 0;
}

/* Does emptying this pool have to wait for a drain? Then the last members go on. */
static bool emptying_waits(struct planner *p, const struct vip_pool *was,
			   const struct vip_pool *want)
{
	uint64_t latest = 0;

	if (!was || vip_pool_forwards(want) || !vip_pool_forwards(was))
		return false;
	for (size_t i = 0; i < p->loaded->n_services; i++) {
		const struct vip_service *s = &p->loaded->services[i];
		uint64_t end;

		if (strcmp(s->pool, was->name) != 0)
			continue;
		end = drain_end(p, &s->address);
		if (end > latest)
			latest = end;
	}
	if (latest)
		wait_until(p, latest);
	return latest != 0;
}

static int plan_pools(struct planner *p)
{
	for (size_t i = 0; i < p->desired->n_pools; i++) {
		const struct vip_pool *want = &p->desired->pools[i];
		const struct vip_pool *was = vip_state_find_pool(p->loaded, want->name);
		struct vip_op *op;

		if (was && vip_pool_equal(was, want))
			continue;
		if (emptying_waits(p, was, want))
			continue;
		op = add_op(p, VIP_OP_POOL_SET);
		if (!op)
			return -ENOMEM;
		op->pool = *want;
		op->pool.members = NULL;
		op->pool.n_members = 0;
		if (!want->n_members)
			continue;
		op->pool.members = calloc(want->n_members, sizeof(*want->members));
		if (!op->pool.members)
			return -ENOMEM;
		memcpy(op->pool.members, want->members, want->n_members * sizeof(*want->members));
		op->pool.n_members = want->n_members;
	}
	return 0;
}

static int plan_services(struct planner *p)
{
	for (size_t i = 0; i < p->desired->n_services; i++) {
		const struct vip_service *want = &p->desired->services[i];
		const struct vip_service *was = vip_state_find_service(p->loaded, &want->address,
								       want->protocol, want->ports);
		struct vip_op *op;

		if (was && vip_service_equal(was, want))
			continue;
		op = add_op(p, VIP_OP_SERVICE_SET);
		if (!op || vip_service_copy(want, &op->service))
			return -ENOMEM;
	}
	return 0;
}

/* True when the loaded service goes away with this plan, or is to go away later. */
static bool service_stays(struct planner *p, const struct vip_service *s)
{
	return vip_state_find_service(p->desired, &s->address, s->protocol, s->ports) != NULL;
}

static int plan_service_removals(struct planner *p)
{
	for (size_t i = 0; i < p->loaded->n_services; i++) {
		const struct vip_service *s = &p->loaded->services[i];
		uint64_t end = drain_end(p, &s->address);
		struct vip_op *op;

		if (service_stays(p, s))
			continue;
		if (end) {
			wait_until(p, end);
			continue;
		}
		op = add_op(p, VIP_OP_SERVICE_REMOVE);
		if (!op || vip_service_copy(s, &op->service))
			return -ENOMEM;
	}
	return 0;
}

/* A pool that a draining service still uses stays for that long. */
static bool pool_needed(struct planner *p, const char *pool)
{
	for (size_t i = 0; i < p->loaded->n_services; i++) {
		const struct vip_service *s = &p->loaded->services[i];

		if (strcmp(s->pool, pool) == 0 && !service_stays(p, s) && drain_end(p, &s->address))
			return true;
	}
	return false;
}

static int plan_pool_removals(struct planner *p)
{
	for (size_t i = 0; i < p->loaded->n_pools; i++) {
		const struct vip_pool *pool = &p->loaded->pools[i];
		struct vip_op *op;

		if (vip_state_find_pool(p->desired, pool->name) || pool_needed(p, pool->name))
			continue;
		op = add_op(p, VIP_OP_POOL_REMOVE);
		if (!op)
			return -ENOMEM;
		memcpy(op->pool.name, pool->name, sizeof(op->pool.name));
	}
	return 0;
}

static int plan_announcements(struct planner *p)
{
	for (size_t i = 0; i < p->desired->n_routes; i++) {
		const struct vip_route *r = &p->desired->routes[i];
		struct vip_op *op;

		if (!r->announced || vip_state_announced(p->loaded, &r->address))
			continue;
		op = add_op(p, VIP_OP_ANNOUNCE);
		if (!op)
			return -ENOMEM;
		op->address = r->address;
	}
	return 0;
}

int vip_plan_make(const struct vip_state *loaded, const struct vip_state *desired, uint64_t now_ns,
		  uint64_t drain_ns, struct vip_plan *ret_plan)
{
	static int (*const steps[])(struct planner *) = {
		plan_withdrawals,      plan_node,          plan_pools,        plan_services,
		plan_service_removals, plan_pool_removals, plan_announcements};
	struct planner p = {
		.loaded = loaded, .desired = desired, .now_ns = now_ns, .drain_ns = drain_ns};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int rc = steps[i](&p);

		if (rc < 0) {
			vip_plan_fini(&p.plan);
			return rc;
		}
	}
	*ret_plan = p.plan;
	return 0;
}

void vip_plan_fini(struct vip_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		free(plan->ops[i].pool.members);
		vip_service_fini(&plan->ops[i].service);
	}
	free(plan->ops);
	memset(plan, 0, sizeof(*plan));
}

int vip_op_apply(const struct vip_op *op, struct vip_state *loaded, uint64_t now_ns)
{
	switch (op->kind) {
	case VIP_OP_WITHDRAW:
		return vip_state_withdraw(loaded, &op->address, now_ns);
	case VIP_OP_NODE_SET:
		loaded->node = op->node;
		return 0;
	case VIP_OP_POOL_SET:
		return vip_state_set_pool(loaded, &op->pool);
	case VIP_OP_SERVICE_SET:
		return vip_state_set_service(loaded, &op->service);
	case VIP_OP_SERVICE_REMOVE:
		return vip_state_remove_service(loaded, &op->service.address, op->service.protocol,
						op->service.ports);
	case VIP_OP_POOL_REMOVE:
		return vip_state_remove_pool(loaded, op->pool.name);
	case VIP_OP_ANNOUNCE:
		return vip_state_announce(loaded, &op->address);
	}
	return -EINVAL;
}

static void format_service(const char *verb, const struct vip_service *s, char *buf, size_t len)
{
	char addr[ADDR_STRLEN], port[PORTS_STRLEN];

	snprintf(buf, len, "%s service %s %s/%s of VIP %s, pool %s", verb,
		 prefix_format_short(&s->address, addr), s->protocol == CONFIG_TCP ? "tcp" : "udp",
		 ports_format(s->ports, port), s->vip, s->pool);
}

const char *vip_op_format(const struct vip_op *op, char *buf, size_t len)
{
	char addr[ADDR_STRLEN];

	switch (op->kind) {
	case VIP_OP_WITHDRAW:
		snprintf(buf, len, "withdraw %s", prefix_format(&op->address, addr));
		break;
	case VIP_OP_NODE_SET:
		snprintf(buf, len, "set hash seed and tunnel source");
		break;
	case VIP_OP_POOL_SET:
		snprintf(buf, len, "load pool %s, %zu of %zu reals", op->pool.name,
			 vip_pool_active(&op->pool), op->pool.n_members);
		break;
	case VIP_OP_SERVICE_SET:
		format_service("load", &op->service, buf, len);
		break;
	case VIP_OP_SERVICE_REMOVE:
		format_service("unload", &op->service, buf, len);
		break;
	case VIP_OP_POOL_REMOVE:
		snprintf(buf, len, "unload pool %s", op->pool.name);
		break;
	case VIP_OP_ANNOUNCE:
		snprintf(buf, len, "announce %s", prefix_format(&op->address, addr));
		break;
	}
	return buf;
}
