/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/publish/memory_engine.h"
#include "controlplane/publish/publish.h"
}

namespace
{

constexpr uint64_t SECOND = 1000000000;
constexpr uint32_t SLOTS = 257;

struct addr A(const std::string &text) {
	struct addr a;

	EXPECT_EQ(addr_parse(text.c_str(), &a), 0) << text;
	return a;
}

struct Member {
	std::string addr;
	uint32_t weight;
	bool dead = false;
};

/* A slot as packets see it, with addresses for ids: "10.0.0.1", "10.0.0.1 after 10.0.0.2". */
class Track : public testing::Test
{
      protected:
	void SetUp() override
	{
		struct lb_dims dims = publish_dims(16, 64, 4, SLOTS, 7000);

		ASSERT_EQ(publish_memory_init(&memory, &dims, 1), 0);
		engine = publish_memory_engine(&memory);
		open();
	}

	void TearDown() override
	{
		publish_free(p);
		publish_memory_fini(&memory);
	}

	void open()
	{
		ASSERT_EQ(publish_new(&engine, &p, &err), 0) << err.text;
		ASSERT_EQ(node_set("192.0.2.0/24", "0123456789abcdef"), 0) << err.text;
		ASSERT_EQ(
			publish_iface_set(p, 7, (const uint8_t *)"\x02\0\0\0\0\x02", 0, true, &err),
			0);
	}

	int node_set(const char *source, const char *seed)
	{
		struct publish_node node = {};

		EXPECT_EQ(prefix_parse(source, &node.source4), 0);
		memcpy(node.hash_seed, seed, 16);
		return publish_node_set(p, &node, &err);
	}

	int pool(const std::vector<Member> &reals, uint32_t size = SLOTS, const char *name = "web")
	{
		std::vector<struct publish_member> m;

		for (auto &r : reals) {
			m.push_back({A(r.addr), r.weight, {}, r.dead});
			EXPECT_EQ(publish_nexthop_set(p, &m.back().addr, 7,
						      (const uint8_t *)"\x02\0\0\0\0\x01", &err),
				  0);
		}
		struct publish_pool_spec spec = {LB_ENCAP_IPIP, 0, size, 0, 0};
		int rc = publish_pool_set(p, name, &spec, m.data(), m.size(), now, &err);

		return rc ? rc : serve(name);
	}

	int serve(const char *name)
	{
		struct publish_service_spec s = {};

		s.address = {A("203.0.113.80"), 32};
		s.protocol = 6;
		s.ports = ports_one(443);
		s.vip = s.pool = name;
		s.hash = hash;
		return publish_service_set(p, &s, &err);
	}

	/* Pass time in steps as the daemon does, grace periods included. */
	void pass(uint64_t seconds)
	{
		for (uint64_t end = now + seconds * SECOND; now < end;) {
			now += SECOND;
			publish_track_step(p, now, 1U << 20);
			if (publish_grace_due(p)) {
				publish_grace_begin(p);
				publish_grace_end(p);
			}
		}
	}

	const struct lb_service &service()
	{
		for (uint32_t i = 0; i < memory.tables.dims.vip_entries; i++) {
			const struct lb_vip_entry &e = memory.tables.vips[i];

			if (e.service == LB_SERVICE_NONE || e.service == LB_SERVICE_DELETED)
				continue;
			if (!(memory.tables.services[e.service].flags & LB_SERVICE_ADDRESS))
				return memory.tables.services[e.service];
		}
		ADD_FAILURE() << "no service";
		return memory.tables.services[0];
	}

	uint16_t word(uint32_t slot)
	{
		uint32_t at = service().ring_start + slot;

		return memory.tables.slots[at / 32].slot[at % 32];
	}

	uint16_t previous(uint32_t slot)
	{
		uint32_t at = service().ring_start + slot;

		return memory.tables.previous[at / 32].slot[at % 32];
	}

	std::string name(uint32_t id)
	{
		char text[ADDR_STRLEN];
		struct addr a;

		publish_real_addr(p, id, &a);
		return a.family ? addr_format(&a, text) : "nobody";
	}

	std::string slot(uint32_t i)
	{
		uint32_t real = word(i) & LB_SLOT_REAL_MASK;

		if (!(word(i) & LB_SLOT_TRACKED))
			return name(real);
		return previous(i) == real ? name(real) + " settled"
					   : name(real) + " after " + name(previous(i));
	}

	std::vector<std::string> ring()
	{
		std::vector<std::string> r;

		for (uint32_t i = 0; i < service().ring_slots; i++)
			r.push_back(slot(i));
		return r;
	}

	std::map<std::string, int> kinds()
	{
		std::map<std::string, int> k;

		for (auto &s : ring())
			k[s]++;
		return k;
	}

	uint32_t id_of(const std::string &addr)
	{
		for (uint32_t id = 1; id < memory.tables.dims.reals; id++)
			if (name(id) == addr)
				return id;
		return 0;
	}

	/* An entry of a flow of this slot. */
	uint64_t *enter(uint32_t slot, uint32_t id, bool confirmed)
	{
		static uint32_t next;
		struct lb_bucket &b = memory.tables.flows[next++ % memory.tables.dims.flow_buckets];
		uint64_t high = ((uint64_t)slot << 32) / SLOTS + 1;

		for (auto &e : b.entry) {
			if (e)
				continue;
			e = high << 32 |
			    (uint64_t)(memory.tables.node->flow_stamp & 0xff) << LB_FLOW_STAMP_LOW |
			    (confirmed ? LB_FLOW_CONFIRMED : 0) | id;
			return (uint64_t *)&e;
		}
		ADD_FAILURE() << "bucket full";
		return nullptr;
	}

	bool dead(uint32_t id)
	{
		uint16_t iface;

		memcpy(&iface, (uint8_t *)&memory.tables.reals[id].nexthop + 6, 2);
		return iface & LB_NEXTHOP_DEAD;
	}

	struct publish_tracking tracking()
	{
		struct publish_tracking t;

		publish_tracking(p, &t);
		return t;
	}

	uint64_t writes()
	{
		struct publish_usage u;

		publish_usage(p, &u);
		return u.writes;
	}

	uint64_t now = 1000 * SECOND;
	enum lb_hash_mode hash = LB_HASH_5TUPLE;
	struct publish_memory memory;
	struct publish_engine engine;
	struct publish *p = nullptr;
	struct err err = {};
};

#define R1 "10.0.0.1"
#define R2 "10.0.0.2"
#define R3 "10.0.0.3"

/* ---- slots ---- */

TEST_F(Track, ANewPoolTracksNothing)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0) << err.text;
	EXPECT_EQ(tracking().tracked_slots, 0u);
	EXPECT_EQ(kinds().size(), 2u);
}

TEST_F(Track, ASlotThatChangesRemembersTheRealItHadAndTheOthersNothing)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	auto before = ring();
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}, {R3, 1}}), 0);
	auto after = ring();
	int changed = 0;

	for (uint32_t i = 0; i < SLOTS; i++) {
		if (after[i] == before[i])
			continue;
		changed++;
		EXPECT_EQ(after[i].substr(9), "after " + before[i]) << after[i];
	}
	EXPECT_GT(changed, 60);
	EXPECT_EQ(tracking().tracked_slots, (uint32_t)changed);
	EXPECT_EQ(tracking().unsettled_slots, (uint32_t)changed);
}

TEST_F(Track, ASlotThatChangesAgainKeepsTheRealThatUnknownFlowsHave)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	EXPECT_EQ(kinds()[R2 " after " R1], (int)SLOTS);
	ASSERT_EQ(pool({{R1, 0}, {R2, 0}, {R3, 1}}), 0);
	EXPECT_EQ(kinds()[R3 " after " R1], (int)SLOTS);
}

TEST_F(Track, ASlotThatGoesBackKeepsWhatWasEnteredMeanwhile)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	enter(5, id_of(R2), true);
	ASSERT_EQ(pool({{R1, 1}, {R2, 0}}), 0);
	EXPECT_EQ(kinds()[R1 " settled"], (int)SLOTS);
	pass(60);
	/* Of all slots one is needed. */
	EXPECT_EQ(kinds()[R1 " settled"], 1);
	EXPECT_EQ(slot(5), R1 " settled");
	EXPECT_EQ(tracking().entries, 1u);
	EXPECT_EQ(tracking().at_risk, 1u);
}

TEST_F(Track, ASettledSlotThatChangesRemembersItsCurrentReal)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	enter(7, id_of(R1), true);
	pass(330);
	EXPECT_EQ(slot(7), R2 " settled");
	EXPECT_EQ(slot(8), R2);
	ASSERT_EQ(pool({{R1, 0}, {R2, 0}, {R3, 1}}), 0);
	EXPECT_EQ(kinds()[R3 " after " R2], (int)SLOTS);
}

TEST_F(Track, SlotsSettleAfterTheTimeGivenAndNotBefore)
{
	publish_track_times(p, 60 * SECOND, 3600 * SECOND);
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	pass(59);
	EXPECT_EQ(tracking().unsettled_slots, SLOTS);
	EXPECT_EQ(slot(0), R2 " after " R1);
	pass(2);
	EXPECT_EQ(tracking().unsettled_slots, 0u);
	pass(5);
	EXPECT_EQ(tracking().tracked_slots, 0u);
	EXPECT_EQ(slot(0), R2);
}

TEST_F(Track, AChangeElsewhereDoesntPutOffSettling)
{
	publish_track_times(p, 60 * SECOND, 3600 * SECOND);
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}, {R3, 1}}), 0);
	auto first = ring();
	pass(40);
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}, {R3, 1}, {"10.0.0.4", 1}}), 0);
	auto second = ring();
	pass(30);
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (first[i] == second[i]) {
			EXPECT_EQ(slot(i).find("after"), std::string::npos) << slot(i);
		}
	}
	EXPECT_GT(tracking().unsettled_slots, 0u);
}

TEST_F(Track, WithoutAFlowTableNothingIsTracked)
{
	publish_free(p);
	publish_memory_fini(&memory);
	struct lb_dims dims = publish_dims(16, 64, 4, SLOTS, 0);

	ASSERT_EQ(dims.flow_buckets, 0u);
	ASSERT_EQ(publish_memory_init(&memory, &dims, 1), 0);
	engine = publish_memory_engine(&memory);
	open();
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	EXPECT_EQ(kinds()[R2], (int)SLOTS);
	pass(2);
}

/* ---- draining, failing, leaving ---- */

TEST_F(Track, TheLastRealOfAPoolDrainsToo)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}}), 0);
	EXPECT_EQ(kinds()["nobody after " R1], (int)SLOTS);
	enter(3, id_of(R1), true);
	pass(330);
	EXPECT_EQ(kinds()["nobody settled"], 1);
	ASSERT_EQ(pool({{R1, 1}}), 0);
	EXPECT_EQ(kinds()[R1 " settled"], 1);
	pass(10);
	EXPECT_EQ(kinds()[R1], (int)SLOTS);
}

TEST_F(Track, AFailedRealKeepsItsRecordHasNoSlotAndIsMarkedDead)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	uint32_t id = id_of(R1);

	ASSERT_EQ(pool({{R1, 1, true}, {R2, 1}}), 0);
	EXPECT_EQ(id_of(R1), id);
	EXPECT_TRUE(dead(id));
	/* Its flows are lost anyway: nothing to remember. */
	EXPECT_EQ(kinds()[R2], (int)SLOTS);
	EXPECT_EQ(tracking().tracked_slots, 0u);
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	EXPECT_FALSE(dead(id));
	EXPECT_EQ(id_of(R1), id);
	EXPECT_GT(kinds()[R1 " after " R2], 100);
}

TEST_F(Track, ADeadRealsNextHopMayChangeAndItStaysDead)
{
	struct addr r1 = A(R1);

	ASSERT_EQ(pool({{R1, 1, true}, {R2, 1}}), 0);
	ASSERT_EQ(publish_nexthop_set(p, &r1, 7, (const uint8_t *)"\x02\0\0\0\0\x77", &err), 0);
	EXPECT_TRUE(dead(id_of(R1)));
	EXPECT_EQ(((uint8_t *)&memory.tables.reals[id_of(R1)].nexthop)[5], 0x77);
}

TEST_F(Track, ARealThatDiesWhileItIsRememberedIsForgottenBySlotsAndFlows)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	uint64_t *entry = enter(3, id_of(R1), true);

	ASSERT_EQ(pool({{R1, 0, true}, {R2, 1}}), 0);
	EXPECT_EQ(kinds()[R2 " settled"], (int)SLOTS);
	pass(1);
	EXPECT_EQ(*entry, 0u);
	/* It returns, and R2's flows, which nobody entered meanwhile, stay with R2. */
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	for (auto &k : kinds())
		EXPECT_TRUE(k.first == R1 " after " R2 || k.first.substr(0, 8) == R2) << k.first;
}

TEST_F(Track, ARealThatLeavesLingersAliveUntilItsFlowsEnd)
{
	struct publish_usage u;
	struct addr r1 = A(R1);

	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	uint32_t id = id_of(R1);
	ASSERT_EQ(pool({{R2, 1}}), 0);
	uint32_t slot;
	for (slot = 0; this->slot(slot) != R2 " after " R1;)
		slot++;
	uint64_t *entry = enter(slot, id, true);

	EXPECT_FALSE(dead(id));
	EXPECT_NE(memory.tables.reals[id].nexthop, 0u);
	pass(600);
	EXPECT_TRUE(publish_holds(p, &r1));
	EXPECT_EQ(tracking().lingering, 1u);
	EXPECT_EQ(tracking().tracked_slots, 1u);
	EXPECT_NE(*entry, 0u);
	publish_usage(p, &u);
	EXPECT_EQ(u.reals, 1u + 2);
	/* No packet for an hour. */
	pass(3700);
	EXPECT_EQ(*entry, 0u);
	EXPECT_FALSE(publish_holds(p, &r1));
	EXPECT_EQ(tracking().lingering, 0u);
	EXPECT_EQ(tracking().tracked_slots, 0u);
	publish_usage(p, &u);
	EXPECT_EQ(u.reals, 1u + 1);
}

TEST_F(Track, ARecordIsReusedOnlyAfterSlotsFlowsAndReadersLetItGo)
{
	struct publish_usage u;

	publish_track_times(p, 10 * SECOND, 3600 * SECOND);
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R2, 1}}), 0);
	for (int i = 0; i < 9; i++) {
		now += SECOND;
		publish_track_step(p, now, 1U << 20);
		publish_grace_begin(p);
		publish_grace_end(p);
	}
	publish_usage(p, &u);
	EXPECT_EQ(u.reals, 1u + 2) << "slots still name it";
	now += 2 * SECOND;
	publish_track_step(p, now, 1U << 20); /* settles */
	publish_track_step(p, now, 1U << 20); /* no slot names it: waits for readers */
	for (int i = 0; i < 5; i++)
		publish_track_step(p, now, 1U << 20);
	publish_usage(p, &u);
	EXPECT_EQ(u.reals, 1u + 2) << "readers may still enter it";
	EXPECT_TRUE(publish_grace_due(p));
	publish_grace_begin(p);
	publish_grace_end(p);
	memory.tables.fragments[9].entry[3] = (uint64_t)(memory.tables.node->fragment_stamp & 0xff)
						      << LB_FLOW_STAMP_LOW |
					      1ULL << 40 | id_of(R1);
	publish_track_step(p, now, 1U << 20);
	publish_track_step(p, now, 1U << 20);
	EXPECT_EQ(tracking().fragments, 1u);
	EXPECT_EQ(tracking().lingering, 1u) << "fragments still name it";
	pass(40);
	EXPECT_EQ(memory.tables.fragments[9].entry[3], 0u);
	EXPECT_EQ(tracking().lingering, 0u);
	publish_usage(p, &u);
	EXPECT_EQ(u.reals, 1u + 1);
}

TEST_F(Track, ARealThatComesBackWhileItLingersIsTheSameRecord)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	uint32_t id = id_of(R1);

	ASSERT_EQ(pool({{R2, 1}}), 0);
	pass(100);
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	EXPECT_EQ(id_of(R1), id);
	EXPECT_EQ(tracking().lingering, 0u);
	pass(700);
	EXPECT_EQ(id_of(R1), id);
	EXPECT_GT(kinds()[R1], 100);
}

TEST_F(Track, FlowsOfARemovedPoolGoAtOnce)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	uint64_t *entry = enter(3, id_of(R1), true);
	struct prefix vip = {A("203.0.113.80"), 32};

	ASSERT_EQ(publish_service_remove(p, &vip, 6, ports_one(443), &err), 0);
	ASSERT_EQ(publish_pool_remove(p, "web", &err), 0);
	pass(10);
	EXPECT_EQ(*entry, 0u);
	EXPECT_EQ(tracking().lingering, 0u);
}

TEST_F(Track, AnotherTunnelSourceMovesNobody)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	auto before = ring();
	uint32_t old = id_of(R1);
	uint64_t *entry = enter(3, old, true);

	ASSERT_EQ(node_set("192.0.2.77/32", "0123456789abcdef"), 0) << err.text;
	EXPECT_EQ(ring(), before);
	pass(2);
	EXPECT_EQ(name((uint32_t)(*entry & LB_FLOW_REAL_MASK)), R1);
	EXPECT_NE(*entry & LB_FLOW_REAL_MASK, old);
	pass(10);
	EXPECT_EQ(tracking().lingering, 0u);
}

TEST_F(Track, AnotherSeedForgetsAllBecauseEveryFlowMoves)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	uint64_t *entry = enter(3, id_of(R1), true);

	ASSERT_EQ(node_set("192.0.2.0/24", "anotherseed....."), 0);
	EXPECT_EQ(*entry, 0u);
	EXPECT_EQ(tracking().tracked_slots, 0u);
}

TEST_F(Track, ATableOfAnotherSizeGoesOnHonouringWhatWasEntered)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	uint64_t *entry = enter(3, id_of(R1), true);

	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}, 509), 0);
	EXPECT_EQ(kinds()[R2 " settled"], 509);
	pass(10);
	EXPECT_NE(*entry, 0u);
	EXPECT_EQ(kinds()[R2 " settled"], 1);
}

/* ---- entries ---- */

TEST_F(Track, WhatLeadsWhereTheSlotLeadsAnywayIsForgottenOnceItSettled)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	uint64_t *mine = enter(3, id_of(R2), true);

	pass(290);
	EXPECT_NE(*mine, 0u);
	EXPECT_EQ(tracking().entries, 1u);
	EXPECT_EQ(tracking().confirmed, 1u);
	EXPECT_EQ(tracking().at_risk, 0u);
	pass(20);
	EXPECT_EQ(*mine, 0u);
}

TEST_F(Track, HalfOpenConnectionsAreForgottenAfterTwoMinutesAndOldFlowsAreNot)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	pass(1);
	uint64_t *flood = enter(3, id_of(R2), false), *old = enter(4, id_of(R1), false);

	pass(115);
	EXPECT_NE(*flood, 0u);
	pass(60);
	EXPECT_EQ(*flood, 0u);
	EXPECT_NE(*old, 0u);
	pass(1000);
	EXPECT_NE(*old, 0u);
}

TEST_F(Track, IdleTimeIsMeasuredFromTheLastPacket)
{
	publish_track_times(p, 10 * SECOND, 1280 * SECOND);
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	pass(1);
	uint64_t *entry = enter(3, id_of(R1), true);

	pass(1200);
	EXPECT_NE(*entry, 0u);
	EXPECT_NEAR(tracking().oldest_s, 1200, 10);
	*entry = (*entry & ~LB_FLOW_STAMP_MASK) | (uint64_t)(memory.tables.node->flow_stamp & 0xff)
							  << LB_FLOW_STAMP_LOW;
	pass(1200);
	EXPECT_NE(*entry, 0u);
	pass(120);
	EXPECT_EQ(*entry, 0u);
}

TEST_F(Track, EntriesOfARealThatNobodyKnowsAreRemoved)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	uint64_t *none = enter(3, 0, true), *wild = enter(3, 0x7fff, true);

	pass(61);
	EXPECT_EQ(*none, 0u);
	EXPECT_EQ(*wild, 0u);
}

TEST_F(Track, APoolWhoseSlotsComeFromAnotherHashKeepsAllSlotsWhileItHasEntries)
{
	hash = LB_HASH_SOURCE;
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	uint64_t *entry = enter(3, id_of(R1), true), *same = enter(4, id_of(R2), true);

	pass(400);
	EXPECT_EQ(kinds()[R2 " settled"], (int)SLOTS);
	EXPECT_NE(*entry, 0u);
	EXPECT_NE(*same, 0u);
	pass(3600);
	EXPECT_EQ(kinds()[R2], (int)SLOTS);
	EXPECT_EQ(*entry, 0u);
}

TEST_F(Track, FlowsOfARealAreCounted)
{
	struct addr r1 = A(R1), r2 = A(R2), r3 = A(R3);
	uint32_t flows, confirmed;

	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	enter(3, id_of(R1), true);
	enter(4, id_of(R1), false);
	pass(1);
	ASSERT_EQ(publish_real_flows(p, "web", &r1, &flows, &confirmed), 0);
	EXPECT_EQ(flows, 2u);
	EXPECT_EQ(confirmed, 1u);
	ASSERT_EQ(publish_real_flows(p, "web", &r2, &flows, &confirmed), 0);
	EXPECT_EQ(flows, 0u);
	EXPECT_EQ(publish_real_flows(p, "web", &r3, &flows, &confirmed), -ENOENT);
}

TEST_F(Track, EvictionsAreSummedOverTheBuckets)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	memory.tables.flows[1].hand = 2ULL << 32 | 5 << 8 | 3;
	memory.tables.flows[9].hand = 1ULL << 32 | 7 << 8 | 1;
	pass(61);
	EXPECT_EQ(tracking().evicted_confirmed, 3u);
	EXPECT_EQ(tracking().evicted_unconfirmed, 12u);
}

TEST_F(Track, AStepDoesNoMoreThanItsBudget)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	uint32_t steps = 0, work = memory.tables.dims.flow_buckets +
				   memory.tables.dims.fragment_buckets + (SLOTS + 31) / 32;

	while (!tracking().passes) {
		publish_track_step(p, now, 100);
		steps++;
	}
	EXPECT_GE(steps, work / 100);
	EXPECT_LE(steps, work / 100 + 3);
}

/* ---- restarts ---- */

TEST_F(Track, ARestartGoesOnWhereTheOldOneWasWithoutAWrite)
{
	ASSERT_EQ(pool({{R1, 1}, {R2, 1}, {R3, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}, {R3, 1, true}}), 0);
	uint32_t r3 = id_of(R3), at = 0;
	while (slot(at) != R2 " after " R1)
		at++;
	uint64_t *entry = enter(at, id_of(R1), true);
	auto before = ring();
	auto was = tracking();

	publish_free(p);
	open();
	publish_track_step(p, now, 1U << 20);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}, {R3, 1, true}}), 0) << err.text;
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(writes(), 0u);
	EXPECT_EQ(id_of(R3), r3);
	EXPECT_EQ(ring(), before);
	EXPECT_EQ(tracking().tracked_slots, was.tracked_slots);
	EXPECT_EQ(tracking().unsettled_slots, was.unsettled_slots);
	EXPECT_TRUE(dead(r3));
	pass(290);
	EXPECT_EQ(tracking().unsettled_slots, was.unsettled_slots)
		<< "changed now, as far as known";
	EXPECT_NE(*entry, 0u);
	pass(30);
	EXPECT_EQ(tracking().tracked_slots, 1u);
	EXPECT_NE(*entry, 0u);
}

TEST_F(Track, ARestartWithAnotherConfigurationRemembersToo)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	publish_free(p);
	open();
	ASSERT_EQ(pool({{R2, 1}}), 0) << err.text;
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(kinds()[R2 " after " R1], (int)SLOTS);
	uint64_t *entry = enter(3, id_of(R1), true);

	pass(700);
	EXPECT_NE(*entry, 0u);
	/* And once more: now only the flow names it. */
	publish_free(p);
	open();
	ASSERT_EQ(pool({{R2, 1}}), 0) << err.text;
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(writes(), 0u);
	pass(100);
	EXPECT_EQ(name((uint32_t)(*entry & LB_FLOW_REAL_MASK)), R1);
	EXPECT_EQ(tracking().lingering, 1u);
	pass(3700);
	EXPECT_EQ(tracking().lingering, 0u);
}

TEST_F(Track, AFailedFirstChangeLeavesTheAdoptedRingInForce)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	publish_free(p);
	open();
	EXPECT_EQ(pool({{R1, 1}, {R1, 1}}), -EEXIST);
	pass(5);
	EXPECT_EQ(kinds()[R1], (int)SLOTS);
	ASSERT_EQ(pool({{R1, 1}}), 0) << err.text;
	EXPECT_EQ(writes(), 0u);
}

/* ---- another size of the flow table ---- */

TEST_F(Track, AFlowTableOfAnotherSizeKeepsItsFlows)
{
	ASSERT_EQ(pool({{R1, 1}}), 0);
	ASSERT_EQ(pool({{R1, 0}, {R2, 1}}), 0);
	for (uint32_t flows : {70000u, 20000u, 1400u, 7000u}) {
		uint32_t from = memory.tables.dims.flow_buckets;
		std::vector<uint64_t> hashes;

		memset(memory.tables.flows, 0, from * sizeof(struct lb_bucket));
		for (uint32_t i = 0; i < 200; i++) {
			uint64_t h = (i + 1) * 0x9e3779b97f4a7c15ULL;

			hashes.push_back(h);
			memory.tables.flows[((h & 0xffffffff) * from) >> 32].entry[i % 7] =
				(h & LB_FLOW_TAG_MASK) | LB_FLOW_CONFIRMED | id_of(R1);
		}
		ASSERT_EQ(publish_flows_set(p, flows, &err), 0) << err.text;
		uint32_t to = memory.tables.dims.flow_buckets;

		EXPECT_EQ(to, (flows + 6) / 7);
		EXPECT_EQ(memory.tables.node->flow_buckets, to);
		for (uint64_t h : hashes) {
			int found = 0;

			for (auto e : memory.tables.flows[((h & 0xffffffff) * to) >> 32].entry)
				found += e && !((e ^ h) & LB_FLOW_TAG_MASK);
			EXPECT_EQ(found, 1) << from << " -> " << to;
		}
	}
	uint64_t before = writes();
	ASSERT_EQ(publish_flows_set(p, 7000, &err), 0);
	EXPECT_EQ(writes(), before);
}

} // namespace
