/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/health_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <fstream>
#include <memory>

namespace
{

class Health : public HealthTest
{
};

TEST_F(Health, TcpTargetIsUpWhenSomebodyListens)
{
	Listener listener("127.0.0.1", 7000), listener6("::1", 7000);

	EXPECT_EQ(first_result(config(HEALTH_TCP, "127.0.0.1", 7000)), "connected");
	EXPECT_EQ(first_result(config(HEALTH_TCP, "::1", 7000)), "connected");
	ASSERT_EQ(changes.size(), 2u);
	EXPECT_EQ(changes[0].was, HEALTH_UNKNOWN);
	EXPECT_EQ(changes[0].now, HEALTH_UP);
	EXPECT_EQ(changes[0].reason, "connected");
}

TEST_F(Health, TcpTargetIsDownWhenNobodyListens)
{
	EXPECT_EQ(first_result(config(HEALTH_TCP, "127.0.0.1", 7000)), "connect refused");
	EXPECT_EQ(first_result(config(HEALTH_TCP, "::1", 7000)), "connect refused");
	EXPECT_EQ(changes.at(0).now, HEALTH_DOWN);
	EXPECT_EQ(changes.at(0).reason, "connect refused");
}

TEST_F(Health, FullBacklogIsATimeout)
{
	Listener listener("127.0.0.1", 7000, 0);
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);
	std::vector<int> fillers;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&c.address, c.port, &ss);

	/* Nobody accepts: a few connections, and the kernel drops further SYNs. */
	for (int i = 0; i < 4; i++) {
		fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		if (connect(fillers.back(), (struct sockaddr *)&ss, len) < 0) {
			ASSERT_EQ(errno, EINPROGRESS);
		}
	}
	c.timeout_ms = 100;
	EXPECT_EQ(first_result(c), "timeout after 100 ms, connecting");
	for (int fd : fillers)
		close(fd);
}

TEST_F(Health, SilentHostIsATimeout)
{
	struct health_target_config c = config(HEALTH_TCP, "192.0.2.2", 80);

	sh("ip link add hv0 type veth peer name hv1 && ip link set hv1 up && "
	   "ip addr add 192.0.2.1/24 dev hv0 && ip link set hv0 up && "
	   "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:99 dev hv0 nud permanent");
	c.timeout_ms = 100;
	EXPECT_EQ(first_result(c), "timeout after 100 ms, connecting");
}

TEST_F(Health, UnreachableToldByARouterIsTheServersFailure)
{
	/* The route's own host answers ARP for nobody: after three tries the kernel gives up. */
	struct health_target_config c = config(HEALTH_TCP, "192.0.2.2", 80);

	sh("ip link add hv0 type veth peer name hv1 && ip link set hv1 up && "
	   "ip addr add 192.0.2.1/24 dev hv0 && ip link set hv0 up && "
	   "echo 50 > /proc/sys/net/ipv4/neigh/hv0/retrans_time_ms");
	c.timeout_ms = 8000;
	EXPECT_EQ(first_result(c), "host unreachable: no answer to ARP or ND, or a router says so");
}

TEST_F(Health, MissingRouteIsTheProbersErrorAndHoldsTheState)
{
	sh("ip link add hv0 type veth peer name hv1 && ip link set hv1 up && ip link set hv0 up && "
	   "ip addr add 192.0.2.2/32 dev lo");
	Listener listener("192.0.2.2", 80);
	struct health_target *t = add(config(HEALTH_TCP, "192.0.2.2", 80));

	ASSERT_TRUE(run_until([&] { return snapshot(t).state == HEALTH_UP; }));
	sh("ip addr del 192.0.2.2/32 dev lo");
	ASSERT_TRUE(run_until([&] { return snapshot(t).prober_errors >= 5; }));
	EXPECT_EQ(snapshot(t).state, HEALTH_UP);
	EXPECT_EQ(snapshot(t).failures, 0u);
	ASSERT_EQ(prober_errors.size(), 1u) << "the same words are told once";
	EXPECT_EQ(prober_errors[0],
		  "no route to 192.0.2.2: add one, e.g. ip route add 192.0.2.2/32 via GATEWAY");
	EXPECT_EQ(snapshot(t).last_prober_error, prober_errors[0]);

	sh("ip addr add 192.0.2.2/32 dev lo");
	uint64_t before = snapshot(t).checks;
	ASSERT_TRUE(run_until([&] { return snapshot(t).checks > before; }));
	EXPECT_STREQ(snapshot(t).last_prober_error, "");
	EXPECT_EQ(changes.size(), 1u);
}

TEST_F(Health, RefusingRouteAndMissingIpv6RouteAreTheProbersErrors)
{
	sh("ip route add blackhole 198.51.100.1 && ip route add unreachable 198.51.100.2 && "
	   "ip route add prohibit 198.51.100.3");
	struct health_target *t[] = {add(config(HEALTH_TCP, "198.51.100.1", 80)),
				     add(config(HEALTH_TCP, "198.51.100.2", 80)),
				     add(config(HEALTH_TCP, "198.51.100.3", 80)),
				     add(config(HEALTH_TCP, "2001:db8::1", 80))};

	for (auto *target : t) {
		ASSERT_TRUE(run_until([&] { return snapshot(target).prober_errors >= 3; }));
		EXPECT_EQ(snapshot(target).checks, 0u);
		EXPECT_EQ(snapshot(target).state, HEALTH_UNKNOWN);
	}
	EXPECT_TRUE(changes.empty());
}

TEST_F(Health, RunningOutOfDescriptorsIsTheProbersErrorAndHoldsTheState)
{
	Listener listener("127.0.0.1", 7000);
	struct health_target *t = add(config(HEALTH_TCP, "127.0.0.1", 7000));
	std::vector<int> hoard;
	struct rlimit old, low;

	ASSERT_TRUE(run_until([&] { return snapshot(t).state == HEALTH_UP; }));
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 64;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
		hoard.push_back(fd);
	ASSERT_TRUE(run_until([&] { return snapshot(t).prober_errors >= 5; }));
	for (int fd : hoard)
		close(fd);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);

	EXPECT_EQ(snapshot(t).state, HEALTH_UP);
	ASSERT_EQ(prober_errors.size(), 1u);
	EXPECT_NE(prober_errors[0].find("Too many open files"), std::string::npos);
	EXPECT_NE(prober_errors[0].find("LimitNOFILE"), std::string::npos);
	uint64_t before = snapshot(t).checks;
	EXPECT_TRUE(run_until([&] { return snapshot(t).checks > before; }));
	EXPECT_EQ(changes.size(), 1u);
}

TEST_F(Health, GoesDownAfterFallAndComesBackAfterRise)
{
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);
	auto listener = std::make_unique<Listener>("127.0.0.1", 7000);

	c.rise = 3;
	c.fall = 2;
	struct health_target *t = add(c);
	ASSERT_TRUE(run_until([&] { return changes.size() == 1; }));
	listener.reset();
	ASSERT_TRUE(run_until([&] { return changes.size() == 2; }));
	EXPECT_EQ(changes[1].now, HEALTH_DOWN);
	EXPECT_EQ(snapshot(t).failures, 2u);
	listener = std::make_unique<Listener>("127.0.0.1", 7000);
	ASSERT_TRUE(run_until([&] { return changes.size() == 3; }));
	EXPECT_EQ(changes[2].now, HEALTH_UP);
	EXPECT_EQ(snapshot(t).successes, 3u);
	EXPECT_EQ(snapshot(t).since_ns, snapshot(t).last_check_ns);
}

TEST_F(Health, AdoptedStateHoldsUntilEnoughResultsSpeakAgainstIt)
{
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);

	c.fall = 3;
	struct health_target *t = add(c, HEALTH_UP, this);
	ASSERT_TRUE(run_until([&] { return changes.size() == 1; }));
	EXPECT_EQ(changes[0].was, HEALTH_UP);
	EXPECT_EQ(changes[0].owner, this);
	EXPECT_EQ(snapshot(t).checks, 3u);
}

TEST_F(Health, LeavesNoTimeWaitAndNoConnectionBehind)
{
	Listener listener("127.0.0.1", 7000);
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);

	c.interval_ms = 10;
	struct health_target *t = add(c);
	ASSERT_TRUE(run_until([&] { return snapshot(t).checks >= 20; }));
	health_target_remove(t);

	/* Only the listener is left: no TIME_WAIT, nothing half closed. */
	std::ifstream sockets("/proc/net/tcp");
	std::string line;
	std::getline(sockets, line);
	while (std::getline(sockets, line))
		EXPECT_NE(line.find(" 0A "), std::string::npos) << line;
}

TEST_F(Health, ChecksOfOneTargetNeverOverlapAndMissedBeatsAreSkipped)
{
	ScriptedServer server(&loop, 7001);
	struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 7001);

	server.script = {{"", true}};
	c.interval_ms = 20;
	c.timeout_ms = 150;
	struct health_target *t = add(c);
	ASSERT_TRUE(run_until([&] {
		EXPECT_LE(stats().running, 1u);
		return snapshot(t).checks >= 4;
	}));
	EXPECT_GE(snapshot(t).beats_skipped, 15u);
	EXPECT_LE(server.requests, 5u);
	EXPECT_EQ(stats().beats_skipped, snapshot(t).beats_skipped);
}

TEST_F(Health, CadenceHoldsWithoutDrift)
{
	Listener listener("127.0.0.1", 7000);
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);

	struct health_target *t = add(c);
	ASSERT_TRUE(run_until([&] { return snapshot(t).checks >= 1; }));
	uint64_t first_ns = snapshot(t).last_check_ns, first = snapshot(t).checks;
	ASSERT_TRUE(run_until([&] { return snapshot(t).checks >= first + 40; }));
	struct health_snapshot s = snapshot(t);
	double beats = (double)(s.last_check_ns - first_ns) / (50.0 * NS_PER_MS);
	EXPECT_NEAR(beats, (double)(s.checks - first + s.beats_skipped), 0.9);
}

TEST_F(Health, StalledLoopIsNotTheServersFailure)
{
	ScriptedServer silent(&loop, 7001);
	Listener listener("127.0.0.1", 7000);
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);
	struct health_target_config s = config(HEALTH_HTTP, "127.0.0.1", 7001);

	silent.script = {{"", true}};
	c.timeout_ms = s.timeout_ms = 50;
	c.interval_ms = s.interval_ms = 10;
	struct health_target *answered = add(c), *unanswered = add(s);
	for (int i = 0; i < 8; i++) {
		ASSERT_TRUE(run_until([&] { return stats().running == 2; }));
		usleep(200 * 1000); /* the stall itself */
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	EXPECT_EQ(snapshot(answered).checks_failed, 0u);
	EXPECT_GT(snapshot(answered).checks, 0u);
	EXPECT_EQ(snapshot(unanswered).checks_failed, 0u);
	EXPECT_GT(snapshot(unanswered).prober_errors, 0u);
	ASSERT_FALSE(prober_errors.empty());
	EXPECT_NE(prober_errors[0].find("too busy"), std::string::npos);
}

TEST_F(Health, NewConfigurationKeepsStateAndTakesEffect)
{
	Listener listener("127.0.0.1", 7000);
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);
	struct health_target *t = add(c);

	ASSERT_TRUE(run_until([&] { return snapshot(t).state == HEALTH_UP; }));
	uint64_t since = snapshot(t).since_ns;
	c.port = 7009;
	c.fall = 3;
	ASSERT_EQ(health_target_set(t, &c, nullptr), 0);
	EXPECT_EQ(snapshot(t).state, HEALTH_UP);
	EXPECT_EQ(snapshot(t).since_ns, since);
	ASSERT_TRUE(run_until([&] { return snapshot(t).state == HEALTH_DOWN; }));
	EXPECT_EQ(snapshot(t).failures, 3u);
	c.type = HEALTH_HTTP;
	ASSERT_EQ(health_target_set(t, &c, nullptr), 0);
	uint64_t before = snapshot(t).checks;
	ASSERT_TRUE(run_until([&] { return snapshot(t).checks > before; }));
	EXPECT_EQ(changes.size(), 2u);
}

TEST_F(Health, EqualConfigurationInterruptsNothing)
{
	ScriptedServer server(&loop, 7001);
	struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 7001);

	server.script = {{"", true}};
	c.path = "/x";
	struct health_target *t = add(c);
	ASSERT_TRUE(run_until([&] { return server.requests == 1; }));
	std::string same = "/x";
	c.path = same.c_str();
	ASSERT_EQ(health_target_set(t, &c, nullptr), 0);
	EXPECT_EQ(stats().running, 1u);
	c.path = "/y";
	ASSERT_EQ(health_target_set(t, &c, nullptr), 0);
	EXPECT_EQ(stats().running, 0u) << "the old question was dropped";
	ASSERT_TRUE(run_until([&] { return server.requests == 2; }));
	EXPECT_EQ(server.last_request.substr(0, 7), "GET /y ");
}

TEST_F(Health, RefusedConfigurationLeavesTheTargetAsItWas)
{
	Listener listener("127.0.0.1", 7000);
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);
	struct health_target *t = add(c), *none = nullptr;
	struct err err = {};

	c.port = 0;
	EXPECT_EQ(health_target_add(checker, &c, nullptr, HEALTH_UNKNOWN, &none, &err), -EINVAL);
	EXPECT_EQ(none, nullptr);
	EXPECT_EQ(health_target_set(t, &c, &err), -EINVAL);
	EXPECT_NE(std::string(err.text).find("port 0"), std::string::npos);
	EXPECT_EQ(stats().targets, 1u);
	EXPECT_TRUE(run_until([&] { return snapshot(t).state == HEALTH_UP; }));
}

TEST_F(Health, CallbackMayRemoveAnyTarget)
{
	std::vector<struct health_target *> targets;
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);

	/* All refused at once; the first to be told of removes all of them, itself included. */
	c.interval_ms = 10;
	for (int i = 0; i < 200; i++)
		targets.push_back(add(c));
	on_change = [&](const Change &) {
		for (auto *t : targets)
			health_target_remove(t);
		targets.clear();
	};
	ASSERT_TRUE(run_until([&] { return targets.empty(); }));
	EXPECT_EQ(changes.size(), 1u);
	EXPECT_EQ(stats().targets, 0u);
	EXPECT_EQ(stats().running, 0u);
}

TEST_F(Health, CallbackMayAddAndSetTargets)
{
	struct health_target_config c = config(HEALTH_TCP, "127.0.0.1", 7000);
	bool once = true;

	on_change = [&](const Change &change) {
		if (!std::exchange(once, false))
			return;
		c.type = HEALTH_HTTP;
		EXPECT_EQ(health_target_set(change.target, &c, nullptr), 0);
		add(c);
	};
	add(c);
	ASSERT_TRUE(run_until([&] { return changes.size() == 2; }));
}

TEST_F(Health, CheckerIsFreedWithChecksInFlight)
{
	ScriptedServer server(&loop, 7001);
	struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 7001);

	server.script = {{"", true}};
	for (int i = 0; i < 10; i++)
		add(c);
	ASSERT_TRUE(run_until([&] { return server.requests >= 5; }));
	health_free(checker);
	checker = nullptr;
	uv_run(&loop, UV_RUN_NOWAIT);
	EXPECT_TRUE(changes.empty());
}

/* --- many at once --- */

class HealthScale : public HealthTest
{
      protected:
	static constexpr int TARGETS = 2000;

	static void raise_descriptor_limit()
	{
		struct rlimit limit;

		ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
		limit.rlim_cur = limit.rlim_max;
		ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (limit.rlim_cur < 3 * TARGETS)
			GTEST_SKIP() << "only " << limit.rlim_cur << " descriptors allowed";
	}

	static std::string nth_address(int i)
	{
		return "127.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
	}
};

TEST_F(HealthScale, TwoThousandTargetsAreAllJudgedWithinTheirInterval)
{
	Listener listener("0.0.0.0", 7000);
	std::vector<struct health_target *> targets;
	uint64_t start = clock_now_ns();

	raise_descriptor_limit();
	for (int i = 0; i < TARGETS; i++) {
		struct health_target_config c =
			config(HEALTH_TCP, nth_address(i).c_str(), i % 2 ? 7000 : 7009);
		c.interval_ms = 1000;
		targets.push_back(add(c));
	}
	ASSERT_TRUE(run_until([&] { return changes.size() == TARGETS; }));
	uint64_t took_ms = (clock_now_ns() - start) / NS_PER_MS;
	EXPECT_LT(took_ms, 5000u);
	for (int i = 0; i < TARGETS; i++)
		ASSERT_EQ(snapshot(targets[i]).state, i % 2 ? HEALTH_UP : HEALTH_DOWN) << i;

	/* And they go on, each of them. */
	ASSERT_TRUE(run_until([&] { return stats().checks >= 3 * TARGETS; }));
	for (auto *t : targets)
		ASSERT_GE(snapshot(t).checks, 2u);
	EXPECT_EQ(stats().prober_errors, 0u);
	EXPECT_EQ(changes.size(), (size_t)TARGETS);
}

TEST_F(HealthScale, TwoThousandSilentTargetsTimeOutTogether)
{
	std::vector<struct health_target *> targets;

	raise_descriptor_limit();
	/* Behind one next hop: the kernel keeps a thousand neighbours for all namespaces together.
	 */
	sh("ip link add hv0 type veth peer name hv1 && ip link set hv1 up && "
	   "ip addr add 10.0.0.1/24 dev hv0 && ip link set hv0 up && ip link set hv0 arp off && "
	   "ip route add 10.1.0.0/16 via 10.0.0.2");
	for (int i = 0; i < TARGETS; i++) {
		std::string a = "10.1.1" + std::to_string(i / 250) + "." + std::to_string(i % 250);
		struct health_target_config c = config(HEALTH_TCP, a.c_str(), 80);

		c.interval_ms = 1000;
		c.timeout_ms = 900;
		targets.push_back(add(c));
	}
	ASSERT_TRUE(run_until([&] { return stats().running > TARGETS * 3 / 4; }));
	ASSERT_TRUE(run_until([&] { return changes.size() == TARGETS; }));
	for (auto *t : targets)
		ASSERT_STREQ(snapshot(t).last_result, "timeout after 900 ms, connecting");
}

} // namespace
