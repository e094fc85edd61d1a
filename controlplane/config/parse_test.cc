/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct TextCase {
	const char *text, *errors;
};

struct KeyCase {
	const char *from, *to, *errors;
};

class BadText : public testing::TestWithParam<TextCase>
{
};

TEST_P(BadText, IsRefusedWithItsPlaceAndItsFix)
{
	std::string errors;

	EXPECT_FALSE(Parse(GetParam().text, &errors));
	EXPECT_EQ(errors, GetParam().errors);
}

static const TextCase kSyntax[] = {
	{"",
	 "f:1:1: the file is empty: write at least a node: section; 'man fairway.yaml' has an example\n"},
	{"# nothing\n",
	 "f:1:1: the file is empty: write at least a node: section; 'man fairway.yaml' has an example\n"},
	{"---\n",
	 "f:1:1: the file is empty: write at least a node: section; 'man fairway.yaml' has an example\n"},
	{"node: {name: a",
	 "f:2:1: not YAML: did not find expected ',' or '}', in what began on line 1: close the { or put a comma between its keys\n"},
	{"node: [a\nb: c",
	 "f:2:2: not YAML: did not find expected ',' or ']', in what began on line 1: close the [ or put a comma between its items\n"},
	{"node:\n  name: lb1\n   engine: xdp\n",
	 "f:3:10: not YAML: mapping values are not allowed in this context: indent it as its neighbours, or quote the value if it holds ': '\n"},
	{"a: b: c\n",
	 "f:1:5: not YAML: mapping values are not allowed in this context: indent it as its neighbours, or quote the value if it holds ': '\n"},
	{"node: \"abc\n", "f:1:7: not YAML: found unexpected end of stream: close the quote\n"},
	{"a: @x",
	 "f:1:4: not YAML: found character that cannot start any token: put quotes around the value\n"},
	{"a: \001b",
	 "f:1:4: a byte that is not text (control characters are not allowed): save the file as plain UTF-8 text\n"},
	{"node:\n\tname: a\n", "f:2:1: a tab indents this line: indent with spaces\n"},
	{"node:\n  name: a\n  \tengine: x\n",
	 "f:3:3: a tab indents this line: indent with spaces\n"},
	{"---\nnode: {}\n---\nnode: {}\n",
	 "f:3:1: a second YAML document: keep one, and remove this '---'\n"},
	{"node: &a {b: c}",
	 "f:1:7: anchors (&name) are not supported: write the value out where it is needed\n"},
	{"node: {name: *a}",
	 "f:1:14: aliases (*name) are not supported: write the value out here\n"},
	{"node: !!map {}", "f:1:7: tags (!name) are not supported: remove it\n"},
	{"%TAG ! tag:example.com,2026:\n---\nnode: !x {}",
	 "f:3:7: tags (!name) are not supported: remove it\n"},
	{"[[[[[[[[[[[[[[[[[[[[", "f:1:17: nested more than 16 deep: nothing here needs that\n"},
	{"node: {name: \"a\\0b\"}", "f:1:14: a value with a NUL in it: remove the \\0\n"},
	{"node: \"\\q\"",
	 "f:1:8: not YAML: found unknown escape character: write the text in 'single quotes', where \\ is nothing special\n"},
	{"%YAML 3.0\n---\na: b",
	 "f:1:1: not YAML: found incompatible YAML document: see 'man fairway.yaml' for the shape of this file\n"},
	{"node: {}}",
	 "f:1:9: not YAML: did not find expected key: check the indentation, and commas between { and }\n"},
};

static const TextCase kShapes[] = {
	{"[]",
	 "f:1:1: the configuration takes keys and values, found a list: write 'key: value' lines under it\n"},
	{"lb1",
	 "f:1:1: the configuration takes keys and values, found a single value: write 'key: value' lines under it\n"},
	{"node: ~\n",
	 "f:1:7: node takes keys and values, found a single value: write 'key: value' lines under it\n"},
	{"? [a]\n: b\n",
	 "f:1:1: the configuration has no node: add node: with name, interfaces and hash_seed\n"
	 "f:1:3: a key must be one word: write 'key: value'\n"},
	{"<<: {a: b}\nnode: {name: a, interfaces: [b], hash_seed: 00000000000000000000000000000001}\n",
	 "f:1:1: unknown key '<<': the configuration has node, bgp, metrics, pools, vips\n"},
	{"node:\015\n  name: a\015\n  interfaces: [b]\015\n  hash_sed: 1\015\n",
	 "f:4:3: unknown key 'hash_sed': did you mean 'hash_seed'?\n"},
	{"pools: {name: web}\nvips:\n",
	 "f:1:1: the configuration has no node: add node: with name, interfaces and hash_seed\n"
	 "f:1:8: pools takes a list, found keys and values: begin each item with '- ' on a line of its own, or put [ ] around them\n"
	 "f:2:6: vips takes a list, found nothing: begin each item with '- ' on a line of its own, or put [ ] around them\n"},
};

INSTANTIATE_TEST_SUITE_P(Syntax, BadText, testing::ValuesIn(kSyntax));
INSTANTIATE_TEST_SUITE_P(Shape, BadText, testing::ValuesIn(kShapes));

class BadKey : public testing::TestWithParam<KeyCase>
{
};

TEST_P(BadKey, IsNamedWithItsPlaceAndItsFix)
{
	std::string errors;

	EXPECT_FALSE(Parse(FullWith(GetParam().from, GetParam().to), &errors));
	EXPECT_EQ(errors, GetParam().errors);
}

static const KeyCase kKeys[] = {
	{"protocol: tcp, port: 443", "protocol: tcp, prot: 443",
	 "f:41:25: unknown key 'prot': did you mean 'port'?\n"},
	{"  engine: xdp", "  speed: fast",
	 "f:4:3: unknown key 'speed': node has name, interfaces, engine, xdp_mode, dpdk, tunnel_source, hash_seed, drain_time, icmp, tracking\n"},
	{"  drain_time: 7s", "  name: lb2",
	 "f:8:3: key 'name' stands here twice, first on line 2: remove one of them\n"},
	{"      asn: 64500\n", "", "f:13:7: a neighbor has no asn: add asn: 64500\n"},
	{"reals:\n      - {address: 10.0.0.21, weight: 0}\n      - {address: 10.0.0.22}", "reals:",
	 "f:34:11: reals takes a list, found nothing: begin each item with '- ' on a line of its own, or put [ ] around them\n"},
	{"pools:", "pols:", "f:23:1: unknown key 'pols': did you mean 'pools'?\n"},
	{"  hash_seed: \"0123456789abcdef0123456789abcdef\"\n", "",
	 "f:2:3: node has no hash_seed: add hash_seed: \"<32 hex digits>\", the same on every node ('openssl rand -hex 16' makes one)\n"},
};

INSTANTIATE_TEST_SUITE_P(Key, BadKey, testing::ValuesIn(kKeys));

TEST(Parse, ReadsEveryKey)
{
	ConfigPtr cfg = Parse(kFull);

	ASSERT_TRUE(cfg);
	EXPECT_STREQ(cfg->file, "f");
	EXPECT_STREQ(cfg->node.name, "lb1");
	ASSERT_EQ(cfg->node.n_interfaces, 2u);
	EXPECT_STREQ(cfg->node.interfaces[1].name, "eth1");
	EXPECT_EQ(cfg->node.engine, CONFIG_ENGINE_XDP);
	EXPECT_EQ(cfg->node.xdp_mode, CONFIG_XDP_GENERIC);
	EXPECT_EQ(cfg->node.tunnel_source.ipv4.len, 32);
	EXPECT_EQ(cfg->node.tunnel_source.ipv6.len, 64);
	EXPECT_EQ(cfg->node.hash_seed[0], 0x01);
	EXPECT_EQ(cfg->node.hash_seed[15], 0xef);
	EXPECT_EQ(cfg->node.drain_time_ms, 7000u);
	EXPECT_EQ(cfg->metrics.listen.port, 9478);
	EXPECT_EQ(cfg->metrics.listen.addr.family, 6);

	ASSERT_TRUE(cfg->has_bgp);
	EXPECT_EQ(cfg->bgp.asn, 64512u);
	ASSERT_EQ(cfg->bgp.n_neighbors, 2u);
	const struct config_neighbor &n = cfg->bgp.neighbors[0];
	EXPECT_EQ(n.asn, 64500u);
	EXPECT_EQ(n.hold_time_ms, 30000u);
	EXPECT_EQ(n.port, 1790);
	EXPECT_STREQ(n.password, "se\"cr\\et ");
	EXPECT_EQ(n.next_hop.ipv4.family, 4);
	EXPECT_EQ(n.next_hop.ipv6.family, 6);
	EXPECT_TRUE(n.ttl_security);
	EXPECT_TRUE(n.passive);
	EXPECT_EQ(cfg->bgp.neighbors[1].asn, 4200000000u);

	ASSERT_EQ(cfg->n_pools, 2u);
	const struct config_pool &p = cfg->pools[0];
	EXPECT_EQ(p.encap, CONFIG_ENCAP_IPIP);
	EXPECT_EQ(p.table_size, 4099u);
	EXPECT_EQ(p.min_healthy, 2u);
	ASSERT_TRUE(p.has_health);
	EXPECT_EQ(p.health.type, CONFIG_HEALTH_HTTPS);
	EXPECT_EQ(p.health.port, 8443);
	EXPECT_STREQ(p.health.path, "/healthz");
	EXPECT_STREQ(p.health.host, "www.example.com");
	EXPECT_EQ(p.health.interval_ms, 5000u);
	EXPECT_EQ(p.health.timeout_ms, 1500u);
	EXPECT_EQ(p.health.rise, 4u);
	EXPECT_EQ(p.health.fall, 5u);
	EXPECT_EQ(p.health.via, CONFIG_HEALTH_DIRECT);
	ASSERT_EQ(p.n_reals, 2u);
	EXPECT_EQ(p.reals[0].weight, 50u);
	EXPECT_TRUE(p.reals[0].mac.set);
	EXPECT_TRUE(p.reals[1].mac.set);
	EXPECT_EQ(p.reals[1].mac.bytes[5], 0x0c);
	EXPECT_FALSE(cfg->pools[1].has_health);

	ASSERT_EQ(cfg->n_vips, 2u);
	const struct config_vip &v = cfg->vips[0];
	ASSERT_EQ(v.n_services, 2u);
	EXPECT_EQ(v.services[0].protocol, CONFIG_TCP);
	EXPECT_TRUE(ports_equal(v.services[0].ports, ports_one(443)));
	EXPECT_STREQ(v.services[0].pool, "web");
	EXPECT_EQ(v.services[1].protocol, CONFIG_UDP);
	EXPECT_TRUE(ports_any(v.services[1].ports));
	EXPECT_EQ(v.announce.when, CONFIG_ANNOUNCE_ALWAYS);
}

TEST(Parse, FillsDefaults)
{
	ConfigPtr cfg = Parse(R"(
node: {name: lb1, interfaces: [eth0], hash_seed: 01234567890123456789012345678901, tunnel_source: {ipv4: 192.0.2.10}}
bgp: {asn: 64512, router_id: 192.0.2.10, neighbors: [{address: 192.0.2.1, asn: 64500}]}
pools:
- {name: a, encap: ipip, health: {type: http, port: 80}, reals: [{address: 10.0.0.1}]}
- {name: b, encap: ipip, health: {type: tcp, port: 80, interval: 500ms}, reals: [{address: 10.0.0.1}]}
vips:
- {name: a, address: 203.0.113.1, services: [{protocol: tcp, port: 80, pool: a}]}
)");

	ASSERT_TRUE(cfg);
	EXPECT_EQ(cfg->node.engine, CONFIG_ENGINE_XDP);
	EXPECT_EQ(cfg->node.xdp_mode, CONFIG_XDP_NATIVE);
	EXPECT_EQ(cfg->node.drain_time_ms, 5000u);
	EXPECT_EQ(cfg->node.hash_seed[4], 0x89) << "digits alone are hex, not a number";
	EXPECT_EQ(cfg->metrics.listen.port, 9477);
	EXPECT_EQ(cfg->bgp.neighbors[0].hold_time_ms, 9000u);
	EXPECT_EQ(cfg->bgp.neighbors[0].port, 179);
	EXPECT_EQ(cfg->pools[0].table_size, 65537u);
	EXPECT_EQ(cfg->pools[0].min_healthy, 1u);
	EXPECT_EQ(cfg->pools[0].health.interval_ms, 2000u);
	EXPECT_EQ(cfg->pools[0].health.timeout_ms, 1000u);
	EXPECT_EQ(cfg->pools[0].health.rise, 2u);
	EXPECT_EQ(cfg->pools[0].health.fall, 3u);
	EXPECT_STREQ(cfg->pools[0].health.path, "/");
	EXPECT_EQ(cfg->pools[0].reals[0].weight, 100u);
	EXPECT_EQ(cfg->pools[1].health.timeout_ms, 500u) << "never above the interval";
	EXPECT_STREQ(cfg->pools[1].health.path, "");
	EXPECT_EQ(cfg->vips[0].announce.when, CONFIG_ANNOUNCE_HEALTHY);
}

TEST(Parse, RemembersWhereObjectsStood)
{
	ConfigPtr cfg = Parse(kFull);

	ASSERT_TRUE(cfg);
	EXPECT_EQ(cfg->node.mark.line, 2u);
	EXPECT_EQ(cfg->bgp.neighbors[1].mark.line, 21u);
	EXPECT_EQ(cfg->pools[0].reals[1].mark.line, 31u);
	EXPECT_EQ(cfg->vips[0].services[1].mark.line, 42u);
	EXPECT_EQ(cfg->vips[0].services[1].mark.column, 9u);
}

TEST(Parse, TakesAByteOrderMarkAndWindowsLineEnds)
{
	std::string text = "\xef\xbb\xbf", errors;

	for (const char *c = kFull; *c; c++)
		text += *c == '\n' ? "\r\n" : std::string(1, *c);
	ConfigPtr cfg = Parse(text), plain = Parse(kFull);
	ASSERT_TRUE(cfg && plain);
	EXPECT_TRUE(config_equal(cfg.get(), plain.get()));
	EXPECT_FALSE(Parse("\xef\xbb\xbfnope: 1\n", &errors));
	EXPECT_EQ(errors.substr(0, 6), "f:1:1:");
}

TEST(Parse, FindsAllErrorsInOnePassInTheOrderOfTheFile)
{
	std::string text = FullWith("engine: xdp", "engine: foo"), errors;

	text.replace(text.find("port: 443"), 9, "port: 443443");
	text.replace(text.find("pool: lan"), 9, "pool: lam");
	text.replace(text.find("address: 10.0.0.22"), 18, "address: 10.0.0.21");
	EXPECT_FALSE(Parse(text, &errors));
	EXPECT_EQ(
		errors,
		"f:4:11: unknown engine 'foo': use 'xdp' or 'dpdk'\n"
		"f:36:19: real 10.0.0.21 stands in pool 'lan' twice (line 35): remove "
		"one, and give the other the weight of both\n"
		"f:41:31: port '443443' is out of range: use a number 1 to 65535, a range such as 8000-8999, or "
		"'any'\n"
		"f:42:42: vip 'web' has a service to pool 'lam', which does not exist: "
		"did you mean 'lan'?\n");
}

TEST(Parse, CountsErrorsBeyondTwenty)
{
	std::string text = "pools:\n", errors;

	for (int i = 0; i < 30; i++)
		text += "  - {name: p" + std::to_string(i) + ", encap: ipip, color: red}\n";
	EXPECT_FALSE(Parse(text, &errors));
	EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), CONFIG_ERRORS_MAX + 1);
	EXPECT_NE(errors.find("f: and 11 more\n"), std::string::npos) << errors;
}

TEST(Parse, DoesNotFollowOneErrorWithOthersOfTheSameCause)
{
	std::string errors;

	EXPECT_FALSE(Parse(FullWith("name: web\n    encap", "name: w/b\n    encap"), &errors));
	EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
	EXPECT_FALSE(Parse(FullWith("ipv6: \"2001:db8:1::/64\"", "ipv6: nope"), &errors));
	EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
}

TEST(Parse, LeavesTheResultAloneOnFailure)
{
	auto errs = std::make_unique<struct config_errors>();
	struct config mark, *cfg = &mark;

	EXPECT_EQ(config_parse("nope", 4, "f", &cfg, errs.get()), -EINVAL);
	EXPECT_EQ(cfg, &mark);
}

/* ---- Files ---- */

class LoadFile : public testing::Test
{
      protected:
	void SetUp() override
	{
		char name[] = "/tmp/config_load.XXXXXX";

		ASSERT_NE(mkdtemp(name), nullptr);
		dir = name;
		path = dir + "/fairway.yaml";
	}

	void TearDown() override
	{
		unlink(path.c_str());
		rmdir(dir.c_str());
	}

	void Write(const std::string &text)
	{
		FILE *f = fopen(path.c_str(), "w");

		ASSERT_NE(f, nullptr);
		ASSERT_EQ(fwrite(text.data(), 1, text.size(), f), text.size());
		ASSERT_EQ(fclose(f), 0);
	}

	std::string Load(int want, const std::string &name)
	{
		auto errs = std::make_unique<struct config_errors>();
		struct config *cfg = nullptr;

		EXPECT_EQ(config_load(name.c_str(), &cfg, errs.get()), want);
		config_free(cfg);
		std::string errors = Errors(*errs);
		/* Without the directory's random name. */
		return errors.rfind(dir, 0) == 0 ? errors.substr(dir.size()) : errors;
	}

	std::string dir, path;
};

TEST_F(LoadFile, ReadsAFile)
{
	Write(kFull);
	EXPECT_EQ(Load(0, path), "");
}

TEST_F(LoadFile, SaysWhatIsWrongWithTheFileItself)
{
	EXPECT_EQ(Load(-ENOENT, path), "/fairway.yaml: No such file or directory: check the path, "
				       "or create the file\n");
	EXPECT_EQ(Load(-EISDIR, dir), ": is a directory: name the file in it\n");
	EXPECT_EQ(Load(-EINVAL, "/dev/null"), "/dev/null: is not a regular file: name a file\n");
	Write("");
	EXPECT_EQ(Load(-EINVAL, path),
		  "/fairway.yaml:1:1: the file is empty: write at least a node: section; 'man "
		  "fairway.yaml' has an example\n");
	Write(std::string("\x7f"
			  "ELF\0\0",
			  6));
	EXPECT_EQ(Load(-EINVAL, path), "/fairway.yaml: not a text file: is this the right file?\n");
	ASSERT_EQ(truncate(path.c_str(), CONFIG_FILE_MAX + 1), 0);
	EXPECT_EQ(Load(-EFBIG, path),
		  "/fairway.yaml: bigger than 16 MiB: is this the right file?\n");
}

TEST_F(LoadFile, DoesNotHangOnAFifo)
{
	ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
	EXPECT_EQ(Load(-EINVAL, path), "/fairway.yaml: is not a regular file: name a file\n");
}

TEST_F(LoadFile, SaysThatItMayNotBeRead)
{
	Write(kFull);
	ASSERT_EQ(chmod(path.c_str(), 0), 0);
	/* Root may read everything: be somebody else for a moment. */
	bool root = geteuid() == 0;
	ASSERT_TRUE(!root || seteuid(65534) == 0);
	EXPECT_EQ(Load(-EACCES, path),
		  "/fairway.yaml: Permission denied: run as root, or let this user read it\n");
	ASSERT_TRUE(!root || seteuid(0) == 0);
}

/* ---- Size ---- */

static double CpuSeconds()
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Sanitizers slow everything tenfold; what is quadratic would take a hundred times longer. */
#if defined(__SANITIZE_ADDRESS__)
static const double kLimitSeconds = 8;
#else
static const double kLimitSeconds = 0.8;
#endif

static std::string BigText(const char *pool_of_service)
{
	std::string text = "node: {name: lb1, interfaces: [eth0], hash_seed: "
			   "00000000000000000000000000000001, tunnel_source: {ipv4: 192.0.2.1}}\n"
			   "pools:\n";
	auto address = [](int i) {
		return std::to_string(i >> 16 & 255) + "." + std::to_string(i >> 8 & 255) + "." +
		       std::to_string(i & 255);
	};

	text += "  - name: big\n    encap: ipip\n    table_size: 1048573\n    reals:\n";
	for (int i = 0; i < 10000; i++)
		text += "      - {address: 10." + address(i) + ", weight: 7}\n";
	for (int p = 0; p < 1000; p++) {
		text += "  - name: p" + std::to_string(p) + "\n    encap: ipip\n    reals:\n";
		for (int i = 0; i < 10; i++)
			text += "      - {address: 11." + address(10 * p + i) + "}\n";
	}
	text += "vips:\n";
	for (int v = 0; v < 1000; v++) {
		text += "  - name: v" + std::to_string(v) + "\n    address: 100." + address(v) +
			"\n    services:\n";
		for (int s = 1; s <= 10; s++)
			text += "      - {protocol: tcp, port: " + std::to_string(s) +
				", pool: " + pool_of_service + std::to_string(v) + "}\n";
	}
	return text;
}

TEST(Parse, TakesAThousandVipsAndTenThousandRealsInItsStride)
{
	std::string text = BigText("p");
	double start = CpuSeconds();
	ConfigPtr cfg = Parse(text);
	double seconds = CpuSeconds() - start;

	ASSERT_TRUE(cfg);
	EXPECT_EQ(cfg->n_vips, 1000u);
	EXPECT_LT(seconds, kLimitSeconds);
	RecordProperty("cpu_ms", (int)(seconds * 1000));
}

TEST(Parse, ErrorsByTheThousandCostNoMore)
{
	std::string text = BigText("q"), errors;
	double start = CpuSeconds();

	EXPECT_FALSE(Parse(text, &errors));
	EXPECT_LT(CpuSeconds() - start, kLimitSeconds);
	EXPECT_NE(errors.find("f: and 9980 more\n"), std::string::npos);
}
