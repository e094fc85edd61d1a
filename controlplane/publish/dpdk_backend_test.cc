/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <functional>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "controlplane/publish/dpdk_engine_test.h"

extern "C" {
#include "controlplane/base/clock.h"
#include "controlplane/publish/dpdk_backend.h"
}

/* The writer's side of the DPDK engine, over files, with threads of this process as the engine. */

/* ---- dying at a step: the linker sends the writer's calls here ---- */

namespace
{
int steps_left = -1; /* -1: no step is deadly */
}

static void step(void)
{
	if (steps_left >= 0 && steps_left-- == 0)
		_exit(99);
}

#define STEP(name, params, args)                                                                   \
	extern "C" int __real_##name params;                                                       \
	extern "C" int __wrap_##name params;                                                       \
	int __wrap_##name params                                                                   \
	{                                                                                          \
		step();                                                                            \
		return __real_##name args;                                                         \
	}

STEP(mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
STEP(symlinkat, (const char *to, int fd, const char *name), (to, fd, name))
STEP(renameat, (int from, const char *a, int to, const char *b), (from, a, to, b))
STEP(linkat, (int from, const char *a, int to, const char *b, int flags), (from, a, to, b, flags))
STEP(unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
STEP(posix_fallocate, (int fd, off_t at, off_t bytes), (fd, at, bytes))
STEP(posix_fallocate64, (int fd, off64_t at, off64_t bytes), (fd, at, bytes))

namespace
{

struct addr A(const char *text) {
	struct addr a = {};

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

/* The process number of a process that is no more. */
uint32_t
dead_pid()
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return (uint32_t)pid;
}

class Dpdk : public testing::Test
{
      protected:
	void SetUp() override
	{
		char template_dir[] = "/tmp/fwdpdkXXXXXX";

		ASSERT_NE(mkdtemp(template_dir), nullptr);
		root = template_dir;
		dir = root + "/tables";
	}

	void TearDown() override
	{
		shut();
		std::string remove = "rm -rf " + root;
		EXPECT_EQ(system(remove.c_str()), 0);
	}

	void open(uint32_t flows = 4096)
	{
		struct lb_dims dims = publish_dims(16, 64, 4, 257, flows);

		dims.counter_rows = kWorkers + 1;
		ASSERT_EQ(native_files_open(dir.c_str(), &dims, &files, &err), 0) << err.text;
		ASSERT_EQ(publish_dpdk_new(NULL, files, &d, &err), 0) << err.text;
		engine = publish_dpdk_engine(d);
		page = publish_dpdk_page(d);
		ASSERT_EQ(publish_new(&engine, &p, &err), 0) << err.text;
	}

	void shut()
	{
		publish_free(p);
		publish_dpdk_free(d);
		native_files_free(files);
		p = NULL;
		d = NULL;
		files = NULL;
	}

	/* A VIP with one real, so that frame() is forwarded. */
	void configure()
	{
		struct publish_node node = {};
		struct publish_pool_spec pool = {};
		struct publish_member member = {};
		struct publish_service_spec service = {};

		ASSERT_EQ(prefix_parse("192.0.2.0/24", &node.source4), 0);
		memcpy(node.hash_seed, "0123456789abcdef", 16);
		ASSERT_EQ(publish_node_set(p, &node, &err), 0) << err.text;
		ASSERT_EQ(
			publish_iface_set(p, 7, (const uint8_t *)"\x02\0\0\0\0\x02", 0, true, &err),
			0);
		pool.encap = LB_ENCAP_IPIP;
		pool.table_size = 257;
		member.addr = A("10.0.0.11");
		member.weight = 100;
		ASSERT_EQ(publish_nexthop_set(p, &member.addr, 7,
					      (const uint8_t *)"\x02\0\0\0\0\x0b", &err),
			  0);
		ASSERT_EQ(publish_pool_set(p, "web", &pool, &member, 1, 1, &err), 0) << err.text;
		ASSERT_EQ(prefix_parse("203.0.113.80", &service.address), 0);
		service.protocol = 6;
		service.ports = ports_one(443);
		service.vip = service.pool = "web";
		ASSERT_EQ(publish_service_set(p, &service, &err), 0) << err.text;
	}

	/* A SYN to the VIP. */
	static std::vector<uint8_t> frame()
	{
		std::vector<uint8_t> f(LB_PAGE_FRAME_MAX);
		struct addr s = A("198.51.100.7"), v = A("203.0.113.80");

		memcpy(&f[0], "\x02\x00\x00\x00\x00\x0a\x02\x00\x00\x00\x00\x0b\x08\x00", 14);
		f[14] = 0x45;
		f[17] = 40;
		f[22] = 64;
		f[23] = 6;
		memcpy(&f[26], s.bytes, 4);
		memcpy(&f[30], v.bytes, 4);
		f[34] = 0x80;
		f[36] = 443 >> 8;
		f[37] = 443 & 255;
		f[46] = 0x50;
		f[47] = 0x02;
		return f;
	}

	static constexpr size_t kFrame = 54;

	void expect_forwarded()
	{
		std::vector<uint8_t> f = frame();
		size_t len = kFrame;
		struct lb_trace trace;

		ASSERT_EQ(publish_dpdk_ask(d, f.data(), &len, &trace, &err), 0) << err.text;
		EXPECT_EQ(trace.verdict, (uint32_t)LB_FORWARD);
		EXPECT_EQ(len, kFrame + 20);
	}

	int probe()
	{
		return publish_dpdk_probe(d, frame().data(), kFrame, &err);
	}

	/* The same, however long this machine takes to let the engine answer. */
	int probe_in_time()
	{
		int rc = probe();

		while (rc == -ETIMEDOUT) {
			while (load(page->probe.answered) != page->probe.asked)
				std::this_thread::yield();
			rc = probe();
		}
		return rc;
	}

	std::future<void> grace()
	{
		return std::async(std::launch::async, [this] { engine.grace(engine.arg); });
	}

	/* Not yet, for as long as a test wants to look. */
	static bool waits(const std::future<void> &f)
	{
		return f.wait_for(std::chrono::milliseconds(30)) == std::future_status::timeout;
	}

	std::string root, dir;
	struct native_files *files = NULL;
	struct publish_dpdk *d = NULL;
	struct publish_engine engine = {};
	struct publish *p = NULL;
	struct lb_page *page = NULL;
	struct err err = {};
};

/* ---- the files ---- */

TEST_F(Dpdk, TablesAreFilesOfTheSizesThatThePageSays)
{
	open();
	EXPECT_EQ(page->magic, LB_PAGE_MAGIC);
	EXPECT_EQ(page->version, LB_PAGE_VERSION);
	EXPECT_EQ(page->generation, 1u);
	EXPECT_FALSE(native_files_adopted(files));
	configure();
	Mapped seen(dir, &page->dims);
	EXPECT_EQ(memcmp(seen.t.node, engine.tables(engine.arg)->node, sizeof(*seen.t.node)), 0);
	EXPECT_EQ(memcmp(seen.t.vips, engine.tables(engine.arg)->vips,
			 page->dims.vip_entries * sizeof(*seen.t.vips)),
		  0);
}

TEST_F(Dpdk, ARestartedWriterAdoptsTheTables)
{
	struct addr real = A("10.0.0.11");

	open();
	configure();
	shut();
	open();
	EXPECT_TRUE(native_files_adopted(files));
	EXPECT_TRUE(publish_adopted_member(p, "web", &real));
	EXPECT_EQ(page->generation, 2u) << "an engine that runs looks again";
	expect_forwarded();
}

TEST_F(Dpdk, OneWriterAtATime)
{
	struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);
	struct native_files *other;

	open();
	dims.counter_rows = 2;
	EXPECT_EQ(native_files_open(dir.c_str(), &dims, &other, &err), -EBUSY);
	EXPECT_NE(strstr(err.text, "--tables"), nullptr) << err.text;
}

TEST_F(Dpdk, ForeignPagesAndCutFilesAreRefused)
{
	struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);
	struct native_files *other = NULL;

	dims.counter_rows = kWorkers + 1;
	open();
	page->version = 77;
	publish_free(p);
	publish_dpdk_free(d);
	p = NULL;
	d = NULL;
	EXPECT_EQ(publish_dpdk_new(NULL, files, &d, &err), -EPROTO);
	EXPECT_NE(strstr(err.text, "version 77"), nullptr) << err.text;
	native_files_page(files)->version = LB_PAGE_VERSION;
	shut();
	ASSERT_EQ(truncate((dir + "/lb_vips").c_str(), 64), 0);
	EXPECT_EQ(native_files_open(dir.c_str(), &dims, &other, &err), -EPROTO);
	EXPECT_NE(strstr(err.text, "lb_vips has 64 bytes"), nullptr) << err.text;
	ASSERT_EQ(truncate((dir + "/lb_vips").c_str(), 0), 0);
	EXPECT_EQ(native_files_open(dir.c_str(), &dims, &other, &err), -EPROTO);
	dims.counter_rows++;
	EXPECT_EQ(native_files_open(dir.c_str(), &dims, &other, &err), -EPROTO);
	EXPECT_NE(strstr(err.text, "2 workers, 3 are needed"), nullptr) << err.text;
}

TEST_F(Dpdk, GrowingKeepsContentAndSweepsTheOldSet)
{
	open();
	configure();
	Mapped before(dir, &page->dims);
	ASSERT_EQ(publish_flows_set(p, 65536, &err), 0) << err.text;
	EXPECT_EQ(page->generation, 2u);
	EXPECT_EQ(page->dims.flow_buckets, engine.tables(engine.arg)->dims.flow_buckets);
	EXPECT_GT(page->dims.flow_buckets, before.t.dims.flow_buckets);
	Mapped after(dir, &page->dims);
	EXPECT_EQ(after.t.node->flow_buckets, page->dims.flow_buckets);
	/* What engines write and what kept its size is the same memory. */
	before.t.fragments[3].entry[0] = 42;
	EXPECT_EQ(after.t.fragments[3].entry[0], 42u);
	EXPECT_NE(access((dir + "/set-1").c_str(), F_OK), 0);
	expect_forwarded();
}

/* Runs what() in a process of its own that dies at the n-th step. True when it came to its end. */
bool dies_at(int n, const std::function<void()> &what)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		steps_left = n;
		what();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 99 || WEXITSTATUS(status) == 0))
		<< "step " << n << ": " << status;
	return WEXITSTATUS(status) == 0;
}

TEST_F(Dpdk, WhoDiesWhileCreatingLeavesNothingThatHurts)
{
	int n = 0;

	for (bool whole = false; !whole; n++) {
		ASSERT_EQ(system(("rm -rf " + dir).c_str()), 0);
		whole = dies_at(n, [this] { open(); });
		SCOPED_TRACE(n);
		open();
		if (HasFatalFailure())
			return;
		configure();
		expect_forwarded();
		Mapped seen(dir, &page->dims);
		EXPECT_EQ(seen.t.node->vip_mask, seen.t.dims.vip_entries - 1);
		shut();
	}
	EXPECT_GT(n, 20) << "the steps of creating were met";
}

TEST_F(Dpdk, WhoDiesWhileGrowingLeavesTheOldSetOrTheNewOne)
{
	const std::string template_dir = root + "/before";
	uint32_t small, large;
	int n = 0, grown = 0;

	open();
	configure();
	small = page->dims.flow_buckets;
	large = publish_dims(0, 0, 0, 2, 65536).flow_buckets;
	shut();
	ASSERT_EQ(system(("cp -a " + dir + " " + template_dir).c_str()), 0);
	for (bool whole = false; !whole; n++) {
		ASSERT_EQ(
			system(("rm -rf " + dir + " && cp -a " + template_dir + " " + dir).c_str()),
			0);
		whole = dies_at(n, [this] {
			open();
			if (publish_flows_set(p, 65536, &err))
				_exit(1);
		});
		SCOPED_TRACE(n);
		open();
		if (HasFatalFailure())
			return;
		const struct lb_tables *t = engine.tables(engine.arg);
		EXPECT_TRUE(t->dims.flow_buckets == small || t->dims.flow_buckets == large);
		EXPECT_EQ(t->node->flow_buckets, t->dims.flow_buckets) << "parts of two sets";
		EXPECT_EQ(memcmp(&page->dims, &t->dims, sizeof(t->dims)), 0);
		EXPECT_GE(page->generation, 3u);
		EXPECT_TRUE(publish_adopted(p));
		grown += t->dims.flow_buckets == large;
		expect_forwarded();
		shut();
	}
	EXPECT_GT(n, 20);
	EXPECT_GE(grown, 2) << "also dying after the new set was put in force";
}

/* ---- whether it lives ---- */

TEST_F(Dpdk, BeatAndProcessTellWhetherTheEngineLives)
{
	const uint64_t now = clock_now_ns();
	struct stat ns;

	open();
	EXPECT_EQ(dpdk_page_life(page, now), DPDK_NONE);
	page->engine.state = LB_PAGE_STARTING;
	page->engine.pid = (uint32_t)getpid();
	page->engine.beat_ns = now;
	EXPECT_EQ(dpdk_page_life(page, now), DPDK_ALIVE);
	EXPECT_EQ(dpdk_page_life(page, now - 1000), DPDK_ALIVE) << "a beat while one looked";
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_DEAD_NS - 1), DPDK_ALIVE);
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_DEAD_NS), DPDK_SILENT);
	page->engine.beat_ns = 1;
	EXPECT_EQ(dpdk_page_life(page, now), DPDK_DIED) << "its number is another process's now";
	page->engine.beat_ns = now + 3600 * NS_PER_S;
	page->engine.pid = dead_pid();
	EXPECT_EQ(dpdk_page_life(page, now), DPDK_DIED) << "a page of before the last boot";
	page->engine.beat_ns = now;
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_LATE_NS), DPDK_ALIVE)
		<< "whose pid it is isn't known";
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_DEAD_NS), DPDK_DIED);
	ASSERT_EQ(stat("/proc/self/ns/pid", &ns), 0);
	page->engine.pid_ns = ns.st_ino;
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_LATE_NS - 1), DPDK_ALIVE);
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_LATE_NS), DPDK_DIED)
		<< "killed: no need to wait";
	page->engine.pid = (uint32_t)getpid();
	EXPECT_EQ(dpdk_page_life(page, now + LB_PAGE_DEAD_NS - 1), DPDK_ALIVE) << "only late";
	page->engine.state = LB_PAGE_ENDED;
	EXPECT_EQ(dpdk_page_life(page, now), DPDK_ENDED);
}

/* ---- grace ---- */

TEST_F(Dpdk, GraceWaitsForEveryWorkerOfALivingEngine)
{
	open();
	FakeEngine e(dir);
	std::future<void> done = grace();

	EXPECT_TRUE(waits(done));
	store(page->worker[0].rounds, 5);
	EXPECT_TRUE(waits(done)) << "worker 1 stands still";
	store(page->worker[1].rounds, 1);
	EXPECT_TRUE(waits(done)) << "its round may have begun before";
	while (waits(done))
		store(page->worker[1].rounds, page->worker[1].rounds + 1);
}

TEST_F(Dpdk, GraceWaitsForAWorkerOfASilentProcess)
{
	open();
	FakeEngine e(dir);
	/* The beat of a process is younger than the process. */
	store(page->engine.beat_ns, clock_now_ns());
	while (dpdk_page_life(page, clock_now_ns()) == DPDK_ALIVE)
		std::this_thread::yield();
	ASSERT_EQ(dpdk_page_life(page, clock_now_ns()), DPDK_SILENT);
	EXPECT_FALSE(engine.grace_is_short(engine.arg)) << "a loop mustn't wait for it";
	std::future<void> done = grace();
	EXPECT_TRUE(waits(done));
	publish_dpdk_stop(d);
	done.get();
}

TEST_F(Dpdk, GraceWaitsForNoEngineThatIsGone)
{
	open();
	engine.grace(engine.arg);
	FakeEngine e(dir);
	page->engine.state = LB_PAGE_ENDED;
	engine.grace(engine.arg);
	page->engine.state = LB_PAGE_RUNNING;
	page->engine.pid = dead_pid();
	store(page->engine.beat_ns, clock_now_ns() - LB_PAGE_DEAD_NS);
	EXPECT_TRUE(engine.grace_is_short(engine.arg));
	engine.grace(engine.arg);
}

TEST_F(Dpdk, GraceEndsWhenTheEngineDiesOrIsAnother)
{
	open();
	FakeEngine e(dir);
	std::future<void> done = grace();

	EXPECT_TRUE(waits(done));
	page->engine.pid = dead_pid();
	store(page->engine.beat_ns, clock_now_ns() - LB_PAGE_DEAD_NS);
	done.get();
	page->engine.pid = (uint32_t)getpid();
	page->engine.started_ns = 1;
	store(page->engine.beat_ns, clock_now_ns());
	done = grace();
	EXPECT_TRUE(waits(done));
	while (waits(done))
		store(page->engine.started_ns, page->engine.started_ns + 1);
}

/* ---- growing under an engine ---- */

TEST_F(Dpdk, AnEngineThatMovesLosesNoCount)
{
	struct publish_count sum;

	open();
	configure();
	FakeEngine e(dir);
	/* A busy machine mustn't make it look dead. */
	e.ahead_ns = 900 * NS_PER_MS;
	e.start();
	e.counts = true;
	for (uint32_t flows = 8192; flows <= 65536; flows *= 2)
		ASSERT_EQ(publish_flows_set(p, flows, &err), 0) << err.text;
	EXPECT_EQ(load(page->engine.generation), page->generation);
	e.stop();
	publish_count_reason(p, (enum lb_reason)0, &sum);
	EXPECT_GT(e.counted, 0u);
	EXPECT_EQ(sum.packets, e.counted);
}

TEST_F(Dpdk, AnEngineThatMovesLateKeepsItsMemory)
{
	open();
	configure();
	FakeEngine e(dir);
	e.start();
	e.moves = false;
	ASSERT_EQ(publish_flows_set(p, 65536, &err), 0) << err.text;
	EXPECT_EQ(load(page->engine.generation) + 1, page->generation);
	EXPECT_EQ(probe_in_time(), 0) << "it forwards as before: " << err.text;
	/* Nor can another growth be held up by it for good. */
	ASSERT_EQ(publish_flows_set(p, 16384, &err), 0) << err.text;
	e.moves = true;
	while (load(page->engine.generation) != page->generation)
		std::this_thread::yield();
	e.stop();
	EXPECT_EQ(e.tables->t.node->flow_buckets, page->dims.flow_buckets);
}

TEST_F(Dpdk, GrowingWaitsForNoEngineThatIsDead)
{
	uint64_t began;

	open();
	FakeEngine e(dir);
	page->engine.pid = dead_pid();
	store(page->engine.beat_ns, clock_now_ns() - LB_PAGE_DEAD_NS);
	began = clock_now_ns();
	dpdk_page_publish(page, &page->dims);
	dpdk_page_wait_moved(page);
	EXPECT_LT(clock_now_ns() - began, NS_PER_S) << "not even looked whether it moves";
}

TEST_F(Dpdk, AnEngineThatStartsAgainFindsTheTables)
{
	open();
	configure();
	for (int i = 0; i < 3; i++) {
		FakeEngine e(dir);
		e.start();
		EXPECT_EQ(probe_in_time(), 0) << err.text;
		ASSERT_EQ(publish_flows_set(p, 8192U << i, &err), 0) << err.text;
		EXPECT_EQ(probe_in_time(), 0) << err.text;
	}
}

/* ---- probes ---- */

TEST_F(Dpdk, AProbeIsHeldAgainstTheTables)
{
	open();
	configure();
	FakeEngine e(dir);
	e.start();
	EXPECT_EQ(probe_in_time(), 0) << err.text;
	e.lies = true;
	EXPECT_EQ(probe_in_time(), -EPROTO);
	EXPECT_NE(strstr(err.text, "in another way"), nullptr) << err.text;
	e.lies = false;
	EXPECT_EQ(probe_in_time(), 0) << err.text;
	std::vector<uint8_t> foreign = frame();
	foreign[30] ^= 1;
	EXPECT_EQ(publish_dpdk_probe(d, foreign.data(), kFrame, &err), -EHOSTUNREACH);
}

TEST_F(Dpdk, AnUnansweredProbeCostsItsTimeOnce)
{
	uint64_t began;

	open();
	configure();
	FakeEngine e(dir);
	e.start();
	e.answers = false;
	EXPECT_EQ(probe(), -ETIMEDOUT);
	EXPECT_NE(strstr(err.text, "doesn't answer"), nullptr) << err.text;
	began = clock_now_ns();
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(probe(), -ETIMEDOUT);
	EXPECT_LT(clock_now_ns() - began, 100 * DPDK_PROBE_NS / 2);
	e.answers = true;
	while (load(page->probe.answered) != page->probe.asked)
		std::this_thread::yield();
	EXPECT_EQ(probe_in_time(), 0) << err.text;
}

TEST_F(Dpdk, AskingCountsNothing)
{
	struct publish_count sum;
	const struct prefix vip = {A("203.0.113.80"), 32};

	open();
	configure();
	expect_forwarded();
	ASSERT_EQ(publish_count_service(p, &vip, 6, ports_one(443), &sum), 0);
	EXPECT_EQ(sum.packets, 0u);
}

} // namespace
