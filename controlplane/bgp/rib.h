/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_RIB_H
#define FAIRWAY_BGP_RIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"
#include "controlplane/bgp/bgp.h"
#include "controlplane/bgp/wire.h"

/* What we offer (struct rib), and what one peer has been told of it (struct rib_out). Both are
 * sorted by prefix, so the difference is one walk along the two, and one UPDATE's worth of it
 * at a time is turned into a message: whatever happens between two messages (a change, a full
 * queue, a route refresh), the next walk finds what is still to be said. */

/* One set of attributes, shared by the entries that have it. The id is never used again, so that a
 * peer's table can name what was sent without holding it. */
struct rib_attrs {
	uint64_t id;
	uint64_t hash;
	size_t refs;
	struct rib_attrs *next;
	struct bgp_attrs attrs;
};

struct rib_entry {
	struct prefix prefix;
	struct rib_attrs *attrs;
};

struct rib {
	struct rib_entry *entries;
	size_t n, cap;
	struct rib_attrs *attrs;
	uint64_t last_id;
};

struct rib_sent {
	struct prefix prefix;
	uint64_t attrs_id; /* 0: to be sent again. */
	bool drop;         /* Being withdrawn by the message under construction. */
};

/* Whether and how a family goes to a peer. */
struct rib_family {
	bool sendable;
	struct addr next_hop;
};

struct rib_out {
	struct rib_sent *sent;
	struct rib_sent *fresh; /* Room for the prefixes that a message adds. */
	size_t n, cap;
	struct rib_family family[2]; /* IPv4, IPv6 */
};

/* How the peer's session encodes paths. */
struct rib_session {
	bool ibgp;
	bool as4;
	uint32_t asn;
};

struct rib_counts {
	uint32_t announced;
	uint32_t pending;
	uint32_t unsendable[2]; /* IPv4, IPv6 */
};

/* 0 for IPv4, 1 for IPv6. */
static inline unsigned rib_family_index(uint8_t family)
{
	return family == 6;
}

void rib_init(struct rib *rib);
void rib_fini(struct rib *rib);
/* Offer prefix with attrs. 1 when that changed something, 0 when not, -ENOMEM. */
int rib_set(struct rib *rib, const struct prefix *prefix, const struct bgp_attrs *attrs)
	__attribute__((warn_unused_result));
/* True when it was offered. */
bool rib_unset(struct rib *rib, const struct prefix *prefix);

void rib_out_init(struct rib_out *out);
void rib_out_fini(struct rib_out *out);
/* The session is gone, and with it what the peer knew. */
void rib_out_reset(struct rib_out *out);
/* Say everything of a family again. */
void rib_out_refresh(struct rib_out *out, uint8_t family);
/* Set how a family is sent; a change of next hop says it again. True when something changed. */
bool rib_out_set_family(struct rib_out *out, uint8_t family, const struct rib_family *how);
/* Build the next UPDATE that brings the peer nearer to rib, in b->buf, and take it as told. Returns
 * its length, 0 when there is nothing to say, -ENOMEM. */
int rib_out_next(struct rib_out *out, const struct rib *rib, const struct rib_session *session,
		 struct bgp_update_builder *b) __attribute__((warn_unused_result));
void rib_out_count(const struct rib_out *out, const struct rib *rib, struct rib_counts *ret_counts);

#endif
