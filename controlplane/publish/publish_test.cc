/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/publish/memory_engine.h"
#include "controlplane/publish/publish.h"
#include "dataplane/native/native.h"
}

namespace
{

struct addr A(const char *text) {
	struct addr a;

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

struct prefix
P(const char *text) {
	struct prefix p;

	EXPECT_EQ(prefix_parse(text, &p), 0) << text;
	return p;
}

/* An Ethernet + IPv4 + TCP SYN frame. */
std::vector<uint8_t>
syn(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	std::vector<uint8_t> f(14 + 20 + 20);
	struct addr s = A(src), d = A(dst);

	memcpy(&f[0], "\x02\x00\x00\x00\x00\x0a\x02\x00\x00\x00\x00\x0b\x08\x00", 14);
	f[14] = 0x45;
	f[17] = 40;
	f[22] = 64;
	f[23] = 6;
	memcpy(&f[26], s.bytes, 4);
	memcpy(&f[30], d.bytes, 4);
	f[34] = (uint8_t)(sport >> 8);
	f[35] = (uint8_t)sport;
	f[36] = (uint8_t)(dport >> 8);
	f[37] = (uint8_t)dport;
	f[46] = 0x50;
	f[47] = 0x02;
	return f;
}

class Publish : public testing::Test
{
      protected:
	void SetUp() override
	{
		struct lb_dims dims = publish_dims(16, 64, 4, 257, 4096);

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
		struct publish_node node = {};

		node.source4 = P("192.0.2.0/24");
		node.source6 = P("2001:db8::10");
		memcpy(node.hash_seed, "0123456789abcdef", 16);
		ASSERT_EQ(publish_new(&engine, &p, &err), 0) << err.text;
		ASSERT_EQ(publish_node_set(p, &node, &err), 0) << err.text;
		ASSERT_EQ(
			publish_iface_set(p, 7, (const uint8_t *)"\x02\0\0\0\0\x02", 0, true, &err),
			0);
	}

	/* What a daemon does when it starts again over the same tables. */
	void reopen()
	{
		publish_free(p);
		open();
	}

	int pool(const char *name, std::vector<std::pair<std::string, uint32_t>> reals,
		 uint32_t size = 257)
	{
		std::vector<struct publish_member> m;

		spec.table_size = size;
		for (auto &r : reals) {
			m.push_back({A(r.first.c_str()), r.second, {}, false});
			if (spec.quic_length)
				m.back().server_id = server_id(m.back().addr, spec.quic_length);
			EXPECT_EQ(publish_nexthop_set(p, &m.back().addr, 7,
						      (const uint8_t *)"\x02\0\0\0\0\x01", &err),
				  0);
		}
		return publish_pool_set(p, name, &spec, m.data(), m.size(), now, &err);
	}

	/* The last bytes of the address. */
	static struct server_id server_id(const struct addr &a, uint8_t length)
	{
		struct server_id id = {length, {}};

		memcpy(id.bytes, a.bytes + 4 - length, length);
		return id;
	}

	static struct publish_service_spec of(const char *vip, const char *address,
					      struct ports ports, const char *pool)
	{
		struct publish_service_spec s = {};

		s.address = P(address);
		s.protocol = 6;
		s.ports = ports;
		s.vip = vip;
		s.pool = pool;
		return s;
	}

	int service(const char *vip, const char *address, struct ports ports, const char *pool)
	{
		struct publish_service_spec s = of(vip, address, ports, pool);

		return publish_service_set(p, &s, &err);
	}

	int service(const char *vip, const char *address, uint16_t port, const char *pool)
	{
		return service(vip, address, ports_one(port), pool);
	}

	int unservice(const char *address, struct ports ports)
	{
		struct prefix a = P(address);

		return publish_service_remove(p, &a, 6, ports, &err);
	}

	int unservice(const char *address, uint16_t port)
	{
		return unservice(address, ports_one(port));
	}

	uint64_t packets(const char *address, struct ports ports)
	{
		struct prefix a = P(address);
		struct publish_count c = {};

		EXPECT_EQ(publish_count_service(p, &a, 6, ports, &c), 0) << address;
		return c.packets;
	}

	/* The VIP that takes a SYN, or the reason why none does. */
	std::string goes(const char *to, uint16_t port)
	{
		struct lb_trace t = send(syn("198.51.100.7", 999, to, port));
		const char *pool = publish_service_pool(p, t.service);

		if (t.verdict != LB_FORWARD)
			return publish_reason_name((lb_reason)t.reason);
		return pool ? pool : "?";
	}

	/* The shapes of IPv4 in the order of readers. */
	std::vector<uint32_t> shapes()
	{
		std::vector<uint32_t> list;

		for (uint32_t i = 0; i < LB_SHAPES_MAX && memory.tables.node->shapes4[i]; i++)
			list.push_back(memory.tables.node->shapes4[i]);
		return list;
	}

	struct lb_trace send(std::vector<uint8_t> frame)
	{
		std::vector<uint8_t> buf(NATIVE_HEADROOM + frame.size());
		struct native_frame f = {buf.data() + NATIVE_HEADROOM, frame.size(),
					 NATIVE_HEADROOM};
		struct lb_trace trace;

		memcpy(f.data, frame.data(), frame.size());
		const struct lb_moment moment = {};
		native_process(&memory.tables, 0, &moment, &f, &trace);
		out.assign(f.data, f.data + f.len);
		return trace;
	}

	/* The reals that 2,000 flows to a service reach, with how many each. */
	std::map<std::string, int> spread(const char *vip, uint16_t port)
	{
		std::map<std::string, int> seen;

		for (int i = 0; i < 2000; i++) {
			struct lb_trace t =
				send(syn("198.51.100.7", (uint16_t)(1024 + i), vip, port));
			struct addr real;
			char text[ADDR_STRLEN];

			publish_real_addr(p, t.real, &real);
			seen[t.verdict == LB_FORWARD ? addr_format(&real, text)
						     : publish_reason_name((lb_reason)t.reason)]++;
		}
		return seen;
	}

	void grace()
	{
		publish_grace_begin(p);
		publish_grace_end(p);
	}

	uint64_t writes()
	{
		struct publish_usage u;

		publish_usage(p, &u);
		return u.writes;
	}

	struct publish_pool_spec spec = {LB_ENCAP_IPIP, 6080, 257, 0, 0};
	uint64_t now = 1000000000;
	struct publish_memory memory;
	struct publish_engine engine;
	struct publish *p = nullptr;
	struct err err = {};
	std::vector<uint8_t> out;
};

TEST_F(Publish, PacketsOfAServiceReachEveryRealByWeight)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}, {"10.0.0.12", 100}, {"10.0.0.13", 200}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0) << err.text;
	auto seen = spread("203.0.113.80", 443);

	EXPECT_EQ(seen.size(), 3u);
	EXPECT_NEAR(seen["10.0.0.11"], 500, 100);
	EXPECT_NEAR(seen["10.0.0.13"], 1000, 150);
	EXPECT_EQ(spread("203.0.113.80", 80).begin()->first, "not_vip");
}

TEST_F(Publish, SettingWhatIsSetWritesNothing)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}, {"10.0.0.12", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	uint64_t before = writes();

	ASSERT_EQ(pool("web", {{"10.0.0.12", 100}, {"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	EXPECT_EQ(writes(), before);
	EXPECT_FALSE(publish_grace_due(p));
}

TEST_F(Publish, RemovingOneServiceLeavesTheOthersUntouched)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	for (uint16_t port = 1; port <= 60; port++)
		ASSERT_EQ(service("web", "203.0.113.80", port, "web"), 0) << err.text;
	ASSERT_EQ(unservice("203.0.113.80", 30), 0);
	for (uint16_t port = 1; port <= 60; port++) {
		struct lb_trace t = send(syn("198.51.100.7", 999, "203.0.113.80", port));

		EXPECT_EQ(t.verdict, port == 30 ? LB_PASS : LB_FORWARD) << port;
	}
	EXPECT_EQ(unservice("203.0.113.80", 30), -ENOENT);
}

TEST_F(Publish, AnEmptyPoolDropsUnderItsOwnName)
{
	ASSERT_EQ(pool("web", {}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	EXPECT_EQ(spread("203.0.113.80", 443).begin()->first, "no_real");
	ASSERT_EQ(pool("web", {{"10.0.0.11", 0}}), 0);
	EXPECT_EQ(spread("203.0.113.80", 443).begin()->first, "no_real");
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	EXPECT_EQ(spread("203.0.113.80", 443).begin()->first, "10.0.0.11");
}

TEST_F(Publish, SpaceIsReusedOnlyAfterAGracePeriod)
{
	struct publish_usage u;

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	publish_usage(p, &u);
	uint32_t lines = u.slot_lines;

	ASSERT_EQ(pool("web", {{"10.0.0.12", 1}}), 0);
	publish_usage(p, &u);
	EXPECT_EQ(u.slot_lines, 2 * lines);
	EXPECT_EQ(u.reals, 1u + 2);
	EXPECT_TRUE(publish_grace_due(p));
	grace();
	publish_usage(p, &u);
	EXPECT_EQ(u.slot_lines, lines);
	/* The old real's record waits for flows besides, see track_test.cc. */
	EXPECT_EQ(u.reals, 1u + 2);
	EXPECT_FALSE(publish_grace_due(p));
}

TEST_F(Publish, ARestartAdoptsEverythingWithoutAWrite)
{
	struct publish_count before, after;
	struct addr real = A("10.0.0.11"), other = A("10.0.0.12");
	struct prefix vip = P("203.0.113.80");

	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	spread("203.0.113.80", 443);
	ASSERT_EQ(publish_count_service(p, &vip, 6, ports_one(443), &before), 0);
	reopen();
	EXPECT_TRUE(publish_adopted(p));
	EXPECT_TRUE(publish_adopted_member(p, "web", &real));
	EXPECT_FALSE(publish_adopted_member(p, "web", &other));
	EXPECT_FALSE(publish_adopted_member(p, "mail", &real));
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0) << err.text;
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(writes(), 0u);
	EXPECT_FALSE(publish_grace_due(p));
	ASSERT_EQ(publish_count_service(p, &vip, 6, ports_one(443), &after), 0);
	EXPECT_EQ(after.packets, before.packets);
	EXPECT_EQ(spread("203.0.113.80", 443)["10.0.0.11"], 2000);
}

TEST_F(Publish, WhatIsNotSetAgainAfterARestartGoes)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(pool("mail", {{"10.0.0.21", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	ASSERT_EQ(service("mail", "203.0.113.25", 25, "mail"), 0);
	reopen();
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	EXPECT_EQ(spread("203.0.113.25", 25)["10.0.0.21"], 2000);
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(spread("203.0.113.25", 25).begin()->first, "not_vip");
	EXPECT_EQ(spread("203.0.113.80", 443)["10.0.0.11"], 2000);
}

TEST_F(Publish, TablesGrowUnderManyObjectsAndKeepTheirCounts)
{
	struct prefix vip = P("203.0.113.80");
	struct publish_count before, after;
	std::vector<std::pair<std::string, uint32_t>> reals;

	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	spread("203.0.113.80", 443);
	ASSERT_EQ(publish_count_service(p, &vip, 6, ports_one(443), &before), 0);
	for (int i = 0; i < 1000; i++)
		reals.push_back(
			{"10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1), 1});
	ASSERT_EQ(pool("big", reals, 65537), 0) << err.text;
	for (int i = 0; i < 2000; i++)
		ASSERT_EQ(service("big", "203.0.113.81", (uint16_t)(i + 1), "big"), 0) << err.text;
	ASSERT_EQ(publish_count_service(p, &vip, 6, ports_one(443), &after), 0);
	EXPECT_EQ(after.packets, before.packets);
	struct publish_count real;
	struct addr r = A("10.0.0.11");
	ASSERT_EQ(publish_count_real(p, "web", &r, &real), 0);
	EXPECT_EQ(real.packets, before.packets);
	EXPECT_EQ(spread("203.0.113.80", 443)["10.0.0.11"], 2000);
	EXPECT_GT(spread("203.0.113.81", 2000).size(), 800u);
}

TEST_F(Publish, AFailedChangeLeavesTheOldStateInForce)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	struct publish_usage before, after;

	publish_usage(p, &before);
	EXPECT_EQ(pool("web", {{"10.0.0.12", 1}, {"10.0.0.12", 1}}), -EEXIST);
	EXPECT_NE(std::string(err.text).find("10.0.0.12 is there twice"), std::string::npos);
	EXPECT_EQ(pool("web", {{"10.0.0.12", 1}}, 256), -EINVAL);
	EXPECT_EQ(service("x", "203.0.113.99", 443, "nowhere"), -ENOENT);
	publish_usage(p, &after);
	EXPECT_EQ(after.reals, before.reals);
	EXPECT_EQ(after.services, before.services);
	EXPECT_EQ(spread("203.0.113.80", 443)["10.0.0.11"], 2000);
	EXPECT_EQ(publish_pool_remove(p, "web", &err), -EBUSY);
}

TEST_F(Publish, AnUnknownMacDropsUnderItsOwnNameUntilItIsLearnt)
{
	struct addr real = A("10.0.0.11");

	ASSERT_EQ(pool("web", {{"10.0.0.11", 100}}), 0);
	ASSERT_EQ(service("web", "203.0.113.80", 443, "web"), 0);
	ASSERT_EQ(publish_nexthop_set(p, &real, 0, NULL, &err), 0);
	EXPECT_EQ(spread("203.0.113.80", 443).begin()->first, "real_unresolved");
	EXPECT_EQ(publish_nexthop_set(p, &real, 99, (const uint8_t *)"123456", &err), -ENODEV);
	ASSERT_EQ(publish_nexthop_set(p, &real, 7, (const uint8_t *)"\x02\0\0\0\0\x33", &err), 0);
	EXPECT_EQ(send(syn("198.51.100.7", 1, "203.0.113.80", 443)).verdict, (uint32_t)LB_FORWARD);
	EXPECT_EQ(out[5], 0x33);
}

TEST_F(Publish, AnAnyPortServiceTakesWhatNoOtherHas)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(pool("rest", {{"10.0.0.12", 1}}), 0);
	ASSERT_EQ(service("v", "203.0.113.80", 443, "web"), 0) << err.text;
	EXPECT_EQ(goes("203.0.113.80", 80), "not_vip");
	ASSERT_EQ(service("v", "203.0.113.80", PORTS_ANY, "rest"), 0) << err.text;
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
	for (uint16_t port : {1, 80, 442, 444, 65535})
		EXPECT_EQ(goes("203.0.113.80", port), "rest") << port;
	ASSERT_EQ(unservice("203.0.113.80", 443), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "rest");
	ASSERT_EQ(unservice("203.0.113.80", PORTS_ANY), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "not_vip");
	EXPECT_TRUE(shapes().empty());
}

TEST_F(Publish, ARangeOfPortsIsOneServiceWithOneCounter)
{
	const struct ports range = {8000, 8999};

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(service("v", "203.0.113.80", range, "web"), 0) << err.text;
	for (uint32_t port = 7000; port < 10000; port++)
		EXPECT_EQ(goes("203.0.113.80", (uint16_t)port),
			  port < 8000 || port > 8999 ? "not_vip" : "web")
			<< port;
	EXPECT_EQ(packets("203.0.113.80", range), 1000u);
	/* Another ring behind all of its keys, by one new record. */
	ASSERT_EQ(pool("web", {{"10.0.0.12", 1}, {"10.0.0.13", 1}}), 0);
	for (uint32_t port = 8000; port < 9000; port++)
		EXPECT_EQ(goes("203.0.113.80", (uint16_t)port), "web");
	EXPECT_EQ(packets("203.0.113.80", range), 2000u);
	ASSERT_EQ(unservice("203.0.113.80", range), 0);
	EXPECT_EQ(goes("203.0.113.80", 8500), "not_vip");
	EXPECT_TRUE(shapes().empty());
}

TEST_F(Publish, TheLongestPrefixOwnsAnAddress)
{
	ASSERT_EQ(pool("wide", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(pool("half", {{"10.0.0.12", 1}}), 0);
	ASSERT_EQ(pool("one", {{"10.0.0.13", 1}}), 0);
	ASSERT_EQ(service("wide", "203.0.113.0/24", PORTS_ANY, "wide"), 0) << err.text;
	ASSERT_EQ(service("half", "203.0.113.0/25", 443, "half"), 0) << err.text;
	ASSERT_EQ(service("one", "203.0.113.80", 25, "one"), 0) << err.text;
	EXPECT_EQ(goes("203.0.113.200", 443), "wide");
	EXPECT_EQ(goes("203.0.113.7", 443), "half");
	EXPECT_EQ(goes("203.0.113.80", 25), "one");
	/* What the owner doesn't serve no wider VIP does. */
	EXPECT_EQ(goes("203.0.113.7", 80), "not_vip");
	EXPECT_EQ(goes("203.0.113.80", 443), "not_vip");
	EXPECT_EQ(goes("203.0.114.1", 443), "not_vip");
	ASSERT_EQ(unservice("203.0.113.80", 25), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "half");
	ASSERT_EQ(unservice("203.0.113.0/25", 443), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "wide");
}

TEST_F(Publish, ShapesStandInTheOrderInWhichTheyAreTried)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(service("a", "203.0.113.0/24", 443, "web"), 0);
	ASSERT_EQ(service("b", "203.0.113.80", PORTS_ANY, "web"), 0);
	ASSERT_EQ(service("b", "203.0.113.80", {8192, 8199}, "web"), 0);
	ASSERT_EQ(service("a", "203.0.113.0/24", PORTS_ANY, "web"), 0);
	EXPECT_EQ(shapes(),
		  (std::vector<uint32_t>{LB_SHAPE(32, 3), LB_SHAPE(32, 16),
					 LB_SHAPE(32, LB_SHAPE_ADDRESS), LB_SHAPE(24, 0),
					 LB_SHAPE(24, 16), LB_SHAPE(24, LB_SHAPE_ADDRESS)}));
	ASSERT_EQ(unservice("203.0.113.80", {8192, 8199}), 0);
	/* Taken out by one store; the rest moves up by one store a grace period. */
	EXPECT_EQ(shapes()[0], LB_SHAPE(32, 16));
	for (int i = 0; i < 16 && publish_grace_due(p); i++)
		grace();
	EXPECT_FALSE(publish_grace_due(p));
	EXPECT_EQ(shapes(), (std::vector<uint32_t>{LB_SHAPE(32, 16), LB_SHAPE(32, LB_SHAPE_ADDRESS),
						   LB_SHAPE(24, 0), LB_SHAPE(24, 16),
						   LB_SHAPE(24, LB_SHAPE_ADDRESS)}));
}

TEST_F(Publish, TooManyShapesAreRefusedAndLeaveEverythingInForce)
{
	int rc = 0;
	std::string last;

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	for (int len = 30; len > 8 && !rc; len--) {
		last = "10.0.0.0/" + std::to_string(len);
		rc = service(last.c_str(), last.c_str(), 443, "web");
	}
	EXPECT_EQ(rc, -ENOSPC);
	EXPECT_NE(std::string(err.text).find("more than 32"), std::string::npos) << err.text;
	EXPECT_EQ(shapes().size(), 32u);
	EXPECT_EQ(goes("10.0.0.1", 443), "web");
	EXPECT_EQ(unservice(last.c_str(), 443), -ENOENT);
	/* The room of one that goes is used at once. */
	ASSERT_EQ(unservice("10.0.0.0/30", 443), 0);
	EXPECT_EQ(service(last.c_str(), last.c_str(), 443, "web"), 0) << err.text;
	EXPECT_EQ(goes("10.0.0.1", 443), "web");
}

TEST_F(Publish, ASplitRangeIsServedThroughout)
{
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(pool("one", {{"10.0.0.12", 1}}), 0);
	ASSERT_EQ(service("v", "203.0.113.80", {8000, 8999}, "web"), 0);
	/* In the order of a plan: what is new first, then what goes. */
	ASSERT_EQ(service("v", "203.0.113.80", {8000, 8079}, "web"), 0);
	ASSERT_EQ(service("v", "203.0.113.80", 8080, "one"), 0);
	EXPECT_EQ(goes("203.0.113.80", 8080), "one");
	ASSERT_EQ(service("v", "203.0.113.80", {8081, 8999}, "web"), 0);
	for (uint16_t port = 8000; port < 9000; port++)
		EXPECT_EQ(goes("203.0.113.80", port), port == 8080 ? "one" : "web") << port;
	ASSERT_EQ(unservice("203.0.113.80", {8000, 8999}), 0);
	for (uint16_t port = 8000; port < 9000; port++)
		EXPECT_EQ(goes("203.0.113.80", port), port == 8080 ? "one" : "web") << port;
}

TEST_F(Publish, DeniedSourcesAreDroppedByTheServiceThatDeniesThem)
{
	struct publish_service_spec s = of("v", "203.0.113.80", ports_one(443), "web");
	std::vector<struct prefix> deny = {P("198.51.100.0/24"), P("192.0.2.1")};
	struct publish_usage u;

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(service("v", "203.0.113.80", 80, "web"), 0);
	s.deny = deny.data();
	s.n_deny = 2;
	ASSERT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
	EXPECT_EQ(goes("203.0.113.80", 443), "denied");
	EXPECT_EQ(goes("203.0.113.80", 80), "web");
	EXPECT_EQ(send(syn("198.51.101.7", 1, "203.0.113.80", 443)).verdict, (uint32_t)LB_FORWARD);
	uint64_t before = writes();
	ASSERT_EQ(publish_service_set(p, &s, &err), 0);
	EXPECT_EQ(writes(), before) << "nothing changed";
	/* One prefix leaves the list, in place, once no packet goes by the list as it was. */
	s.deny = &deny[1];
	s.n_deny = 1;
	ASSERT_EQ(publish_service_set(p, &s, &err), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "denied");
	grace();
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
	EXPECT_EQ(send(syn("192.0.2.1", 1, "203.0.113.80", 443)).reason,
		  (uint32_t)LB_REASON_denied);
	s.n_deny = 0;
	ASSERT_EQ(publish_service_set(p, &s, &err), 0);
	EXPECT_EQ(send(syn("192.0.2.1", 1, "203.0.113.80", 443)).verdict, (uint32_t)LB_FORWARD);
	/* Forgotten, then free. */
	grace();
	grace();
	publish_usage(p, &u);
	EXPECT_EQ(u.denied, 0u);
}

TEST_F(Publish, LongDenyListsGrowTheirTable)
{
	struct publish_service_spec s = of("v", "203.0.113.80", ports_one(443), "web");
	std::vector<struct prefix> deny;

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	for (int i = 0; i < 3000; i++)
		deny.push_back(P(("100." + std::to_string(64 + i / 250) + "." +
				  std::to_string(i % 250) + ".0/24")
					 .c_str()));
	s.deny = deny.data();
	s.n_deny = deny.size();
	ASSERT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
	EXPECT_EQ(send(syn("100.64.0.9", 1, "203.0.113.80", 443)).reason,
		  (uint32_t)LB_REASON_denied);
	EXPECT_EQ(send(syn("100.75.249.9", 1, "203.0.113.80", 443)).reason,
		  (uint32_t)LB_REASON_denied);
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
}

TEST_F(Publish, SynsAboveTheRateAreDroppedUntilTheLimitIsLifted)
{
	struct publish_service_spec s = of("v", "203.0.113.80", ports_one(443), "web");
	struct publish_usage u;
	int passed = 0;

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	s.syn_rate = 1000;
	s.syn_burst = 20;
	ASSERT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
	for (int i = 0; i < 100; i++)
		passed += goes("203.0.113.80", 443) == "web";
	EXPECT_EQ(passed, 20);
	EXPECT_EQ(goes("203.0.113.80", 443), "syn_limited");
	s.syn_rate = 0;
	ASSERT_EQ(publish_service_set(p, &s, &err), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
	grace();
	publish_usage(p, &u);
	EXPECT_EQ(u.limits, LB_LIMIT_FIRST);
}

TEST_F(Publish, ARestartAdoptsRangesListsLimitsAndServerIdsWithoutAWrite)
{
	struct publish_service_spec s = of("v", "203.0.113.0/24", {8000, 8999}, "web");
	struct prefix deny[] = {P("192.0.2.0/24"), P("198.51.100.0/25")},
		      address = P("203.0.113.0/24");
	auto set = [&] {
		ASSERT_EQ(pool("web", {{"10.0.0.11", 1}, {"10.0.0.12", 1}}), 0) << err.text;
		ASSERT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
		ASSERT_EQ(publish_vip_up(p, &address, true, &err), 0) << err.text;
	};

	s.deny = deny;
	s.n_deny = 2;
	s.syn_rate = 1000;
	s.syn_burst = 10;
	s.hash = LB_HASH_SOURCE;
	s.quic = true;
	spec.quic_length = 2;
	spec.quic_rotation = 3;
	/* So that the pool has another place than it would get by itself. */
	ASSERT_EQ(pool("before", {{"10.0.0.21", 1}}), 0);
	set();
	send(syn("198.51.100.200", 999, "203.0.113.9", 8500));
	EXPECT_EQ(packets("203.0.113.0/24", {8000, 8999}), 1u);
	reopen();
	set();
	ASSERT_EQ(publish_adopt_done(p, &err), 0);
	EXPECT_EQ(writes(), 1u) << "only the server id of the pool that isn't there any more";
	EXPECT_EQ(packets("203.0.113.0/24", {8000, 8999}), 1u);
	EXPECT_EQ(goes("203.0.113.9", 8500), "denied");
}

TEST_F(Publish, AVipIsUpOrDownByOneStore)
{
	struct prefix vip = P("203.0.113.80"), none = P("203.0.113.81");

	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(service("v", "203.0.113.80", 443, "web"), 0);
	uint64_t before = writes();
	ASSERT_EQ(publish_vip_up(p, &vip, false, &err), 0);
	EXPECT_EQ(writes(), before);
	ASSERT_EQ(publish_vip_up(p, &vip, true, &err), 0);
	ASSERT_EQ(publish_vip_up(p, &vip, true, &err), 0);
	EXPECT_EQ(writes(), before + 1);
	EXPECT_EQ(publish_vip_up(p, &none, true, &err), -ENOENT);
}

TEST_F(Publish, GueAndIpipRealsAreRecordsOfTheirOwn)
{
	spec.encap = LB_ENCAP_GUE;
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	ASSERT_EQ(service("v", "203.0.113.80", 443, "web"), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
	ASSERT_EQ(out.size(), 14u + 28 + 40);
	EXPECT_EQ(out[23], 17) << "the outer protocol is UDP";
	EXPECT_EQ(out[36] << 8 | out[37], 6080);
	spec.gue_port = 6081;
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
	EXPECT_EQ(out[36] << 8 | out[37], 6081);
	spec.encap = LB_ENCAP_IPIP;
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}}), 0);
	EXPECT_EQ(goes("203.0.113.80", 443), "web");
	EXPECT_EQ(out.size(), 14u + 20 + 40);
}

/* An Ethernet + IPv4 + UDP frame with the short header of a QUIC packet. */
std::vector<uint8_t> quic(const char *dst, const std::vector<uint8_t> &cid)
{
	std::vector<uint8_t> f = syn("198.51.100.7", 1234, dst, 443);

	f.resize(14 + 20 + 8);
	f[23] = 17;
	f.push_back(0x40);
	f.insert(f.end(), cid.begin(), cid.end());
	f.resize(f.size() + 20);
	f[17] = (uint8_t)(f.size() - 14);
	f[38] = 0;
	f[39] = (uint8_t)(f.size() - 34);
	return f;
}

TEST_F(Publish, QuicGoesToTheRealThatItsConnectionIdNames)
{
	struct publish_service_spec s = of("v", "203.0.113.80", ports_one(443), "web");
	auto real = [&](std::vector<uint8_t> cid) {
		struct lb_trace t = send(quic("203.0.113.80", cid));
		struct addr a;

		publish_real_addr(p, t.real, &a);
		return (int)a.bytes[3];
	};
	std::set<int> byid;

	s.protocol = 17;
	s.quic = true;
	spec.quic_length = 2;
	spec.quic_rotation = 1;
	ASSERT_EQ(pool("web", {{"10.0.0.11", 1}, {"10.0.0.12", 1}, {"10.0.0.13", 0}}), 0)
		<< err.text;
	ASSERT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
	for (uint8_t last : {11, 12, 13})
		EXPECT_EQ(real({0x20, 0, last}), last);
	int hashed = real({0x20, 9, 9});
	EXPECT_EQ(real({0x40, 0, (uint8_t)(23 - hashed)}), hashed) << "another rotation";
	/* One leaves, one comes; the rotation changes: the ids follow. */
	ASSERT_EQ(pool("web", {{"10.0.0.12", 1}, {"10.0.0.14", 1}, {"10.0.0.13", 0}}), 0);
	EXPECT_EQ(real({0x20, 0, 14}), 14);
	EXPECT_EQ(real({0x20, 0, 13}), 13);
	EXPECT_NE(real({0x20, 0, 11}), 11);
	spec.quic_rotation = 2;
	ASSERT_EQ(pool("web", {{"10.0.0.12", 1}, {"10.0.0.14", 1}, {"10.0.0.13", 0}}), 0);
	EXPECT_EQ(real({0x40, 0, 13}), 13);
	EXPECT_NE(real({0x20, 0, 13}), 13);
	struct prefix vip = P("203.0.113.80");
	ASSERT_EQ(publish_service_remove(p, &vip, 17, ports_one(443), &err), 0);
	ASSERT_EQ(publish_pool_remove(p, "web", &err), 0);
	grace();
	struct publish_usage u;
	publish_usage(p, &u);
	EXPECT_EQ(u.vip_entries, 0u);
	EXPECT_EQ(u.services, 1u);
}

TEST(Reasons, EachStandsInTheTableOfPacketsWithItsVerdict)
{
	std::ifstream file(FAIRWAY_SOURCE_ROOT "/docs/packets.md");
	std::stringstream text;

	text << file.rdbuf();
	for (int r = 0; r < LB_REASON_COUNT; r++) {
		enum lb_reason reason = (enum lb_reason)r;
		std::string row = std::string("| ") +
				  publish_verdict_name(publish_reason_verdict(reason)) + " | `" +
				  publish_reason_name(reason) + "` |";

		EXPECT_NE(text.str().find(row), std::string::npos) << row;
	}
}

/* The reference: a model of what should be, against what packets see, over random changes. */
TEST_F(Publish, RandomChangesAlwaysEndInWhatTheyAsked)
{
	std::mt19937 rng(7);
	std::map<uint16_t, int> services;
	std::map<int, std::set<int>> pools;

	for (int step = 0; step < 600; step++) {
		int k = (int)(rng() % 5);
		uint16_t port = (uint16_t)(rng() % 40 + 1);
		std::string name = "p" + std::to_string(k);

		switch (rng() % 4) {
		case 0: {
			std::vector<std::pair<std::string, uint32_t>> reals;

			pools[k].clear();
			for (int i = 0; i < (int)(rng() % 6); i++)
				pools[k].insert((int)(rng() % 20) + 1);
			for (int i : pools[k])
				reals.push_back(
					{"10.0." + std::to_string(k) + "." + std::to_string(i),
					 1 + (uint32_t)(rng() % 3)});
			ASSERT_EQ(pool(name.c_str(), reals), 0) << err.text;
			break;
		}
		case 1:
			if (pools.count(k)) {
				ASSERT_EQ(service("v", "203.0.113.80", port, name.c_str()), 0)
					<< err.text;
				services[port] = k;
			}
			break;
		case 2:
			EXPECT_EQ(unservice("203.0.113.80", port),
				  services.erase(port) ? 0 : -ENOENT);
			break;
		case 3:
			if (rng() % 2)
				grace();
			break;
		}
		for (int i = 0; i < 20; i++) {
			uint16_t to = (uint16_t)(rng() % 40 + 1);
			struct lb_trace t =
				send(syn("198.51.100.7", (uint16_t)rng(), "203.0.113.80", to));

			if (!services.count(to)) {
				ASSERT_EQ(t.reason, (uint32_t)LB_REASON_not_vip);
			} else if (pools[services[to]].empty()) {
				ASSERT_EQ(t.reason, (uint32_t)LB_REASON_no_real);
			} else {
				struct addr real;

				ASSERT_EQ(t.reason, (uint32_t)LB_REASON_forwarded);
				publish_real_addr(p, t.real, &real);
				ASSERT_EQ(real.bytes[2], services[to]);
				ASSERT_TRUE(pools[services[to]].count(real.bytes[3]));
			}
		}
	}
}

/* The same for services: overlapping prefixes, ranges, any port and deny lists, with restarts
 * between, which write nothing. */
class ServiceModel
{
      public:
	static constexpr const char *prefixes[] = {"203.0.113.0/24", "203.0.113.0/25",
						   "203.0.113.64/26", "203.0.113.80",
						   "203.0.113.81"};
	static constexpr struct ports ranges[] = {
		{0, 65535}, {64, 127}, {128, 191}, {443, 443}, {8192, 8447}};
	static constexpr const char *pools[] = {"p0", "p1", "p2"};

	struct service {
		int pool;
		bool denies;
	};
	std::map<std::pair<int, int>, service> services; /* by prefix and range */

	std::string expect(const char *to, uint16_t port) const
	{
		struct addr a = A(to);

		for (int i : {4, 3, 2, 1, 0}) {
			struct prefix prefix = P(prefixes[i]);

			if (!prefix_contains(&prefix, &a) || !is_vip(i))
				continue;
			for (int r : {1, 2, 3, 4, 0}) {
				auto it = services.find({i, r});

				if (it != services.end() && ports_contain(ranges[r], port))
					return it->second.denies ? "denied"
								 : pools[it->second.pool];
			}
			return "not_vip";
		}
		return "not_vip";
	}

      private:
	bool is_vip(int prefix) const
	{
		auto it = services.lower_bound({prefix, 0});

		return it != services.end() && it->first.first == prefix;
	}
};

TEST_F(Publish, RandomServicesAlwaysEndInWhatTheyAsked)
{
	const struct prefix deny = P("198.51.100.0/24");
	std::mt19937 rng(11);
	ServiceModel model;
	auto set_pools = [&] {
		for (int k = 0; k < 3; k++)
			ASSERT_EQ(pool(ServiceModel::pools[k],
				       {{"10.0." + std::to_string(k) + ".1", 1}}),
				  0)
				<< err.text;
	};
	auto set = [&](std::pair<int, int> key, const ServiceModel::service &want) {
		const char *address = ServiceModel::prefixes[key.first];
		struct publish_service_spec s =
			of(address, address, ServiceModel::ranges[key.second],
			   ServiceModel::pools[want.pool]);

		s.deny = &deny;
		s.n_deny = want.denies;
		ASSERT_EQ(publish_service_set(p, &s, &err), 0) << err.text;
	};

	set_pools();
	for (int step = 0; step < 1500; step++) {
		std::pair<int, int> key(rng() % 5, rng() % 5);
		uint32_t what = rng() % 20;

		if (what < 10) {
			model.services[key] = {(int)(rng() % 3), rng() % 4 == 0};
			set(key, model.services[key]);
		} else if (what < 16) {
			EXPECT_EQ(unservice(ServiceModel::prefixes[key.first],
					    ServiceModel::ranges[key.second]),
				  model.services.erase(key) ? 0 : -ENOENT);
		} else if (what < 19) {
			grace();
		} else {
			/* What is leaving would be taken out by the new writer: a write. */
			grace();
			reopen();
			set_pools();
			for (auto &it : model.services)
				set(it.first, it.second);
			ASSERT_EQ(publish_adopt_done(p, &err), 0);
			ASSERT_EQ(writes(), 0u) << "step " << step;
		}
		for (int i = 0; i < 10; i++) {
			const char *to[] = {"203.0.113.200", "203.0.113.7",  "203.0.113.90",
					    "203.0.113.80",  "203.0.113.81", "203.0.112.1"};
			const uint16_t ports[] = {63, 64, 127, 128, 443, 8192, 8447, 65535};
			const char *address = to[rng() % 6];
			uint16_t port = ports[rng() % 8];

			ASSERT_EQ(goes(address, port), model.expect(address, port))
				<< address << " port " << port << ", step " << step;
		}
	}
}

} // namespace
