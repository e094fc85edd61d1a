/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_ROUTE_H
#define FAIRWAY_REAL_ROUTE_H

#include "tools/real/netlink.h"
#include "tools/real/state.h"

/* Host routes of type blackhole in the main table. The local table is asked before it, so such a
 * route does nothing while the address is on lo; when it has gone from there, packets for it end
 * here instead of being forwarded, by whatever way they came. */

/* All those there are, whoever made them, into an empty set. */
int route_blackholes(struct nl *nl, struct addr_set *ret_set) __attribute__((warn_unused_result));

/* -EEXIST: there is a route for the address, as good as this one. */
int route_blackhole_add(struct nl *nl, const struct addr *addr) __attribute__((warn_unused_result));

/* 0 also when it is gone already. */
int route_blackhole_del(struct nl *nl, const struct addr *addr) __attribute__((warn_unused_result));

#endif
