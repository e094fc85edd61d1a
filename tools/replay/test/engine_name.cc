/* SPDX-License-Identifier: BSD-2-Clause */
/* Which engine a test program is for; and exit status 77 where that engine can't run at all, which
 * test runners take for "skipped". */
#include <gtest/gtest.h>

extern const char *const test_engine;
const char *const test_engine = TEST_ENGINE;

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	int ret = RUN_ALL_TESTS();
	auto *all = testing::UnitTest::GetInstance();

	if (ret == 0 && all->test_to_run_count() > 0 &&
	    all->skipped_test_count() == all->test_to_run_count())
		return 77;
	return ret;
}
