/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/test/world_test.h"

namespace
{

uint64_t flow(unsigned i)
{
	return (uint64_t)(i + 1) << 40;
}

uint64_t entry(unsigned i, unsigned real = 1)
{
	return core_flow_entry(flow(i), real, 0);
}

struct lb_bucket full(uint64_t flags = 0)
{
	struct lb_bucket b = {};

	for (unsigned i = 0; i < LB_BUCKET_WAYS; i++)
		core_bucket_put(&b, entry(i) | flags);
	return b;
}

unsigned evicted_unconfirmed(const struct lb_bucket &b)
{
	return (unsigned)(b.hand >> 8 & 0xffffff);
}

unsigned evicted_confirmed(const struct lb_bucket &b)
{
	return (unsigned)(b.hand >> 32);
}

TEST(FlowTable, FindsWhatWasPut)
{
	struct lb_bucket b = full();

	for (unsigned i = 0; i < LB_BUCKET_WAYS; i++)
		EXPECT_EQ(core_bucket_find(&b, flow(i)), (int)i);
	EXPECT_EQ(core_bucket_find(&b, flow(99)), -1);
}

TEST(FlowTable, AFreePlaceIsNoFlowsEvenOneWhoseTagIsZero)
{
	struct lb_bucket b = {};

	EXPECT_EQ(core_bucket_find(&b, 0), -1);
	EXPECT_EQ(core_bucket_find(&b, 0xffffff), -1);
}

TEST(FlowTable, TellsFlowsApartByTheTagAndNothingElse)
{
	struct lb_bucket b = {};

	core_bucket_put(&b, core_flow_entry(0x0123456789abcdefULL, 5, 7));
	EXPECT_EQ(core_bucket_find(&b, 0x0123456789000000ULL), 0) << "what the bucket comes from";
	EXPECT_EQ(core_bucket_find(&b, 0x0123456788abcdefULL), -1);
}

TEST(FlowTable, FillsFreePlacesBeforeItEvicts)
{
	struct lb_bucket b = full();

	EXPECT_EQ(b.hand, 0U);
	b.entry[3] = 0;
	core_bucket_put(&b, entry(50));
	EXPECT_EQ(core_bucket_find(&b, flow(50)), 3);
	EXPECT_EQ(b.hand, 0U) << "nothing was evicted";
}

TEST(FlowTable, EvictsFirstInFirstOut)
{
	struct lb_bucket b = full();

	for (unsigned i = 0; i < 3 * LB_BUCKET_WAYS; i++) {
		core_bucket_put(&b, entry(100 + i));
		EXPECT_EQ(core_bucket_find(&b, flow(100 + i)), (int)(i % LB_BUCKET_WAYS)) << i;
	}
	EXPECT_EQ(evicted_unconfirmed(b), 3 * LB_BUCKET_WAYS);
	EXPECT_EQ(evicted_confirmed(b), 0U);
}

TEST(FlowTable, EvictsAConfirmedFlowOnlyWhenThereIsNoOther)
{
	struct lb_bucket b = full(LB_FLOW_CONFIRMED);

	b.entry[5] &= ~LB_FLOW_CONFIRMED;
	for (unsigned i = 0; i < 20; i++)
		core_bucket_put(&b, entry(200 + i));
	for (unsigned i = 0; i < LB_BUCKET_WAYS; i++)
		if (i != 5) {
			EXPECT_EQ(core_bucket_find(&b, flow(i)), (int)i) << "a flood took a flow";
		}
	EXPECT_EQ(evicted_unconfirmed(b), 20U);
	EXPECT_EQ(evicted_confirmed(b), 0U);

	b.entry[5] |= LB_FLOW_CONFIRMED;
	core_bucket_put(&b, entry(300));
	EXPECT_EQ(core_bucket_find(&b, flow(300)), 6) << "the one after the last evicted";
	EXPECT_EQ(evicted_confirmed(b), 1U);
	EXPECT_EQ(evicted_unconfirmed(b), 20U);
}

TEST(FlowTable, CountsEvictionsModuloTheirWidth)
{
	struct lb_bucket b = full();

	b.hand = 0x00000007ffffff02ULL;
	core_bucket_put(&b, entry(1000));
	EXPECT_EQ(b.hand, 0x0000000700000003ULL) << "unconfirmed wrap without touching the rest";

	b = full(LB_FLOW_CONFIRMED);
	b.hand = 0xffffffff00000506ULL;
	core_bucket_put(&b, entry(1001));
	EXPECT_EQ(b.hand, 0x0000000000000500ULL) << "confirmed wrap, and the hand from 6 to 0";
}

TEST(FlowTable, AHandThatPointsNowhereBeginsAtTheFirst)
{
	struct lb_bucket b = full();

	b.hand = 7;
	core_bucket_put(&b, entry(70));
	EXPECT_EQ(core_bucket_find(&b, flow(70)), 0);
}

TEST(FlowTable, SlotOfAnEntryIsTheSlotOfItsFlow)
{
	for (uint64_t i = 1; i < 5000; i++) {
		const uint64_t hash = i * 0x9e3779b97f4a7c15ULL;

		ASSERT_EQ(core_flow_slot(core_flow_entry(hash, 0x7fff, 0xff), 65537),
			  core_hash_slot(hash, 65537));
	}
}

/* Another worker that takes the same place, so many times. */
int races;

void take_place(__u64 *word)
{
	if (races > 0) {
		*word = entry(900 + (unsigned)races);
		races--;
	}
}

TEST(FlowTable, GivesWayToAnotherWorkerAndTriesOnceMore)
{
	struct lb_bucket b = {};

	core_race = take_place;
	races = 1;
	core_bucket_put(&b, entry(1));
	EXPECT_EQ(core_bucket_find(&b, flow(901)), 0) << "the other's entry stays";
	EXPECT_EQ(core_bucket_find(&b, flow(1)), 1);

	b = {};
	races = 2;
	core_bucket_put(&b, entry(1));
	core_race = nullptr;
	EXPECT_EQ(core_bucket_find(&b, flow(1)), -1) << "it isn't tried for ever";
	EXPECT_EQ(core_bucket_find(&b, flow(902)), 0);
	EXPECT_EQ(core_bucket_find(&b, flow(901)), 1);
}

} // namespace
