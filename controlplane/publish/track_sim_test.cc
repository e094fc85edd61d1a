/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A day of an edge in minutes: connections come and go while the pool changes every minute, with
 * and without a SYN flood, through the real core and the real writer of the tables under a stepped
 * clock. Beside it the way most balancers go: every flow in an LRU of the same size, everything
 * else by the ring of the moment. A connection is broken when a packet of it comes to another real
 * than the one that took it, although that one is alive.
 */
#include <gtest/gtest.h>

#include <cstring>
#include <list>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

extern "C" {
#include "controlplane/publish/memory_engine.h"
#include "controlplane/publish/publish.h"
#include "dataplane/native/native.h"
}

namespace
{

constexpr uint64_t SECOND = 1000000000;
constexpr uint32_t FLOW_ENTRIES = 20000;
constexpr uint32_t CONCURRENT = 8000;
constexpr uint32_t TOTAL = 52000;
constexpr uint32_t MINUTES = 20;
constexpr uint32_t REALS = 50;
constexpr uint32_t TABLE = 65537;

enum Kind { SYN, ACK, UDP };

struct Tuple {
	uint32_t src;
	uint16_t port;
	Kind kind;
};

/* A least-recently-used table of flows. */
class Lru
{
      public:
	/* The real of a flow, or 0. */
	uint32_t find(uint64_t flow)
	{
		auto it = index.find(flow);

		if (it == index.end())
			return 0;
		order.splice(order.begin(), order, it->second);
		return it->second->second;
	}

	void set(uint64_t flow, uint32_t real)
	{
		auto it = index.find(flow);

		if (it != index.end()) {
			it->second->second = real;
			order.splice(order.begin(), order, it->second);
			return;
		}
		if (index.size() == FLOW_ENTRIES) {
			index.erase(order.back().first);
			order.pop_back();
		}
		order.emplace_front(flow, real);
		index[flow] = order.begin();
	}

	size_t size() const
	{
		return index.size();
	}

      private:
	std::list<std::pair<uint64_t, uint32_t>> order;
	std::unordered_map<uint64_t, std::list<std::pair<uint64_t, uint32_t>>::iterator> index;
};

struct Member {
	uint32_t weight = 100;
	bool dead = false;
};

struct Connection {
	Tuple tuple;
	uint64_t ends_s;
	bool opened = false; /* its second packet has come */
	uint32_t ours = 0, lrus = 0;
	bool ours_broken = false, lrus_broken = false;
};

struct Result {
	int broken = 0, lru_broken = 0, connections = 0;
	uint64_t most_entries = 0;
	size_t lru_entries = 0;
	struct publish_tracking last = {};
};

std::ostream &operator<<(std::ostream &os, const Result &r)
{
	return os << r.connections << " connections; broken: " << r.broken << ", with an LRU "
		  << r.lru_broken << "; entries at most: " << r.most_entries << ", in the LRU "
		  << r.lru_entries << "; evicted: " << r.last.evicted_unconfirmed
		  << " unconfirmed, " << r.last.evicted_confirmed << " confirmed";
}

class Edge
{
      public:
	explicit Edge(unsigned seed) : rng(seed)
	{
		struct lb_dims dims = publish_dims(4, 300, 1, TABLE, FLOW_ENTRIES);
		struct publish_node node = {};
		struct err err;

		EXPECT_EQ(publish_memory_init(&memory, &dims, 1), 0);
		engine = publish_memory_engine(&memory);
		EXPECT_EQ(publish_new(&engine, &p, &err), 0) << err.text;
		EXPECT_EQ(prefix_parse("192.0.2.0/24", &node.source4), 0);
		memcpy(node.hash_seed, "0123456789abcdef", 16);
		EXPECT_EQ(publish_node_set(p, &node, &err), 0) << err.text;
		EXPECT_EQ(
			publish_iface_set(p, 7, (const uint8_t *)"\x02\0\0\0\0\x02", 0, true, &err),
			0);
		for (uint32_t i = 1; i <= REALS; i++)
			members[i] = {};
		publish();
		for (uint8_t protocol : {6, 17}) {
			struct publish_service_spec s = {};

			EXPECT_EQ(prefix_parse("203.0.113.80/32", &s.address), 0);
			s.protocol = protocol;
			s.ports = ports_one(443);
			s.vip = s.pool = "web";
			EXPECT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
		}
	}

	~Edge()
	{
		publish_free(p);
		publish_memory_fini(&memory);
	}

	/* Bring the pool in force. */
	void publish()
	{
		std::vector<struct publish_member> m;
		struct err err;

		for (auto &[i, member] : members) {
			struct publish_member one = {};

			one.addr.family = 4;
			one.addr.bytes[0] = 10;
			one.addr.bytes[2] = (uint8_t)(i >> 8);
			one.addr.bytes[3] = (uint8_t)i;
			one.weight = member.weight;
			one.dead = member.dead;
			m.push_back(one);
			EXPECT_EQ(publish_nexthop_set(p, &one.addr, 7,
						      (const uint8_t *)"\x02\0\0\0\0\x01", &err),
				  0);
		}
		struct publish_pool_spec spec = {LB_ENCAP_IPIP, 0, TABLE, 0, 0};
		EXPECT_EQ(publish_pool_set(p, "web", &spec, m.data(), m.size(), now, &err), 0)
			<< err.text;
	}

	/* A second of the daemon's life. */
	void tick()
	{
		now += SECOND;
		for (int i = 0; i < 3; i++) {
			publish_track_step(p, now, PUBLISH_TRACK_BUDGET);
			if (publish_grace_due(p)) {
				publish_grace_begin(p);
				publish_grace_end(p);
			}
		}
	}

	/* The number of the real that a packet comes to, or 0; *ret_current that of its slot. */
	uint32_t send(const Tuple &t, uint32_t *ret_current)
	{
		uint8_t frame[NATIVE_HEADROOM + 64] = {}, *f = frame + NATIVE_HEADROOM;
		struct lb_moment moment = {};
		struct lb_trace trace;
		size_t len = 14 + 20 + (t.kind == UDP ? 8 : 20);

		moment.now_ns = now;
		memcpy(f, "\x02\x00\x00\x00\x00\x0a\x02\x00\x00\x00\x00\x0b\x08\x00\x45", 15);
		f[17] = (uint8_t)(len - 14);
		f[22] = 64;
		f[23] = t.kind == UDP ? 17 : 6;
		for (int i = 0; i < 4; i++)
			f[26 + i] = (uint8_t)(t.src >> (24 - 8 * i));
		memcpy(f + 30, "\xcb\x00\x71\x50", 4);
		f[34] = (uint8_t)(t.port >> 8);
		f[35] = (uint8_t)t.port;
		f[36] = 443 >> 8;
		f[37] = 443 & 0xff;
		if (t.kind == UDP) {
			f[39] = 8;
		} else {
			f[46] = 0x50;
			f[47] = t.kind == SYN ? 0x02 : 0x10;
		}
		checksum(f + 14);
		struct native_frame nf = {f, len, NATIVE_HEADROOM};
		native_process(&memory.tables, 0, &moment, &nf, &trace);
		*ret_current = current(trace);
		return trace.verdict == LB_FORWARD ? number(trace.real) : 0;
	}

	bool alive(uint32_t real) const
	{
		auto it = members.find(real);

		return it == members.end() || !it->second.dead;
	}

	struct publish_tracking tracking()
	{
		struct publish_tracking t;

		publish_tracking(p, &t);
		return t;
	}

	/* One of what operators and servers do to a pool. */
	void change()
	{
		uint32_t victim = pick();

		switch (rng() % 6) {
		case 0:
			members[next++] = {};
			break;
		case 1:
			if (members.size() > REALS / 2)
				members.erase(victim);
			break;
		case 2:
			members[victim].weight = 0;
			break;
		case 3:
			members[victim].weight = 50 + (uint32_t)(rng() % 100);
			break;
		case 4:
			members[victim].dead = true;
			break;
		case 5:
			for (auto &m : members)
				m.second.dead = false;
			members[victim].weight = 100;
			break;
		}
		publish();
	}

	std::mt19937 rng;
	std::map<uint32_t, Member> members;
	struct publish_memory memory;
	uint64_t now = 1000 * SECOND;

      private:
	uint32_t pick()
	{
		auto it = members.begin();

		std::advance(it, (long)(rng() % members.size()));
		return it->first;
	}

	static void checksum(uint8_t *ip)
	{
		uint32_t sum = 0;

		for (int i = 0; i < 20; i += 2)
			sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~((sum & 0xffff) + (sum >> 16));
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
	}

	uint32_t number(uint32_t id)
	{
		struct addr a;

		publish_real_addr(p, id, &a);
		return (uint32_t)a.bytes[2] << 8 | a.bytes[3];
	}

	uint32_t current(const struct lb_trace &trace)
	{
		const struct lb_service &s = memory.tables.services[trace.service];
		uint32_t at = s.ring_start + trace.slot;

		if (!s.ring_slots)
			return 0;
		return number(
			memory.tables.slots[at / LB_SLOTS_PER_LINE].slot[at % LB_SLOTS_PER_LINE] &
			LB_SLOT_REAL_MASK);
	}

	struct publish_engine engine;
	struct publish *p = nullptr;
	uint32_t next = REALS + 1;
};

/* Connections over an edge, counted for both ways. */
class Day
{
      public:
	Day(unsigned seed, bool flood) : edge(seed), flood(flood)
	{
	}

	Result run()
	{
		const double rate = (double)(TOTAL - CONCURRENT) / (MINUTES * 60);

		for (uint32_t i = 0; i < CONCURRENT; i++)
			open();
		for (uint32_t s = 0; s < MINUTES * 60; s++) {
			second = s;
			due += rate;
			for (; due >= 1; due--)
				open();
			for (uint32_t i = 0; flood && i < (uint32_t)(rate * 10); i++)
				attack();
			talk();
			if (s % 60 == 59) {
				edge.change();
				bury();
			}
			edge.tick();
			result.last = edge.tracking();
			if (result.last.entries > result.most_entries)
				result.most_entries = result.last.entries;
		}
		result.lru_entries = lru.size();
		return result;
	}

      private:
	uint64_t key(const Tuple &t)
	{
		return (uint64_t)(t.kind == UDP) << 48 | (uint64_t)t.src << 16 | t.port;
	}

	Tuple tuple(Kind kind)
	{
		return {(uint32_t)(edge.rng() | 0x01000000) & 0x7effffff,
			(uint16_t)(1024 + edge.rng() % 60000), kind};
	}

	void attack()
	{
		uint32_t current;
		Tuple t = tuple(SYN);

		edge.send(t, &current);
		lru.set(key(t), current);
	}

	uint32_t lru_choice(const Tuple &t, uint32_t current)
	{
		uint32_t real = t.kind == SYN ? 0 : lru.find(key(t));

		if (!real || !edge.alive(real))
			real = current;
		lru.set(key(t), real);
		return real;
	}

	void open()
	{
		/* Exponential, so that old connections are there at every change. */
		std::exponential_distribution<double> length(
			1.0 / (MINUTES * 60.0 * CONCURRENT / (TOTAL - CONCURRENT)));
		Connection c;
		uint32_t current;

		c.tuple = tuple(edge.rng() % 5 ? SYN : UDP);
		c.ends_s = second + 1 + (uint64_t)length(edge.rng);
		c.ours = edge.send(c.tuple, &current);
		c.lrus = lru_choice(c.tuple, current);
		if (c.tuple.kind == SYN)
			c.tuple.kind = ACK;
		result.connections++;
		connections.push_back(c);
	}

	/* Whatever comes of the connections of a real that died. */
	void bury()
	{
		for (auto &c : connections) {
			c.ours_broken |= !edge.alive(c.ours);
			c.lrus_broken |= !edge.alive(c.lrus);
		}
	}

	/* A packet of every connection now and then, the second one soon after the first. */
	void talk()
	{
		for (size_t i = 0; i < connections.size();) {
			Connection &c = connections[i];

			if (c.ends_s <= second || (!c.ours && !c.lrus)) {
				connections[i] = connections.back();
				connections.pop_back();
				continue;
			}
			if (!c.opened || edge.rng() % 10 == 0)
				packet(c);
			c.opened = true;
			i++;
		}
	}

	void packet(Connection &c)
	{
		uint32_t current, ours = edge.send(c.tuple, &current);
		uint32_t lrus = lru_choice(c.tuple, current);

		if (!c.ours_broken && ours != c.ours) {
			c.ours_broken = true;
			result.broken++;
		}
		if (!c.lrus_broken && lrus != c.lrus) {
			c.lrus_broken = true;
			result.lru_broken++;
		}
	}

	Edge edge;
	bool flood;
	double due = 0;
	uint64_t second = 0;
	Lru lru;
	Result result;
	std::vector<Connection> connections;
};

class Simulation : public testing::TestWithParam<unsigned>
{
};

TEST_P(Simulation, NoConnectionBreaksUnderAFloodWhereAnLruLosesMany)
{
	Result r = Day(GetParam(), true).run();

	std::cout << r << "\n";
	EXPECT_EQ(r.broken, 0) << r;
	EXPECT_GT(r.lru_broken, 100) << r;
	EXPECT_GT(r.connections, (int)TOTAL * 95 / 100);
}

TEST_P(Simulation, WithoutAFloodNoConnectionBreaksAndTheTableStaysSmall)
{
	Result r = Day(GetParam(), false).run();

	std::cout << r << "\n";
	EXPECT_EQ(r.broken, 0) << r;
	EXPECT_LT(r.most_entries, r.lru_entries / 2) << r;
	EXPECT_EQ(r.last.evicted_confirmed, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, testing::Values(1, 2, 3));

TEST(Flood, WritesNothingToTheFlowTableOfAStablePool)
{
	Edge edge(1);
	size_t bytes = edge.memory.tables.dims.flow_buckets * sizeof(struct lb_bucket);
	std::vector<uint8_t> before(bytes);

	memcpy(before.data(), edge.memory.tables.flows, bytes);
	for (int i = 0; i < 100000; i++) {
		uint32_t current;

		edge.send({(uint32_t)edge.rng() & 0x7effffff, (uint16_t)edge.rng(), SYN}, &current);
		if (i % 1000 == 0)
			edge.tick();
	}
	EXPECT_EQ(memcmp(before.data(), edge.memory.tables.flows, bytes), 0);
	EXPECT_EQ(edge.tracking().tracked_slots, 0u);
}

TEST(Flood, LeavesNothingBehindWhenThePoolHasSettled)
{
	Edge edge(2);

	edge.members[3].weight = 0;
	edge.publish();
	for (int i = 0; i < 200000; i++) {
		uint32_t current;

		edge.send({(uint32_t)edge.rng() & 0x7effffff, (uint16_t)edge.rng(), SYN}, &current);
		if (i % 1000 == 0)
			edge.tick();
	}
	EXPECT_GT(edge.tracking().entries, 100u);
	for (int i = 0; i < 320; i++)
		edge.tick();
	EXPECT_EQ(edge.tracking().entries, 0u);
	EXPECT_EQ(edge.tracking().tracked_slots, 0u);
}

} // namespace
