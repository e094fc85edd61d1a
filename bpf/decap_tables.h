/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_BPF_DECAP_TABLES_H
#define FAIRWAY_BPF_DECAP_TABLES_H

#include <linux/types.h>

/* What bpf/decap.bpf.c and fairway-real agree on: the maps' contents and the counters. Kernel and
 * user space compile this same file. */

/* Names of the programs as the kernel reports them; they tell our filters from others'. */
#define DECAP_PROG_DECAP "fairway_decap"
#define DECAP_PROG_CLAMP "fairway_clamp"
#define DECAP_PROG_GUARD "fairway_guard"

/* Room for this many VIPs, and for this many addresses at which the balancer reaches the host. */
#define DECAP_MAX_VIPS   4096
#define DECAP_MAX_OUTERS 64

/* Key of the maps `vips` and `outers`: an IPv6 address, or ::ffff:a.b.c.d, in network order. */
struct decap_addr {
	__u32 words[4];
};

/* The single element of the map `settings`. Numbers are in host order. */
struct decap_settings {
	__u16 mss_ipv4; /* largest segment a client may send to an IPv4 VIP; 0: leave as it is */
	__u16 mss_ipv6;
	__u16 gue_port; /* UDP port at which GUE is decapsulated; 0: nowhere */
	__u16 reserved; /* 0 */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct decap_addr) == 16, "a hash key has no padding");
_Static_assert(sizeof(struct decap_settings) == 8, "a map's element is padded to 8 bytes anyway");
#endif

/* Elements of the per-CPU map `counters`, packets each: X(name, help). The first four and the next
 * four stand in the same order of families: the program computes their places. */
#define DECAP_COUNTERS(X)                                                                          \
	X(ipv4_in_ipv4, "decapsulated: IPv4 in IPv4")                                              \
	X(ipv6_in_ipv4, "decapsulated: IPv6 in IPv4")                                              \
	X(ipv4_in_ipv6, "decapsulated: IPv4 in IPv6")                                              \
	X(ipv6_in_ipv6, "decapsulated: IPv6 in IPv6")                                              \
	X(gue_ipv4_in_ipv4, "decapsulated: IPv4 in GUE over IPv4")                                 \
	X(gue_ipv6_in_ipv4, "decapsulated: IPv6 in GUE over IPv4")                                 \
	X(gue_ipv4_in_ipv6, "decapsulated: IPv4 in GUE over IPv6")                                 \
	X(gue_ipv6_in_ipv6, "decapsulated: IPv6 in GUE over IPv6")                                 \
	X(from_tunnel, "accepted from the kernel's own tunnel device")                             \
	X(foreign_outer, "left alone: outer destination is not one the balancer uses")             \
	X(foreign_inner, "left alone: inner destination is no VIP")                                \
	X(tunnel_foreign, "dropped after the kernel's tunnel: destination is no VIP")              \
	X(outer_fragment, "left alone: the outer packet is a fragment")                            \
	X(outer_options, "left alone: the outer header has options nobody should send")            \
	X(gue_other, "left alone: at the GUE port, but no GUE with a plain IP packet inside")      \
	X(gue_merged, "left alone: GUE datagrams that GRO has merged into one packet")             \
	X(gue_checksum, "dropped: the outer UDP checksum is wrong")                                \
	X(malformed, "dropped: broken outer checksum, or no IP header inside")                     \
	X(ecn_drop, "dropped: congestion marked on a flow without ECN (RFC 6040)")                 \
	X(failed, "dropped: the kernel could not remove the outer header")                         \
	X(mss_lowered, "SYN and SYN-ACK of a VIP whose MSS was lowered")

enum decap_counter {
#define DECAP_COUNTER_ENUM(name, help) DECAP_CNT_##name,
	DECAP_COUNTERS(DECAP_COUNTER_ENUM)
#undef DECAP_COUNTER_ENUM
		DECAP_CNT_MAX,
};

#endif
