/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/test/cases.h"

/* One real per pool, so that where a packet goes is known; ports tell the encapsulation:
 * 80 to an IPv4 real, 81 to an IPv6 real, 82 L2 DSR, 90 to a pool without reals. */
const char *const cases_config = R"(
node:
  name: cases
  interfaces: [eth0]
  tunnel_source: {ipv4: 192.0.2.10, ipv6: "2001:db8::10"}
  hash_seed: "000102030405060708090a0b0c0d0e0f"
pools:
  - {name: to4, encap: ipip, table_size: 251, reals: [{address: 10.0.0.11}]}
  - {name: to6, encap: ipip, table_size: 251, reals: [{address: "2001:db8:1::11"}]}
  - name: direct4
    encap: l2dsr
    table_size: 251
    reals: [{address: 10.0.0.11, mac: "02:aa:00:00:00:04"}]
  - name: direct6
    encap: l2dsr
    table_size: 251
    reals: [{address: "2001:db8:1::11", mac: "02:aa:00:00:00:06"}]
  - {name: nobody, encap: ipip, table_size: 251, reals: []}
vips:
  - name: four
    address: 203.0.113.1
    services:
      - {protocol: tcp, port: 80, pool: to4}
      - {protocol: tcp, port: 81, pool: to6}
      - {protocol: tcp, port: 82, pool: direct4}
      - {protocol: tcp, port: 90, pool: nobody}
      - {protocol: udp, port: 80, pool: to4}
      - {protocol: udp, port: 81, pool: to6}
      - {protocol: udp, port: 82, pool: direct4}
  - name: six
    address: 2001:db8:80::1
    services:
      - {protocol: tcp, port: 80, pool: to4}
      - {protocol: tcp, port: 81, pool: to6}
      - {protocol: tcp, port: 82, pool: direct6}
      - {protocol: tcp, port: 90, pool: nobody}
      - {protocol: udp, port: 80, pool: to4}
      - {protocol: udp, port: 81, pool: to6}
      - {protocol: udp, port: 82, pool: direct6}
  - name: any4
    address: 203.0.113.2
    services:
      - {protocol: tcp, port: any, pool: to4}
      - {protocol: tcp, port: 8081, pool: to6}
      - {protocol: udp, port: any, pool: direct4}
  - name: any6
    address: 2001:db8:80::2
    services:
      - {protocol: tcp, port: any, pool: to6}
      - {protocol: udp, port: 53, pool: to4}
)";

static const char *const FOUR = "203.0.113.1";
static const char *const SIX = "2001:db8:80::1";
static const char *const ANY4 = "203.0.113.2";
static const char *const ANY6 = "2001:db8:80::2";

/* ECN code points (RFC 3168) and some of DSCP's, as the whole field. */
enum { ECT1 = 1, ECT0 = 2, CE = 3, EF = 0xb8, AF41_ECT0 = 0x8a, ALL_BITS = 0xff };

static const Bytes ALL_NODES = {0x33, 0x33, 0, 0, 0, 1};
static const Bytes BROADCAST = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* clang-format off */
const std::vector<Case> cases = {
	/* ---- every encapsulation in every combination of families ---- */
	{"Tcp4in4", tcp4(FOUR, 80), "forward", "forwarded", "four", Way::ipip4},
	{"Tcp4in6", tcp4(FOUR, 81), "forward", "forwarded", "four", Way::ipip6},
	{"Tcp6in4", tcp6(SIX, 80), "forward", "forwarded", "six", Way::ipip4},
	{"Tcp6in6", tcp6(SIX, 81), "forward", "forwarded", "six", Way::ipip6},
	{"Udp4in4", udp4(FOUR, 80), "forward", "forwarded", "four", Way::ipip4},
	{"Udp4in6", udp4(FOUR, 81), "forward", "forwarded", "four", Way::ipip6},
	{"Udp6in4", udp6(SIX, 80), "forward", "forwarded", "six", Way::ipip4},
	{"Udp6in6", udp6(SIX, 81), "forward", "forwarded", "six", Way::ipip6},
	{"TcpL2dsr4", tcp4(FOUR, 82), "forward", "forwarded", "four", Way::l2dsr4},
	{"TcpL2dsr6", tcp6(SIX, 82), "forward", "forwarded", "six", Way::l2dsr6},
	{"UdpL2dsr4", udp4(FOUR, 82), "forward", "forwarded", "four", Way::l2dsr4},
	{"UdpL2dsr6", udp6(SIX, 82), "forward", "forwarded", "six", Way::l2dsr6},

	/* ---- TCP as it comes ---- */
	{"Syn", tcp4(FOUR, 80).flags(0x02).payload(0), "forward", "forwarded", "four", Way::ipip4},
	{"SynWithOptions", tcp4(FOUR, 80).flags(0x02).data_offset(10).payload(0), "forward", "forwarded", "four", Way::ipip4},
	{"LongestTcpHeader", tcp4(FOUR, 81).data_offset(15).payload(3), "forward", "forwarded", "four", Way::ipip6},
	{"Rst", tcp6(SIX, 81).flags(0x04).payload(0), "forward", "forwarded", "six", Way::ipip6},
	{"FullSegment4", tcp4(FOUR, 80).payload(1460), "forward", "forwarded", "four", Way::ipip4},
	{"FullSegment6", tcp6(SIX, 81).payload(1440), "forward", "forwarded", "six", Way::ipip6},
	{"OddLength", tcp4(FOUR, 80).payload(33), "forward", "forwarded", "four", Way::ipip4},
	{"SourcePortZero", tcp4(FOUR, 80).port_from(0), "forward", "forwarded", "four", Way::ipip4},
	{"UdpWithoutPayload", udp4(FOUR, 80).payload(0), "forward", "forwarded", "four", Way::ipip4},
	{"UdpShorterThanItsPacket", udp4(FOUR, 80).payload(32).udp_length(20), "forward", "forwarded", "four", Way::ipip4},

	/* ---- any-port services, and what beats them ---- */
	{"AnyPortTcp", tcp4(ANY4, 12345), "forward", "forwarded", "any4", Way::ipip4},
	{"AnyPortTcpPortZero", tcp4(ANY4, 0), "forward", "forwarded", "any4", Way::ipip4},
	{"AnyPortTcpHighest", tcp4(ANY4, 65535), "forward", "forwarded", "any4", Way::ipip4},
	{"OwnPortBeatsAnyPort", tcp4(ANY4, 8081), "forward", "forwarded", "any4", Way::ipip6},
	{"AnyPortIsPerProtocol", udp4(ANY4, 8081), "forward", "forwarded", "any4", Way::l2dsr4},
	{"AnyPortTcp6", tcp6(ANY6, 12345), "forward", "forwarded", "any6", Way::ipip6},
	{"OtherProtocolHasOwnPorts", udp6(ANY6, 53), "forward", "forwarded", "any6", Way::ipip4},

	/* ---- Ethernet padding ends with the tunnel, and stays in L2 DSR ---- */
	{"PaddingIsNotCarried4in4", tcp4(FOUR, 80).payload(0).pad_to(60), "forward", "forwarded", "four", Way::ipip4},
	{"PaddingIsNotCarried4in6", udp4(FOUR, 81).payload(1).pad_to(60), "forward", "forwarded", "four", Way::ipip6},
	{"PaddingIsNotCarried6in4", udp6(SIX, 80).payload(0).pad(7), "forward", "forwarded", "six", Way::ipip4},
	{"PaddingIsNotCarried6in6", udp6(SIX, 81).payload(0).pad(100), "forward", "forwarded", "six", Way::ipip6},
	{"PaddingStaysInL2dsr", tcp4(FOUR, 82).payload(0).pad_to(60), "forward", "forwarded", "four", Way::l2dsr4},

	/* ---- DSCP and ECN are copied (RFC 6040, normal mode) ---- */
	{"Dscp4in4", tcp4(FOUR, 80).tos(EF), "forward", "forwarded", "four", Way::ipip4},
	{"Dscp4in6", tcp4(FOUR, 81).tos(EF), "forward", "forwarded", "four", Way::ipip6},
	{"Dscp6in4", tcp6(SIX, 80).tos(EF), "forward", "forwarded", "six", Way::ipip4},
	{"Dscp6in6", tcp6(SIX, 81).tos(EF), "forward", "forwarded", "six", Way::ipip6},
	{"EcnEct0", tcp4(FOUR, 80).tos(ECT0), "forward", "forwarded", "four", Way::ipip4},
	{"EcnEct1", tcp4(FOUR, 81).tos(ECT1), "forward", "forwarded", "four", Way::ipip6},
	{"EcnCe", tcp6(SIX, 80).tos(CE), "forward", "forwarded", "six", Way::ipip4},
	{"DscpAndEcn", tcp6(SIX, 81).tos(AF41_ECT0), "forward", "forwarded", "six", Way::ipip6},
	{"AllBitsOfTos4", tcp4(FOUR, 80).tos(ALL_BITS), "forward", "forwarded", "four", Way::ipip4},
	{"AllBitsOfTos6", tcp6(SIX, 81).tos(ALL_BITS).label(0xfffff), "forward", "forwarded", "six", Way::ipip6},

	/* ---- DF as the inner's, set for inner IPv6; TTL 64 whatever came ---- */
	{"DfSet4in4", tcp4(FOUR, 80).df(), "forward", "forwarded", "four", Way::ipip4},
	{"DfClear4in4", tcp4(FOUR, 80), "forward", "forwarded", "four", Way::ipip4},
	{"DfSet4in6", tcp4(FOUR, 81).df(), "forward", "forwarded", "four", Way::ipip6},
	{"ReservedFlagIsNotCopied", tcp4(FOUR, 80).reserved_flag().df(), "forward", "forwarded", "four", Way::ipip4},
	{"TtlOne4", tcp4(FOUR, 80).ttl(1), "forward", "forwarded", "four", Way::ipip4},
	{"TtlZero4", tcp4(FOUR, 80).ttl(0), "forward", "forwarded", "four", Way::ipip4},
	{"HopLimit255", tcp6(SIX, 81).ttl(255), "forward", "forwarded", "six", Way::ipip6},
	{"TtlStaysInL2dsr", tcp4(FOUR, 82).ttl(1), "forward", "forwarded", "four", Way::l2dsr4},

	/* ---- IPv4 headers with options; what is wrong inside stays so ---- */
	{"IpOptions4", tcp4(FOUR, 80).options(4), "forward", "forwarded", "four", Way::ipip4},
	{"IpOptionsLongest", tcp4(FOUR, 81).options(40), "forward", "forwarded", "four", Way::ipip6},
	{"IpOptionsUdp", udp4(FOUR, 80).options(8), "forward", "forwarded", "four", Way::ipip4},
	{"IpOptionsL2dsr", udp4(FOUR, 82).options(12), "forward", "forwarded", "four", Way::l2dsr4},
	{"BadInnerChecksumTravelsOn", tcp4(FOUR, 80).bad_ip_checksum(), "forward", "forwarded", "four", Way::ipip4},

	/* ---- frames larger than one buffer of an XDP driver, and than a tunnel can carry ---- */
	{"JumboUdp4in4", udp4(FOUR, 80).payload(8972), "forward", "forwarded", "four", Way::ipip4},
	{"JumboTcp6in6", tcp6(SIX, 81).payload(60000), "forward", "forwarded", "six", Way::ipip6},
	{"LargestThatFits4in4", udp4(FOUR, 80).payload(65535 - 20 - 28), "forward", "forwarded", "four", Way::ipip4},
	{"TooBig4in4", udp4(FOUR, 80).payload(65535 - 20 - 27), "drop", "too_big", "four", Way::none, "10.0.0.11"},
	{"LargestThatFits4in6", udp4(FOUR, 81).payload(65535 - 40 - 28), "forward", "forwarded", "four", Way::ipip6},
	{"TooBig4in6", udp4(FOUR, 81).payload(65535 - 40 - 27), "drop", "too_big", "four", Way::none, "2001:db8:1::11"},
	{"LargestOfAllL2dsr", udp4(FOUR, 82).payload(65535 - 28), "forward", "forwarded", "four", Way::l2dsr4},
	{"LargestThatFits6in6", tcp6(SIX, 81).payload(65535 - 80 - 20), "forward", "forwarded", "six", Way::ipip6},
	{"TooBig6in6", tcp6(SIX, 81).payload(65535 - 80 - 19), "drop", "too_big", "six", Way::none, "2001:db8:1::11"},

	/* ---- not ours: left to the kernel ---- */
	{"Arp", tcp4(FOUR, 80).type(0x0806), "pass", "not_ip", nullptr},
	{"Lldp", tcp4(FOUR, 80).type(0x88cc), "pass", "not_ip", nullptr},
	{"EtherLength", tcp4(FOUR, 80).type(46), "pass", "not_ip", nullptr},
	{"Vlan", tcp4(FOUR, 80).type(0x8100), "pass", "vlan", nullptr},
	{"ServiceVlan", tcp4(FOUR, 80).type(0x88a8), "pass", "vlan", nullptr},
	{"Broadcast", tcp4(FOUR, 80).mac(BROADCAST), "pass", "multicast", nullptr},
	{"Multicast", tcp6(SIX, 81).mac(ALL_NODES), "pass", "multicast", nullptr},
	{"OtherMacIsOurs", tcp4(FOUR, 80).mac({0x02, 9, 9, 9, 9, 9}), "forward", "forwarded", "four", Way::ipip4},
	{"NoVip4", tcp4("203.0.113.77", 80), "pass", "not_vip", nullptr},
	{"NoVip6", tcp6("2001:db8:80::77", 80), "pass", "not_vip", nullptr},
	{"NoServiceOnPort4", tcp4(FOUR, 22), "pass", "not_vip", nullptr},
	{"NoServiceOnPort6", udp6(SIX, 22), "pass", "not_vip", nullptr},
	{"NoServiceOfProtocol", udp6(ANY6, 54), "pass", "not_vip", nullptr},
	{"Icmp", tcp4(FOUR, 80).protocol(1), "pass", "not_tcp_udp", nullptr},
	{"Icmp6", tcp6(SIX, 81).protocol(58), "pass", "not_tcp_udp", nullptr},
	{"IpipToVip", tcp4(FOUR, 80).protocol(4), "pass", "not_tcp_udp", nullptr},
	{"HopByHop", tcp6(SIX, 81).extension(0), "pass", "not_tcp_udp", nullptr},
	{"DestinationOptions", udp6(SIX, 81).extension(60), "pass", "not_tcp_udp", nullptr},
	{"BgpToThisNode", tcp4("192.0.2.10", 179), "pass", "not_vip", nullptr},
	{"MalformedToOthers", tcp4("203.0.113.77", 80).length(2000), "pass", "not_vip", nullptr},
	{"FragmentToOthers", udp4("203.0.113.77", 80).more_fragments(), "pass", "not_vip", nullptr},

	/* ---- malformed ---- */
	{"EmptyFrame", tcp4(FOUR, 80).cut(0), "drop", "eth_truncated", nullptr},
	{"HalfAnEthernetHeader", tcp4(FOUR, 80).cut(13), "drop", "eth_truncated", nullptr},
	{"EthernetHeaderOnly4", tcp4(FOUR, 80).cut(14), "drop", "ip4_truncated", nullptr},
	{"EndsInIp4Header", tcp4(FOUR, 80).cut(33), "drop", "ip4_truncated", nullptr},
	{"EthernetHeaderOnly6", tcp6(SIX, 81).cut(14), "drop", "ip6_truncated", nullptr},
	{"EndsInIp6Header", tcp6(SIX, 81).cut(53), "drop", "ip6_truncated", nullptr},
	{"VersionIsNot4", tcp4(FOUR, 80).version(5), "drop", "ip4_version", nullptr},
	{"VersionSixInIp4", tcp4(FOUR, 80).version(6), "drop", "ip4_version", nullptr},
	{"VersionIsNot6", tcp6(SIX, 81).version(4), "drop", "ip6_version", nullptr},
	{"HeaderOfFourWords", tcp4(FOUR, 80).header_words(4), "drop", "ip4_header_length", "four"},
	{"HeaderOfNoWords", tcp4(FOUR, 80).header_words(0), "drop", "ip4_header_length", "four"},
	{"HeaderBeyondPacket", tcp4(FOUR, 80).payload(0).length(30).header_words(8), "drop", "ip4_header_length", "four"},
	{"TotalLengthZero", tcp4(FOUR, 80).length(0), "drop", "ip4_header_length", "four"},
	{"TotalLengthBeyondFrame", tcp4(FOUR, 80).payload(32).length(73), "drop", "ip4_total_length", "four"},
	{"TotalLengthLargest", tcp4(FOUR, 80).length(65535), "drop", "ip4_total_length", "four"},
	{"FrameCutBehindHeaders", tcp4(FOUR, 80).payload(100).cut(100), "drop", "ip4_total_length", "four"},
	{"PayloadLengthBeyondFrame", tcp6(SIX, 81).payload(0).length(21), "drop", "ip6_payload_length", "six"},
	{"PayloadLengthLargest", tcp6(SIX, 81).length(65535), "drop", "ip6_payload_length", "six"},
	{"TcpOfEightBytes", tcp4(FOUR, 80).cut_l4(8), "drop", "l4_truncated", "four"},
	{"TcpOf19Bytes", tcp6(SIX, 81).cut_l4(19), "drop", "l4_truncated", "six"},
	{"TcpOfNoBytes", tcp4(FOUR, 80).cut_l4(0), "drop", "l4_truncated", "four"},
	{"PortsOnly", udp4(FOUR, 80).cut_l4(4), "drop", "l4_truncated", "four"},
	{"UdpOf7Bytes6", udp6(SIX, 81).cut_l4(7), "drop", "l4_truncated", "six"},
	{"TcpHidesInPadding", tcp4(FOUR, 80).length(24), "drop", "l4_truncated", "four"},
	{"PayloadLengthZero", tcp6(SIX, 81).length(0), "drop", "l4_truncated", "six"},
	{"TcpHeaderOfFourWords", tcp4(FOUR, 80).data_offset(4), "drop", "tcp_header_length", "four"},
	{"TcpHeaderOfNoWords", tcp6(SIX, 81).data_offset(0), "drop", "tcp_header_length", "six"},
	{"TcpHeaderBeyondPacket", tcp4(FOUR, 80).data_offset(15).payload(0).cut_l4(59), "drop", "tcp_header_length", "four"},
	{"UdpLengthSeven", udp4(FOUR, 80).udp_length(7), "drop", "udp_length", "four"},
	{"UdpLengthZero", udp6(SIX, 81).udp_length(0), "drop", "udp_length", "six"},
	{"UdpLengthBeyondPacket", udp4(FOUR, 80).payload(32).udp_length(41), "drop", "udp_length", "four"},
	{"FirstFragment", tcp4(FOUR, 80).more_fragments(), "drop", "fragment", "four"},
	{"LaterFragment", udp4(FOUR, 80).offset(185), "drop", "fragment", "four"},
	{"FragmentDespiteDf", tcp4(ANY4, 80).df().offset(1), "drop", "fragment", "any4"},
	{"Fragment6", udp6(SIX, 81).extension(44), "drop", "fragment", "six"},

	/* ---- nobody to send to ---- */
	{"NoReal4", tcp4(FOUR, 90), "drop", "no_real", "four"},
	{"NoReal6", tcp6(SIX, 90), "drop", "no_real", "six"},
};
/* clang-format on */

static Bytes outer4(const Case &c, const Bytes &inner)
{
	Bytes b = {0x45, (uint8_t)c.packet.tos()};
	uint16_t sum;

	put16(b, (unsigned)(20 + inner.size()));
	put16(b, 0); /* the ID is free */
	put16(b, c.packet.has_df() ? 0x4000 : 0);
	b.push_back(64);
	b.push_back(c.packet.family() == 4 ? 4 : 41);
	put16(b, 0);
	put(b, address("192.0.2.10"));
	put(b, address("10.0.0.11"));
	sum = checksum(b);
	b[10] = (uint8_t)(sum >> 8);
	b[11] = (uint8_t)sum;
	return b;
}

static Bytes outer6(const Case &c, const Bytes &inner)
{
	Bytes b;

	put32(b, 6U << 28 | c.packet.tos() << 20); /* the flow label is free */
	put16(b, (unsigned)inner.size());
	b.push_back(c.packet.family() == 4 ? 4 : 41);
	b.push_back(64);
	put(b, address("2001:db8::10"));
	put(b, address("2001:db8:1::11"));
	return b;
}

Bytes expected_frame(const Case &c)
{
	Bytes b = {0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02};
	Bytes came = c.packet.frame(), inner = c.packet.ip();

	switch (c.way) {
	case Way::none:
		return {};
	case Way::ipip4:
		put16(b, 0x0800);
		put(b, outer4(c, inner));
		put(b, inner);
		return b;
	case Way::ipip6:
		put16(b, 0x86dd);
		put(b, outer6(c, inner));
		put(b, inner);
		return b;
	case Way::l2dsr4:
	case Way::l2dsr6:
		b = {0x02, 0xaa, 0, 0, 0, (uint8_t)(c.way == Way::l2dsr4 ? 4 : 6)};
		put(b, {0x02, 0, 0, 0, 0, 0x02});
		b.insert(b.end(), came.begin() + 12, came.end());
		return b;
	}
	return {};
}

Bytes without_free_bits(Bytes frame, const Case &c)
{
	if (c.way == Way::ipip6 && frame.size() >= 54) {
		frame[15] &= 0xf0;
		frame[16] = frame[17] = 0;
	}
	if (c.way == Way::ipip4 && frame.size() >= 34) {
		Bytes header;
		uint16_t sum;

		/* Only a checksum that was right may be counted anew without the ID. */
		header.assign(frame.begin() + 14, frame.begin() + 34);
		if (checksum(header) != 0)
			return frame;
		header[4] = header[5] = header[10] = header[11] = 0;
		sum = checksum(header);
		header[10] = (uint8_t)(sum >> 8);
		header[11] = (uint8_t)sum;
		std::copy(header.begin(), header.end(), frame.begin() + 14);
	}
	return frame;
}
