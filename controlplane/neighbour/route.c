/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct answer {
	struct route route;
	uint8_t type; /* RTN_*; RTN_UNSPEC: no answer */
};

/* A next hop of the other family (RFC 8950: IPv4 through an IPv6 gateway). */
static void read_via(const struct nlattr *attr, struct addr *ret_gateway)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);

	if (len == sizeof(*via) + 16 && via->rtvia_family == AF_INET6) {
		*ret_gateway = (struct addr){.family = 6};
		memcpy(ret_gateway->bytes, via->rtvia_addr, 16);
	} else if (len == sizeof(*via) + 4 && via->rtvia_family == AF_INET) {
		*ret_gateway = (struct addr){.family = 4};
		memcpy(ret_gateway->bytes, via->rtvia_addr, 4);
	}
}

static uint32_t read_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU &&
		    mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
			return mnl_attr_get_u32(attr);
	}
	return 0;
}

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct answer *answer = arg;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return MNL_CB_OK;
	answer->type = rtm->rtm_type;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			answer->route.ifindex = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			rtnl_get_addr(attr, rtm->rtm_family, &answer->route.gateway);
			break;
		case RTA_VIA:
			read_via(attr, &answer->route.gateway);
			break;
		case RTA_METRICS:
			answer->route.mtu = read_mtu(attr);
			break;
		}
	}
	return MNL_CB_OK;
}

bool route_is_refusal(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EADDRINUSE ||
	       error == -EINVAL;
}

/* The kernel has one errno for each way of saying no. */
static int refuse(int error, const char *target, unsigned bits, struct err *err)
{
	switch (error) {
	case -ENETUNREACH:
	case -ESRCH:
		return err_set(err, -ENETUNREACH,
			       "no route to %s: add one, e.g. ip route add %s/%u via GATEWAY",
			       target, target, bits);
	case -EHOSTUNREACH:
		return err_set(err, -EHOSTUNREACH,
			       "the route to %s is of type unreachable: see ip route get %s",
			       target, target);
	case -EINVAL:
		return err_set(err, -EHOSTUNREACH,
			       "the route to %s is of type blackhole: see ip route get %s", target,
			       target);
	case -EACCES:
		return err_set(err, -EHOSTUNREACH,
			       "the route to %s is of type prohibit: see ip route get %s", target,
			       target);
	default:
		return err_set(err, error, "cannot ask the kernel for the route to %s: %s", target,
			       strerror(-error));
	}
}

static int judge(const struct answer *answer, const char *target, struct err *err)
{
	switch (answer->type) {
	case RTN_UNICAST:
		return answer->route.ifindex
			       ? 0
			       : err_set(err, -EPROTO,
					 "the kernel's route to %s names no interface", target);
	case RTN_LOCAL:
	case RTN_ANYCAST:
		return err_set(err, -EADDRINUSE,
			       "%s is an address of this host: packets cannot be forwarded to it; "
			       "remove it here (ip addr) or there",
			       target);
	case RTN_BROADCAST:
	case RTN_MULTICAST:
		return err_set(err, -EINVAL, "%s is a %s address: give the address of one host",
			       target, answer->type == RTN_BROADCAST ? "broadcast" : "multicast");
	default:
		return err_set(err, -EPROTO, "the kernel's route to %s is of unknown type %u",
			       target, answer->type);
	}
}

int route_ask(struct rtnl *rtnl, const struct addr *target, struct route *ret_route,
	      struct err *err)
{
	char buf[RTNL_REQUEST_BYTES], text[ADDR_STRLEN];
	struct answer answer = {0};
	struct nlmsghdr *request;
	struct rtmsg *rtm;
	int ret;

	if (addr_af(target) == AF_UNSPEC)
		return err_set(err, -EINVAL, "no address to find a route to");
	addr_format(target, text);
	request = rtnl_request(buf, RTM_GETROUTE, 0, sizeof(*rtm), (void **)&rtm);
	rtm->rtm_family = (uint8_t)addr_af(target);
	rtm->rtm_dst_len = (uint8_t)addr_bits(target);
	rtnl_put_addr(request, RTA_DST, target);
	ret = rtnl_ask(rtnl, request, on_route, &answer);
	if (ret < 0)
		return refuse(ret, text, addr_bits(target), err);
	ret = judge(&answer, text, err);
	if (ret == 0)
		*ret_route = answer.route;
	return ret;
}

int neighbour_route_check(const struct addr *target, uint32_t *ret_ifindex, struct err *err)
{
	struct route route;
	struct rtnl rtnl;
	int ret = rtnl_open(&rtnl);

	if (ret < 0)
		return err_set(err, ret, "cannot open a netlink socket: %s", strerror(-ret));
	ret = route_ask(&rtnl, target, &route, err);
	rtnl_close(&rtnl);
	if (ret == 0 && ret_ifindex)
		*ret_ifindex = route.ifindex;
	return ret;
}
