/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/test/world_test.h"

namespace
{

const struct core_datagram first = {0x0101a8c0, 0x017100cb, 0x1234, 17};

class Fragments : public World
{
};

TEST_F(Fragments, FollowTheFirst)
{
	EXPECT_EQ(core_fragment_real(&t, &first), 0U);
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	EXPECT_EQ(core_fragment_real(&t, &first), (uint32_t)WORLD_GUE4);
}

TEST_F(Fragments, OfOtherDatagramsDoNot)
{
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	for (int i = 0; i < 4; i++) {
		struct core_datagram other = first;

		(i == 0 ? other.src : i == 1 ? other.dst : other.id) ^= i == 3 ? 0 : 1;
		if (i == 3)
			other.protocol = 6;
		EXPECT_EQ(core_fragment_real(&t, &other), 0U) << i;
	}
}

TEST_F(Fragments, OfAnIdThatIsUsedAgainFollowTheLaterFirst)
{
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	core_fragment_remember(&t, &moment, &first, WORLD_IPIP6);
	EXPECT_EQ(core_fragment_real(&t, &first), (uint32_t)WORLD_IPIP6);
}

TEST_F(Fragments, AreForgottenAfterThirtySeconds)
{
	t.node->fragment_stamp = 250;
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	t.node->fragment_stamp = 250 + 30;
	EXPECT_EQ(core_fragment_real(&t, &first), (uint32_t)WORLD_GUE4) << "also across 256";
	t.node->fragment_stamp = 250 + 31;
	EXPECT_EQ(core_fragment_real(&t, &first), 0U);
}

TEST_F(Fragments, DoNotFollowToADeadReal)
{
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	world_kill(&t, WORLD_GUE4);
	EXPECT_EQ(core_fragment_real(&t, &first), 0U);
}

TEST_F(Fragments, AQuestionRemembersNothing)
{
	moment.question = 1;
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	EXPECT_EQ(core_fragment_real(&t, &first), 0U);
}

TEST_F(Fragments, WithoutATableNothingIsRemembered)
{
	t.dims.fragment_buckets = 0;
	core_fragment_remember(&t, &moment, &first, WORLD_GUE4);
	EXPECT_EQ(core_fragment_real(&t, &first), 0U);
	t.dims.fragment_buckets = world_dims().fragment_buckets;
}

} // namespace
