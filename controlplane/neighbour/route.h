/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NEIGHBOUR_ROUTE_H
#define FAIRWAY_NEIGHBOUR_ROUTE_H

/* The kernel's own answer to "where would you send a packet for this address?" (RTM_GETROUTE), with
 * its rules, tables and multipath choice. */

#include "controlplane/neighbour/neighbour.h"
#include "controlplane/neighbour/rtnl.h"

struct route {
	uint32_t ifindex;
	struct addr gateway; /* family 0: on link */
	uint32_t mtu;        /* 0: the interface's */
};

/* 0, or as neighbour_route_check() with words in err. */
int route_ask(struct rtnl *rtnl, const struct addr *target, struct route *ret_route,
	      struct err *err) __attribute__((warn_unused_result));

/* Did the kernel answer, that there is no way to the target? Else it couldn't be asked. */
bool route_is_refusal(int error);

#endif
