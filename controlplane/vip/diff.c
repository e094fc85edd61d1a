/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/diff.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/vip/plan.h"

/* Below this many, taking most of them away is everyday work. */
#define BRAKE_MIN 4

struct differ {
	const struct config *was_cfg, *cfg;
	const struct vip_desired *was, *want;
	struct vip_changes list;
};

void vip_changes_fini(struct vip_changes *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

struct vip_change *vip_changes_add(struct vip_changes *list, const char *action, const char *object,
				   const char *name, const char *text_fmt, ...)
{
	struct vip_change *grown = realloc(list->items, (list->n + 1) * sizeof(*grown)), *c;
	va_list ap;

	if (!grown) {
		list->oom = true;
		return NULL;
	}
	list->items = grown;
	c = &grown[list->n++];
	memset(c, 0, sizeof(*c));
	c->action = action;
	c->object = object;
	snprintf(c->name, sizeof(c->name), "%s", name);
	va_start(ap, text_fmt);
	vsnprintf(c->text, sizeof(c->text), text_fmt, ap);
	va_end(ap);
	return c;
}

static void hurt(struct vip_change *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void hurt(struct vip_change *c, const char *fmt, ...)
{
	va_list ap;

	if (!c)
		return;
	va_start(ap, fmt);
	vsnprintf(c->breaks, sizeof(c->breaks), fmt, ap);
	va_end(ap);
}

/* ---- routes ---- */

static const char *vip_at(const struct config *cfg, const struct prefix *address)
{
	for (size_t i = 0; cfg && i < cfg->n_vips; i++) {
		if (prefix_equal(&cfg->vips[i].address, address))
			return cfg->vips[i].name;
	}
	return "?";
}

static void diff_withdrawals(struct differ *d)
{
	for (size_t i = 0; d->was && i < d->was->state.n_routes; i++) {
		const struct prefix *addr = &d->was->state.routes[i].address;
		const char *vip = vip_at(d->was_cfg, addr);
		const struct vip_report *left = vip_desired_vip(d->want, vip);
		const char *why = left && !left->announce ? left->reason : NULL;
		char buf[ADDR_STRLEN];

		if (vip_state_announced(&d->want->state, addr))
			continue;
		hurt(vip_changes_add(&d->list, "withdraw", "vip", vip, "withdraw %s%s%.180s",
				     prefix_format(addr, buf), why ? ": " : "", why ? why : ""),
		     "connections to it move to other nodes; they go on where those have the same "
		     "view of the pool");
	}
}

static void diff_announcements(struct differ *d)
{
	for (size_t i = 0; i < d->want->state.n_routes; i++) {
		const struct prefix *addr = &d->want->state.routes[i].address;
		char buf[ADDR_STRLEN];

		if (d->was && vip_state_announced(&d->was->state, addr))
			continue;
		vip_changes_add(&d->list, "announce", "vip", vip_at(d->cfg, addr), "announce %s",
				prefix_format(addr, buf));
	}
}

/* ---- node, bgp, metrics ---- */

static void diff_number(struct differ *d, const char *key, uint32_t was, uint32_t now,
			const char *unit)
{
	if (was != now)
		vip_changes_add(&d->list, "change", "node", d->cfg->node.name,
				"change %s from %u%s to %u%s", key, was, unit, now, unit);
}

static void diff_node(struct differ *d)
{
	const struct config_node *was = &d->was_cfg->node, *now = &d->cfg->node;

	if (config_node_equal(was, now))
		return;
	if (memcmp(was->hash_seed, now->hash_seed, sizeof(was->hash_seed)) != 0)
		hurt(vip_changes_add(&d->list, "change", "node", now->name, "change hash_seed"),
		     "nearly every connection ends, and nodes with another seed send flows "
		     "elsewhere");
	if (!prefix_equal(&was->tunnel_source.ipv4, &now->tunnel_source.ipv4) ||
	    !prefix_equal(&was->tunnel_source.ipv6, &now->tunnel_source.ipv6))
		vip_changes_add(&d->list, "change", "node", now->name, "change tunnel_source");
	diff_number(d, "drain_time", was->drain_time_ms, now->drain_time_ms, " ms");
	diff_number(d, "tracking.flows", was->tracking.flows, now->tracking.flows, "");
	diff_number(d, "tracking.settle_time", was->tracking.settle_time_ms,
		    now->tracking.settle_time_ms, " ms");
	diff_number(d, "tracking.idle_time", was->tracking.idle_time_ms, now->tracking.idle_time_ms,
		    " ms");
	diff_number(d, "icmp.echo_rate", was->icmp.echo_rate, now->icmp.echo_rate, "");
	diff_number(d, "icmp.too_big_rate", was->icmp.too_big_rate, now->icmp.too_big_rate, "");
	if (strcmp(was->name, now->name) != 0)
		vip_changes_add(&d->list, "change", "node", now->name, "rename node %s to %s",
				was->name, now->name);
}

static void diff_neighbors(struct differ *d)
{
	const struct config_bgp *was = &d->was_cfg->bgp, *now = &d->cfg->bgp;
	char buf[ADDR_STRLEN];

	for (size_t i = 0; d->was_cfg->has_bgp && i < was->n_neighbors; i++) {
		const struct config_neighbor *n = &was->neighbors[i];

		addr_format(&n->address, buf);
		if (!d->cfg->has_bgp || !config_find_neighbor(now, &n->address))
			hurt(vip_changes_add(&d->list, "remove", "neighbor", buf,
					     "remove BGP neighbour %s", buf),
			     "it loses all routes to this node");
	}
	for (size_t i = 0; d->cfg->has_bgp && i < now->n_neighbors; i++) {
		const struct config_neighbor *n = &now->neighbors[i];
		const struct config_neighbor *old =
			d->was_cfg->has_bgp ? config_find_neighbor(was, &n->address) : NULL;

		addr_format(&n->address, buf);
		if (!old)
			vip_changes_add(&d->list, "add", "neighbor", buf,
					"add BGP neighbour %s, AS %u", buf, n->asn);
		else if (!config_neighbor_equal(old, n))
			hurt(vip_changes_add(&d->list, "change", "neighbor", buf,
					     "change BGP neighbour %s", buf),
			     "its session starts anew, unless only next_hop changes");
	}
}

static void diff_bgp(struct differ *d)
{
	const struct config_bgp *was = &d->was_cfg->bgp, *now = &d->cfg->bgp;

	if (d->was_cfg->has_bgp && d->cfg->has_bgp &&
	    (was->asn != now->asn || !addr_equal(&was->router_id, &now->router_id)))
		hurt(vip_changes_add(&d->list, "change", "bgp", d->cfg->node.name,
				     "change the AS number or router id"),
		     "all BGP sessions start anew");
	diff_neighbors(d);
}

/* ---- pools and reals ---- */

static void real_name(const struct config_pool *pool, const struct config_real *real, char *buf,
		      size_t len)
{
	char addr[ADDR_STRLEN];

	snprintf(buf, len, "%s %s", pool->name, addr_format(&real->address, addr));
}

static void diff_reals(struct differ *d, const struct config_pool *was,
		       const struct config_pool *now)
{
	char name[CONFIG_NAME_MAX + ADDR_STRLEN + 2];
	const char *addr = name + strlen(now->name) + 1;

	for (size_t i = 0; i < was->n_reals; i++) {
		if (config_find_real(now, &was->reals[i].address))
			continue;
		real_name(now, &was->reals[i], name, sizeof(name));
		vip_changes_add(&d->list, "remove", "real", name,
				"remove real %s from pool %s; connections on it go on until they "
				"end",
				addr, now->name);
	}
	for (size_t i = 0; i < now->n_reals; i++) {
		const struct config_real *r = &now->reals[i];
		const struct config_real *old = config_find_real(was, &r->address);

		real_name(now, r, name, sizeof(name));
		if (!old)
			vip_changes_add(&d->list, "add", "real", name,
					"add real %s to pool %s, weight %u", addr, now->name,
					r->weight);
		else if (old->weight != r->weight)
			vip_changes_add(&d->list, "change", "real", name,
					"change weight of real %s of pool %s from %u to %u", addr,
					now->name, old->weight, r->weight);
		else if (old->mac.set != r->mac.set ||
			 memcmp(old->mac.bytes, r->mac.bytes, sizeof(r->mac.bytes)) != 0)
			vip_changes_add(&d->list, "change", "real", name,
					"change MAC address of real %s of pool %s", addr,
					now->name);
		else if (!config_real_equal(old, r))
			hurt(vip_changes_add(&d->list, "change", "real", name,
					     "change server id of real %s of pool %s", addr,
					     now->name),
			     "QUIC connections with its old id go by the hash");
	}
}

static void diff_quic(struct differ *d, const struct config_pool *was,
		      const struct config_pool *now)
{
	if (was->has_quic == now->has_quic &&
	    (!now->has_quic || (was->quic.server_id_length == now->quic.server_id_length &&
				was->quic.rotation == now->quic.rotation)))
		return;
	hurt(vip_changes_add(&d->list, "change", "pool", now->name,
			     "change how pool %s routes QUIC by connection id", now->name),
	     "%s", was->has_quic ? "connections with ids of the old kind go by the hash" : "");
}

static void diff_pool(struct differ *d, const struct config_pool *was,
		      const struct config_pool *now)
{
	if (was->encap != now->encap)
		hurt(vip_changes_add(&d->list, "change", "pool", now->name,
				     "change encap of pool %s from %s to %s", now->name,
				     config_encap_name(was->encap), config_encap_name(now->encap)),
		     "reals that don't expect it lose all their connections");
	else if (was->gue_port != now->gue_port)
		hurt(vip_changes_add(&d->list, "change", "pool", now->name,
				     "change gue_port of pool %s from %u to %u", now->name,
				     was->gue_port, now->gue_port),
		     "reals that don't expect it lose all their connections");
	diff_quic(d, was, now);
	if (was->table_size != now->table_size)
		hurt(vip_changes_add(&d->list, "change", "pool", now->name,
				     "change table_size of pool %s from %u to %u", now->name,
				     was->table_size, now->table_size),
		     "nearly all of its connections end: another table has other slots, and only "
		     "connections that the flow table holds stay");
	if (was->min_healthy != now->min_healthy)
		vip_changes_add(&d->list, "change", "pool", now->name,
				"change min_healthy of pool %s from %u to %u", now->name,
				was->min_healthy, now->min_healthy);
	if (was->has_health != now->has_health ||
	    (now->has_health && !config_health_equal(&was->health, &now->health)))
		vip_changes_add(&d->list, "change", "pool", now->name,
				"change health check of pool %s", now->name);
	diff_reals(d, was, now);
}

static void diff_pools(struct differ *d)
{
	for (size_t i = 0; i < d->cfg->n_pools; i++) {
		const struct config_pool *now = &d->cfg->pools[i];
		const struct config_pool *was = config_find_pool(d->was_cfg, now->name);

		if (was)
			diff_pool(d, was, now);
		else
			vip_changes_add(&d->list, "add", "pool", now->name,
					"add pool %s with %zu reals", now->name, now->n_reals);
	}
}

static void diff_pool_removals(struct differ *d)
{
	for (size_t i = 0; i < d->was_cfg->n_pools; i++) {
		const struct config_pool *was = &d->was_cfg->pools[i];

		if (!config_find_pool(d->cfg, was->name))
			vip_changes_add(&d->list, "remove", "pool", was->name,
					"remove pool %s with %zu reals", was->name, was->n_reals);
	}
}

/* ---- VIPs and services ---- */

static bool same_deny(const struct config_service *a, const struct config_service *b)
{
	if (a->n_deny != b->n_deny)
		return false;
	for (size_t i = 0; i < a->n_deny; i++)
		if (!prefix_equal(&a->deny[i].prefix, &b->deny[i].prefix))
			return false;
	return true;
}

/* What a service does beside choosing its pool. */
static void diff_options(struct differ *d, const struct config_service *was,
			 const struct config_service *now, const char *name)
{
	if (was->hash != now->hash)
		hurt(vip_changes_add(&d->list, "change", "service", name,
				     "change hash of service %s from %s to %s", name,
				     config_hash_name(was->hash), config_hash_name(now->hash)),
		     "nearly all of its connections end");
	if (!same_deny(was, now))
		hurt(vip_changes_add(&d->list, "change", "service", name,
				     "change the deny list of service %s from %zu to %zu prefixes",
				     name, was->n_deny, now->n_deny),
		     "%s", now->n_deny ? "connections from what it holds end" : "");
	if (was->syn_rate != now->syn_rate || was->syn_burst != now->syn_burst)
		vip_changes_add(&d->list, "change", "service", name,
				"change the limit of SYNs of service %s from %u to %u per second",
				name, was->syn_rate, now->syn_rate);
	if (was->quic != now->quic)
		hurt(vip_changes_add(&d->list, "change", "service", name,
				     "turn routing by QUIC connection id %s for service %s",
				     now->quic ? "on" : "off", name),
		     "%s", now->quic ? "" : "QUIC connections whose client moved end");
}

static void diff_services(struct differ *d, const struct config_vip *was,
			  const struct config_vip *now)
{
	char name[CONFIG_NAME_MAX + 24], port[PORTS_STRLEN];

	for (size_t i = 0; i < now->n_services; i++) {
		const struct config_service *s = &now->services[i];
		const struct config_service *old = config_find_service(was, s->protocol, s->ports);
		const char *proto = config_protocol_name(s->protocol);

		ports_format(s->ports, port);
		snprintf(name, sizeof(name), "%s %s/%s", now->name, proto, port);
		if (!old)
			vip_changes_add(&d->list, "add", "service", name,
					"add service %s/%s to VIP %s, pool %s", proto, port,
					now->name, s->pool);
		else if (strcmp(old->pool, s->pool) != 0)
			hurt(vip_changes_add(&d->list, "change", "service", name,
					     "move service %s/%s of VIP %s from pool %s to %s",
					     proto, port, now->name, old->pool, s->pool),
			     "its connections end");
		if (old)
			diff_options(d, old, s, name);
	}
	for (size_t i = 0; i < was->n_services; i++) {
		const struct config_service *s = &was->services[i];
		const char *proto = config_protocol_name(s->protocol);

		if (config_find_service(now, s->protocol, s->ports))
			continue;
		ports_format(s->ports, port);
		snprintf(name, sizeof(name), "%s %s/%s", now->name, proto, port);
		hurt(vip_changes_add(&d->list, "remove", "service", name,
				     "remove service %s/%s from VIP %s", proto, port, now->name),
		     "its connections end");
	}
}

static void diff_vip(struct differ *d, const struct config_vip *was, const struct config_vip *now)
{
	char from[ADDR_STRLEN], to[ADDR_STRLEN];

	if (!prefix_equal(&was->address, &now->address))
		hurt(vip_changes_add(&d->list, "change", "vip", now->name,
				     "move VIP %s from %s to %s", now->name,
				     prefix_format_short(&was->address, from),
				     prefix_format_short(&now->address, to)),
		     "all its connections end");
	if (was->announce.when != now->announce.when)
		vip_changes_add(&d->list, "change", "vip", now->name,
				"change announce of VIP %s from %s to %s", now->name,
				config_announce_name(was->announce.when),
				config_announce_name(now->announce.when));
	diff_services(d, was, now);
}

static void diff_vips(struct differ *d)
{
	char addr[ADDR_STRLEN];

	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *now = &d->cfg->vips[i];
		const struct config_vip *was = config_find_vip(d->was_cfg, now->name);
		const struct config_vip none = {0};

		if (was) {
			diff_vip(d, was, now);
			continue;
		}
		vip_changes_add(&d->list, "add", "vip", now->name, "add VIP %s %s", now->name,
				prefix_format_short(&now->address, addr));
		diff_services(d, &none, now);
	}
	for (size_t i = 0; i < d->was_cfg->n_vips; i++) {
		const struct config_vip *was = &d->was_cfg->vips[i];

		if (!config_find_vip(d->cfg, was->name))
			hurt(vip_changes_add(&d->list, "remove", "vip", was->name,
					     "remove VIP %s %s", was->name,
					     prefix_format_short(&was->address, addr)),
			     "its connections end");
	}
}

static void diff_metrics(struct differ *d)
{
	const struct config_endpoint *e = &d->cfg->metrics.listen;
	char buf[ADDR_STRLEN];

	if (config_metrics_equal(&d->was_cfg->metrics, &d->cfg->metrics))
		return;
	if (e->addr.family == 0)
		vip_changes_add(&d->list, "change", "metrics", "metrics", "turn metrics off");
	else
		vip_changes_add(&d->list, "change", "metrics", "metrics", "serve metrics on %s",
				addr_port_format(&e->addr, e->port, buf));
}

int vip_diff(const struct config *was_cfg, const struct vip_desired *was, const struct config *cfg,
	     const struct vip_desired *want, struct vip_changes *ret_list)
{
	static const struct config nothing;
	static const struct vip_desired nothing_desired;
	struct differ d = {.was_cfg = was_cfg ? was_cfg : &nothing,
			   .was = was ? was : &nothing_desired,
			   .cfg = cfg,
			   .want = want};

	diff_withdrawals(&d);
	if (was_cfg)
		diff_node(&d);
	diff_pools(&d);
	diff_vips(&d);
	diff_pool_removals(&d);
	diff_metrics(&d);
	diff_bgp(&d);
	diff_announcements(&d);
	if (d.list.oom) {
		vip_changes_fini(&d.list);
		return -ENOMEM;
	}
	*ret_list = d.list;
	return 0;
}

static int brake_reals(const struct config_pool *was, const struct config_pool *now,
		       struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < was->n_reals; i++)
		kept += config_find_real(now, &was->reals[i].address) != NULL;
	if (was->n_reals < BRAKE_MIN || 2 * kept >= was->n_reals)
		return 0;
	return err_set(err, -EPERM, "removes %zu of the %zu reals of pool %s at once",
		       was->n_reals - kept, was->n_reals, was->name);
}

int vip_brake_removals(const struct config *was, const struct config *cfg, struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < was->n_vips; i++)
		kept += config_find_vip(cfg, was->vips[i].name) != NULL;
	if (was->n_vips >= BRAKE_MIN && 2 * kept < was->n_vips)
		return err_set(err, -EPERM, "removes %zu of %zu VIPs at once", was->n_vips - kept,
			       was->n_vips);
	for (size_t i = 0; i < was->n_pools; i++) {
		const struct config_pool *now = config_find_pool(cfg, was->pools[i].name);
		int rc = now ? brake_reals(&was->pools[i], now, err) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}
