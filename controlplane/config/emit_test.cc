/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

#include <random>

/* What is written must read back as the same thing, whatever it is. */

static void ExpectRoundTrip(const struct config *cfg)
{
	std::string text = Emit(cfg), errors;
	ConfigPtr again = Parse(text, &errors);

	ASSERT_TRUE(again) << errors << text;
	EXPECT_TRUE(config_equal(cfg, again.get())) << text;
	EXPECT_EQ(Emit(again.get()), text);
}

TEST(Emit, WritesEveryKeyBack)
{
	ConfigPtr cfg = Parse(kFull);

	ASSERT_TRUE(cfg);
	ExpectRoundTrip(cfg.get());
}

TEST(Emit, LeavesDefaultsOut)
{
	ConfigPtr cfg = Parse(R"(
node: {name: "on", interfaces: [eth0], engine: xdp, hash_seed: 00000000000000000000000000000001, drain_time: 5000ms, tunnel_source: {ipv4: 10.1.0.0/16, ipv6: "2001:db8::1"}}
metrics: {listen: 127.0.0.1:9477}
pools: [{name: web, encap: ipip, table_size: 65537, reals: [{address: "2001:DB8:0::2", weight: 100}, {address: 10.0.0.1, weight: 99}]}]
vips: [{name: 8ball, address: 203.0.113.1, services: [{protocol: tcp, port: any, pool: web}], announce: {when: healthy}}]
)");

	ASSERT_TRUE(cfg);
	EXPECT_EQ(Emit(cfg.get()), R"(node:
  name: "on"
  interfaces: [eth0]
  tunnel_source: {ipv4: 10.1.0.0/16, ipv6: "2001:db8::1"}
  hash_seed: "00000000000000000000000000000001"
pools:
  - name: web
    encap: ipip
    reals:
      - {address: "2001:db8::2"}
      - {address: 10.0.0.1, weight: 99}
vips:
  - name: "8ball"
    address: 203.0.113.1
    services:
      - {protocol: tcp, port: any, pool: web}
)");
}

/* Each is valid, and must make a difference to config_equal(), survive a clone and be written. */
class Difference : public testing::TestWithParam<std::pair<const char *, const char *>>
{
};

TEST_P(Difference, IsSeenClonedAndWritten)
{
	ConfigPtr base = Parse(kFull);
	ConfigPtr cfg = Parse(FullWith(GetParam().first, GetParam().second));

	ASSERT_TRUE(base && cfg);
	EXPECT_FALSE(config_equal(base.get(), cfg.get()));
	ConfigPtr clone(config_clone(cfg.get()));
	ASSERT_TRUE(clone);
	EXPECT_TRUE(config_equal(cfg.get(), clone.get()));
	ExpectRoundTrip(clone.get());
}

static const std::pair<const char *, const char *> kDifferences[] = {
	{"name: lb1", "name: lb2"},
	{"[eth0, eth1]", "[eth0]"},
	{"[eth0, eth1]", "[eth1, eth0]"},
	{"[eth0, eth1]", "[eth0, \"eth1.100@x\"]"},
	{"xdp_mode: generic", "xdp_mode: native"},
	{"ipv4: 192.0.2.10,", "ipv4: 192.0.2.0/24,"},
	{"2001:db8:1::/64", "2001:db8:1::"},
	{"\"0123456789", "\"1123456789"},
	{"drain_time: 7s", "drain_time: 0s"},
	{"asn: 64512", "asn: 64513"},
	{"router_id: 192.0.2.10", "router_id: 192.0.2.12"},
	{"    - address: 192.0.2.1\n", "    - address: 192.0.2.3\n"},
	{"asn: 64500", "asn: 64501"},
	{"hold_time: 30s", "hold_time: 2m"},
	{"port: 1790", "port: 179"},
	{"se\\\"cr\\\\et ", "#: {}[]&*!|>'%@`,-?"},
	{"      password: \"se\\\"cr\\\\et \"\n", ""},
	{"next_hop: {ipv4: 192.0.2.11, ", "next_hop: {"},
	{"      next_hop: {ipv4: 192.0.2.11, ipv6: \"2001:db8::11\"}\n", ""},
	{"ttl_security: true", "ttl_security: false"},
	{"passive: true", "passive: false"},
	{"\"[::1]:9478\"", "none"},
	{"\"[::1]:9478\"", "0.0.0.0:9478"},
	{"encap: l2dsr", "encap: ipip"},
	{"table_size: 4099", "table_size: 251"},
	{"min_healthy: 2", "min_healthy: 1"},
	{"type: https", "type: http"},
	{"port: 8443", "port: 443"},
	{"path: /healthz", "path: \"/a?b=%20&c,d:{e}\""},
	{"host: www.example.com", "host: \"www.example.com:8080\""},
	{"interval: 5s", "interval: 1h"},
	{"timeout: 1500ms", "timeout: 1s"},
	{"rise: 4", "rise: 1"},
	{"fall: 5", "fall: 1"},
	{"weight: 50", "weight: 51"},
	{", mac: \"02:00:00:00:00:0c\"", ""},
	{"00:00:0c", "00:01:0c"},
	{"address: 10.0.0.22", "address: 10.0.0.23"},
	{"address: 203.0.113.80", "address: 203.0.113.81"},
	{"protocol: tcp, port: 80", "protocol: udp, port: 80"},
	{"port: any", "port: 1"},
	{"{protocol: udp, port: any, pool: lan}", "{protocol: udp, port: any, pool: web}"},
	{"when: always", "when: never"},
	{"when: always", "when: healthy"},
};

INSTANTIATE_TEST_SUITE_P(Emit, Difference, testing::ValuesIn(kDifferences));

TEST(Equal, ComparesObjectsByThemselves)
{
	ConfigPtr a = Parse(kFull), b = Parse(FullWith("weight: 50", "weight: 51"));

	ASSERT_TRUE(a && b);
	EXPECT_FALSE(config_pool_equal(&a->pools[0], &b->pools[0]));
	EXPECT_TRUE(config_pool_equal(&a->pools[1], &b->pools[1]));
	EXPECT_TRUE(config_health_equal(&a->pools[0].health, &b->pools[0].health));
	EXPECT_FALSE(config_real_equal(&a->pools[0].reals[0], &b->pools[0].reals[0]));
	EXPECT_TRUE(config_vip_equal(&a->vips[0], &b->vips[0]));
	EXPECT_FALSE(config_vip_equal(&a->vips[0], &b->vips[1]));
	EXPECT_TRUE(config_service_equal(&a->vips[0].services[0], &b->vips[0].services[0]));
	EXPECT_TRUE(config_node_equal(&a->node, &b->node));
	EXPECT_TRUE(config_metrics_equal(&a->metrics, &b->metrics));
	EXPECT_TRUE(config_bgp_equal(&a->bgp, &b->bgp));
	EXPECT_FALSE(config_neighbor_equal(&a->bgp.neighbors[0], &b->bgp.neighbors[1]));
}

TEST(Equal, MarksAndBytesBehindAStringDoNotCount)
{
	ConfigPtr a = Parse(kFull), b = Parse(std::string("\n\n") + kFull);

	ASSERT_TRUE(a && b);
	strcpy(b->node.name + 4, "left over");
	EXPECT_TRUE(config_equal(a.get(), b.get()));
}

TEST(Equal, HealthThatIsNotThereIsNotCompared)
{
	ConfigPtr a = Parse(kFull), b = Parse(kFull);

	ASSERT_TRUE(a && b);
	a->pools[0].has_health = b->pools[0].has_health = false;
	a->pools[0].health.rise = 9;
	EXPECT_TRUE(config_pool_equal(&a->pools[0], &b->pools[0]));
	b->pools[0].has_health = true;
	EXPECT_FALSE(config_pool_equal(&a->pools[0], &b->pools[0]));
}

/* ---- Random configurations ---- */

class Dice
{
      public:
	explicit Dice(unsigned seed) : engine(seed)
	{
	}

	unsigned upto(unsigned n)
	{
		return std::uniform_int_distribution<unsigned>(0, n)(engine);
	}

	std::string name(unsigned number)
	{
		static const char letters[] = "aZ09._-";
		std::string s = std::to_string(number);

		for (unsigned i = upto(20); i; i--)
			s += letters[upto(6)];
		return upto(1) ? s : "n" + s;
	}

	std::string address(unsigned number, bool ipv6)
	{
		char text[64];

		if (ipv6)
			snprintf(text, sizeof(text), "\"2001:db8:%x::%x\"",
				 upto(1) ? upto(65535) : 0, number + 1);
		else
			snprintf(text, sizeof(text), "10.%u.%u.%u", 1 + upto(254),
				 number >> 8 & 255, number & 255);
		return text;
	}

	std::string quoted()
	{
		std::string s;

		for (unsigned i = 1 + upto(30); i; i--) {
			char c = (char)(' ' + upto('~' - ' '));

			s += c == '\'' ? "''" : std::string(1, c);
		}
		return "'" + s + "'";
	}

      private:
	std::mt19937 engine;
};

static std::string RandomPools(Dice &dice, std::vector<std::string> *ret_names)
{
	std::string text = "pools:\n";

	for (unsigned p = 0, n = 1 + dice.upto(4); p < n; p++) {
		ret_names->push_back(dice.name(p));
		text += "- name: \"" + ret_names->back() + "\"\n  encap: ipip\n";
		if (dice.upto(1))
			text += "  health: {type: http, port: " +
				std::to_string(1 + dice.upto(65534)) +
				", interval: " + std::to_string(100 + dice.upto(100000)) + "ms}\n";
		text += "  reals:\n";
		for (unsigned r = 0, m = 1 + dice.upto(9); r < m; r++)
			text += "  - {address: " + dice.address(r, dice.upto(1)) +
				", weight: " + std::to_string(dice.upto(1000)) + "}\n";
	}
	return text;
}

static std::string RandomText(unsigned seed)
{
	Dice dice(seed);
	std::vector<std::string> pools;
	std::string text =
		"node: {name: \"" + dice.name(0) +
		"\", interfaces: [eth0], hash_seed: \"0123456789abcdef0123456789abcdef\", "
		"tunnel_source: {ipv4: 192.0.2.1, ipv6: \"2001:db9::/32\"}, drain_time: " +
		std::to_string(dice.upto(100000)) + "ms}\n";

	if (dice.upto(1))
		text += "bgp: {asn: 64512, router_id: 192.0.2.1, neighbors: [{address: " +
			dice.address(1, dice.upto(1)) + ", asn: 7, password: " + dice.quoted() +
			"}]}\n";
	text += RandomPools(dice, &pools) + "vips:\n";
	for (unsigned v = 0, n = 1 + dice.upto(4); v < n; v++) {
		text += "- name: \"" + dice.name(v) +
			"\"\n  address: " + dice.address(1000 + v, dice.upto(1)) +
			"\n  services:\n";
		for (unsigned s = 0, m = 1 + dice.upto(3); s < m; s++)
			text += "  - {protocol: " + std::string(dice.upto(1) ? "tcp" : "udp") +
				", port: " + std::to_string(s * 1000 + 1 + dice.upto(999)) +
				", pool: \"" + pools[dice.upto((unsigned)pools.size() - 1)] +
				"\"}\n";
	}
	return text;
}

TEST(Emit, RoundTripsWhateverIsValid)
{
	for (unsigned seed = 0; seed < 300; seed++) {
		SCOPED_TRACE(seed);
		ConfigPtr cfg = Parse(RandomText(seed));

		ASSERT_TRUE(cfg) << RandomText(seed);
		ExpectRoundTrip(cfg.get());
		ConfigPtr clone(config_clone(cfg.get()));
		ASSERT_TRUE(clone);
		EXPECT_TRUE(config_equal(cfg.get(), clone.get()));
		if (HasFailure())
			break;
	}
}
