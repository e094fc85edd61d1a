/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "tools/replay/test/packet_builder.h"

extern "C" {
#include "controlplane/config/config.h"
#include "dataplane/native/native.h"
#include "tools/replay/replay.h"
}

using std::string;

/* What a packet of each kind leads to is held by testbed/scenarios, through the program. Here is
 * what a list of packets can't say: every length, many flows, tables that no configuration makes.
 */

/* The engine under test; there is a program for each. */
extern const char *const test_engine;

/* An engine with a configuration's tables; opened once for all cases. */
class Engine
{
      public:
	Engine(const string &name, const char *path)
	{
		auto errors = std::make_unique<struct config_errors>();
		struct config *config;

		if (config_load(path, &config, errors.get()) < 0) {
			config_errors_print(errors.get(), stderr);
			abort();
		}
		status_ = replay_open(name.c_str(), config, nullptr, 0, &replay_, &err_);
		config_free(config);
	}
	~Engine()
	{
		replay_free(replay_);
	}
	Engine(const Engine &) = delete;
	Engine &operator=(const Engine &) = delete;

	int status() const
	{
		return status_;
	}
	const char *error() const
	{
		return err_.text;
	}

	struct lb_tables &tables()
	{
		return *replay_tables(replay_);
	}

	struct Result {
		string verdict, reason, vip, real;
		Bytes frame;

		bool operator==(const Result &o) const
		{
			return std::tie(verdict, reason, vip, real, frame) ==
			       std::tie(o.verdict, o.reason, o.vip, o.real, o.frame);
		}
	};

	Result run(const Bytes &frame)
	{
		struct replay_frame in = {frame.data(), frame.size(), 0};
		struct replay_verdict v;
		char text[ADDR_STRLEN];
		struct err err;

		if (replay_process(replay_, &in, &v, &err) < 0) {
			ADD_FAILURE() << err.text;
			return {};
		}
		return {publish_verdict_name(v.verdict), publish_reason_name(v.reason),
			v.vip ? v.vip : "", v.real.family ? addr_format(&v.real, text) : "",
			Bytes(v.frame.bytes, v.frame.bytes + v.frame.len)};
	}

      private:
	struct replay *replay_ = nullptr;
	struct err err_ = {""};
	int status_;
};

static const char *const edge_config = CONFIG_FOLDER "/edge.yaml";
static const char *const spread_config = CONFIG_FOLDER "/spread.yaml";

/* Engine and configuration by name, kept until the program ends. */
static Engine &engine(const string &name, const char *path)
{
	static std::map<std::pair<string, const char *>, std::unique_ptr<Engine>> engines;
	auto &place = engines[{name, path}];

	if (!place)
		place = std::make_unique<Engine>(name, path);
	return *place;
}

#define SKIP_WITHOUT_PRIVILEGE(e)                                                                  \
	do {                                                                                       \
		if ((e).status() == -EPERM || (e).status() == -EACCES)                             \
			GTEST_SKIP() << (e).error();                                               \
		ASSERT_EQ((e).status(), 0) << (e).error();                                         \
	} while (0)

/* Whatever a frame is cut to, there is a verdict, it is native's, and a cut frame never leaves. */
TEST(Engine, TakeFramesCutAtEveryLength)
{
	Engine &e = engine(test_engine, edge_config);
	SKIP_WITHOUT_PRIVILEGE(e);
	for (const Packet &p :
	     {tcp4("203.0.113.1", 80).options(8).data_offset(8), udp4("203.0.113.1", 81),
	      tcp6("2001:db8:80::1", 81), udp6("2001:db8:80::1", 82)}) {
		Bytes whole = p.frame();

		for (size_t len = 0; len <= whole.size(); len++) {
			Bytes frame(whole.begin(), whole.begin() + (ptrdiff_t)len);
			Engine::Result r = e.run(frame);

			ASSERT_EQ(r.verdict, len < whole.size() ? "drop" : "forward")
				<< len << " of " << whole.size() << " bytes";
			ASSERT_EQ(r, engine("native", edge_config).run(frame)) << len << " bytes";
		}
	}
}

/* The outer source of a frame that left, and the flow label. */
static string outer_source(const Bytes &frame)
{
	size_t at = frame[12] == 0x08 ? 26 : 22, len = frame[12] == 0x08 ? 4 : 16;

	return string(frame.begin() + (ptrdiff_t)at, frame.begin() + (ptrdiff_t)(at + len));
}

static uint32_t flow_label(const Bytes &frame)
{
	return (uint32_t)(frame[15] & 0xf) << 16 | (uint32_t)frame[16] << 8 | frame[17];
}

TEST(Engine, KeepAFlowOnOneRealAndOnePath)
{
	Engine &e = engine(test_engine, spread_config);
	SKIP_WITHOUT_PRIVILEGE(e);
	for (Packet p : {tcp4("203.0.113.1", 80), tcp4("203.0.113.1", 81),
			 tcp6("2001:db8:80::1", 80), tcp6("2001:db8:80::1", 81)}) {
		for (unsigned port = 1000; port < 1050; port++) {
			Engine::Result first =
				e.run(p.port_from(port).flags(0x02).payload(0).frame());
			Engine::Result later =
				e.run(p.flags(0x11).payload(500).tos(3).ttl(9).id(77).df().frame());

			ASSERT_EQ(first.verdict, "forward");
			ASSERT_EQ(first.real, later.real);
			ASSERT_EQ(outer_source(first.frame), outer_source(later.frame));
			if (first.frame[12] == 0x86) {
				ASSERT_EQ(flow_label(first.frame), flow_label(later.frame));
			}
		}
	}
}

TEST(Engine, SpreadFlowsOverRealsAndPaths)
{
	const unsigned n = 2000;
	Engine &e = engine(test_engine, spread_config);
	SKIP_WITHOUT_PRIVILEGE(e);
	for (Packet p : {tcp4("203.0.113.1", 80), tcp4("203.0.113.1", 81),
			 tcp6("2001:db8:80::1", 80), tcp6("2001:db8:80::1", 81)}) {
		std::map<string, unsigned> reals;
		std::set<string> sources;
		std::set<uint32_t> labels;

		for (unsigned i = 0; i < n; i++) {
			Engine::Result r = e.run(p.port_from(10000 + i).frame());

			ASSERT_EQ(r.verdict, "forward");
			reals[r.real]++;
			sources.insert(outer_source(r.frame));
			if (r.frame[12] == 0x86)
				labels.insert(flow_label(r.frame));
		}
		/* Six standard deviations around an even spread. */
		for (auto &[real, count] : reals)
			EXPECT_NEAR(count, (double)n / (double)reals.size(), 120) << real;
		EXPECT_EQ(reals.size(), reals.begin()->first.find(':') == string::npos ? 4U : 3U);
		EXPECT_GT(sources.size(), n * 95 / 100);
		if (!labels.empty()) {
			EXPECT_GT(labels.size(), n * 95 / 100);
		}
	}
}

/* ---- states of the tables that replay's own set-up never leaves ---- */

TEST(Engine, DropsWhatTheNextHopIsUnknownOf)
{
	Engine e(test_engine, edge_config);
	SKIP_WITHOUT_PRIVILEGE(e);
	for (uint32_t i = 1; i < e.tables().dims.reals; i++)
		e.tables().reals[i].nexthop = 0;
	for (const Packet &p :
	     {tcp4("203.0.113.1", 80), tcp6("2001:db8:80::1", 81), udp4("203.0.113.1", 82)}) {
		Engine::Result r = e.run(p.frame());

		EXPECT_EQ(r.verdict, "drop");
		EXPECT_EQ(r.reason, "real_unresolved");
		EXPECT_NE(r.real, "");
	}
}

TEST(Engine, DropsWhatTheInterfaceCannotSend)
{
	struct {
		Packet packet;
		unsigned outer; /* what is put before it */
	} ways[] = {
		{udp4("203.0.113.1", 80), 20},
		{udp4("203.0.113.1", 81), 40},
		{udp4("203.0.113.1", 82), 0},
	};
	Engine e(test_engine, edge_config);
	SKIP_WITHOUT_PRIVILEGE(e);
	for (uint32_t i = 1; i < LB_IFACES_MAX; i++) {
		e.tables().node->ifaces[i].mtu = 1500;
		e.tables().node->ifaces[i].common_mtu = 1500;
	}
	for (auto &way : ways) {
		unsigned most = 1500 - way.outer - 28;

		EXPECT_EQ(e.run(way.packet.payload(most).frame()).reason, "forwarded") << way.outer;
		EXPECT_EQ(e.run(way.packet.payload(most + 1).frame()).reason, "too_big")
			<< way.outer;
		EXPECT_EQ(e.run(way.packet.df().frame()).reason, "too_big_answered") << way.outer;
	}
}

/* The MTU that the answer tells; 576 and 1280 bytes is all that it may itself have. */
TEST(Engine, TellsTheMtuThatFits)
{
	Engine e(test_engine, edge_config);
	SKIP_WITHOUT_PRIVILEGE(e);
	auto set_mtu = [&e](uint16_t mtu) {
		for (uint32_t i = 1; i < LB_IFACES_MAX; i++)
			e.tables().node->ifaces[i].mtu = e.tables().node->ifaces[i].common_mtu =
				mtu;
	};

	for (unsigned mtu : {1300, 1320, 1400, 1500, 9000}) {
		set_mtu((uint16_t)mtu);
		Bytes four = e.run(udp4("203.0.113.1", 81).df().payload(mtu).frame()).frame;
		Bytes six = e.run(udp6("2001:db8:80::1", 81).payload(mtu).frame()).frame;

		ASSERT_EQ(four.size(), 14U + 576);
		EXPECT_EQ((unsigned)four[40] << 8 | four[41], mtu - 40);
		ASSERT_EQ(six.size(), 14U + 1280);
		/* IPv6 knows no link of less than 1280. */
		EXPECT_EQ((unsigned)six[60] << 8 | six[61], std::max(mtu - 40, 1280U));
	}
	set_mtu(1300);
	EXPECT_EQ(e.run(udp6("2001:db8:80::1", 81).payload(1270 - 48).frame()).reason, "too_big")
		<< "a packet of 1270 bytes is no larger than what would be told";
}

/* A driver, or a packet buffer, without room before the frame. */
TEST(Engine, DropsWhereThereIsNoRoomForTheOuterHeader)
{
	Engine e("native", edge_config);
	ASSERT_EQ(e.status(), 0) << e.error();
	struct {
		Packet packet;
		unsigned outer;
	} ways[] = {{udp4("203.0.113.1", 80), 20}, {udp6("2001:db8:80::1", 81), 40}};

	for (auto &way : ways) {
		for (unsigned room = 0; room <= way.outer; room++) {
			/* Frames begin at even addresses. */
			const unsigned at = room + room % 2;
			Bytes buffer(at);
			struct native_frame frame = {};
			struct lb_moment moment = {};
			struct lb_trace trace;

			put(buffer, way.packet.frame());
			frame.data = buffer.data() + at;
			frame.len = buffer.size() - at;
			frame.headroom = room;
			native_process(&e.tables(), 0, &moment, &frame, &trace);
			EXPECT_EQ(trace.reason,
				  room < way.outer ? LB_REASON_no_headroom : LB_REASON_forwarded)
				<< room << " bytes of headroom";
		}
	}
}

TEST(Engine, SurvivesTablesThatPointOutside)
{
	auto fresh = [] { return std::make_unique<Engine>(test_engine, edge_config); };
	Bytes frame = tcp4("203.0.113.1", 80).frame();
	auto e = fresh();
	SKIP_WITHOUT_PRIVILEGE(*e);

	for (uint32_t i = 0; i < e->tables().dims.slot_lines; i++)
		for (auto &slot : e->tables().slots[i].slot)
			slot = LB_SLOT_REAL_MASK;
	EXPECT_EQ(e->run(frame).reason, "table_error") << "slots name reals that don't exist";

	e = fresh();
	for (uint32_t i = 1; i < e->tables().dims.reals; i++)
		e->tables().reals[i].nexthop = ~0ULL;
	EXPECT_EQ(e->run(frame).verdict, "drop") << "reals name interfaces that don't exist";

	e = fresh();
	for (uint32_t i = 0; i < e->tables().dims.vip_entries; i++)
		if (e->tables().vips[i].service)
			e->tables().vips[i].service = e->tables().dims.services;
	EXPECT_EQ(e->run(frame).reason, "table_error") << "keys name services that don't exist";

	e = fresh();
	for (uint32_t i = 1; i < e->tables().dims.services; i++)
		e->tables().services[i].ring_start =
			e->tables().dims.slot_lines * LB_SLOTS_PER_LINE;
	EXPECT_EQ(e->run(frame).verdict, "drop") << "rings lie outside the slots";
}
