/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <net/if.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "controlplane/base/clock.h"
#include "controlplane/publish/dpdk_backend.h"
#include "controlplane/publish/publish.h"
#include "controlplane/publish/xdp_backend.h"
#include "dataplane/xdp/dispatcher.h"
#include "dataplane/xdp/engine.h"

#include "bpf/xdp_drop.skel.h"
}

namespace
{

/* Everything happens in namespaces of this process's own: a veth pair and a bpffs that vanish with
 * it. */
class Engine : public testing::Test
{
      protected:
	static void SetUpTestSuite()
	{
		char template_dir[] = "/tmp/fwxdpXXXXXX";

		if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS))
			return;
		ASSERT_EQ(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
		ASSERT_NE(mkdtemp(template_dir), nullptr);
		dir = template_dir;
		ASSERT_EQ(mount("tmpfs", dir.c_str(), "tmpfs", 0, NULL), 0);
		bpffs = dir + "/bpf";
		ASSERT_EQ(mkdir(bpffs.c_str(), 0700), 0);
		ASSERT_EQ(mount("bpf", bpffs.c_str(), "bpf", 0, NULL), 0);
		ASSERT_EQ(system("ip link add v0 type veth peer name v1 && ip link set v0 up && "
				 "ip link set v1 up"),
			  0);
		ready = true;
	}

	static void TearDownTestSuite()
	{
		if (dir.empty())
			return;
		umount2(dir.c_str(), MNT_DETACH);
		rmdir(dir.c_str());
		dir.clear();
		ready = false;
	}

	void SetUp() override
	{
		if (!ready)
			GTEST_SKIP() << "needs root, to make namespaces and load BPF programs";
		pins = bpffs + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
		open();
	}

	void TearDown() override
	{
		close();
	}

	void open()
	{
		struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);

		ASSERT_EQ(xdp_engine_open(pins.c_str(), &dims, &e, &err), 0) << err.text;
		backend = publish_xdp_engine(e);
		ASSERT_EQ(publish_new(&backend, &p, &err), 0) << err.text;
	}

	void close()
	{
		publish_free(p);
		xdp_engine_free(e);
		p = nullptr;
		e = nullptr;
	}

	void configure()
	{
		struct publish_node node = {};
		struct publish_member m[1] = {{{4, {10, 0, 0, 11}}, 1, {}, false}};
		struct publish_pool_spec spec = {LB_ENCAP_IPIP, 0, 257, 0, 0};

		node.source4 = {{4, {192, 0, 2, 10}}, 32};
		ASSERT_EQ(publish_node_set(p, &node, &err), 0);
		ASSERT_EQ(
			publish_iface_set(p, 7, (const uint8_t *)"\x02\0\0\0\0\x02", 0, true, &err),
			0);
		ASSERT_EQ(publish_nexthop_set(p, &m[0].addr, 7, (const uint8_t *)"\x02\0\0\0\0\x01",
					      &err),
			  0);
		ASSERT_EQ(publish_pool_set(p, "web", &spec, m, 1, 0, &err), 0);
		ASSERT_EQ(service("web", 80, 443), 0);
	}

	/* 203.0.113.LAST, TCP, to the pool web. */
	int service(const char *name, uint8_t last, uint16_t port)
	{
		struct publish_service_spec s = {};

		s.address = {{4, {203, 0, 113, last}}, 32};
		s.protocol = 6;
		s.ports = ports_one(port);
		s.vip = name;
		s.pool = "web";
		return publish_service_set(p, &s, &err);
	}

	static std::vector<uint8_t> frame()
	{
		std::vector<uint8_t> f(54);

		memcpy(&f[0], "\x02\0\0\0\0\x0a\x02\0\0\0\0\x0b\x08\0", 14);
		memcpy(&f[14], "\x45\0\0\x28\0\0\x40\0\x40\x06\0\0", 12);
		memcpy(&f[26], "\xc6\x33\x64\x07\xcb\0\x71\x50", 8);
		memcpy(&f[34], "\x30\x39\x01\xbb", 4);
		f[46] = 0x50;
		return f;
	}

	/* The last byte of the address of the real that a frame goes to, or 0. */
	int real_of(const std::vector<uint8_t> &in)
	{
		std::vector<uint8_t> out(XDP_ENGINE_FRAME_MAX + 64);
		const struct lb_moment moment = {};
		struct lb_trace trace;
		struct addr real;
		size_t len;

		EXPECT_EQ(xdp_engine_run(e, &moment, in.data(), in.size(), out.data(), &len, &trace,
					 &err),
			  0)
			<< err.text;
		publish_real_addr(p, trace.real, &real);
		return trace.verdict == LB_FORWARD ? real.bytes[3] : 0;
	}

	uint32_t attached_id(const char *ifname)
	{
		uint32_t id = 0;

		bpf_xdp_query_id((int)if_nametoindex(ifname), 0, &id);
		return id;
	}

	static std::string dir, bpffs;
	static bool ready;
	std::string pins;
	struct xdp_engine *e = nullptr;
	struct publish *p = nullptr;
	struct publish_engine backend;
	struct err err = {};
};

std::string Engine::dir;
std::string Engine::bpffs;
bool Engine::ready;

TEST_F(Engine, ForwardsAFrameAsTheTablesSay)
{
	uint8_t out[XDP_ENGINE_FRAME_MAX + 64];
	std::vector<uint8_t> in = frame();
	struct lb_trace trace;
	size_t len;

	configure();
	const struct lb_moment moment = {};
	ASSERT_EQ(xdp_engine_run(e, &moment, in.data(), in.size(), out, &len, &trace, &err), 0)
		<< err.text;
	EXPECT_EQ(trace.verdict, (uint32_t)LB_FORWARD);
	ASSERT_EQ(len, in.size() + 20);
	EXPECT_EQ(memcmp(out + 34, &in[14], 40), 0) << "the inner packet is another";
	EXPECT_EQ(memcmp(out + 30, "\x0a\0\0\x0b", 4), 0) << "outer destination";
}

TEST_F(Engine, AProbeLeavesNoTraceInTheCounters)
{
	struct prefix vip = {{4, {203, 0, 113, 80}}, 32};
	std::vector<uint8_t> in = frame();
	struct publish_count count;

	configure();
	ASSERT_EQ(xdp_engine_probe(e, in.data(), in.size(), &err), 0) << err.text;
	ASSERT_EQ(publish_count_service(p, &vip, 6, ports_one(443), &count), 0);
	EXPECT_EQ(count.packets, 0u);
	EXPECT_EQ(count.bytes, 0u);
}

/* A veth takes a program that knows only frames of one buffer up to an MTU of 3506. */
TEST_F(Engine, TakesAnInterfaceOfJumboFrames)
{
	configure();
	ASSERT_EQ(system("ip link add j0 mtu 9000 type veth peer name j1 mtu 9000"), 0);
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	EXPECT_EQ(xdp_engine_attach(e, "j0", XDP_MODE_NATIVE, &err), 0) << err.text;
	EXPECT_TRUE(xdp_engine_attached(e, "j0"));
	EXPECT_TRUE(xdp_engine_attached(e, "v0")) << "both have the program in force";
	EXPECT_EQ(xdp_engine_detach(e, "v0", &err), 0) << err.text;
	EXPECT_EQ(xdp_engine_detach(e, "j0", &err), 0) << err.text;
	EXPECT_EQ(system("ip link del j0"), 0);
}

TEST_F(Engine, SurvivesItsProcessAndIsAdoptedAsItIs)
{
	struct addr real = {4, {10, 0, 0, 11}};
	uint32_t id;

	configure();
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	id = attached_id("v0");
	EXPECT_EQ(id, xdp_engine_program_id(e));
	close();
	EXPECT_EQ(attached_id("v0"), id);
	open();
	EXPECT_TRUE(xdp_engine_adopted(e));
	EXPECT_TRUE(publish_adopted_member(p, "web", &real));
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	EXPECT_EQ(attached_id("v0"), id) << "the same program needs no replacement";
	EXPECT_TRUE(xdp_engine_attached(e, "v0"));
	ASSERT_EQ(xdp_engine_detach(e, "v0", &err), 0);
	EXPECT_EQ(attached_id("v0"), 0u);
	EXPECT_FALSE(xdp_engine_attached(e, "v0"));
}

TEST_F(Engine, GrowingMovesTheAttachedProgramToTheLargerTables)
{
	std::vector<uint8_t> in = frame();
	uint32_t before;

	configure();
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_GENERIC, &err), 0) << err.text;
	before = attached_id("v0");
	for (uint16_t port = 1; port < 400; port++)
		ASSERT_EQ(service("more", 81, port), 0) << err.text;
	EXPECT_NE(attached_id("v0"), before);
	EXPECT_EQ(attached_id("v0"), xdp_engine_program_id(e));
	EXPECT_EQ(xdp_engine_probe(e, in.data(), in.size(), &err), 0) << err.text;
	close();
	open();
	EXPECT_TRUE(publish_adopted(p));
	EXPECT_EQ(xdp_engine_probe(e, in.data(), in.size(), &err), 0) << err.text;
	ASSERT_EQ(xdp_engine_detach(e, "v0", &err), 0);
}

/* A flow of a drained real, through everything that may happen to the tables. */
TEST_F(Engine, AFlowStaysWithItsRealInALargerFlowTableAndAfterARestart)
{
	struct publish_member m[2] = {{{4, {10, 0, 0, 11}}, 0, {}, false},
				      {{4, {10, 0, 0, 12}}, 1, {}, false}};
	struct publish_pool_spec spec = {LB_ENCAP_IPIP, 0, 257, 0, 0};
	const uint64_t second = 1000000000;

	configure();
	ASSERT_EQ(publish_nexthop_set(p, &m[1].addr, 7, (const uint8_t *)"\x02\0\0\0\0\x01", &err),
		  0);
	ASSERT_EQ(publish_pool_set(p, "web", &spec, m, 2, second, &err), 0) << err.text;
	EXPECT_EQ(real_of(frame()), 11) << "the slot's previous real";
	EXPECT_EQ(real_of(frame()), 11) << "confirmed";
	for (uint64_t now = second; now < 400 * second; now += second)
		publish_track_step(p, now, 1U << 20);
	EXPECT_EQ(real_of(frame()), 11) << "its slot settled, its entry is honoured";
	std::vector<uint8_t> other = frame();
	other[35] ^= 1;
	EXPECT_EQ(real_of(other), 12) << "nothing was entered for it in time";
	ASSERT_EQ(publish_flows_set(p, 20000, &err), 0) << err.text;
	EXPECT_EQ(real_of(frame()), 11) << "entered in the larger table";
	close();
	open();
	EXPECT_EQ(real_of(frame()), 11) << "nobody runs the daemon";
	struct publish_node node = {};
	node.source4 = {{4, {192, 0, 2, 10}}, 32};
	ASSERT_EQ(publish_node_set(p, &node, &err), 0);
	ASSERT_EQ(publish_pool_set(p, "web", &spec, m, 2, 500 * second, &err), 0) << err.text;
	ASSERT_EQ(service("web", 80, 443), 0);
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(real_of(frame()), 11) << "adopted";
	m[0].dead = true;
	ASSERT_EQ(publish_pool_set(p, "web", &spec, m, 2, 501 * second, &err), 0) << err.text;
	EXPECT_EQ(real_of(frame()), 12) << "its real died";
}

TEST_F(Engine, RefusesToPushAnotherProgramAside)
{
	std::string other = bpffs + "/other";
	struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);
	struct xdp_engine *first;

	ASSERT_EQ(xdp_engine_open(other.c_str(), &dims, &first, &err), 0) << err.text;
	ASSERT_EQ(xdp_engine_attach(first, "v1", XDP_MODE_NATIVE, &err), 0) << err.text;
	EXPECT_EQ(xdp_engine_attach(e, "v1", XDP_MODE_NATIVE, &err), -EBUSY);
	EXPECT_NE(std::string(err.text).find("another XDP program"), std::string::npos) << err.text;
	ASSERT_EQ(xdp_engine_detach(first, "v1", &err), 0);
	xdp_engine_free(first);
}

TEST_F(Engine, WhatCannotBeOpenedIsNotReplaced)
{
	std::string other = bpffs + "/unreadable", pin = other + "/balancer";
	struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);
	struct xdp_engine *none;

	ASSERT_EQ(mkdir(other.c_str(), 0700), 0);
	ASSERT_EQ(mkdir(pin.c_str(), 0700), 0);
	EXPECT_LT(xdp_engine_open(other.c_str(), &dims, &none, &err), 0);
	EXPECT_NE(std::string(err.text).find("open the pinned program " + pin), std::string::npos)
		<< err.text;
	EXPECT_NE(access((other + "/lb_reals").c_str(), F_OK), 0)
		<< "tables were made all the same";
}

TEST_F(Engine, SaysWhatIsMissing)
{
	struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);
	struct xdp_engine *none;

	EXPECT_EQ(xdp_engine_attach(e, "nosuch", XDP_MODE_NATIVE, &err), -ENODEV);
	EXPECT_NE(std::string(err.text).find("no interface nosuch"), std::string::npos);
	EXPECT_EQ(xdp_engine_open("/tmp", &dims, &none, &err), -EINVAL);
	EXPECT_NE(std::string(err.text).find("not on a bpffs"), std::string::npos);
}

/* The size of what is pinned under a name. */
static uint64_t pinned_bytes(const std::string &path)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path.c_str());

	EXPECT_GE(fd, 0) << path;
	EXPECT_EQ(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	::close(fd);
	return (uint64_t)info.value_size * info.max_entries;
}

TEST_F(Engine, AnEngineOfAnotherProcessFindsLargerMapsWhenThePageSaysSo)
{
	struct publish_dpdk *dpdk = nullptr;
	struct lb_page *page;
	uint64_t seen = 0;

	publish_free(p);
	p = nullptr;
	ASSERT_EQ(publish_dpdk_new(e, nullptr, &dpdk, &err), 0) << err.text;
	backend = publish_dpdk_engine(dpdk);
	page = publish_dpdk_page(dpdk);
	ASSERT_EQ(publish_new(&backend, &p, &err), 0) << err.text;
	configure();
	EXPECT_EQ(pinned_bytes(pins + "/lb_page"), sizeof(*page));
	page->engine.state = LB_PAGE_RUNNING;
	page->engine.pid = (uint32_t)getpid();
	__atomic_store_n(&page->engine.beat_ns, clock_now_ns() + 500 * NS_PER_MS, __ATOMIC_RELEASE);
	std::thread engine([&] {
		while (__atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) != 2)
			std::this_thread::yield();
		seen = pinned_bytes(pins + "/lb_flows");
		__atomic_store_n(&page->engine.generation, 2, __ATOMIC_RELEASE);
	});
	ASSERT_EQ(publish_flows_set(p, 65536, &err), 0) << err.text;
	EXPECT_EQ(__atomic_load_n(&page->engine.generation, __ATOMIC_ACQUIRE), 2u) << "waited for";
	engine.join();
	EXPECT_EQ(seen, page->dims.flow_buckets * sizeof(struct lb_bucket));
	EXPECT_EQ(pinned_bytes(pins + "/lb_vips"),
		  page->dims.vip_entries * sizeof(struct lb_vip_entry));
	page->engine.state = LB_PAGE_ENDED;
	backend.grace(backend.arg);
	publish_free(p);
	p = nullptr;
	publish_dpdk_free(dpdk);
	close();

	open();
	EXPECT_TRUE(xdp_engine_adopted(e));
	ASSERT_EQ(publish_dpdk_new(e, nullptr, &dpdk, &err), 0) << err.text;
	EXPECT_EQ(publish_dpdk_page(dpdk)->generation, 3u) << "the page is the one that was pinned";
	publish_dpdk_free(dpdk);
	EXPECT_GT(real_of(frame()), 0) << "the program reads the same tables";
}

TEST_F(Engine, AGracePeriodEnds)
{
	xdp_engine_grace(e);
}

/* An interface on which libxdp runs a program of somebody else, which drops all that it sees. It is
 * loaded under libxdp's own dispatcher, as by a tool that knows nothing of Fairway. */
class Shared : public Engine
{
      protected:
	void SetUp() override
	{
		int rc;

		Engine::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		setenv("LIBXDP_BPFFS", bpffs.c_str(), 1);
		ifindex = if_nametoindex("v0");
		other = xdp_drop_bpf__open();
		ASSERT_NE(other, nullptr);
		setenv("LIBXDP_OBJECT_PATH", "/usr/lib/x86_64-linux-gnu/bpf", 1);
		rc = dispatcher_join(ifindex, false, other->obj, "xdp_drop", &other_id, &err);
		unsetenv("LIBXDP_OBJECT_PATH");
		if (rc == -EOPNOTSUPP)
			GTEST_SKIP() << err.text;
		ASSERT_EQ(rc, 0) << err.text;
		configure();
	}

	void TearDown() override
	{
		if (other_id && runs(other_id)) {
			EXPECT_EQ(dispatcher_leave(ifindex, &other_id, 1, &err), 0) << err.text;
		}
		if (ifindex) {
			EXPECT_EQ(look().holder, DISPATCHER_FREE) << "left behind";
		}
		xdp_drop_bpf__destroy(other);
		Engine::TearDown();
	}

	struct dispatcher_view look()
	{
		struct dispatcher_view v = {};

		EXPECT_EQ(dispatcher_look(ifindex, &v, &err), 0) << err.text;
		return v;
	}

	bool runs(uint32_t id)
	{
		struct dispatcher_view v = look();

		for (int i = 0; i < v.n; i++)
			if (v.programs[i].id == id)
				return true;
		return false;
	}

	/* What all programs of the interface together make of a frame. */
	uint32_t answer(std::vector<uint8_t> in)
	{
		std::vector<uint8_t> out(2048);
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.data(), .data_out = out.data(),
			    .data_size_in = (uint32_t)in.size(),
			    .data_size_out = (uint32_t)out.size(), .repeat = 1);
		int fd = bpf_prog_get_fd_by_id(attached_id("v0"));

		EXPECT_GE(fd, 0);
		EXPECT_EQ(bpf_prog_test_run_opts(fd, &opts), 0) << strerror(errno);
		::close(fd);
		return opts.retval;
	}

	static std::vector<uint8_t> frame_to(uint8_t last)
	{
		std::vector<uint8_t> f = frame();

		f[33] = last;
		f[25] = (uint8_t)(f[25] + 0x50 - last);
		return f;
	}

	/* A VIP's packets leave by our program; others go on to the one that drops. */
	void expect_both_run()
	{
		EXPECT_EQ(answer(frame()), (uint32_t)XDP_TX);
		EXPECT_EQ(answer(frame_to(0x51)), (uint32_t)XDP_DROP);
		EXPECT_EQ(look().n, 2);
		EXPECT_TRUE(runs(other_id));
		EXPECT_TRUE(xdp_engine_attached(e, "v0"));
		EXPECT_EQ(xdp_engine_shared(e, "v0"), 2);
	}

	unsigned ifindex = 0;
	uint32_t other_id = 0;
	struct xdp_drop_bpf *other = nullptr;
};

TEST_F(Shared, RunsBesideAnotherProgramAndHandsOnWhatItPasses)
{
	EXPECT_FALSE(xdp_engine_attached(e, "v0"));
	EXPECT_EQ(xdp_engine_shared(e, "v0"), 0);
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	expect_both_run();
	uint32_t dispatcher = attached_id("v0");
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	EXPECT_EQ(attached_id("v0"), dispatcher) << "what is as it should be stays untouched";
	ASSERT_EQ(xdp_engine_detach(e, "v0", &err), 0) << err.text;
	EXPECT_FALSE(xdp_engine_attached(e, "v0"));
	EXPECT_TRUE(runs(other_id)) << "only ours leaves";
	EXPECT_EQ(look().n, 1);
	EXPECT_EQ(answer(frame()), (uint32_t)XDP_DROP);
}

TEST_F(Shared, StaysWhenTheOtherProgramLeaves)
{
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	ASSERT_EQ(dispatcher_leave(ifindex, &other_id, 1, &err), 0) << err.text;
	EXPECT_TRUE(xdp_engine_attached(e, "v0"));
	EXPECT_EQ(answer(frame()), (uint32_t)XDP_TX);
	EXPECT_EQ(answer(frame_to(0x51)), (uint32_t)XDP_PASS);
	ASSERT_EQ(xdp_engine_detach(e, "v0", &err), 0) << err.text;
}

TEST_F(Shared, ARestartFindsItAgain)
{
	char names[LB_IFACES_MAX][16];

	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	uint32_t dispatcher = attached_id("v0");
	close();
	EXPECT_EQ(answer(frame()), (uint32_t)XDP_TX) << "it outlives its process";
	open();
	ASSERT_EQ(xdp_engine_links(e, names, LB_IFACES_MAX), 1);
	EXPECT_STREQ(names[0], "v0");
	EXPECT_TRUE(xdp_engine_attached(e, "v0"));
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	EXPECT_EQ(attached_id("v0"), dispatcher) << "the same program needs no replacement";
	expect_both_run();
	ASSERT_EQ(xdp_engine_detach(e, "v0", &err), 0) << err.text;
	EXPECT_EQ(xdp_engine_links(e, names, LB_IFACES_MAX), 0);
}

TEST_F(Shared, GrowingReplacesItAndNoOther)
{
	ASSERT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_NATIVE, &err), 0) << err.text;
	for (uint16_t port = 1; port < 400; port++)
		ASSERT_EQ(service("more", 82, port), 0) << err.text;
	expect_both_run();
	ASSERT_EQ(xdp_engine_detach(e, "v0", &err), 0) << err.text;
	EXPECT_EQ(look().n, 1);
}

TEST_F(Shared, RefusesAnotherModeThanTheDispatchers)
{
	EXPECT_EQ(xdp_engine_attach(e, "v0", XDP_MODE_GENERIC, &err), -EINVAL);
	EXPECT_NE(std::string(err.text).find("native mode"), std::string::npos) << err.text;
}

} // namespace
