/* SPDX-License-Identifier: BSD-2-Clause */
/* The things the daemon watches because the configuration names them: each real's check, the way to
 * each address, and what is remembered of each VIP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"

/* ---- sorted arrays of entries ---- */

static int real_cmp(const struct real_entry *e, const char *pool, const struct addr *addr)
{
	int d = strcmp(e->pool, pool);

	return d ? d : addr_cmp(&e->addr, addr);
}

/* Place of the first entry that isn't below the key. */
static size_t real_place(const struct daemon *d, const char *pool, const struct addr *addr)
{
	size_t lo = 0, hi = d->n_reals;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (real_cmp(d->reals[mid], pool, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct real_entry *daemon_find_real(const struct daemon *d, const char *pool,
				    const struct addr *addr)
{
	size_t at = real_place(d, pool, addr);

	return at < d->n_reals && real_cmp(d->reals[at], pool, addr) == 0 ? d->reals[at] : NULL;
}

static size_t way_place(const struct daemon *d, const struct addr *addr)
{
	size_t lo = 0, hi = d->n_ways;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr_cmp(&d->ways[mid]->addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct way_entry *daemon_find_way(const struct daemon *d, const struct addr *addr)
{
	size_t at = way_place(d, addr);

	return at < d->n_ways && addr_equal(&d->ways[at]->addr, addr) ? d->ways[at] : NULL;
}

static size_t vip_place(const struct daemon *d, const char *name)
{
	size_t lo = 0, hi = d->n_vips;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(d->vips[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct vip_entry *daemon_find_vip(const struct daemon *d, const char *name)
{
	size_t at = vip_place(d, name);

	return at < d->n_vips && strcmp(d->vips[at].name, name) == 0 ? &d->vips[at] : NULL;
}

/* Make room for one more at place at; NULL out of memory. */
static void *open_gap(void *array, size_t n, size_t size, size_t at)
{
	char *grown = realloc(array, (n + 1) * size);

	if (grown)
		memmove(grown + (at + 1) * size, grown + at * size, (n - at) * size);
	return grown;
}

static void close_gap(void *array, size_t n, size_t size, size_t at)
{
	char *base = array;

	memmove(base + at * size, base + (at + 1) * size, (n - at - 1) * size);
}

/* ---- reals and their checks ---- */

static void target_config(const struct config_health *h, const struct addr *addr,
			  struct health_target_config *ret)
{
	static const enum health_type types[] = {[CONFIG_HEALTH_TCP] = HEALTH_TCP,
						 [CONFIG_HEALTH_HTTP] = HEALTH_HTTP,
						 [CONFIG_HEALTH_HTTPS] = HEALTH_HTTPS};

	*ret = (struct health_target_config){.type = types[h->type],
					     .address = *addr,
					     .port = h->port,
					     .path = h->path,
					     .host = h->host,
					     .interval_ms = h->interval_ms,
					     .timeout_ms = h->timeout_ms,
					     .rise = h->rise,
					     .fall = h->fall};
}

static int sync_check(struct daemon *d, const struct config_pool *pool, struct real_entry *e,
		      bool first, struct err *err)
{
	struct health_target_config tc;
	enum health_state initial = HEALTH_UNKNOWN;

	if (!pool->has_health) {
		health_target_remove(e->target);
		e->target = NULL;
		return 0;
	}
	target_config(&pool->health, &e->addr, &tc);
	if (e->target)
		return health_target_set(e->target, &tc, err);
	if (first && publish_adopted_member(d->publish, pool->name, &e->addr))
		initial = HEALTH_UP;
	return health_target_add(d->health, &tc, e, initial, &e->target, err);
}

static struct real_entry *real_new(struct daemon *d, const char *pool, const struct addr *addr)
{
	struct real_entry *e = calloc(1, sizeof(*e)), **grown;
	size_t at = real_place(d, pool, addr);

	grown = e ? open_gap(d->reals, d->n_reals, sizeof(e), at) : NULL;
	if (!grown) {
		free(e);
		return NULL;
	}
	d->reals = grown;
	d->reals[at] = e;
	d->n_reals++;
	e->d = d;
	snprintf(e->pool, sizeof(e->pool), "%s", pool);
	e->addr = *addr;
	e->state = VIP_REAL_CHECKING;
	e->since_ns = clock_now_ns();
	return e;
}

static int sync_real(struct daemon *d, const struct config_pool *pool,
		     const struct config_real *real, bool first, struct err *err)
{
	struct real_entry *e = daemon_find_real(d, pool->name, &real->address);
	char buf[ADDR_STRLEN];
	int rc;

	if (!e)
		e = real_new(d, pool->name, &real->address);
	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	e->wanted = true;
	rc = sync_check(d, pool, e, first, err);
	if (rc < 0)
		return err_prefix(err, rc, "health check of real %s of pool %s",
				  addr_format(&e->addr, buf), pool->name);
	return 0;
}

/* ---- ways ---- */

static bool is_own_interface(void *arg, const char *name)
{
	const struct config_node *node = arg;

	for (size_t i = 0; i < node->n_interfaces; i++)
		if (strcmp(node->interfaces[i].name, name) == 0)
			return true;
	return false;
}

int daemon_iface_publish(struct daemon *d, uint32_t ifindex, struct err *err)
{
	struct publish_egress e = {.ifindex = ifindex};
	struct neighbour_egress way;
	int rc = neighbour_egress_get(d->neighbour, ifindex, is_own_interface, &d->cfg->node, &way,
				      err);

	if (rc < 0)
		return rc;
	e.device = way.device.ifindex;
	e.mtu = way.link.mtu;
	e.sole = d->cfg->node.n_interfaces == 1 && is_own_interface(&d->cfg->node, way.device.name);
	e.n_tags = way.n_tags;
	memcpy(e.mac, way.link.mac, sizeof(e.mac));
	for (uint32_t i = 0; i < way.n_tags; i++)
		e.tags[i] = way.tags[i];
	return publish_egress_set(d->publish, &e, err);
}

const char *daemon_way_reason(const struct way_entry *w)
{
	return w->trouble[0] ? w->trouble : neighbour_watch_nexthop(w->watch)->reason;
}

/* Load the next hop, mac NULL: none. What can't be loaded is loaded as none, since it leads
 * elsewhere now than the tables say. */
static int way_load(struct way_entry *w, uint32_t ifindex, const uint8_t *mac, struct err *err)
{
	struct daemon *d = w->d;
	struct err ignored;
	int rc = mac ? daemon_iface_publish(d, ifindex, err) : 0;

	if (rc == 0)
		rc = publish_nexthop_set(d->publish, &w->addr, mac ? ifindex : 0, mac, err);
	/* Fails only out of memory, where its address was never loaded. */
	if (rc < 0 && mac)
		(void)!publish_nexthop_set(d->publish, &w->addr, 0, NULL, &ignored);
	return rc;
}

/* Bring what is known of the way to the tables. */
static void way_publish(struct way_entry *w)
{
	const struct neighbour_nexthop *nh = neighbour_watch_nexthop(w->watch);
	const uint8_t *mac = NULL;
	struct err err = {.text = ""};
	char buf[ADDR_STRLEN];

	/* A pinned address needs no answer from the neighbour, only an interface to leave by. */
	if (w->pin.set && nh->ifindex)
		mac = w->pin.bytes;
	else if (nh->resolved)
		mac = nh->mac;
	/* While the first ARP is under way, adopted tables may know the next hop from before. */
	if ((mac || w->ever_resolved || !nh->ifindex) && way_load(w, nh->ifindex, mac, &err) < 0)
		mac = NULL;
	if (err.text[0] && strncmp(w->trouble, err.text, sizeof(w->trouble) - 1) != 0)
		journal_write(LOG_LEVEL_ERROR, "real", addr_format(&w->addr, buf),
			      "next hop can't be loaded: %s", err.text);
	snprintf(w->trouble, sizeof(w->trouble), "%.*s", (int)sizeof(w->trouble) - 1, err.text);
	if (w->answered && w->resolved == (mac != NULL))
		return;
	w->resolved = mac != NULL;
	w->ever_resolved |= w->resolved;
	if (mac)
		journal_write(w->answered ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "real",
			      addr_format(&w->addr, buf), "next hop resolved");
	else
		journal_write(LOG_LEVEL_WARN, "real", addr_format(&w->addr, buf),
			      "next hop not resolved: %s", daemon_way_reason(w));
}

/* Publish the way anew, and act on what that changes. */
static void way_changed(struct way_entry *w)
{
	bool was = w->resolved;

	/* The words change far more often than what can be reached. */
	way_publish(w);
	if (w->answered && w->resolved == was)
		return;
	w->answered = true;
	daemon_dirty(w->d);
}

static void on_nexthop(void *arg, struct neighbour_watch *watch, void *owner,
		       const struct neighbour_nexthop *nexthop)
{
	(void)arg;
	(void)watch;
	(void)nexthop;
	way_changed(owner);
}

/* An interface that frames leave by got another MAC address or MTU, or one came that a VLAN device
 * lies on: ways that use it are published again. */
static void link_changed(struct daemon *d, const struct neighbour_link *link)
{
	for (size_t i = 0; i < d->n_ways; i++) {
		struct way_entry *w = d->ways[i];
		const struct neighbour_nexthop *nh = neighbour_watch_nexthop(w->watch);

		if (w->answered && (nh->ifindex == link->ifindex || w->trouble[0]))
			way_changed(w);
	}
}

static void on_link(void *arg, const struct neighbour_link *link, bool present)
{
	struct daemon *d = arg;

	if (present)
		link_changed(d, link);
	if (!is_own_interface(&d->cfg->node, link->name))
		return;
	journal_write(link->up ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "node", link->name,
		      "interface %s",
		      !present   ? "is gone"
		      : link->up ? "is up"
				 : "is down");
	daemon_dirty(d);
}

static struct way_entry *way_new(struct daemon *d, const struct addr *addr)
{
	struct way_entry *w = calloc(1, sizeof(*w)), **grown;
	size_t at = way_place(d, addr);

	if (!w)
		return NULL;
	w->d = d;
	w->addr = *addr;
	if (neighbour_watch_add(d->neighbour, addr, w, &w->watch) < 0) {
		free(w);
		return NULL;
	}
	grown = open_gap(d->ways, d->n_ways, sizeof(w), at);
	if (!grown) {
		neighbour_watch_remove(w->watch);
		free(w);
		return NULL;
	}
	d->ways = grown;
	d->ways[at] = w;
	d->n_ways++;
	return w;
}

static int sync_way(struct daemon *d, const struct config_real *real, struct err *err)
{
	struct way_entry *w = daemon_find_way(d, &real->address);
	bool seen;

	if (!w)
		w = way_new(d, &real->address);
	if (!w)
		return err_set(err, -ENOMEM, "out of memory");
	seen = w->wanted;
	w->wanted = true;
	/* An address in several pools: the first pin that is given counts. */
	if (seen && (w->pin.set || !real->mac.set))
		return 0;
	if (w->pin.set == real->mac.set &&
	    (!w->pin.set || memcmp(w->pin.bytes, real->mac.bytes, sizeof(w->pin.bytes)) == 0))
		return 0;
	w->pin = real->mac;
	if (w->answered)
		way_publish(w);
	return 0;
}

bool daemon_ways_answered(const struct daemon *d)
{
	for (size_t i = 0; i < d->n_ways; i++) {
		if (d->ways[i]->wanted && !d->ways[i]->answered)
			return false;
	}
	return true;
}

/* ---- VIPs ---- */

static int sync_vip(struct daemon *d, const struct config_vip *vip, struct err *err)
{
	struct vip_entry *v = daemon_find_vip(d, vip->name), *grown;
	size_t at;

	if (!v) {
		at = vip_place(d, vip->name);
		grown = open_gap(d->vips, d->n_vips, sizeof(*v), at);
		if (!grown)
			return err_set(err, -ENOMEM, "out of memory");
		d->vips = grown;
		d->n_vips++;
		v = &grown[at];
		memset(v, 0, sizeof(*v));
		snprintf(v->name, sizeof(v->name), "%s", vip->name);
		v->since_ns = clock_now_ns();
	}
	v->wanted = true;
	return 0;
}

/* ---- all of it ---- */

static void real_drop(struct daemon *d, size_t at)
{
	struct real_entry *e = d->reals[at];

	health_target_remove(e->target);
	free(e);
	close_gap(d->reals, d->n_reals, sizeof(e), at);
	d->n_reals--;
}

static void way_drop(struct daemon *d, size_t at)
{
	struct way_entry *w = d->ways[at];

	neighbour_watch_remove(w->watch);
	free(w);
	close_gap(d->ways, d->n_ways, sizeof(w), at);
	d->n_ways--;
}

void daemon_ways_sweep(struct daemon *d)
{
	for (size_t i = d->n_ways; i-- > 0;) {
		if (!d->ways[i]->wanted && !publish_holds(d->publish, &d->ways[i]->addr))
			way_drop(d, i);
	}
}

static int add_wanted(struct daemon *d, const struct config *cfg, bool first, struct err *err)
{
	for (size_t p = 0; p < cfg->n_pools; p++) {
		for (size_t r = 0; r < cfg->pools[p].n_reals; r++) {
			const struct config_real *real = &cfg->pools[p].reals[r];
			int rc = sync_real(d, &cfg->pools[p], real, first, err);

			if (rc == 0)
				rc = sync_way(d, real, err);
			if (rc < 0)
				return rc;
		}
	}
	for (size_t v = 0; v < cfg->n_vips; v++) {
		int rc = sync_vip(d, &cfg->vips[v], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int daemon_targets_sync(struct daemon *d, const struct config *cfg, bool first, struct err *err)
{
	int rc;

	for (size_t i = 0; i < d->n_reals; i++)
		d->reals[i]->wanted = false;
	for (size_t i = 0; i < d->n_ways; i++)
		d->ways[i]->wanted = false;
	for (size_t i = 0; i < d->n_vips; i++)
		d->vips[i].wanted = false;
	rc = add_wanted(d, cfg, first, err);
	if (rc < 0)
		return rc;
	for (size_t i = d->n_reals; i-- > 0;) {
		if (!d->reals[i]->wanted)
			real_drop(d, i);
	}
	daemon_ways_sweep(d);
	for (size_t i = d->n_vips; i-- > 0;) {
		if (d->vips[i].wanted)
			continue;
		close_gap(d->vips, d->n_vips, sizeof(*d->vips), i);
		d->n_vips--;
	}
	return 0;
}

void daemon_targets_free(struct daemon *d)
{
	while (d->n_reals)
		real_drop(d, d->n_reals - 1);
	while (d->n_ways)
		way_drop(d, d->n_ways - 1);
	free(d->reals);
	free(d->ways);
	free(d->vips);
	d->reals = NULL;
	d->ways = NULL;
	d->vips = NULL;
	d->n_vips = 0;
}

/* ---- health ---- */

static void on_health(void *arg, struct health_target *target, void *owner, enum health_state was,
		      enum health_state now, const char *reason)
{
	struct real_entry *e = owner;

	(void)arg;
	(void)target;
	(void)reason;
	if (now == HEALTH_UP)
		e->fell_ns = 0;
	else if (was == HEALTH_UP)
		e->fell_ns = clock_now_ns();
	daemon_dirty(e->d);
}

static void on_prober_error(void *arg, struct health_target *target, void *owner,
			    const char *reason)
{
	struct real_entry *e = owner;
	char name[CONFIG_NAME_MAX + ADDR_STRLEN + 2], buf[ADDR_STRLEN];

	(void)arg;
	(void)target;
	snprintf(name, sizeof(name), "%s %s", e->pool, addr_format(&e->addr, buf));
	journal_write(LOG_LEVEL_WARN, "real", name, "can't be checked from here: %s", reason);
}

struct health_events daemon_health_events(struct daemon *d)
{
	return (struct health_events){
		.arg = d, .changed = on_health, .prober_error = on_prober_error};
}

struct neighbour_events daemon_neighbour_events(struct daemon *d)
{
	return (struct neighbour_events){.arg = d, .nexthop = on_nexthop, .link = on_link};
}
