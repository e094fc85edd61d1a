/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

#include <errno.h>

/* Values that are fine alone and wrong together. */

struct MeaningCase {
	const char *from, *to, *errors;
};

class BadMeaning : public testing::TestWithParam<MeaningCase>
{
};

TEST_P(BadMeaning, IsNamedWithItsPlaceAndItsFix)
{
	std::string errors;

	EXPECT_FALSE(Parse(FullWith(GetParam().from, GetParam().to), &errors));
	EXPECT_EQ(errors, GetParam().errors);
}

static const MeaningCase kCases[] = {
	{"address: \"2001:db8:3::80\"", "address: 203.0.113.80",
	 "f:45:14: vip 'web6' has address 203.0.113.80, as has vip 'web' (line 38): an address is announced as one: put its services into one vip\n"},
	{"name: web6", "name: web",
	 "f:44:11: another vip is named 'web' (line 38): rename one of them\n"},
	{"name: lan", "name: web",
	 "f:32:11: another pool is named 'web' (line 24): rename one of them\n"
	 "f:42:42: vip 'web' has a service to pool 'lan', which does not exist: add a pool of that name to pools:\n"},
	{"port: any, pool: lan", "port: any, pool: la",
	 "f:42:42: vip 'web' has a service to pool 'la', which does not exist: did you mean 'lan'?\n"},
	{"port: any, pool: lan", "port: any, pool: database",
	 "f:42:42: vip 'web' has a service to pool 'database', which does not exist: add a pool of that name to pools:\n"},
	{"protocol: udp, port: any", "protocol: tcp, port: 443",
	 "f:42:31: vip 'web' has two services on tcp port 443 (line 41): remove one of them\n"},
	{"address: 10.0.0.22", "address: 10.0.0.21",
	 "f:36:19: real 10.0.0.21 stands in pool 'lan' twice (line 35): remove one, and give the other the weight of both\n"},
	{"address: 10.0.0.22", "address: 203.0.113.80",
	 "f:36:19: real 203.0.113.80 in pool 'lan' is the address of vip 'web' (line 38): use the server's own address; it carries the vip's on loopback only\n"},
	{"address: 10.0.0.22", "address: 192.0.2.10",
	 "f:36:19: real 192.0.2.10 in pool 'lan' is this node's tunnel_source: use the server's own address\n"},
	{"address: 10.0.0.22", "address: 127.0.0.1",
	 "f:36:19: real 127.0.0.1 in pool 'lan' is a loopback address: use the server's own address\n"},
	{"address: 10.0.0.22", "address: \"fe80::1\"",
	 "f:36:19: real fe80::1 in pool 'lan' is a link-local address: use the server's own address\n"},
	{"address: 10.0.0.22", "address: \"::ffff:10.0.0.22\"",
	 "f:36:19: real ::ffff:10.0.0.22 in pool 'lan' is an IPv4 address in disguise: use the server's own address\n"},
	{"address: 203.0.113.80", "address: 224.0.0.1",
	 "f:39:14: vip 'web' has address 224.0.0.1, a multicast address: use a unicast address that clients can reach\n"},
	{"address: 203.0.113.80", "address: 0.0.0.0",
	 "f:39:14: vip 'web' has address 0.0.0.0, an unspecified address: use a unicast address that clients can reach\n"},
	{"address: 203.0.113.80", "address: 255.255.255.255",
	 "f:39:14: vip 'web' has address 255.255.255.255, the broadcast address: use a unicast address that clients can reach\n"},
	{"address: 203.0.113.80", "address: 192.0.2.10",
	 "f:39:14: vip 'web' has address 192.0.2.10, this node's tunnel_source: a vip needs an address of its own\n"},
	{"address: \"2001:db8:3::80\"", "address: \"ff02::1\"",
	 "f:45:14: vip 'web6' has address ff02::1, a multicast address: use a unicast address that clients can reach\n"},
	{"address: \"2001:db8:3::80\"", "address: \"::1\"",
	 "f:45:14: vip 'web6' has address ::1, the loopback address: use a unicast address that clients can reach\n"},
	{"address: \"2001:db8:3::80\"", "address: \"::\"",
	 "f:45:14: vip 'web6' has address ::, the unspecified address: use a unicast address that clients can reach\n"},
	{"router_id: 192.0.2.10", "router_id: 0.0.0.0",
	 "f:11:14: router_id 0.0.0.0 is an unspecified address: use an IPv4 address of this node\n"},
	{"router_id: 192.0.2.10", "router_id: 224.1.1.1",
	 "f:11:14: router_id 224.1.1.1 is a multicast address: use an IPv4 address of this node\n"},
	{"address: \"2001:db8::1\", asn", "address: 192.0.2.1, asn",
	 "f:21:17: neighbor 192.0.2.1 is listed twice (line 13): remove one\n"},
	{"address: \"2001:db8::1\", asn", "address: \"fe80::1\", asn",
	 "f:21:17: neighbor fe80::1 is a link-local address: use the address that the router speaks BGP from\n"},
	{"next_hop: {ipv4: 192.0.2.11", "next_hop: {ipv4: 127.0.0.1",
	 "f:18:24: next_hop 127.0.0.1 is a loopback address: use an address of this node that the neighbor reaches\n"},
	{", ipv6: \"2001:db8:1::/64\"", "",
	 "f:31:19: ipip pool 'web' has real 2001:db8:2::12, but there is no IPv6 tunnel_source: add ipv6, an address of this node, to tunnel_source\n"},
	{"{ipv4: 192.0.2.10, ipv6: \"2001:db8:1::/64\"}", "{}",
	 "f:30:19: ipip pool 'web' has real 10.0.0.11, but there is no IPv4 tunnel_source: add ipv4, an address of this node, to tunnel_source\n"
	 "f:31:19: ipip pool 'web' has real 2001:db8:2::12, but there is no IPv6 tunnel_source: add ipv6, an address of this node, to tunnel_source\n"},
	{"ipv4: 192.0.2.10,", "ipv4: 0.0.0.0/0,",
	 "f:6:25: tunnel_source 0.0.0.0/0 is the whole Internet: use a prefix that is routed to this node, or its address\n"},
	{"ipv4: 192.0.2.10,", "ipv4: 127.0.0.1,",
	 "f:6:25: tunnel_source 127.0.0.1 is a loopback address: use an address of this node\n"},
	{"[eth0, eth1]", "[eth0, eth0]", "f:3:22: interface 'eth0' is listed twice: remove one\n"},
	{"min_healthy: 2", "min_healthy: 3",
	 "f:27:18: pool 'web' can never have 3 healthy reals: it has 2: lower min_healthy or add reals\n"},
	{"address: 10.0.0.22",
	 "address: 10.0.0.11, mac: \"02:00:00:00:00:0d\"}\n      - {address: 10.0.0.12, mac: \"02:00:00:00:00:0d\"",
	 "f:36:35: real 10.0.0.11 has another mac in pool 'lan' than in pool 'web' (line 30): make them the same\n"},
	{"timeout: 1500ms", "timeout: 6s",
	 "f:28:101: timeout 6s in pool 'web' is longer than its interval 5s: lower timeout or raise interval\n"},
	{"address: \"2001:db8::1\", asn", "address: 240.0.0.1, asn",
	 "f:21:17: neighbor 240.0.0.1 is a reserved address: use the address that the router speaks BGP from\n"},
	{"type: https", "type: tcp",
	 "f:28:43: a tcp check has no use for path (pool 'web'): remove it, or use type http\n"
	 "f:28:59: a tcp check has no use for host (pool 'web'): remove it, or use type http\n"},
};

INSTANTIATE_TEST_SUITE_P(Check, BadMeaning, testing::ValuesIn(kCases));

struct FineCase {
	const char *from, *to, *warnings;
};

class FineMeaning : public testing::TestWithParam<FineCase>
{
};

TEST_P(FineMeaning, LoadsAndWarnsWhereItShould)
{
	std::string errors, warnings;

	EXPECT_TRUE(Parse(FullWith(GetParam().from, GetParam().to), &errors, &warnings));
	EXPECT_EQ(errors, "");
	EXPECT_EQ(warnings, GetParam().warnings);
}

static const FineCase kFine[] = {
	/* Any port beside a port of its own. */
	{"protocol: udp, port: any", "protocol: tcp, port: any", ""},
	{"asn: 64500\n", "asn: 64512\n", ""}, /* IBGP */
	{"hold_time: 30s", "hold_time: 0s", ""},
	{"hold_time: 30s", "hold_time: 3s", ""},
	{"timeout: 1500ms", "timeout: 5s", ""},
	{"listen: \"[::1]:9478\"", "listen: none", ""},
	{"address: \"2001:db8::1\", asn", "address: 127.0.0.1, asn", ""},
	{"    - {address: \"2001:db8::1\", asn: 4200000000}\n", "", ""}, /* next_hop: {ipv6} */
	{"next_hop: {ipv4: 192.0.2.11, ipv6: \"2001:db8::11\"}\n      ttl_security: true\n"
	 "      passive: true\n    - {address: \"2001:db8::1\", asn: 4200000000}\n",
	 "ttl_security: true\n",
	 "f:13:5: warning: no IPv6 vip can be announced: no neighbor has an IPv6 address: add a "
	 "neighbor with one, or next_hop: {ipv6: ...}\n"},
	{"pool: lan}", "pool: web}",
	 "f:32:11: warning: no vip uses pool 'lan': name it in a service or remove it\n"},
	{"      - {address: 10.0.0.21, weight: 0}\n      - {address: 10.0.0.22}\n",
	 "      - {address: 10.0.0.21, weight: 0}\n",
	 "f:32:5: warning: pool 'lan' has no real that takes connections: give one a weight above "
	 "0\n"},
	{"    reals:\n      - {address: 10.0.0.21, weight: 0}\n      - {address: 10.0.0.22}\n", "",
	 "f:32:5: warning: pool 'lan' has no real that takes connections: add reals\n"},
	{"    services:\n      - {protocol: tcp, port: 80, pool: web}\n", "    services: []\n",
	 "f:44:11: warning: vip 'web6' has no services: add one, or remove the vip\n"},
	{"{protocol: tcp, port: 80, pool: web}", "{protocol: tcp, port: 80, pool: lan}",
	 "f:47:41: warning: vip 'web6' (2001:db8:3::80) uses l2dsr pool 'lan', whose real 10.0.0.21 "
	 "is of the other family: see that the server carries the vip, or use reals of the vip's "
	 "family\n"},
};

INSTANTIATE_TEST_SUITE_P(Check, FineMeaning, testing::ValuesIn(kFine));

TEST(Validate, NamesObjectsInsteadOfLines)
{
	ConfigPtr cfg = Parse(kFull);
	auto errs = std::make_unique<struct config_errors>();

	ASSERT_TRUE(cfg);
	EXPECT_EQ(config_validate(cfg.get(), errs.get()), 0);
	cfg->vips[1].address = cfg->vips[0].address;
	cfg->pools[1].reals[0].weight = 5000;
	cfg->vips[0].services[0].pool[0] = '\0';
	cfg->node.hash_seed[0] = 0;
	cfg->node.engine = (enum config_engine)7;
	EXPECT_EQ(config_validate(cfg.get(), errs.get()), -EINVAL);
	EXPECT_EQ(Errors(*errs),
		  "node: unknown engine '?': use 'xdp' or 'dpdk'\n"
		  "pool 'lan', real '10.0.0.21': weight '5000' is out of range: use a number 0 to "
		  "1000\n"
		  "vip 'web', service 'tcp' has no pool\n"
		  "vip 'web6' has address 203.0.113.80, as has vip 'web': an address is announced "
		  "as one: put its services into one vip\n");
}

TEST(Validate, AsksForEveryInterfaceAndNeighbourToBeWhole)
{
	ConfigPtr cfg = Parse(kFull);
	auto errs = std::make_unique<struct config_errors>();

	ASSERT_TRUE(cfg);
	cfg->node.n_interfaces = 0;
	cfg->bgp.neighbors[1].address = {};
	EXPECT_EQ(config_validate(cfg.get(), errs.get()), -EINVAL);
	EXPECT_EQ(Errors(*errs), "interfaces is empty\n"
				 "bgp, neighbor '' has no address\n");
	cfg->node.n_interfaces = 2;
}

TEST(Check, FindsDuplicatesAnywhereInAList)
{
	std::string errors;

	EXPECT_FALSE(
		Parse(FullWith("      - {address: 10.0.0.22}\n", "      - {address: 10.0.0.23}\n"
								 "      - {address: 10.0.0.22}\n"
								 "      - {address: 10.0.0.23}\n"),
		      &errors));
	EXPECT_EQ(errors, "f:38:19: real 10.0.0.23 stands in pool 'lan' twice (line 36): remove "
			  "one, and give the other the weight of both\n");
}

TEST(Check, ComparesTheTableWithTheReals)
{
	std::string errors, warnings,
		text = FullWith("encap: l2dsr\n", "encap: l2dsr\n    table_size: 251\n"), more;

	for (int i = 0; i < 2; i++)
		more += "      - {address: 10.0.1." + std::to_string(i) + "}\n";
	text.insert(text.find("vips:"), more);
	EXPECT_TRUE(Parse(text, &errors, &warnings)) << errors;
	EXPECT_EQ(warnings, "f:34:17: warning: pool 'lan' spreads unevenly: 4 reals share 251 "
			    "slots: raise table_size to a prime above 100 times the reals\n");
	for (int i = 2; i < 250; i++)
		text.insert(text.find("vips:"),
			    "      - {address: 10.0.1." + std::to_string(i) + "}\n");
	EXPECT_FALSE(Parse(text, &errors));
	EXPECT_EQ(errors, "f:34:17: pool 'lan' has 252 reals in a table of 251 slots: raise "
			  "table_size to a prime above 100 times the reals\n");
}
