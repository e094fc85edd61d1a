/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/host_addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static int on_addr_attr(const struct nlattr *attr, void *arg)
{
	struct host_addr *h = arg;
	uint16_t type = mnl_attr_get_type(attr);
	size_t len = addr_bits(&h->addr) / 8;

	/* IFA_LOCAL is the host's own where the link is point-to-point and IFA_ADDRESS the peer's;
	 * it comes second, so it wins. IPv6 gives only IFA_ADDRESS. */
	if ((type == IFA_ADDRESS || type == IFA_LOCAL) && mnl_attr_get_payload_len(attr) == len)
		memcpy(h->addr.bytes, mnl_attr_get_payload(attr), len);
	else if (type == IFA_FLAGS)
		h->flags = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct host_addrs *list = arg;
	struct host_addr h = {
		.ifindex = (int)ifa->ifa_index,
		.prefix_len = ifa->ifa_prefixlen,
		.scope = ifa->ifa_scope,
		.flags = ifa->ifa_flags,
	};
	struct host_addr *items;

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return MNL_CB_OK;
	h.addr.family = ifa->ifa_family == AF_INET ? 4 : 6;
	if (mnl_attr_parse(nlh, sizeof(*ifa), on_addr_attr, &h) < 0)
		return MNL_CB_ERROR;
	items = reallocarray(list->items, list->n + 1, sizeof(*items));
	if (!items)
		return MNL_CB_ERROR;
	list->items = items;
	list->items[list->n++] = h;
	return MNL_CB_OK;
}

int host_addrs_init(struct host_addrs *list, struct nl *nl)
{
	int ret;

	list->items = NULL;
	list->n = 0;
	nl_start(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	ret = nl_run(nl, on_addr, list);
	if (ret)
		host_addrs_fini(list);
	return ret;
}

void host_addrs_fini(struct host_addrs *list)
{
	free(list->items);
	list->items = NULL;
	list->n = 0;
}

const struct host_addr *host_addrs_find(const struct host_addrs *list, int ifindex,
					const struct addr *addr)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct host_addr *h = &list->items[i];

		if ((!ifindex || h->ifindex == ifindex) && addr_equal(&h->addr, addr))
			return h;
	}
	return NULL;
}

static struct nlmsghdr *start(struct nl *nl, int type, int flags, int ifindex,
			      const struct addr *addr)
{
	struct nlmsghdr *nlh = nl_start(nl, type, flags, sizeof(struct ifaddrmsg));
	struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	size_t len = addr_bits(addr) / 8;

	ifa->ifa_family = (uint8_t)addr_af(addr);
	ifa->ifa_prefixlen = (uint8_t)addr_bits(addr);
	ifa->ifa_scope = addr->family == 4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	ifa->ifa_index = (unsigned)ifindex;
	mnl_attr_put(nlh, IFA_LOCAL, len, addr->bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, len, addr->bytes);
	return nlh;
}

int host_addr_add(struct nl *nl, int ifindex, const struct addr *addr)
{
	struct nlmsghdr *nlh = start(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr);

	if (addr->family == 6) {
		struct ifa_cacheinfo life = {.ifa_prefered = 0, .ifa_valid = 0xffffffff};

		mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
		mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(life), &life);
	}
	return nl_run(nl, NULL, NULL);
}

int host_addr_del(struct nl *nl, int ifindex, const struct addr *addr)
{
	int ret;

	start(nl, RTM_DELADDR, 0, ifindex, addr);
	ret = nl_run(nl, NULL, NULL);
	return ret == -EADDRNOTAVAIL || ret == -ENODEV ? 0 : ret;
}
