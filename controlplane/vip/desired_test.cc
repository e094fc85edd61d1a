/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/vip_fixture.h"

#include <string>

namespace
{

const std::string POOL_WEB = "pools:\n"
			     "  - name: web\n"
			     "    encap: ipip\n"
			     "    health: {type: tcp, port: 80}\n"
			     "    reals: [{address: 10.0.0.11}, {address: 10.0.0.12, weight: 50},\n"
			     "            {address: 10.0.0.13}]\n";

std::string one_vip(const std::string &announce = "healthy")
{
	return test_node() + test_bgp() + POOL_WEB +
	       "vips:\n  - {name: web, address: 203.0.113.80, announce: {when: " + announce +
	       "},\n     services: [{protocol: tcp, port: 443, pool: web}]}\n";
}

class Desired : public ::testing::Test
{
      protected:
	Node node{one_vip()};
	struct vip_desired d = {};

	void look()
	{
		vip_desired_fini(&d);
		d = node.desired();
	}
	void TearDown() override
	{
		vip_desired_fini(&d);
	}
	const struct vip_pool *web()
	{
		return vip_state_find_pool(&d.state, "web");
	}
	std::string reason()
	{
		return vip_desired_vip(&d, "web")->reason;
	}
	bool announced()
	{
		struct prefix a = test_prefix("203.0.113.80");

		EXPECT_EQ(vip_state_announced(&d.state, &a), vip_desired_vip(&d, "web")->announce);
		return vip_state_announced(&d.state, &a);
	}
	/* Members that get new connections. */
	size_t active()
	{
		return vip_pool_active(web());
	}

	/* Members that lose those they have. */
	size_t dead()
	{
		size_t n = 0;

		for (size_t i = 0; i < web()->n_members; i++)
			n += web()->members[i].dead;
		return n;
	}

	void all_down()
	{
		for (const char *a : {"10.0.0.11", "10.0.0.12", "10.0.0.13"})
			node.health[std::string("web ") + a] = VIP_HEALTH_DOWN;
	}
};

TEST_F(Desired, HealthyRealsGetTheirWeightsAndTheVipIsAnnounced)
{
	look();
	ASSERT_EQ(web()->n_members, 3u);
	EXPECT_EQ(web()->members[1].weight, 50u);
	EXPECT_TRUE(announced());
	EXPECT_EQ(reason(), "every service has enough reals");
	EXPECT_EQ(d.state.n_services, 1u);
}

TEST_F(Desired, AFailedRealIsADeadMemberAndTheVipStays)
{
	node.health["web 10.0.0.12"] = VIP_HEALTH_DOWN;
	look();
	ASSERT_EQ(web()->n_members, 3u);
	EXPECT_EQ(active(), 2u);
	EXPECT_TRUE(web()->members[1].dead);
	EXPECT_EQ(web()->members[1].weight, 0u);
	EXPECT_TRUE(announced());
	EXPECT_STREQ(vip_desired_pool(&d, "web")->reason, "2 of 3 reals up, 1 down");
}

TEST_F(Desired, AnEmptyPoolWithdrawsItsVipAndSaysWhy)
{
	all_down();
	look();
	EXPECT_EQ(active(), 0u);
	EXPECT_EQ(dead(), 3u);
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "pool web has 0 of 3 reals up (min_healthy 1), 3 down");
}

TEST_F(Desired, BelowTheMinimumWithdrawsButGoesOnForwarding)
{
	std::string yaml = one_vip();

	yaml.replace(yaml.find("health: {"), 0, "min_healthy: 2\n    ");
	node.replace(yaml);
	node.health["web 10.0.0.11"] = VIP_HEALTH_DOWN;
	look();
	EXPECT_TRUE(announced());
	node.health["web 10.0.0.12"] = VIP_HEALTH_CHECKING;
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "pool web has 1 of 3 reals up (min_healthy 2), 1 down, 1 checking");
	EXPECT_EQ(active(), 1u);
	EXPECT_EQ(dead(), 1u) << "what is still being checked isn't known to be dead";
	EXPECT_EQ(vip_desired_pool(&d, "web")->condition, VIP_POOL_BELOW_MINIMUM);
}

TEST_F(Desired, ADrainedRealKeepsItsConnectionsADisabledOneLosesThem)
{
	struct addr a = test_addr("10.0.0.11"), b = test_addr("10.0.0.12");

	ASSERT_EQ(vip_intent_set(&node.intent, "web", &a, VIP_INTENT_DRAIN), 0);
	ASSERT_EQ(vip_intent_set(&node.intent, "web", &b, VIP_INTENT_DISABLE), 0);
	look();
	ASSERT_EQ(web()->n_members, 3u);
	EXPECT_TRUE(addr_equal(&web()->members[0].addr, &a));
	EXPECT_EQ(web()->members[0].weight, 0u);
	EXPECT_FALSE(web()->members[0].dead);
	EXPECT_EQ(web()->members[1].weight, 0u);
	EXPECT_TRUE(web()->members[1].dead);
	/* Drained and failed is failed. */
	node.health["web 10.0.0.11"] = VIP_HEALTH_DOWN;
	look();
	EXPECT_EQ(dead(), 2u);
	EXPECT_EQ(vip_desired_pool(&d, "web")->n_up, 1u);
}

TEST_F(Desired, DrainingTheNodeWithdrawsAndForwardsOn)
{
	node.intent.node_drained = true;
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "node is drained");
	EXPECT_EQ(web()->n_members, 3u);
	EXPECT_EQ(d.state.n_services, 1u);
}

TEST_F(Desired, NothingIsAnnouncedWhileTheNodeCannotForward)
{
	node.node_blocked = "the program isn't attached to eth0";
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "the program isn't attached to eth0");
	node.node_blocked = "";
	node.blocked["web"] = "probe failed: tcp/443: dropped";
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "probe failed: tcp/443: dropped");
}

TEST_F(Desired, NoNextHopMeansNoAnnouncement)
{
	node.unresolved = {"10.0.0.11", "10.0.0.12", "10.0.0.13"};
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "pool web: no next hop of its 3 reals is resolved");
	node.unresolved = {"10.0.0.11", "10.0.0.12"};
	look();
	EXPECT_TRUE(announced());
}

TEST_F(Desired, AnnounceNeverAndNoBgpSaySo)
{
	node.replace(one_vip("never"));
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "announce: never");
	node.replace(test_node() + POOL_WEB +
		     "vips: [{name: web, address: 203.0.113.80,\n"
		     "        services: [{protocol: tcp, port: 443, pool: web}]}]\n");
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "bgp is not configured");
}

TEST_F(Desired, AVipWithoutServicesIsNotAnnounced)
{
	node.replace(test_node() + test_bgp() + POOL_WEB +
		     "vips: [{name: web, address: 203.0.113.80}]\n");
	look();
	EXPECT_FALSE(announced());
	EXPECT_EQ(reason(), "it has no services");
}

TEST_F(Desired, AlwaysStaysAnnouncedAndFailsOpenRatherThanDropAll)
{
	struct addr out = test_addr("10.0.0.13");

	node.replace(one_vip("always"));
	all_down();
	ASSERT_EQ(vip_intent_set(&node.intent, "web", &out, VIP_INTENT_DISABLE), 0);
	look();
	EXPECT_TRUE(announced());
	EXPECT_EQ(active(), 2u);
	EXPECT_EQ(dead(), 1u);
	EXPECT_TRUE(vip_pool_forwards(web()));
	EXPECT_TRUE(vip_desired_pool(&d, "web")->fail_open);
	/* One that is up again takes all: no guessing any more. */
	node.health["web 10.0.0.12"] = VIP_HEALTH_UP;
	look();
	EXPECT_FALSE(vip_desired_pool(&d, "web")->fail_open);
	EXPECT_EQ(active(), 1u);
}

TEST_F(Desired, OneDeadServiceDoesNotTakeTheOthersOfItsAddressDown)
{
	node.replace(
		test_node() + test_bgp() + POOL_WEB +
		"  - {name: api, encap: ipip, health: {type: tcp, port: 81}, reals: [{address: "
		"10.0.0.21}]}\n"
		"vips: [{name: web, address: 203.0.113.80, services: [\n"
		"  {protocol: tcp, port: 80, pool: api}, {protocol: tcp, port: 443, pool: "
		"web}]}]\n");
	node.health["api 10.0.0.21"] = VIP_HEALTH_DOWN;
	look();
	EXPECT_TRUE(announced());
	EXPECT_EQ(reason(), "for its other services; pool api has 0 of 1 reals up (min_healthy 1), "
			    "1 down");
	all_down();
	look();
	EXPECT_FALSE(announced());
}

TEST_F(Desired, RealsWithoutCheckCountAsHealthy)
{
	node.replace(test_node() + test_bgp() +
		     "pools: [{name: web, encap: ipip, reals: [{address: 10.0.0.11}]}]\n"
		     "vips: [{name: web, address: 203.0.113.80,\n"
		     "        services: [{protocol: udp, port: any, pool: web}]}]\n");
	node.health["web 10.0.0.11"] = VIP_HEALTH_DOWN;
	look();
	EXPECT_TRUE(announced());
	EXPECT_EQ(vip_desired_pool(&d, "web")->reals[0].health, VIP_HEALTH_NONE);
}

TEST_F(Desired, OrderInTheFileChangesNothingInTheTables)
{
	std::string yaml = one_vip();
	struct vip_desired other;

	look();
	yaml.replace(yaml.find("[{address: 10.0.0.11}, {address: 10.0.0.12, weight: 50},"), 56,
		     "[{address: 10.0.0.12, weight: 50}, {address: 10.0.0.11},");
	Node shuffled{yaml};
	ASSERT_NE(shuffled.cfg, nullptr);
	other = shuffled.desired();
	EXPECT_TRUE(vip_state_equal(&d.state, &other.state));
	vip_desired_fini(&other);
}

TEST_F(Desired, AVipThatIsNotMeantToBeAnnouncedServesWhileAPoolIsGood)
{
	auto serves = [&] {
		look();
		return vip_desired_vip(&d, "web")->serves;
	};

	EXPECT_FALSE(serves()) << "announcing decides";
	node.cfg->vips[0].announce.when = CONFIG_ANNOUNCE_NEVER;
	EXPECT_TRUE(serves());
	all_down();
	EXPECT_FALSE(serves());
	node.health.clear();
	node.intent.node_drained = true;
	EXPECT_FALSE(serves());
}

} // namespace
