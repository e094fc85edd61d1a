/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstring>
#include <functional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include "controlplane/base/clock.h"
#include "controlplane/bgp/bgp.h"
#include "controlplane/bgp/wire.h"
}

/* Whole speakers on loopback addresses, in one loop, on ports that need no privilege. */

namespace
{

using Bytes = std::vector<uint8_t>;

struct addr ip(const char *text)
{
	struct addr a = {};

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

struct prefix pfx(const char *text)
{
	struct prefix p = {};

	EXPECT_EQ(prefix_parse(text, &p), 0) << text;
	return p;
}

/* A port that nobody has at the moment. */
uint16_t free_port()
{
	struct sockaddr_in sin = {};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT_EQ(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	EXPECT_EQ(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

class Bgp : public testing::Test
{
      protected:
	uv_loop_t loop;
	uint16_t port = free_port();
	std::vector<struct bgp_speaker *> speakers;
	std::vector<std::string> log;

	void SetUp() override
	{
		ASSERT_EQ(uv_loop_init(&loop), 0);
	}

	void TearDown() override
	{
		for (struct bgp_speaker *sp : speakers)
			bgp_free(sp);
		uv_run(&loop, UV_RUN_DEFAULT);
		EXPECT_EQ(uv_loop_close(&loop), 0) << "a handle was left open";
	}

	static void on_state(void *arg, const struct addr *peer, enum bgp_state from,
			     enum bgp_state to, const char *reason)
	{
		char text[ADDR_STRLEN];

		((Bgp *)arg)
			->log.push_back(std::string(addr_format(peer, text)) + " " +
					bgp_state_name(from) + "->" + bgp_state_name(to) + ": " +
					reason);
	}

	static void on_notice(void *arg, const struct addr *, const char *text)
	{
		((Bgp *)arg)->log.push_back(std::string("notice: ") + text);
	}

	struct bgp_speaker *make()
	{
		static const struct bgp_events events = {on_state, on_notice};

		speakers.push_back(bgp_new(&loop, &events, this));
		return speakers.back();
	}

	struct bgp_neighbor neighbor(const char *address, const char *local, uint32_t asn)
	{
		struct bgp_neighbor nb = {};

		nb.address = ip(address);
		nb.local_address = ip(local);
		nb.asn = asn;
		nb.port = port;
		nb.hold_time_ms = 9000;
		return nb;
	}

	int configure(struct bgp_speaker *sp, uint32_t asn, uint32_t id,
		      const std::vector<struct bgp_neighbor> &nbs, struct err *err = nullptr)
	{
		struct bgp_config c = {};
		struct err mine = {};

		c.asn = asn;
		c.router_id = id;
		c.listen_port = port;
		c.n_neighbors = nbs.size();
		c.neighbors = nbs.data();
		return bgp_configure(sp, &c, err ? err : &mine);
	}

	struct bgp_peer_snapshot snap(struct bgp_speaker *sp, size_t i = 0)
	{
		struct bgp_peer_snapshot s = {};

		EXPECT_EQ(bgp_peer_snapshot(sp, i, &s), 0);
		return s;
	}

	std::string history()
	{
		std::string all;

		for (const std::string &l : log)
			all += l + "\n";
		return all;
	}

	/* Turn the loop until done() or for at most so long. */
	bool until(const std::function<bool()> &done, uint64_t limit_ms = 5000)
	{
		uint64_t end = clock_now_ns() + limit_ms * NS_PER_MS;
		uv_timer_t tick;

		uv_timer_init(&loop, &tick);
		uv_timer_start(
			&tick, [](uv_timer_t *) {}, 5, 5);
		while (!done() && clock_now_ns() < end)
			uv_run(&loop, UV_RUN_ONCE);
		uv_close((uv_handle_t *)&tick, nullptr);
		uv_run(&loop, UV_RUN_NOWAIT);
		return done();
	}

	bool established(struct bgp_speaker *sp)
	{
		return snap(sp).state == BGP_STATE_ESTABLISHED;
	}

	/* Two speakers that know each other. */
	void pair(struct bgp_speaker **a, struct bgp_speaker **b, uint32_t id_a = 1,
		  uint32_t id_b = 2)
	{
		*a = make();
		*b = make();
		ASSERT_EQ(configure(*a, 64512, id_a, {neighbor("127.0.0.12", "127.0.0.11", 64513)}),
			  0);
		ASSERT_EQ(configure(*b, 64513, id_b, {neighbor("127.0.0.11", "127.0.0.12", 64512)}),
			  0);
	}

	/* A peer of raw bytes: connects from 127.0.0.13 to a speaker that waits for it. */
	struct bgp_speaker *raw_speaker()
	{
		struct bgp_speaker *sp = make();
		struct bgp_neighbor nb = neighbor("127.0.0.13", "127.0.0.11", 64513);

		nb.passive = true;
		EXPECT_EQ(configure(sp, 64512, 1, {nb}), 0);
		return sp;
	}

	int raw_connect(int receive_buffer = 0)
	{
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		struct addr from = ip("127.0.0.13"), to = ip("127.0.0.11");
		struct sockaddr_storage ss;
		socklen_t len = addr_to_sockaddr(&from, 0, &ss);

		if (receive_buffer) {
			EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
					     sizeof(receive_buffer)),
				  0);
		}
		EXPECT_EQ(bind(fd, (struct sockaddr *)&ss, len), 0);
		len = addr_to_sockaddr(&to, port, &ss);
		EXPECT_TRUE(connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EINPROGRESS);
		return fd;
	}

	static Bytes open_message(uint32_t asn = 64513, uint16_t hold = 9)
	{
		struct bgp_open open = {asn, 99, hold,
					BGP_CAP_IPV4_UNICAST | BGP_CAP_FOUR_OCTET_AS};
		uint8_t buf[BGP_MESSAGE_MAX];
		size_t len = bgp_encode_open(&open, buf);

		return Bytes(buf, buf + len);
	}

	static Bytes keepalive()
	{
		uint8_t buf[BGP_MESSAGE_MAX];

		return Bytes(buf, buf + bgp_encode_keepalive(buf));
	}

	/* The next whole message from fd that isn't a KEEPALIVE; empty at the end of the stream. */
	Bytes next_message(int fd)
	{
		Bytes got;
		bool eof = false;
		auto complete = [&]() {
			uint8_t byte;
			ssize_t n;

			while ((got.size() < 19 || got.size() < (size_t)(got[16] << 8 | got[17])) &&
			       (n = recv(fd, &byte, 1, 0)) >= 0) {
				if (n == 0)
					return eof = true;
				got.push_back(byte);
				if (got == keepalive())
					got.clear();
			}
			return got.size() >= 19 && got.size() == (size_t)(got[16] << 8 | got[17]);
		};

		EXPECT_TRUE(until(complete)) << "no message came\n" << history();
		return eof ? Bytes{} : got;
	}

	void send_all(int fd, const Bytes &m)
	{
		ASSERT_TRUE(until([&]() {
			struct pollfd p = {fd, POLLOUT, 0};

			return poll(&p, 1, 0) == 1;
		}));
		ASSERT_EQ(send(fd, m.data(), m.size(), MSG_NOSIGNAL), (ssize_t)m.size());
	}
};

} // namespace

/* Both TCP connections are under way before either side reads a byte. */
TEST_F(Bgp, BothSidesConnectingAtOnceEndWithOneSession)
{
	for (auto ids : {std::make_pair(1u, 2u), std::make_pair(2u, 1u)}) {
		struct bgp_neighbor to_a = neighbor("127.0.0.11", "127.0.0.12", 64512);
		struct bgp_speaker *a = make(), *b = make();

		to_a.passive = true; /* b only listens at first, so that a's connection gets in; */
		ASSERT_EQ(configure(b, 64513, ids.second, {to_a}), 0);
		ASSERT_EQ(configure(a, 64512, ids.first,
				    {neighbor("127.0.0.12", "127.0.0.11", 64513)}),
			  0);
		to_a.passive = false; /* then it connects, too. */
		ASSERT_EQ(configure(b, 64513, ids.second, {to_a}), 0);
		ASSERT_TRUE(until([&]() { return established(a) && established(b); })) << history();
		/* It is a lasting one: what is left of the other connection doesn't disturb it. */
		EXPECT_FALSE(until([&]() { return !established(a) || !established(b); }, 300))
			<< history();
		EXPECT_EQ(snap(a).times_connected, 1u) << history();
		EXPECT_EQ(snap(b).times_connected, 1u) << history();
		EXPECT_GE(snap(a).notifications_out + snap(b).notifications_out, 1u)
			<< "no collision happened\n"
			<< history();
		ASSERT_EQ(configure(a, 64512, 1, {}), 0);
		ASSERT_EQ(configure(b, 64512, 1, {}), 0);
	}
}

TEST_F(Bgp, ManyAnnouncementsOfOneTurnShareUpdates)
{
	struct bgp_speaker *a, *b;

	pair(&a, &b);
	ASSERT_TRUE(until([&]() { return established(a) && established(b); })) << history();
	for (int i = 0; i < 500; i++) {
		struct prefix p =
			pfx(("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250))
				    .c_str());

		ASSERT_EQ(bgp_announce(a, &p, nullptr, nullptr), 0);
	}
	ASSERT_TRUE(until([&]() { return snap(a).prefixes_announced == 500; }));
	EXPECT_EQ(snap(a).updates_out, 1u);
	EXPECT_TRUE(until([&]() { return snap(b).updates_in == 1; }));
}

TEST_F(Bgp, AnUnchangedConfigurationSendsNotAByte)
{
	struct bgp_speaker *a, *b;

	pair(&a, &b);
	ASSERT_TRUE(until([&]() { return established(a) && established(b); })) << history();
	uint64_t before = snap(a).messages_out;
	ASSERT_EQ(configure(a, 64512, 1, {neighbor("127.0.0.12", "127.0.0.11", 64513)}), 0);
	until([] { return false; }, 100);
	EXPECT_EQ(snap(a).messages_out, before);
	EXPECT_TRUE(established(a));
}

TEST_F(Bgp, ARemovedNeighbourHearsThatItIsDeconfigured)
{
	struct bgp_speaker *a, *b;

	pair(&a, &b);
	ASSERT_TRUE(until([&]() { return established(a) && established(b); })) << history();
	ASSERT_EQ(configure(a, 64512, 1, {}), 0);
	EXPECT_EQ(bgp_peer_count(a), 0u);
	ASSERT_TRUE(until([&]() { return !established(b); }));
	EXPECT_NE(std::string(snap(b).last_error).find("peer de-configured (6/3)"),
		  std::string::npos)
		<< snap(b).last_error;
}

TEST_F(Bgp, StopTellsThePeersAndThenCallsBack)
{
	struct bgp_speaker *a, *b;
	bool done = false;

	pair(&a, &b);
	ASSERT_TRUE(until([&]() { return established(a) && established(b); })) << history();
	bgp_stop(
		a, "going home", [](void *arg) { *(bool *)arg = true; }, &done);
	EXPECT_FALSE(done) << "never from inside the call";
	ASSERT_TRUE(until([&]() { return done; }, 2500));
	ASSERT_TRUE(until([&]() { return !established(b); }));
	EXPECT_NE(std::string(snap(b).last_error).find("\"going home\""), std::string::npos);
	struct prefix p = pfx("192.0.2.0/24");
	struct err err;
	EXPECT_EQ(bgp_announce(a, &p, nullptr, &err), -ESHUTDOWN);
}

TEST_F(Bgp, StopWithoutPeersCallsBackFromTheLoop)
{
	bool done = false;

	bgp_stop(
		make(), nullptr, [](void *arg) { *(bool *)arg = true; }, &done);
	EXPECT_FALSE(done);
	EXPECT_TRUE(until([&]() { return done; }));
}

TEST_F(Bgp, MalformedBytesGetTheRightNotification)
{
	struct bgp_speaker *sp = raw_speaker();
	Bytes bad_marker(19, 0), bad_length = keepalive(), bad_type = keepalive();
	Bytes bad_version = open_message(), refresh = keepalive();

	bad_length[17] = 18;
	bad_type[18] = 9;
	bad_version[19] = 3;
	const struct {
		const char *name;
		Bytes send;
		Bytes want; /* code, subcode, data */
	} cases[] = {
		{"marker", bad_marker, {1, 1}},
		{"length", bad_length, {1, 2, 0, 18}},
		{"type", bad_type, {1, 3, 9}},
		{"version", bad_version, {2, 1, 0, 4}},
		{"peer AS", open_message(64999), {2, 2}},
		{"hold time", open_message(64513, 2), {2, 6}},
		{"KEEPALIVE before OPEN", keepalive(), {5, 1, BGP_MSG_KEEPALIVE}},
	};

	for (const auto &c : cases) {
		/* A configured session anew, so that the last error doesn't hold it back. */
		struct bgp_neighbor nb = neighbor("127.0.0.13", "127.0.0.11", 64513);

		ASSERT_EQ(configure(sp, 64512, 1, {}), 0);
		nb.passive = true;
		ASSERT_EQ(configure(sp, 64512, 1, {nb}), 0);
		int fd = raw_connect();
		send_all(fd, c.send);
		ASSERT_EQ(next_message(fd)[18], BGP_MSG_OPEN) << c.name;
		Bytes m = next_message(fd);
		ASSERT_GE(m.size(), 21u) << c.name << "\n" << history();
		EXPECT_EQ(m[18], BGP_MSG_NOTIFICATION) << c.name;
		EXPECT_EQ(Bytes(m.begin() + 19, m.end()), c.want) << c.name;
		EXPECT_TRUE(next_message(fd).empty()) << c.name << ": not closed";
		EXPECT_NE(snap(sp).last_error[0], '\0') << c.name;
		close(fd);
	}
}

TEST_F(Bgp, MessagesMayArriveByteByByte)
{
	struct bgp_speaker *sp = raw_speaker();
	int fd = raw_connect();
	Bytes all = open_message(), k = keepalive();

	all.insert(all.end(), k.begin(), k.end());
	for (uint8_t byte : all) {
		send_all(fd, {byte});
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	EXPECT_TRUE(until([&]() { return established(sp); })) << history();
	ASSERT_EQ(shutdown(fd, SHUT_WR), 0);
	EXPECT_TRUE(until([&]() { return !established(sp); }));
	close(fd);
	EXPECT_NE(history().find("the peer closed the connection"), std::string::npos) << history();
}

TEST_F(Bgp, StrangersAreHungUpOn)
{
	struct bgp_speaker *sp = raw_speaker();
	struct bgp_neighbor nb = neighbor("127.0.0.14", "127.0.0.11", 64513);

	nb.passive = true;
	ASSERT_EQ(configure(sp, 64512, 1, {nb}), 0);
	int fd = raw_connect();
	char byte;
	EXPECT_TRUE(until([&]() { return recv(fd, &byte, 1, 0) == 0 || errno == ECONNRESET; }));
	EXPECT_EQ(snap(sp).state, BGP_STATE_ACTIVE);
	close(fd);
}

/* The peer's receive window is full and stays so: our queue must stay bounded, the loop must go on,
 * and once the peer reads, it gets everything. */
TEST_F(Bgp, APeerThatReadsSlowlyGetsEverythingInTheEnd)
{
	struct bgp_speaker *sp = raw_speaker();
	int fd = raw_connect(4096);
	Bytes hello = open_message(), k = keepalive();
	const uint32_t count = 60000;
	uint8_t sink[65536];
	uint64_t bytes = 0;

	hello.insert(hello.end(), k.begin(), k.end());
	send_all(fd, hello);
	ASSERT_TRUE(until([&]() { return established(sp); })) << history();
	for (uint32_t i = 0; i < count; i++) {
		struct prefix p = {};
		struct bgp_attrs a = {};

		p.addr.family = 4;
		p.addr.bytes[0] = 10;
		p.addr.bytes[1] = (uint8_t)(i >> 16);
		p.addr.bytes[2] = (uint8_t)(i >> 8);
		p.addr.bytes[3] = (uint8_t)i;
		p.len = 32;
		a.has_med = 1;
		a.med = i % 7;
		ASSERT_EQ(bgp_announce(sp, &p, &a, nullptr), 0);
	}
	/* The kernel takes some megabytes, so the peer asks for the table again and again. */
	Bytes refresh = keepalive();
	refresh.resize(23);
	refresh[17] = 23;
	refresh[18] = BGP_MSG_ROUTE_REFRESH;
	refresh[20] = refresh[22] = 1;
	auto stuck = [&]() { return snap(sp).prefixes_pending > 0; };
	for (int i = 0; i < 100 && !stuck(); i++) {
		send_all(fd, refresh);
		until(stuck, 20);
		until([&]() { return !stuck(); }, 50);
	}
	EXPECT_TRUE(stuck()) << "the kernel took it all; this test tests nothing";
	EXPECT_TRUE(until(
		[&]() {
			ssize_t n = recv(fd, sink, sizeof(sink), 0);

			bytes += n > 0 ? (uint64_t)n : 0;
			return snap(sp).prefixes_announced == count &&
			       snap(sp).prefixes_pending == 0;
		},
		20000))
		<< snap(sp).prefixes_pending << " of " << count << " pending";
	close(fd);
}

TEST_F(Bgp, BadConfigurationsAreRefusedWithWordsAndChangeNothing)
{
	struct bgp_speaker *a, *b;
	struct bgp_neighbor good = neighbor("127.0.0.12", "127.0.0.11", 64513);

	pair(&a, &b);
	ASSERT_TRUE(until([&]() { return established(a); })) << history();
	auto refused = [&](std::function<void(struct bgp_neighbor &)> spoil, const char *words) {
		struct bgp_neighbor bad = neighbor("127.0.0.15", "127.0.0.11", 64513);
		struct err err = {};

		spoil(bad);
		EXPECT_EQ(configure(a, 64512, 1, {good, bad}, &err), -EINVAL) << words;
		EXPECT_NE(std::string(err.text).find(words), std::string::npos) << err.text;
		EXPECT_NE(std::string(err.text).find("BGP neighbour"), std::string::npos)
			<< err.text;
	};
	refused([](auto &n) { n.hold_time_ms = 2000; }, "hold time of 2.000 s");
	refused([](auto &n) { n.hold_time_ms = 3500; }, "whole seconds");
	refused([](auto &n) { n.asn = 0; }, "AS number 0 is reserved");
	refused([](auto &n) { n.asn = 23456; }, "23456");
	refused([](auto &n) { n.address = ip("127.0.0.12"); }, "twice");
	refused([](auto &n) { n.address = ip("224.0.0.5"); }, "isn't that of a host");
	refused([](auto &n) { n.address = ip("fe80::1"); }, "link-local");
	refused([](auto &n) { n.local_address = ip("2001:db8::1"); }, "local address");
	refused([](auto &n) { n.next_hop_ipv6 = ip("192.0.2.1"); }, "IPv6 next hop");
	struct err err = {};
	EXPECT_EQ(configure(a, 64512, 0, {good}, &err), -EINVAL);
	EXPECT_TRUE(established(a));
	EXPECT_EQ(snap(a).times_connected, 1u);
}

TEST_F(Bgp, PrefixesWithHostBitsAreRefused)
{
	struct prefix p = pfx("192.0.2.1/24");
	struct err err = {};

	EXPECT_EQ(bgp_announce(make(), &p, nullptr, &err), -EINVAL);
	EXPECT_NE(std::string(err.text).find("192.0.2.1/24"), std::string::npos);
}
