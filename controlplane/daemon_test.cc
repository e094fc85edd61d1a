/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/daemon_fixture.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace
{

const char *const VIP = "203.0.113.80/32";

std::string swapped(std::string text, const std::string &from, const std::string &to)
{
	text.replace(text.find(from), from.size(), to);
	return text;
}

/* ---- starting ---- */

TEST_F(Edge, AWrongCommandLineExitsWith2)
{
	std::string bin = daemon_argv()[0], out;

	EXPECT_EQ(run_to_end({bin, "--nonsense"}, &out), 2);
	EXPECT_EQ(run_to_end({bin, "file.yaml"}, &out), 2);
	EXPECT_NE(out.find("takes no argument file.yaml"), std::string::npos) << out;
	EXPECT_EQ(run_to_end({bin, "--log-level", "loud"}, &out), 2);
	EXPECT_NE(out.find("debug, info, warn or error"), std::string::npos) << out;
	EXPECT_EQ(run_to_end({bin, "--help"}, &out), 0);
	EXPECT_EQ(run_to_end({bin, "--version"}, &out), 0);
}

TEST_F(Edge, BadConfigurationsAreRefusedWithPlaceAndFix)
{
	struct {
		std::string from, to;
		std::vector<std::string> says;
	} cases[] = {
		{"port: 443", "prot: 443", {"fairway.yaml:24:", "unknown key 'prot'", "'port'"}},
		{"port: 443", "port: 443000", {"fairway.yaml:24:", "443000"}},
		{"{address: 10.9.0.3}",
		 "{address: 198.18.0.9}",
		 {"fairway.yaml:19:", "198.18.0.9", "route"}},
		{"{address: 10.9.0.3}", "{address: 10.9.0.1}", {"fairway.yaml:19:", "10.9.0.1"}},
		{"[" + ifname + "]", "[nothere0]", {"fairway.yaml:3:", "nothere0", "ip link"}},
		{"hash_seed:", "engine: dpdk\n  hash_seed:", {"dpdk", "add dpdk:"}},
	};

	for (const auto &c : cases) {
		std::string out;

		write_config(swapped(yaml(), c.from, c.to));
		EXPECT_EQ(run_to_end(daemon_argv(), &out), 1) << c.to;
		for (const auto &s : c.says)
			EXPECT_NE(out.find(s), std::string::npos) << s << " isn't in:\n" << out;
		EXPECT_NE(access((dir + "/bpf/lb").c_str(), F_OK), 0) << "something was pinned";
		EXPECT_NE(access(socket_path.c_str(), F_OK), 0);
	}
}

TEST_F(Edge, CheckSaysWhetherAStartWouldWorkAndStartsNothing)
{
	std::vector<std::string> argv = daemon_argv();
	std::string out;

	argv.push_back("--check");
	EXPECT_EQ(run_to_end(argv, &out), 0) << out;
	EXPECT_NE(access((dir + "/bpf/lb").c_str(), F_OK), 0);
	write_config("node: {}\n");
	EXPECT_EQ(run_to_end(argv, &out), 1) << out;
}

TEST_F(Edge, ASecondDaemonIsRefused)
{
	std::vector<std::string> argv = daemon_argv();
	std::string out;

	start();
	EXPECT_EQ(run_to_end(argv, &out), 1);
	EXPECT_NE(out.find("in use by another fairwayd (process " + std::to_string(daemon) + ")"),
		  std::string::npos)
		<< out;
	argv.back() = dir + "/state2";
	EXPECT_EQ(run_to_end(argv, &out), 1);
	EXPECT_NE(out.find("another daemon serves this socket"), std::string::npos) << out;
	EXPECT_EQ(get("status.get", "state"), "active") << "the first isn't harmed";
}

/* ---- announcing ---- */

TEST_F(Edge, AnnouncesWhenARealIsUpAndWithdrawsWhenNoneIs)
{
	start_bird();
	start();
	ASSERT_TRUE(eventually([&] { return get("bgp.show", "peers.0.state") == "established"; }));
	EXPECT_FALSE(router_has(VIP)) << "no real is up yet";
	start_reals();
	ASSERT_TRUE(eventually([&] { return router_has(VIP); }));
	ASSERT_TRUE(eventually(
		[&] { return get("pool.show", "pool.reals_up", R"({"name":"web"})") == "2"; }));
	EXPECT_EQ(get("vip.show", "vip.announce.reason", R"({"name":"web"})"),
		  "every service has enough reals; 1 of 1 neighbours have it");
	stop_reals();
	ASSERT_TRUE(eventually([&] { return !router_has(VIP); }));
	EXPECT_EQ(get("vip.show", "vip.announce.reason", R"({"name":"web"})"),
		  "pool web has 0 of 2 reals up (min_healthy 1), 2 down");
	start_reals();
	EXPECT_TRUE(eventually([&] { return router_has(VIP); }));
}

TEST_F(Edge, DrainingTheNodeWithdrawsForwardsOnAndSurvivesARestart)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return router_has(VIP); }));
	EXPECT_EQ(get("node.drain", "changed"), "true");
	ASSERT_TRUE(eventually([&] { return !router_has(VIP); }));
	long before = forwarded();

	send_packets(20);
	EXPECT_EQ(forwarded() - before, 20);
	stop(&daemon, SIGTERM);
	start();
	EXPECT_EQ(get("status.get", "state"), "drained");
	EXPECT_EQ(get("node.enable", "changed"), "true");
	EXPECT_TRUE(eventually([&] { return router_has(VIP); }));
}

TEST_F(Edge, AnInterfaceThatGoesAndComesBackIsAttachedAgain)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return router_has(VIP); }));
	sh("ip -n " + lb + " link del " + ifname);
	ASSERT_TRUE(eventually([&] {
		return get("vip.show", "vip.announce.reason", R"({"name":"web"})") ==
		       "none of the node's interfaces exists";
	})) << get("vip.list", "vips");
	make_link();
	EXPECT_TRUE(
		eventually([&] { return get("status.get", "interfaces.0.attached") == "true"; }));
	EXPECT_TRUE(eventually([&] { return router_has(VIP); }, 30));
	send_packets(10);
	EXPECT_EQ(forwarded(), 10);
}

TEST_F(Edge, WhenUnrelatedPoolsFailTogetherTheProberIsSuspectedAndTheStateHeld)
{
	std::string text = yaml().substr(0, yaml().find("pools:")) + "pools:\n", vips = "vips:\n";

	for (int p = 0; p < 3; p++) {
		std::string n = std::to_string(p);

		text += "  - {name: p" + n +
			", encap: ipip, health: {type: tcp, port: 8080, interval: 200ms, timeout: 200ms, "
			"rise: 1, fall: 2}, reals: [";
		for (int r = 1; r <= 4; r++) {
			std::string a = "10.9.0." + std::to_string(10 * (p + 1) + r);

			sh("ip -n " + edge + " addr add " + a + "/24 dev " + peer_name);
			text += "{address: " + a + "},";
		}
		text += "]}\n";
		vips += "  - {name: v" + n + ", address: 203.0.113." + n +
			", services: [{protocol: tcp, port: 443, pool: p" + n + "}]}\n";
	}
	write_config(text + vips);
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return get("status.get", "reals.up") == "12"; }));
	ASSERT_TRUE(eventually([&] { return router_has("203.0.113.2/32"); }));
	stop_reals();
	ASSERT_TRUE(eventually(
		[&] { return log().find("checks are suspected") != std::string::npos; }));
	EXPECT_TRUE(eventually([&] { return get("status.get", "vips.announced") == "3"; }));
	EXPECT_NE(get("status.get", "warnings").find("unrelated pools"), std::string::npos);
	EXPECT_EQ(get("real.list", "reals.0.health"), "down");
	EXPECT_EQ(get("real.list", "reals.0.state"), "up");
	EXPECT_TRUE(router_has("203.0.113.0/32"));
	start_reals();
	EXPECT_TRUE(eventually([&] { return log().find("believed again") != std::string::npos; }));
	/* One pool by itself is withdrawn as ever. */
	for (int r = 11; r <= 14; r++)
		sh("ip -n " + edge + " addr del 10.9.0." + std::to_string(r) + "/24 dev " +
		   peer_name);
	EXPECT_TRUE(eventually([&] { return !router_has("203.0.113.0/32"); }));
	EXPECT_TRUE(router_has("203.0.113.1/32"));
}

/* ---- reload ---- */

TEST_F(Edge, ABrokenFileAtSighupLeavesEverythingRunning)
{
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return get("status.get", "reals.up") == "2"; }));
	std::string before = get("config.show", "text");

	write_config(swapped(yaml(), "port: 443", "prot: 443"));
	kill(daemon, SIGHUP);
	ASSERT_TRUE(eventually([&] { return log().find("reload refused") != std::string::npos; }));
	EXPECT_NE(log().find("fairway.yaml:24:"), std::string::npos) << log();
	EXPECT_EQ(get("config.show", "text"), before);
	EXPECT_EQ(get("status.get", "reals.up"), "2");
	EXPECT_EQ(get("status.get", "config.changed_on_disk"), "true");
}

TEST_F(Edge, SighupTakesTheNewFileAndTouchesNothingElse)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually(
		[&] { return get("status.get", "reals.up") == "2" && router_has(VIP); }));
	std::string checks = get("real.list", "reals.0.since");

	write_config(
		yaml("  - {name: dns, address: 203.0.113.53, services: [{protocol: udp, port: 53, "
		     "pool: web}]}\n"));
	kill(daemon, SIGHUP);
	ASSERT_TRUE(eventually([&] { return router_has("203.0.113.53/32"); }));
	EXPECT_EQ(get("real.list", "reals.0.since"), checks) << "the checks were restarted";
	EXPECT_EQ(get("bgp.show", "peers.0.times_connected"), "1") << "the session was restarted";
	EXPECT_EQ(get("bgp.show", "peers.0.updates_out"), "2") << "the old VIP was announced again";
	write_config(yaml());
	kill(daemon, SIGHUP);
	ASSERT_TRUE(eventually([&] { return !router_has("203.0.113.53/32"); }));
	EXPECT_TRUE(router_has(VIP));
}

TEST_F(Edge, WhatOnlyARestartCanChangeIsRefused)
{
	start();
	write_config(swapped(yaml(), "hash_seed:", "xdp_mode: generic\n  hash_seed:"));
	EXPECT_EQ(refused("config.apply", "{}"), "not_supported");
	kill(daemon, SIGHUP);
	EXPECT_TRUE(eventually(
		[&] { return log().find("node.xdp_mode can't change") != std::string::npos; }));
}

/* ---- dying and coming back ---- */

TEST_F(Edge, KilledAndRestartedItLosesNoPacketAndNoCount)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return get("status.get", "reals.up") == "2"; }));
	send_packets(50);
	EXPECT_EQ(forwarded(), 50);
	stop(&daemon, SIGKILL);
	send_packets(50);
	start();
	EXPECT_EQ(get("status.get", "program.adopted"), "true");
	EXPECT_EQ(forwarded(), 100) << "packets were lost, or counters";
	EXPECT_EQ(get("status.get", "reals.up"), "2") << "what was up counts as up";
	EXPECT_EQ(get("counters.get", "services.1.packets"), "100");
	EXPECT_TRUE(eventually([&] { return router_has(VIP); }));
}

TEST_F(Edge, StoppedItSaysGoodbyeAndTheProgramForwardsOn)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return router_has(VIP); }));
	kill(daemon, SIGTERM);
	EXPECT_EQ(wait_exit(daemon), 0);
	EXPECT_FALSE(router_has(VIP)) << "withdrawn before the process ended";
	EXPECT_NE(access(socket_path.c_str(), F_OK), 0);
	EXPECT_EQ(access((dir + "/bpf/lb/balancer").c_str(), F_OK), 0);
	send_packets(30);
	start();
	EXPECT_EQ(forwarded(), 30);
}

TEST_F(Edge, ARealThatDiedWhileTheDaemonWasDeadIsFound)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return router_has(VIP); }));
	stop(&daemon, SIGKILL);
	stop_reals();
	start();
	EXPECT_TRUE(eventually([&] { return get("status.get", "reals.up") == "0"; }));
	EXPECT_TRUE(eventually([&] { return !router_has(VIP); }));
}

TEST_F(Edge, ACorruptIntentIsMovedAsideAndTold)
{
	ASSERT_EQ(mkdir((dir + "/state").c_str(), 0700), 0);
	std::ofstream(dir + "/state/intent.json") << "{\"version\": 1, ";
	start();
	EXPECT_EQ(access((dir + "/state/intent.json.corrupt").c_str(), F_OK), 0);
	EXPECT_NE(get("status.get", "warnings").find("intent.json.corrupt"), std::string::npos);
}

/* ---- operating ---- */

TEST_F(Edge, EditsAreInForceAtOnceAndSavedOnDemand)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually([&] { return router_has(VIP); }));
	EXPECT_EQ(
		get("vip.add", "unsaved_changes",
		    R"({"name":"dns","address":"203.0.113.53","services":[{"protocol":"udp","port":53,"pool":"web"}]})"),
		"true");
	EXPECT_TRUE(eventually([&] { return router_has("203.0.113.53/32"); }));
	EXPECT_EQ(get("config.diff", "equal"), "false");
	EXPECT_EQ(get("config.save", "changed"), "true");
	EXPECT_EQ(get("config.save", "changed"), "false");
	EXPECT_EQ(get("config.diff", "equal"), "true");
	EXPECT_EQ(get("status.get", "config.unsaved_changes"), "false");
	EXPECT_EQ(
		get("vip.set", "changed",
		    R"({"name":"dns","set_services":[{"protocol":"tcp","port":53,"pool":"web"}],"remove_services":[{"protocol":"udp","port":53}]})"),
		"true");
	EXPECT_EQ(get("vip.show", "vip.services.0.protocol", R"({"name":"dns"})"), "tcp");
	EXPECT_EQ(get("vip.remove", "changed", R"({"name":"dns"})"), "true");
	EXPECT_TRUE(eventually([&] { return !router_has("203.0.113.53/32"); }));
	EXPECT_TRUE(router_has(VIP));
}

TEST_F(Edge, RefusedEditsChangeNothing)
{
	start();
	std::string before = get("config.show", "text");

	EXPECT_EQ(refused("vip.add", R"({"name":"web","address":"203.0.113.9"})"),
		  "already_exists");
	EXPECT_EQ(refused("vip.add", R"({"name":"x","address":"203.0.113.80"})"), "already_exists");
	EXPECT_EQ(refused("vip.add", R"({"name":"x y","address":"203.0.113.9"})"), "invalid_value");
	EXPECT_EQ(refused("vip.add", R"({"name":"x","address":"203.0.113"})"), "invalid_value");
	EXPECT_EQ(
		refused("vip.add",
			R"({"name":"x","address":"203.0.113.9","services":[{"protocol":"tcp","port":1,"pool":"no"}]})"),
		"not_found");
	EXPECT_EQ(
		refused("vip.add",
			R"({"name":"x","address":"203.0.113.9","services":[{"protocol":"tcp","port":70000,"pool":"web"}]})"),
		"invalid_value");
	EXPECT_EQ(refused("vip.remove", R"({"name":"wbe"})"), "not_found");
	EXPECT_EQ(refused("vip.set", R"({"name":"web","announce":"sometimes"})"), "invalid_value");
	EXPECT_EQ(refused("real.add", R"({"pool":"web","address":"10.9.0.2"})"), "already_exists");
	EXPECT_EQ(refused("real.add", R"({"pool":"web","address":"198.18.0.9"})"), "config_errors");
	EXPECT_EQ(refused("real.set", R"({"address":"10.9.0.2","weight":5000})"), "invalid_value");
	EXPECT_EQ(refused("real.set", R"({"address":"10.9.0.2"})"), "invalid_params");
	EXPECT_EQ(refused("real.remove", R"({"address":"10.9.0.77"})"), "not_found");
	EXPECT_EQ(refused("config.apply", R"({"text":"node: {}"})"), "config_errors");
	EXPECT_EQ(refused("config.apply", R"({"path":"relative.yaml"})"), "invalid_value");
	EXPECT_EQ(
		refused("explain",
			R"({"protocol":"tcp","source":"198.51.100.7","destination":"203.0.113.80:443"})"),
		"invalid_value");
	EXPECT_EQ(get("config.show", "text"), before);
	EXPECT_EQ(get("status.get", "config.unsaved_changes"), "false");
}

TEST_F(Edge, TakingTheLastRealOfAnAnnouncedVipNeedsForce)
{
	start_bird();
	start_reals();
	start();
	ASSERT_TRUE(eventually(
		[&] { return get("status.get", "reals.up") == "2" && router_has(VIP); }));
	EXPECT_EQ(get("real.drain", "changed", R"({"address":"10.9.0.2"})"), "true");
	EXPECT_EQ(get("real.list", "reals.0.state"), "draining");
	EXPECT_EQ(get("real.list", "reals.0.slots"), "0");
	EXPECT_EQ(refused("real.drain", R"({"address":"10.9.0.3"})"), "needs_force");
	EXPECT_TRUE(router_has(VIP));
	EXPECT_EQ(get("real.drain", "changed", R"({"address":"10.9.0.3","force":true})"), "true");
	EXPECT_TRUE(eventually([&] { return !router_has(VIP); }));
	stop(&daemon, SIGTERM);
	start();
	EXPECT_EQ(get("real.list", "reals.0.admin"), "draining")
		<< "the intent outlives the daemon";
	EXPECT_EQ(get("real.enable", "changed", R"({"address":"10.9.0.2"})"), "true");
	EXPECT_TRUE(eventually([&] { return router_has(VIP); }));
}

TEST_F(Edge, ExplainSaysWhereAFlowGoes)
{
	const char *flow =
		R"({"protocol":"tcp","source":"198.51.100.7:40000","destination":"203.0.113.80:443"})";

	start();
	EXPECT_EQ(get("explain", "reason", flow), "no_real");
	EXPECT_EQ(get("explain", "vip", flow), "web");
	start_reals();
	ASSERT_TRUE(eventually([&] { return get("status.get", "reals.up") == "2"; }));
	std::string real = get("explain", "real", flow);

	EXPECT_EQ(get("explain", "verdict", flow), "forward");
	EXPECT_EQ(get("explain", "outer_destination", flow), real);
	EXPECT_EQ(get("explain", "outer_source", flow), "10.9.0.1");
	EXPECT_EQ(
		get("explain", "reason",
		    R"({"protocol":"tcp","source":"198.51.100.7:1","destination":"203.0.113.81:443"})"),
		"not_vip");
	EXPECT_EQ(forwarded(), 0) << "asking isn't traffic";
}

TEST_F(Edge, SaveRefusesToOverwriteSomebodyElsesEdit)
{
	start();
	EXPECT_EQ(get("real.set", "changed", R"({"address":"10.9.0.2","weight":50})"), "true");
	write_config(yaml() + "# edited by hand\n");
	EXPECT_EQ(refused("config.save", "{}"), "conflict");
	EXPECT_EQ(get("config.save", "changed", R"({"force":true})"), "true");
	EXPECT_EQ(get("config.diff", "equal"), "true");
}

TEST_F(Edge, DoctorFindsWhatIsWrong)
{
	start();
	EXPECT_EQ(get("doctor.run", "ok"), "false") << "no router, no reals";
	start_bird();
	start_reals();
	EXPECT_TRUE(eventually([&] { return get("doctor.run", "ok") == "true"; }))
		<< get("doctor.run", "checks");
}

/* ---- metrics ---- */

TEST_F(Edge, MetricsAreWellFormedAndTellWhatTheApiTells)
{
	const std::regex sample(
		R"re(([a-z_]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+)re");
	const std::regex header(R"(# (HELP|TYPE) ([a-z_]+) .+)");
	const std::string curl = "ip netns exec " + lb + " curl -sS ";
	std::set<std::string> families;
	std::string line, family;
	std::smatch m;

	write_config(swapped(yaml(), "listen: none", "listen: \"127.0.0.1:9477\""));
	start_reals();
	start();
	std::string text;
	ASSERT_TRUE(eventually([&] {
		text = sh(curl + "http://127.0.0.1:9477/metrics");
		return text.find(
			       "fairway_vip_announced{vip=\"web\",address=\"203.0.113.80\"} 1\n") !=
			       std::string::npos &&
		       text.find("fairway_real_up{pool=\"web\",real=\"10.9.0.2\"} 1\n") !=
			       std::string::npos;
	})) << text;
	send_packets(7);
	text = sh(curl + "http://127.0.0.1:9477/metrics");
	std::stringstream lines(text);

	while (std::getline(lines, line)) {
		if (std::regex_match(line, m, header)) {
			EXPECT_TRUE(m[1] == "TYPE" || families.insert(m[2]).second)
				<< "twice: " << line;
			family = m[2];
			continue;
		}
		ASSERT_TRUE(std::regex_match(line, m, sample)) << line;
		EXPECT_EQ(m[1], family) << "a sample outside its family";
	}
	for (const char *want :
	     {"fairway_packets_total{verdict=\"forward\",reason=\"forwarded\"} 7\n",
	      "fairway_service_packets_total{vip=\"web\",address=\"203.0.113.80\",protocol=\"udp\","
	      "port=\"443\"} 7\n",
	      "fairway_real_up{pool=\"web\",real=\"10.9.0.2\"} 1\n",
	      "fairway_vip_announced{vip=\"web\",address=\"203.0.113.80\"} 1\n",
	      "fairway_bgp_session_up{peer=\"10.9.0.2\",asn=\"64500\"} 0\n"})
		EXPECT_NE(text.find(want), std::string::npos) << want << text;
	EXPECT_EQ(sh(curl + "http://127.0.0.1:9477/healthz"), "ok\n");
	EXPECT_NE(sh(curl + "http://127.0.0.1:9477/").find("<h2>VIPs</h2>"), std::string::npos);
	EXPECT_EQ(sh(curl + "-o /dev/null -w %{http_code} http://127.0.0.1:9477/nothing"), "404");
	EXPECT_EQ(sh(curl + "-X POST -o /dev/null -w %{http_code} http://127.0.0.1:9477/"), "405");
	kill(daemon, SIGTERM);
	EXPECT_EQ(wait_exit(daemon), 0) << "an open endpoint doesn't hold up the end";
}

TEST_F(Edge, AMetricsPortThatIsTakenIsAWarning)
{
	write_config(swapped(yaml(), "listen: none", "listen: \"10.9.0.2:9477\""));
	start();
	EXPECT_NE(get("status.get", "warnings").find("10.9.0.2:9477"), std::string::npos);
}

} // namespace
