/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_DPDK_ENGINE_TEST_H
#define FAIRWAY_PUBLISH_DPDK_ENGINE_TEST_H

/* What fairway-dpdk does with tables and page, without DPDK: for tests of the control plane. */

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include "controlplane/base/clock.h"
#include "dataplane/core/page.h"
#include "dataplane/native/native.h"
}

inline constexpr uint32_t kWorkers = 2;

inline uint64_t load(const __u64 &word)
{
	return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

inline void store(__u64 &word, uint64_t value)
{
	__atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

/* What fairway-dpdk maps, by the names and sizes of LB_TABLES. */
class Mapped
{
      public:
	Mapped(const std::string &dir, const struct lb_dims *d)
	{
		t.dims = *d;
#define MAP_TABLE(name, field, bytes) t.field = (decltype(t.field))map(dir + "/" #name, bytes);
		LB_TABLES(MAP_TABLE)
#undef MAP_TABLE
	}

	~Mapped()
	{
		for (const auto &m : maps)
			munmap(m.first, m.second);
	}

	struct lb_tables t = {};

	/* A file, or a pinned map, as it is mapped by its descriptor. */
	static void *map_file(const std::string &path, size_t bytes)
	{
		struct statfs fs = {};
		struct stat st = {};
		bool pinned = statfs(path.c_str(), &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
		int fd = pinned ? open_pin(path) : open(path.c_str(), O_RDWR);
		void *p = MAP_FAILED;

		EXPECT_GE(fd, 0) << path;
		EXPECT_EQ(fstat(fd, &st), 0);
		EXPECT_TRUE(pinned || (size_t)st.st_size >= bytes) << path;
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		EXPECT_NE(p, MAP_FAILED) << path;
		close(fd);
		return p;
	}

      private:
	static int open_pin(const std::string &path)
	{
		union bpf_attr attr = {};

		attr.pathname = (uintptr_t)path.c_str();
		return (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	}

	void *map(const std::string &path, size_t bytes)
	{
		void *p = map_file(path, bytes);

		maps.push_back({p, bytes});
		return p;
	}

	std::vector<std::pair<void *, size_t>> maps;
};

/* An engine: a main thread that beats, moves and answers, and one that is all workers. */
class FakeEngine
{
      public:
	explicit FakeEngine(const std::string &dir) : dir(dir)
	{
		page = (struct lb_page *)Mapped::map_file(dir + "/" LB_PAGE_NAME, sizeof(*page));
		/* An engine before this one may have left its own. */
		store(page->engine.generation, 0);
		page->engine.started_ns = clock_now_ns();
		page->engine.pid = (uint32_t)getpid();
		page->engine.workers = kWorkers;
		page->engine.stalled = 0;
		store(page->engine.beat_ns, clock_now_ns());
		__atomic_store_n(&page->engine.state, LB_PAGE_RUNNING, __ATOMIC_RELEASE);
	}

	~FakeEngine()
	{
		stop();
		munmap(page, sizeof(*page));
	}

	void start()
	{
		running = true;
		main = std::thread([this] { run(); });
		/* The first tables are open. */
		while (load(page->engine.generation) == 0)
			std::this_thread::yield();
	}

	/* As a process of its own: until it is killed. */
	[[noreturn]] void serve()
	{
		running = true;
		run();
		_exit(0);
	}

	void stop()
	{
		running = false;
		if (main.joinable())
			main.join();
	}

	/* Moves to the tables in force; true when it did. */
	bool move_now()
	{
		uint64_t generation = load(page->generation);

		if (generation == load(page->engine.generation))
			return false;
		tables = std::make_unique<Mapped>(dir, &page->dims);
		store(page->engine.generation, generation);
		return true;
	}

	std::atomic<bool> beats{true}, moves{true}, answers{true}, rounds{true}, lies{false},
		counts{false};
	uint64_t counted = 0;
	uint64_t ahead_ns = 0; /* its beats are ahead of time by so much */
	std::unique_ptr<Mapped> tables;
	struct lb_page *page;

      private:
	void run()
	{
		while (running) {
			if (moves)
				move_now();
			if (beats)
				store(page->engine.beat_ns, clock_now_ns() + ahead_ns);
			if (answers)
				answer();
			for (uint32_t w = 0; rounds && w < kWorkers; w++)
				work(w);
			std::this_thread::yield();
		}
	}

	void work(uint32_t w)
	{
		if (counts && tables) {
			tables->t.counters[w * tables->t.dims.counter_stride].packets++;
			counted++;
		}
		store(page->worker[w].rounds, page->worker[w].rounds + 1);
	}

	void answer()
	{
		struct lb_page_probe *p = &page->probe;
		uint8_t buffer[NATIVE_HEADROOM + LB_PAGE_FRAME_MAX];
		struct native_frame f = {buffer + NATIVE_HEADROOM, p->len, NATIVE_HEADROOM};
		uint64_t asked = load(p->asked);

		if (!tables || asked == p->answered)
			return;
		memcpy(f.data, p->frame, p->len);
		native_process(&tables->t, 0, &p->moment, &f, &p->trace);
		memcpy(p->frame, f.data, f.len);
		p->len = (uint32_t)f.len;
		p->frame[f.len - 1] ^= lies;
		store(p->answered, asked);
	}

	std::string dir;
	std::thread main;
	std::atomic<bool> running{false};
};

#endif
