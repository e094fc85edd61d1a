/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/packet_fuzz_build.h"

#include <string.h>

#include "tools/replay/test/packet_fuzz_input.h"

uint32_t fuzz_below(struct fuzz_random *r, uint32_t n)
{
	/* xorshift64*, S. Vigna 2016 */
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (uint32_t)((r->state * 0x2545f4914f6cdd1dULL >> 32) * n >> 32);
}

/* A frame being built, front to back. What goes beyond FUZZ_FRAME_MAX is lost. */
struct builder {
	struct fuzz_random *r;
	uint8_t *to;
	size_t len;
};

static uint32_t below(struct builder *b, uint32_t n)
{
	return fuzz_below(b->r, n);
}

static void put8(struct builder *b, uint32_t v)
{
	if (b->len < FUZZ_FRAME_MAX)
		b->to[b->len++] = (uint8_t)v;
}

static void put16(struct builder *b, uint32_t v)
{
	put8(b, v >> 8);
	put8(b, v);
}

static void put32(struct builder *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b, v);
}

static void set16(struct builder *b, size_t at, size_t v)
{
	if (at + 2 <= b->len) {
		b->to[at] = (uint8_t)(v >> 8);
		b->to[at + 1] = (uint8_t)v;
	}
}

static void fill(struct builder *b, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		put8(b, (uint32_t)i * 7 + 1);
}

static void put_vip(struct builder *b, int family, uint32_t host)
{
	const uint32_t prefix = host == 0;

	if (family == 4) {
		put32(b, prefix ? 0xcb007200U + below(b, 256) : 0xcb007100U + host);
		return;
	}
	put32(b, 0x20010db8);
	put32(b, prefix ? 0x810000 : 0x800000);
	put32(b, 0);
	put32(b, host);
}

static void put_words(struct builder *b, const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put32(b, words[i]);
}

/* Mostly an honest client; else one that is denied, can't be, or is the VIP itself. */
static void put_client(struct builder *b, int family, uint32_t vip)
{
	static const uint32_t clients4[] = {0xc6336407, 0xc6336408, 0xc63364c8, 0x64400001,
					    0x7f000001, 0x00000001, 0xe0000001, 0xf0000001};
	static const uint32_t clients6[][4] = {
		{0x20010db8, 0x000c0000, 0, 7},
		{0x20010db8, 0x000c0000, 0, 8},
		{0x20010db8, 0x0bad0000, 0, 1},
		{0x20010db8, 0x000c0000, 0, 0x66},
		{0, 0, 0, 1},
		{0, 0, 0xffff, 0x01020304},
		{0xff020000, 0, 0, 1},
		{0, 0, 1, 1},
	};
	const uint32_t which = below(b, 4) ? below(b, 2) : below(b, 9);

	if (which == 8)
		put_vip(b, family, vip);
	else if (family == 4)
		put32(b, clients4[which]);
	else
		put_words(b, clients6[which], 4);
}

static uint32_t vip_port(struct builder *b)
{
	static const uint16_t ports[] = {80,  81,  82,   83,   84,   84,   84,   85, 86, 90,
					 443, 443, 1023, 1024, 2047, 2048, 8081, 53, 0};

	return ports[below(b, sizeof(ports) / sizeof(ports[0]))];
}

static size_t payload_bytes(struct builder *b)
{
	static const uint16_t sizes[] = {0,   0,    1,    2,    8,    19,   40,   64,   100,  524,
					 600, 1232, 1240, 1300, 1432, 1452, 1460, 1472, 1500, 1900};

	return sizes[below(b, below(b, 3) ? 9 : sizeof(sizes) / sizeof(sizes[0]))];
}

/* The shape of a frame. */
struct plan {
	int family;
	uint32_t vip, port, client_port, protocol;
	uint32_t fragment; /* IPv4's word of flags and offset, or IPv6's */
	uint32_t id;
};

enum { TCP = 6, UDP = 17 };

/* A QUIC short header, or a long one, with a server id that may be one of the world's. */
static void put_quic(struct builder *b)
{
	put8(b, below(b, 4) ? 0x40 : 0xc0);
	put8(b, below(b, 8) << 5 | below(b, 32));
	put8(b, 1 + below(b, 11));
	for (uint32_t i = 0, n = below(b, 24); i < n; i++)
		put8(b, 0xa5);
}

static void put_tcp(struct builder *b, const struct plan *p)
{
	static const uint8_t flags[] = {0x02, 0x02, 0x10, 0x10, 0x12, 0x11, 0x04, 0};
	const uint32_t words = below(b, 5) ? 5 : below(b, 16);

	put16(b, p->client_port);
	put16(b, p->port);
	put32(b, 0x01020304);
	put32(b, 0x05060708);
	put8(b, words << 4);
	put8(b, flags[below(b, sizeof(flags))]);
	put32(b, 0xffff0000);
	put16(b, 0);
	fill(b, words > 5 ? (words - 5) * 4 : 0);
	fill(b, payload_bytes(b));
}

static void put_udp(struct builder *b, const struct plan *p)
{
	const size_t at = b->len;

	put16(b, p->client_port);
	put16(b, p->port);
	put16(b, 0);
	put16(b, below(b, 2) ? 0xbeef : 0);
	if (p->port == 443 || !below(b, 8))
		put_quic(b);
	fill(b, payload_bytes(b));
	set16(b, at + 4, below(b, 16) ? b->len - at : below(b, 64));
}

static void put_l4(struct builder *b, const struct plan *p)
{
	if (p->protocol == TCP)
		put_tcp(b, p);
	else if (p->protocol == UDP)
		put_udp(b, p);
	else
		fill(b, payload_bytes(b));
}

/* The end of a chain of extension headers that begins at `next`, whose first type stands there. */
static void put_extensions(struct builder *b, size_t next, const struct plan *p)
{
	static const uint8_t types[] = {0, 43, 51, 60, 135};
	uint32_t n = below(b, 3) ? 0 : below(b, 10);
	uint32_t fragment_after = p->fragment || !below(b, 16) ? below(b, n + 1) : 99;

	for (uint32_t i = 0; i < n || fragment_after != 99; i++) {
		const int fragment = i == fragment_after;
		const uint32_t type = fragment ? 44 : types[below(b, sizeof(types))];
		const uint32_t length = fragment ? 0 : below(b, 4) ? 0 : below(b, 4);

		if (next < b->len)
			b->to[next] = (uint8_t)type;
		next = b->len;
		put8(b, 59);
		put8(b, type == 51 ? length + 1 : length);
		if (fragment) {
			put16(b, p->fragment);
			put32(b, p->id);
			fragment_after = 99;
			continue;
		}
		put8(b, 0);
		put8(b, type == 43 && !below(b, 4) ? 1 : 0);
		fill(b, type == 51 ? (length + 3) * 4 - 4 : length * 8 + 4);
	}
	if (next < b->len)
		b->to[next] = (uint8_t)p->protocol;
}

/* An IP header of what follows; reversed: from the VIP to the client, as quotes have it. */
static size_t put_ip(struct builder *b, const struct plan *p, int reversed)
{
	const size_t at = b->len;
	const uint32_t tos = below(b, 3) ? 0 : below(b, 256);
	const uint32_t options = p->family == 4 && !below(b, 4) ? below(b, 11) : 0;

	if (p->family == 4) {
		put8(b, 0x45 + options);
		put8(b, tos);
		put16(b, 0);
		put16(b, p->id);
		put16(b, p->fragment);
		put8(b, 57);
		put8(b, p->protocol);
		put16(b, 0x1234);
	} else {
		put32(b, 0x60000000U | tos << 20 | below(b, 2) * 0x54321);
		put16(b, 0);
		put8(b, p->protocol);
		put8(b, 57);
	}
	if (reversed)
		put_vip(b, p->family, p->vip);
	put_client(b, p->family, p->vip);
	if (!reversed)
		put_vip(b, p->family, p->vip);
	fill(b, options * 4);
	if (p->family == 6)
		put_extensions(b, at + 6, p);
	return at;
}

static void end_ip(struct builder *b, size_t at, int family)
{
	if (family == 4)
		set16(b, at + 2, b->len - at);
	else
		set16(b, at + 4, b->len - at - 40);
}

/* What a real server of the VIP sent to a client, cut somewhere. */
static void put_quote(struct builder *b, const struct plan *error)
{
	static const uint8_t protocols[] = {TCP, TCP, UDP, UDP, 1, 58, 50};
	struct plan p = *error;
	const size_t from = b->len;
	size_t at;

	p.protocol = protocols[below(b, sizeof(protocols))];
	p.fragment = below(b, 8) ? 0 : below(b, 0x4000);
	if (!below(b, 8))
		p.vip = below(b, 11);
	if (!below(b, 16))
		p.family = 10 - p.family;
	p.port = error->client_port;
	p.client_port = error->port; /* the quote's source port */
	at = put_ip(b, &p, 1);
	put_l4(b, &p);
	end_ip(b, at, p.family);
	if (!below(b, 4))
		b->len = from + below(b, (uint32_t)(b->len - from) + 1);
}

static void put_icmp(struct builder *b, const struct plan *p)
{
	static const uint8_t types4[] = {8, 8, 3, 3, 11, 12, 0, 5, 13};
	static const uint8_t types6[] = {128, 128, 1, 2, 3, 4, 129, 135, 5, 0};
	const uint32_t type = p->family == 4 ? types4[below(b, sizeof(types4))]
					     : types6[below(b, sizeof(types6))];
	const int echo = type == 8 || type == 128;

	put8(b, type);
	put8(b, type == 3 ? 4 : 0);
	put16(b, below(b, 0x10000));
	put16(b, 0);
	put16(b, 1400);
	if (echo)
		fill(b, payload_bytes(b));
	else
		put_quote(b, p);
}

static struct plan make_plan(struct builder *b)
{
	static const uint8_t protocols[] = {TCP, TCP, TCP, UDP, UDP, UDP, 1, 1, 58, 4, 41, 50};
	struct plan p = {
		.family = below(b, 2) ? 4 : 6,
		.vip = below(b, 3) ? 1 : below(b, 11),
		.port = vip_port(b),
		.client_port = 40000 + below(b, 2),
		.protocol = protocols[below(b, sizeof(protocols))],
		.id = below(b, 3),
	};

	if (p.protocol == 1 && p.family == 6)
		p.protocol = 58;
	if (p.family == 4)
		p.fragment = below(b, 2) << 14;
	if (!below(b, 4)) {
		const uint32_t offset = below(b, 3) ? below(b, 4) : below(b, 0x2000);
		const uint32_t more = below(b, 2);

		p.fragment = p.family == 4 ? more << 13 | (offset & 0x1fff)
					   : (offset & 0x1fff) << 3 | more;
	}
	return p;
}

static void put_ethernet(struct builder *b, const struct plan *p)
{
	static const uint16_t types[] = {0x8100, 0x88a8};
	const uint32_t tags = below(b, 4) ? 0 : below(b, 4);

	put16(b, below(b, 64) ? 0x0200 : 0x0100);
	put32(b, 2);
	put16(b, 0x0200);
	put32(b, below(b, 8) ? 0x99 : 0x010e);
	for (uint32_t i = 0; i < tags; i++) {
		put16(b, types[below(b, 2)]);
		put16(b, below(b, 0x10000));
	}
	put16(b, !below(b, 64) ? below(b, 0x10000) : p->family == 4 ? 0x0800 : 0x86dd);
}

size_t fuzz_build(struct fuzz_random *r, uint8_t *to)
{
	struct builder b = {.r = r, .to = to};
	const struct plan p = make_plan(&b);
	size_t at;

	put_ethernet(&b, &p);
	at = put_ip(&b, &p, 0);
	if (p.protocol == 1 || p.protocol == 58)
		put_icmp(&b, &p);
	else
		put_l4(&b, &p);
	end_ip(&b, at, p.family);
	if (!below(&b, 8))
		fill(&b, below(&b, 40));
	if (!below(&b, 8))
		b.len = below(&b, (uint32_t)b.len + 1);
	return b.len;
}

void fuzz_mend_lengths(uint8_t *frame, size_t len)
{
	struct builder b = {.to = frame, .len = len};
	size_t at = 14;

	while (at + 4 <= len && at < 22 && (frame[at - 2] == 0x81 || frame[at - 2] == 0x88))
		at += 4;
	if (at + 40 > len)
		return;
	if (frame[at] >> 4 == 4) {
		const size_t l4 = at + (size_t)(frame[at] & 15) * 4;

		end_ip(&b, at, 4);
		if (frame[at + 9] == UDP && l4 + 8 <= len)
			set16(&b, l4 + 4, len - l4);
	} else if (frame[at] >> 4 == 6) {
		end_ip(&b, at, 6);
		if (frame[at + 6] == UDP && at + 48 <= len)
			set16(&b, at + 44, len - at - 40);
	}
}
