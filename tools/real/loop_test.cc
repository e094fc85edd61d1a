/* SPDX-License-Identifier: BSD-2-Clause */
/* A real server that sends the VIP's packets on instead of taking them: what comes of it, with a
 * real kernel that forwards and an edge that, like Fairway's, leaves TTLs alone. */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>
#include <tuple>

#include "tools/real/real_fixture.h"

namespace
{

/* udp4() and udp6() build with this TTL: each kernel that forwards takes one, and it sends no
 * packet on whose TTL would become zero. */
const int rounds_of_a_packet = 57 - 1;
const char *const marker4 = "198.51.100.1", *const marker6 = "2001:db8:100::1";

/* Whatever is addressed to the VIP goes to the real server, again and again. */
class Edge
{
      public:
	enum Encap { ipip, gue, l2dsr };

	Edge(Testnet &net, Encap encap, int outer_family, const std::string &vip)
	    : encap_(encap), vip_(addr_bytes(vip)),
	      marker_(addr_bytes(vip_.size() == 4 ? marker4 : marker6))
	{
		wrap_.family = outer_family;
		wrap_.gue = encap == gue;
		stop_ = eventfd(0, EFD_CLOEXEC);
		in_namespace(net.lb, [this] {
			sockaddr_ll here = {};

			fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
			here.sll_family = AF_PACKET;
			here.sll_protocol = htons(ETH_P_ALL);
			here.sll_ifindex = int(if_nametoindex("eth0"));
			EXPECT_EQ(bind(fd_, (sockaddr *)&here, sizeof(here)), 0);
		}).join();
		/* The edge forwards by itself; its kernel is to keep out of it. */
		net.must(net.lb, "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
		thread_ = std::thread([this] { run(); });
	}
	~Edge()
	{
		uint64_t one = 1;

		EXPECT_EQ(write(stop_, &one, sizeof(one)), ssize_t(sizeof(one)));
		thread_.join();
		close(fd_);
		close(stop_);
	}

	/* As a packet of a client's would be. */
	void send(const bytes &packet)
	{
		bytes b = encap_ == l2dsr ? packet : encapsulate(packet, wrap_);

		send_frame(b);
	}

	/* True once a packet that the real server forwards by rights has come by: all before it
	 * have been dealt with. */
	bool all_dealt_with()
	{
		marked = 0;
		send_frame(marker_.size() == 4 ? udp4("10.9.0.1", marker4, 0, "marker")
					       : udp6("fd09::1", marker6, 0, "marker"));
		return eventually([&] { return marked > 0; });
	}

	std::atomic<int> rounds{0}, marked{0};

      private:
	void send_frame(const bytes &packet)
	{
		bytes frame = {2, 0, 0, 0, 9, 3, 2, 0, 0, 0, 9, 2};
		bool v4 = packet[0] >> 4 == 4;

		frame.push_back(v4 ? 0x08 : 0x86);
		frame.push_back(v4 ? 0x00 : 0xdd);
		frame.insert(frame.end(), packet.begin(), packet.end());
		EXPECT_EQ(::send(fd_, frame.data(), frame.size(), 0), ssize_t(frame.size()));
	}

	static bool is_for(const bytes &packet, const bytes &addr)
	{
		size_t at = addr.size() == 4 ? 16 : 24, version = addr.size() == 4 ? 4 : 6;

		return packet.size() >= at + addr.size() && packet[0] >> 4 == uint8_t(version) &&
		       std::equal(addr.begin(), addr.end(), packet.begin() + long(at));
	}

	void run()
	{
		for (;;) {
			pollfd fds[] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
			sockaddr_ll from = {};
			socklen_t len = sizeof(from);
			bytes b(65536);

			EXPECT_GT(poll(fds, 2, -1), 0);
			if (fds[1].revents)
				return;
			ssize_t n = recvfrom(fd_, b.data(), b.size(), 0, (sockaddr *)&from, &len);
			if (n <= ETH_HLEN || from.sll_pkttype != PACKET_HOST)
				continue;
			bytes packet(b.begin() + ETH_HLEN, b.begin() + n);
			marked += is_for(packet, marker_);
			if (!is_for(packet, vip_))
				continue;
			rounds++;
			send(packet);
		}
	}

	Encap encap_;
	Wrap wrap_;
	bytes vip_, marker_;
	int fd_ = -1, stop_ = -1;
	std::thread thread_;
};

/* encapsulation, outer family, inner family */
using Way = std::tuple<Edge::Encap, int, int>;

class Loop : public Real, public ::testing::WithParamInterface<Way>
{
      protected:
	void SetUp() override
	{
		Real::SetUp();
		if (IsSkipped())
			return;
		std::tie(encap, outer, inner) = GetParam();
		vip = inner == 4 ? vip4 : vip6;
		/* All that leaves the real server goes to the edge, as by a default route. */
		net->must(net->real, "sysctl -qw net.ipv4.ip_forward=1 "
				     "net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 "
				     "net.ipv4.conf.all.send_redirects=0 "
				     "net.ipv4.conf.eth0.send_redirects=0");
		net->must(net->real, "ip route add default via 10.9.0.2");
		net->must(net->real, "ip -6 route add default via fd09::2");
	}

	std::string setup_args() const
	{
		const char *const names[] = {"ipip --decap bpf", "gue", "l2dsr"};

		return "--interface eth0 --encap " + std::string(names[encap]) + " --vip " + vip;
	}

	bytes packet() const
	{
		return inner == 4 ? udp4("10.9.0.1", vip, 0, "round and round")
				  : udp6("fd09::1", vip, 0, "round and round");
	}

	void lose_the_vip()
	{
		net->must(net->real,
			  "ip addr del " + vip + (inner == 4 ? "/32" : "/128") + " dev lo");
	}

	void lose_the_blackhole()
	{
		net->must(net->real, std::string("ip ") + (inner == 4 ? "" : "-6 ") +
					     "route del blackhole " + vip);
	}

	Edge::Encap encap;
	int outer, inner;
	std::string vip;
};

TEST_P(Loop, PacketsForAVipThatHasLeftLoEndAtTheRealServer)
{
	setup(setup_args());
	lose_the_vip();
	Edge edge(*net, encap, outer, vip);

	edge.send(packet());
	ASSERT_TRUE(edge.all_dealt_with());
	EXPECT_EQ(edge.rounds, 0);
}

TEST_P(Loop, CheckSaysThatAHostThatForwardsLacksTheVip)
{
	setup(setup_args());
	EXPECT_EQ(net->tool("check").status, 0) << net->tool("check").out;
	lose_the_vip();
	Outcome o = net->tool("check");
	EXPECT_EQ(o.status, 4);
	EXPECT_NE(o.out.find("on a host that forwards packets"), std::string::npos) << o.out;

	net->must(net->real, "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
	o = net->tool("check");
	EXPECT_EQ(o.status, 4);
	EXPECT_EQ(o.out.find("on a host that forwards packets"), std::string::npos) << o.out;
}

/* With everything gone that could be, each round still costs the packet one of its TTL. */
TEST_P(Loop, TheTtlEndsItWhereNothingElseDoes)
{
	setup(setup_args());
	lose_the_vip();
	lose_the_blackhole();
	Edge edge(*net, encap, outer, vip);

	edge.send(packet());
	EXPECT_TRUE(eventually([&] { return edge.rounds == rounds_of_a_packet; })) << edge.rounds;
	ASSERT_TRUE(edge.all_dealt_with());
	EXPECT_EQ(edge.rounds, rounds_of_a_packet);
}

class LoopOfTunnel : public Loop
{
};

class LoopOfLink : public Loop
{
};

/* A pool that names a host which was never told of the VIP, or of any. */
TEST_P(LoopOfTunnel, AHostThatDoesNotKnowTheVipForwardsNoTunnelledPacket)
{
	setup("--interface eth0 --vip 203.0.113.99 --vip 2001:db8:80::99 --encap " +
	      std::string(encap == Edge::gue ? "gue" : "ipip --decap bpf"));
	Edge edge(*net, encap, outer, vip);

	edge.send(packet());
	EXPECT_TRUE(eventually([&] { return net->counters()["foreign_inner"] == 1; }));
	ASSERT_TRUE(edge.all_dealt_with());
	EXPECT_EQ(edge.rounds, 0);
	ASSERT_EQ(net->tool("remove").status, 0);
	edge.send(packet());
	ASSERT_TRUE(edge.all_dealt_with());
	EXPECT_EQ(edge.rounds, 0);
}

TEST_P(LoopOfLink, TheTtlEndsItAtAHostThatNeverWasARealServer)
{
	Edge edge(*net, encap, outer, vip);

	edge.send(packet());
	EXPECT_TRUE(eventually([&] { return edge.rounds == rounds_of_a_packet; })) << edge.rounds;
	ASSERT_TRUE(edge.all_dealt_with());
	EXPECT_EQ(edge.rounds, rounds_of_a_packet);
}

std::string way_name(const ::testing::TestParamInfo<Way> &info)
{
	auto [encap, outer, inner] = info.param;
	const char *const names[] = {"Ipip", "Gue", "L2dsr"};

	return names[encap] + ("Inner" + std::to_string(inner)) +
	       (encap == Edge::l2dsr ? "" : "Outer" + std::to_string(outer));
}

const auto tunnels = ::testing::Combine(::testing::Values(Edge::ipip, Edge::gue),
					::testing::Values(4, 6), ::testing::Values(4, 6));
const auto links = ::testing::Combine(::testing::Values(Edge::l2dsr), ::testing::Values(0),
				      ::testing::Values(4, 6));

INSTANTIATE_TEST_SUITE_P(Tunnel, Loop, tunnels, way_name);
INSTANTIATE_TEST_SUITE_P(Link, Loop, links, way_name);
INSTANTIATE_TEST_SUITE_P(Tunnel, LoopOfTunnel, tunnels, way_name);
INSTANTIATE_TEST_SUITE_P(Link, LoopOfLink, links, way_name);

} // namespace
