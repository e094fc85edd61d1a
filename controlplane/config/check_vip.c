/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/suggest.h"

#include "controlplane/base/cleanup.h"

#include <errno.h>
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
	return prefix_cmp(&((const struct config_vip *)a)->address,
			  &((const struct config_vip *)b)->address);
}

static void tell_address(const struct check *c, const void *owner, const void *first,
			 const void *again)
{
	const struct config_vip *a = first, *b = again;
	char text[ADDR_STRLEN], line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->address.addr.family)
		report_error(c->errs, check_mark(c, &b->address, &b->mark),
			     "an address is announced as one: put its services into one vip",
			     "vip '%s' has address %s, as has vip '%s'%s", b->name,
			     prefix_format_short(&b->address, text), a->name,
			     check_line(c, &a->mark, line));
}

static int compare_services(const void *a, const void *b)
{
	const struct config_service *x = a, *y = b;

	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	return ports_cmp(x->ports, y->ports);
}

static bool is_readable(const struct check *c, const struct config_service *s)
{
	return check_given(c, &s->ports) && check_given(c, &s->protocol);
}

static void tell_service(const struct check *c, const void *owner, const void *first,
			 const void *again)
{
	const struct config_vip *vip = owner;
	const struct config_service *a = first, *b = again;
	char line[CHECK_LINE_STRLEN], port[PORTS_STRLEN];

	if (!is_readable(c, a) || !is_readable(c, b))
		return;
	report_error(c->errs, check_mark(c, &b->ports, &b->mark), "remove one of them",
		     "vip '%s' has two services on %s port %s%s", vip->name,
		     config_protocol_name(b->protocol), ports_format(b->ports, port),
		     check_line(c, &a->mark, line));
}

static void tell_overlap(const struct check *c, const struct config_vip *vip,
			 const struct config_service *a, const struct config_service *b)
{
	char line[CHECK_LINE_STRLEN], one[PORTS_STRLEN], other[PORTS_STRLEN];
	const struct config_service *first = a < b ? a : b, *again = a < b ? b : a;

	report_error(c->errs, check_mark(c, &again->ports, &again->mark),
		     "only 'any' may hold the ports of others: split the range",
		     "services of vip '%s' overlap: %s ports %s and %s%s", vip->name,
		     config_protocol_name(again->protocol), ports_format(again->ports, one),
		     ports_format(first->ports, other), check_line(c, &first->mark, line));
}

/* Ports that two services have; equal ones are told as duplicates. */
static int check_overlaps(const struct check *c, const struct config_vip *vip)
{
	AUTO_FREE const void **sorted = check_sort(vip->services, vip->n_services,
						   sizeof(*vip->services), compare_services);
	const struct config_service *widest = NULL;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < vip->n_services; i++) {
		const struct config_service *s = sorted[i];

		if (!is_readable(c, s) || ports_any(s->ports))
			continue;
		if (widest && widest->protocol == s->protocol &&
		    ports_overlap(widest->ports, s->ports) && !ports_equal(widest->ports, s->ports))
			tell_overlap(c, vip, widest, s);
		if (!widest || widest->protocol != s->protocol ||
		    s->ports.last > widest->ports.last)
			widest = s;
	}
	return 0;
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
		vip->address.addr.family == 4 ? facts->first_ipv6 : facts->first_ipv4;
	char text[ADDR_STRLEN], real[ADDR_STRLEN];

	if (pool->encap != CONFIG_ENCAP_L2DSR || !vip->address.addr.family || !other)
		return;
	report_warning(c->errs, check_mark(c, s->pool, &s->mark),
		       "see that the server carries the vip, or use reals of the vip's family",
		       "vip '%s' (%s) uses l2dsr pool '%s', whose real %s is of the other family",
		       vip->name, prefix_format_short(&vip->address, text), pool->name,
		       addr_format(&other->address, real));
}

/* What is limited is SYNs, which only TCP has. */
static void check_syn(const struct check *c, const struct config_vip *vip,
		      const struct config_service *s)
{
	if (s->syn_rate && s->protocol != CONFIG_TCP && check_given(c, &s->protocol))
		report_error(c->errs, check_mark(c, &s->syn_rate, &s->mark),
			     "remove it: only tcp has SYNs",
			     "a udp service of vip '%s' has a syn_rate", vip->name);
	if (s->syn_burst && !s->syn_rate && !check_broken(c, &s->syn_rate))
		report_error(c->errs, check_mark(c, &s->syn_burst, &s->mark),
			     "add syn_rate, or remove it",
			     "a service of vip '%s' has syn_burst without syn_rate", vip->name);
}

static void check_deny(const struct check *c, const struct config_vip *vip,
		       const struct config_service *s)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < s->n_deny; i++) {
		const struct prefix *p = &s->deny[i].prefix;
		const struct config_mark *mark = check_mark(c, p, &s->deny[i].mark);

		prefix_format(p, text);
		if (p->addr.family && !p->len)
			report_error(c->errs, mark, "remove the service to serve nobody",
				     "deny %s in vip '%s' is everybody", text, vip->name);
		else if (p->addr.family && vip->address.addr.family &&
			 p->addr.family != vip->address.addr.family)
			report_error(c->errs, mark, "remove it",
				     "deny %s in vip '%s' is of the other family than its address",
				     text, vip->name);
	}
}

static void check_service(const struct check *c, const struct config_vip *vip,
			  const struct config_service *s)
{
	const struct config_pool *const *found;
	size_t index;

	check_syn(c, vip, s);
	check_deny(c, vip, s);
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
	check_quic_service(c, vip, s, *found);
}

static void check_address(const struct check *c, const struct config_vip *vip)
{
	const struct config_tunnel_source *t = &c->cfg->node.tunnel_source;
	const struct prefix *source = vip->address.addr.family == 4 ? &t->ipv4 : &t->ipv6;
	const char *unfit = check_unfit(&vip->address.addr);
	char text[ADDR_STRLEN];

	prefix_format_short(&vip->address, text);
	if (vip->address.addr.family && !vip->address.len)
		report_error(c->errs, check_mark(c, &vip->address, &vip->mark),
			     "use the prefix that clients are to reach",
			     "vip '%s' has address %s, the whole Internet", vip->name, text);
	else if (unfit)
		report_error(c->errs, check_mark(c, &vip->address, &vip->mark),
			     "use a unicast address that clients can reach",
			     "vip '%s' has address %s, %s", vip->name, text, unfit);
	else if (vip->address.addr.family && source->addr.family &&
		 source->len >= vip->address.len && prefix_contains(&vip->address, &source->addr))
		report_error(
			c->errs, check_mark(c, &vip->address, &vip->mark),
			"a vip needs an address of its own",
			prefix_is_addr(&vip->address)
				? "vip '%s' has address %s, this node's tunnel_source"
				: "vip '%s' has prefix %s, which holds this node's tunnel_source",
			vip->name, text);
}

static int check_vip(const struct check *c, const struct config_vip *vip)
{
	int r;

	check_address(c, vip);
	for (size_t i = 0; i < vip->n_services; i++)
		check_service(c, vip, &vip->services[i]);
	if (!vip->n_services && !check_broken(c, &vip->services))
		report_warning(c->errs, check_mark(c, vip->name, &vip->mark),
			       "add one, or remove the vip", "vip '%s' has no services", vip->name);
	r = check_overlaps(c, vip);
	if (r)
		return r;
	return check_duplicates(c, vip->services, vip->n_services, sizeof(*vip->services),
				compare_services, tell_service, vip);
}

/* ---- What the tables can tell apart: a packet tries one kind of key after the other ---- */

struct kinds {
	bool used[129][18]; /* prefix length, port bits; the last is the prefix itself */
	unsigned n;
};

static void use_kind(struct kinds *k, unsigned len, unsigned bits)
{
	k->n += !k->used[len][bits];
	k->used[len][bits] = true;
}

static void gather_kinds(const struct config_vip *vip, struct kinds *k)
{
	struct port_block blocks[PORTS_BLOCKS_MAX];

	use_kind(k, vip->address.len, 17);
	for (size_t i = 0; i < vip->n_services; i++) {
		size_t n = ports_cut(vip->services[i].ports, blocks);

		for (size_t b = 0; b < n; b++)
			if (blocks[b].bits || !prefix_is_addr(&vip->address))
				use_kind(k, vip->address.len, blocks[b].bits);
	}
}

static void gather_denied(const struct config_vip *vip, struct kinds *k)
{
	for (size_t i = 0; i < vip->n_services; i++)
		for (size_t j = 0; j < vip->services[i].n_deny; j++)
			use_kind(k, vip->services[i].deny[j].prefix.len, 0);
}

#define KINDS_MAX 32

static void check_kinds(const struct check *c, unsigned family)
{
	struct kinds ports = {.n = 0}, denied = {.n = 0};

	for (size_t i = 0; i < c->cfg->n_vips; i++) {
		const struct config_vip *vip = &c->cfg->vips[i];

		if (vip->address.addr.family != family)
			continue;
		gather_kinds(vip, &ports);
		gather_denied(vip, &denied);
		if (ports.n > KINDS_MAX) {
			report_error(c->errs, check_mark(c, &vip->address, &vip->mark),
				     "let ranges begin and end at multiples of larger powers of "
				     "two, such as 8192-12287, or use fewer prefix lengths",
				     "with vip '%s' the IPv%u vips have more than %u different "
				     "kinds of prefixes and blocks of ports",
				     vip->name, family, KINDS_MAX);
			return;
		}
		if (denied.n > KINDS_MAX) {
			report_error(c->errs, check_mark(c, &vip->address, &vip->mark),
				     "use fewer different prefix lengths",
				     "with vip '%s' the deny lists of IPv%u vips have more than "
				     "%u different prefix lengths",
				     vip->name, family, KINDS_MAX);
			return;
		}
	}
}

int check_vips(const struct check *c)
{
	const struct config *cfg = c->cfg;
	int r;

	for (size_t i = 0; i < cfg->n_vips; i++)
		if ((r = check_vip(c, &cfg->vips[i])))
			return r;
	check_kinds(c, 4);
	check_kinds(c, 6);
	r = check_duplicates(c, cfg->vips, cfg->n_vips, sizeof(*cfg->vips), compare_addresses,
			     tell_address, NULL);
	if (r)
		return r;
	return check_duplicates(c, cfg->vips, cfg->n_vips, sizeof(*cfg->vips), compare_names,
				tell_name, NULL);
}
