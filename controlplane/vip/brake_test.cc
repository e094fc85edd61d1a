/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/vip_fixture.h"

#include <string>
#include <vector>

extern "C" {
#include "controlplane/vip/brake.h"
}

namespace
{

/* Pools of five reals each; `shared` puts the same address into all of them. */
std::string pools(int n, bool shared = false)
{
	std::string out = test_node() + "pools:\n";

	for (int p = 0; p < n; p++) {
		out += "  - {name: p" + std::to_string(p) +
		       ", encap: ipip, min_healthy: 2, health: {type: tcp, port: 80, interval: 2s, "
		       "timeout: 1s, fall: 3}, reals: [";
		for (int r = 1; r <= 5; r++)
			out += "{address: 10.0." + std::to_string(shared && r == 1 ? 99 : p) + "." +
			       std::to_string(r) + "},";
		out += "]}\n";
	}
	return out + "vips: []\n";
}

class Brake : public ::testing::Test
{
      protected:
	std::vector<struct vip_brake_pool> views;
	struct vip_brake_result res = {};

	/* up[i] of the five reals of pool i are up, the others have just failed. */
	bool judge(Node &node, const std::vector<size_t> &up)
	{
		views.clear();
		for (size_t i = 0; i < up.size(); i++)
			views.push_back({&node.cfg->pools[i], up[i], 5 - up[i], false});
		EXPECT_EQ(vip_brake_judge(views.data(), views.size(), &res), 0);
		return res.holding;
	}
};

TEST_F(Brake, UnrelatedPoolsThatFailTogetherAreHeld)
{
	Node node{pools(4)};

	EXPECT_TRUE(judge(node, {0, 0, 0, 0}));
	EXPECT_TRUE(views[0].held);
	EXPECT_EQ(res.groups, 4u);
	EXPECT_TRUE(judge(node, {1, 0, 0, 5})) << "three of four";
	EXPECT_TRUE(views[0].held) << "one real is up, but the minimum is two";
	EXPECT_FALSE(views[3].held) << "it has its reals";
}

TEST_F(Brake, OnePoolThatEmptiesIsNobodysMistake)
{
	Node node{pools(4)};

	EXPECT_FALSE(judge(node, {0, 5, 5, 5}));
	EXPECT_FALSE(judge(node, {0, 0, 5, 5}));
	EXPECT_FALSE(views[0].held);
}

TEST_F(Brake, PoolsThatKeepTheirMinimumDropTheirDeadRealsAsEver)
{
	Node node{pools(4)};

	EXPECT_FALSE(judge(node, {2, 2, 2, 2})) << "a rack died: the others take over";
}

TEST_F(Brake, PoolsOnTheSameServersAreNotUnrelated)
{
	Node node{pools(4, true)};

	EXPECT_FALSE(judge(node, {0, 0, 0, 0}));
	EXPECT_EQ(res.groups, 1u);
}

TEST_F(Brake, AFewServersAreNoEvidence)
{
	Node node{pools(3)};

	views = {{&node.cfg->pools[0], 0, 3, false},
		 {&node.cfg->pools[1], 0, 3, false},
		 {&node.cfg->pools[2], 0, 3, false}};
	ASSERT_EQ(vip_brake_judge(views.data(), 3, &res), 0);
	EXPECT_FALSE(res.holding);
}

TEST_F(Brake, MostRealsMustHaveFailed)
{
	Node node{pools(8)};

	EXPECT_FALSE(judge(node, {0, 0, 0, 0, 5, 5, 5, 5}));
	EXPECT_TRUE(judge(node, {0, 0, 0, 0, 0, 5, 5, 5}));
}

TEST_F(Brake, TheWindowIsTheSlowestChecksVerdict)
{
	Node node{pools(1)};

	EXPECT_EQ(vip_brake_window_ms(node.cfg), 7000u);
	Node none{test_node() + "pools: []\nvips: []\n"};
	EXPECT_EQ(vip_brake_window_ms(none.cfg), 0u);
}

} // namespace
