/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_REASONS_H
#define FAIRWAY_CORE_REASONS_H

/*
 * Every packet gets one verdict and one reason, and each reason has one counter. The one list:
 * counters, CLI, JSON, metrics and documentation are made from it. X(verdict, name, help)
 */
#define LB_REASONS(X)                                                                              \
	X(FORWARD, forwarded, "sent to a real server")                                             \
	X(PASS, not_ip, "not IPv4 or IPv6, e.g. ARP or LLDP: left to the kernel")                  \
	X(PASS, vlan, "802.1Q or 802.1ad tag: left to the kernel")                                 \
	X(PASS, multicast, "link-layer broadcast or multicast: left to the kernel")                \
	X(PASS, not_vip, "no service has this address, protocol and port: left to the kernel")     \
	X(PASS, not_tcp_udp, "neither TCP nor UDP, e.g. ICMP: left to the kernel")                 \
	X(DROP, eth_truncated, "frame shorter than an Ethernet header")                            \
	X(DROP, ip4_truncated, "frame ends inside the IPv4 header")                                \
	X(DROP, ip4_version, "EtherType says IPv4, the header's version doesn't")                  \
	X(DROP, ip4_header_length, "IPv4 header length below 20 bytes or beyond the packet")       \
	X(DROP, ip4_total_length, "IPv4 total length beyond the frame")                            \
	X(DROP, ip6_truncated, "frame ends inside the IPv6 header")                                \
	X(DROP, ip6_version, "EtherType says IPv6, the header's version doesn't")                  \
	X(DROP, ip6_payload_length, "IPv6 payload length beyond the frame")                        \
	X(DROP, l4_truncated, "packet to a VIP ends inside its TCP or UDP header")                 \
	X(DROP, tcp_header_length, "TCP header length below 20 bytes or beyond the packet")        \
	X(DROP, udp_length, "UDP length below 8 bytes or beyond the packet")                       \
	X(DROP, fragment, "IP fragment to a VIP: its ports can't be known")                        \
	X(DROP, no_real, "the service's pool has no real server to send to")                       \
	X(DROP, real_unresolved, "the real server's next hop has no MAC address yet")              \
	X(DROP, too_big, "with its tunnel header the packet exceeds the interface's MTU")          \
	X(DROP, no_headroom, "the engine found no room for the outer header")                      \
	X(DROP, table_error, "a table entry points outside its table: a bug, please report")

enum lb_verdict {
	LB_PASS = 1,
	LB_DROP,
	LB_FORWARD,
	LB_REPLY,
};

enum lb_reason {
#define LB_REASON_ENUM(verdict, name, help) LB_REASON_##name,
	LB_REASONS(LB_REASON_ENUM)
#undef LB_REASON_ENUM
		LB_REASON_COUNT
};

#endif
