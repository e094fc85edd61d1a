/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds what became of a packet against what was in force. It shares no code with the core. */
#include "controlplane/publish/race/race.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define WRONG(err, ...) (err_set(err, -EBADMSG, __VA_ARGS__), false)

/* What the packet's new headers say of where they came from. */
struct trail {
	uint32_t hop, pool, kind, real, iface, face;
	uint32_t source;      /* colour */
	uint32_t port;        /* GUE: colour */
	const uint8_t *inner; /* the IP packet inside */
	size_t inner_len;
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static bool frame_says(const struct race_outcome *o, struct trail *t, struct err *err)
{
	const uint8_t *dst = o->data, *src = o->data + 6;

	if (o->len < 34)
		return WRONG(err, "it left with %zu bytes", o->len);
	*t = (struct trail){.hop = dst[1],
			    .pool = dst[2],
			    .kind = dst[3],
			    .real = dst[4],
			    .iface = dst[5],
			    .face = src[1]};
	if (dst[0] != 0x02 || t->hop >= RACE_HOPS || t->pool >= RACE_POOLS ||
	    t->kind >= RACE_KINDS || t->real >= RACE_REALS || !t->iface || t->iface > RACE_IFACES)
		return WRONG(err, "its destination MAC address is no next hop's");
	if (src[0] != 0x06 || t->face >= RACE_FACES || src[2] != t->face || src[3] != t->face ||
	    src[4] != t->face || src[5] != t->iface)
		return WRONG(err, "its source MAC address isn't interface %u's", t->iface);
	if (o->ifindex != RACE_UNTOLD && o->ifindex != RACE_IFINDEX + t->iface)
		return WRONG(err, "it leaves by interface %u, its next hop is at %u", o->ifindex,
			     RACE_IFINDEX + t->iface);
	return true;
}

static bool checksum_holds(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += get16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* The outer IP header, up to what follows it. */
static bool outer4(const uint8_t *ip, size_t len, const struct addr *real, uint8_t protocol,
		   struct trail *t, struct err *err)
{
	if (ip[0] != 0x45 || get16(ip + 2) != len || ip[8] != 64 || ip[9] != protocol)
		return WRONG(err, "its outer IPv4 header has protocol %u and length %u", ip[9],
			     get16(ip + 2));
	if (!checksum_holds(ip))
		return WRONG(err, "its outer header's checksum is wrong");
	if (memcmp(ip + 16, real->bytes, 4) != 0)
		return WRONG(err, "it goes to %u.%u.%u.%u by the next hop of another", ip[16],
			     ip[17], ip[18], ip[19]);
	if (ip[12] != 198 || ip[13] != 18)
		return WRONG(err, "its outer source is none");
	t->source = ip[14];
	return true;
}

static bool outer6(const uint8_t *ip, size_t len, const struct addr *real, uint8_t protocol,
		   struct trail *t, struct err *err)
{
	if (ip[0] >> 4 != 6 || get16(ip + 4) != len - 40 || ip[7] != 64 || ip[6] != protocol)
		return WRONG(err, "its outer IPv6 header has protocol %u and length %u", ip[6],
			     get16(ip + 4));
	if (memcmp(ip + 24, real->bytes, 16) != 0)
		return WRONG(err, "it goes to ...:%x:%x:%x by the next hop of another",
			     get16(ip + 34), get16(ip + 36), get16(ip + 38));
	if (get16(ip + 8) != 0xfd11 || get16(ip + 10))
		return WRONG(err, "its outer source is none");
	t->source = get16(ip + 12);
	return true;
}

static bool gue(const uint8_t *udp, size_t len, struct trail *t, struct err *err)
{
	const uint32_t port = get16(udp + 2);

	t->port = port - race_gue_port(t->pool, 0);
	if (port < race_gue_port(t->pool, 0) || t->port >= RACE_PORTS || get16(udp + 4) != len ||
	    get16(udp + 6))
		return WRONG(err, "its UDP header has port %u and length %u", port, get16(udp + 4));
	return true;
}

/* Everything between Ethernet header and inner packet. */
static bool tunnel(const struct race_packet *p, const struct race_outcome *o, struct trail *t,
		   struct err *err)
{
	const struct race_kind *kind = &race_kinds[t->kind];
	const struct addr real = race_real_addr(t->pool, t->kind, t->real);
	const uint8_t *ip = o->data + 14;
	const size_t outer = kind->family == 4 ? 20 : 40, len = o->len - 14;
	const bool inner4 = get16(p->frame + 12) == 0x0800;
	uint8_t protocol = inner4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	t->inner = ip;
	t->inner_len = len;
	if (kind->encap == LB_ENCAP_L2DSR)
		return get16(o->data + 12) == get16(p->frame + 12) ||
		       WRONG(err, "its EtherType was changed");
	if (get16(o->data + 12) != (kind->family == 4 ? 0x0800U : 0x86ddU))
		return WRONG(err, "its tunnel is of another family than its real");
	if (kind->encap == LB_ENCAP_GUE)
		protocol = IPPROTO_UDP;
	if (len < outer + 8 || !(kind->family == 4 ? outer4(ip, len, &real, protocol, t, err)
						   : outer6(ip, len, &real, protocol, t, err)))
		return false;
	t->inner += outer;
	t->inner_len -= outer;
	if (kind->encap != LB_ENCAP_GUE)
		return true;
	t->inner += 8;
	t->inner_len -= 8;
	return gue(ip + outer, len - outer, t, err);
}

/* ---- against the truth ---- */

static bool serves(const struct race_truth *t, uint64_t since, uint32_t service, uint32_t pool,
		   bool denied)
{
	return race_held(&t->service[service][RACE_STATE(pool, false)], since) ||
	       (!denied && race_held(&t->service[service][RACE_STATE(pool, true)], since));
}

/* Which services may have decided it. */
static uint32_t services_of(const struct race_truth *t, uint64_t since, const struct race_packet *p,
			    uint32_t ret[2])
{
	ret[0] = p->service;
	ret[1] = RACE_OUTER;
	return p->service == RACE_INNER && race_held(&t->service[RACE_INNER][RACE_ABSENT], since)
		       ? 2
		       : 1;
}

static bool right_pool(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		       uint32_t pool)
{
	uint32_t services[2], n = services_of(t, since, p, services);

	if (p->what == RACE_LATER)
		return pool == race_pool_of(p->service);
	for (uint32_t i = 0; i < n; i++)
		if (serves(t, since, services[i], pool, p->denied))
			return true;
	return false;
}

/* What flows are remembered by may have the real's record of before for a while; new ones not. */
static bool record_held(const struct race_truth *t, uint64_t since, const struct race_packet *p,
			const struct trail *trail, struct err *err)
{
	const struct race_kind *kind = &race_kinds[trail->kind];
	const uint64_t *share = &t->share[trail->pool][trail->kind][trail->real];

	if (!race_held(&t->alive[trail->pool][trail->kind][trail->real], since))
		return WRONG(err, "that real is dead");
	if (p->what != RACE_SYN)
		return true;
	if (!race_held(share, since))
		return WRONG(err, "that real has no share of new flows");
	if (kind->encap != LB_ENCAP_L2DSR &&
	    (trail->source >= RACE_SOURCES || !race_held(&t->source[trail->source], since)))
		return WRONG(err, "its outer source was changed before");
	if (kind->encap == LB_ENCAP_GUE && !race_held(&t->port[trail->pool][trail->port], since))
		return WRONG(err, "its UDP port was changed before");
	return true;
}

static bool forwarded(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		      const struct race_outcome *o, struct err *err)
{
	struct trail trail;
	uint32_t hop;

	if (p->what == RACE_PING)
		return WRONG(err, "a ping was forwarded");
	if (!frame_says(o, &trail, err) || !tunnel(p, o, &trail, err))
		return false;
	if (trail.inner_len != p->len - 14 ||
	    memcmp(trail.inner, p->frame + 14, trail.inner_len) != 0)
		return WRONG(err, "the packet inside isn't the one that came");
	if (!right_pool(t, since, p, trail.pool))
		return WRONG(err, "it went to pool %u, which its service hasn't", trail.pool);
	hop = trail.hop * RACE_IFACES + trail.iface - 1;
	if (!race_held(&t->hop[trail.pool][trail.kind][trail.real][hop], since))
		return WRONG(err, "its next hop was changed before");
	if (!race_held(&t->face[trail.iface][trail.face], since))
		return WRONG(err, "its interface's address was changed before");
	return record_held(t, since, p, &trail, err);
}

static bool any_denies(const struct race_truth *t, uint64_t since, uint32_t service)
{
	for (uint32_t pool = 0; pool < RACE_POOLS; pool++)
		if (race_held(&t->service[service][RACE_STATE(pool, true)], since))
			return true;
	return false;
}

/* Some pool that the service may have is empty, or has a real without a next hop. */
static bool any_pool(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		     enum lb_reason reason)
{
	const uint64_t *unresolved;

	for (uint32_t pool = 0; pool < RACE_POOLS; pool++) {
		if (!right_pool(t, since, p, pool))
			continue;
		if (reason == LB_REASON_no_real && race_held(&t->empty[pool], since))
			return true;
		unresolved = &t->unresolved[pool][0][0];
		for (uint32_t i = 0; i < RACE_KINDS * RACE_REALS; i++)
			if (reason == LB_REASON_real_unresolved && race_held(&unresolved[i], since))
				return true;
	}
	return false;
}

/* Does the reason for a drop hold? */
static bool drop_holds(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		       enum lb_reason reason)
{
	uint32_t services[2], n = services_of(t, since, p, services);

	switch (reason) {
	case LB_REASON_denied:
		for (uint32_t i = 0; i < n; i++)
			if (p->denied && any_denies(t, since, services[i]))
				return true;
		return false;
	case LB_REASON_syn_limited:
		for (uint32_t i = 0; i < n; i++)
			if (p->what == RACE_SYN && race_held(&t->limited[services[i]], since))
				return true;
		return false;
	case LB_REASON_no_real:
	case LB_REASON_real_unresolved:
		return p->what != RACE_PING && any_pool(t, since, p, reason);
	case LB_REASON_fragment_early:
		return p->what == RACE_LATER;
	case LB_REASON_echo_down:
		return p->what == RACE_PING &&
		       (race_held(&t->down[race_services[p->service].vip], since) ||
			(p->service == RACE_INNER &&
			 race_held(&t->down[race_services[RACE_OUTER].vip], since)));
	default:
		return false;
	}
}

static bool dropped(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		    const struct race_outcome *o, struct err *err)
{
	static const enum lb_reason known[] = {
		LB_REASON_denied,          LB_REASON_syn_limited,    LB_REASON_no_real,
		LB_REASON_real_unresolved, LB_REASON_fragment_early, LB_REASON_echo_down,
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((o->reason == RACE_UNTOLD || o->reason == (uint32_t)known[i]) &&
		    drop_holds(t, since, p, known[i]))
			return true;
	return WRONG(err, "nothing in force explains the drop");
}

/* A packet that belongs to no service, or whose VIP isn't there. */
static bool passed(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		   const struct race_outcome *o, struct err *err)
{
	const uint32_t vip = race_services[p->service].vip;
	bool absent;

	if (p->what == RACE_PING || p->what == RACE_LATER)
		absent = race_held(&t->absent[vip], since);
	else
		absent = race_held(&t->service[p->service][RACE_ABSENT], since);
	if (p->service == RACE_INNER)
		absent = absent &&
			 (p->what == RACE_PING
				  ? race_held(&t->absent[race_services[RACE_OUTER].vip], since)
				  : race_held(&t->service[RACE_OUTER][RACE_ABSENT], since));
	if (!absent)
		return WRONG(err, "it was passed on, and its service is there");
	if (o->len != p->len || memcmp(o->data, p->frame, p->len) != 0)
		return WRONG(err, "it was passed on changed");
	return true;
}

static bool answered(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		     struct err *err)
{
	const uint32_t vip = race_services[p->service].vip;

	if (p->what == RACE_PING &&
	    (race_held(&t->up[vip], since) ||
	     (p->service == RACE_INNER && race_held(&t->up[race_services[RACE_OUTER].vip], since))))
		return true;
	return WRONG(err, "it was answered, and no such VIP is up");
}

bool race_judge(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		const struct race_outcome *o, struct err *err)
{
	switch (o->verdict) {
	case LB_FORWARD:
		return forwarded(t, since, p, o, err);
	case LB_PASS:
		return passed(t, since, p, o, err);
	case LB_DROP:
		return dropped(t, since, p, o, err);
	case LB_REPLY:
		return answered(t, since, p, err);
	}
	return WRONG(err, "it has no verdict");
}
