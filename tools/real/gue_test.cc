/* SPDX-License-Identifier: BSD-2-Clause */
/* GUE at the real server, with traffic. What the decapsulator makes of single odd packets is
 * decap_test.cc's. */
#include <jansson.h>

#include <tuple>

#include "tools/real/real_fixture.h"

namespace
{

Wrap gue(int family)
{
	Wrap w;

	w.family = family;
	w.gue = true;
	return w;
}

/* outer family, inner family, half checksums, GRO on the real server, variant */
using Combination = std::tuple<int, int, bool, bool, int>;

class Gue : public Real, public ::testing::WithParamInterface<Combination>
{
};

std::string combination_name(const ::testing::TestParamInfo<Combination> &info)
{
	auto [outer, inner, partial, gro, variant] = info.param;

	return "Inner" + std::to_string(inner) + "Outer" + std::to_string(outer) +
	       (partial ? "HalfChecksums" : "") + (gro ? "Gro" : "") +
	       (variant ? "" : "Variant0WithChecksum");
}

TEST_P(Gue, AMegabyteOfUploadOverLinksOf1500)
{
	auto [outer, inner, partial, gro, variant] = GetParam();
	const std::string &vip = inner == 4 ? vip4 : vip6;
	/* Four bytes more than Fairway's GUE has: --mtu makes room for them. */
	int mtu = variant ? 1500 : 1496;
	std::string counter = std::string(inner == 4 ? "gue_ipv4" : "gue_ipv6") + "_in_" +
			      (outer == 4 ? "ipv4" : "ipv6");

	if (gro)
		net->gro_on();
	setup("--vip " + vip + " --interface eth0 --encap gue --outer " +
	      (outer == 4 ? "10.9.0.3" : "fd09::3") + (variant ? "" : " --mtu 1496"));
	Balancer balancer(*net, variant ? gue(outer) : gue_variant_0(outer, inner), partial);
	Server server(*net, vip, 8080);
	balancer.route(vip);

	Upload u = upload(*net, vip, 8080, 1 << 20);

	EXPECT_EQ(u.error, 0) << strerror(u.error);
	EXPECT_EQ(u.answer, u.expected);
	EXPECT_EQ(u.mss, mtu - (outer == 4 ? 20 : 40) - 8 - (inner == 4 ? 40 : 60));
	EXPECT_EQ(balancer.too_big, 0);
	auto counters = net->counters();
	EXPECT_GT(counters[counter], 0);
	EXPECT_EQ(counters[counter], balancer.sent);
	EXPECT_GE(counters["mss_lowered"], 1);
	EXPECT_EQ(counters["failed"], 0);
}

INSTANTIATE_TEST_SUITE_P(Real, Gue,
			 ::testing::Combine(::testing::Values(4, 6), ::testing::Values(4, 6),
					    ::testing::Bool(), ::testing::Bool(),
					    ::testing::Values(1, 0)),
			 combination_name);

class GueInnerPacket : public Real, public ::testing::WithParamInterface<int>
{
};

TEST_P(GueInnerPacket, ArrivesBitForBitFromEverySourcePort)
{
	Wrap wrap = gue(GetParam());

	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 --encap gue");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW), udp(*net, AF_INET6, SOCK_DGRAM);

	for (uint16_t port : {49152, 49153, 57343, 65535, 6080, 1}) {
		bytes inner = udp4("10.9.0.1", vip4, 0xb8, "from " + std::to_string(port));
		std::map<int, int> control;

		wrap.from_port = port;
		balancer.send(inner, wrap);
		EXPECT_EQ(raw.receive(), inner);
		balancer.send(udp6("fd09::1", vip6, 0xb8, "in IPv6 too"), wrap);
		bytes text = udp.receive(&control);
		EXPECT_EQ(std::string(text.begin(), text.end()), "in IPv6 too");
		EXPECT_EQ(control[IPV6_TCLASS], 0xb8);
		EXPECT_EQ(control[IPV6_HOPLIMIT], 57);
	}
}

TEST_P(GueInnerPacket, AnOuterChecksumLeftToTheNicIsNoReasonToDrop)
{
	Wrap wrap = gue(GetParam());
	bytes inner = udp4("10.9.0.1", vip4, 0, "never on a wire");

	wrap.sum = Sum::open;
	setup("--vip " + vip4 + " --interface eth0 --encap gue");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW);

	balancer.send(inner, wrap);
	EXPECT_EQ(raw.receive(), inner);
	wrap.sum = Sum::wrong;
	balancer.send(inner, wrap);
	EXPECT_TRUE(eventually([&] { return net->counters()["gue_checksum"] == 1; }));
}

TEST_P(GueInnerPacket, AChecksumOverTheLargestDatagramIsVerified)
{
	bytes inner = udp4("10.9.0.1", vip4, 0, std::string(3900, 'j'));
	Wrap wrap = gue_variant_0(GetParam(), 4);

	net->set_mtu(65535);
	setup("--vip " + vip4 + " --interface eth0 --encap gue");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW);

	balancer.send(inner, wrap);
	EXPECT_EQ(raw.receive(), inner);
	for (size_t n : {9000, 30001, 65400}) {
		balancer.send(udp4("10.9.0.1", vip4, 0, std::string(n, 'j')), wrap);
		EXPECT_FALSE(raw.receive().empty()) << n;
	}
	EXPECT_EQ(net->counters()["gue_checksum"], 0);
	wrap.sum = Sum::wrong;
	balancer.send(udp4("10.9.0.1", vip4, 0, std::string(65400, 'j')), wrap);
	EXPECT_TRUE(eventually([&] { return net->counters()["gue_checksum"] == 1; }));
}

/* GRO finds the outer checksum right, and that is all the stack may believe then. */
TEST_P(GueInnerPacket, ABrokenInnerChecksumIsNotHiddenByTheOuterOne)
{
	Wrap wrap = gue_variant_0(GetParam(), 6);
	bytes broken = udp6("fd09::1", vip6, 0, "broken");

	net->gro_on();
	setup("--vip " + vip6 + " --interface eth0 --encap gue");
	Balancer balancer(*net, 4, false);
	Listener udp(*net, AF_INET6, SOCK_DGRAM);

	broken.back() ^= 1;
	balancer.send(broken, wrap);
	balancer.send(udp6("fd09::1", vip6, 0, "good"), wrap);
	bytes text = udp.receive();
	EXPECT_EQ(std::string(text.begin(), text.end()), "good");
	EXPECT_EQ(net->counters()[GetParam() == 4 ? "gue_ipv6_in_ipv4" : "gue_ipv6_in_ipv6"], 2);
}

TEST_P(GueInnerPacket, CutOffWithinTheHeadersDoesNothing)
{
	bytes inner = udp4("10.9.0.1", vip4, 0, "whole"),
	      whole = encapsulate(inner, gue(GetParam()));

	setup("--vip " + vip4 + " --interface eth0 --encap gue");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW);

	for (size_t n = 0; n < 48; n++)
		balancer.send_packet(GetParam(), bytes(whole.begin(), whole.begin() + long(n)));
	balancer.send_packet(GetParam(), whole);
	EXPECT_EQ(raw.receive(), inner);
	auto counters = net->counters();
	EXPECT_EQ(counters[GetParam() == 4 ? "gue_ipv4_in_ipv4" : "gue_ipv4_in_ipv6"], 1);
	/* Those of IPv4 that show their port. */
	EXPECT_EQ(counters["gue_other"], GetParam() == 4 ? 20 : 0);
}

INSTANTIATE_TEST_SUITE_P(Outer, GueInnerPacket, ::testing::Values(4, 6),
			 ::testing::PrintToStringParamName());

/* Datagrams at the GUE port of a socket on the host. */
class PortListener
{
      public:
	PortListener(Testnet &net, uint16_t port)
	{
		in_namespace(net.real, [&] {
			timeval limit = {3, 0};
			sockaddr_in any = {};

			any.sin_family = AF_INET;
			any.sin_port = htons(port);
			fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
			setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
			EXPECT_EQ(bind(fd_, (sockaddr *)&any, sizeof(any)), 0);
		}).join();
	}
	~PortListener()
	{
		close(fd_);
	}

	bytes receive()
	{
		bytes b(4096);
		ssize_t n = recv(fd_, b.data(), b.size(), 0);

		b.resize(n < 0 ? 0 : size_t(n));
		return b;
	}

      private:
	int fd_ = -1;
};

TEST_F(Real, WhatIsNoPlainGueReachesTheHostsOwnSocketUntouched)
{
	const bytes headers[] = {
		{0x20, 4, 0, 0},             /* control message */
		{0x01, 4, 0, 0, 0, 0, 0, 0}, /* a header of eight bytes */
		{0x00, 4, 0x80, 0},          /* a flag */
		{0x00, 17, 0, 0},            /* carries UDP */
		{0x50, 0, 0, 0},             /* variant 1, no IP version */
		{0x80, 4, 0, 0},             /* variant 2 */
	};

	setup("--vip " + vip4 + " --interface eth0 --encap gue");
	Balancer balancer(*net, 4, false);
	PortListener port(*net, 6080);
	bytes inner = udp4("10.9.0.1", vip4, 0, "for somebody else");

	for (const bytes &header : headers) {
		bytes whole = header;
		Wrap wrap = gue(4);

		whole.insert(whole.end(), inner.begin(), inner.end());
		wrap.gue_header = header;
		balancer.send(inner, wrap);
		EXPECT_EQ(port.receive(), whole);
	}
	EXPECT_EQ(net->counters()["gue_other"], long(std::size(headers)));

	/* GUE, but for no VIP of this host. */
	inner = udp4("10.9.0.1", "203.0.113.99", 0, "for another real server");
	balancer.send(inner, gue(4));
	EXPECT_EQ(port.receive(), inner);
	EXPECT_EQ(net->counters()["foreign_inner"], 1);
}

TEST_F(Real, GueComesInAtItsPortOnly)
{
	setup("--vip " + vip4 + " --interface eth0 --encap gue --gue-port 7000");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW);
	bytes first = udp4("10.9.0.1", vip4, 0, "at 7000"), second = udp4("10.9.0.1", vip4, 0, "6");
	PortListener port(*net, 6080);
	Wrap at_7000 = gue(4);

	at_7000.to_port = 7000;
	balancer.send(second, gue(4));
	EXPECT_EQ(port.receive(), second) << "another port's datagrams are the host's";
	(void)raw.receive(); /* The raw socket has seen that one, too. */
	balancer.send(first, at_7000);
	EXPECT_EQ(raw.receive(), first);

	json_t *report = json_loads(net->tool("check --json").out.c_str(), 0, nullptr);
	EXPECT_STREQ(json_string_value(json_object_get(report, "encap")), "gue");
	EXPECT_STREQ(json_string_value(json_object_get(report, "decap")), "bpf");
	EXPECT_EQ(json_integer_value(json_object_get(report, "gue_port")), 7000);
	json_decref(report);

	/* A later setup keeps the port until it is told another. */
	Outcome o = net->tool("setup");
	EXPECT_NE(o.out.find("UDP port 7000"), std::string::npos) << o.out;
	EXPECT_NE(o.out.find("; 0 changes"), std::string::npos) << o.out;
	o = net->tool("setup --gue-port 6080");
	EXPECT_NE(o.out.find("updated  filter fairway_decap"), std::string::npos) << o.out;
	balancer.send(second, gue(4));
	EXPECT_EQ(raw.receive(), second);
	EXPECT_EQ(net->tool("check").status, 0);
}

TEST_F(Real, AGueSetupTakesIpInIpAsWellAndGoesBackToIt)
{
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW);
	bytes inner = udp4("10.9.0.1", vip4, 0, "whichever");

	/* Before the change GUE is nothing to this host, after it both are taken. */
	balancer.send(udp4("10.9.0.1", vip4, 0, "too early"), gue(4));
	EXPECT_EQ(raw.receive().size(), inner.size() + 28) << "as the balancer sent it";
	setup("--encap gue");
	balancer.send(inner, gue(4));
	EXPECT_EQ(raw.receive(), inner);
	balancer.send(inner, Wrap());
	EXPECT_EQ(raw.receive(), inner);
	auto counters = net->counters();
	EXPECT_EQ(counters["gue_ipv4_in_ipv4"], 1);
	EXPECT_EQ(counters["ipv4_in_ipv4"], 1);

	setup("--encap ipip");
	EXPECT_EQ(net->tool("check").status, 0);
	balancer.send(inner, Wrap());
	EXPECT_EQ(raw.receive(), inner);
	setup("--encap l2dsr");
	EXPECT_EQ(net->tool("check").status, 0);
}

TEST_F(Real, AFailingChangeToGueLeavesIpInIpAtWork)
{
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	std::string before = net->dump();
	std::string state = net->must("", "cat " + net->state_dir + "/state.json");

	net->must(net->real, "ip addr add 203.0.113.81/32 dev eth0");
	Outcome o = net->tool("setup --encap gue --vip 203.0.113.81");
	EXPECT_EQ(o.status, 1) << o.out;
	net->must(net->real, "ip addr del 203.0.113.81/32 dev eth0");

	EXPECT_EQ(net->must("", "cat " + net->state_dir + "/state.json"), state);
	EXPECT_EQ(net->tool("check").status, 0) << net->tool("check").out;
	EXPECT_EQ(net->must(net->real, "ip route show type blackhole").find("203.0.113.81"),
		  std::string::npos);
}

/* Both directions against Linux's own GUE. Unlike tunnel devices, fou is not loaded by asking for
 * it. */
class KernelGue : public Real
{
      protected:
	void SetUp() override
	{
		Real::SetUp();
		if (IsSkipped())
			return;
		run("modprobe -q fou");
		Outcome o = run("ip -n " + net->lb +
				" link add gue0 type ipip remote 10.9.0.3 local "
				"10.9.0.2 encap gue encap-sport auto encap-dport 6080 encap-csum");
		if (o.status)
			GTEST_SKIP() << "this kernel has no ipip device with GUE: " << o.out;
	}
};

/* Variant 0, with a checksum. */
TEST_F(KernelGue, WhatItSendsIsTaken)
{
	setup("--vip " + vip4 + " --interface eth0 --encap gue --mtu 1400");
	net->must(net->lb, "ip link set gue0 up mtu 1460");
	net->must(net->lb, "ip route add " + vip4 + " dev gue0");
	net->must(net->client, "ip route add " + vip4 + " via 10.9.0.2");
	Server server(*net, vip4, 8080);

	Upload u = upload(*net, vip4, 8080, 1 << 20);

	EXPECT_EQ(u.answer, u.expected) << strerror(u.error);
	EXPECT_GT(net->counters()["gue_ipv4_in_ipv4"], 0);
}

/* "GUE by hand" in docs/real-servers.md. */
TEST_F(KernelGue, TakesWhatFairwaySends)
{
	const char *const by_hand[] = {
		"ip link add fw4 type ipip local 10.9.0.3 remote any",
		"ip link add fw64 type sit local 10.9.0.3 remote any",
		"ip link add fw6 type ip6tnl mode any local fd09::3 remote any",
		"sysctl -qw net.ipv4.conf.fw4.rp_filter=2 net.ipv4.conf.fw6.rp_filter=2",
		"ip addr add 127.0.0.42/32 dev fw4",
		"ip addr add 127.0.0.42/32 dev fw6",
		"ip link set fw4 up",
		"ip link set fw64 up",
		"ip link set fw6 up",
		"ip addr add 203.0.113.80/32 dev lo scope host",
		"ip addr add 2001:db8:80::1/128 dev lo nodad preferred_lft 0 noprefixroute",
		"ip fou add port 6080 gue",
		"ip -6 fou add port 6080 gue",
	};

	for (const char *command : by_hand)
		net->must(net->real, command);
	/* Nothing lowers the MSS here. */
	net->must(net->client, "ip link set eth0 mtu 1400");
	for (int outer : {4, 6}) {
		Balancer balancer(*net, gue(outer), false);

		for (const std::string &vip : {vip4, vip6}) {
			Server server(*net, vip, 8080);

			balancer.route(vip);
			Upload u = upload(*net, vip, 8080, 1 << 20);
			EXPECT_EQ(u.answer, u.expected)
				<< vip << " in IPv" << outer << ": " << strerror(u.error);
			net->must(net->client, "ip route del " + vip);
		}
	}
	net->must(net->real, "ip fou del port 6080");
	net->must(net->real, "ip -6 fou del port 6080");
}

} // namespace
