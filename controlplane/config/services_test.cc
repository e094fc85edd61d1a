/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

/* Prefixes, ranges of ports, options of services, GUE and QUIC. */

namespace
{

std::string with(const std::string &pool, const std::string &vips)
{
	return "node: {name: lb1, interfaces: [eth0], tunnel_source: {ipv4: 192.0.2.10},\n"
	       "       hash_seed: \"0123456789abcdef0123456789abcdef\"}\n"
	       "pools:\n"
	       "  - " +
	       pool +
	       "\n"
	       "vips:\n" +
	       vips;
}

const char *const kPool = "{name: web, encap: ipip, reals: [{address: 10.0.0.11}]}";

std::string service(const std::string &keys)
{
	return "  - {name: v, address: 203.0.113.80, services: [{" + keys + "}]}\n";
}

std::string errors(const std::string &pool, const std::string &vips)
{
	std::string found;

	EXPECT_FALSE(Parse(with(pool, vips), &found)) << vips;
	return found;
}

TEST(Services, EveryKeyIsReadAndWrittenBack)
{
	std::string text = with(
		"{name: web, encap: gue, gue_port: 6081, quic: {server_id_length: 2, rotation: 3},"
		" reals: [{address: 10.0.0.11}, {address: 10.0.0.12, server_id: \"beef\"}]}",
		"  - {name: net, address: 203.0.113.0/24, services: ["
		"{protocol: tcp, port: 8000-8999, pool: web, hash: source_destination,"
		" deny: [198.51.100.0/24, 192.0.2.1], syn_rate: 1000, syn_burst: 50},"
		"{protocol: udp, port: any, pool: web, quic: true}]}\n"
		"  - {name: net6, address: \"2001:db8:5::/48\", services: ["
		"{protocol: tcp, port: 443, pool: web, deny: [\"2001:db8:6::/48\"]}]}\n");
	ConfigPtr cfg = Parse(text), again;

	ASSERT_TRUE(cfg);
	const struct config_service &s = cfg->vips[0].services[0];
	EXPECT_EQ(cfg->vips[0].address.len, 24);
	EXPECT_EQ(s.ports.last, 8999);
	EXPECT_EQ(s.hash, CONFIG_HASH_SOURCE_DESTINATION);
	ASSERT_EQ(s.n_deny, 2u);
	EXPECT_EQ(s.deny[1].prefix.len, 32);
	EXPECT_EQ(config_syn_burst(&s), 50u);
	EXPECT_TRUE(cfg->vips[0].services[1].quic);
	EXPECT_EQ(cfg->pools[0].gue_port, 6081);
	EXPECT_EQ(config_server_id(&cfg->pools[0], &cfg->pools[0].reals[0]).bytes[1], 11);
	EXPECT_EQ(config_server_id(&cfg->pools[0], &cfg->pools[0].reals[1]).bytes[0], 0xbe);
	again = Parse(Emit(cfg.get()));
	ASSERT_TRUE(again) << Emit(cfg.get());
	EXPECT_TRUE(config_equal(cfg.get(), again.get())) << Emit(cfg.get());
}

TEST(Services, VipsMayLieInsideOthers)
{
	ConfigPtr cfg = Parse(with(kPool, "  - {name: a, address: 203.0.113.0/24, services: "
					  "[{protocol: tcp, port: any, pool: web}]}\n"
					  "  - {name: b, address: 203.0.113.80, services: "
					  "[{protocol: tcp, port: 443, pool: web}]}\n"));
	struct addr in = Addr("203.0.113.80"), by = Addr("203.0.113.81"), off = Addr("203.0.114.1");

	ASSERT_TRUE(cfg);
	EXPECT_STREQ(config_vip_at(cfg.get(), &in)->name, "b");
	EXPECT_STREQ(config_vip_at(cfg.get(), &by)->name, "a");
	EXPECT_EQ(config_vip_at(cfg.get(), &off), nullptr);
}

TEST(Services, WhatCannotBeIsNamedWithItsPlaceAndItsFix)
{
	const struct {
		std::string pool, vips, error;
	} cases[] = {
		{kPool, service("protocol: udp, port: 53, pool: web, syn_rate: 5"),
		 "f:6:96: a udp service of vip 'v' has a syn_rate: remove it: only tcp has SYNs\n"},
		{kPool, service("protocol: tcp, port: 53, pool: web, syn_burst: 5"),
		 "has syn_burst without syn_rate: add syn_rate, or remove it"},
		{kPool, service("protocol: udp, port: 53, pool: web, quic: true"),
		 "vip 'v' routes QUIC to pool 'web', which has no quic: add quic: "
		 "{server_id_length: 4} to the pool"},
		{kPool, service("protocol: tcp, port: 53, pool: web, deny: [0.0.0.0/0]"),
		 "deny 0.0.0.0/0 in vip 'v' is everybody"},
		{kPool, service("protocol: tcp, port: 53, pool: web, deny: [\"2001:db8::/32\"]"),
		 "deny 2001:db8::/32 in vip 'v' is of the other family than its address"},
		{kPool,
		 service("protocol: tcp, port: 8000-8999, pool: web}, {protocol: tcp, port: 8080, "
			 "pool: web"),
		 "services of vip 'v' overlap: tcp ports 8080 and 8000-8999 (line 6): only 'any' "
		 "may hold the ports of others: split the range"},
		{kPool,
		 "  - {name: v, address: 10.0.0.0/24, services: [{protocol: tcp, port: 1, pool: "
		 "web}]}\n",
		 "real 10.0.0.11 in pool 'web' lies in 10.0.0.0/24 of vip 'v' (line 6): packets to "
		 "it would come back to this node and circle"},
		{kPool, "  - {name: v, address: 0.0.0.0/0, services: []}\n",
		 "vip 'v' has address 0.0.0.0/0, the whole Internet"},
		{kPool, "  - {name: v, address: 192.0.2.0/24, services: []}\n",
		 "vip 'v' has prefix 192.0.2.0/24, which holds this node's tunnel_source"},
		{"{name: web, encap: ipip, gue_port: 6081, reals: [{address: 10.0.0.11}]}",
		 service("protocol: tcp, port: 1, pool: web"),
		 "ipip pool 'web' has no use for gue_port: remove it, or use encap: gue"},
		{"{name: web, encap: ipip, reals: [{address: 10.0.0.11, server_id: \"01\"}]}",
		 service("protocol: tcp, port: 1, pool: web"),
		 "real 10.0.0.11 has a server_id, but pool 'web' has no quic"},
		{"{name: web, encap: ipip, quic: {server_id_length: 2}, reals: [{address: "
		 "10.0.0.11, server_id: \"01\"}]}",
		 service("protocol: tcp, port: 1, pool: web"),
		 "server_id 01 of real 10.0.0.11 in pool 'web' has 1 bytes, not 2"},
		{"{name: web, encap: ipip, quic: {server_id_length: 1}, reals: [{address: "
		 "10.0.0.11}, {address: 10.0.1.11}]}",
		 service("protocol: tcp, port: 1, pool: web"),
		 "reals 10.0.0.11 and 10.0.1.11 of pool 'web' have the same server id 0b: the ends "
		 "of their addresses are the same: give one a server_id of its own"},
	};

	for (const auto &c : cases)
		EXPECT_NE(errors(c.pool, c.vips).find(c.error), std::string::npos)
			<< errors(c.pool, c.vips) << "\nexpected " << c.error;
}

TEST(Services, MoreKindsOfKeysThanPacketsTryAreRefused)
{
	std::string vips;

	for (int len = 10; len <= 31; len++)
		vips += "  - {name: v" + std::to_string(len) + ", address: 100.64.0.0/" +
			std::to_string(len) +
			", services: [{protocol: tcp, port: 443, pool: web}]}\n";
	EXPECT_NE(errors(kPool, vips).find("the IPv4 vips have more than 32 different kinds"),
		  std::string::npos)
		<< errors(kPool, vips);
}

} // namespace
