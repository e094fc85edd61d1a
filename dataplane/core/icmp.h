/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_ICMP_H
#define FAIRWAY_CORE_ICMP_H

/*
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) to a VIP. Errors are for the real server whose packet they
 * quote: it sent that packet from the VIP's address to the client, so the quote's destination and
 * source, turned round, are the flow. Ping is answered here; all else is left to the kernel.
 */

#include "dataplane/core/guard.h"
#include "dataplane/core/packet.h"
#include "dataplane/core/service.h"

#define LB_ICMP4_ECHO_REPLY    0
#define LB_ICMP4_UNREACHABLE   3
#define LB_ICMP4_ECHO          8
#define LB_ICMP4_TIME_EXCEEDED 11
#define LB_ICMP4_PARAMETER     12
#define LB_ICMP4_FRAG_NEEDED   4 /* code of UNREACHABLE */

#define LB_ICMP6_UNREACHABLE 1
#define LB_ICMP6_TOO_BIG     2
#define LB_ICMP6_PARAMETER   4
#define LB_ICMP6_ECHO        128
#define LB_ICMP6_ECHO_REPLY  129

LB_ALWAYS_INLINE int lb_icmp_is_echo(__u8 family, __u8 type)
{
	return type == (family == 4 ? LB_ICMP4_ECHO : LB_ICMP6_ECHO);
}

/* The errors that quote a packet. */
LB_ALWAYS_INLINE int lb_icmp_is_error(__u8 family, __u8 type)
{
	if (family == 4)
		return type == LB_ICMP4_UNREACHABLE || type == LB_ICMP4_TIME_EXCEEDED ||
		       type == LB_ICMP4_PARAMETER;
	return type >= LB_ICMP6_UNREACHABLE && type <= LB_ICMP6_PARAMETER;
}

LB_ALWAYS_INLINE enum lb_reason lb_decide_echo(const struct lb_target *t,
					       const struct lb_service *vip, struct lb_decision *d)
{
	if (!(LB_READ_ONCE(vip->flags) & LB_SERVICE_ECHO))
		return LB_REASON_echo_down;
	if (!lb_limit_take(t, LB_LIMIT_ECHO))
		return LB_REASON_echo_limited;
	d->reply = LB_REPLY_ECHO;
	return LB_REASON_echo_answered;
}

/* The quoted IPv4 header: its addresses turned round into q->flow, q->l4 behind it. */
LB_ALWAYS_INLINE enum lb_reason lb_parse_quote4(const void *data, const void *end,
						const struct lb_packet *p, struct lb_packet *q)
{
	const struct lb_ip4 *ip = lb_at(data, end, q->l3, sizeof(*ip));
	const __u32 left = p->l4_length - sizeof(struct lb_icmp);
	__u32 header;

	if (!ip || left < sizeof(*ip))
		return LB_REASON_icmp_quote;
	header = (ip->version_ihl & 0xf) * 4;
	if ((ip->version_ihl >> 4) != 4 || header < sizeof(*ip) || header > left)
		return LB_REASON_icmp_quote;
	if (LB_HOST16(ip->flags_offset) & LB_IP4_OFFSET)
		return LB_REASON_icmp_quote;
	q->flow.src[0] = lb_get32(ip->dst);
	q->flow.dst[0] = lb_get32(ip->src);
	q->flow.protocol = ip->protocol;
	q->l4 = q->l3 + header;
	q->l4_length = left - header;
	return LB_REASON_forwarded;
}

LB_ALWAYS_INLINE enum lb_reason lb_parse_quote6(const void *data, const void *end,
						const struct lb_packet *p, struct lb_packet *q)
{
	const struct lb_ip6 *ip = lb_at(data, end, q->l3, sizeof(*ip));
	const __u32 left = p->l4_length - sizeof(struct lb_icmp);

	if (!ip || left < sizeof(*ip) || (*(const __u8 *)ip >> 4) != 6)
		return LB_REASON_icmp_quote;
	for (int i = 0; i < 4; i++) {
		q->flow.src[i] = lb_get32(&ip->dst[2 * i]);
		q->flow.dst[i] = lb_get32(&ip->src[2 * i]);
	}
	q->l4 = q->l3 + (__u32)sizeof(*ip);
	q->l4_length = left - (__u32)sizeof(*ip);
	if (lb_walk_ip6(data, end, q, ip->next_header) != LB_REASON_forwarded ||
	    q->fragment == LB_FRAGMENT_LATER)
		return LB_REASON_icmp_quote;
	return LB_REASON_forwarded;
}

/* The flow that an error speaks of, as the client's packets have it, into q->flow. */
LB_ALWAYS_INLINE enum lb_reason lb_parse_quote(const void *data, const void *end,
					       const struct lb_packet *p, struct lb_packet *q)
{
	enum lb_reason reason;
	const __be16 *ports;

	q->l3 = p->l4 + (__u32)sizeof(struct lb_icmp);
	q->flow.family = p->flow.family;
	reason = p->flow.family == 4 ? lb_parse_quote4(data, end, p, q)
				     : lb_parse_quote6(data, end, p, q);
	if (reason != LB_REASON_forwarded)
		return reason;
	if (q->flow.protocol != LB_IPPROTO_TCP && q->flow.protocol != LB_IPPROTO_UDP)
		return LB_REASON_icmp_no_flow;
	/* RFC 792 promises the first eight bytes; the four that matter will do. */
	ports = lb_at(data, end, q->l4, 4);
	if (!ports || q->l4_length < 4)
		return LB_REASON_icmp_quote;
	q->flow.ports = (__u32)ports[1] << 16 | ports[0];
	for (int i = 0; i < 4; i++)
		if (q->flow.dst[i] != p->flow.dst[i])
			return LB_REASON_icmp_no_flow;
	return LB_REASON_forwarded;
}

#endif
