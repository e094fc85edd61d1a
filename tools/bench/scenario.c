/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <netinet/in.h>

#define ACK      0x10
#define SYN      0x02
#define THOUSAND 1000
#define MILLION  1000000

const struct bench_scenario bench_scenarios[] = {
	{"4in4-1k", "IPv4 in IPv4, 1,000 flows", THOUSAND, 1, BENCH_VIP4, IPPROTO_TCP, ACK, 20},
	{"4in4-1m", "IPv4 in IPv4, a million flows", MILLION, 1, BENCH_VIP4, IPPROTO_TCP, ACK, 20},
	{"4in4-1m-syn", "every packet a SYN", MILLION, 1, BENCH_VIP4, IPPROTO_TCP, SYN, 20},
	{"4in4-1m-256vips", "over 256 VIPs", MILLION, BENCH_VIPS_BUSY, BENCH_VIP4, IPPROTO_TCP, ACK,
	 20},
	{"6in6-1k", "IPv6 in IPv6, 1,000 flows", THOUSAND, 1, BENCH_VIP6, IPPROTO_TCP, ACK, 40},
	{"6in6-1m", "IPv6 in IPv6, a million flows", MILLION, 1, BENCH_VIP6, IPPROTO_TCP, ACK, 40},
	{"6in6-1m-syn", "every packet a SYN", MILLION, 1, BENCH_VIP6, IPPROTO_TCP, SYN, 40},
	{"udp4-1k", "UDP, IPv4 in IPv4, 1,000 flows", THOUSAND, 1, BENCH_VIP4, IPPROTO_UDP, 0, 20},
	{"udp4-1m", "UDP, IPv4 in IPv4, a million", MILLION, 1, BENCH_VIP4, IPPROTO_UDP, 0, 20},
	{"4in6-1k", "IPv4 in IPv6, 1,000 flows", THOUSAND, 1, BENCH_VIP4_TO_6, IPPROTO_TCP, ACK,
	 40},
	{"6in4-1k", "IPv6 in IPv4, 1,000 flows", THOUSAND, 1, BENCH_VIP6_TO_4, IPPROTO_TCP, ACK,
	 20},
	{"l2dsr-1k", "MAC addresses only, 1,000 flows", THOUSAND, 1, BENCH_VIP4_L2DSR, IPPROTO_TCP,
	 ACK, 0},
	{"gue4-1k", "IPv4 in UDP in IPv4, 1,000 flows", THOUSAND, 1, BENCH_VIP4_GUE, IPPROTO_TCP,
	 ACK, 28},
	{"gue6-1k", "IPv6 in UDP in IPv6, 1,000 flows", THOUSAND, 1, BENCH_VIP6_GUE, IPPROTO_TCP,
	 ACK, 48},
	{.name = NULL},
};
