/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

extern "C" {
#include "controlplane/config/suggest.h"
}

#include <climits>
#include <string>

TEST(Suggest, CountsSlipsOfTheKeyboard)
{
	EXPECT_EQ(suggest_distance("port", "port"), 0u);
	EXPECT_EQ(suggest_distance("prot", "port"), 1u) << "swapped";
	EXPECT_EQ(suggest_distance("por", "port"), 1u) << "left out";
	EXPECT_EQ(suggest_distance("poort", "port"), 1u) << "doubled";
	EXPECT_EQ(suggest_distance("pert", "port"), 1u) << "changed";
	EXPECT_EQ(suggest_distance("", "port"), 4u);
	EXPECT_EQ(suggest_distance("kitten", "sitting"), 3u);
	EXPECT_EQ(suggest_distance(std::string(65, 'a').c_str(), "a"), UINT_MAX);
}

TEST(Suggest, PrefersTheNearestAndStaysSilentWhenNothingIsNear)
{
	struct suggest s;

	suggest_init(&s, "intrval");
	suggest_offer(&s, "internal");
	suggest_offer(&s, "interval");
	EXPECT_STREQ(s.best, "interval");
	suggest_init(&s, "colour");
	suggest_offer(&s, "port");
	EXPECT_EQ(s.best, nullptr);
}

TEST(ShowValue, FitsOneLine)
{
	char buf[SHOW_STRLEN];

	EXPECT_STREQ(show_value("a\nb\tc", buf), "a?b?c");
	EXPECT_EQ(show_value(std::string(100, 'x').c_str(), buf), std::string(60, 'x') + "...");
	/* Not through the middle of a character. */
	EXPECT_EQ(show_value((std::string(59, 'x') + "\xc3\xa9zz").c_str(), buf),
		  std::string(59, 'x') + "...");
}
