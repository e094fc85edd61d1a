/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/entry.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* States in which the kernel itself would send to the address it has. NOARP is not among them: on
 * an Ethernet interface without ARP it stands for the interface's own address. */
#define STATES_VALID (NUD_PERMANENT | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

bool entry_key_equal(const struct entry_key *a, const struct entry_key *b)
{
	return a->ifindex == b->ifindex && addr_equal(&a->addr, &b->addr);
}

bool entry_parse_key(const struct nlmsghdr *nlh, struct entry_key *ret_key)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct entry_key key = {0};
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm))
		return false;
	if (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6)
		return false;
	key.ifindex = (uint32_t)ndm->ndm_ifindex;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) == NDA_DST &&
		    !rtnl_get_addr(attr, ndm->ndm_family, &key.addr))
			return false;
	}
	*ret_key = key;
	return key.addr.family != 0;
}

static int on_entry(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct entry *entry = arg;
	const struct nlattr *attr;
	bool has_mac = false;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6) {
			memcpy(entry->mac, mnl_attr_get_payload(attr), 6);
			has_mac = true;
		} else if (mnl_attr_get_type(attr) == NDA_FLAGS_EXT) {
			entry->managed = mnl_attr_get_u32(attr) & NTF_EXT_MANAGED;
		}
	}
	entry->valid = has_mac && (ndm->ndm_state & STATES_VALID);
	entry->failed = ndm->ndm_state & NUD_FAILED;
	entry->pinned = (ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP)) ||
			(ndm->ndm_flags & NTF_EXT_LEARNED);
	return MNL_CB_OK;
}

static struct nlmsghdr *key_request(char buf[RTNL_REQUEST_BYTES], uint16_t type, uint16_t flags,
				    const struct entry_key *key, struct ndmsg **ret_ndm)
{
	struct nlmsghdr *request =
		rtnl_request(buf, type, flags, sizeof(**ret_ndm), (void **)ret_ndm);

	(*ret_ndm)->ndm_family = (uint8_t)addr_af(&key->addr);
	(*ret_ndm)->ndm_ifindex = (int32_t)key->ifindex;
	rtnl_put_addr(request, NDA_DST, &key->addr);
	return request;
}

int entry_ask(struct rtnl *rtnl, const struct entry_key *key, struct entry *ret_entry)
{
	char buf[RTNL_REQUEST_BYTES];
	struct entry entry = {0};
	struct ndmsg *ndm;
	int ret;

	ret = rtnl_ask(rtnl, key_request(buf, RTM_GETNEIGH, 0, key, &ndm), on_entry, &entry);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	*ret_entry = entry;
	return 0;
}

int entry_manage(struct rtnl *rtnl, const struct entry_key *key)
{
	char buf[RTNL_REQUEST_BYTES];
	struct ndmsg *ndm;
	struct nlmsghdr *request =
		key_request(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, key, &ndm);

	ndm->ndm_flags = NTF_USE;
	mnl_attr_put_u32(request, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return rtnl_ask(rtnl, request, NULL, NULL);
}

int entry_release(struct rtnl *rtnl, const struct entry_key *key)
{
	char buf[RTNL_REQUEST_BYTES];
	struct ndmsg *ndm;
	struct nlmsghdr *request = key_request(buf, RTM_NEWNEIGH, NLM_F_REPLACE, key, &ndm);

	/* A use that doesn't ask for management ends it, and leaves state and address alone. */
	ndm->ndm_flags = NTF_USE;
	return rtnl_ask(rtnl, request, NULL, NULL);
}
