/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <jansson.h>
#include <netinet/in.h>

#include <cstring>
#include <tuple>

#include "tools/real/real_fixture.h"

namespace
{

/* Whether an item whose name holds `what` is reported missing. */
bool reports_missing(const std::string &report, const std::string &what)
{
	json_t *json = json_loads(report.c_str(), 0, nullptr), *item;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(json, "items"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "item"));
		const char *state = json_string_value(json_object_get(item, "state"));

		found |= strstr(name, what.c_str()) && !strcmp(state, "missing") &&
			 json_object_get(item, "mend");
	}
	json_decref(json);
	return found;
}

/* outer family, inner family, half checksums, GRO on the real server, software checksums there */
using Combination = std::tuple<int, int, bool, bool, bool>;

class Decapsulates : public Real, public ::testing::WithParamInterface<Combination>
{
};

std::string combination_name(const ::testing::TestParamInfo<Combination> &info)
{
	auto [outer, inner, partial, gro, soft] = info.param;

	return "Inner" + std::to_string(inner) + "Outer" + std::to_string(outer) +
	       (partial ? "HalfChecksums" : "") + (gro ? "Gro" : "") +
	       (soft ? "SoftwareChecksums" : "");
}

TEST_P(Decapsulates, AMegabyteOfUploadOverLinksOf1500)
{
	auto [outer, inner, partial, gro, soft] = GetParam();
	const std::string &vip = inner == 4 ? vip4 : vip6;
	int mss = 1500 - (outer == 4 ? 20 : 40) - (inner == 4 ? 40 : 60);
	std::string counter =
		std::string(inner == 4 ? "ipv4" : "ipv6") + "_in_" + (outer == 4 ? "ipv4" : "ipv6");

	if (gro)
		net->gro_on();
	if (soft)
		net->must(net->real, "ethtool -K eth0 tx off tso off gso off");
	setup("--vip " + vip + " --interface eth0 --decap bpf --outer " +
	      (outer == 4 ? "10.9.0.3" : "fd09::3"));
	Balancer balancer(*net, outer, partial);
	Server server(*net, vip, 8080);
	balancer.route(vip);

	Upload u = upload(*net, vip, 8080, 1 << 20);

	EXPECT_EQ(u.error, 0) << strerror(u.error);
	EXPECT_EQ(u.answer, u.expected);
	EXPECT_EQ(u.mss, mss);
	EXPECT_EQ(balancer.too_big, 0);
	auto counters = net->counters();
	EXPECT_GT(counters[counter], 0);
	EXPECT_LE(counters[counter], balancer.sent);
	EXPECT_GE(counters["mss_lowered"], 1);
	EXPECT_EQ(counters["failed"], 0);
}

INSTANTIATE_TEST_SUITE_P(Real, Decapsulates,
			 ::testing::Combine(::testing::Values(4, 6), ::testing::Values(4, 6),
					    ::testing::Bool(), ::testing::Bool(),
					    ::testing::Bool()),
			 combination_name);

TEST_F(Real, WithoutTheMssTheUploadStalls)
{
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	Server server(*net, vip4, 8080);
	balancer.route(vip4);
	net->must(net->real, "tc filter del dev eth0 egress");

	Upload u = upload(*net, vip4, 8080, 1 << 20, 1);

	EXPECT_NE(u.error, 0);
	EXPECT_GT(balancer.too_big, 0);
}

class InnerPacket : public Real, public ::testing::WithParamInterface<int>
{
};

TEST_P(InnerPacket, ArrivesBitForBit)
{
	Wrap wrap;

	wrap.family = GetParam();
	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW), udp(*net, AF_INET6, SOCK_DGRAM);
	bytes inner = udp4("10.9.0.1", vip4, 0xb8, "every bit counts");
	std::map<int, int> control;

	balancer.send(inner, wrap);
	EXPECT_EQ(raw.receive(), inner);

	balancer.send(udp6("fd09::1", vip6, 0xb8, "in IPv6 too"), wrap);
	bytes text = udp.receive(&control);
	EXPECT_EQ(std::string(text.begin(), text.end()), "in IPv6 too");
	EXPECT_EQ(control[IPV6_TCLASS], 0xb8);
	EXPECT_EQ(control[IPV6_HOPLIMIT], 57);
}

TEST_P(InnerPacket, TakesCongestionMarksFromTheOuterHeader)
{
	Wrap wrap;

	wrap.family = GetParam();
	wrap.tos = 0xba | 3;
	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW), udp(*net, AF_INET6, SOCK_DGRAM);
	std::map<int, int> control;

	balancer.send(udp4("10.9.0.1", vip4, 0xba, "congested"), wrap);
	EXPECT_EQ(raw.receive(), udp4("10.9.0.1", vip4, 0xbb, "congested"));
	balancer.send(udp6("fd09::1", vip6, 0xba, "congested"), wrap);
	EXPECT_EQ(udp.receive(&control).size(), 9u);
	EXPECT_EQ(control[IPV6_TCLASS], 0xbb);
}

INSTANTIATE_TEST_SUITE_P(Outer, InnerPacket, ::testing::Values(4, 6),
			 ::testing::PrintToStringParamName());

TEST_F(Real, TheTunnelEncapsulationLimitIsSteppedOver)
{
	Wrap wrap;

	wrap.family = 6;
	wrap.destination_option = true;
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 6, false);
	Listener raw(*net, AF_INET, SOCK_RAW);
	bytes inner = udp4("10.9.0.1", vip4, 0, "from ip6tnl");

	balancer.send(inner, wrap);
	EXPECT_EQ(raw.receive(), inner);
}

/* Packets that must not be decapsulated, and the counter that says why. */
struct Refused {
	const char *name, *counter, *inner_to;
	Wrap wrap;
};

Wrap wrap_with(void (*change)(Wrap &))
{
	Wrap w;

	change(w);
	return w;
}

const Refused refused[] = {
	{"InnerOfNoVip", "foreign_inner", "10.9.0.3", Wrap()},
	{"InnerOfNoVipInIpv6", "foreign_inner", "10.9.0.3",
	 wrap_with([](Wrap &w) { w.family = 6; })},
	{"OuterToAnotherHost", "foreign_outer", nullptr,
	 wrap_with([](Wrap &w) { w.to = "10.9.0.77"; })},
	{"OuterToAnotherHostIpv6", "foreign_outer", nullptr, wrap_with([](Wrap &w) {
		 w.family = 6;
		 w.to = "fd09::77";
	 })},
	{"OuterFragment", "outer_fragment", nullptr, wrap_with([](Wrap &w) { w.frag = 0x2000; })},
	{"OuterOptions", "outer_options", nullptr, wrap_with([](Wrap &w) { w.ihl = 6; })},
	{"OuterChecksum", "malformed", nullptr,
	 wrap_with([](Wrap &w) { w.break_checksum = true; })},
	{"ProtocolLies", "malformed", nullptr, wrap_with([](Wrap &w) { w.inner = IPPROTO_IPV6; })},
	{"CongestionWithoutEcn", "ecn_drop", nullptr, wrap_with([](Wrap &w) { w.tos = 3; })},
};

class Refuses : public Real, public ::testing::WithParamInterface<Refused>
{
};

TEST_P(Refuses, ToDecapsulate)
{
	const Refused &p = GetParam();

	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	Listener raw(*net, AF_INET, SOCK_RAW);
	bytes good = udp4("10.9.0.1", vip4, 0, "good");

	balancer.send(udp4("10.9.0.1", p.inner_to ? p.inner_to : vip4, 0, "bad"), p.wrap);
	balancer.send(good, Wrap());
	EXPECT_EQ(raw.receive(), good) << "the first packet that came out was the bad one";
	auto counters = net->counters();
	EXPECT_EQ(counters[p.counter], 1);
	EXPECT_EQ(counters["ipv4_in_ipv4"], 1);
	EXPECT_EQ(counters["ipv4_in_ipv6"], 0);
}

INSTANTIATE_TEST_SUITE_P(Packet, Refuses, ::testing::ValuesIn(refused),
			 [](const auto &info) { return info.param.name; });

/* Each breakage by hand, and the item that must show it. */
struct Breakage {
	const char *name, *command, *item;
};

const Breakage breakages[] = {
	{"Address", "ip addr del 203.0.113.80/32 dev lo", "address 203.0.113.80 on lo"},
	{"AddressIpv6", "ip addr del 2001:db8:80::1/128 dev lo", "address 2001:db8:80::1 on lo"},
	{"ArpIgnoreAll", "sysctl -qw net.ipv4.conf.all.arp_ignore=0", "all.arp_ignore"},
	{"ArpAnnounceAll", "sysctl -qw net.ipv4.conf.all.arp_announce=1", "all.arp_announce"},
	{"ArpIgnore", "sysctl -qw net.ipv4.conf.eth0.arp_ignore=0", "eth0.arp_ignore"},
	{"ArpAnnounce", "sysctl -qw net.ipv4.conf.eth0.arp_announce=0", "eth0.arp_announce"},
	{"ReversePath", "sysctl -qw net.ipv4.conf.eth0.rp_filter=1", "eth0.rp_filter"},
	{"ReversePathAll", "sysctl -qw net.ipv4.conf.all.rp_filter=1", "eth0.rp_filter"},
	{"Blackhole", "ip route del blackhole 203.0.113.80", "blackhole route for 203.0.113.80"},
	{"BlackholeIpv6", "ip -6 route del blackhole 2001:db8:80::1",
	 "blackhole route for 2001:db8:80::1"},
	{"Qdisc", "tc qdisc del dev eth0 clsact", "clsact qdisc on eth0"},
	{"DecapFilter", "tc filter del dev eth0 ingress", "filter fairway_decap"},
	{"ClampFilter", "tc filter del dev eth0 egress", "filter fairway_clamp"},
	{"Mtu", "ip link set eth0 mtu 1400", "filter fairway_clamp"},
};

class Check : public Real, public ::testing::WithParamInterface<Breakage>
{
};

TEST_P(Check, NamesWhatIsBrokenAndSetupMendsIt)
{
	const Breakage &p = GetParam();

	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 --decap bpf");
	Outcome o = net->tool("check --json");
	ASSERT_EQ(o.status, 0) << o.out;

	net->must(net->real, p.command);
	o = net->tool("check --json");
	EXPECT_EQ(o.status, 4);
	EXPECT_TRUE(reports_missing(o.out, p.item)) << o.out;

	setup("");
	o = net->tool("check");
	EXPECT_EQ(o.status, 0) << o.out;
}

INSTANTIATE_TEST_SUITE_P(Broken, Check, ::testing::ValuesIn(breakages),
			 [](const auto &info) { return info.param.name; });

TEST_F(Real, CheckNamesWhatOnlyTheOperatorCanMend)
{
	setup("--vip " + vip4 + " --vip " + vip6 +
	      " --interface eth0 --decap bpf --outer 10.9.0.3");
	net->must(net->real, "ip addr del 10.9.0.3/24 dev eth0");
	EXPECT_TRUE(reports_missing(net->tool("check --json").out, "outer address 10.9.0.3"));
	net->must(net->real, "ip addr add 10.9.0.3/24 dev eth0");
	net->must(net->real, "ip addr add 203.0.113.80/32 dev eth0");
	EXPECT_TRUE(reports_missing(net->tool("check --json").out, "address 203.0.113.80"));
	net->must(net->real, "ip addr del 203.0.113.80/32 dev eth0");
	net->must(net->real, "ip link set eth0 down");
	EXPECT_TRUE(reports_missing(net->tool("check --json").out, "interface eth0"));
	net->must(net->real, "ip link del eth0");
	EXPECT_TRUE(reports_missing(net->tool("check --json").out, "interface eth0"));
	EXPECT_EQ(net->tool("remove").status, 0);
}

TEST_F(Real, CheckWithoutSetupSaysSo)
{
	Outcome o = net->tool("check");

	EXPECT_EQ(o.status, 4);
	EXPECT_NE(o.out.find("nothing is set up"), std::string::npos) << o.out;
}

class Restores : public Real, public ::testing::WithParamInterface<const char *>
{
};

TEST_P(Restores, EverythingAsItWas)
{
	/* Values that setup finds good, bad, and odd. */
	net->must(net->real,
		  "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.arp_ignore=3 "
		  "net.ipv4.conf.eth0.arp_announce=1");
	std::string before = net->dump();

	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 " + GetParam());
	EXPECT_NE(net->dump(), before);
	setup("--vip 203.0.113.81");
	Outcome o = net->tool("remove");
	EXPECT_EQ(o.status, 0) << o.out;
	EXPECT_EQ(net->dump(), before);
	o = net->tool("remove");
	EXPECT_EQ(o.status, 0) << o.out;
	EXPECT_EQ(net->dump(), before);
}

const char *const modes[] = {"--encap ipip --decap bpf", "--encap gue", "--encap l2dsr"};
const char *const mode_names[] = {"Ipip", "Gue", "L2dsr"};

INSTANTIATE_TEST_SUITE_P(Mode, Restores, ::testing::ValuesIn(modes),
			 [](const auto &info) { return mode_names[info.index]; });

TEST_F(Real, RemoveLeavesWhatOthersHaveAndChanged)
{
	net->must(net->real, "ip addr add 203.0.113.80/32 dev lo");
	setup("--vip " + vip4 + " --vip 203.0.113.81 --interface eth0 --decap bpf");
	net->must(net->real, "sysctl -qw net.ipv4.conf.all.arp_ignore=2");
	net->must(net->real, "tc filter add dev eth0 ingress pref 9 protocol ip u32 match u32 0 0");

	Outcome o = net->tool("remove");

	EXPECT_EQ(o.status, 0) << o.out;
	EXPECT_NE(o.out.find("arp_ignore left at 2"), std::string::npos) << o.out;
	EXPECT_NE(o.out.find("clsact qdisc on eth0 left"), std::string::npos) << o.out;
	EXPECT_NE(net->must(net->real, "ip addr show lo").find(vip4), std::string::npos);
	EXPECT_EQ(net->must(net->real, "ip addr show lo").find("203.0.113.81"), std::string::npos);
	EXPECT_NE(net->must(net->real, "tc filter show dev eth0 ingress").find("pref 9"),
		  std::string::npos);
	EXPECT_EQ(net->must(net->real, "tc filter show dev eth0 ingress").find("fairway"),
		  std::string::npos);
}

TEST_F(Real, SetupTwiceChangesNothing)
{
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	std::string state = net->must("", "cat " + net->state_dir + "/state.json");

	Outcome o = net->tool("setup --vip " + vip4);

	EXPECT_EQ(o.status, 0) << o.out;
	EXPECT_NE(o.out.find("; 0 changes"), std::string::npos) << o.out;
	EXPECT_EQ(net->must("", "cat " + net->state_dir + "/state.json"), state);
	EXPECT_EQ(net->tool("check").status, 0);
}

TEST_F(Real, AVipAddedLaterWorksAndTheFirstGoesOnCounting)
{
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	balancer.route(vip4);
	balancer.route(vip6);
	Server first(*net, vip4, 8080);
	ASSERT_EQ(upload(*net, vip4, 8080, 1000).error, 0);
	long before = net->counters()["ipv4_in_ipv4"];

	setup("--vip " + vip6);
	Server second(*net, vip6, 8080);

	EXPECT_EQ(upload(*net, vip6, 8080, 1000).error, 0);
	EXPECT_EQ(upload(*net, vip4, 8080, 1000).error, 0);
	EXPECT_GT(net->counters()["ipv4_in_ipv4"], before);
	EXPECT_GT(net->counters()["ipv6_in_ipv4"], 0);
	EXPECT_EQ(net->tool("check").status, 0);
}

TEST_F(Real, OneVipRemovedLeavesTheOther)
{
	setup("--vip " + vip4 + " --vip 203.0.113.81 --interface eth0 --decap bpf");
	Balancer balancer(*net, 4, false);
	balancer.route(vip4);

	Outcome o = net->tool("remove --vip 203.0.113.81");

	EXPECT_EQ(o.status, 0) << o.out;
	EXPECT_EQ(net->must(net->real, "ip addr show lo").find("203.0.113.81"), std::string::npos);
	Server server(*net, vip4, 8080);
	EXPECT_EQ(upload(*net, vip4, 8080, 1000).error, 0);
	EXPECT_EQ(net->tool("check").status, 0);
	balancer.send(udp4("10.9.0.1", "203.0.113.81", 0, "too late"), Wrap());
	EXPECT_TRUE(eventually([&] { return net->counters()["foreign_inner"] == 1; }));
}

TEST_F(Real, AFailingSetupUndoesWhatItDid)
{
	std::string before = net->dump();
	std::string sysctl = "/proc/sys/net/ipv4/conf/eth0/arp_announce";
	Outcome o = net->tool("setup --vip " + vip4 + " --interface eth0 --decap bpf",
			      "mount --bind " + sysctl + " " + sysctl +
				      " && mount -o remount,ro,bind " + sysctl + " &&");

	EXPECT_EQ(o.status, 1) << o.out;
	EXPECT_NE(o.out.find("arp_announce can't be set to 2: Read-only"), std::string::npos)
		<< o.out;
	EXPECT_EQ(net->dump(), before);

	net->must(net->real, "tc qdisc add dev eth0 ingress");
	before = net->dump();
	o = net->tool("setup --vip " + vip4 + " --interface eth0 --decap bpf");
	EXPECT_EQ(o.status, 1);
	EXPECT_NE(o.out.find("\"ingress\" qdisc"), std::string::npos) << o.out;
	EXPECT_EQ(net->dump(), before);
}

TEST_F(Real, AFailingAdditionLeavesTheOldSetupAtWork)
{
	setup("--vip " + vip4 + " --interface eth0 --decap bpf");
	std::string before = net->dump();
	net->must(net->real, "ip addr add 203.0.113.81/32 dev eth0");

	Outcome o = net->tool("setup --vip " + vip6 + " --vip 203.0.113.81");

	EXPECT_EQ(o.status, 1);
	EXPECT_NE(o.out.find("configured on eth0"), std::string::npos) << o.out;
	net->must(net->real, "ip addr del 203.0.113.81/32 dev eth0");
	EXPECT_EQ(net->must(net->real, "ip addr show lo").find(vip6), std::string::npos);
	EXPECT_EQ(net->tool("check").status, 0) << net->tool("check").out;
	EXPECT_EQ(net->tool("remove").status, 0);
}

/* The command line as someone new to it might type it, and words the answer must hold. */
struct Mistake {
	const char *args;
	int status;
	const char *words;
};

TEST_F(Real, MistakesAreNamedAndChangeNothing)
{
	const Mistake mistakes[] = {
		{"setup", 1, "--vip ADDRESS"},
		{"setup --vip 203.0.113.80/32", 2, "without prefix length"},
		{"setup --vip 203.0.113.80 --interface eth7", 1, "no interface eth7"},
		{"setup --vip 203.0.113.80 --interface a-name-far-too-long", 2, "not the name"},
		{"setup --vip 127.0.0.1 --interface eth0", 1, "loopback"},
		{"setup --vip 224.0.0.1 --interface eth0", 1, "multicast"},
		{"setup --vip 10.9.0.3 --interface eth0", 1, "configured on eth0"},
		{"setup --vip 203.0.113.80 --outer 203.0.113.80", 1, "both VIP and outer"},
		{"setup --vip 203.0.113.80 --encap gre", 2, "ipip, gue or l2dsr"},
		{"setup --vip 203.0.113.80 --decap sit", 2, "auto, kernel or bpf"},
		{"setup --vip 203.0.113.80 --gue-port 6081", 1, "nothing with --encap ipip"},
		{"setup --vip 203.0.113.80 --encap gue --gue-port 0", 2, "from 1"},
		{"setup --vip 203.0.113.80 --encap gue --decap kernel", 1, "takes no GUE"},
		{"setup --vip 203.0.113.80 --mtu 12", 2, "from 576"},
		{"setup --vip", 2, "needs a value"},
		{"setup --vip 203.0.113.80 --inter eth0", 2, "no option \"--inter\""},
		{"setup 203.0.113.80", 2, "is not an option"},
		{"check --vip 203.0.113.80", 2, "no option"},
		{"install", 2, "no command \"install\""},
	};
	std::string before = net->dump();

	for (const Mistake &m : mistakes) {
		/* --state stands last and would be the missing value. */
		Outcome o =
			std::string(m.words) == "needs a value"
				? run("ip netns exec " + net->real + " " FAIRWAY_REAL " " + m.args)
				: net->tool(m.args);

		EXPECT_EQ(o.status, m.status) << m.args << "\n" << o.out;
		EXPECT_NE(o.out.find(m.words), std::string::npos) << m.args << "\n" << o.out;
	}
	EXPECT_EQ(net->dump(), before);
}

TEST_F(Real, EachNamespaceHasItsOwnState)
{
	std::string setup = FAIRWAY_REAL " setup --vip " + vip4 + " --interface eth0 --encap l2dsr";
	std::string remove = FAIRWAY_REAL " remove", check = FAIRWAY_REAL " check";

	net->must(net->real, setup);
	EXPECT_NE(net->must(net->lb, setup).find("; 6 changes"), std::string::npos);
	EXPECT_NE(net->must(net->real, remove).find("removed  address"), std::string::npos);
	EXPECT_EQ(run("ip netns exec " + net->real + " " + check).status, 4);
	EXPECT_EQ(run("ip netns exec " + net->lb + " " + check).status, 0);
	EXPECT_NE(net->must(net->lb, remove).find("removed  address"), std::string::npos);
}

TEST_F(Real, StateOfAnotherNamespaceMeansNothing)
{
	setup("--vip " + vip4 + " --interface eth0 --encap l2dsr");
	Outcome o = run("ip netns exec " + net->lb + " " FAIRWAY_REAL " check --state " +
			net->state_dir);

	EXPECT_EQ(o.status, 4) << o.out;
	EXPECT_NE(o.out.find("another network namespace"), std::string::npos) << o.out;
	EXPECT_EQ(net->tool("check").status, 0);
}

TEST_F(Real, L2DsrAnswersForTheVipButNotToArpOrNeighbourDiscovery)
{
	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 --encap l2dsr");
	Server server4(*net, vip4, 8080), server6(*net, vip6, 8080);

	net->must(net->lb, "ip route add " + vip4 + " via 10.9.0.3");
	net->must(net->lb, "ip route add " + vip6 + " via fd09::3");
	net->must(net->client, "ip route add " + vip4 + " via 10.9.0.2");
	net->must(net->client, "ip route add " + vip6 + " via fd09::2");
	Upload u = upload(*net, vip4, 8080, 1 << 20);
	EXPECT_EQ(u.answer, u.expected) << strerror(u.error);
	EXPECT_EQ(u.mss, 1460);
	u = upload(*net, vip6, 8080, 1 << 20);
	EXPECT_EQ(u.answer, u.expected) << strerror(u.error);

	/* Now the client asks on the link who has the VIP. */
	net->must(net->client, "ip route replace " + vip4 + " dev eth0");
	net->must(net->client, "ip route del " + vip6);
	net->must(net->client, "ip route add " + vip6 + " dev eth0");
	net->must(net->client, "sysctl -qw net.ipv4.neigh.eth0.retrans_time_ms=50 "
			       "net.ipv6.neigh.eth0.retrans_time_ms=50");
	EXPECT_EQ(upload(*net, vip4, 8080, 1).error, EHOSTUNREACH);
	EXPECT_EQ(upload(*net, vip6, 8080, 1).error, EHOSTUNREACH);
	EXPECT_EQ(net->tool("remove").status, 0);
	net->must(net->real, "ip addr add " + vip4 + "/32 dev lo");
	EXPECT_EQ(upload(*net, vip4, 8080, 1).error, 0) << "without setup the host answers ARP";
}

TEST_F(Real, TheVipIsNotChosenAsASourceAddress)
{
	setup("--vip " + vip4 + " --vip " + vip6 + " --interface eth0 --decap bpf");
	net->must(net->real, "ip addr del 10.9.0.3/24 dev eth0");
	net->must(net->real, "ip route add default dev eth0");
	net->must(net->real, "ip -6 route add default dev eth0");
	EXPECT_EQ(net->must(net->real, "ip route get 192.0.2.1").find(vip4), std::string::npos);
	EXPECT_EQ(net->must(net->real, "ip route get 2001:db8:1::1").find(vip6), std::string::npos);
}

TEST_F(Real, KernelTunnelsWhereTheKernelHasThem)
{
	std::string before = net->dump();
	Outcome o = net->tool("setup --vip " + vip4 + " --vip " + vip6 +
			      " --interface eth0 --decap kernel");

	if (o.status == 1 && o.out.find("this kernel has no") != std::string::npos) {
		EXPECT_EQ(net->dump(), before) << "a refused setup must leave nothing";
		GTEST_SKIP() << o.out;
	}
	ASSERT_EQ(o.status, 0) << o.out;
	EXPECT_EQ(net->tool("check").status, 0) << net->tool("check").out;
	for (int outer : {4, 6}) {
		Balancer balancer(*net, outer, false);

		for (const std::string &vip : {vip4, vip6}) {
			Server server(*net, vip, 8080);

			balancer.route(vip);
			Upload u = upload(*net, vip, 8080, 1 << 20);
			EXPECT_EQ(u.answer, u.expected) << strerror(u.error);
			EXPECT_EQ(u.mss, vip == vip4 ? 1420 : 1400);
			net->must(net->client, "ip route del " + vip);
		}
		Wrap wrap;

		wrap.family = outer;
		long dropped = net->counters()["tunnel_foreign"];
		balancer.send(udp4("10.9.0.1", "10.9.0.3", 0, "not for a VIP"), wrap);
		EXPECT_TRUE(eventually(
			[&] { return net->counters()["tunnel_foreign"] == dropped + 1; }));
	}
	EXPECT_EQ(net->tool("remove").status, 0);
}

} // namespace
