/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_LINK_H
#define FAIRWAY_REAL_LINK_H

#include <net/if.h>
#include <stdbool.h>

#include "controlplane/base/addr.h"
#include "tools/real/netlink.h"

/* A network device as far as this program cares. */
struct link {
	int index;
	unsigned flags; /* IFF_UP and so on */
	unsigned type;  /* ARPHRD_* */
	unsigned mtu;   /* bytes */
	char kind[16];  /* "ipip", "veth"; "" for real hardware */
};

/* 0, -ENODEV when there is no such device, or another -errno. */
int link_get(struct nl *nl, const char *name, struct link *ret_link)
	__attribute__((warn_unused_result));

/* The device of the default route with the lowest metric, IPv4's before IPv6's; -ENOENT: none. */
int link_of_default_route(struct nl *nl, char ret_name[IFNAMSIZ])
	__attribute__((warn_unused_result));

/* The kernel's own decapsulators, named as `ip link` names them. */
enum tunnel_kind {
	TUNNEL_IPIP,   /* IPv4 in IPv4 */
	TUNNEL_SIT,    /* IPv6 in IPv4 */
	TUNNEL_IP6TNL, /* either in IPv6 */
};
const char *tunnel_kind_name(enum tunnel_kind kind);

/* Create the device, down, to receive what any sender sends to `local`. -EOPNOTSUPP: this kernel
 * has no such device; -EEXIST: the name, or an equal tunnel, is there already. */
int tunnel_add(struct nl *nl, const char *name, enum tunnel_kind kind, const struct addr *local)
	__attribute__((warn_unused_result));

int link_set_up(struct nl *nl, const char *name) __attribute__((warn_unused_result));

/* 0 also when it is gone already. */
int link_del(struct nl *nl, const char *name) __attribute__((warn_unused_result));

#endif
