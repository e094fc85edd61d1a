/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/rtnl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

int rtnl_open(struct rtnl *rtnl)
{
	int ret;

	rtnl->seq = 0;
	rtnl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!rtnl->socket)
		return -errno;
	if (mnl_socket_bind(rtnl->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	ret = -errno;
	rtnl_close(rtnl);
	return ret;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (rtnl->socket)
		mnl_socket_close(rtnl->socket);
	rtnl->socket = NULL;
}

struct nlmsghdr *rtnl_request(char buf[RTNL_REQUEST_BYTES], uint16_t type, uint16_t flags,
			      size_t payload_bytes, void **ret_payload)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	*ret_payload = mnl_nlmsg_put_extra_header(nlh, payload_bytes);
	return nlh;
}

void rtnl_put_addr(struct nlmsghdr *request, uint16_t attribute, const struct addr *a)
{
	mnl_attr_put(request, attribute, addr_bits(a) / 8, a->bytes);
}

bool rtnl_get_addr(const struct nlattr *attribute, int af, struct addr *ret_addr)
{
	size_t len = af == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attribute) != len)
		return false;
	*ret_addr = (struct addr){.family = af == AF_INET ? 4 : 6};
	memcpy(ret_addr->bytes, mnl_attr_get_payload(attribute), len);
	return true;
}

/* What an earlier request that failed half way may have left. */
static void drain(struct rtnl *rtnl)
{
	char buf[64];

	while (recv(mnl_socket_get_fd(rtnl->socket), buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
}

int rtnl_ask(struct rtnl *rtnl, struct nlmsghdr *request, mnl_cb_t handle, void *arg)
{
	char buf[RTNL_BUF_BYTES];
	unsigned portid = mnl_socket_get_portid(rtnl->socket);
	ssize_t n;
	int more;

	/* A dump ends by itself; everything else by the acknowledgement asked for here. */
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	request->nlmsg_seq = ++rtnl->seq;
	drain(rtnl);
	if (mnl_socket_sendto(rtnl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(rtnl->socket, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)n, request->nlmsg_seq, portid, handle, arg);
		if (more < 0)
			return -errno;
	} while (more > MNL_CB_STOP);
	return 0;
}
