/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NEIGHBOUR_LINKS_H
#define FAIRWAY_NEIGHBOUR_LINKS_H

/* The interfaces of this namespace, as the kernel last told. */

#include "controlplane/neighbour/neighbour.h"
#include "controlplane/neighbour/rtnl.h"

struct links {
	struct neighbour_link *entries;
	size_t count;
	size_t room;
};

enum links_change {
	LINKS_SAME,
	LINKS_CHANGED,
	LINKS_GONE,
};

/* A zeroed struct is empty. */
void links_fini(struct links *links);

/* Read an RTM_NEWLINK or RTM_DELLINK. false: not about an interface as such. */
bool links_parse(const struct nlmsghdr *nlh, struct neighbour_link *ret_link);

/* Put in, or take out, what the message told. -ENOMEM, or an enum links_change. */
int links_update(struct links *links, const struct nlmsghdr *nlh, struct neighbour_link *ret_link)
	__attribute__((warn_unused_result));

/* Ask the kernel for all of them, into an empty struct. 0 or -errno. */
int links_read(struct links *links, struct rtnl *rtnl) __attribute__((warn_unused_result));

/* NULL: no such interface. */
const struct neighbour_link *links_by_index(const struct links *links, uint32_t ifindex);
const struct neighbour_link *links_by_name(const struct links *links, const char *name);

/* As neighbour_egress_get(). */
int links_egress(const struct links *links, uint32_t ifindex,
		 bool (*sends)(void *arg, const char *name), void *arg,
		 struct neighbour_egress *ret_egress, struct err *err)
	__attribute__((warn_unused_result));

bool links_equal(const struct neighbour_link *a, const struct neighbour_link *b);

#endif
