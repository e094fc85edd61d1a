/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/decode.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/cleanup.h"

#define ETHERTYPE_IP4   0x0800
#define ETHERTYPE_IP6   0x86dd
#define ETHERTYPE_VLAN  0x8100
#define ETHERTYPE_QINQ  0x88a8
#define PROTOCOL_IP4    4
#define PROTOCOL_IP6    41
#define PROTOCOL_ICMP6  58
#define IP4_MORE        0x2000U
#define IP4_DF          0x4000U
#define IP4_OFFSET_MASK 0x1fffU

struct walk {
	const uint8_t *frame;
	size_t len;
	uint16_t gue_port;
	struct decode_layer *layers;
	size_t n;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* ---- parts ---- */

/* A part of so many bytes, or what is left of it before `end`. 1 when it is whole. */
static int add(struct walk *w, enum decode_kind kind, size_t *at, size_t len, size_t end)
{
	const bool whole = *at <= end && len <= end - *at;

	if (!whole) {
		kind = DECODE_CUT;
		len = *at < end ? end - *at : 0;
	}
	/* What doesn't fit any more goes with the last one. */
	if (w->n == DECODE_LAYERS_MAX)
		w->layers[w->n - 1].len = *at + len - w->layers[w->n - 1].offset;
	else if (len)
		w->layers[w->n++] = (struct decode_layer){kind, *at, len, 0};
	*at += len;
	return whole && w->n < DECODE_LAYERS_MAX;
}

static void walk_ip(struct walk *w, size_t at, size_t end, int depth);

/* Behind a transport header: data, another IP packet, or nothing. */
static void walk_data(struct walk *w, size_t at, size_t end, bool is_ip, int depth)
{
	if (is_ip && at < end)
		walk_ip(w, at, end, depth + 1);
	else if (at < end)
		add(w, DECODE_DATA, &at, end - at, end);
}

static void walk_tcp(struct walk *w, size_t at, size_t end)
{
	size_t header = end - at > 12 ? (w->frame[at + 12] >> 4) * 4U : 20;

	if (add(w, DECODE_TCP, &at, header < 20 ? 20 : header, end))
		walk_data(w, at, end, false, 0);
}

static void walk_udp(struct walk *w, size_t at, size_t end, int depth)
{
	bool gue = w->gue_port && end - at >= 9 && be16(w->frame + at + 2) == w->gue_port &&
		   (w->frame[at + 8] >> 4 == 4 || w->frame[at + 8] >> 4 == 6);

	if (add(w, DECODE_UDP, &at, 8, end))
		walk_data(w, at, end, gue, depth);
}

static void walk_icmp(struct walk *w, size_t at, size_t end, bool six, int depth)
{
	uint8_t type = at < end ? w->frame[at] : 0;
	bool quotes = six ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;

	if (add(w, six ? DECODE_ICMP6 : DECODE_ICMP, &at, 8, end))
		walk_data(w, at, end, quotes, depth);
}

static void walk_transport(struct walk *w, size_t at, size_t end, uint8_t protocol, int depth)
{
	if (at >= end)
		return;
	switch (protocol) {
	case IPPROTO_TCP:
		walk_tcp(w, at, end);
		break;
	case IPPROTO_UDP:
		walk_udp(w, at, end, depth);
		break;
	case IPPROTO_ICMP:
	case PROTOCOL_ICMP6:
		walk_icmp(w, at, end, protocol == PROTOCOL_ICMP6, depth);
		break;
	default:
		walk_data(w, at, end, protocol == PROTOCOL_IP4 || protocol == PROTOCOL_IP6, depth);
	}
}

static void walk_ip4(struct walk *w, size_t at, size_t end, int depth)
{
	const uint8_t *ip = w->frame + at;
	size_t header = (ip[0] & 15) * 4U, start = at;

	if (!add(w, DECODE_IP4, &at, header < 20 ? 20 : header, end))
		return;
	if (be16(ip + 2) >= header && start + be16(ip + 2) < end)
		end = start + be16(ip + 2);
	if (be16(ip + 6) & IP4_OFFSET_MASK)
		walk_data(w, at, end, false, depth);
	else
		walk_transport(w, at, end, ip[9], depth);
}

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_AH || next == IPPROTO_DSTOPTS || next == IPPROTO_MH;
}

static void walk_ip6(struct walk *w, size_t at, size_t end, int depth)
{
	const uint8_t *ip = w->frame + at;
	bool later = false;
	uint8_t next;

	if (!add(w, DECODE_IP6, &at, 40, end))
		return;
	if (at + be16(ip + 4) < end)
		end = at + be16(ip + 4);
	for (next = ip[6]; is_extension(next) && !later;) {
		const uint8_t *e = w->frame + at;
		size_t len = 8;

		if (end - at >= 2)
			len = next == IPPROTO_FRAGMENT ? 8
			      : next == IPPROTO_AH     ? (e[1] + 2U) * 4
						       : (e[1] + 1U) * 8;
		if (!add(w, DECODE_IP6_EXTENSION, &at, len, end))
			return;
		w->layers[w->n - 1].type = next;
		later = next == IPPROTO_FRAGMENT && be16(e + 2) & 0xfff8;
		next = e[0];
	}
	if (later)
		walk_data(w, at, end, false, depth);
	else
		walk_transport(w, at, end, next, depth);
}

static void walk_ip(struct walk *w, size_t at, size_t end, int depth)
{
	int version = w->frame[at] >> 4;

	if (depth > 3 || (version != 4 && version != 6))
		add(w, DECODE_DATA, &at, end - at, end);
	else if (version == 4)
		walk_ip4(w, at, end, depth);
	else
		walk_ip6(w, at, end, depth);
}

size_t decode_layers(const uint8_t *frame, size_t len, uint16_t gue_port,
		     struct decode_layer ret_layers[DECODE_LAYERS_MAX])
{
	struct walk w = {frame, len, gue_port, ret_layers, 0};
	const struct decode_layer *last;
	uint16_t type = 0;
	size_t at = 0;

	if (add(&w, DECODE_ETHERNET, &at, 14, len))
		type = be16(frame + 12);
	while ((type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) && w.n <= 4) {
		type = 0;
		if (add(&w, DECODE_VLAN, &at, 4, len))
			type = be16(frame + at - 2);
	}
	if ((type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6) && at < len)
		walk_ip(&w, at, len, 0);
	last = w.n ? &w.layers[w.n - 1] : NULL;
	at = last ? last->offset + last->len : 0;
	if (at < len)
		add(&w,
		    type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6 ? DECODE_PADDING : DECODE_DATA,
		    &at, len - at, len);
	return w.n;
}

/* ---- words ---- */

static const char *name_of(const struct decode_layer *layer)
{
	static const char *const names[] = {
		[DECODE_ETHERNET] = "Ethernet",
		[DECODE_VLAN] = "VLAN",
		[DECODE_IP4] = "IPv4",
		[DECODE_IP6] = "IPv6",
		[DECODE_IP6_EXTENSION] = "IPv6+",
		[DECODE_TCP] = "TCP",
		[DECODE_UDP] = "UDP",
		[DECODE_ICMP] = "ICMP",
		[DECODE_ICMP6] = "ICMPv6",
		[DECODE_DATA] = "data",
		[DECODE_PADDING] = "padding",
		[DECODE_CUT] = "cut off",
	};

	return names[layer->kind];
}

static const char *protocol_name(uint8_t protocol, char text[16])
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_ICMP:
		return "ICMP";
	case PROTOCOL_ICMP6:
		return "ICMPv6";
	case PROTOCOL_IP4:
		return "IPv4 inside";
	case PROTOCOL_IP6:
		return "IPv6 inside";
	}
	snprintf(text, 16, "protocol %u", protocol);
	return text;
}

static void print_addrs(FILE *out, uint8_t family, const uint8_t *src, const uint8_t *dst)
{
	const size_t bytes = family == 4 ? 4 : 16;
	struct addr from = {.family = family}, to = {.family = family};
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	memcpy(from.bytes, src, bytes);
	memcpy(to.bytes, dst, bytes);
	fprintf(out, "%s -> %s", addr_format(&from, a), addr_format(&to, b));
}

static void print_ethernet(FILE *out, const uint8_t *p)
{
	fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x -> %02x:%02x:%02x:%02x:%02x:%02x, type 0x%04x",
		p[6], p[7], p[8], p[9], p[10], p[11], p[0], p[1], p[2], p[3], p[4], p[5],
		be16(p + 12));
}

/* RFC 1071; a header that is right sums up to 0xffff. */
static bool checksum_right(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += be16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static void print_ip4(FILE *out, const uint8_t *p, size_t len)
{
	const uint16_t fragment = be16(p + 6);
	char protocol[16];

	print_addrs(out, 4, p + 12, p + 16);
	fprintf(out, ", %s, length %u, TTL %u, id %u", protocol_name(p[9], protocol), be16(p + 2),
		p[8], be16(p + 4));
	if (p[1])
		fprintf(out, ", TOS 0x%02x", p[1]);
	if (fragment & IP4_DF)
		fputs(", DF", out);
	if (fragment & (IP4_MORE | IP4_OFFSET_MASK))
		fprintf(out, ", fragment at %u%s", (fragment & IP4_OFFSET_MASK) * 8,
			fragment & IP4_MORE ? " and more follow" : ", the last");
	if (len > 20)
		fprintf(out, ", %zu bytes of options", len - 20);
	if ((p[0] & 15) < 5)
		fprintf(out, ", header length %u", (p[0] & 15) * 4);
	if (!checksum_right(p, len))
		fprintf(out, ", checksum 0x%04x is wrong", be16(p + 10));
}

static void print_ip6(FILE *out, const uint8_t *p)
{
	const uint32_t word = be32(p);
	char protocol[16];

	print_addrs(out, 6, p + 8, p + 24);
	fprintf(out, ", %s, payload %u, hop limit %u",
		is_extension(p[6]) ? "extension headers" : protocol_name(p[6], protocol),
		be16(p + 4), p[7]);
	if (word >> 20 & 0xff)
		fprintf(out, ", class 0x%02x", word >> 20 & 0xff);
	if (word & 0xfffff)
		fprintf(out, ", flow label 0x%05x", word & 0xfffff);
}

static void print_extension(FILE *out, const uint8_t *p, const struct decode_layer *layer)
{
	if (layer->type == IPPROTO_FRAGMENT)
		fprintf(out, "fragment at %u%s, id 0x%08x", be16(p + 2) & 0xfff8,
			be16(p + 2) & 1 ? " and more follow" : ", the last", be32(p + 4));
	else if (layer->type == IPPROTO_ROUTING)
		fprintf(out, "routing header, %zu bytes, %u segments left", layer->len, p[3]);
	else
		fprintf(out, "extension header %u, %zu bytes", layer->type, layer->len);
}

static void print_tcp(FILE *out, const uint8_t *p, size_t len)
{
	static const char *const flags[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};

	fprintf(out, "%u -> %u,", be16(p), be16(p + 2));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (p[13] >> i & 1)
			fprintf(out, " %s", flags[i]);
	fprintf(out, "%s seq %" PRIu32 ", ack %" PRIu32 ", window %u", p[13] ? "," : " no flags,",
		be32(p + 4), be32(p + 8), be16(p + 14));
	if (len > 20)
		fprintf(out, ", %zu bytes of options", len - 20);
	if (p[12] >> 4 < 5)
		fprintf(out, ", header length %u", (p[12] >> 4) * 4);
}

static void print_icmp(FILE *out, const uint8_t *p, bool six)
{
	const uint8_t type = p[0], code = p[1];
	const bool echo = type == (six ? 128 : 8), echo_reply = type == (six ? 129 : 0);

	fprintf(out, "type %u, code %u", type, code);
	if (echo || echo_reply)
		fprintf(out, " (echo %s), id %u, seq %u", echo ? "request" : "reply", be16(p + 4),
			be16(p + 6));
	else if (!six && type == 3 && code == 4)
		fprintf(out, " (fragmentation needed), MTU %u", be16(p + 6));
	else if (six && type == 2)
		fprintf(out, " (packet too big), MTU %" PRIu32, be32(p + 4));
	else if (type == (six ? 1 : 3))
		fputs(" (destination unreachable)", out);
	else if (type == (six ? 3 : 11))
		fputs(" (time exceeded)", out);
}

static void print_data(FILE *out, const uint8_t *p, size_t len)
{
	fprintf(out, "%zu byte%s:", len, len == 1 ? "" : "s");
	for (size_t i = 0; i < len && i < 16; i++)
		fprintf(out, " %02x", p[i]);
	if (len > 16)
		fputs(" ...", out);
}

static void print_layer(FILE *out, const uint8_t *frame, const struct decode_layer *layer)
{
	const uint8_t *p = frame + layer->offset;

	switch (layer->kind) {
	case DECODE_ETHERNET:
		print_ethernet(out, p);
		break;
	case DECODE_VLAN:
		fprintf(out, "id %u, priority %u, type 0x%04x", be16(p) & 0xfff, p[0] >> 5,
			be16(p + 2));
		break;
	case DECODE_IP4:
		print_ip4(out, p, layer->len);
		break;
	case DECODE_IP6:
		print_ip6(out, p);
		break;
	case DECODE_IP6_EXTENSION:
		print_extension(out, p, layer);
		break;
	case DECODE_TCP:
		print_tcp(out, p, layer->len);
		break;
	case DECODE_UDP:
		fprintf(out, "%u -> %u, length %u", be16(p), be16(p + 2), be16(p + 4));
		break;
	case DECODE_ICMP:
	case DECODE_ICMP6:
		print_icmp(out, p, layer->kind == DECODE_ICMP6);
		break;
	case DECODE_DATA:
	case DECODE_PADDING:
	case DECODE_CUT:
		print_data(out, p, layer->len);
		break;
	}
}

void decode_print(FILE *out, const char *indent, const uint8_t *frame, size_t len,
		  uint16_t gue_port)
{
	struct decode_layer layers[DECODE_LAYERS_MAX];
	size_t n = decode_layers(frame, len, gue_port, layers);

	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s%-9s ", indent, name_of(&layers[i]));
		print_layer(out, frame, &layers[i]);
		putc('\n', out);
	}
	if (!n)
		fprintf(out, "%sno bytes\n", indent);
}

const char *decode_place(const uint8_t *frame, size_t len, uint16_t gue_port, size_t offset,
			 char *text, size_t size)
{
	struct decode_layer layers[DECODE_LAYERS_MAX];
	size_t n = decode_layers(frame, len, gue_port, layers);

	snprintf(text, size, "behind its end");
	for (size_t i = 0; i < n; i++)
		if (offset >= layers[i].offset && offset < layers[i].offset + layers[i].len)
			snprintf(text, size, "byte %zu of the %s at %zu", offset - layers[i].offset,
				 name_of(&layers[i]), layers[i].offset);
	return text;
}

/* A row: its offset, its bytes, and a mark at each that the other hasn't. */
static void hex_row(FILE *out, const uint8_t *frame, size_t len, const uint8_t *other,
		    size_t other_len, size_t row)
{
	fprintf(out, "%04zx ", row);
	for (size_t at = row; at < row + 16 && at < len; at++)
		fprintf(out, "%c%02x", at < other_len && other[at] == frame[at] ? ' ' : '*',
			frame[at]);
	putc('\n', out);
}

void decode_hex(FILE *out, const char *indent, const uint8_t *frame, size_t len,
		const uint8_t *other, size_t other_len, size_t around)
{
	size_t row = around / 16 * 16, from = row >= 16 ? row - 16 : 0;

	for (size_t at = from; at <= row + 16 && at < len; at += 16) {
		fputs(indent, out);
		hex_row(out, frame, len, other, other_len, at);
	}
}
