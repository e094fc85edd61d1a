/* SPDX-License-Identifier: BSD-2-Clause */
/* What exists in a race, and packets for it. */
#include "controlplane/publish/race/race.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

const struct race_kind race_kinds[RACE_KINDS] = {
	{LB_ENCAP_IPIP, 4}, {LB_ENCAP_IPIP, 6},  {LB_ENCAP_GUE, 4},
	{LB_ENCAP_GUE, 6},  {LB_ENCAP_L2DSR, 4},
};

#define ANY                                                                                        \
	{                                                                                          \
		0, UINT16_MAX                                                                      \
	}
const struct race_service race_services[RACE_SERVICES] = {
	{0, "203.0.113.1", IPPROTO_TCP, {443, 443}, RACE_NEW, false},
	{1, "2001:db8:1::1", IPPROTO_TCP, {443, 443}, RACE_NEW, false},
	{2, "203.0.113.2", IPPROTO_TCP, {8000, 8999}, RACE_NEW, false},
	{3, "2001:db8:1::3", IPPROTO_TCP, ANY, RACE_NEW, false},
	{4, "203.0.114.0/24", IPPROTO_TCP, {443, 443}, RACE_NEW, false},
	{5, "2001:db8:2::/64", IPPROTO_TCP, {443, 443}, RACE_NEW, false},
	{0, "203.0.113.1", IPPROTO_TCP, {80, 80}, RACE_NEW, false},
	{6, "203.0.114.77", IPPROTO_TCP, {443, 443}, RACE_NEW, false},
	{7, "203.0.113.8", IPPROTO_TCP, {443, 443}, RACE_LONG, false},
	{8, "2001:db8:1::9", IPPROTO_TCP, {443, 443}, RACE_LONG, false},
	{9, "203.0.113.10", IPPROTO_UDP, {53, 53}, RACE_LONG, true},
	{10, "2001:db8:1::11", IPPROTO_UDP, {53, 53}, RACE_LONG, false},
	{11, "203.0.113.12", IPPROTO_UDP, {5000, 5099}, RACE_LONG, true},
	{12, "203.0.113.14", IPPROTO_UDP, {443, 443}, RACE_NAMED, false},
	{7, "203.0.113.8", IPPROTO_TCP, {1024, 2047}, RACE_LONG, false},
	{4, "203.0.114.0/24", IPPROTO_UDP, ANY, RACE_LONG, false},
};

const char *const race_denied4 = "198.51.100.66", *const race_denied6 = "2001:db8:66::66";

struct addr race_real_addr(uint32_t pool, uint32_t kind, uint32_t real)
{
	struct addr a = {.family = race_kinds[kind].family};

	if (a.family == 4) {
		const uint8_t bytes[4] = {10, (uint8_t)pool, (uint8_t)kind, (uint8_t)(real + 1)};

		memcpy(a.bytes, bytes, sizeof(bytes));
		return a;
	}
	a.bytes[0] = 0xfd;
	a.bytes[11] = (uint8_t)pool;
	a.bytes[13] = (uint8_t)kind;
	a.bytes[15] = (uint8_t)(real + 1);
	return a;
}

uint16_t race_gue_port(uint32_t pool, uint32_t colour)
{
	return (uint16_t)(6000 + 16 * pool + colour);
}

void race_hop_mac(uint8_t mac[6], uint32_t pool, uint32_t kind, uint32_t real, uint32_t hop,
		  uint32_t iface)
{
	const uint8_t bytes[6] = {0x02,          (uint8_t)hop,  (uint8_t)pool,
				  (uint8_t)kind, (uint8_t)real, (uint8_t)iface};

	memcpy(mac, bytes, sizeof(bytes));
}

void race_iface_mac(uint8_t mac[6], uint32_t iface, uint32_t face)
{
	const uint8_t f = (uint8_t)face, bytes[6] = {0x06, f, f, f, f, (uint8_t)iface};

	memcpy(mac, bytes, sizeof(bytes));
}

/* xorshift64* (Vigna, 2016). */
uint32_t race_random(struct race_random *r, uint32_t below)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (uint32_t)(((r->state * 0x2545f4914f6cdd1dULL >> 32) * below) >> 32);
}

/* ---- packets ---- */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

struct builder {
	struct race_random *random;
	uint32_t worker, age;
	struct prefix vip;
	uint8_t family;
	uint8_t *ip, *l4;
};

/* A host of the VIP; the inner VIP has one of the outer VIP's for itself. */
static void destination(struct builder *b, uint8_t *to)
{
	const size_t bytes = b->family == 4 ? 4 : 16;

	memcpy(to, b->vip.addr.bytes, bytes);
	if (prefix_is_addr(&b->vip))
		return;
	to[bytes - 1] = (uint8_t)race_random(b->random, 64);
	if (b->family == 6)
		put16(to + 8, race_random(b->random, 65536));
}

static void source(struct builder *b, const struct race_packet *p, uint32_t flow, uint8_t *from)
{
	struct addr denied;

	if (p->denied && addr_parse(b->family == 4 ? race_denied4 : race_denied6, &denied) == 0) {
		memcpy(from, denied.bytes, b->family == 4 ? 4 : 16);
	} else if (b->family == 4) {
		from[0] = 172;
		from[1] = (uint8_t)(16 + b->worker);
		put16(from + 2, flow);
	} else {
		memset(from, 0, 16);
		put16(from, 0x2001);
		put16(from + 2, 0xdb8);
		put16(from + 4, 0x1000 + b->worker);
		put16(from + 14, flow);
	}
}

static uint32_t ones_sum(const uint8_t *at, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void ip4(struct builder *b, struct race_packet *p, uint8_t protocol, size_t l4_bytes,
		uint32_t flow)
{
	uint8_t *ip = b->ip;

	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = (uint8_t)(race_random(b->random, 64) << 2);
	put16(ip + 2, (uint32_t)(20 + l4_bytes));
	put16(ip + 6, p->what == RACE_FIRST ? 0x2000 : p->what == RACE_LATER ? 0x0003 : 0x4000);
	/* A datagram's id tells its service and flow, so that it isn't taken for another's. */
	put16(ip + 4, p->service << 8 | (flow & 0xff));
	ip[8] = 63;
	ip[9] = protocol;
	source(b, p, flow, ip + 12);
	destination(b, ip + 16);
	put16(ip + 10, ~ones_sum(ip, 20) & 0xffff);
}

static void ip6(struct builder *b, struct race_packet *p, uint8_t protocol, size_t l4_bytes,
		uint32_t flow)
{
	uint8_t *ip = b->ip;

	memset(ip, 0, 8);
	ip[0] = 0x60;
	put16(ip + 4, (uint32_t)l4_bytes);
	ip[6] = protocol;
	ip[7] = 63;
	source(b, p, flow, ip + 8);
	destination(b, ip + 24);
}

static uint32_t port_in(struct builder *b, struct ports ports, uint32_t flow, bool one_flow)
{
	const uint32_t first = ports.first ? ports.first : 1, n = ports.last - first + 1;

	return first + (one_flow ? flow * 7919 % n : race_random(b->random, n));
}

/* The server id that a pool's real has, of its kind if it has that now. */
static void connection_id(struct builder *b, uint32_t service, uint8_t *at)
{
	at[0] = 0x40;
	at[1] = 0x1f & (uint8_t)race_random(b->random, 256);
	at[2] = (uint8_t)race_pool_of(service);
	at[3] = (uint8_t)race_random(b->random, RACE_KINDS);
	at[4] = (uint8_t)race_random(b->random, RACE_REALS);
	at[5] = 0xa5;
}

static size_t l4(struct builder *b, const struct race_packet *p, const struct race_service *s,
		 uint32_t flow)
{
	uint8_t *at = b->l4;

	memset(at, 0, 28);
	if (p->what == RACE_PING) {
		at[0] = b->family == 4 ? 8 : 128;
		return 16;
	}
	if (p->what == RACE_LATER)
		return 16;
	put16(at, 2000 + (flow >> 8));
	put16(at + 2, port_in(b, s->ports, flow, s->flows != RACE_NEW));
	if (s->protocol == IPPROTO_TCP) {
		at[12] = 0x50;
		at[13] = p->what == RACE_SYN ? 0x02 : 0x10;
		return 24;
	}
	put16(at + 4, 24);
	if (s->flows == RACE_NAMED && race_random(b->random, 4))
		connection_id(b, p->service, at + 8);
	return 24;
}

static void build(struct builder *b, struct race_packet *p, uint32_t flow)
{
	const struct race_service *s = &race_services[p->service];
	uint8_t protocol = s->protocol;
	size_t bytes;

	if (prefix_parse(s->prefix, &b->vip))
		return;
	b->family = b->vip.addr.family;
	memcpy(p->frame, "\x02\xfe\x00\x00\x00\x01\x02\xfe\x00\x00\x00\x02", 12);
	put16(p->frame + 12, b->family == 4 ? 0x0800 : 0x86dd);
	b->ip = p->frame + 14;
	b->l4 = b->ip + (b->family == 4 ? 20 : 40);
	bytes = l4(b, p, s, flow);
	if (p->what == RACE_PING)
		protocol = b->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	if (b->family == 4)
		ip4(b, p, protocol, bytes, flow);
	else
		ip6(b, p, protocol, bytes, flow);
	p->len = (size_t)(b->l4 - p->frame) + bytes;
}

void race_packets(struct race_random *r, uint32_t worker, uint32_t age, struct race_packet *packets,
		  uint32_t n)
{
	struct builder b = {.random = r, .worker = worker, .age = age};
	/* All for one service, as engines like them, or for any. */
	const bool alike = race_random(r, 2);
	const uint32_t service = race_random(r, RACE_SERVICES);

	for (uint32_t i = 0; i < n; i++) {
		struct race_packet *p = &packets[i];
		uint32_t flow = race_random(r, 4096);

		p->service = alike ? service : race_random(r, RACE_SERVICES);
		p->denied = race_random(r, 16) == 0;
		p->what = race_services[p->service].flows == RACE_NEW ? RACE_SYN : RACE_DATA;
		if (p->what == RACE_DATA)
			flow = (age + race_random(r, 64)) & 0xffff;
		if (!alike && race_random(r, 32) == 0)
			p->what = RACE_PING;
		else if (race_services[p->service].fragments && race_random(r, 2) && i + 1 < n)
			p->what = RACE_FIRST;
		build(&b, p, flow);
		if (p->what != RACE_FIRST)
			continue;
		packets[++i] = *p;
		packets[i].what = RACE_LATER;
		/* Of this datagram, or of one a while ago. */
		build(&b, &packets[i], race_random(r, 2) ? flow : (flow - 32) & 0xffff);
	}
}
