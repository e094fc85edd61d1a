/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nl {
	struct mnl_socket *sock;
	unsigned seq;
	char why[256];
	char buf[8192]; /* no larger than one request ever gets */
	char answer[32768];
};

int nl_open(struct nl **ret_nl, struct err *e)
{
	struct nl *nl = calloc(1, sizeof(*nl));
	int one = 1, code;

	if (!nl)
		return err_set(e, -ENOMEM, "out of memory");
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID)) {
		code = err_set(e, -errno, "can't open a netlink socket: %s", strerror(errno));
		nl_close(nl);
		return code;
	}
	/* Both only improve messages and checking; a kernel without them still answers. */
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	*ret_nl = nl;
	return 0;
}

void nl_close(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
}

struct nlmsghdr *nl_start(struct nl *nl, int type, int flags, size_t extra_len)
{
	struct nlmsghdr *nlh;

	memset(nl->buf, 0, sizeof(nl->buf));
	nlh = mnl_nlmsg_put_header(nl->buf);
	nlh->nlmsg_type = (uint16_t)type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	mnl_nlmsg_put_extra_header(nlh, extra_len);
	return nlh;
}

static int on_ext_ack(const struct nlattr *attr, void *arg)
{
	struct nl *nl = arg;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(nl->why, sizeof(nl->why), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

/* The extended acknowledgement stands behind the error and, unless capped, the echoed request. */
static void read_ext_ack(struct nl *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	unsigned offset = sizeof(*err);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += err->msg.nlmsg_len - sizeof(struct nlmsghdr);
	if (mnl_nlmsg_get_payload_len(nlh) < offset)
		return;
	mnl_attr_parse(nlh, offset, on_ext_ack, nl);
}

static int on_error(const struct nlmsghdr *nlh, void *arg)
{
	struct nl *nl = arg;
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*err))) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!err->error)
		return MNL_CB_STOP;
	read_ext_ack(nl, nlh);
	errno = err->error < 0 ? -err->error : err->error;
	return MNL_CB_ERROR;
}

struct answer {
	struct nl *nl;
	mnl_cb_t cb;
	void *arg;
};

static int on_data(const struct nlmsghdr *nlh, void *arg)
{
	struct answer *a = arg;

	return a->cb ? a->cb(nlh, a->arg) : MNL_CB_OK;
}

static int on_error_answer(const struct nlmsghdr *nlh, void *arg)
{
	return on_error(nlh, ((struct answer *)arg)->nl);
}

int nl_run(struct nl *nl, mnl_cb_t cb, void *arg)
{
	/* Types from the array's length on keep libmnl's own handlers. */
	mnl_cb_t control[NLMSG_ERROR + 1] = {[NLMSG_ERROR] = on_error_answer};
	struct nlmsghdr *nlh = (struct nlmsghdr *)nl->buf;
	struct answer answer = {nl, cb, arg};
	unsigned port = mnl_socket_get_portid(nl->sock);
	ssize_t n;
	int ret;

	nl->why[0] = '\0';
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl->sock, nl->answer, sizeof(nl->answer));
		if (n < 0 && errno == EINTR) {
			ret = MNL_CB_OK;
			continue;
		}
		if (n < 0)
			return -errno;
		ret = mnl_cb_run2(nl->answer, (size_t)n, nl->seq, port, on_data, &answer, control,
				  NLMSG_ERROR + 1);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
}

const char *nl_why(const struct nl *nl, int code)
{
	return nl->why[0] ? nl->why : strerror(code < 0 ? -code : code);
}
