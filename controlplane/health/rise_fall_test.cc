/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "controlplane/health/rise_fall.h"
}

namespace
{

/* Feed results ('+' success, '-' failure) and return the state after each: 'u', 'd' or '?'. */
std::string run(struct rise_fall *rf, const std::string &results, uint32_t rise, uint32_t fall)
{
	std::string states;
	uint64_t now = 100;

	for (char c : results) {
		enum health_state before = rf->state;
		bool changed = rise_fall_step(rf, c == '+', rise, fall, now);

		EXPECT_EQ(changed, rf->state != before);
		EXPECT_EQ(rf->since_ns == now, changed);
		EXPECT_TRUE(rf->successes == 0 || rf->failures == 0);
		states += "?ud"[rf->state];
		now++;
	}
	return states;
}

std::string run_from(enum health_state initial, const std::string &results, uint32_t rise,
		     uint32_t fall)
{
	struct rise_fall rf;

	rise_fall_init(&rf, initial, 1);
	return run(&rf, results, rise, fall);
}

TEST(RiseFall, FirstResultDecidesWhenNothingIsKnown)
{
	EXPECT_EQ(run_from(HEALTH_UNKNOWN, "+", 5, 5), "u");
	EXPECT_EQ(run_from(HEALTH_UNKNOWN, "-", 5, 5), "d");
}

TEST(RiseFall, GoesDownOnlyAfterFallFailuresInARow)
{
	EXPECT_EQ(run_from(HEALTH_UP, "--+--+---", 2, 3), "uuuuuuuud");
}

TEST(RiseFall, ComesUpOnlyAfterRiseSuccessesInARow)
{
	EXPECT_EQ(run_from(HEALTH_DOWN, "+-+-++", 2, 3), "dddddu");
}

TEST(RiseFall, AlternatingResultsHoldEitherState)
{
	EXPECT_EQ(run_from(HEALTH_UP, "-+-+-+-+", 2, 2), "uuuuuuuu");
	EXPECT_EQ(run_from(HEALTH_DOWN, "+-+-+-+-", 2, 2), "dddddddd");
}

TEST(RiseFall, CountsOfOneAndZeroChangeAtOnce)
{
	EXPECT_EQ(run_from(HEALTH_UP, "-+-+", 1, 1), "dudu");
	EXPECT_EQ(run_from(HEALTH_UP, "-+-+", 0, 0), "dudu");
}

TEST(RiseFall, RunsLongerThanNeededChangeNothingMore)
{
	struct rise_fall rf;

	rise_fall_init(&rf, HEALTH_DOWN, 1);
	EXPECT_EQ(run(&rf, "++++++", 2, 2), "duuuuu");
	EXPECT_EQ(rf.successes, 6u);
	EXPECT_EQ(rf.since_ns, 101u);
}

TEST(RiseFall, CountsDoNotWrap)
{
	struct rise_fall rf;

	rise_fall_init(&rf, HEALTH_UP, 1);
	rf.successes = UINT32_MAX;
	EXPECT_FALSE(rise_fall_step(&rf, true, 2, 2, 5));
	EXPECT_EQ(rf.successes, UINT32_MAX);
}

TEST(RiseFall, LoweringFallBelowTheRunTakesEffectWithTheNextResult)
{
	struct rise_fall rf;

	rise_fall_init(&rf, HEALTH_UP, 1);
	EXPECT_EQ(run(&rf, "---", 2, 10), "uuu");
	EXPECT_TRUE(rise_fall_step(&rf, false, 2, 2, 200));
	EXPECT_EQ(rf.state, HEALTH_DOWN);
}

} // namespace
