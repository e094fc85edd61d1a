/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/base/clock.h"
#include "controlplane/neighbour/neighbour.h"
}

namespace
{

constexpr const char *PEER_MAC = "02:00:00:00:07:02";

/* A namespace at the other end of the wire, held by a child that only waits. */
class PeerNamespace
{
      public:
	pid_t pid;

	PeerNamespace()
	{
		int ready[2];
		char byte;

		EXPECT_EQ(pipe(ready), 0);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(ready[1]);
		EXPECT_EQ(read(ready[0], &byte, 1), 1);
		close(ready[0]);
	}
	~PeerNamespace()
	{
		kill(pid, SIGKILL);
		waitpid(pid, nullptr, 0);
	}
};

std::string mac_text(const uint8_t mac[6])
{
	char buf[18];

	snprintf(buf, sizeof(buf), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return buf;
}

struct addr address(const char *text)
{
	struct addr a = {};

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

struct LinkEvent {
	struct neighbour_link link;
	bool present;
};

/* This host has hv0 (10.7.0.1, 2001:db8:7::1), its peer hv1 (.2), joined by a wire. */
class Neighbour : public testing::Test
{
      protected:
	uv_loop_t loop;
	uv_timer_t tick;
	struct neighbour *nb = nullptr;
	std::unique_ptr<PeerNamespace> peer_ns;
	std::vector<struct neighbour_nexthop> events;
	std::vector<LinkEvent> links;
	std::function<void(struct neighbour_watch *)> on_event;

	static void nexthop_event(void *arg, struct neighbour_watch *w, void *,
				  const struct neighbour_nexthop *nexthop)
	{
		auto *self = static_cast<Neighbour *>(arg);

		self->events.push_back(*nexthop);
		if (self->on_event)
			self->on_event(w);
	}

	static void link_event(void *arg, const struct neighbour_link *link, bool present)
	{
		static_cast<Neighbour *>(arg)->links.push_back({*link, present});
	}

	void SetUp() override
	{
		struct neighbour_events callbacks = {this, nexthop_event, link_event};
		struct err err = {};

		ASSERT_EQ(uv_loop_init(&loop), 0);
		uv_timer_init(&loop, &tick);
		uv_timer_start(
			&tick, [](uv_timer_t *) {}, 5, 5);
		if (unshare(CLONE_NEWNET) < 0)
			GTEST_SKIP() << "no network namespace: " << strerror(errno);
		peer_ns = std::make_unique<PeerNamespace>();
		sh("ip link set lo up");
		wire("hv0", "hv1", PEER_MAC);
		sh("ip addr add 10.7.0.1/24 dev hv0 && ip addr add 2001:db8:7::1/64 dev hv0 nodad");
		peer("ip addr add 10.7.0.2/24 dev hv1 && "
		     "ip addr add 2001:db8:7::2/64 dev hv1 nodad");
		ASSERT_EQ(neighbour_new(&loop, &callbacks, &nb, &err), 0) << err.text;
	}

	void TearDown() override
	{
		neighbour_free(nb);
		uv_close((uv_handle_t *)&tick, nullptr);
		uv_run(&loop, UV_RUN_DEFAULT);
		EXPECT_EQ(uv_loop_close(&loop), 0) << "a handle was left open";
	}

	static void sh(const std::string &command)
	{
		ASSERT_EQ(system(command.c_str()), 0) << command;
	}

	void peer(const std::string &command)
	{
		sh("nsenter --net=/proc/" + std::to_string(peer_ns->pid) + "/ns/net sh -c '" +
		   command + "'");
	}

	static std::string output(const std::string &command)
	{
		FILE *f = popen(command.c_str(), "r");
		std::string text;

		for (int c; (c = fgetc(f)) != EOF;)
			text += (char)c;
		pclose(f);
		return text;
	}

	/* A veth pair, with kernel timers short enough to wait for, and no duplicate address
	 * detection, whose end would be news that covers for missed ones. */
	void wire(const std::string &here, const std::string &there, const std::string &mac)
	{
		sh("ip link add " + here + " type veth peer name " + there + " address " + mac +
		   " && ip link set " + there + " netns " + std::to_string(peer_ns->pid) +
		   " && echo 0 > /proc/sys/net/ipv6/conf/" + here + "/accept_dad && " +
		   "ip link set " + here + " up");
		peer("echo 0 > /proc/sys/net/ipv6/conf/" + there + "/accept_dad && " +
		     "ip link set " + there + " up");
		for (const char *family : {"ipv4", "ipv6"}) {
			std::string dir = std::string("/proc/sys/net/") + family + "/neigh/" + here;

			sh("cd " + dir +
			   " && echo 50 > retrans_time_ms && "
			   "echo 300 > base_reachable_time_ms && echo 1 > delay_first_probe_time && "
			   "echo 200 > interval_probe_time_ms");
		}
		sh("echo 0 > /proc/sys/net/ipv4/neigh/" + here + "/locktime");
	}

	/* An entry that never changes, so that no news of it covers for other news that were
	 * missed. */
	static void pin(const std::string &target)
	{
		sh("ip neigh replace " + target + " lladdr " + PEER_MAC + " dev hv0 nud permanent");
	}

	/* All news up to now are read and acted on once the last of them, this one, has been. */
	void settle(const struct neighbour_watch *w)
	{
		sh("ip link set hv0 mtu 1490");
		ASSERT_TRUE(run_until([&] { return neighbour_watch_nexthop(w)->mtu == 1490; }));
	}

	bool run_until(std::function<bool()> done, uint64_t deadline_ms = 15000)
	{
		uint64_t end = clock_now_ns() + deadline_ms * NS_PER_MS;

		while (!done()) {
			if (clock_now_ns() >= end)
				return false;
			uv_run(&loop, UV_RUN_ONCE);
		}
		return true;
	}

	struct neighbour_watch *watch(const char *target)
	{
		struct neighbour_watch *w = nullptr;
		struct addr a = address(target);

		EXPECT_EQ(neighbour_watch_add(nb, &a, nullptr, &w), 0);
		return w;
	}

	/* Run until the watch's words contain text; with "" until it is confirmed. */
	bool run_until_reason(const struct neighbour_watch *w, const std::string &text)
	{
		bool ok = run_until([&] {
			const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);

			return text.empty() ? n->confirmed
					    : strstr(n->reason, text.c_str()) != nullptr;
		});

		EXPECT_TRUE(ok) << "reason is: " << neighbour_watch_nexthop(w)->reason;
		return ok;
	}
};

TEST_F(Neighbour, OnLinkTargetIsItsOwnNextHop)
{
	struct neighbour_watch *w = watch("10.7.0.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);
	struct neighbour_link link;

	EXPECT_FALSE(n->resolved);
	EXPECT_STREQ(n->reason, "not looked up yet");
	ASSERT_TRUE(run_until_reason(w, ""));
	ASSERT_EQ(neighbour_link_get(nb, "hv0", &link), 0);
	EXPECT_TRUE(n->resolved);
	EXPECT_TRUE(n->on_link);
	EXPECT_EQ(n->gateway.family, 0);
	EXPECT_EQ(n->ifindex, if_nametoindex("hv0"));
	EXPECT_EQ(mac_text(n->mac), PEER_MAC);
	EXPECT_EQ(mac_text(n->src_mac), mac_text(link.mac));
	EXPECT_EQ(n->mtu, 1500u);
	EXPECT_STREQ(n->reason, "");
	EXPECT_EQ(mac_text(events.back().mac), PEER_MAC);
}

TEST_F(Neighbour, GatewayIsTheNextHopOfWhatLiesBehindIt)
{
	sh("ip route add 10.99.0.0/16 via 10.7.0.2 mtu 1400");
	struct neighbour_watch *w = watch("10.99.1.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);

	ASSERT_TRUE(run_until_reason(w, ""));
	struct addr gateway = address("10.7.0.2");
	EXPECT_TRUE(addr_equal(&n->gateway, &gateway));
	EXPECT_FALSE(n->on_link);
	EXPECT_EQ(mac_text(n->mac), PEER_MAC);
	EXPECT_EQ(n->mtu, 1400u);
}

TEST_F(Neighbour, Ipv6OnLinkAndThroughAGateway)
{
	sh("ip route add 2001:db8:99::/48 via 2001:db8:7::2");
	struct neighbour_watch *near = watch("2001:db8:7::2"), *far = watch("2001:db8:99::5");

	ASSERT_TRUE(run_until_reason(near, ""));
	ASSERT_TRUE(run_until_reason(far, ""));
	EXPECT_EQ(mac_text(neighbour_watch_nexthop(near)->mac), PEER_MAC);
	EXPECT_TRUE(neighbour_watch_nexthop(near)->on_link);
	EXPECT_EQ(mac_text(neighbour_watch_nexthop(far)->mac), PEER_MAC);
	EXPECT_FALSE(neighbour_watch_nexthop(far)->on_link);
}

TEST_F(Neighbour, Ipv4ThroughAnIpv6Gateway)
{
	sh("ip route add 10.99.0.0/16 via inet6 2001:db8:7::2 dev hv0");
	struct neighbour_watch *w = watch("10.99.1.2");

	ASSERT_TRUE(run_until_reason(w, ""));
	EXPECT_EQ(neighbour_watch_nexthop(w)->gateway.family, 6);
	EXPECT_EQ(mac_text(neighbour_watch_nexthop(w)->mac), PEER_MAC);
}

TEST_F(Neighbour, NoRouteSaysHowToAddOneAndResolvesOnceItIsThere)
{
	struct neighbour_watch *w = watch("10.99.1.2"), *w6 = watch("2001:db8:99::5");

	ASSERT_TRUE(run_until([&] { return events.size() == 2; }));
	EXPECT_STREQ(neighbour_watch_nexthop(w)->reason,
		     "no route to 10.99.1.2: add one, e.g. ip route add 10.99.1.2/32 via GATEWAY");
	EXPECT_STREQ(
		neighbour_watch_nexthop(w6)->reason,
		"no route to 2001:db8:99::5: add one, e.g. ip route add 2001:db8:99::5/128 via "
		"GATEWAY");
	EXPECT_FALSE(neighbour_watch_nexthop(w)->resolved);
	EXPECT_EQ(neighbour_watch_nexthop(w)->ifindex, 0u);
	sh("ip route add default via 10.7.0.2 && ip route add default via 2001:db8:7::2");
	EXPECT_TRUE(run_until_reason(w, ""));
	EXPECT_TRUE(run_until_reason(w6, ""));
}

TEST_F(Neighbour, AddressOfThisHostIsRefusedInWords)
{
	struct neighbour_watch *w = watch("10.7.0.1"), *w6 = watch("2001:db8:7::1");

	EXPECT_TRUE(run_until_reason(w, "10.7.0.1 is an address of this host"));
	EXPECT_TRUE(run_until_reason(w6, "2001:db8:7::1 is an address of this host"));
	sh("ip addr add 10.7.0.2/32 dev lo");
	w = watch("10.7.0.2");
	EXPECT_TRUE(run_until_reason(w, "10.7.0.2 is an address of this host"));
	sh("ip addr del 10.7.0.2/32 dev lo");
	EXPECT_TRUE(run_until_reason(w, ""));
}

TEST_F(Neighbour, SilentNeighbourIsNamedAndFoundWhenItAppears)
{
	struct neighbour_watch *w = watch("10.7.0.3"), *w6 = watch("2001:db8:7::3");

	EXPECT_TRUE(run_until_reason(w, "waiting for the answer to ARP from 10.7.0.3 on hv0"));
	EXPECT_TRUE(run_until_reason(w, "no answer to ARP from 10.7.0.3 on hv0"));
	EXPECT_TRUE(run_until_reason(w6, "no answer to ND from 2001:db8:7::3 on hv0"));
	EXPECT_FALSE(neighbour_watch_nexthop(w)->resolved);
	size_t told = events.size();
	EXPECT_EQ(told, 4u) << "waiting, then no answer, for each: further tries change nothing";
	peer("ip addr add 10.7.0.3/24 dev hv1 && ip addr add 2001:db8:7::3/64 dev hv1 nodad");
	EXPECT_TRUE(run_until_reason(w, ""));
	EXPECT_TRUE(run_until_reason(w6, ""));
	EXPECT_EQ(events.size(), told + 2);
}

TEST_F(Neighbour, LostArpDoesNotLoseTheMacAddress)
{
	struct neighbour_watch *w = watch("10.7.0.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);

	ASSERT_TRUE(run_until_reason(w, ""));
	peer("ip addr del 10.7.0.2/24 dev hv1");
	ASSERT_TRUE(run_until_reason(w, "no answer to ARP from 10.7.0.2 on hv0; its last known MAC "
					"address stays in use"));
	EXPECT_TRUE(n->resolved);
	EXPECT_FALSE(n->confirmed);
	EXPECT_EQ(mac_text(n->mac), PEER_MAC);
	for (const auto &e : events) {
		if (e.resolved) {
			EXPECT_EQ(mac_text(e.mac), PEER_MAC);
		}
	}

	/* Somebody else takes over the address: a different one is learnt. */
	peer("ip link set hv1 address 02:00:00:00:07:99 && ip addr add 10.7.0.2/24 dev hv1");
	ASSERT_TRUE(run_until_reason(w, ""));
	EXPECT_EQ(mac_text(n->mac), "02:00:00:00:07:99");
}

TEST_F(Neighbour, ChangedMacAddressIsFollowed)
{
	struct neighbour_watch *w = watch("10.7.0.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);

	ASSERT_TRUE(run_until_reason(w, ""));
	/* Announced by gratuitous ARP, as a failover does. */
	peer("echo 1 > /proc/sys/net/ipv4/conf/hv1/arp_notify && "
	     "ip link set hv1 address 02:00:00:00:07:55");
	EXPECT_TRUE(run_until([&] { return mac_text(n->mac) == "02:00:00:00:07:55"; }));
	EXPECT_TRUE(n->resolved);
}

TEST_F(Neighbour, ChangedRouteLeadsElsewhereAtOnce)
{
	wire("hw0", "hw1", "02:00:00:00:08:02");
	sh("ip addr add 10.8.0.1/24 dev hw0");
	peer("ip addr add 10.8.0.2/24 dev hw1");
	sh("ip route add 10.99.0.0/16 via 10.7.0.2");
	struct neighbour_watch *w = watch("10.99.1.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);

	ASSERT_TRUE(run_until_reason(w, ""));
	sh("ip route replace 10.99.0.0/16 via 10.8.0.2");
	EXPECT_TRUE(run_until([&] { return mac_text(n->mac) == "02:00:00:00:08:02"; }));
	EXPECT_EQ(n->ifindex, if_nametoindex("hw0"));
	/* To a gateway that is silent: the old one's MAC address must not be used for it. */
	sh("ip route replace 10.99.0.0/16 via 10.8.0.77");
	EXPECT_TRUE(run_until_reason(w, "no answer to ARP from 10.8.0.77 on hw0"));
	EXPECT_FALSE(n->resolved);
	EXPECT_EQ(mac_text(n->mac), "00:00:00:00:00:00");
	sh("ip route del 10.99.0.0/16");
	EXPECT_TRUE(run_until_reason(w, "no route to 10.99.1.2"));
	EXPECT_FALSE(n->resolved);
}

TEST_F(Neighbour, RoutingRulesAreFollowed)
{
	pin("10.7.0.2");
	sh("ip route add 10.99.0.0/16 via 10.7.0.2 && "
	   "ip route add unreachable 10.99.0.0/16 table 77");
	struct neighbour_watch *w = watch("10.99.1.2");

	ASSERT_TRUE(run_until_reason(w, ""));
	settle(w);
	sh("ip rule add to 10.99.0.0/16 table 77");
	EXPECT_TRUE(run_until_reason(w, "is of type unreachable"));
	sh("ip rule del to 10.99.0.0/16 table 77");
	EXPECT_TRUE(run_until_reason(w, ""));
}

TEST_F(Neighbour, NextHopObjectsAreFollowed)
{
	pin("10.7.0.2");
	/* Only the object is told of, not the routes that use it. */
	sh("echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode && "
	   "ip nexthop add id 1 via 10.7.0.2 dev hv0 && ip route add 10.99.0.0/16 nhid 1");
	struct neighbour_watch *w = watch("10.99.1.2");
	struct addr other = address("10.7.0.3");

	ASSERT_TRUE(run_until_reason(w, ""));
	settle(w);
	sh("ip nexthop replace id 1 via 10.7.0.3 dev hv0");
	EXPECT_TRUE(run_until(
		[&] { return addr_equal(&neighbour_watch_nexthop(w)->gateway, &other); }));
}

TEST_F(Neighbour, InterfaceDownIsSaidAndComesBack)
{
	struct neighbour_watch *w = watch("10.7.0.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);
	struct neighbour_link link;

	ASSERT_TRUE(run_until_reason(w, ""));
	sh("ip link set hv0 down");
	ASSERT_TRUE(run_until_reason(w, "no route to 10.7.0.2: interface hv0 is down"));
	EXPECT_FALSE(n->resolved);
	ASSERT_EQ(neighbour_link_get(nb, "hv0", &link), 0);
	EXPECT_FALSE(link.up);
	EXPECT_FALSE(link.admin_up);
	sh("ip link set hv0 up");
	ASSERT_TRUE(run_until_reason(w, ""));
	EXPECT_EQ(mac_text(n->mac), PEER_MAC);
}

TEST_F(Neighbour, LostCarrierIsSaidAndComesBack)
{
	struct neighbour_watch *w = watch("10.7.0.2");

	ASSERT_TRUE(run_until_reason(w, ""));
	peer("ip link set hv1 down");
	ASSERT_TRUE(run_until_reason(w, "interface hv0 has no carrier"));
	EXPECT_FALSE(neighbour_watch_nexthop(w)->resolved);
	peer("ip link set hv1 up");
	ASSERT_TRUE(run_until_reason(w, ""));
}

TEST_F(Neighbour, InterfaceWithoutArpIsExplained)
{
	sh("ip link set hv0 arp off");
	struct neighbour_watch *w = watch("10.7.0.2");

	ASSERT_TRUE(run_until_reason(w, "ARP is off there: ip link set hv0 arp on"));
	EXPECT_FALSE(neighbour_watch_nexthop(w)->resolved);
}

TEST_F(Neighbour, TunnelInterfaceIsRefusedInWords)
{
	sh("ip tuntap add ht0 mode tun && ip link set ht0 up && ip route add 10.50.0.0/16 dev ht0");
	struct neighbour_watch *w = watch("10.50.0.1");

	ASSERT_TRUE(run_until_reason(w, "interface ht0 is not Ethernet"));
	EXPECT_FALSE(neighbour_watch_nexthop(w)->resolved);
	w = watch("10.60.0.1");
	sh("ip route add 10.60.0.0/16 dev lo");
	ASSERT_TRUE(run_until_reason(w, "interface lo is not Ethernet"));
}

TEST_F(Neighbour, PinnedEntryIsUsedAndLeftAlone)
{
	sh("ip neigh add 10.7.0.50 lladdr 02:00:00:00:07:50 dev hv0 nud permanent");
	struct neighbour_watch *w = watch("10.7.0.50");

	ASSERT_TRUE(run_until_reason(w, ""));
	EXPECT_EQ(mac_text(neighbour_watch_nexthop(w)->mac), "02:00:00:00:07:50");
	neighbour_watch_remove(w);
	std::string shown = output("ip neigh show 10.7.0.50");
	EXPECT_NE(shown.find("PERMANENT"), std::string::npos) << shown;
	EXPECT_EQ(shown.find("managed"), std::string::npos) << shown;
}

TEST_F(Neighbour, EntryIsManagedWhileAnybodyWatchesThroughIt)
{
	auto is_managed = [] {
		return output("ip neigh show 10.7.0.2 dev hv0").find("managed") !=
		       std::string::npos;
	};

	sh("ip route add 10.99.0.0/16 via 10.7.0.2");
	struct neighbour_watch *a = watch("10.99.1.2"), *b = watch("10.99.1.3");
	ASSERT_TRUE(run_until_reason(a, ""));
	ASSERT_TRUE(run_until_reason(b, ""));
	EXPECT_TRUE(is_managed());
	neighbour_watch_remove(a);
	EXPECT_TRUE(is_managed());
	/* Taken away behind our back, it is put back. */
	sh("ip neigh flush dev hv0");
	EXPECT_TRUE(run_until(is_managed));
	neighbour_watch_remove(b);
	EXPECT_FALSE(is_managed());
	EXPECT_NE(output("ip neigh show 10.7.0.2 dev hv0").find(PEER_MAC), std::string::npos);
}

TEST_F(Neighbour, LinksAreToldAndCanBeAskedFor)
{
	struct neighbour_link link;

	ASSERT_EQ(neighbour_link_get(nb, "hv0", &link), 0);
	EXPECT_TRUE(link.up && link.admin_up && link.ethernet);
	EXPECT_EQ(link.mtu, 1500u);
	EXPECT_EQ(neighbour_link_get(nb, "hx0", &link), -ENODEV);

	sh("ip link add hx0 type veth peer name hx1");
	ASSERT_TRUE(run_until([&] { return neighbour_link_get(nb, "hx0", &link) == 0; }));
	EXPECT_FALSE(link.up);
	sh("ip link set hx0 mtu 9000");
	ASSERT_TRUE(run_until(
		[&] { return neighbour_link_get(nb, "hx0", &link) == 0 && link.mtu == 9000; }));
	EXPECT_EQ(links.back().link.mtu, 9000u);
	sh("ip link set hx0 name hy0");
	ASSERT_TRUE(run_until([&] { return neighbour_link_get(nb, "hy0", &link) == 0; }));
	EXPECT_EQ(neighbour_link_get(nb, "hx0", &link), -ENODEV);
	ASSERT_EQ(neighbour_link_get(nb, "hy0", &link), 0);
	uint32_t ifindex = link.ifindex;
	EXPECT_EQ(neighbour_link_get_by_index(nb, ifindex, &link), 0);
	sh("ip link del hy0");
	ASSERT_TRUE(run_until([&] { return neighbour_link_get(nb, "hy0", &link) == -ENODEV; }));
	EXPECT_TRUE(run_until([&] {
		for (const auto &e : links)
			if (e.link.ifindex == ifindex && !e.present)
				return true;
		return false;
	}));
}

TEST_F(Neighbour, MtuAndMacOfTheInterfaceAreFollowed)
{
	struct neighbour_watch *w = watch("10.7.0.2");
	const struct neighbour_nexthop *n = neighbour_watch_nexthop(w);

	ASSERT_TRUE(run_until_reason(w, ""));
	sh("ip link set hv0 mtu 1480 && ip link set hv0 address 02:00:00:00:07:aa");
	EXPECT_TRUE(run_until(
		[&] { return n->mtu == 1480 && mac_text(n->src_mac) == "02:00:00:00:07:aa"; }));
}

/* How many messages the kernel dropped on this process's netlink sockets. */
unsigned long dropped_messages()
{
	std::ifstream f("/proc/self/net/netlink");
	std::string line, word;
	unsigned long sum = 0;

	std::getline(f, line);
	while (std::getline(f, line)) {
		std::istringstream words(line);

		/* sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode */
		for (int i = 0; i < 9; i++)
			words >> word;
		sum += std::stoul(word);
	}
	return sum;
}

TEST_F(Neighbour, LostNotificationsAreMadeUpFor)
{
	struct neighbour_watch *w = watch("10.99.1.2");
	struct neighbour_link link;

	ASSERT_TRUE(run_until_reason(w, "no route"));
	{
		std::ofstream batch("/tmp/fairway-neighbour-batch." + std::to_string(getpid()));

		for (int i = 0; i < 20000; i++)
			batch << "route add 10.200." << i / 250 << "." << i % 250
			      << "/32 via 10.7.0.2\n";
		/* What matters comes last, when the socket has long been full. */
		batch << "route add 10.99.0.0/16 via 10.7.0.2\n";
		batch << "link set hv0 mtu 1420\n";
	}
	std::string file = "/tmp/fairway-neighbour-batch." + std::to_string(getpid());
	sh("ip -batch " + file + " && rm " + file);
	EXPECT_GT(dropped_messages(), 0u) << "the socket was not overrun: nothing is tested";
	EXPECT_TRUE(run_until_reason(w, ""));
	ASSERT_EQ(neighbour_link_get(nb, "hv0", &link), 0);
	EXPECT_EQ(link.mtu, 1420u);
	EXPECT_EQ(neighbour_watch_nexthop(w)->mtu, 1420u);
}

TEST_F(Neighbour, CallbackMayRemoveAndAddWatches)
{
	std::vector<struct neighbour_watch *> all;

	for (int i = 0; i < 50; i++)
		all.push_back(watch("10.99.1.2"));
	on_event = [&](struct neighbour_watch *) {
		for (auto *w : all)
			neighbour_watch_remove(w);
		all.clear();
		on_event = nullptr;
		watch("10.7.0.2");
	};
	ASSERT_TRUE(run_until([&] { return !events.empty() && events.back().confirmed; }));
	EXPECT_STREQ(events[0].reason,
		     "no route to 10.99.1.2: add one, e.g. ip route add 10.99.1.2/32 via GATEWAY");
}

TEST_F(Neighbour, IsFreedWithWatchesInEveryState)
{
	struct neighbour_watch *w = watch("10.7.0.2");

	watch("10.7.0.99");
	ASSERT_TRUE(run_until_reason(w, ""));
	watch("10.99.1.2");
	neighbour_free(nb);
	nb = nullptr;
	size_t told = events.size();
	uv_run(&loop, UV_RUN_NOWAIT);
	EXPECT_EQ(events.size(), told);
}

TEST_F(Neighbour, ThousandWatchesFollowOneRouteChange)
{
	wire("hw0", "hw1", "02:00:00:00:08:02");
	sh("ip addr add 10.8.0.1/24 dev hw0 && ip route add 10.99.0.0/16 via 10.7.0.2");
	peer("ip addr add 10.8.0.2/24 dev hw1");
	std::vector<struct neighbour_watch *> all;

	for (int i = 0; i < 1000; i++) {
		std::string a = "10.99." + std::to_string(i / 250) + "." + std::to_string(i % 250);

		all.push_back(watch(a.c_str()));
	}
	auto all_at = [&](const std::string &mac) {
		for (auto *w : all)
			if (mac_text(neighbour_watch_nexthop(w)->mac) != mac)
				return false;
		return true;
	};
	ASSERT_TRUE(run_until([&] { return all_at(PEER_MAC); }));
	sh("ip route replace 10.99.0.0/16 via 10.8.0.2");
	EXPECT_TRUE(run_until([&] { return all_at("02:00:00:00:08:02"); }));
}

/* --- the check for configurations --- */

TEST_F(Neighbour, RouteCheckFindsTheInterface)
{
	struct addr near = address("10.7.0.2"), near6 = address("2001:db8:7::2");
	uint32_t ifindex = 0;

	EXPECT_EQ(neighbour_route_check(&near, &ifindex, nullptr), 0);
	EXPECT_EQ(ifindex, if_nametoindex("hv0"));
	EXPECT_EQ(neighbour_route_check(&near6, nullptr, nullptr), 0);
}

TEST_F(Neighbour, RouteCheckRefusesWhatCannotBeReachedAndSaysWhy)
{
	struct {
		const char *target;
		int code;
		const char *words;
	} cases[] = {
		{"10.99.0.1", -ENETUNREACH,
		 "no route to 10.99.0.1: add one, e.g. ip route add 10.99.0.1/32 via GATEWAY"},
		{"2001:db8:99::1", -ENETUNREACH, "no route to 2001:db8:99::1"},
		{"10.7.0.1", -EADDRINUSE, "10.7.0.1 is an address of this host"},
		{"127.0.0.1", -EADDRINUSE, "127.0.0.1 is an address of this host"},
		{"2001:db8:7::1", -EADDRINUSE, "2001:db8:7::1 is an address of this host"},
		{"10.7.0.255", -EINVAL, "broadcast"},
		{"224.0.0.9", -EINVAL, "multicast"},
		{"10.66.0.1", -EHOSTUNREACH, "type blackhole"},
		{"10.66.0.2", -EHOSTUNREACH, "type unreachable"},
		{"10.66.0.3", -EHOSTUNREACH, "type prohibit"},
		{"2001:db8:66::1", -EHOSTUNREACH, "type blackhole"},
		{"2001:db8:66::2", -EHOSTUNREACH, "type unreachable"},
		{"2001:db8:66::3", -EHOSTUNREACH, "type prohibit"},
	};

	sh("ip route add blackhole 10.66.0.1 && ip route add unreachable 10.66.0.2 && "
	   "ip route add prohibit 10.66.0.3 && ip route add blackhole 2001:db8:66::1 && "
	   "ip route add unreachable 2001:db8:66::2 && ip route add prohibit 2001:db8:66::3 && "
	   "ip route add multicast 224.0.0.0/4 dev hv0");
	for (const auto &c : cases) {
		struct addr target = address(c.target);
		uint32_t ifindex = 4711;
		struct err err = {};

		EXPECT_EQ(neighbour_route_check(&target, &ifindex, &err), c.code)
			<< c.target << ": " << err.text;
		EXPECT_NE(strstr(err.text, c.words), nullptr) << c.target << ": " << err.text;
		EXPECT_EQ(ifindex, 4711u);
	}
}

} // namespace
