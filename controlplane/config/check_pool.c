/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/schema.h"

#include "controlplane/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pools, their reals and their health checks. Runs after the VIPs', which know who uses a pool. */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct config_pool *)a)->name, ((const struct config_pool *)b)->name);
}

static void tell_name(const struct check *c, const void *owner, const void *first,
		      const void *again)
{
	const struct config_pool *a = first, *b = again;
	char line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->name[0])
		report_error(c->errs, check_mark(c, b->name, &b->mark), "rename one of them",
			     "another pool is named '%s'%s", b->name,
			     check_line(c, &a->mark, line));
}

static int compare_reals(const void *a, const void *b)
{
	return addr_cmp(&((const struct config_real *)a)->address,
			&((const struct config_real *)b)->address);
}

static void tell_real(const struct check *c, const void *owner, const void *first,
		      const void *again)
{
	const struct config_pool *pool = owner;
	const struct config_real *a = first, *b = again;
	char text[ADDR_STRLEN], line[CHECK_LINE_STRLEN];

	if (b->address.family)
		report_error(c->errs, check_mark(c, &b->address, &b->mark),
			     "remove one, and give the other the weight of both",
			     "real %s stands in pool '%s' twice%s", addr_format(&b->address, text),
			     pool->name, check_line(c, &a->mark, line));
}

static bool is_tunnel_source(const struct check *c, const struct addr *a)
{
	const struct config_tunnel_source *t = &c->cfg->node.tunnel_source;
	const struct prefix *p = a->family == 4 ? &t->ipv4 : &t->ipv6;

	return p->len == addr_bits(a) && addr_equal(&p->addr, a);
}

static void check_real(const struct check *c, const struct config_pool *pool,
		       const struct config_real *real)
{
	const struct config_mark *mark =
		c->places ? check_mark(c, &real->address, &real->mark) : NULL;
	const char *unfit = check_unfit(&real->address);
	char text[ADDR_STRLEN], line[CHECK_LINE_STRLEN], address[ADDR_STRLEN];
	const struct config_vip *vip;

	if (!real->address.family)
		return;
	addr_format(&real->address, text);
	if (unfit) {
		report_error(c->errs, mark, "use the server's own address",
			     "real %s in pool '%s' is %s", text, pool->name, unfit);
		return;
	}
	if (is_tunnel_source(c, &real->address))
		report_error(c->errs, mark, "use the server's own address",
			     "real %s in pool '%s' is this node's tunnel_source", text, pool->name);
	vip = check_vip_at(c, &real->address);
	if (vip && prefix_is_addr(&vip->address))
		report_error(c->errs, mark,
			     "use the server's own address; it carries the vip's on loopback only",
			     "real %s in pool '%s' is the address of vip '%s'%s", text, pool->name,
			     vip->name, check_line(c, &vip->mark, line));
	else if (vip)
		report_error(c->errs, mark,
			     "packets to it would come back to this node and circle: use an "
			     "address outside of all vips",
			     "real %s in pool '%s' lies in %s of vip '%s'%s", text, pool->name,
			     prefix_format(&vip->address, address), vip->name,
			     check_line(c, &vip->mark, line));
}

static void check_families(const struct check *c, const struct config_pool *pool,
			   const struct pool_facts *facts)
{
	const struct config_tunnel_source *t = &c->cfg->node.tunnel_source;
	const struct prefix *source[] = {&t->ipv4, &t->ipv6};
	const struct config_real *first[] = {facts->first_ipv4, facts->first_ipv6};
	char text[ADDR_STRLEN], hint[96];

	if (!check_given(c, &pool->encap))
		return;
	for (int i = 0; i < 2; i++) {
		if (pool->encap == CONFIG_ENCAP_L2DSR || !first[i] || source[i]->addr.family ||
		    check_broken(c, source[i]))
			continue;
		snprintf(hint, sizeof(hint), "add ipv%c, an address of this node, to tunnel_source",
			 i ? '6' : '4');
		report_error(c->errs, check_mark(c, &first[i]->address, &first[i]->mark), hint,
			     "%s pool '%s' has real %s, but there is no IPv%c tunnel_source",
			     config_encap_name(pool->encap), pool->name,
			     addr_format(&first[i]->address, text), i ? '6' : '4');
	}
}

static void check_gue(const struct check *c, const struct config_pool *pool)
{
	bool told = c->places ? places_find(c->places, &pool->gue_port) != NULL
			      : pool->gue_port != CONFIG_GUE_PORT;

	if (told && pool->encap != CONFIG_ENCAP_GUE && check_given(c, &pool->encap))
		report_error(c->errs, check_mark(c, &pool->gue_port, &pool->mark),
			     "remove it, or use encap: gue", "%s pool '%s' has no use for gue_port",
			     config_encap_name(pool->encap), pool->name);
}

static void check_sizes(const struct check *c, const struct config_pool *pool, bool used)
{
	bool weighty = false;

	for (size_t i = 0; i < pool->n_reals; i++)
		weighty |= pool->reals[i].weight > 0;
	if (pool->n_reals > pool->table_size)
		report_error(c->errs, check_mark(c, &pool->table_size, &pool->mark),
			     "raise table_size to a prime above 100 times the reals",
			     "pool '%s' has %zu reals in a table of %u slots", pool->name,
			     pool->n_reals, pool->table_size);
	else if (pool->n_reals * 100 > pool->table_size)
		report_warning(c->errs, check_mark(c, &pool->table_size, &pool->mark),
			       "raise table_size to a prime above 100 times the reals",
			       "pool '%s' spreads unevenly: %zu reals share %u slots", pool->name,
			       pool->n_reals, pool->table_size);
	if (pool->n_reals && pool->min_healthy > pool->n_reals)
		report_error(c->errs, check_mark(c, &pool->min_healthy, &pool->mark),
			     "lower min_healthy or add reals",
			     "pool '%s' can never have %u healthy reals: it has %zu", pool->name,
			     pool->min_healthy, pool->n_reals);
	if (used && !weighty && !check_broken(c, &pool->reals))
		report_warning(c->errs, check_mark(c, pool, &pool->mark),
			       pool->n_reals ? "give one a weight above 0" : "add reals",
			       "pool '%s' has no real that takes connections", pool->name);
}

static void check_health(const struct check *c, const struct config_pool *pool)
{
	const struct config_health *h = &pool->health;
	char timeout[VALUE_STRLEN], interval[VALUE_STRLEN];
	bool tcp = h->type == CONFIG_HEALTH_TCP && check_given(c, &h->type);

	if (h->timeout_ms > h->interval_ms && !check_broken(c, &h->interval_ms))
		report_error(c->errs, check_mark(c, &h->timeout_ms, &h->mark),
			     "lower timeout or raise interval",
			     "timeout %s in pool '%s' is longer than its interval %s",
			     duration_format(h->timeout_ms, timeout), pool->name,
			     duration_format(h->interval_ms, interval));
	if (tcp && h->path[0])
		report_error(c->errs, check_mark(c, h->path, &h->mark),
			     "remove it, or use type http",
			     "a tcp check has no use for path (pool '%s')", pool->name);
	if (tcp && h->host[0])
		report_error(c->errs, check_mark(c, h->host, &h->mark),
			     "remove it, or use type http",
			     "a tcp check has no use for host (pool '%s')", pool->name);
}

static int check_pool(const struct check *c, const struct config_pool *pool,
		      const struct pool_facts *facts)
{
	int r;

	for (size_t i = 0; i < pool->n_reals; i++)
		check_real(c, pool, &pool->reals[i]);
	check_families(c, pool, facts);
	check_gue(c, pool);
	check_sizes(c, pool, facts->used);
	if (pool->has_health)
		check_health(c, pool);
	r = check_quic(c, pool);
	if (r)
		return r;
	/* With errors about, its user may be a service that could not be read. */
	if (!facts->used && pool->name[0] && !c->errs->n_errors)
		report_warning(c->errs, check_mark(c, pool->name, &pool->mark),
			       "name it in a service or remove it", "no vip uses pool '%s'",
			       pool->name);
	return check_duplicates(c, pool->reals, pool->n_reals, sizeof(*pool->reals), compare_reals,
				tell_real, pool);
}

/* ---- One address is one machine, in whichever pools it stands ---- */

struct pin {
	const struct config_real *real;
	const struct config_pool *pool;
};

static int compare_pins(const void *a, const void *b)
{
	return addr_cmp(&((const struct pin *)a)->real->address,
			&((const struct pin *)b)->real->address);
}

static void tell_pin(const struct check *c, const void *owner, const void *first, const void *again)
{
	const struct pin *a = first, *b = again;
	char text[ADDR_STRLEN], line[CHECK_LINE_STRLEN];

	(void)owner;
	/* In one pool it is a duplicate, which is told elsewhere. */
	if (a->pool == b->pool || !memcmp(a->real->mac.bytes, b->real->mac.bytes, 6))
		return;
	report_error(c->errs, check_mark(c, &b->real->mac, &b->real->mark), "make them the same",
		     "real %s has another mac in pool '%s' than in pool '%s'%s",
		     addr_format(&b->real->address, text), b->pool->name, a->pool->name,
		     check_line(c, &a->real->mark, line));
}

static int check_pins(const struct check *c)
{
	AUTO_FREE struct pin *pins = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->cfg->n_pools; i++)
		n += c->cfg->pools[i].n_reals;
	pins = calloc(n + 1, sizeof(*pins));
	if (!pins)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < c->cfg->n_pools; i++) {
		const struct config_pool *pool = &c->cfg->pools[i];

		for (size_t j = 0; j < pool->n_reals; j++)
			if (pool->reals[j].mac.set && pool->reals[j].address.family)
				pins[n++] = (struct pin){&pool->reals[j], pool};
	}
	return check_duplicates(c, pins, n, sizeof(*pins), compare_pins, tell_pin, NULL);
}

int check_pools(const struct check *c)
{
	int err = check_pins(c);

	if (err)
		return err;
	for (size_t i = 0; i < c->cfg->n_pools; i++) {
		int r = check_pool(c, &c->cfg->pools[i], &c->facts[i]);

		if (r)
			return r;
	}
	return check_duplicates(c, c->cfg->pools, c->cfg->n_pools, sizeof(*c->cfg->pools),
				compare_names, tell_name, NULL);
}
