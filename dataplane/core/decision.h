/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_DECISION_H
#define FAIRWAY_CORE_DECISION_H

#include "dataplane/core/tables.h"
#include "dataplane/core/wire.h"

/* What is sent back to who sent a packet. */
enum lb_reply {
	LB_REPLY_ECHO = 1, /* the same packet, turned round */
	LB_REPLY_TOO_BIG,  /* an ICMP error that quotes it */
};

/* What was decided for a packet, enough to write its headers once the target made room. What can be
 * read from the packet again is not kept: registers are scarce. */
struct lb_decision {
	const struct lb_service *service_record; /* NULL: no service's packet, count the reason */
	const struct lb_real *real_record;
	const struct lb_iface *iface;
	__u64 nexthop;
	__u32 service;
	__u32 real;
	__u32 slot; /* position in the service's ring */
	__u32 entropy;
	__u32 ip_length;  /* inner packet, by its own header */
	__u32 grow_bytes; /* what goes between Ethernet header and inner packet */
	/* Bytes at the frame's end that belong to no IP packet (Ethernet padding). They must not
	 * travel on inside a tunnel; L2 DSR leaves the frame as it is. The target cuts them off
	 * before it grows the frame. */
	__u32 padding;
	__u8 inner_family;
	/* What follows is set by lb_decide_any() only. */
	__u8 n_tags;              /* that the frame came with */
	__u8 n_tags_out;          /* that it leaves with */
	__u8 reply;               /* enum lb_reply, when that is the verdict */
	__be32 tags[LB_TAGS_MAX]; /* that it leaves with, outermost first */
	__u32 l4;                 /* offset of what follows the IP header, for replies */
	__u32 mtu;                /* what LB_REPLY_TOO_BIG tells */
};

/* Bytes of the Ethernet header with so many tags. */
LB_ALWAYS_INLINE __u32 lb_l2_bytes(__u32 n_tags)
{
	return (__u32)sizeof(struct lb_eth) + n_tags * 4;
}

#endif
