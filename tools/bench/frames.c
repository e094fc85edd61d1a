/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of packets whose instructions are counted, at least one for each way through the
 * program. Adding a kind: a function that builds it, and a line in the table at the end. */
#include "tools/bench/frames.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "tools/bench/bench.h"

#define FLOWS 64

#define CLIENT4 "10.1.2.3"
#define CLIENT6 "2001:db8:ff::3"
#define ROUTER4 "192.0.2.77"
#define ROUTER6 "2001:db8:fe::1"
#define NOBODY4 "203.0.114.1"
#define NOBODY6 "2001:db8::99"

#define PORT 443
#define SYN  0x02
#define ACK  0x10

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88a8
#define TYPE_IPV6 0x86dd

#define IP4_BYTES 20
#define IP6_BYTES 40
#define TCP_BYTES 20

static void put(struct frame *f, const void *bytes, size_t n)
{
	assert(f->len + n <= FRAME_MAX);
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void put8(struct frame *f, uint8_t value)
{
	put(f, &value, 1);
}

static void put16(struct frame *f, uint16_t value)
{
	uint16_t be = htons(value);

	put(f, &be, 2);
}

static void put32(struct frame *f, uint32_t value)
{
	uint32_t be = htonl(value);

	put(f, &be, 4);
}

static void put_address(struct frame *f, int family, const char *text)
{
	uint8_t bytes[16];
	int ok = inet_pton(family, text, bytes);

	assert(ok == 1);
	(void)ok;
	put(f, bytes, family == AF_INET ? 4 : 16);
}

/* RFC 1071, over whole words. */
static uint16_t checksum(const uint8_t *bytes, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)bytes[i] << 8 | (i + 1 < n ? bytes[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void set16(struct frame *f, size_t at, uint16_t value)
{
	f->bytes[at] = (uint8_t)(value >> 8);
	f->bytes[at + 1] = (uint8_t)value;
}

static void ethernet(struct frame *f, uint16_t type)
{
	static const uint8_t addresses[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9};

	f->len = 0;
	put(f, addresses, sizeof(addresses));
	put16(f, type);
}

struct ip4 {
	const char *source, *destination;
	uint8_t protocol;
	uint16_t fragment; /* flags and offset */
	uint16_t id;
	size_t option_bytes;
};

static void ipv4(struct frame *f, const struct ip4 *ip, size_t payload)
{
	size_t start = f->len, header = IP4_BYTES + ip->option_bytes;

	put8(f, (uint8_t)(0x40 | header / 4));
	put8(f, 0);
	put16(f, (uint16_t)(header + payload));
	put16(f, ip->id);
	put16(f, ip->fragment);
	put8(f, 64);
	put8(f, ip->protocol);
	put16(f, 0);
	put_address(f, AF_INET, ip->source);
	put_address(f, AF_INET, ip->destination);
	for (size_t i = 0; i < ip->option_bytes; i++)
		put8(f, 1); /* no operation */
	set16(f, start + 10, checksum(f->bytes + start, header, 0));
}

static void ipv6(struct frame *f, const char *source, const char *destination, uint8_t next,
		 size_t payload)
{
	put32(f, 0x60000000);
	put16(f, (uint16_t)payload);
	put8(f, next);
	put8(f, 64);
	put_address(f, AF_INET6, source);
	put_address(f, AF_INET6, destination);
}

static uint16_t client_port(uint32_t flow)
{
	return (uint16_t)(1024 + 613 * flow);
}

static void tcp(struct frame *f, uint32_t flow, uint8_t flags)
{
	put16(f, client_port(flow));
	put16(f, PORT);
	put32(f, 1000);
	put32(f, flags & ACK ? 2000 : 0);
	put8(f, 0x50);
	put8(f, flags);
	put16(f, 65535);
	put16(f, 0);
	put16(f, 0);
}

static void udp(struct frame *f, uint32_t flow, size_t payload)
{
	put16(f, client_port(flow));
	put16(f, PORT);
	put16(f, (uint16_t)(8 + payload));
	put16(f, 0);
	for (size_t i = 0; i < payload; i++)
		put8(f, 0);
}

static void tcp4_to(struct frame *f, uint32_t flow, const char *vip, uint8_t flags)
{
	const struct ip4 ip = {CLIENT4, vip, IPPROTO_TCP, .fragment = 0x4000};

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, TCP_BYTES);
	tcp(f, flow, flags);
}

static void tcp6_to(struct frame *f, uint32_t flow, const char *vip, uint8_t flags)
{
	ethernet(f, TYPE_IPV6);
	ipv6(f, CLIENT6, vip, IPPROTO_TCP, TCP_BYTES);
	tcp(f, flow, flags);
}

static void tcp4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4, ACK);
}

static void syn4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4, SYN);
}

static void tcp6(struct frame *f, uint32_t flow)
{
	tcp6_to(f, flow, BENCH_VIP6, ACK);
}

static void syn6(struct frame *f, uint32_t flow)
{
	tcp6_to(f, flow, BENCH_VIP6, SYN);
}

static void tcp4_in_6(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4_TO_6, ACK);
}

static void tcp6_in_4(struct frame *f, uint32_t flow)
{
	tcp6_to(f, flow, BENCH_VIP6_TO_4, ACK);
}

static void l2dsr4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4_L2DSR, ACK);
}

static void gue4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4_GUE, ACK);
}

static void gue6(struct frame *f, uint32_t flow)
{
	tcp6_to(f, flow, BENCH_VIP6_GUE, ACK);
}

static void moved4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4_MOVED, ACK);
}

static void moved_syn4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, BENCH_VIP4_MOVED, SYN);
}

static void nobody4(struct frame *f, uint32_t flow)
{
	tcp4_to(f, flow, NOBODY4, ACK);
}

static void nobody6(struct frame *f, uint32_t flow)
{
	tcp6_to(f, flow, NOBODY6, ACK);
}

static void udp4(struct frame *f, uint32_t flow)
{
	const struct ip4 ip = {CLIENT4, BENCH_VIP4, IPPROTO_UDP, .fragment = 0};

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, 8 + 12);
	udp(f, flow, 12);
}

static void udp6(struct frame *f, uint32_t flow)
{
	ethernet(f, TYPE_IPV6);
	ipv6(f, CLIENT6, BENCH_VIP6, IPPROTO_UDP, 8 + 12);
	udp(f, flow, 12);
}

/* The VIP, but a port that nobody serves. */
static void other_port4(struct frame *f, uint32_t flow)
{
	tcp4(f, flow);
	set16(f, 14 + IP4_BYTES + 2, 22);
}

/* A packet that fills the link, and must not be fragmented: with a tunnel header it doesn't fit. */
static void too_big4(struct frame *f, uint32_t flow)
{
	const struct ip4 ip = {CLIENT4, BENCH_VIP4, IPPROTO_TCP, .fragment = 0x4000};
	const size_t data = 1500 - IP4_BYTES - TCP_BYTES;

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, TCP_BYTES + data);
	tcp(f, flow, ACK);
	for (size_t i = 0; i < data; i++)
		put8(f, 0);
}

static void arp(struct frame *f, uint32_t flow)
{
	(void)flow;
	ethernet(f, TYPE_ARP);
	put32(f, 0x00010800);
	put32(f, 0x06040001);
	for (int i = 0; i < 20; i++)
		put8(f, 0);
}

static void padded4(struct frame *f, uint32_t flow)
{
	tcp4(f, flow);
	put32(f, 0);
	put16(f, 0);
}

static void vlan4(struct frame *f, uint32_t flow)
{
	const struct ip4 ip = {CLIENT4, BENCH_VIP4, IPPROTO_TCP, .fragment = 0x4000};

	ethernet(f, TYPE_VLAN);
	put16(f, 100);
	put16(f, TYPE_IPV4);
	ipv4(f, &ip, TCP_BYTES);
	tcp(f, flow, ACK);
}

static void qinq6(struct frame *f, uint32_t flow)
{
	ethernet(f, TYPE_QINQ);
	put16(f, 200);
	put16(f, TYPE_VLAN);
	put16(f, 100);
	put16(f, TYPE_IPV6);
	ipv6(f, CLIENT6, BENCH_VIP6, IPPROTO_TCP, TCP_BYTES);
	tcp(f, flow, ACK);
}

static void options4(struct frame *f, uint32_t flow)
{
	const struct ip4 ip = {CLIENT4, BENCH_VIP4, IPPROTO_TCP, .option_bytes = 8};

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, TCP_BYTES);
	tcp(f, flow, ACK);
}

/* One destination options header of padding (RFC 8200, 4.6). */
static void extension6(struct frame *f, uint32_t flow)
{
	ethernet(f, TYPE_IPV6);
	ipv6(f, CLIENT6, BENCH_VIP6, IPPROTO_DSTOPTS, 8 + TCP_BYTES);
	put8(f, IPPROTO_TCP);
	put8(f, 0);
	put32(f, 0x01040000);
	put16(f, 0);
	tcp(f, flow, ACK);
}

static void fragment4(struct frame *f, uint32_t flow, uint16_t fragment)
{
	const struct ip4 ip = {CLIENT4, BENCH_VIP4, IPPROTO_UDP, .fragment = fragment,
			       .id = (uint16_t)(7 + flow)};

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, 8 + 16);
	udp(f, flow, 16);
}

static void first_fragment4(struct frame *f, uint32_t flow)
{
	fragment4(f, flow, 0x2000);
}

static void later_fragment4(struct frame *f, uint32_t flow)
{
	fragment4(f, flow, 3);
}

static void fragment6(struct frame *f, uint32_t flow, uint16_t fragment)
{
	ethernet(f, TYPE_IPV6);
	ipv6(f, CLIENT6, BENCH_VIP6, IPPROTO_FRAGMENT, 8 + 8 + 16);
	put8(f, IPPROTO_UDP);
	put8(f, 0);
	put16(f, fragment);
	put32(f, 7 + flow);
	udp(f, flow, 16);
}

static void first_fragment6(struct frame *f, uint32_t flow)
{
	fragment6(f, flow, 1);
}

static void later_fragment6(struct frame *f, uint32_t flow)
{
	fragment6(f, flow, 3 << 3);
}

/* Eight bytes of what a real sent to the client: the ports, reversed, and a sequence number. */
static void quote_ports(struct frame *f, uint32_t flow)
{
	put16(f, PORT);
	put16(f, client_port(flow));
	put32(f, 2000);
}

/* Fragmentation needed, about a packet from the VIP (RFC 1191). */
static void error4(struct frame *f, uint32_t flow)
{
	const struct ip4 ip = {ROUTER4, BENCH_VIP4, IPPROTO_ICMP, .fragment = 0};
	const struct ip4 quoted = {BENCH_VIP4, CLIENT4, IPPROTO_TCP, .fragment = 0x4000};
	size_t start;

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, 8 + IP4_BYTES + 8);
	start = f->len;
	put16(f, 0x0304);
	put16(f, 0);
	put32(f, 1400);
	ipv4(f, &quoted, 1400);
	quote_ports(f, flow);
	set16(f, start + 2, checksum(f->bytes + start, f->len - start, 0));
}

/* Packet too big, about a packet from the VIP (RFC 4443, 3.2). */
static void error6(struct frame *f, uint32_t flow)
{
	size_t payload = 8 + IP6_BYTES + 8, start;

	ethernet(f, TYPE_IPV6);
	ipv6(f, ROUTER6, BENCH_VIP6, IPPROTO_ICMPV6, payload);
	start = f->len;
	put16(f, 0x0200);
	put16(f, 0);
	put32(f, 1400);
	ipv6(f, BENCH_VIP6, CLIENT6, IPPROTO_TCP, 1400);
	quote_ports(f, flow);
	/* The pseudo-header: addresses, length, protocol. */
	set16(f, start + 2,
	      checksum(f->bytes + start - 32, f->len - start + 32,
		       (uint32_t)payload + IPPROTO_ICMPV6));
}

static void echo4(struct frame *f, uint32_t flow)
{
	const struct ip4 ip = {CLIENT4, BENCH_VIP4, IPPROTO_ICMP, .fragment = 0};
	size_t start;

	ethernet(f, TYPE_IPV4);
	ipv4(f, &ip, 16);
	start = f->len;
	put16(f, 0x0800);
	put16(f, 0);
	put32(f, flow);
	put32(f, 0);
	put32(f, 0);
	set16(f, start + 2, checksum(f->bytes + start, 16, 0));
}

const struct frame_case frame_cases[] = {
	{"tcp4", "TCP, IPv4 in IPv4", FLOWS, NULL, tcp4, 0},
	{"syn4", "its SYN", FLOWS, NULL, syn4, 0},
	{"udp4", "UDP, IPv4 in IPv4", FLOWS, NULL, udp4, 0},
	{"tcp6", "TCP, IPv6 in IPv6", FLOWS, NULL, tcp6, 0},
	{"syn6", "its SYN", FLOWS, NULL, syn6, 0},
	{"udp6", "UDP, IPv6 in IPv6", FLOWS, NULL, udp6, 0},
	{"tcp4-in-6", "TCP, IPv4 in IPv6", FLOWS, NULL, tcp4_in_6, 0},
	{"tcp6-in-4", "TCP, IPv6 in IPv4", FLOWS, NULL, tcp6_in_4, 0},
	{"gue4", "TCP, IPv4 in UDP in IPv4", FLOWS, NULL, gue4, 0},
	{"gue6", "TCP, IPv6 in UDP in IPv6", FLOWS, NULL, gue6, 0},
	{"l2dsr4", "TCP, MAC addresses rewritten", FLOWS, NULL, l2dsr4, 0},
	{"changed-slot4", "TCP in a slot that changed, seen before", FLOWS, NULL, moved4, 0},
	{"changed-slot4-first", "the first packet of such a flow", FLOWS, NULL, moved4, 1},
	{"changed-slot4-syn", "SYN in a slot that changed", FLOWS, NULL, moved_syn4, 0},
	{"padded4", "frame with Ethernet padding", FLOWS, NULL, padded4, 0},
	{"vlan4", "one VLAN tag", FLOWS, NULL, vlan4, 0},
	{"qinq6", "two VLAN tags", FLOWS, NULL, qinq6, 0},
	{"options4", "IPv4 options", FLOWS, NULL, options4, 0},
	{"extension6", "IPv6 destination options", FLOWS, NULL, extension6, 0},
	{"fragment4-first", "first fragment", FLOWS, NULL, first_fragment4, 0},
	{"fragment4-later", "fragment behind its first", FLOWS, first_fragment4, later_fragment4,
	 0},
	{"fragment6-first", "first fragment, IPv6", FLOWS, NULL, first_fragment6, 0},
	{"fragment6-later", "fragment behind its first, IPv6", FLOWS, first_fragment6,
	 later_fragment6, 0},
	{"icmp-error4", "fragmentation needed, quoting a flow", FLOWS, NULL, error4, 0},
	{"icmp-error6", "packet too big, quoting a flow", FLOWS, NULL, error6, 0},
	{"echo4", "echo request to a VIP", 1, NULL, echo4, 0},
	{"too-big4", "too big for the tunnel, answered", 1, NULL, too_big4, 0},
	{"other-port4", "VIP, port without service", FLOWS, NULL, other_port4, 0},
	{"no-vip4", "not for a VIP", FLOWS, NULL, nobody4, 0},
	{"no-vip6", "not for a VIP, IPv6", FLOWS, NULL, nobody6, 0},
	{"arp", "not IP", 1, NULL, arp, 0},
	{.name = NULL},
};
