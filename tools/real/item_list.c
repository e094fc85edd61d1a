/* SPDX-License-Identifier: BSD-2-Clause */
/* From a configuration to what must hold on the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/real/item.h"

/* A device without an IPv4 address fails even the loose reverse path check. */
static const struct addr tunnel_own_addr = {4, {127, 0, 0, 42}};

static struct item *append(struct item_list *list, enum item_kind kind, const char *dev)
{
	struct item *items = reallocarray(list->items, list->n + 1, sizeof(*items));
	struct item *item;

	if (!items)
		return NULL;
	list->items = items;
	item = &items[list->n++];
	memset(item, 0, sizeof(*item));
	item->kind = kind;
	snprintf(item->rec.dev, sizeof(item->rec.dev), "%s", dev);
	return item;
}

static int add_link(struct item_list *list, const char *dev)
{
	return append(list, ITEM_LINK, dev) ? 0 : -ENOMEM;
}

static int add_sysctl(struct item_list *list, enum sysctl_rule rule, int family, const char *dev,
		      const char *name, bool of_tunnel)
{
	struct item *item = append(list, ITEM_SYSCTL, "");

	if (!item)
		return -ENOMEM;
	item->rec.kind = RECORD_SYSCTL;
	item->rule = rule;
	item->of_tunnel = of_tunnel;
	snprintf(item->rec.sysctl, sizeof(item->rec.sysctl), "net/ipv%d/conf/%s/%s", family, dev,
		 name);
	return 0;
}

static int add_address(struct item_list *list, enum item_kind kind, const char *dev,
		       const struct addr *a, bool of_tunnel)
{
	struct item *item = append(list, kind, dev);

	if (!item)
		return -ENOMEM;
	item->rec.kind = RECORD_ADDRESS;
	item->rec.addr = *a;
	item->of_tunnel = of_tunnel;
	return 0;
}

static int add_route(struct item_list *list, const struct addr *a)
{
	struct item *item = append(list, ITEM_ROUTE, "");

	if (!item)
		return -ENOMEM;
	item->rec.kind = RECORD_ROUTE;
	item->rec.addr = *a;
	return 0;
}

static int add_qdisc(struct item_list *list, const char *dev, bool of_tunnel)
{
	struct item *item = append(list, ITEM_QDISC, dev);

	if (!item)
		return -ENOMEM;
	item->rec.kind = RECORD_QDISC;
	item->of_tunnel = of_tunnel;
	return 0;
}

static int add_filter(struct item_list *list, const char *dev, enum program_role role)
{
	struct item *item = append(list, ITEM_FILTER, dev);

	if (!item)
		return -ENOMEM;
	item->rec.kind = RECORD_FILTER;
	item->rec.hook = role == PROGRAM_CLAMP ? HOOK_EGRESS : HOOK_INGRESS;
	item->role = role;
	item->of_tunnel = role == PROGRAM_GUARD;
	return 0;
}

/* FNV-1a: an IPv6 address doesn't fit a device name. */
static unsigned hash_addr(const struct addr *a)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < sizeof(a->bytes); i++)
		h = (h ^ a->bytes[i]) * 16777619u;
	return h;
}

void item_tunnel_name(enum tunnel_kind kind, const struct addr *outer, char ret_name[IFNAMSIZ])
{
	static const char *const heads[] = {
		[TUNNEL_IPIP] = "fwipip", [TUNNEL_SIT] = "fwsit", [TUNNEL_IP6TNL] = "fwip6"};

	snprintf(ret_name, IFNAMSIZ, "%s-%08x", heads[kind], hash_addr(outer));
}

static int add_tunnel(struct item_list *list, enum tunnel_kind kind, const struct addr *outer)
{
	char dev[IFNAMSIZ];
	struct item *item;
	int ret = 0;

	item_tunnel_name(kind, outer, dev);
	item = append(list, ITEM_TUNNEL, dev);
	if (!item)
		return -ENOMEM;
	item->rec.kind = RECORD_TUNNEL;
	item->rec.addr = *outer;
	item->tunnel = kind;
	if (kind != TUNNEL_SIT) {
		ret = add_sysctl(list, RULE_RP_LOOSE, 4, dev, "rp_filter", true);
		if (!ret)
			ret = add_address(list, ITEM_ADDRESS, dev, &tunnel_own_addr, true);
	}
	if (!ret)
		ret = add_qdisc(list, dev, true);
	if (!ret)
		ret = add_filter(list, dev, PROGRAM_GUARD);
	if (ret)
		return ret;
	item = append(list, ITEM_TUNNEL_UP, dev);
	if (!item)
		return -ENOMEM;
	item->of_tunnel = true;
	return 0;
}

static bool has_family(const struct addr_set *set, int family)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->items[i].family == family)
			return true;
	return false;
}

static int add_tunnels(struct item_list *list, const struct real_config *c)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < c->outers.n; i++) {
		const struct addr *outer = &c->outers.items[i];

		if (outer->family == 6) {
			ret = add_tunnel(list, TUNNEL_IP6TNL, outer);
			continue;
		}
		if (has_family(&c->vips, 4))
			ret = add_tunnel(list, TUNNEL_IPIP, outer);
		if (!ret && has_family(&c->vips, 6))
			ret = add_tunnel(list, TUNNEL_SIT, outer);
	}
	return ret;
}

/* Settings come first: a VIP must not be on lo for a moment while ARP would still answer for it. */
static int add_sysctls(struct item_list *list, const struct real_config *c, const char *dev)
{
	bool all = !strcmp(dev, "all");
	int ret = 0;

	if (has_family(&c->vips, 4)) {
		ret = add_sysctl(list, RULE_ARP_IGNORE, 4, dev, "arp_ignore", false);
		if (!ret)
			ret = add_sysctl(list, RULE_ARP_ANNOUNCE, 4, dev, "arp_announce", false);
		if (!ret && !all)
			ret = add_sysctl(list, RULE_RP_FILTER, 4, dev, "rp_filter", false);
	}
	if (!ret && !all && has_family(&c->vips, 6))
		ret = add_sysctl(list, RULE_IPV6_ON, 6, dev, "disable_ipv6", false);
	return ret;
}

static int add_encap(struct item_list *list, const struct real_config *c)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < c->outers.n; i++)
		ret = add_address(list, ITEM_OUTER, "", &c->outers.items[i], false);
	if (!ret && c->decap == REAL_DECAP_KERNEL)
		ret = add_tunnels(list, c);
	for (size_t i = 0; !ret && i < c->n_interfaces; i++) {
		ret = add_qdisc(list, c->interfaces[i], false);
		if (!ret)
			ret = add_filter(list, c->interfaces[i], PROGRAM_CLAMP);
	}
	return ret;
}

static int add_all(struct item_list *list, const struct real_config *c)
{
	int ret = add_link(list, "lo");

	for (size_t i = 0; !ret && i < c->n_interfaces; i++)
		ret = add_link(list, c->interfaces[i]);
	if (!ret)
		ret = add_sysctls(list, c, "all");
	for (size_t i = 0; !ret && i < c->n_interfaces; i++)
		ret = add_sysctls(list, c, c->interfaces[i]);
	if (!ret && has_family(&c->vips, 6))
		ret = add_sysctl(list, RULE_IPV6_ON, 6, "lo", "disable_ipv6", false);
	if (!ret && real_encap_is_tunnel(c->encap))
		ret = add_encap(list, c);
	for (size_t i = 0; !ret && i < c->vips.n; i++) {
		ret = add_route(list, &c->vips.items[i]);
		if (!ret)
			ret = add_address(list, ITEM_ADDRESS, "lo", &c->vips.items[i], false);
	}
	if (!real_encap_is_tunnel(c->encap) || c->decap != REAL_DECAP_BPF)
		return ret;
	for (size_t i = 0; !ret && i < c->n_interfaces; i++)
		ret = add_filter(list, c->interfaces[i], PROGRAM_DECAP);
	return ret;
}

int item_list_init(struct item_list *list, const struct real_config *config)
{
	int ret;

	list->items = NULL;
	list->n = 0;
	ret = add_all(list, config);
	if (ret)
		item_list_fini(list);
	return ret;
}

void item_list_fini(struct item_list *list)
{
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

bool item_is_recorded(const struct item *item)
{
	switch (item->kind) {
	case ITEM_LINK:
	case ITEM_OUTER:
	case ITEM_TUNNEL_UP:
		return false;
	case ITEM_SYSCTL:
		return !item->of_tunnel && item->rule != RULE_IPV6_ON;
	case ITEM_ADDRESS:
	case ITEM_ROUTE:
	case ITEM_TUNNEL:
	case ITEM_QDISC:
	case ITEM_FILTER:
		break;
	}
	return !item->of_tunnel;
}
