/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NEIGHBOUR_RESOLVE_H
#define FAIRWAY_NEIGHBOUR_RESOLVE_H

/* From a target to its next hop, by asking the kernel; and what is remembered between two answers:
 * the last good MAC address of the neighbour. */

#include "controlplane/neighbour/entry.h"
#include "controlplane/neighbour/links.h"
#include "controlplane/neighbour/neighbour.h"
#include "controlplane/neighbour/route.h"
#include "controlplane/neighbour/rtnl.h"

struct resolution {
	struct addr target;
	/* The neighbour that the last known route leads to; kept while there is no route. */
	struct entry_key key;
	bool has_mac; /* mac is the last good one of key */
	uint8_t mac[6];
	bool has_failed; /* key was asked in vain since it last answered */
	struct neighbour_nexthop nexthop;
};

void resolution_init(struct resolution *r, const struct addr *target);

/* Ask anew. True when nexthop changed. */
bool resolution_refresh(struct resolution *r, struct rtnl *rtnl, const struct links *links)
	__attribute__((warn_unused_result));

#endif
