/* SPDX-License-Identifier: BSD-2-Clause */
/* The DPDK engine takes frames in bursts and in segments; both must be decided as the native core
 * decides each frame by itself. The frames are those of all scenarios, over tables that have some
 * of everything. */
#include <gtest/gtest.h>

#include <rte_mbuf.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" {
#include "dataplane/core/reasons.h"
#include "dataplane/dpdk/offline.h"
#include "dataplane/dpdk/process.h"
#include "dataplane/native/native.h"
#include "dataplane/native/test/world.h"
}

namespace
{

/* Buffers of the test, and frames that fit one. */
constexpr unsigned BUFFERS = 8191;
constexpr size_t FRAME_MAX = RTE_MBUF_DEFAULT_DATAROOM - 100;

using Bytes = std::vector<uint8_t>;

/* What became of a frame. */
struct Result {
	uint32_t verdict;
	Bytes frame;

	bool operator==(const Result &o) const
	{
		return verdict == o.verdict && (verdict == LB_DROP || frame == o.frame);
	}
};

std::vector<Bytes> scenario_frames()
{
	std::vector<std::filesystem::path> paths;
	std::vector<Bytes> frames;

	for (auto &entry : std::filesystem::directory_iterator(FRAMES_FOLDER))
		paths.push_back(entry.path());
	std::sort(paths.begin(), paths.end());
	for (auto &path : paths) {
		std::ifstream file(path, std::ios::binary);

		frames.emplace_back(std::istreambuf_iterator<char>(file),
				    std::istreambuf_iterator<char>());
	}
	return frames;
}

class Burst : public ::testing::Test
{
      protected:
	/* EAL starts once in a process. */
	static void SetUpTestSuite()
	{
		struct err err;

		ASSERT_EQ(dpdk_offline_open(&offline, &err), 0) << err.text;
		pool = rte_pktmbuf_pool_create("burst-test", BUFFERS, 0, 0,
					       RTE_MBUF_DEFAULT_BUF_SIZE, 0);
		ASSERT_NE(pool, nullptr);
	}
	static void TearDownTestSuite()
	{
		rte_mempool_free(pool);
		dpdk_offline_free(offline);
	}

	void SetUp() override
	{
		const struct lb_dims dims = world_dims();

		for (struct lb_tables *t : {&tables, &reference}) {
			ASSERT_EQ(native_tables_init(t, &dims), 0);
			world_write(t);
		}
		frames = scenario_frames();
		ASSERT_GT(frames.size(), 100U);
		frames.erase(std::remove_if(frames.begin(), frames.end(),
					    [](const Bytes &f) { return f.size() > FRAME_MAX; }),
			     frames.end());
	}
	void TearDown() override
	{
		EXPECT_EQ(rte_mempool_in_use_count(pool), 0U) << "buffers were lost";
		native_tables_fini(&tables);
		native_tables_fini(&reference);
	}

	/* One frame by the native core, over tables of its own. */
	Result native(const Bytes &frame)
	{
		Bytes buffer(headroom + frame.size());
		struct native_frame f = {};
		struct lb_trace trace;

		std::copy(frame.begin(), frame.end(), buffer.begin() + headroom);
		f.data = buffer.data() + headroom;
		f.len = frame.size();
		f.headroom = headroom;
		native_process(&reference, 0, &moment, &f, &trace);
		return {trace.verdict, Bytes(f.data, f.data + f.len)};
	}

	/* A chain of segments of at most `piece` bytes. */
	struct rte_mbuf *mbuf_of(const Bytes &frame, size_t piece)
	{
		struct rte_mbuf *head = nullptr;
		size_t at = 0;

		do {
			const size_t n = std::min(piece, frame.size() - at);
			struct rte_mbuf *segment = rte_pktmbuf_alloc(pool);

			if (!segment)
				return nullptr;
			segment->data_off = headroom;
			if (n)
				memcpy(rte_pktmbuf_append(segment, (uint16_t)n), &frame[at], n);
			at += n;
			if (!head)
				head = segment;
			else if (rte_pktmbuf_chain(head, segment) < 0)
				return nullptr;
		} while (at < frame.size());
		return head;
	}

	std::vector<Result> burst(const std::vector<Bytes> &list, size_t piece)
	{
		std::vector<struct rte_mbuf *> mbufs;
		std::vector<struct dpdk_fate> fates(list.size());
		std::vector<Result> results;

		for (auto &frame : list)
			mbufs.push_back(mbuf_of(frame, piece));
		if (dpdk_process_burst(&tables, 0, &moment, mbufs.data(), (uint32_t)list.size(),
				       fates.data()))
			std::fill(fates.begin(), fates.end(), fates[0]);
		for (size_t i = 0; i < list.size(); i++) {
			Bytes out(rte_pktmbuf_pkt_len(mbufs[i]));
			const void *at =
				rte_pktmbuf_read(mbufs[i], 0, (uint32_t)out.size(), out.data());

			if (at && at != out.data())
				memcpy(out.data(), at, out.size());
			EXPECT_NE(rte_mbuf_check(mbufs[i], 1, nullptr), -1) << "a broken chain";
			results.push_back({fates[i].verdict, out});
			rte_pktmbuf_free(mbufs[i]);
		}
		return results;
	}

	/* Both have counted the same. */
	void expect_equal_counters()
	{
		for (uint32_t i = 0; i < tables.dims.counter_stride; i++) {
			EXPECT_EQ(tables.counters[i].packets, reference.counters[i].packets) << i;
			EXPECT_EQ(tables.counters[i].bytes, reference.counters[i].bytes) << i;
		}
	}

	void expect_as_native(size_t piece)
	{
		std::mt19937 random(1);
		unsigned rounds = 0;

		for (size_t at = 0; at < frames.size(); rounds++) {
			const size_t most =
				std::min<size_t>(DPDK_BURST, BUFFERS * piece / FRAME_MAX);
			const size_t n = std::min<size_t>(1 + random() % most, frames.size() - at);
			const std::vector<Bytes> list(frames.begin() + (long)at,
						      frames.begin() + (long)(at + n));
			const std::vector<Result> got = burst(list, piece);

			for (size_t i = 0; i < n; i++)
				EXPECT_TRUE(got[i] == native(list[i]))
					<< "frame " << at + i << " of " << list[i].size()
					<< " bytes, in pieces of " << piece;
			at += n;
		}
		EXPECT_GT(rounds, 10U);
		expect_equal_counters();
	}

	static struct dpdk_offline *offline;
	static struct rte_mempool *pool;
	struct lb_tables tables = {}, reference = {};
	struct lb_moment moment = {1000000000, 0, 0};
	std::vector<Bytes> frames;
	uint16_t headroom = RTE_PKTMBUF_HEADROOM;
};

struct dpdk_offline *Burst::offline;
struct rte_mempool *Burst::pool;

TEST_F(Burst, DecidesEachFrameAsTheNativeCoreDoes)
{
	expect_as_native(FRAME_MAX);
}

/* The same frames again and again meet their own entries of flows and fragments. */
TEST_F(Burst, MeetsItsOwnFlowsInTheOrderOfArrival)
{
	std::mt19937 random(2);

	for (int round = 0; round < 20; round++) {
		std::vector<Bytes> list;

		for (unsigned i = 0; i < DPDK_BURST; i++)
			list.push_back(frames[random() % frames.size()]);
		const std::vector<Result> got = burst(list, FRAME_MAX);

		for (size_t i = 0; i < list.size(); i++)
			EXPECT_TRUE(got[i] == native(list[i]))
				<< "round " << round << " frame " << i;
	}
	expect_equal_counters();
}

/* Bursts of one VIP's packets, computed with vectors of each width. */
class Vectors : public Burst, public ::testing::WithParamInterface<uint32_t>
{
      protected:
	void SetUp() override
	{
		Burst::SetUp();
		before = dpdk_vectors();
		if (dpdk_vectors_use(GetParam()) < 0)
			GTEST_SKIP() << "this CPU has no vectors of " << GetParam() << " bits";
		ASSERT_EQ(dpdk_vectors(), GetParam());
	}
	void TearDown() override
	{
		EXPECT_EQ(dpdk_vectors_use(before), 0);
		Burst::TearDown();
	}

	/* The same frame of another flow, more or less. */
	Bytes vary(Bytes frame)
	{
		if (frame.size() < 54 || frame[12] != 0x08 || frame[13] != 0x00 ||
		    frame[14] != 0x45)
			return frame;
		if (random() % 2) {
			frame[29] = (uint8_t)random(); /* source */
			frame[34] = (uint8_t)random(); /* its port */
			frame[35] = (uint8_t)random();
		}
		if (port) {
			frame[36] = (uint8_t)(port >> 8);
			frame[37] = (uint8_t)port;
		}
		frame[15] = (uint8_t)random(); /* TOS */
		frame[18] = (uint8_t)random(); /* ID */
		frame[20] = random() % 2 ? 0x40 : frame[20];
		if (frame[23] == 6 && random() % 4 == 0)
			frame[47] = random() % 2 ? 0x02 : 0x10; /* SYN, ACK */
		frame.resize(frame.size() + random() % 8);      /* padding */
		return frame;
	}

	/* So many of the same kind, now and then one of another kind or with a byte changed. */
	std::vector<Bytes> alike(const Bytes &frame, size_t n)
	{
		std::vector<Bytes> list;

		for (size_t i = 0; i < n; i++)
			list.push_back(vary(frame));
		if (random() % 3 == 0)
			list[random() % n] = frames[random() % frames.size()];
		if (random() % 3 == 0) {
			Bytes &odd = list[random() % n];

			odd.resize(std::max<size_t>(odd.size(), 1));
			odd[random() % std::min<size_t>(odd.size(), 60)] ^=
				(uint8_t)(1 << random() % 8);
		}
		return list;
	}

	void expect_bursts_as_native()
	{
		for (size_t k = 0; k < frames.size(); k += 1 + random() % 3) {
			const size_t n = 1 + random() % DPDK_BURST;
			const std::vector<Bytes> list = alike(frames[k], k % 2 ? n : DPDK_BURST);
			const std::vector<Result> got = burst(list, k % 8 ? FRAME_MAX : 64);

			for (size_t i = 0; i < list.size(); i++)
				EXPECT_TRUE(got[i] == native(list[i]))
					<< "frame " << i << " like scenario frame " << k;
		}
		expect_equal_counters();
		EXPECT_EQ(memcmp(tables.flows, reference.flows,
				 tables.dims.flow_buckets * sizeof(*tables.flows)),
			  0)
			<< "not the same flows are remembered";
	}

	std::mt19937 random{3};
	uint16_t port = 0; /* of all frames; 0: of each its own */
	uint32_t before = 0;
};

TEST_P(Vectors, MakeNoDifference)
{
	expect_bursts_as_native();
}

/* Nothing outside is read or written, which the sanitizers see, and most slots can't be read. */
TEST_P(Vectors, MakeNoDifferenceWhereTablesPointOutside)
{
	for (uint32_t start :
	     {0xffffff00U, 0xfffffffaU, tables.dims.slot_lines * LB_SLOTS_PER_LINE - 6}) {
		for (struct lb_tables *t : {&tables, &reference})
			for (uint32_t i = 1; i < t->dims.services; i++)
				t->services[i].ring_start = start;
		expect_bursts_as_native();
	}
}

TEST_P(Vectors, MakeNoDifferenceWhereThereIsNoRoomForHeaders)
{
	for (uint16_t room : {0, 19, 20, 39}) {
		headroom = room;
		expect_bursts_as_native();
	}
}

TEST_P(Vectors, MakeNoDifferenceWherePacketsOfOneVipLeaveByTwoInterfaces)
{
	for (struct lb_tables *t : {&tables, &reference}) {
		struct lb_iface *second =
			&t->node->ifaces[t->reals[WORLD_IPIP4_TAGS].nexthop >> 48];

		t->reals[WORLD_GUE4] = t->reals[WORLD_IPIP4_TAGS];
		second->flags = 0;
		second->common_mtu = second->mtu;
	}
	port = 84;
	expect_bursts_as_native();
}

TEST_P(Vectors, MakeNoDifferenceInTrackedSlotsBehindAnyInterface)
{
	for (int slots = 0; slots < WORLD_SLOTS_COUNT; slots++) {
		for (uint16_t mtu : {1500, 100}) {
			struct world_state state = world_plain;

			state.slots = (uint8_t)slots;
			state.mtu = mtu;
			state.tags = slots == WORLD_SLOTS_SETTLED;
			state.dead = slots == WORLD_SLOTS_ALL ? 1U << WORLD_IPIP4 : 0;
			world_set(&tables, &state);
			world_set(&reference, &state);
			expect_bursts_as_native();
			if (HasFailure())
				return;
		}
	}
}

INSTANTIATE_TEST_SUITE_P(Bits, Vectors, ::testing::Values(128U, 256U, 512U));

TEST(VectorsInUse, AreThoseOfAKnownWidth)
{
	const uint32_t before = dpdk_vectors();

	EXPECT_EQ(dpdk_vectors_use(384), -ENOTSUP);
	EXPECT_EQ(dpdk_vectors(), before);
}

TEST_F(Burst, TakesFramesInSegmentsAsThoughTheyWereWhole)
{
	for (size_t piece : {1, 7, 14, 33, 54, 60, 128, 255, 256, 300, 1000}) {
		expect_as_native(piece);
		if (HasFailure())
			break;
	}
}

} // namespace
