/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NEIGHBOUR_ENTRY_H
#define FAIRWAY_NEIGHBOUR_ENTRY_H

/* One entry of the kernel's neighbour table (ARP, ND): read it, and have the kernel keep it. */

#include "controlplane/neighbour/rtnl.h"

/* Which entry. */
struct entry_key {
	uint32_t ifindex;
	struct addr addr;
};

struct entry {
	bool valid;   /* mac may be used */
	bool failed;  /* asked, and nobody answered */
	bool managed; /* the kernel keeps it resolved */
	bool pinned;  /* permanent, or kept by another program: not ours to touch */
	uint8_t mac[6];
};

bool entry_key_equal(const struct entry_key *a, const struct entry_key *b);

/* An entry that doesn't exist is all false. 0 or -errno. */
int entry_ask(struct rtnl *rtnl, const struct entry_key *key, struct entry *ret_entry)
	__attribute__((warn_unused_result));

/* Mark it managed (created if need be) and ask the neighbour now. 0 or -errno. */
int entry_manage(struct rtnl *rtnl, const struct entry_key *key)
	__attribute__((warn_unused_result));
/* Take that mark away. 0 or -errno. */
int entry_release(struct rtnl *rtnl, const struct entry_key *key)
	__attribute__((warn_unused_result));

/* Which entry an RTM_NEWNEIGH or RTM_DELNEIGH is about. false: none of ours. */
bool entry_parse_key(const struct nlmsghdr *nlh, struct entry_key *ret_key);

#endif
