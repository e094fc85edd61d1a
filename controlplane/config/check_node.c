/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/schema.h"

#include <string.h>

/* The node itself and its neighbours. */

static int compare_interfaces(const void *a, const void *b)
{
	return strcmp(((const struct config_interface *)a)->name,
		      ((const struct config_interface *)b)->name);
}

static void tell_interface(const struct check *c, const void *owner, const void *first,
			   const void *again)
{
	const struct config_interface *i = again;

	(void)owner;
	(void)first;
	if (i->name[0])
		report_error(c->errs, check_mark(c, i->name, &i->mark), "remove one",
			     "interface '%s' is listed twice", i->name);
}

static void check_tunnel_source(const struct check *c, const struct prefix *p)
{
	const char *unfit = check_unfit(&p->addr);
	char text[ADDR_STRLEN];

	if (!p->addr.family)
		return;
	if (!p->len)
		report_error(c->errs, check_mark(c, p, &c->cfg->node.tunnel_source.mark),
			     "use a prefix that is routed to this node, or its address",
			     "tunnel_source %s is the whole Internet", prefix_format(p, text));
	else if (unfit)
		report_error(c->errs, check_mark(c, p, &c->cfg->node.tunnel_source.mark),
			     "use an address of this node", "tunnel_source %s is %s",
			     addr_format(&p->addr, text), unfit);
}

int check_node(const struct check *c)
{
	const struct config_node *n = &c->cfg->node;

	check_tunnel_source(c, &n->tunnel_source.ipv4);
	check_tunnel_source(c, &n->tunnel_source.ipv6);
	return check_duplicates(c, n->interfaces, n->n_interfaces, sizeof(*n->interfaces),
				compare_interfaces, tell_interface, NULL);
}

static int compare_neighbors(const void *a, const void *b)
{
	return addr_cmp(&((const struct config_neighbor *)a)->address,
			&((const struct config_neighbor *)b)->address);
}

static void tell_neighbor(const struct check *c, const void *owner, const void *first,
			  const void *again)
{
	const struct config_neighbor *a = first, *b = again;
	char text[ADDR_STRLEN], line[CHECK_LINE_STRLEN];

	(void)owner;
	if (b->address.family)
		report_error(c->errs, check_mark(c, &b->address, &b->mark), "remove one",
			     "neighbor %s is listed twice%s", addr_format(&b->address, text),
			     check_line(c, &a->mark, line));
}

static void check_hold_time(const struct check *c, const struct config_neighbor *n)
{
	char text[VALUE_STRLEN];

	if (n->hold_time_ms % 1000 == 0 && n->hold_time_ms != 1000 && n->hold_time_ms != 2000)
		return;
	report_error(c->errs, check_mark(c, &n->hold_time_ms, &n->mark),
		     "use whole seconds from 3s, or 0s to never time out",
		     "hold_time %s is impossible in BGP", duration_format(n->hold_time_ms, text));
}

static void check_next_hop(const struct check *c, const struct addr *a,
			   const struct config_mark *object)
{
	const char *unfit = check_unfit(a);
	char text[ADDR_STRLEN];

	if (unfit)
		report_error(c->errs, check_mark(c, a, object),
			     "use an address of this node that the neighbor reaches",
			     "next_hop %s is %s", addr_format(a, text), unfit);
}

/* A loopback address is fine here: a route reflector on this very host. */
static void check_neighbor(const struct check *c, const struct config_neighbor *n)
{
	const char *unfit = check_unfit(&n->address);
	char text[ADDR_STRLEN];

	if (!unfit && n->address.family == 4 && n->address.bytes[0] >= 240)
		unfit = "a reserved address";
	if (unfit && !strstr(unfit, "loopback"))
		report_error(c->errs, check_mark(c, &n->address, &n->mark),
			     "use the address that the router speaks BGP from", "neighbor %s is %s",
			     addr_format(&n->address, text), unfit);
	check_hold_time(c, n);
	check_next_hop(c, &n->next_hop.ipv4, &n->next_hop.mark);
	check_next_hop(c, &n->next_hop.ipv6, &n->next_hop.mark);
}

/* A VIP of this family that nobody can be told of: no session of the family, and no next hop for
 * it on one of the other. */
static bool is_unheard(const struct config *cfg, uint8_t family)
{
	const struct config_bgp *bgp = &cfg->bgp;
	bool wanted = false;

	for (size_t i = 0; i < cfg->n_vips; i++)
		wanted |= cfg->vips[i].address.addr.family == family &&
			  cfg->vips[i].announce.when != CONFIG_ANNOUNCE_NEVER;
	for (size_t i = 0; i < bgp->n_neighbors; i++) {
		const struct config_neighbor *n = &bgp->neighbors[i];
		const struct config_next_hop *h = &n->next_hop;

		if (n->address.family == family || (family == 4 ? h->ipv4 : h->ipv6).family)
			return false;
	}
	return wanted && bgp->n_neighbors;
}

static void warn_unheard(const struct check *c, unsigned family)
{
	char hint[96];

	if (!is_unheard(c->cfg, (uint8_t)family))
		return;
	snprintf(hint, sizeof(hint), "add a neighbor with one, or next_hop: {ipv%u: ...}", family);
	report_warning(c->errs, check_mark(c, &c->cfg->bgp.neighbors, &c->cfg->bgp.mark), hint,
		       "no IPv%u vip can be announced: no neighbor has an IPv%u address", family,
		       family);
}

int check_bgp(const struct check *c)
{
	const struct config_bgp *bgp = &c->cfg->bgp;
	const char *unfit = check_unfit(&bgp->router_id);
	char text[ADDR_STRLEN];

	if (!c->cfg->has_bgp)
		return 0;
	if (unfit)
		report_error(c->errs, check_mark(c, &bgp->router_id, &bgp->mark),
			     "use an IPv4 address of this node", "router_id %s is %s",
			     addr_format(&bgp->router_id, text), unfit);
	for (size_t i = 0; i < bgp->n_neighbors; i++)
		check_neighbor(c, &bgp->neighbors[i]);
	warn_unheard(c, 4);
	warn_unheard(c, 6);
	if (!bgp->n_neighbors && !check_broken(c, &bgp->neighbors))
		report_warning(c->errs, check_mark(c, &bgp->neighbors, &bgp->mark),
			       "add some, or remove bgp", "bgp has no neighbors");
	return check_duplicates(c, bgp->neighbors, bgp->n_neighbors, sizeof(*bgp->neighbors),
				compare_neighbors, tell_neighbor, NULL);
}
