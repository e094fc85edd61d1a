/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/resolve.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void resolution_init(struct resolution *r, const struct addr *target)
{
	*r = (struct resolution){.target = *target};
	snprintf(r->nexthop.reason, sizeof(r->nexthop.reason), "not looked up yet");
}

__attribute__((format(printf, 2, 3))) static void say(struct neighbour_nexthop *n, const char *fmt,
						      ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(n->reason, sizeof(n->reason), fmt, ap);
	va_end(ap);
}

static bool nexthop_equal(const struct neighbour_nexthop *a, const struct neighbour_nexthop *b)
{
	return a->resolved == b->resolved && a->confirmed == b->confirmed &&
	       a->on_link == b->on_link && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       memcmp(a->mac, b->mac, 6) == 0 && memcmp(a->src_mac, b->src_mac, 6) == 0 &&
	       addr_equal(&a->gateway, &b->gateway) && strcmp(a->reason, b->reason) == 0;
}

/* Can the interface carry a frame? If not, the words. */
static bool check_link(const struct neighbour_link *link, struct neighbour_nexthop *n)
{
	if (!link->ethernet)
		say(n, "interface %s is not Ethernet: reach real servers through one that is",
		    link->name);
	else if (!link->admin_up)
		say(n, "interface %s is down: ip link set %s up", link->name, link->name);
	else if (!link->up)
		say(n, "interface %s has no carrier: look at its cable or its peer", link->name);
	else
		return true;
	return false;
}

/* Why there is no route is often that the interface it used is down: then say that. */
static void explain_no_route(const struct resolution *r, const struct links *links, int error,
			     const struct err *err, struct neighbour_nexthop *n)
{
	const struct neighbour_link *link = links_by_index(links, r->key.ifindex);
	char text[ADDR_STRLEN];

	if (error == -ENETUNREACH && link && !link->admin_up)
		say(n, "no route to %s: interface %s is down: ip link set %s up",
		    addr_format(&r->target, text), link->name, link->name);
	else
		say(n, "%.*s", (int)sizeof(n->reason) - 1, err->text);
}

/* A route to another neighbour: what is known of the old one no longer counts. */
static void turn_to(struct resolution *r, const struct entry_key *key)
{
	if (entry_key_equal(&r->key, key))
		return;
	r->key = *key;
	r->has_mac = false;
	r->has_failed = false;
}

static void learn(struct resolution *r, const struct entry *entry)
{
	if (entry->valid) {
		r->has_mac = true;
		r->has_failed = false;
		memcpy(r->mac, entry->mac, 6);
	} else if (entry->failed) {
		r->has_failed = true;
	}
}

/* Have the kernel keep the entry, and ask the neighbour while it doesn't answer. What can't be
 * asked shows as an entry that isn't valid. */
static int keep_entry(struct resolution *r, struct rtnl *rtnl, struct entry *ret_entry)
{
	int ret = entry_ask(rtnl, &r->key, ret_entry);

	if (ret < 0 || ret_entry->pinned)
		return ret;
	if (!ret_entry->managed || !ret_entry->valid)
		ret = entry_manage(rtnl, &r->key);
	return ret;
}

/* The words for a neighbour that the kernel has no address of now. */
static void explain_no_answer(const struct resolution *r, const struct neighbour_link *link,
			      const struct entry *entry, struct neighbour_nexthop *n)
{
	const char *protocol = r->key.addr.family == 4 ? "ARP" : "ND";
	char text[ADDR_STRLEN];

	addr_format(&r->key.addr, text);
	if (entry->pinned)
		say(n, "%s on %s has no MAC address, and ARP is off there: ip link set %s arp on",
		    text, link->name, link->name);
	else
		say(n, "%s %s from %s on %s%s",
		    r->has_failed ? "no answer to" : "waiting for the answer to", protocol, text,
		    link->name, r->has_mac ? "; its last known MAC address stays in use" : "");
}

static void resolve_neighbour(struct resolution *r, struct rtnl *rtnl,
			      const struct neighbour_link *link, struct neighbour_nexthop *n)
{
	struct entry entry = {0};
	char text[ADDR_STRLEN];
	int ret = keep_entry(r, rtnl, &entry);

	learn(r, &entry);
	n->resolved = r->has_mac;
	n->confirmed = entry.valid;
	if (r->has_mac)
		memcpy(n->mac, r->mac, 6);
	if (entry.valid)
		return;
	if (ret < 0)
		say(n, "cannot ask the kernel for the neighbour %s on %s: %s",
		    addr_format(&r->key.addr, text), link->name, strerror(-ret));
	else
		explain_no_answer(r, link, &entry, n);
}

static void resolve_route(struct resolution *r, struct rtnl *rtnl, const struct links *links,
			  const struct route *route, struct neighbour_nexthop *n)
{
	const struct neighbour_link *link = links_by_index(links, route->ifindex);
	struct entry_key key = {.ifindex = route->ifindex};

	n->ifindex = route->ifindex;
	n->on_link = route->gateway.family == 0;
	n->gateway = route->gateway;
	key.addr = n->on_link ? r->target : route->gateway;
	turn_to(r, &key);
	if (!link) {
		/* Gone since, or so new that the news of it is still in the queue. */
		say(n, "waiting for news of interface %u", route->ifindex);
		return;
	}
	n->mtu = route->mtu ? route->mtu : link->mtu;
	memcpy(n->src_mac, link->mac, 6);
	if (check_link(link, n))
		resolve_neighbour(r, rtnl, link, n);
}

bool resolution_refresh(struct resolution *r, struct rtnl *rtnl, const struct links *links)
{
	struct neighbour_nexthop next = {0};
	struct err err = {0};
	struct route route;
	bool changed;
	int ret = route_ask(rtnl, &r->target, &route, &err);

	if (ret == 0) {
		resolve_route(r, rtnl, links, &route, &next);
	} else if (route_is_refusal(ret)) {
		explain_no_route(r, links, ret, &err, &next);
	} else {
		/* Not knowing is no reason to stop what works. */
		next = r->nexthop;
		next.confirmed = false;
		say(&next, "%.*s", (int)sizeof(next.reason) - 1, err.text);
	}
	changed = !nexthop_equal(&next, &r->nexthop);
	r->nexthop = next;
	return changed;
}
