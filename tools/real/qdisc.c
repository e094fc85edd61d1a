/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/qdisc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

static struct nlmsghdr *start(struct nl *nl, int type, int flags, int ifindex, unsigned parent)
{
	struct nlmsghdr *nlh = nl_start(nl, type, flags, sizeof(struct tcmsg));
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = ifindex;
	tcm->tcm_parent = parent;
	return nlh;
}

struct search {
	int ifindex;
	char kind[16];
	char msg_kind[16]; /* of the message being parsed */
};

static int on_qdisc_attr(const struct nlattr *attr, void *arg)
{
	struct search *s = arg;

	if (mnl_attr_get_type(attr) == TCA_KIND)
		snprintf(s->msg_kind, sizeof(s->msg_kind), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_qdisc(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct search *s = arg;

	if (tcm->tcm_ifindex != s->ifindex || tcm->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	if (mnl_attr_parse(nlh, sizeof(*tcm), on_qdisc_attr, s) < 0)
		return MNL_CB_ERROR;
	memcpy(s->kind, s->msg_kind, sizeof(s->kind));
	return MNL_CB_OK;
}

int qdisc_ingress_kind(struct nl *nl, int ifindex, char ret_kind[16])
{
	struct search s = {.ifindex = ifindex};
	int ret;

	start(nl, RTM_GETQDISC, NLM_F_DUMP, ifindex, 0);
	ret = nl_run(nl, on_qdisc, &s);
	if (ret)
		return ret;
	memcpy(ret_kind, s.kind, sizeof(s.kind));
	return 0;
}

int qdisc_clsact_add(struct nl *nl, int ifindex)
{
	struct nlmsghdr *nlh =
		start(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, TC_H_CLSACT);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
	return nl_run(nl, NULL, NULL);
}

int qdisc_clsact_del(struct nl *nl, int ifindex)
{
	struct nlmsghdr *nlh = start(nl, RTM_DELQDISC, 0, ifindex, TC_H_CLSACT);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	int ret;

	tcm->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	ret = nl_run(nl, NULL, NULL);
	return ret == -ENOENT || ret == -ENODEV ? 0 : ret;
}

static int on_filter(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	/* Handle 0 announces a priority; its filters follow with theirs. */
	if (tcm->tcm_handle)
		++*(size_t *)arg;
	return MNL_CB_OK;
}

int qdisc_count_filters(struct nl *nl, int ifindex, size_t *ret_n)
{
	static const unsigned hooks[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		int ret;

		start(nl, RTM_GETTFILTER, NLM_F_DUMP, ifindex, TC_H_MAKE(TC_H_CLSACT, hooks[i]));
		ret = nl_run(nl, on_filter, &n);
		if (ret)
			return ret;
	}
	*ret_n = n;
	return 0;
}
