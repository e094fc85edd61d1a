/* SPDX-License-Identifier: BSD-2-Clause */
/* A slot that changed: which real a packet gets, and what is remembered. */
#include "dataplane/native/test/world_test.h"

namespace
{

constexpr uint64_t HASH = 0x123456789abcdef0ULL;

class Track : public World
{
      protected:
	/* Slot 0 of ring 0: current real 1. */
	void previous(uint16_t real)
	{
		t.previous[0].slot[0] = real;
	}

	uint32_t real_of(uint32_t how, bool question = false)
	{
		moment.question = question;
		return core_track_real(&t, &moment, 0, WORLD_IPIP4, HASH, how);
	}

	/* The flow's entry, 0: none. */
	uint64_t entry() const
	{
		for (uint32_t b = 0; b < t.dims.flow_buckets; b++) {
			int way = core_bucket_find(&t.flows[b], HASH);

			if (way >= 0)
				return t.flows[b].entry[way];
		}
		return 0;
	}

	uint32_t remembered() const
	{
		return (uint32_t)(entry() & LB_FLOW_REAL_MASK);
	}
	bool confirmed() const
	{
		return entry() & LB_FLOW_CONFIRMED;
	}
};

TEST_F(Track, ANewConnectionTakesTheCurrentReal)
{
	previous(WORLD_GUE4);
	EXPECT_EQ(real_of(CORE_NEW), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(remembered(), (uint32_t)WORLD_IPIP4);
	EXPECT_FALSE(confirmed());
}

TEST_F(Track, AnUnknownFlowStaysWithThePreviousReal)
{
	previous(WORLD_GUE4);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(remembered(), (uint32_t)WORLD_GUE4);
	EXPECT_FALSE(confirmed());
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_GUE4);
	EXPECT_TRUE(confirmed()) << "by the packet that found it";
}

TEST_F(Track, AnEntryWinsOverThePreviousReal)
{
	previous(WORLD_GUE4);
	real_of(CORE_NEW);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_IPIP4);
	EXPECT_TRUE(confirmed());
}

TEST_F(Track, ASynForgetsWhereItsFlowWas)
{
	previous(WORLD_GUE4);
	real_of(0);
	ASSERT_EQ(remembered(), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(real_of(CORE_NEW), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(remembered(), (uint32_t)WORLD_IPIP4);
	EXPECT_FALSE(confirmed());
}

TEST_F(Track, ADeadPreviousRealIsNotFollowed)
{
	previous(WORLD_DEAD);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_IPIP4);
}

TEST_F(Track, AnEntryWhoseRealDiedIsReplaced)
{
	previous(WORLD_GUE4);
	real_of(0);
	world_kill(&t, WORLD_GUE4);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(remembered(), (uint32_t)WORLD_IPIP4);
}

TEST_F(Track, ASlotWithoutAPreviousRealRemembersNothing)
{
	previous(0);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(real_of(CORE_NEW), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(entry(), 0U);
}

TEST_F(Track, ASettledSlotHonoursEntriesAndMakesNone)
{
	previous(WORLD_GUE4);
	real_of(0);
	previous(WORLD_IPIP4);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(real_of(CORE_NEW), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(entry(), 0U) << "a SYN forgets it, and no other is made";
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(entry(), 0U);
}

TEST_F(Track, AnEntryIsStampedWhenItIsUsedAndWrittenNoMoreThanThat)
{
	previous(WORLD_GUE4);
	t.node->flow_stamp = 0x1fe;
	real_of(0);
	EXPECT_EQ(entry() >> LB_FLOW_STAMP_LOW & 0xff, 0xfeU);
	t.node->flow_stamp = 0x200;
	real_of(0);
	EXPECT_EQ(entry() >> LB_FLOW_STAMP_LOW & 0xff, 0U);
	core_race = [](__u64 *) { ADD_FAILURE() << "written though nothing changed"; };
	real_of(0);
}

TEST_F(Track, WhoSpeaksOfAFlowLeavesNoTrace)
{
	previous(WORLD_GUE4);
	EXPECT_EQ(real_of(CORE_READ), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(entry(), 0U);
	real_of(0);
	EXPECT_EQ(real_of(CORE_READ), (uint32_t)WORLD_GUE4);
	EXPECT_FALSE(confirmed());
}

TEST_F(Track, AQuestionLeavesNoTrace)
{
	previous(WORLD_GUE4);
	EXPECT_EQ(real_of(0, true), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(real_of(CORE_NEW, true), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(entry(), 0U);
}

TEST_F(Track, WithoutAFlowTablePreviousAndCurrentDecide)
{
	previous(WORLD_GUE4);
	t.dims.flow_buckets = t.node->flow_buckets = 0;
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(real_of(CORE_NEW), (uint32_t)WORLD_IPIP4);
	t.dims.flow_buckets = world_dims().flow_buckets;
}

TEST_F(Track, ASlotOfNobodyRemembersNothing)
{
	previous(WORLD_DEAD);
	moment.question = 0;
	EXPECT_EQ(core_track_real(&t, &moment, 0, 0, HASH, 0), 0U);
	EXPECT_EQ(entry(), 0U);
}

TEST_F(Track, ASlotOutsideTheTableHasNoPrevious)
{
	EXPECT_EQ(core_track_real(&t, &moment, 32 * t.dims.slot_lines, WORLD_IPIP4, HASH, 0),
		  (uint32_t)WORLD_IPIP4);
}

TEST_F(Track, APreviousRealOutsideTheTableIsNotFollowed)
{
	previous(0x7000);
	EXPECT_EQ(real_of(0), (uint32_t)WORLD_IPIP4);
}

} // namespace
