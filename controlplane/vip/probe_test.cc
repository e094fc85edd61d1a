/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/vip_fixture.h"

extern "C" {
#include "controlplane/vip/probe.h"
}

namespace
{

std::string node_of(const std::string &vips)
{
	return test_node() + "pools: [{name: web, encap: ipip, reals: [{address: 10.0.0.1}]}]\n" +
	       "vips: [" + vips + "]\n";
}

std::string vip(const std::string &name, const std::string &address,
		const std::string &services = "{protocol: tcp, port: 443, pool: web}")
{
	return "{name: " + name + ", address: " + address + ", services: [" + services + "]},";
}

std::string target(const std::string &vips, const char *name)
{
	Node node{node_of(vips)};
	struct addr a;
	char buf[ADDR_STRLEN];

	return vip_probe_address(node.cfg, config_find_vip(node.cfg, name), &a)
		       ? addr_format(&a, buf)
		       : "none";
}

TEST(Probe, IsAddressedToWhatTheVipItselfOwns)
{
	std::string wide = vip("wide", "203.0.113.0/24");

	EXPECT_EQ(target(wide, "wide"), "203.0.113.0");
	EXPECT_EQ(target(wide + vip("a", "203.0.113.0/25"), "wide"), "203.0.113.128");
	EXPECT_EQ(target(wide + vip("a", "203.0.113.0"), "wide"), "203.0.113.1");
	EXPECT_EQ(target(wide + vip("a", "203.0.113.0/25") + vip("b", "203.0.113.128/25"), "wide"),
		  "none");
	EXPECT_EQ(target(wide + vip("a", "203.0.113.0/25") + vip("b", "203.0.113.128/25"), "b"),
		  "203.0.113.128");
}

TEST(Probe, UsesAPortThatTheServiceGets)
{
	Node node{node_of(vip("v", "203.0.113.80",
			      "{protocol: tcp, port: any, pool: web},"
			      "{protocol: tcp, port: 1-80, pool: web},"
			      "{protocol: udp, port: 53, pool: web}"))};
	const struct config_vip *v = config_find_vip(node.cfg, "v");

	EXPECT_EQ(vip_probe_port(v, &v->services[0]), 81);
	EXPECT_EQ(vip_probe_port(v, &v->services[1]), 1);
	EXPECT_EQ(vip_probe_port(v, &v->services[2]), 53);
}

TEST(Probe, ComesFromASourceThatIsNotDenied)
{
	auto source = [](const std::string &address, const std::string &deny) {
		Node node{node_of(
			vip("v", address,
			    "{protocol: tcp, port: 443, pool: web, deny: [" + deny + "]}"))};
		const struct config_vip *v = config_find_vip(node.cfg, "v");
		struct addr a;
		char buf[ADDR_STRLEN];

		return std::string(vip_probe_source(v, &v->services[0], &a) ? addr_format(&a, buf)
									    : "none");
	};

	EXPECT_EQ(source("203.0.113.80", "198.51.100.0/24"), "192.0.2.255");
	EXPECT_EQ(source("203.0.113.80", "192.0.2.0/24, 1.0.0.0/8"), "2.0.2.255");
	EXPECT_EQ(source("203.0.113.80", "0.0.0.0/1, 128.0.0.0/1"), "none");
	EXPECT_EQ(source("\"2001:db9::80\"", "\"2001:db8::/32\""), "2002:db8::ffff");
}

} // namespace
