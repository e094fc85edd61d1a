/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/desired.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

const char *vip_real_state_name(enum vip_real_state state)
{
	static const char *const names[] = {"up", "down", "checking", "draining", "disabled"};

	return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

const char *vip_pool_condition_name(enum vip_pool_condition condition)
{
	static const char *const names[] = {"ok", "below_minimum", "empty"};

	return (unsigned)condition < sizeof(names) / sizeof(names[0]) ? names[condition] : "?";
}

const char *vip_health_name(enum vip_health health)
{
	static const char *const names[] = {"none", "checking", "up", "down", "down"};

	return (unsigned)health < sizeof(names) / sizeof(names[0]) ? names[health] : "?";
}

static enum vip_real_state real_state(enum vip_intent_kind admin, enum vip_health health)
{
	if (admin == VIP_INTENT_DISABLE)
		return VIP_REAL_DISABLED;
	if (admin == VIP_INTENT_DRAIN)
		return VIP_REAL_DRAINING;
	if (health == VIP_HEALTH_CHECKING)
		return VIP_REAL_CHECKING;
	return health == VIP_HEALTH_DOWN ? VIP_REAL_DOWN : VIP_REAL_UP;
}

static void judge_real(const struct vip_inputs *in, const struct config_pool *pool,
		       const struct config_real *real, struct vip_real_report *r)
{
	r->real = real;
	r->admin = vip_intent_get(in->intent, pool->name, &real->address);
	r->health = pool->has_health ? in->health(in->arg, pool->name, &real->address)
				     : VIP_HEALTH_NONE;
	r->resolved = in->resolved(in->arg, &real->address);
	r->state = real_state(r->admin, r->health);
	r->member = r->state == VIP_REAL_UP || r->state == VIP_REAL_CHECKING ||
		    (r->state == VIP_REAL_DRAINING && r->health != VIP_HEALTH_DOWN);
	r->weight = r->state == VIP_REAL_UP ? real->weight : 0;
}

static bool used_by_always(const struct config *cfg, const char *pool)
{
	for (size_t i = 0; i < cfg->n_vips; i++) {
		const struct config_vip *vip = &cfg->vips[i];

		if (vip->announce.when != CONFIG_ANNOUNCE_ALWAYS)
			continue;
		for (size_t s = 0; s < vip->n_services; s++) {
			if (strcmp(vip->services[s].pool, pool) == 0)
				return true;
		}
	}
	return false;
}

/* No real is up, and the pool's VIP stays announced whatever happens: send to all that the
 * operator didn't take out. */
static void open_pool(struct vip_pool_report *p)
{
	for (size_t i = 0; i < p->pool->n_reals; i++) {
		struct vip_real_report *r = &p->reals[i];

		if (r->admin != VIP_INTENT_ENABLE)
			continue;
		r->member = true;
		r->weight = r->real->weight;
		if (r->weight > 0)
			p->fail_open = true;
	}
}

static void explain_pool(struct vip_pool_report *p)
{
	size_t count[VIP_REAL_DISABLED + 1] = {0}, weightless = 0;
	size_t n = p->pool->n_reals, len;

	for (size_t i = 0; i < n; i++) {
		count[p->reals[i].state]++;
		if (p->reals[i].state == VIP_REAL_UP && p->reals[i].weight == 0)
			weightless++;
	}
	len = (size_t)snprintf(p->reason, sizeof(p->reason), "%zu of %zu reals up", p->n_up, n);
	if (p->n_up < p->pool->min_healthy)
		len += (size_t)snprintf(p->reason + len, sizeof(p->reason) - len,
					" (min_healthy %u)", p->pool->min_healthy);
	for (int s = VIP_REAL_DOWN; s <= VIP_REAL_DISABLED; s++) {
		if (count[s])
			len += (size_t)snprintf(p->reason + len, sizeof(p->reason) - len,
						", %zu %s", count[s],
						vip_real_state_name((enum vip_real_state)s));
	}
	if (weightless)
		len += (size_t)snprintf(p->reason + len, sizeof(p->reason) - len,
					", %zu of weight 0", weightless);
	if (p->n_held)
		len += (size_t)snprintf(p->reason + len, sizeof(p->reason) - len,
					"; checks of %zu of them fail, held: this node's checks "
					"are suspected",
					p->n_held);
	if (p->fail_open)
		snprintf(p->reason + len, sizeof(p->reason) - len,
			 "; its VIP is announced always, so all of them get packets (fail-open)");
}

static int judge_pool(const struct vip_inputs *in, const struct config_pool *pool,
		      struct vip_pool_report *p)
{
	p->pool = pool;
	p->reals = calloc(pool->n_reals ? pool->n_reals : 1, sizeof(*p->reals));
	if (!p->reals)
		return -ENOMEM;
	for (size_t i = 0; i < pool->n_reals; i++) {
		struct vip_real_report *r = &p->reals[i];

		judge_real(in, pool, &pool->reals[i], r);
		if (r->weight == 0)
			continue;
		p->n_up++;
		p->n_held += r->health == VIP_HEALTH_HELD;
		if (r->resolved)
			p->n_up_reached++;
	}
	if (p->n_up == 0 && used_by_always(in->cfg, pool->name))
		open_pool(p);
	if (p->n_up == 0)
		p->condition = VIP_POOL_EMPTY;
	else if (p->n_up < pool->min_healthy)
		p->condition = VIP_POOL_BELOW_MINIMUM;
	explain_pool(p);
	return 0;
}

static int load_pool(const struct vip_pool_report *p, struct vip_state *st)
{
	const struct config_quic *quic = p->pool->has_quic ? &p->pool->quic : NULL;
	struct vip_pool pool = {
		.encap = p->pool->encap,
		.gue_port = p->pool->gue_port,
		.table_size = p->pool->table_size,
		.quic_length = quic ? (uint8_t)quic->server_id_length : 0,
		.quic_rotation = quic ? (uint8_t)quic->rotation : 0,
	};
	int rc;

	memcpy(pool.name, p->pool->name, sizeof(pool.name));
	pool.members = calloc(p->pool->n_reals ? p->pool->n_reals : 1, sizeof(*pool.members));
	if (!pool.members)
		return -ENOMEM;
	for (size_t i = 0; i < p->pool->n_reals; i++) {
		const struct vip_real_report *r = &p->reals[i];

		pool.members[pool.n_members++] =
			(struct vip_member){.addr = r->real->address,
					    .weight = r->weight,
					    .dead = !r->member,
					    .server_id = config_server_id(p->pool, r->real)};
	}
	rc = vip_state_set_pool(st, &pool);
	free(pool.members);
	return rc;
}

static int load_services(const struct config_vip *vip, struct vip_state *st)
{
	for (size_t i = 0; i < vip->n_services; i++) {
		const struct config_service *from = &vip->services[i];
		AUTO_FREE struct prefix *deny = calloc(from->n_deny + 1, sizeof(*deny));
		struct vip_service s = {
			.address = vip->address,
			.protocol = (uint8_t)from->protocol,
			.ports = from->ports,
			.hash = from->hash,
			.quic = from->quic,
			.syn_rate = from->syn_rate,
			.syn_burst = config_syn_burst(from),
			.deny = deny,
			.n_deny = from->n_deny,
		};
		int rc;

		if (!deny)
			return -ENOMEM;
		for (size_t k = 0; k < from->n_deny; k++)
			deny[k] = from->deny[k].prefix;
		memcpy(s.vip, vip->name, sizeof(s.vip));
		memcpy(s.pool, from->pool, sizeof(s.pool));
		rc = vip_state_set_service(st, &s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Is a service of the VIP good? The words name the first that isn't. */
static bool judge_services(const struct vip_desired *d, const struct config_vip *vip, char *words,
			   size_t len)
{
	size_t good = 0;

	words[0] = '\0';
	for (size_t i = 0; i < vip->n_services; i++) {
		const struct config_service *s = &vip->services[i];
		const struct vip_pool_report *p = vip_desired_pool(d, s->pool);

		if (p->condition == VIP_POOL_OK && p->n_up_reached > 0) {
			good++;
			continue;
		}
		if (words[0])
			continue;
		if (p->condition == VIP_POOL_OK)
			snprintf(words, len, "pool %s: no next hop of its %zu reals is resolved",
				 s->pool, p->n_up);
		else
			snprintf(words, len, "pool %s has %s", s->pool, p->reason);
	}
	if (vip->n_services == 0)
		snprintf(words, len, "it has no services");
	return good > 0;
}

static void judge_vip(const struct vip_inputs *in, const struct vip_desired *d,
		      const struct config_vip *vip, struct vip_report *v)
{
	const char *blocked = NULL;
	char words[VIP_POOL_REASON_LEN + CONFIG_NAME_MAX + 32];
	bool good = judge_services(d, vip, words, sizeof(words));

	v->vip = vip;
	v->serves = good && !in->intent->node_drained &&
		    (vip->announce.when == CONFIG_ANNOUNCE_NEVER || !in->cfg->has_bgp);
	if (vip->announce.when == CONFIG_ANNOUNCE_NEVER)
		snprintf(v->reason, sizeof(v->reason), "announce: never");
	else if (!in->cfg->has_bgp)
		snprintf(v->reason, sizeof(v->reason), "bgp is not configured");
	else if (in->intent->node_drained)
		snprintf(v->reason, sizeof(v->reason), "node is drained");
	else if (in->node_blocked)
		snprintf(v->reason, sizeof(v->reason), "%s", in->node_blocked);
	else if (vip->announce.when == CONFIG_ANNOUNCE_HEALTHY && !good)
		snprintf(v->reason, sizeof(v->reason), "%s", words);
	else if ((blocked = in->vip_blocked(in->arg, vip)) != NULL && good)
		snprintf(v->reason, sizeof(v->reason), "%s", blocked);
	else
		v->announce = true;
	if (!v->announce)
		return;
	if (vip->announce.when == CONFIG_ANNOUNCE_ALWAYS)
		snprintf(v->reason, sizeof(v->reason), "announce: always%s%s",
			 words[0] ? ", although " : "", words);
	else if (words[0])
		snprintf(v->reason, sizeof(v->reason), "for its other services; %s", words);
	else
		snprintf(v->reason, sizeof(v->reason), "every service has enough reals");
}

static void set_node(const struct config_node *node, struct vip_node *ret)
{
	ret->set = true;
	memcpy(ret->hash_seed, node->hash_seed, sizeof(ret->hash_seed));
	ret->source4 = node->tunnel_source.ipv4;
	ret->source6 = node->tunnel_source.ipv6;
	ret->echo_rate = node->icmp.echo_rate;
	ret->too_big_rate = node->icmp.too_big_rate;
	ret->flows = node->tracking.flows;
	ret->settle_ms = node->tracking.settle_time_ms;
	ret->idle_ms = node->tracking.idle_time_ms;
}

static int fill(const struct vip_inputs *in, struct vip_desired *d)
{
	const struct config *cfg = in->cfg;
	int rc;

	set_node(&cfg->node, &d->state.node);
	for (size_t i = 0; i < cfg->n_pools; i++) {
		d->n_pools = i + 1;
		rc = judge_pool(in, &cfg->pools[i], &d->pools[i]);
		if (rc == 0)
			rc = load_pool(&d->pools[i], &d->state);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < cfg->n_vips; i++) {
		d->n_vips = i + 1;
		rc = load_services(&cfg->vips[i], &d->state);
		if (rc < 0)
			return rc;
		judge_vip(in, d, &cfg->vips[i], &d->vips[i]);
		if (!d->vips[i].announce)
			continue;
		rc = vip_state_announce(&d->state, &cfg->vips[i].address);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vip_desired_make(const struct vip_inputs *in, struct vip_desired *ret_desired)
{
	struct vip_desired d = {0};
	int rc = -ENOMEM;

	d.pools = calloc(in->cfg->n_pools ? in->cfg->n_pools : 1, sizeof(*d.pools));
	d.vips = calloc(in->cfg->n_vips ? in->cfg->n_vips : 1, sizeof(*d.vips));
	if (d.pools && d.vips)
		rc = fill(in, &d);
	if (rc < 0) {
		vip_desired_fini(&d);
		return rc;
	}
	*ret_desired = d;
	return 0;
}

void vip_desired_fini(struct vip_desired *d)
{
	vip_state_fini(&d->state);
	for (size_t i = 0; i < d->n_pools; i++)
		free(d->pools[i].reals);
	free(d->pools);
	free(d->vips);
	memset(d, 0, sizeof(*d));
}

const struct vip_pool_report *vip_desired_pool(const struct vip_desired *d, const char *name)
{
	for (size_t i = 0; i < d->n_pools; i++) {
		if (strcmp(d->pools[i].pool->name, name) == 0)
			return &d->pools[i];
	}
	return NULL;
}

const struct vip_report *vip_desired_vip(const struct vip_desired *d, const char *name)
{
	for (size_t i = 0; i < d->n_vips; i++) {
		if (strcmp(d->vips[i].vip->name, name) == 0)
			return &d->vips[i];
	}
	return NULL;
}
