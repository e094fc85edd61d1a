/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/testing.h"

/* node.dpdk: every key, what contradicts, and the way back to YAML. */

static const char *const kDpdk = R"(node:
  name: lb1
  interfaces: [eth0, eth1]
  engine: dpdk
  hash_seed: "0123456789abcdef0123456789abcdef"
  dpdk:
    cores: "4,1-3,7"
    ports:
      - {device: "net_af_xdp0,iface=eth0,start_queue=2", interface: eth0, exception: kernel, queues: 4, mtu: 1600}
      - {device: "net_af_xdp1,iface=eth1", interface: eth1, exception: kernel}
    rss: symmetric
    hugepages: false
    memory: 512
    descriptors: 2048
    idle: sleep
    eal: ["--log-level", "lib.eal:info"]
    tables: bpf
    fallback: xdp
)";

static std::string DpdkWith(const std::string &from, const std::string &to)
{
	std::string text = kDpdk;
	size_t at = text.find(from);

	EXPECT_NE(at, std::string::npos) << from;
	if (at != std::string::npos)
		text.replace(at, from.size(), to);
	return text;
}

TEST(Dpdk, ReadsEveryKey)
{
	ConfigPtr cfg = Parse(kDpdk);

	ASSERT_TRUE(cfg);
	EXPECT_EQ(cfg->node.engine, CONFIG_ENGINE_DPDK);
	ASSERT_TRUE(cfg->node.has_dpdk);
	const struct config_dpdk &d = cfg->node.dpdk;
	const uint16_t cores[] = {4, 1, 2, 3, 7};
	ASSERT_EQ(d.cores.n, 5);
	for (size_t i = 0; i < 5; i++)
		EXPECT_EQ(d.cores.cpu[i], cores[i]) << "in the order they were named in";
	ASSERT_EQ(d.n_ports, 2u);
	EXPECT_STREQ(d.ports[0].device, "net_af_xdp0,iface=eth0,start_queue=2");
	EXPECT_STREQ(d.ports[0].interface, "eth0");
	EXPECT_EQ(d.ports[0].exception, CONFIG_EXCEPTION_KERNEL);
	EXPECT_EQ(d.ports[0].queues, 4);
	EXPECT_EQ(d.ports[1].queues, 0);
	EXPECT_EQ(d.ports[0].mtu, 1600);
	EXPECT_EQ(d.ports[1].mtu, 0);
	EXPECT_EQ(d.rss, CONFIG_RSS_SYMMETRIC);
	EXPECT_FALSE(d.hugepages);
	EXPECT_EQ(d.memory_mib, 512u);
	EXPECT_EQ(d.descriptors, 2048);
	EXPECT_EQ(d.idle, CONFIG_IDLE_SLEEP);
	ASSERT_EQ(d.n_eal, 2u);
	EXPECT_STREQ(d.eal[1].text, "lib.eal:info");
	EXPECT_EQ(d.tables, CONFIG_TABLES_BPF);
	EXPECT_EQ(d.fallback, CONFIG_FALLBACK_XDP);
	EXPECT_EQ(config_find_port(&d, "eth1"), &d.ports[1]);
	EXPECT_EQ(config_find_port(&d, "eth2"), nullptr);
}

TEST(Dpdk, FillsDefaults)
{
	ConfigPtr cfg = Parse(R"(
node:
  name: lb1
  interfaces: [eth0]
  engine: dpdk
  hash_seed: "0123456789abcdef0123456789abcdef"
  dpdk: {cores: 2, ports: [{device: "0000:3b:00.0", interface: eth0}]}
)");

	ASSERT_TRUE(cfg);
	const struct config_dpdk &d = cfg->node.dpdk;
	ASSERT_EQ(d.cores.n, 1);
	EXPECT_EQ(d.cores.cpu[0], 2);
	EXPECT_EQ(d.ports[0].exception, CONFIG_EXCEPTION_TAP);
	EXPECT_EQ(d.rss, CONFIG_RSS_FLOW);
	EXPECT_TRUE(d.hugepages);
	EXPECT_EQ(d.memory_mib, 1024u);
	EXPECT_EQ(d.descriptors, 1024);
	EXPECT_EQ(d.idle, CONFIG_IDLE_POLL);
	EXPECT_EQ(d.n_eal, 0u);
	EXPECT_EQ(d.tables, CONFIG_TABLES_BPF);
	EXPECT_EQ(d.fallback, CONFIG_FALLBACK_NONE);
}

struct DpdkCase {
	const char *from, *to, *errors;
};

class BadDpdk : public testing::TestWithParam<DpdkCase>
{
};

TEST_P(BadDpdk, IsNamedWithItsPlaceAndItsFix)
{
	std::string errors;

	EXPECT_FALSE(Parse(DpdkWith(GetParam().from, GetParam().to), &errors));
	EXPECT_EQ(errors, GetParam().errors);
}

#define CPUS ": write CPUs 0 to 1023 and ranges of them, such as \"1-4,7\"\n"

static const DpdkCase kCores[] = {
	{"4,1-3,7", "4,1-3,2", "f:7:12: cores '4,1-3,2' names CPU 2 twice: name it once\n"},
	{"4,1-3,7", "0-9,3-4", "f:7:12: cores '0-9,3-4' names CPU 3 twice: name it once\n"},
	{"4,1-3,7", "3-1",
	 "f:7:12: cores '3-1' has a range that ends before it begins: write 1-3\n"},
	{"4,1-3,7", "1-", "f:7:12: cores '1-' has a range without an end" CPUS},
	{"4,1-3,7", "1,", "f:7:12: cores '1,' is no list of CPUs" CPUS},
	{"4,1-3,7", "1 2", "f:7:12: cores '1 2' is no list of CPUs" CPUS},
	{"4,1-3,7", "0x3", "f:7:12: cores '0x3' is no list of CPUs" CPUS},
	{"4,1-3,7", "1024", "f:7:12: cores '1024' names a CPU that can't be" CPUS},
	{"4,1-3,7", "99999999999999999999",
	 "f:7:12: cores '99999999999999999999' names a CPU that can't be" CPUS},
	{"4,1-3,7", "0-128", "f:7:12: cores '0-128' names too many CPUs: use at most 128\n"},
	{"    cores: \"4,1-3,7\"\n", "", "f:7:5: dpdk has no cores: add cores: \"1-4\"\n"},
};

static const DpdkCase kPorts[] = {
	{"interface: eth1", "interface: eth2",
	 "f:3:22: interface 'eth1' has no port in dpdk.ports: add a port with it, or remove the "
	 "interface\n"
	 "f:10:55: device 'net_af_xdp1,iface=eth1' is not on interface 'eth2': name the same "
	 "interface in both\n"
	 "f:10:55: interface 'eth2' is not one of node.interfaces: add it there, or remove the "
	 "port\n"},
	{"[eth0, eth1]", "[eth0]",
	 "f:10:55: interface 'eth1' is not one of node.interfaces: add it there, or remove the "
	 "port\n"},
	{"      - {device: \"net_af_xdp1,iface=eth1\", interface: eth1, exception: kernel}\n", "",
	 "f:3:22: interface 'eth1' has no port in dpdk.ports: add a port with it, or remove the "
	 "interface\n"},
	{"net_af_xdp1,iface=eth1\", interface: eth1", "net_af_xdp1,iface=eth0\", interface: eth0",
	 "f:3:22: interface 'eth1' has no port in dpdk.ports: add a port with it, or remove the "
	 "interface\n"
	 "f:10:55: interface 'eth0' has two ports (line 9): give each port an interface of its "
	 "own\n"},
	{"net_af_xdp1", "net_af_xdp0",
	 "f:10:18: device 'net_af_xdp0' has two ports (line 9): give each port a device of its "
	 "own\n"},
	{"\"net_af_xdp1,iface=eth1\"", "eth1",
	 "f:10:18: device 'eth1' is no device of DPDK: write a PCI address ('ethtool -i' shows it "
	 "as bus-info), or a virtual device such as \"net_af_xdp0,iface=eth0\"\n"},
	{"net_af_xdp1,iface=eth1", "net_af_xdp1",
	 "f:10:18: device 'net_af_xdp1' doesn't say on which interface: add ,iface= and the "
	 "interface's name\n"},
	{"net_af_xdp1,iface=eth1", "0000:3b:00.0",
	 "f:10:62: device '0000:3b:00.0' leaves no packets to the kernel: use exception tap, or a "
	 "net_af_xdp device\n"},
	{"eth0, exception: kernel, queues: 4", "eth0, exception: kernel, queues: 0",
	 "f:9:102: queues '0' is out of range: use a number 1 to 128\n"},
};

static const DpdkCase kRest[] = {
	{"interface: eth1, exception: kernel", "interface: eth1, exception: tap",
	 "f:10:72: fallback xdp needs a port whose interface the kernel keeps: use a net_af_xdp "
	 "device with exception: kernel, or fallback: none\n"},
	{"interface: eth1, exception: kernel", "interface: eth1",
	 "f:10:9: fallback xdp needs a port whose interface the kernel keeps: use a net_af_xdp "
	 "device with exception: kernel, or fallback: none\n"},
	{"eth0, exception: kernel, queues: 4", "eth0, exception: tap, queues: 4",
	 "f:9:86: fallback xdp needs a port whose interface the kernel keeps: use a net_af_xdp "
	 "device with exception: kernel, or fallback: none\n"
	 "f:9:107: exception tap can't have an mtu of 1600: use exception: virtio-user, or an mtu "
	 "of at most 1500\n"},
	{"mtu: 1600", "mtu: 1200",
	 "f:9:110: mtu '1200' is out of range: use a number 1280 to 65535\n"},
	{"tables: bpf", "tables: file",
	 "f:17:13: fallback xdp can't read tables that are files: use tables: bpf, or fallback: "
	 "none\n"},
	{"exception: kernel}", "exception: veth}",
	 "f:10:72: unknown exception 'veth': use 'tap' or 'virtio-user' or 'kernel'\n"
	 "f:10:72: fallback xdp needs a port whose interface the kernel keeps: use a net_af_xdp "
	 "device with exception: kernel, or fallback: none\n"},
	{"descriptors: 2048", "descriptors: 65536",
	 "f:14:18: descriptors '65536' is out of range: use a number 64 to 32768\n"},
	{"eal: [\"--log-level\", ", "eal: [\"\", ",
	 "f:16:11: argument has no value: give it one\n"},
	{"hugepages: false", "hugepage: false",
	 "f:12:5: unknown key 'hugepage': did you mean 'hugepages'?\n"},
};

INSTANTIATE_TEST_SUITE_P(Cores, BadDpdk, testing::ValuesIn(kCores));
INSTANTIATE_TEST_SUITE_P(Ports, BadDpdk, testing::ValuesIn(kPorts));
INSTANTIATE_TEST_SUITE_P(Rest, BadDpdk, testing::ValuesIn(kRest));

TEST(Dpdk, IsNeededByEngineDpdk)
{
	std::string errors;

	EXPECT_FALSE(Parse(FullWith("engine: xdp", "engine: dpdk"), &errors));
	EXPECT_EQ(errors, "f:4:11: engine dpdk has no dpdk: add dpdk: with cores and ports, or set "
			  "engine: xdp\n");
	EXPECT_FALSE(Parse(FullWith("engine: xdp", "engine: dpdk\n  dpdk:"), &errors));
	EXPECT_EQ(errors, "f:5:8: dpdk takes keys and values, found nothing: write 'key: value' "
			  "lines under it\n");
}

TEST(Dpdk, MayStayWhileAnotherEngineRuns)
{
	ConfigPtr cfg = Parse(DpdkWith("engine: dpdk", "engine: xdp"));

	ASSERT_TRUE(cfg);
	EXPECT_TRUE(cfg->node.has_dpdk);
}

class DpdkDifference : public testing::TestWithParam<std::pair<const char *, const char *>>
{
};

TEST_P(DpdkDifference, IsSeenClonedAndWritten)
{
	ConfigPtr base = Parse(kDpdk), cfg = Parse(DpdkWith(GetParam().first, GetParam().second));

	ASSERT_TRUE(base && cfg);
	EXPECT_FALSE(config_equal(base.get(), cfg.get()));
	EXPECT_FALSE(config_dpdk_equal(&base->node.dpdk, &cfg->node.dpdk));
	ConfigPtr clone(config_clone(cfg.get()));
	ASSERT_TRUE(clone);
	ConfigPtr again = Parse(Emit(clone.get()));
	ASSERT_TRUE(again);
	EXPECT_TRUE(config_equal(cfg.get(), again.get())) << Emit(clone.get());
	EXPECT_EQ(Emit(clone.get()), Emit(again.get()));
}

static const std::pair<const char *, const char *> kDifferences[] = {
	{"4,1-3,7", "1-4,7"},
	{"4,1-3,7", "0-126,1023"},
	{"4,1-3,7", "127"},
	{",start_queue=2", ""},
	{", queues: 4", ""},
	{"queues: 4", "queues: 5"},
	{", mtu: 1600", ""},
	{"mtu: 1600", "mtu: 9000"},
	{"rss: symmetric", "rss: flow"},
	{"hugepages: false", "hugepages: true"},
	{"memory: 512", "memory: 1024"},
	{"descriptors: 2048", "descriptors: 64"},
	{"idle: sleep", "idle: poll"},
	{"[\"--log-level\", \"lib.eal:info\"]", "[\"--no-telemetry\"]"},
	{"    eal: [\"--log-level\", \"lib.eal:info\"]\n", ""},
	{"tables: bpf\n    fallback: xdp", "tables: file"},
	{"fallback: xdp", "fallback: none"},
	{"exception: kernel}\n    rss: symmetric\n    hugepages: false\n    memory: 512\n"
	 "    descriptors: 2048\n    idle: sleep\n    eal: [\"--log-level\", \"lib.eal:info\"]\n"
	 "    tables: bpf\n    fallback: xdp",
	 "exception: virtio-user}"},
};

INSTANTIATE_TEST_SUITE_P(Emit, DpdkDifference, testing::ValuesIn(kDifferences));

TEST(Dpdk, CpusInNoOrderComeBackWhole)
{
	std::string cores;

	for (int cpu = 1023, n = 0; n < 128; n++, cpu -= 2)
		cores += (n ? "," : "") + std::to_string(cpu);
	ConfigPtr cfg = Parse(DpdkWith("4,1-3,7", cores));
	ASSERT_TRUE(cfg);
	EXPECT_NE(Emit(cfg.get()).find("\"" + cores + "\""), std::string::npos);
}

TEST(Dpdk, IsJudgedWhenItWasEdited)
{
	ConfigPtr cfg = Parse(kDpdk);
	auto errs = std::make_unique<struct config_errors>();

	ASSERT_TRUE(cfg);
	EXPECT_EQ(config_validate(cfg.get(), errs.get()), 0);
	cfg->node.dpdk.cores.n = 0;
	cfg->node.dpdk.ports[1].device[0] = '\0';
	cfg->node.dpdk.memory_mib = 1;
	EXPECT_EQ(config_validate(cfg.get(), errs.get()), -EINVAL);
	EXPECT_EQ(Errors(*errs), "node has no cores\n"
				 "node, port '' has no device\n"
				 "node: memory '1' is out of range: use a number 64 to 1048576\n");
}
