/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/vip_fixture.h"

#include <cstdio>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/base/clock.h"
}

namespace
{

constexpr uint64_t DRAIN = 5 * NS_PER_S;

std::vector<std::string> lines(const struct vip_plan &plan)
{
	std::vector<std::string> out;
	char buf[256];

	for (size_t i = 0; i < plan.n; i++)
		out.push_back(vip_op_format(&plan.ops[i], buf, sizeof(buf)));
	return out;
}

/* Apply every step: the model itself refuses steps in a wrong order. */
void apply(const struct vip_plan &plan, struct vip_state *st, uint64_t now)
{
	char buf[256];

	for (size_t i = 0; i < plan.n; i++)
		ASSERT_EQ(vip_op_apply(&plan.ops[i], st, now), 0)
			<< vip_op_format(&plan.ops[i], buf, sizeof(buf));
}

/* Withdraw first, then tables, announce last. */
void expect_order(const struct vip_plan &plan)
{
	for (size_t i = 1; i < plan.n; i++)
		EXPECT_LE(plan.ops[i - 1].kind, plan.ops[i].kind);
}

class Plan : public ::testing::Test
{
      protected:
	struct vip_state loaded = {};
	uint64_t now = 1000 * NS_PER_S;

	void TearDown() override
	{
		vip_state_fini(&loaded);
	}

	struct vip_plan make(Node &node, uint64_t drain = DRAIN)
	{
		struct vip_desired d = node.desired();
		struct vip_plan plan = {};

		EXPECT_EQ(vip_plan_make(&loaded, &d.state, now, drain, &plan), 0);
		expect_order(plan);
		vip_desired_fini(&d);
		return plan;
	}

	/* Plan and carry out; returns the steps as text, and when to plan again. */
	std::vector<std::string> run(Node &node, uint64_t *next = nullptr)
	{
		struct vip_plan plan = make(node);
		auto text = lines(plan);

		apply(plan, &loaded, now);
		if (next)
			*next = plan.next_ns;
		vip_plan_fini(&plan);
		return text;
	}
};

std::string web(const std::string &reals, const std::string &more_vips = "")
{
	return test_node() + test_bgp() +
	       "pools:\n  - {name: web, encap: ipip, health: {type: tcp, port: 80}, reals: [" +
	       reals + "]}\n" + "  - {name: api, encap: ipip, reals: [{address: 10.0.0.21}]}\n" +
	       "vips:\n  - {name: web, address: 203.0.113.80, services: [{protocol: tcp, port: "
	       "443, pool: web}]}\n" +
	       more_vips;
}

const std::string TWO = "{address: 10.0.0.11}, {address: 10.0.0.12}";

TEST_F(Plan, ForwardsFirstAndAnnouncesLast)
{
	Node node{web(TWO)};
	const std::vector<std::string> want = {
		"set hash seed and tunnel source", "load pool api, 1 of 1 reals",
		"load pool web, 2 of 2 reals",
		"load service 203.0.113.80 tcp/443 of VIP web, pool web",
		"announce 203.0.113.80/32"};

	EXPECT_EQ(run(node), want);
	EXPECT_TRUE(run(node).empty()) << "nothing changed, so there is nothing to do";
}

TEST_F(Plan, OneFailedRealTouchesItsPoolAndNothingElse)
{
	Node node{web(TWO)};

	run(node);
	node.health["web 10.0.0.11"] = VIP_HEALTH_DOWN;
	EXPECT_EQ(run(node), std::vector<std::string>{"load pool web, 1 of 2 reals"});
}

TEST_F(Plan, AnEmptyPoolWithdrawsAtOnceAndForwardsForTheDrainTime)
{
	Node node{web(TWO)};
	uint64_t next;

	run(node);
	node.health["web 10.0.0.11"] = node.health["web 10.0.0.12"] = VIP_HEALTH_DOWN;
	EXPECT_EQ(run(node, &next), std::vector<std::string>{"withdraw 203.0.113.80/32"});
	EXPECT_EQ(next, now + DRAIN);
	now = next - 1;
	EXPECT_TRUE(run(node, &next).empty());
	now += 1;
	EXPECT_EQ(run(node, &next), std::vector<std::string>{"load pool web, 0 of 2 reals"});
	EXPECT_EQ(next, 0u);
}

TEST_F(Plan, ARecoveryWithinTheDrainNeedsOnlyTheAnnouncement)
{
	Node node{web(TWO)};

	run(node);
	node.health["web 10.0.0.11"] = node.health["web 10.0.0.12"] = VIP_HEALTH_DOWN;
	run(node);
	node.health.clear();
	now += NS_PER_S;
	EXPECT_EQ(run(node), std::vector<std::string>{"announce 203.0.113.80/32"});
}

TEST_F(Plan, ARemovedVipIsWithdrawnThenForwardedThenUnloaded)
{
	Node node{web(TWO, "  - {name: api, address: 203.0.113.81, services: [{protocol: tcp, "
			   "port: 80, pool: api}]}\n")};
	uint64_t next;

	run(node);
	node.replace(web(TWO));
	EXPECT_EQ(run(node, &next), std::vector<std::string>{"withdraw 203.0.113.81/32"});
	now = next;
	EXPECT_EQ(run(node, &next),
		  std::vector<std::string>{
			  "unload service 203.0.113.81 tcp/80 of VIP api, pool api"});
	EXPECT_EQ(next, 0u);
}

TEST_F(Plan, APoolStaysWhileADrainingServiceUsesIt)
{
	Node node{web(TWO, "  - {name: api, address: 203.0.113.81, services: [{protocol: tcp, "
			   "port: 80, pool: api}]}\n")};
	uint64_t next;

	run(node);
	node.replace(test_node() + test_bgp() +
		     "pools: [{name: web, encap: ipip, health: {type: tcp, port: 80}, reals: [" +
		     TWO +
		     "]}]\nvips: [{name: web, address: 203.0.113.80, services: [{protocol: tcp, "
		     "port: 443, pool: web}]}]\n");
	EXPECT_EQ(run(node, &next), std::vector<std::string>{"withdraw 203.0.113.81/32"});
	now = next;
	EXPECT_EQ(run(node), (std::vector<std::string>{
				     "unload service 203.0.113.81 tcp/80 of VIP api, pool api",
				     "unload pool api"}));
}

TEST_F(Plan, WhatWasNeverAnnouncedNeedsNoDrain)
{
	Node node{web(TWO)};

	node.intent.node_drained = true;
	run(node);
	node.replace(test_node() + test_bgp() +
		     "pools: [{name: api, encap: ipip, reals: [{address: 10.0.0.21}]}]\n");
	EXPECT_EQ(run(node).size(), 2u) << "service and pool go at once";
}

TEST_F(Plan, MovingAVipWithdrawsTheOldAddressAndAnnouncesTheNew)
{
	Node node{web(TWO)};
	std::string yaml = web(TWO);

	run(node);
	yaml.replace(yaml.find("203.0.113.80"), 12, "203.0.113.90");
	node.replace(yaml);
	EXPECT_EQ(run(node), (std::vector<std::string>{
				     "withdraw 203.0.113.80/32",
				     "load service 203.0.113.90 tcp/443 of VIP web, pool web",
				     "announce 203.0.113.90/32"}));
}

/* ---- properties over random configurations ---- */

std::string random_config(std::mt19937 &rng)
{
	auto pick = [&rng](unsigned n) { return static_cast<unsigned>(rng() % n); };
	std::string yaml = test_node() + (pick(8) ? test_bgp() : "");
	std::vector<std::string> pools;
	bool any = false;

	yaml += "pools:";
	for (unsigned p = 0; p < 4; p++) {
		if (pick(3) == 0)
			continue;
		std::string name = "p" + std::to_string(p), reals;

		for (unsigned r = 1; r < 5; r++) {
			if (pick(2))
				reals += "{address: 10.0." + std::to_string(p) + "." +
					 std::to_string(r) +
					 ", weight: " + std::to_string(pick(3) * 50) + "},";
		}
		yaml += "\n  - {name: " + name +
			", encap: ipip, table_size: 251, health: {type: tcp, port: 80}, "
			"reals: [" +
			reals + "]}";
		pools.push_back(name);
	}
	yaml += pools.empty() ? " []\nvips:" : "\nvips:";
	for (unsigned v = 0; v < 5 && !pools.empty(); v++) {
		if (pick(3) == 0)
			continue;
		any = true;
		yaml += "\n  - {name: v" + std::to_string(v) + ", address: 203.0.113." +
			std::to_string(pick(2) ? v : 100 + v) + ", announce: {when: " +
			(pick(4)   ? "healthy"
			 : pick(2) ? "always"
				   : "never") +
			"}, services: [";
		for (unsigned s = 0; s < 3; s++) {
			if (pick(2))
				yaml += "{protocol: tcp, port: " + std::to_string(80 + s) +
					", pool: " +
					pools[pick(static_cast<unsigned>(pools.size()))] + "},";
		}
		yaml += "]}";
	}
	return yaml + (any ? "\n" : " []\n");
}

void random_views(std::mt19937 &rng, Node &node)
{
	node.health.clear();
	node.intent.node_drained = rng() % 10 == 0;
	for (unsigned p = 0; p < 4; p++) {
		for (unsigned r = 1; r < 5; r++) {
			std::string key = "p" + std::to_string(p) + " 10.0." + std::to_string(p) +
					  "." + std::to_string(r);

			node.health[key] = rng() % 3 ? VIP_HEALTH_UP : VIP_HEALTH_DOWN;
		}
	}
}

TEST_F(Plan, AnyChangeEndsInWhatIsDesiredAndThenNothingIsLeftToDo)
{
	std::mt19937 rng(20261120);
	Node node{random_config(rng)};

	for (int round = 0; round < 2000 && !HasFatalFailure(); round++) {
		std::string yaml = random_config(rng);
		struct vip_desired d;
		uint64_t next;

		node.replace(yaml);
		ASSERT_NE(node.cfg, nullptr) << yaml;
		random_views(rng, node);
		run(node, &next);
		/* Sometimes the next change comes while a drain is still running. */
		if (next && rng() % 2) {
			now += rng() % DRAIN;
			vip_state_expire(&loaded, now, DRAIN);
			continue;
		}
		for (int turns = 0; next; turns++) {
			ASSERT_LT(turns, 10) << "waits for ever";
			now = next;
			run(node, &next);
		}
		d = node.desired();
		EXPECT_TRUE(vip_state_equal(&loaded, &d.state)) << "round " << round << "\n"
								<< yaml;
		vip_desired_fini(&d);
		EXPECT_TRUE(run(node).empty()) << "round " << round;
		vip_state_expire(&loaded, now, DRAIN);
	}
}

} // namespace
