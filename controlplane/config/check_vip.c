/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/suggest.h"

#include <stdlib.h>
#include <string.h>

/* VIPs and their services. */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct config_vip *)a)->name, ((const struct config_vip *)b)->name);
}

static void tell_name(const struct check *c, const void *owner, const void *first,
		      const void *again)
{
	const struct config_vip *a = first, *b = again;
	char line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->name[0])
		report_error(c->errs, check_mark(c, b->name, &b->mark), "rename one of them",
			     "another vip is named '%s'%s", b->name, check_line(c, &a->mark, line));
}

static int compare_addresses(const void *a, const void *b)
{
	return addr_cmp(&((const struct config_vip *)a)->address,
			&((const struct config_vip *)b)->address);
}

static void tell_address(const struct check *c, const void *owner, const void *first,
			 const void *again)
{
	const struct config_vip *a = first, *b = again;
	char text[ADDR_STRLEN], line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->address.family)
		report_error(c->errs, check_mark(c, &b->address, &b->mark),
			     "an address is announced as one: put its services into one vip",
			     "vip '%s' has address %s, as has vip '%s'%s", b->name,
			     addr_format(&b->address, text), a->name,
			     check_line(c, &a->mark, line));
}

static int compare_services(const void *a, const void *b)
{
	const struct config_service *x = a, *y = b;

	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

static void tell_service(const struct check *c, const void *owner, const void *first,
			 const void *again)
{
	const struct config_vip *vip = owner;
	const struct config_service *a = first, *b = again;
	char line[CHECK_LINE_STRLEN], port[8] = "any";

	if (!check_given(c, &b->port) || !check_given(c, &b->protocol) ||
	    !check_given(c, &a->port) || !check_given(c, &a->protocol))
		return;
	if (b->port != CONFIG_PORT_ANY)
		snprintf(port, sizeof(port), "%u", b->port);
	report_error(c->errs, check_mark(c, &b->port, &b->mark), "remove one of them",
		     "vip '%s' has two services on %s port %s%s", vip->name,
		     config_protocol_name(b->protocol), port, check_line(c, &a->mark, line));
}

static int find_pool(const void *key, const void *item)
{
	return strcmp(key, (*(const struct config_pool *const *)item)->name);
}

/* A pool that isn't found may be one that could not be read: then its own error says enough. */
static bool pools_have_holes(const struct check *c)
{
	if (!c->places)
		return false;
	if (!c->cfg->n_pools)
		return c->errs->n_errors > 0;
	return !c->pools_by_name[0]->name[0];
}

static void tell_unknown_pool(const struct check *c, const struct config_vip *vip,
			      const struct config_service *s)
{
	char hint[CONFIG_NAME_MAX + 32];
	struct suggest near;

	if (report_full(c->errs)) {
		c->errs->n_errors_dropped++;
		return;
	}
	suggest_init(&near, s->pool);
	for (size_t i = 0; i < c->cfg->n_pools; i++)
		suggest_offer(&near, c->cfg->pools[i].name);
	if (near.best)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near.best);
	else
		snprintf(hint, sizeof(hint), "add a pool of that name to pools:");
	report_error(c->errs, check_mark(c, s->pool, &s->mark), hint,
		     "vip '%s' has a service to pool '%s', which does not exist", vip->name,
		     s->pool);
}

/* L2 DSR reaches a server by its MAC address, whatever it carries; but that the one server of an
 * address answers for both families is worth a second look. */
static void check_l2dsr(const struct check *c, const struct config_vip *vip,
			const struct config_service *s, const struct config_pool *pool,
			const struct pool_facts *facts)
{
	const struct config_real *other =
		vip->address.family == 4 ? facts->first_ipv6 : facts->first_ipv4;
	char text[ADDR_STRLEN], real[ADDR_STRLEN];

	if (pool->encap != CONFIG_ENCAP_L2DSR || !vip->address.family || !other)
		return;
	report_warning(c->errs, check_mark(c, s->pool, &s->mark),
		       "see that the server carries the vip, or use reals of the vip's family",
		       "vip '%s' (%s) uses l2dsr pool '%s', whose real %s is of the other family",
		       vip->name, addr_format(&vip->address, text), pool->name,
		       addr_format(&other->address, real));
}

static void check_service(const struct check *c, const struct config_vip *vip,
			  const struct config_service *s)
{
	const struct config_pool *const *found;
	size_t index;

	if (!s->pool[0])
		return;
	found = bsearch(s->pool, c->pools_by_name, c->cfg->n_pools, sizeof(*found), find_pool);
	if (!found) {
		if (!pools_have_holes(c))
			tell_unknown_pool(c, vip, s);
		return;
	}
	index = (size_t)(*found - c->cfg->pools);
	c->facts[index].used = true;
	check_l2dsr(c, vip, s, *found, &c->facts[index]);
}

static void check_address(const struct check *c, const struct config_vip *vip)
{
	const struct config_tunnel_source *t = &c->cfg->node.tunnel_source;
	const struct prefix *source = vip->address.family == 4 ? &t->ipv4 : &t->ipv6;
	const char *unfit = check_unfit(&vip->address);
	char text[ADDR_STRLEN];

	addr_format(&vip->address, text);
	if (unfit)
		report_error(c->errs, check_mark(c, &vip->address, &vip->mark),
			     "use a unicast address that clients can reach",
			     "vip '%s' has address %s, %s", vip->name, text, unfit);
	else if (vip->address.family && source->len == addr_bits(&vip->address) &&
		 addr_equal(&source->addr, &vip->address))
		report_error(c->errs, check_mark(c, &vip->address, &vip->mark),
			     "a vip needs an address of its own",
			     "vip '%s' has address %s, this node's tunnel_source", vip->name, text);
}

static int check_vip(const struct check *c, const struct config_vip *vip)
{
	check_address(c, vip);
	for (size_t i = 0; i < vip->n_services; i++)
		check_service(c, vip, &vip->services[i]);
	if (!vip->n_services && !check_broken(c, &vip->services))
		report_warning(c->errs, check_mark(c, vip->name, &vip->mark),
			       "add one, or remove the vip", "vip '%s' has no services", vip->name);
	return check_duplicates(c, vip->services, vip->n_services, sizeof(*vip->services),
				compare_services, tell_service, vip);
}

int check_vips(const struct check *c)
{
	const struct config *cfg = c->cfg;
	int r;

	for (size_t i = 0; i < cfg->n_vips; i++)
		if ((r = check_vip(c, &cfg->vips[i])))
			return r;
	r = check_duplicates(c, cfg->vips, cfg->n_vips, sizeof(*cfg->vips), compare_addresses,
			     tell_address, NULL);
	if (r)
		return r;
	return check_duplicates(c, cfg->vips, cfg->n_vips, sizeof(*cfg->vips), compare_names,
				tell_name, NULL);
}
