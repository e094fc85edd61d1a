/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_HOST_ADDR_H
#define FAIRWAY_REAL_HOST_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/base/addr.h"
#include "tools/real/netlink.h"

/* An address that this host has on one of its devices. */
struct host_addr {
	struct addr addr;
	int ifindex;
	uint8_t prefix_len;
	uint8_t scope;  /* RT_SCOPE_* */
	unsigned flags; /* IFA_F_* */
};

struct host_addrs {
	struct host_addr *items;
	size_t n;
};

/* Read all addresses of all devices; the caller frees with host_addrs_fini(). */
int host_addrs_init(struct host_addrs *list, struct nl *nl) __attribute__((warn_unused_result));
void host_addrs_fini(struct host_addrs *list);

/* The address on that device, or, with ifindex 0, on whatever device; NULL when it isn't there. */
const struct host_addr *host_addrs_find(const struct host_addrs *list, int ifindex,
					const struct addr *addr);

/* Put a host route address (/32, /128) on a device. IPv4 gets scope host, IPv6 no duplicate
 * address detection and a preferred lifetime of 0: both keep the host from choosing it as the
 * source of connections of its own, while servers bound to it answer from it. IPv6 also gets no
 * prefix route: taking that away with the address, the kernel would take any route of that prefix
 * on lo, our blackhole among them. */
int host_addr_add(struct nl *nl, int ifindex, const struct addr *addr)
	__attribute__((warn_unused_result));

/* 0 also when it is gone already. */
int host_addr_del(struct nl *nl, int ifindex, const struct addr *addr)
	__attribute__((warn_unused_result));

#endif
