/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static int on_info(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		snprintf(link->kind, sizeof(link->kind), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_link_attr(const struct nlattr *attr, void *arg)
{
	struct link *link = arg;

	if (mnl_attr_get_type(attr) == IFLA_MTU)
		link->mtu = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attr, on_info, link);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link *link = arg;

	link->index = ifi->ifi_index;
	link->flags = ifi->ifi_flags;
	link->type = ifi->ifi_type;
	return mnl_attr_parse(nlh, sizeof(*ifi), on_link_attr, link);
}

int link_get(struct nl *nl, const char *name, struct link *ret_link)
{
	struct nlmsghdr *nlh = nl_start(nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	struct link link = {0};
	int ret;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	ret = nl_run(nl, on_link, &link);
	if (ret)
		return ret;
	if (!link.index)
		return -ENODEV;
	*ret_link = link;
	return 0;
}

struct default_route {
	int oif;
	unsigned metric;
	int msg_oif; /* of the message being parsed */
	unsigned msg_metric;
};

static int on_route_attr(const struct nlattr *attr, void *arg)
{
	struct default_route *best = arg;

	if (mnl_attr_get_type(attr) == RTA_OIF)
		best->msg_oif = (int)mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == RTA_PRIORITY)
		best->msg_metric = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
		best->msg_oif = ((struct rtnexthop *)mnl_attr_get_payload(attr))->rtnh_ifindex;
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct default_route *best = arg;

	if (rtm->rtm_dst_len || rtm->rtm_type != RTN_UNICAST || rtm->rtm_table != RT_TABLE_MAIN)
		return MNL_CB_OK;
	best->msg_oif = 0;
	best->msg_metric = 0;
	if (mnl_attr_parse(nlh, sizeof(*rtm), on_route_attr, best) < 0)
		return MNL_CB_ERROR;
	if (best->msg_oif && (!best->oif || best->msg_metric < best->metric)) {
		best->oif = best->msg_oif;
		best->metric = best->msg_metric;
	}
	return MNL_CB_OK;
}

int link_of_default_route(struct nl *nl, char ret_name[IFNAMSIZ])
{
	static const uint8_t families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < sizeof(families); i++) {
		struct nlmsghdr *nlh = nl_start(nl, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
		struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
		struct default_route best = {0};
		int ret;

		rtm->rtm_family = families[i];
		ret = nl_run(nl, on_route, &best);
		if (ret)
			return ret;
		if (best.oif && if_indextoname((unsigned)best.oif, ret_name))
			return 0;
	}
	return -ENOENT;
}

static const struct {
	const char *name;
	uint8_t inner; /* protocol taken: 4, 41, or 0 for both */
} tunnel_kinds[] = {
	[TUNNEL_IPIP] = {"ipip", IPPROTO_IPIP},
	[TUNNEL_SIT] = {"sit", IPPROTO_IPV6},
	[TUNNEL_IP6TNL] = {"ip6tnl", 0},
};

const char *tunnel_kind_name(enum tunnel_kind kind)
{
	return tunnel_kinds[kind].name;
}

int tunnel_add(struct nl *nl, const char *name, enum tunnel_kind kind, const struct addr *local)
{
	struct nlmsghdr *nlh =
		nl_start(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	struct nlattr *info, *data;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, tunnel_kinds[kind].name);
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put(nlh, IFLA_IPTUN_LOCAL, addr_bits(local) / 8, local->bytes);
	mnl_attr_put_u8(nlh, IFLA_IPTUN_PROTO, tunnel_kinds[kind].inner);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return nl_run(nl, NULL, NULL);
}

int link_set_up(struct nl *nl, const char *name)
{
	struct nlmsghdr *nlh = nl_start(nl, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return nl_run(nl, NULL, NULL);
}

int link_del(struct nl *nl, const char *name)
{
	struct nlmsghdr *nlh = nl_start(nl, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	int ret;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	ret = nl_run(nl, NULL, NULL);
	return ret == -ENODEV ? 0 : ret;
}
