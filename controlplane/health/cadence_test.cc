/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

extern "C" {
#include "controlplane/health/cadence.h"
}

namespace
{

constexpr uint64_t MS = 1000000;
constexpr uint64_t GOLDEN = 0x9e3779b97f4a7c15ULL;
constexpr uint64_t HALF = 1ULL << 63;

TEST(Cadence, FirstCheckComesWithinAShortInterval)
{
	struct cadence c;

	EXPECT_EQ(cadence_start(&c, 0, 200 * MS, 5000), 5000u);
	EXPECT_EQ(cadence_start(&c, HALF, 200 * MS, 5000), 5000 + 100 * MS);
	EXPECT_LT(cadence_start(&c, UINT64_MAX, 200 * MS, 5000), 5000 + 200 * MS);
}

TEST(Cadence, FirstCheckOfALongIntervalWaitsAtMostASecond)
{
	struct cadence c;

	EXPECT_EQ(cadence_start(&c, HALF, 60000 * MS, 0), 500 * MS);
	EXPECT_LT(cadence_start(&c, UINT64_MAX, 3600000 * MS, 0), 1000 * MS);
}

TEST(Cadence, SecondCheckKeepsHalfAnIntervalOfDistance)
{
	for (uint64_t i = 0; i < 1000; i++) {
		struct cadence c;
		uint64_t skipped, first = cadence_start(&c, i * GOLDEN, 10000 * MS, 77);
		uint64_t second = cadence_next(&c, first, first + MS, &skipped);

		EXPECT_EQ(skipped, 0u);
		EXPECT_GE(second - first, 5000 * MS);
		EXPECT_LE(second - first, 15000 * MS);
	}
}

TEST(Cadence, DoesNotDriftHoweverLongChecksTake)
{
	struct cadence c;
	uint64_t skipped, base = cadence_start(&c, HALF, 1000 * MS, 0);
	uint64_t due = base;

	for (uint64_t i = 1; i <= 1000; i++) {
		due = cadence_next(&c, due, due + (i * 37 % 900) * MS, &skipped);
		ASSERT_EQ(due, base + i * 1000 * MS);
		ASSERT_EQ(skipped, 0u);
	}
}

TEST(Cadence, CheckThatJustOverranItsBeatIsFollowedAtOnce)
{
	struct cadence c;
	uint64_t skipped, base = cadence_start(&c, 0, 1000 * MS, 0);

	EXPECT_EQ(cadence_next(&c, base, base + 1001 * MS, &skipped), base + 1000 * MS);
	EXPECT_EQ(skipped, 0u);
}

TEST(Cadence, BeatsThatPassedMeanwhileAreSkippedAndCounted)
{
	struct cadence c;
	uint64_t skipped, base = cadence_start(&c, 0, 1000 * MS, 0);

	EXPECT_EQ(cadence_next(&c, base, base + 3700 * MS, &skipped), base + 4000 * MS);
	EXPECT_EQ(skipped, 3u);
	EXPECT_EQ(cadence_next(&c, base, base + 3200 * MS, &skipped), base + 3000 * MS);
	EXPECT_EQ(skipped, 2u);
}

TEST(Cadence, NeverTwoChecksForOneBeat)
{
	struct cadence c;
	uint64_t skipped, due = cadence_start(&c, HALF, 100 * MS, 0);

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t next = cadence_next(&c, due, due + (i * 7919 % 500) * MS, &skipped);

		ASSERT_GE(next, due + 50 * MS);
		ASSERT_EQ((next - c.base_ns) % c.interval_ns, 0u);
		due = next;
	}
}

TEST(Cadence, TargetsSpreadEvenlyOverTheInterval)
{
	std::vector<uint64_t> starts;
	struct cadence c;
	uint64_t widest = 0;

	for (uint64_t i = 0; i < 2000; i++)
		starts.push_back(cadence_start(&c, 12345 + i * GOLDEN, 1000 * MS, 0));
	std::sort(starts.begin(), starts.end());
	for (size_t i = 1; i < starts.size(); i++)
		widest = std::max(widest, starts[i] - starts[i - 1]);
	/* Even spacing would be 0.5 ms; random places would leave gaps of about 4 ms. */
	EXPECT_LT(widest, 2 * MS);
}

} // namespace
