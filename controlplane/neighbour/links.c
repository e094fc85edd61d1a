/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
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

/* The tag of a VLAN device, from what IFLA_INFO_DATA has; an old kernel knows 802.1Q only, and
 * doesn't say so. */
static uint32_t read_tag(const struct nlattr *data)
{
	const struct nlattr *attr;
	uint32_t tpid = ETH_P_8021Q, id = 0;

	mnl_attr_for_each_nested(attr, data)
	{
		if (mnl_attr_get_payload_len(attr) < sizeof(uint16_t))
			continue;
		if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
			id = mnl_attr_get_u16(attr);
		else if (mnl_attr_get_type(attr) == IFLA_VLAN_PROTOCOL)
			tpid = ntohs(mnl_attr_get_u16(attr));
	}
	return tpid << 16 | id;
}

static uint32_t read_kind(const struct nlattr *linkinfo)
{
	const struct nlattr *attr, *data = NULL;
	bool vlan = false;

	mnl_attr_for_each_nested(attr, linkinfo)
	{
		const char *kind = mnl_attr_get_payload(attr);
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			vlan = strnlen(kind, len) == 4 && memcmp(kind, "vlan", 4) == 0;
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	return vlan && data ? read_tag(data) : 0;
}

bool links_parse(const struct nlmsghdr *nlh, struct neighbour_link *ret_link)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct neighbour_link link = {0};
	const struct nlattr *attr;
	bool lower_elsewhere = false;

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
		case IFLA_LINK:
			link.lower = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			lower_elsewhere = true;
			break;
		case IFLA_LINKINFO:
			link.tag = read_kind(attr);
			break;
		}
	}
	/* Others lie on interfaces too (macvlan), or name their peer so (veth). */
	if (!link.tag || lower_elsewhere)
		link.lower = 0;
	*ret_link = link;
	return true;
}

bool links_equal(const struct neighbour_link *a, const struct neighbour_link *b)
{
	return a->ifindex == b->ifindex && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->mac, b->mac, 6) == 0 && a->mtu == b->mtu && a->ethernet == b->ethernet &&
	       a->admin_up == b->admin_up && a->up == b->up && a->tag == b->tag &&
	       a->lower == b->lower;
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

/* Put a tag that the frame gets outside of those it has. */
static int push_tag(struct neighbour_egress *egress, uint32_t tag)
{
	if (egress->n_tags == NEIGHBOUR_TAGS_MAX)
		return -E2BIG;
	memmove(&egress->tags[1], &egress->tags[0], sizeof(egress->tags) - sizeof(*egress->tags));
	egress->tags[0] = tag;
	egress->n_tags++;
	return 0;
}

int links_egress(const struct links *links, uint32_t ifindex,
		 bool (*sends)(void *arg, const char *name), void *arg,
		 struct neighbour_egress *ret_egress, struct err *err)
{
	const struct neighbour_link *link = find(links, ifindex), *lower;
	struct neighbour_egress egress = {0};

	if (!link)
		return err_set(err, -ENODEV, "interface %u doesn't exist", ifindex);
	egress.link = *link;
	for (; link->tag && !sends(arg, link->name); link = lower) {
		lower = find(links, link->lower);
		if (!lower && link->lower)
			return err_set(err, -ENODEV, "waiting for news of interface %u below %s",
				       link->lower, link->name);
		if (!lower)
			return err_set(err, -ENODEV,
				       "VLAN device %s lies on an interface of another network "
				       "namespace: reach the real through an interface of this one",
				       link->name);
		if (push_tag(&egress, link->tag) < 0)
			return err_set(err, -E2BIG,
				       "frames through %s would have more than %d VLAN tags: reach "
				       "the real through fewer VLAN devices on each other",
				       egress.link.name, NEIGHBOUR_TAGS_MAX);
	}
	if (egress.n_tags && !sends(arg, link->name))
		return err_set(err, -ENODEV,
			       "VLAN device %s lies on %s, which is not in node.interfaces: add it "
			       "there, or reach the real through another interface",
			       egress.link.name, link->name);
	egress.device = *link;
	*ret_egress = egress;
	return 0;
}
