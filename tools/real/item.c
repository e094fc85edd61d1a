/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at items, making them hold, and undoing them. */
#include "tools/real/item.h"

#include <errno.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/real/qdisc.h"

static const char *dotted(const char *sysctl, char buf[SYSCTL_NAMELEN])
{
	char *c;

	snprintf(buf, SYSCTL_NAMELEN, "%s", sysctl);
	/* sysctl(8) writes a dot within a device's name as a slash, and the other way round. */
	for (c = buf; *c; c++)
		*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
	return buf;
}

const char *record_describe(const struct record *r, char *buf, size_t len)
{
	char text[SYSCTL_NAMELEN > ADDR_STRLEN ? SYSCTL_NAMELEN : ADDR_STRLEN];

	switch (r->kind) {
	case RECORD_SYSCTL:
		snprintf(buf, len, "sysctl %s", dotted(r->sysctl, text));
		break;
	case RECORD_ADDRESS:
		snprintf(buf, len, "address %s on %s", addr_format(&r->addr, text), r->dev);
		break;
	case RECORD_ROUTE:
		snprintf(buf, len, "blackhole route for %s", addr_format(&r->addr, text));
		break;
	case RECORD_TUNNEL:
		snprintf(buf, len, "tunnel device %s", r->dev);
		break;
	case RECORD_QDISC:
		snprintf(buf, len, "clsact qdisc on %s", r->dev);
		break;
	case RECORD_FILTER:
		snprintf(buf, len, "BPF filter on %s %s", r->dev, hook_name(r->hook));
		break;
	}
	return buf;
}

const char *item_describe(const struct item *item, char *buf, size_t len)
{
	char text[ADDR_STRLEN];

	switch (item->kind) {
	case ITEM_LINK:
		snprintf(buf, len, "interface %s", item->rec.dev);
		return buf;
	case ITEM_TUNNEL_UP:
		snprintf(buf, len, "tunnel device %s up", item->rec.dev);
		return buf;
	case ITEM_OUTER:
		snprintf(buf, len, "outer address %s", addr_format(&item->rec.addr, text));
		return buf;
	case ITEM_FILTER:
		snprintf(buf, len, "filter %s on %s %s", program_role_name(item->role),
			 item->rec.dev, hook_name(item->rec.hook));
		return buf;
	case ITEM_SYSCTL:
	case ITEM_ROUTE:
	case ITEM_ADDRESS:
	case ITEM_TUNNEL:
	case ITEM_QDISC:
		break;
	}
	return record_describe(&item->rec, buf, len);
}

static const char *const rule_purposes[] = {
	[RULE_ARP_IGNORE] = "no ARP answers for the VIP, which belong to the balancer or router",
	[RULE_ARP_ANNOUNCE] = "the VIP never appears as the sender of ARP requests",
	[RULE_RP_FILTER] = "clients' packets pass although answers may leave by another way",
	[RULE_RP_LOOSE] = "clients' packets pass although answers leave by another device",
	[RULE_IPV6_ON] = "IPv6 packets for the VIP are taken in",
};

static const char *const role_purposes[] = {
	[PROGRAM_DECAP] = "takes the balancer's outer header off packets for the VIPs",
	[PROGRAM_CLAMP] = "lowers the MSS in the VIPs' SYN-ACKs so that tunnelled segments fit",
	[PROGRAM_GUARD] = "lets nothing but packets for the VIPs out of the tunnel",
};

const char *item_purpose(const struct item *item)
{
	switch (item->kind) {
	case ITEM_LINK:
		return "packets come and go here";
	case ITEM_OUTER:
		return "the balancer's packets are addressed to it";
	case ITEM_SYSCTL:
		return rule_purposes[item->rule];
	case ITEM_ROUTE:
		return "packets for a VIP that has left lo end here, and don't go back to the "
		       "balancer";
	case ITEM_ADDRESS:
		return item->of_tunnel ? "lets the reverse path check pass on the tunnel"
				       : "this host takes the VIP's packets as its own";
	case ITEM_TUNNEL:
		return "the kernel's own decapsulation";
	case ITEM_TUNNEL_UP:
		return "a tunnel that is down takes no packets";
	case ITEM_QDISC:
		return "BPF filters hang on it";
	case ITEM_FILTER:
		return role_purposes[item->role];
	}
	return "";
}

static int ok(struct finding *ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int ok(struct finding *ret, const char *fmt, ...)
{
	va_list ap;

	ret->ok = true;
	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	return 0;
}

static int trouble(struct finding *ret, const char *mend, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int trouble(struct finding *ret, const char *mend, const char *fmt, ...)
{
	va_list ap;

	ret->ok = false;
	snprintf(ret->mend, sizeof(ret->mend), "%s", mend);
	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	return 0;
}

#define MEND_SETUP "fairway-real setup"

/* The device of the item. When it is gone, that is the finding: *ret_there then is false. */
static int get_link(struct real_run *run, const struct item *item, struct link *link,
		    bool *ret_there, struct finding *ret, struct err *e)
{
	int code = link_get(run->nl, item->rec.dev, link);

	*ret_there = code == 0;
	if (code == -ENODEV)
		return trouble(ret,
			       item->of_tunnel || item->kind == ITEM_TUNNEL
				       ? MEND_SETUP
				       : "see `ip link`; name the right one with --interface",
			       "there is no device %s", item->rec.dev);
	if (code)
		return err_set(e, code, "can't look at device %s: %s", item->rec.dev,
			       nl_why(run->nl, code));
	return 0;
}

static int probe_link(struct real_run *run, const struct item *item, struct finding *ret,
		      struct err *e)
{
	bool there, lo = !strcmp(item->rec.dev, "lo");
	struct link link;
	int code = get_link(run, item, &link, &there, ret, e);
	char mend[64];

	if (code || !there)
		return code;
	if (!lo && link.type != ARPHRD_ETHER)
		return trouble(ret, "name an Ethernet device with --interface",
			       "%s is not an Ethernet device", item->rec.dev);
	snprintf(mend, sizeof(mend), "ip link set %s up", item->rec.dev);
	if (!(link.flags & IFF_UP))
		return trouble(ret, mend, "%s is down", item->rec.dev);
	return ok(ret, "up, MTU %u", link.mtu);
}

static int probe_outer(struct real_run *run, const struct item *item, struct finding *ret)
{
	if (host_addrs_find(&run->addrs, 0, &item->rec.addr))
		return ok(ret, "present");
	return trouble(
		ret,
		run->state.config.outers_given
			? "add the address, or: fairway-real remove, then setup with the right "
			  "--outer"
			: MEND_SETUP " (takes the interface's addresses as they are now)",
		"this host has no such address");
}

static bool rule_holds(const struct item *item, int value)
{
	int all;

	switch (item->rule) {
	case RULE_ARP_IGNORE:
		return value == 1 || value == 2 || value == 8;
	case RULE_ARP_ANNOUNCE:
	case RULE_RP_LOOSE:
		return value == 2;
	case RULE_RP_FILTER:
		if (sysctl_read("net/ipv4/conf/all/rp_filter", &all, NULL))
			all = 0;
		return (value > all ? value : all) != 1;
	case RULE_IPV6_ON:
		return value == 0;
	}
	return false;
}

static int rule_value(enum sysctl_rule rule)
{
	return rule == RULE_ARP_IGNORE ? 1 : rule == RULE_IPV6_ON ? 0 : 2;
}

static int probe_sysctl(const struct item *item, struct finding *ret, struct err *e)
{
	char text[SYSCTL_NAMELEN], mend[SYSCTL_NAMELEN + 32];
	int code = sysctl_read(item->rec.sysctl, &ret->value, e);

	snprintf(mend, sizeof(mend), "sysctl -w %s=%d", dotted(item->rec.sysctl, text),
		 rule_value(item->rule));
	if (code == -ENOENT)
		return trouble(ret,
			       "enable the address family in the kernel, or the device is gone",
			       "the kernel has no such setting");
	if (code)
		return code;
	if (rule_holds(item, ret->value))
		return ok(ret, "%d", ret->value);
	return trouble(ret, mend, "%d, must be %d", ret->value, rule_value(item->rule));
}

/* An address elsewhere than on lo: the host would answer ARP and ND for it there. */
static const struct host_addr *find_elsewhere(const struct real_run *run, const struct addr *a,
					      int ifindex)
{
	for (size_t i = 0; i < run->addrs.n; i++)
		if (run->addrs.items[i].ifindex != ifindex &&
		    addr_equal(&run->addrs.items[i].addr, a))
			return &run->addrs.items[i];
	return NULL;
}

/* Whether packets that come in and are for others are sent on. */
static bool host_forwards(const struct real_config *c, int family)
{
	char name[SYSCTL_NAMELEN];
	int on;

	for (size_t i = 0; i <= c->n_interfaces; i++) {
		snprintf(name, sizeof(name), "net/ipv%d/conf/%s/forwarding", family,
			 i < c->n_interfaces ? c->interfaces[i] : "all");
		if (!sysctl_read(name, &on, NULL) && on)
			return true;
	}
	return false;
}

static int probe_route(const struct real_run *run, const struct item *item, struct finding *ret)
{
	if (addr_set_has(&run->blackholes, &item->rec.addr))
		return ok(ret, "present");
	return trouble(ret, MEND_SETUP, "not there");
}

static int probe_address(struct real_run *run, const struct item *item, struct finding *ret,
			 struct err *e)
{
	const struct host_addr *here, *other = NULL;
	char text[ADDR_STRLEN], mend[224], dev[IFNAMSIZ] = "?";
	bool there;
	struct link link;
	int code = get_link(run, item, &link, &there, ret, e);

	if (code || !there)
		return code;
	addr_format(&item->rec.addr, text);
	here = host_addrs_find(&run->addrs, link.index, &item->rec.addr);
	if (!item->of_tunnel)
		other = find_elsewhere(run, &item->rec.addr, link.index);
	if (other) {
		if_indextoname((unsigned)other->ifindex, dev);
		snprintf(mend, sizeof(mend), "ip addr del %s/%u dev %s", text, other->prefix_len,
			 dev);
		return trouble(ret, mend,
			       "it is configured on %s, so this host would draw the VIP's traffic "
			       "from the balancer to itself",
			       dev);
	}
	snprintf(mend, sizeof(mend), MEND_SETUP " --vip %s", text);
	if (!here && !item->of_tunnel && host_forwards(&run->state.config, item->rec.addr.family))
		return trouble(ret, mend,
			       "not there, on a host that forwards packets: without the blackhole "
			       "route those for it would go back to the balancer");
	if (!here)
		return trouble(ret, item->of_tunnel ? MEND_SETUP : mend, "not there");
	if (here->prefix_len != addr_bits(&here->addr)) {
		snprintf(mend, sizeof(mend), "ip addr del %s/%u dev %s; " MEND_SETUP " --vip %s",
			 text, here->prefix_len, item->rec.dev, text);
		return trouble(ret, mend, "its prefix length is %u and must be %u",
			       here->prefix_len, addr_bits(&here->addr));
	}
	return ok(ret, "present");
}

static int probe_tunnel(struct real_run *run, const struct item *item, struct finding *ret,
			struct err *e)
{
	const char *kind = tunnel_kind_name(item->tunnel);
	char mend[64];
	bool there;
	struct link link;
	int code = get_link(run, item, &link, &there, ret, e);

	if (code || !there)
		return code;
	snprintf(mend, sizeof(mend), "ip link del %s; " MEND_SETUP, item->rec.dev);
	if (item->kind == ITEM_TUNNEL && strcmp(link.kind, kind))
		return trouble(ret, mend, "it is of kind \"%s\", not %s", link.kind, kind);
	if (item->kind == ITEM_TUNNEL_UP && !(link.flags & IFF_UP))
		return trouble(ret, MEND_SETUP, "it is down");
	return ok(ret, "present");
}

static int probe_qdisc(struct real_run *run, const struct item *item, struct finding *ret,
		       struct err *e)
{
	char kind[16];
	bool there;
	struct link link;
	int code = get_link(run, item, &link, &there, ret, e);

	if (code || !there)
		return code;
	code = qdisc_ingress_kind(run->nl, link.index, kind);
	if (code)
		return err_set(e, code, "can't look at the qdiscs of %s: %s", item->rec.dev,
			       nl_why(run->nl, code));
	if (!strcmp(kind, "clsact"))
		return ok(ret, "present");
	if (kind[0])
		return trouble(ret,
			       "move its filters to a clsact qdisc, which holds both directions",
			       "%s has an \"%s\" qdisc, which takes the place of clsact",
			       item->rec.dev, kind);
	return trouble(ret, MEND_SETUP, "not there");
}

static struct program_tables tables_of(const struct real_run *run)
{
	return (struct program_tables){&run->state.config.vips, &run->state.config.outers,
				       run->settings};
}

static int probe_filter(struct real_run *run, const struct item *item, struct finding *ret,
			struct err *e)
{
	struct program_place place = {0, item->rec.hook, run->state.config.tc_priority};
	struct program_tables tables = tables_of(run);
	struct program_seen seen;
	struct err why = {""};
	bool there;
	struct link link;
	int code = get_link(run, item, &link, &there, ret, e);

	if (code || !there)
		return code;
	place.ifindex = link.index;
	code = program_find(&place, &seen, e);
	if (code == -ENOENT)
		return trouble(ret, MEND_SETUP, "not attached");
	if (code)
		return err_prefix(e, code, "%s", item->rec.dev);
	if (strcmp(seen.name, program_role_name(item->role)))
		trouble(ret, "choose another place by --tc-priority",
			"another program, \"%s\", hangs there", seen.name);
	else if (!program_seen_holds(&seen, &tables, &why))
		ret->stale = !trouble(ret, MEND_SETUP, "%.200s", why.text);
	else
		ok(ret, "attached");
	program_seen_fini(&seen);
	return 0;
}

int item_probe(struct real_run *run, const struct item *item, struct finding *ret, struct err *e)
{
	struct finding found = {0};
	int code = 0;

	switch (item->kind) {
	case ITEM_LINK:
		code = probe_link(run, item, &found, e);
		break;
	case ITEM_OUTER:
		code = probe_outer(run, item, &found);
		break;
	case ITEM_SYSCTL:
		code = probe_sysctl(item, &found, e);
		break;
	case ITEM_ROUTE:
		code = probe_route(run, item, &found);
		break;
	case ITEM_ADDRESS:
		code = probe_address(run, item, &found, e);
		break;
	case ITEM_TUNNEL:
	case ITEM_TUNNEL_UP:
		code = probe_tunnel(run, item, &found, e);
		break;
	case ITEM_QDISC:
		code = probe_qdisc(run, item, &found, e);
		break;
	case ITEM_FILTER:
		code = probe_filter(run, item, &found, e);
		break;
	}
	if (!code)
		*ret = found;
	return code;
}
