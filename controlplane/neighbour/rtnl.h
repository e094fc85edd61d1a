/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NEIGHBOUR_RTNL_H
#define FAIRWAY_NEIGHBOUR_RTNL_H

/* A socket for rtnetlink requests. The kernel works on a request while it is being sent, so its
 * answer is there when the send returns, and reading it never waits. */

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"

/* What one read may bring; the kernel fills buffers of up to 32 KB with a dump. */
#define RTNL_BUF_BYTES     32768u
/* The largest request built here. */
#define RTNL_REQUEST_BYTES 256u

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
};

/* 0 or -errno. */
int rtnl_open(struct rtnl *rtnl) __attribute__((warn_unused_result));
/* A zeroed struct may be closed. */
void rtnl_close(struct rtnl *rtnl);

/* Begin a request in buf: header, and a zeroed family header of payload_bytes, to be filled in. */
struct nlmsghdr *rtnl_request(char buf[RTNL_REQUEST_BYTES], uint16_t type, uint16_t flags,
			      size_t payload_bytes, void **ret_payload);

/* Append an address. */
void rtnl_put_addr(struct nlmsghdr *request, uint16_t attribute, const struct addr *a);
/* Read one of AF_INET or AF_INET6; false when the length is wrong. */
bool rtnl_get_addr(const struct nlattr *attribute, int af, struct addr *ret_addr);

/* Send the request and give each message of the answer to handle (NULL: none is wanted). 0, or
 * -errno: the kernel's refusal, or what kept us from asking. A dump that was interrupted by changes
 * is -EINTR: ask again. */
int rtnl_ask(struct rtnl *rtnl, struct nlmsghdr *request, mnl_cb_t handle, void *arg)
	__attribute__((warn_unused_result));

#endif
