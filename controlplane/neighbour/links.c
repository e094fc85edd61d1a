/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/links.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A dump that was interrupted by changes is asked for again, but not for ever. */
#define DUMP_TRIES 10

void links_fini(struct links *links)
{
	free(links->entries);
	*links = (struct links){0};
}

bool links_parse(const struct nlmsghdr *nlh, struct neighbour_link *ret_link)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct neighbour_link link = {0};
	const struct nlattr *attr;

	/* Bridges tell about their ports with the same message in another family. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return false;
	link.ifindex = (uint32_t)ifi->ifi_index;
	link.ethernet = ifi->ifi_type == ARPHRD_ETHER;
	link.admin_up = ifi->ifi_flags & IFF_UP;
	link.up = link.admin_up && (ifi->ifi_flags & IFF_LOWER_UP);
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			snprintf(link.name, sizeof(link.name), "%.*s",
				 (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
			break;
		case IFLA_MTU:
			link.mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_ADDRESS:
			if (link.ethernet && mnl_attr_get_payload_len(attr) == 6)
				memcpy(link.mac, mnl_attr_get_payload(attr), 6);
			break;
		}
	}
	*ret_link = link;
	return true;
}

bool links_equal(const struct neighbour_link *a, const struct neighbour_link *b)
{
	return a->ifindex == b->ifindex && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->mac, b->mac, 6) == 0 && a->mtu == b->mtu && a->ethernet == b->ethernet &&
	       a->admin_up == b->admin_up && a->up == b->up;
}

static struct neighbour_link *find(const struct links *links, uint32_t ifindex)
{
	for (size_t i = 0; i < links->count; i++)
		if (links->entries[i].ifindex == ifindex)
			return &links->entries[i];
	return NULL;
}

static int append(struct links *links, const struct neighbour_link *link)
{
	if (links->count == links->room) {
		size_t room = links->room ? 2 * links->room : 16;
		struct neighbour_link *entries =
			reallocarray(links->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		links->entries = entries;
		links->room = room;
	}
	links->entries[links->count++] = *link;
	return 0;
}

int links_update(struct links *links, const struct nlmsghdr *nlh, struct neighbour_link *ret_link)
{
	struct neighbour_link *old;
	int ret;

	if (!links_parse(nlh, ret_link))
		return LINKS_SAME;
	old = find(links, ret_link->ifindex);
	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (!old)
			return LINKS_SAME;
		*old = links->entries[--links->count];
		return LINKS_GONE;
	}
	if (old && links_equal(old, ret_link))
		return LINKS_SAME;
	if (old) {
		*old = *ret_link;
		return LINKS_CHANGED;
	}
	ret = append(links, ret_link);
	return ret < 0 ? ret : LINKS_CHANGED;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	struct neighbour_link link;

	if (links_update(arg, nlh, &link) >= 0)
		return MNL_CB_OK;
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

int links_read(struct links *links, struct rtnl *rtnl)
{
	int ret = -EINTR;

	for (int i = 0; i < DUMP_TRIES && ret == -EINTR; i++) {
		char buf[RTNL_REQUEST_BYTES];
		void *payload;
		struct nlmsghdr *request = rtnl_request(buf, RTM_GETLINK, NLM_F_DUMP,
							sizeof(struct ifinfomsg), &payload);

		links->count = 0;
		ret = rtnl_ask(rtnl, request, on_link, links);
	}
	return ret;
}

const struct neighbour_link *links_by_index(const struct links *links, uint32_t ifindex)
{
	return find(links, ifindex);
}

const struct neighbour_link *links_by_name(const struct links *links, const char *name)
{
	for (size_t i = 0; i < links->count; i++)
		if (strcmp(links->entries[i].name, name) == 0)
			return &links->entries[i];
	return NULL;
}
