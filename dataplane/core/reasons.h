/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_REASONS_H
#define FAIRWAY_CORE_REASONS_H

/*
 * Every packet gets one verdict and one reason, and each reason has one counter. The one list:
 * counters, CLI, JSON, metrics and documentation are made from it. X(verdict, name, help)
 */
#define LB_REASONS(X)                                                                              \
	X(FORWARD, forwarded, "sent to a real server")                                             \
	X(FORWARD, fragment_followed, "later IP fragment, sent where its first one went")          \
	X(FORWARD, icmp_error, "ICMP error, sent to the real server of the flow it quotes")        \
	X(REPLY, echo_answered, "ping to a VIP that is up, answered")                              \
	X(REPLY, too_big_answered, "too large for the tunnel: the sender was told what fits")      \
	X(PASS, not_ip, "not IPv4 or IPv6, e.g. ARP or LLDP: left to the kernel")                  \
	X(PASS, vlan_depth, "more than two VLAN tags: left to the kernel")                         \
	X(PASS, multicast, "link-layer broadcast or multicast: left to the kernel")                \
	X(PASS, not_vip, "no service has this address, protocol and port: left to the kernel")     \
	X(PASS, not_tcp_udp, "neither TCP, UDP nor ICMP the balancer handles: left to the kernel") \
	X(DROP, eth_truncated, "frame ends inside its Ethernet header or VLAN tags")               \
	X(DROP, ip4_truncated, "frame ends inside the IPv4 header")                                \
	X(DROP, ip4_version, "EtherType says IPv4, the header's version doesn't")                  \
	X(DROP, ip4_header_length, "IPv4 header length below 20 bytes or beyond the packet")       \
	X(DROP, ip4_total_length, "IPv4 total length beyond the frame")                            \
	X(DROP, ip6_truncated, "frame ends inside the IPv6 header")                                \
	X(DROP, ip6_version, "EtherType says IPv6, the header's version doesn't")                  \
	X(DROP, ip6_payload_length, "IPv6 payload length beyond the frame")                        \
	X(DROP, ip6_extension, "IPv6 extension header that is cut off or beyond the packet")       \
	X(DROP, ip6_extension_depth, "more IPv6 extension headers than the balancer walks")        \
	X(DROP, ip6_routing, "IPv6 routing header with segments left: the VIP isn't its end")      \
	X(DROP, l4_truncated, "packet to a VIP ends inside its TCP, UDP or ICMP header")           \
	X(DROP, tcp_header_length, "TCP header length below 20 bytes or beyond the packet")        \
	X(DROP, udp_length, "UDP length below 8 bytes or beyond the packet")                       \
	X(DROP, fragment_early, "later IP fragment whose first one hasn't been seen")              \
	X(DROP, fragment_overlap, "IP fragment that would overwrite its first one's TCP header")   \
	X(DROP, martian_source, "source address that can't send: loopback, multicast, reserved")   \
	X(DROP, land, "source and destination address are the same")                               \
	X(DROP, encapsulated, "already inside a tunnel: IP in IP to a VIP")                        \
	X(DROP, denied, "source prefix is on the service's deny list")                             \
	X(DROP, syn_limited, "SYN above the service's rate limit")                                 \
	X(DROP, echo_down, "ping to a VIP that is not up")                                         \
	X(DROP, echo_limited, "ping above the node's rate limit")                                  \
	X(DROP, icmp_fragment, "fragment of an ICMP packet to a VIP: it can't be answered")        \
	X(DROP, icmp_quote, "ICMP error whose quote is cut off before the ports")                  \
	X(DROP, icmp_no_flow, "ICMP error that quotes no packet of a service")                     \
	X(DROP, looped, "L2 DSR: came from the very real server it would go to")                   \
	X(DROP, no_real, "the service's pool has no real server to send to")                       \
	X(DROP, real_unresolved, "the real server's next hop has no MAC address yet")              \
	X(DROP, too_big, "with its tunnel header the packet exceeds the interface's MTU")          \
	X(DROP, too_big_limited, "too large for the tunnel, above the rate limit of answers")      \
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
