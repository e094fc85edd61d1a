/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/packet_fuzz_check.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/core/reasons.h"

#define MUST FUZZ_MUST

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* One's complement sum of big-endian words, 1 to 0xffff; 0 only of nothing but zeros. */
static unsigned sum16(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

/* What is to be known of a well-formed IP packet in its frame. */
struct parsed {
	size_t n_tags, l3, ip_len, header;
	int family;
	unsigned tos, id, ttl, protocol;
	bool df;
};

static bool is_tag(const uint8_t *p)
{
	return get16(p) == 0x8100 || get16(p) == 0x88a8;
}

static struct parsed parse(struct fuzz_bytes f)
{
	struct parsed p = {0};
	const uint8_t *ip;

	MUST(f.len >= 14);
	while (p.n_tags < 2 && f.len >= 18 + 4 * p.n_tags && is_tag(f.at + 12 + 4 * p.n_tags))
		p.n_tags++;
	p.l3 = 14 + 4 * p.n_tags;
	MUST(f.len >= p.l3 + 20);
	ip = f.at + p.l3;
	p.family = ip[0] >> 4;
	if (p.family == 4) {
		MUST(get16(ip - 2) == 0x0800);
		p.header = (size_t)(ip[0] & 15) * 4;
		p.ip_len = get16(ip + 2);
		p.tos = ip[1];
		p.id = get16(ip + 4);
		p.df = ip[6] & 0x40;
		p.ttl = ip[8];
		p.protocol = ip[9];
		MUST(p.header >= 20 && p.header <= p.ip_len);
	} else {
		MUST(p.family == 6 && get16(ip - 2) == 0x86dd && f.len >= p.l3 + 40);
		p.header = 40;
		p.ip_len = 40 + get16(ip + 4);
		p.tos = get16(ip) >> 4 & 0xff;
		p.df = true;
		p.protocol = ip[6];
		p.ttl = ip[7];
	}
	MUST(f.len >= p.l3 + p.ip_len);
	return p;
}

/* An address differs from another at most in the bits of a mask that stands at its end. */
static void check_source(const uint8_t *addr, const struct lb_real *r)
{
	const size_t words = r->family == 4 ? 1 : 4;
	uint32_t got[4];

	memcpy(got, addr, 4 * words);
	for (size_t i = 0; i < words; i++)
		MUST(((got[i] ^ r->source[i]) & (i == words - 1 ? ~r->source_mask : ~0U)) == 0);
}

static void check_udp(const uint8_t *udp, const struct lb_real *r, const struct parsed *inner)
{
	MUST(get16(udp) >= 49152 && memcmp(udp + 2, &r->gue_port, 2) == 0);
	MUST(get16(udp + 4) == 8 + inner->ip_len && get16(udp + 6) == 0);
}

static void check_outer(const uint8_t *outer, const struct lb_real *r, const struct parsed *inner)
{
	const bool gue = r->encap == LB_ENCAP_GUE;
	const unsigned protocol = gue ? 17 : inner->family == 4 ? 4 : 41;
	const size_t after = inner->ip_len + (gue ? 8 : 0);

	if (r->family == 4) {
		MUST(outer[0] == 0x45 && outer[1] == inner->tos && get16(outer + 2) == 20 + after);
		MUST((get16(outer + 6) == 0x4000) == inner->df && (outer[6] & 0xbf) == 0);
		MUST(outer[7] == 0 && (!inner->df || get16(outer + 4) == 0));
		MUST(outer[8] == 64 && outer[9] == protocol && sum16(outer, 20) == 0xffff);
		check_source(outer + 12, r);
		MUST(memcmp(outer + 16, r->addr, 4) == 0);
	} else {
		MUST(outer[0] >> 4 == 6 && (get16(outer) >> 4 & 0xff) == inner->tos);
		MUST(get16(outer + 4) == after && outer[6] == protocol && outer[7] == 64);
		check_source(outer + 8, r);
		MUST(memcmp(outer + 24, r->addr, 16) == 0);
	}
	if (gue)
		check_udp(outer + (r->family == 4 ? 20 : 40), r, inner);
}

/* Who may be chosen: a real that is dead only by a slot that has no other. */
static void check_real(const struct lb_tables *t, const struct lb_trace *trace, uint16_t iface)
{
	const struct lb_service *s = &t->services[trace->service];
	uint32_t slot = s->ring_start + trace->slot;

	if (iface & LB_NEXTHOP_DEAD) {
		MUST(trace->reason != LB_REASON_fragment_followed);
		MUST((t->slots[slot / 32].slot[slot % 32] & LB_SLOT_REAL_MASK) == trace->real);
	}
}

/* Hop-by-hop options (0), routing, fragment, authentication, destination options, mobility. */
static bool is_extension(unsigned next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135;
}

/* What follows the IP header and, in IPv6, its extension headers. */
struct transport {
	size_t at, len;
	unsigned protocol;
	bool fragment;
};

static struct transport transport_of(struct fuzz_bytes in, const struct parsed *p)
{
	const size_t end = p->l3 + p->ip_len;
	struct transport t = {.at = p->l3 + p->header, .protocol = p->protocol};

	if (p->family == 4)
		t.fragment = get16(in.at + p->l3 + 6) & 0x3fff;
	while (p->family == 6 && is_extension(t.protocol)) {
		const uint8_t *e = in.at + t.at;
		size_t bytes;

		MUST(t.at + 8 <= end);
		bytes = t.protocol == 51 ? (e[1] + 2U) * 4 : (e[1] + 1U) * 8;
		if (t.protocol == 44) {
			bytes = 8;
			t.fragment = t.fragment || (get16(e + 2) & 0xfff9);
		}
		t.protocol = e[0];
		t.at += bytes;
	}
	MUST(t.at + 8 <= end);
	t.len = end - t.at;
	return t;
}

/* What goes to a service by its ports has a header of TCP or UDP that lies within the packet. */
static void check_transport(struct fuzz_bytes in, const struct parsed *p)
{
	const struct transport t = transport_of(in, p);
	const uint8_t *l4 = in.at + t.at;

	MUST(t.protocol == 6 || t.protocol == 17);
	if (t.protocol == 6)
		MUST(t.len >= 20 && l4[12] >> 4 >= 5 && (l4[12] >> 4) * 4U <= t.len);
	else
		MUST(get16(l4 + 4) >= 8 && (t.fragment || get16(l4 + 4) <= t.len));
}

static void check_forwarded(const struct lb_tables *t, const struct lb_trace *trace,
			    struct fuzz_bytes in, struct fuzz_bytes out)
{
	const struct lb_real *r = &t->reals[trace->real];
	const struct parsed p = parse(in);
	const struct lb_iface *iface;
	const uint8_t *tags = in.at + 12;
	size_t n_tags = p.n_tags, l2;
	uint16_t index;

	if (trace->reason == LB_REASON_forwarded)
		check_transport(in, &p);
	MUST(trace->service > 0 && trace->service < t->dims.services);
	MUST(trace->real > 0 && trace->real < t->dims.reals);
	memcpy(&index, (const uint8_t *)&r->nexthop + 6, 2);
	check_real(t, trace, index);
	iface = &t->node->ifaces[index & 0x7fff];
	if (iface->flags & LB_IFACE_TAGS) {
		n_tags = iface->n_tags;
		tags = (const uint8_t *)iface->tags;
	}
	l2 = 14 + 4 * n_tags;
	MUST(out.len >= l2 + r->grow_bytes);
	MUST(memcmp(out.at, &r->nexthop, 6) == 0 && memcmp(out.at + 6, iface->mac, 6) == 0);
	MUST(memcmp(out.at + 12, tags, 4 * n_tags) == 0);
	MUST(p.ip_len + r->grow_bytes <= iface->mtu);
	if (r->encap == LB_ENCAP_L2DSR) {
		MUST(out.len - l2 == in.len - p.l3);
		MUST(memcmp(out.at + l2 - 2, in.at + p.l3 - 2, in.len - p.l3 + 2) == 0);
		MUST(memcmp(in.at + 6, out.at, 6) != 0);
		return;
	}
	MUST(get16(out.at + l2 - 2) == (r->family == 4 ? 0x0800 : 0x86dd));
	MUST(out.len == l2 + r->grow_bytes + p.ip_len);
	check_outer(out.at + l2, r, &p);
	MUST(memcmp(out.at + l2 + r->grow_bytes, in.at + p.l3, p.ip_len) == 0);
}

static void check_turned_ethernet(struct fuzz_bytes in, struct fuzz_bytes out, size_t l3)
{
	MUST(memcmp(out.at, in.at + 6, 6) == 0 && memcmp(out.at + 6, in.at, 6) == 0);
	MUST(memcmp(out.at + 12, in.at + 12, l3 - 12) == 0);
}

/* Turned round, answered, and no byte else; checksums are as right or wrong as they were, since a
 * sum that is the same modulo 0xffff says so. */
static void check_echo(struct fuzz_bytes in, struct fuzz_bytes out)
{
	const struct parsed p = parse(in);
	const size_t n = p.family == 4 ? 4 : 16, src = p.l3 + (p.family == 4 ? 12 : 8);
	const size_t icmp = transport_of(in, &p).at;
	uint8_t *expected = malloc(in.len);

	MUST(expected && out.len == in.len);
	check_turned_ethernet(in, out, p.l3);
	memcpy(expected, in.at, in.len);
	memcpy(expected, out.at, p.l3);
	memcpy(expected + src, in.at + src + n, n);
	memcpy(expected + src + n, in.at + src, n);
	expected[p.l3 + (p.family == 4 ? 8 : 7)] = 64;
	if (p.family == 4)
		memcpy(expected + p.l3 + 10, out.at + p.l3 + 10, 2);
	expected[icmp] = p.family == 4 ? 0 : 129;
	memcpy(expected + icmp + 2, out.at + icmp + 2, 2);
	MUST(memcmp(expected, out.at, in.len) == 0);
	if (p.family == 4)
		MUST(sum16(in.at + p.l3, 20) % 0xffff == sum16(out.at + p.l3, 20) % 0xffff);
	MUST(sum16(in.at + icmp, 8) % 0xffff == sum16(out.at + icmp, 8) % 0xffff);
	free(expected);
}

/* The MTU that a too big packet's sender is told, as the real's encapsulation has it. */
static unsigned fitting_mtu(const struct lb_tables *t, const struct lb_real *r, int family)
{
	unsigned mtu;
	uint16_t index;

	memcpy(&index, (const uint8_t *)&r->nexthop + 6, 2);
	mtu = (unsigned)t->node->ifaces[index & 0x7fff].mtu - r->grow_bytes;
	return family == 6 && mtu < 1280 ? 1280 : mtu;
}

static void check_icmp6_sum(const uint8_t *ip)
{
	const unsigned length = get16(ip + 4);
	const uint8_t pseudo[4] = {(uint8_t)(length >> 8), (uint8_t)length, 0, 58};
	unsigned sum = sum16(ip + 8, 32) + sum16(pseudo, 4) + sum16(ip + 40, length);

	MUST(sum % 0xffff == 0);
}

static void check_too_big(const struct lb_tables *t, const struct lb_trace *trace,
			  struct fuzz_bytes in, struct fuzz_bytes out)
{
	const struct parsed p = parse(in);
	const struct lb_real *r = &t->reals[trace->real];
	const size_t most = p.family == 4 ? 548 : 1232, header = p.family == 4 ? 20 : 40;
	const size_t quoted = (p.ip_len < most ? p.ip_len : most) & ~(size_t)3;
	const unsigned mtu = fitting_mtu(t, r, p.family);
	const uint8_t *ip = out.at + p.l3, *icmp = ip + header;

	MUST(p.df && p.ip_len > mtu && out.len == p.l3 + header + 8 + quoted);
	check_turned_ethernet(in, out, p.l3);
	MUST(memcmp(icmp + 8, in.at + p.l3, quoted) == 0);
	MUST(get16(icmp + 4) == 0 && get16(icmp + 6) == mtu);
	if (p.family == 4) {
		MUST(ip[0] == 0x45 && get16(ip + 2) == 28 + quoted && get16(ip + 6) == 0x4000);
		MUST(ip[8] == 64 && ip[9] == 1 && sum16(ip, 20) == 0xffff);
		MUST(memcmp(ip + 12, in.at + p.l3 + 16, 4) == 0);
		MUST(memcmp(ip + 16, in.at + p.l3 + 12, 4) == 0);
		MUST(icmp[0] == 3 && icmp[1] == 4 && sum16(icmp, 8 + quoted) == 0xffff);
		return;
	}
	MUST(ip[0] == 0x60 && get16(ip + 4) == 8 + quoted && ip[6] == 58 && ip[7] == 64);
	MUST(memcmp(ip + 8, in.at + p.l3 + 24, 16) == 0);
	MUST(memcmp(ip + 24, in.at + p.l3 + 8, 16) == 0);
	MUST(icmp[0] == 2 && icmp[1] == 0);
	check_icmp6_sum(ip);
}

void fuzz_check_frame(const struct lb_tables *t, const struct lb_trace *trace, struct fuzz_bytes in,
		      struct fuzz_bytes out)
{
	MUST(trace->reason < LB_REASON_COUNT);
	MUST(trace->reason != LB_REASON_table_error && trace->reason != LB_REASON_no_headroom);
	switch (trace->verdict) {
	case LB_FORWARD:
		check_forwarded(t, trace, in, out);
		return;
	case LB_REPLY:
		if (trace->reason == LB_REASON_echo_answered)
			check_echo(in, out);
		else
			check_too_big(t, trace, in, out);
		return;
	}
	MUST(trace->verdict == LB_PASS || trace->verdict == LB_DROP);
	MUST(out.len == in.len && (!in.len || memcmp(out.at, in.at, in.len) == 0));
}

void fuzz_check_counters(const struct lb_tables *t, const struct lb_trace *trace,
			 struct fuzz_bytes in)
{
	const bool forwarded = trace->verdict == LB_FORWARD;
	const size_t bytes = forwarded ? parse(in).ip_len : in.len;
	uint32_t counter = trace->reason, real = 0;
	uint64_t packets = 0, all_bytes = 0;

	if (trace->reason == LB_REASON_forwarded)
		counter = t->services[trace->service].counter;
	if (forwarded)
		real = LB_COUNTER_REAL(&t->dims, trace->real);
	MUST(t->counters[counter].packets == 1 && t->counters[counter].bytes == bytes);
	if (forwarded)
		MUST(t->counters[real].packets == 1 && t->counters[real].bytes == bytes);
	for (uint32_t i = 0; i < t->dims.counter_stride; i++) {
		packets += t->counters[i].packets;
		all_bytes += t->counters[i].bytes;
	}
	MUST(packets == (forwarded ? 2 : 1) && all_bytes == packets * bytes);
}
