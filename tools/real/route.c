/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static int on_route_attr(const struct nlattr *attr, void *arg)
{
	struct addr *dst = arg;
	size_t len = addr_bits(dst) / 8;

	if (mnl_attr_get_type(attr) == RTA_DST && mnl_attr_get_payload_len(attr) == len)
		memcpy(dst->bytes, mnl_attr_get_payload(attr), len);
	return MNL_CB_OK;
}

/* A kernel that doesn't filter gives more than was asked for. */
static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct addr dst = {.family = rtm->rtm_family == AF_INET ? 4 : 6};

	if (rtm->rtm_type != RTN_BLACKHOLE || rtm->rtm_table != RT_TABLE_MAIN ||
	    rtm->rtm_dst_len != addr_bits(&dst))
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*rtm), on_route_attr, &dst) < 0)
		return MNL_CB_ERROR;
	if (!addr_set_add(arg, &dst))
		return MNL_CB_OK;
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

int route_blackholes(struct nl *nl, struct addr_set *ret_set)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < sizeof(families); i++) {
		struct nlmsghdr *nlh = nl_start(nl, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
		struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
		int ret;

		rtm->rtm_family = families[i];
		rtm->rtm_table = RT_TABLE_MAIN;
		rtm->rtm_type = RTN_BLACKHOLE;
		ret = nl_run(nl, on_route, ret_set);
		/* ENOENT: a namespace where nothing has been routed yet; the others: no IPv6. */
		if (ret && ret != -ENOENT && ret != -EOPNOTSUPP && ret != -EAFNOSUPPORT)
			return ret;
	}
	return 0;
}

static void start(struct nl *nl, int type, int flags, const struct addr *addr)
{
	struct nlmsghdr *nlh = nl_start(nl, type, flags, sizeof(struct rtmsg));
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	rtm->rtm_family = (uint8_t)addr_af(addr);
	rtm->rtm_dst_len = (uint8_t)addr_bits(addr);
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = RTN_BLACKHOLE;
	mnl_attr_put(nlh, RTA_DST, addr_bits(addr) / 8, addr->bytes);
	/* The best metric that the family has, so that no routing daemon's route wins against it.
	 */
	if (addr->family == 6)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, 1);
}

int route_blackhole_add(struct nl *nl, const struct addr *addr)
{
	start(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, addr);
	return nl_run(nl, NULL, NULL);
}

int route_blackhole_del(struct nl *nl, const struct addr *addr)
{
	int ret;

	start(nl, RTM_DELROUTE, 0, addr);
	ret = nl_run(nl, NULL, NULL);
	return ret == -ESRCH ? 0 : ret;
}
