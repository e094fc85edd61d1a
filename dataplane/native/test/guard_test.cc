/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/test/world_test.h"

namespace
{

struct Address6 {
	__be32 word[4];
};

Address6 address6(const char *text)
{
	Address6 a = {};

	EXPECT_EQ(inet_pton(AF_INET6, text, a.word), 1) << text;
	return a;
}

TEST(Guard, KnowsSourcesThatCannotBe)
{
	for (const char *text : {"0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255",
				 "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"})
		EXPECT_TRUE(core_martian4(inet_addr(text))) << text;
	for (const char *text : {"1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255",
				 "10.0.0.1", "192.0.2.1"})
		EXPECT_FALSE(core_martian4(inet_addr(text))) << text;
	for (const char *text : {"::", "::1", "::ffff:1.2.3.4", "ff02::1", "ffff::"})
		EXPECT_TRUE(core_martian6(address6(text).word)) << text;
	for (const char *text : {"::2", "::fffe:1.2.3.4", "2001:db8::1", "fe80::1",
				 "0:1::", "1::", "::1:0:0", "::1:0:1"})
		EXPECT_FALSE(core_martian6(address6(text).word)) << text;
}

class Guarded : public World
{
      protected:
	bool denied(const char *text, uint32_t list = 1)
	{
		const int family = strchr(text, ':') ? 6 : 4;
		__be32 src[4] = {};

		EXPECT_EQ(inet_pton(family == 4 ? AF_INET : AF_INET6, text, src), 1) << text;
		return core_is_denied(&t, family, src, list);
	}

	bool take(uint64_t now_ns, bool question = false)
	{
		moment.now_ns = now_ns;
		moment.question = question;
		return core_limit_take(&t, &moment, LB_LIMIT_FIRST);
	}

	void limit(uint64_t interval_ns, uint64_t burst_ns)
	{
		t.limits[LB_LIMIT_FIRST] = {};
		t.limits[LB_LIMIT_FIRST].interval_ns = interval_ns;
		t.limits[LB_LIMIT_FIRST].burst_ns = burst_ns;
	}
};

TEST_F(Guarded, DenyListsHoldTheirPrefixesToTheBit)
{
	EXPECT_TRUE(denied("198.51.100.128"));
	EXPECT_TRUE(denied("198.51.100.255"));
	EXPECT_FALSE(denied("198.51.100.127"));
	EXPECT_FALSE(denied("198.51.101.128"));
	EXPECT_TRUE(denied("100.64.0.1"));
	EXPECT_FALSE(denied("100.64.0.2"));
	EXPECT_TRUE(denied("2001:db8:bad:ffff::1"));
	EXPECT_FALSE(denied("2001:db8:bae::"));
	EXPECT_TRUE(denied("2001:db8:c::66"));
	EXPECT_FALSE(denied("2001:db8:c::67"));
	EXPECT_FALSE(denied("198.51.100.128", 2)) << "another service's list";
}

TEST_F(Guarded, AsManyPrefixLengthsAsThereIsRoomForAreAsked)
{
	for (uint32_t i = 0; i < LB_SHAPES_MAX; i++)
		t.node->denied4[i] = i < LB_SHAPES_MAX - 1 ? 9 : 26;
	EXPECT_TRUE(denied("198.51.100.128"));
	EXPECT_FALSE(denied("198.51.100.127"));
}

TEST_F(Guarded, AFullDenyTableEndsAProbe)
{
	for (uint32_t i = 0; i < t.dims.deny_entries; i++)
		t.denied[i].service = LB_SERVICE_DELETED;
	EXPECT_FALSE(denied("198.51.100.128"));
}

TEST_F(Guarded, AnIntervalOfZeroIsNoLimit)
{
	limit(0, 0);
	for (int i = 0; i < 100; i++)
		EXPECT_TRUE(take(5));
	EXPECT_TRUE(core_limit_take(&t, &moment, t.dims.limits)) << "nor is one outside the table";
}

TEST_F(Guarded, ALimitWithoutBurstLetsOneThroughInEachInterval)
{
	limit(1000, 0);
	EXPECT_TRUE(take(10000));
	EXPECT_FALSE(take(10000));
	EXPECT_FALSE(take(10999));
	EXPECT_TRUE(take(11000)) << "to the nanosecond";
	EXPECT_FALSE(take(11999));
	EXPECT_TRUE(take(12500));
	EXPECT_FALSE(take(13499)) << "what came late doesn't bring the next forward";
	EXPECT_TRUE(take(13500));
}

TEST_F(Guarded, ABurstOfNIntervalsLetsNPlusOneThroughAtOnce)
{
	limit(1000, 4000);
	for (int i = 0; i < 5; i++)
		EXPECT_TRUE(take(50000)) << i;
	EXPECT_FALSE(take(50000));
	EXPECT_FALSE(take(50999));
	EXPECT_TRUE(take(51000)) << "one more for each interval";
	EXPECT_FALSE(take(51000));
	for (int i = 0; i < 5; i++)
		EXPECT_TRUE(take(1000000)) << "rest restores the burst, not more: " << i;
	EXPECT_FALSE(take(1000000));
}

TEST_F(Guarded, ARefusedEventCostsNothing)
{
	limit(1000, 0);
	EXPECT_TRUE(take(10000));
	for (int i = 0; i < 1000; i++)
		EXPECT_FALSE(take(10500));
	EXPECT_TRUE(take(11000));
}

TEST_F(Guarded, AQuestionTakesNothing)
{
	limit(1000, 0);
	for (int i = 0; i < 10; i++)
		EXPECT_TRUE(take(10000, true));
	EXPECT_EQ(t.limits[LB_LIMIT_FIRST].arrival_ns, 0U);
	EXPECT_TRUE(take(10000));
	EXPECT_FALSE(take(10000, true));
}

TEST_F(Guarded, WorkersThatRaceForOneMomentMayBothPassButTheLimitHoldsAfterThem)
{
	limit(1000, 0);
	core_race = [](__u64 *arrival) { *arrival = 11000; };
	EXPECT_TRUE(take(10000));
	core_race = nullptr;
	EXPECT_EQ(t.limits[LB_LIMIT_FIRST].arrival_ns, 11000U);
	EXPECT_FALSE(take(10999));
}

} // namespace
