/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/vip_fixture.h"

#include <string>
#include <vector>

namespace
{

std::string reals(int n)
{
	std::string out;

	for (int i = 1; i <= n; i++)
		out += "{address: 10.0.0." + std::to_string(i) + "},";
	return out;
}

std::string vips(int n)
{
	std::string out = n ? "vips:\n" : "vips: []\n";

	for (int i = 1; i <= n; i++)
		out += "  - {name: v" + std::to_string(i) + ", address: 203.0.113." +
		       std::to_string(i) + ", services: [{protocol: tcp, port: 443, pool: web}]}\n";
	return out;
}

std::string node_with(int n_reals, int n_vips)
{
	return test_node() + test_bgp() + "pools: [{name: web, encap: ipip, reals: [" +
	       reals(n_reals) + "]}]\n" + vips(n_vips);
}

std::vector<std::string> changes(const std::string &from, const std::string &to)
{
	Node a{from}, b{to};
	struct vip_desired was = a.desired(), want = b.desired();
	struct vip_changes list = {};
	std::vector<std::string> out;

	EXPECT_EQ(vip_diff(a.cfg, &was, b.cfg, &want, &list), 0);
	for (size_t i = 0; i < list.n; i++)
		out.push_back(std::string(list.items[i].action) + " " + list.items[i].object +
			      ": " + list.items[i].text + (list.items[i].breaks[0] ? " !" : ""));
	vip_changes_fini(&list);
	vip_desired_fini(&was);
	vip_desired_fini(&want);
	return out;
}

TEST(Diff, TheSameConfigurationIsNoChange)
{
	EXPECT_TRUE(changes(node_with(3, 2), node_with(3, 2)).empty());
}

TEST(Diff, AddingAVipListsItAndItsAnnouncement)
{
	EXPECT_EQ(changes(node_with(3, 1), node_with(3, 2)),
		  (std::vector<std::string>{"add vip: add VIP v2 203.0.113.2",
					    "add service: add service tcp/443 to VIP v2, pool web",
					    "announce vip: announce 203.0.113.2/32"}));
}

TEST(Diff, RemovingARealSaysThatItsConnectionsGoOn)
{
	EXPECT_EQ(changes(node_with(3, 1), node_with(2, 1)),
		  (std::vector<std::string>{"remove real: remove real 10.0.0.3 from pool web; "
					    "connections on it go on until they end"}));
}

TEST(Diff, EmptyingAPoolWithdrawsFirst)
{
	auto list = changes(node_with(2, 1), node_with(0, 1));

	ASSERT_EQ(list.size(), 3u);
	EXPECT_EQ(list[0], "withdraw vip: withdraw 203.0.113.1/32: pool web has 0 of 0 reals up "
			   "(min_healthy 1) !");
}

TEST(Diff, AChangedSeedAndNeighbourSayWhomTheyHurt)
{
	std::string to = node_with(1, 0);

	to.replace(to.find("0123456789abcdef"), 16, "ffffffffffffffff");
	to.replace(to.find("asn: 64500"), 10, "asn: 64501");
	EXPECT_EQ(changes(node_with(1, 0), to),
		  (std::vector<std::string>{"change node: change hash_seed !",
					    "change neighbor: change BGP neighbour 192.0.2.1 !"}));
}

int brake(const std::string &from, const std::string &to, std::string *why = nullptr)
{
	Node a{from}, b{to};
	struct err err = {};
	int rc = vip_brake_removals(a.cfg, b.cfg, &err);

	if (why)
		*why = err.text;
	return rc;
}

TEST(RemovalBrake, HoldsBackTheRemovalOfMostVips)
{
	std::string why;

	EXPECT_EQ(brake(node_with(1, 8), node_with(1, 4)), 0) << "half may go";
	EXPECT_EQ(brake(node_with(1, 8), node_with(1, 3), &why), -EPERM);
	EXPECT_EQ(why, "removes 5 of 8 VIPs at once");
	EXPECT_EQ(brake(node_with(1, 3), node_with(1, 0)), 0) << "so few are everyday work";
}

TEST(RemovalBrake, HoldsBackTheRemovalOfMostRealsOfAPool)
{
	std::string why;

	EXPECT_EQ(brake(node_with(4, 1), node_with(2, 1)), 0);
	EXPECT_EQ(brake(node_with(4, 1), node_with(1, 1), &why), -EPERM);
	EXPECT_EQ(why, "removes 3 of the 4 reals of pool web at once");
}

TEST(Diff, WhatAServiceAndItsPoolDoBesideIsListedWithWhomItHurts)
{
	auto yaml = [](const std::string &pool, const std::string &service) {
		return test_node() + test_bgp() + "pools: [{name: web, " + pool +
		       ", reals: [{address: 10.0.0.1}]}]\n"
		       "vips: [{name: v, address: 203.0.113.0/24, services: [{protocol: udp, "
		       "port: 8000-8999, pool: web" +
		       service + "}]}]\n";
	};
	const std::string from = yaml("encap: gue", "");

	EXPECT_TRUE(changes(from, from).empty());
	EXPECT_EQ(changes(from, yaml("encap: gue, gue_port: 6081", "")),
		  (std::vector<std::string>{
			  "change pool: change gue_port of pool web from 6080 to 6081 !"}));
	EXPECT_EQ(changes(from, yaml("encap: gue, quic: {server_id_length: 2}", ", quic: true")),
		  (std::vector<std::string>{
			  "change pool: change how pool web routes QUIC by connection id",
			  "change service: turn routing by QUIC connection id on for service v "
			  "udp/8000-8999"}));
	EXPECT_EQ(changes(from, yaml("encap: gue", ", hash: source")),
		  (std::vector<std::string>{"change service: change hash of service v "
					    "udp/8000-8999 from 5tuple to source !"}));
	EXPECT_EQ(changes(from, yaml("encap: gue", ", deny: [198.51.100.0/24]")),
		  (std::vector<std::string>{"change service: change the deny list of service v "
					    "udp/8000-8999 from 0 to 1 prefixes !"}));
}

} // namespace
