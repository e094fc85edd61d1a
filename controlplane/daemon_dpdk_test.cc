/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/daemon_fixture.h"
#include "controlplane/publish/dpdk_engine_test.h"

#include <csignal>
#include <sys/wait.h>

/* fairwayd with the DPDK engine, which a process of this test plays over tables in files. */

class DpdkEdge : public Edge
{
      protected:
	void SetUp() override
	{
		Edge::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		write_config(yaml_dpdk());
		tables = dir + "/tables";
		start_bird();
		start_reals();
	}

	std::string yaml_dpdk()
	{
		std::string text = yaml();
		text.insert(text.find("  hash_seed:"), "  engine: dpdk\n"
						       "  dpdk:\n"
						       "    cores: \"0-1\"\n"
						       "    ports: [{device: \"net_af_xdp0,iface=" +
							       ifname + "\", interface: " + ifname +
							       ", exception: kernel}]\n"
							       "    tables: file\n");
		return text;
	}

	void TearDown() override
	{
		end_engine(SIGKILL);
		if (page)
			munmap(page, sizeof(*page));
		Edge::TearDown();
	}

	/* Start a daemon, and map its page. */
	void start_daemon()
	{
		start();
		if (!page)
			page = (struct lb_page *)Mapped::map_file(tables + "/" LB_PAGE_NAME,
								  sizeof(*page));
	}

	/* Tables in pinned maps, and XDP where the engine isn't. */
	void use_bpf()
	{
		std::string text = yaml_dpdk();

		text.replace(text.find("tables: file"), 12, "fallback: xdp");
		write_config(text);
		tables = dir + "/bpf/lb";
	}

	void start_engine(bool answers = true)
	{
		engine = fork();
		if (engine == 0) {
			FakeEngine e(tables);
			struct lb_page_port *port = &e.page->engine.port[0];

			e.answers = answers;
			strcpy(e.page->engine.version, "0.0");
			strcpy(port->interface, ifname.c_str());
			strcpy(port->name, "net_af_xdp0");
			port->link_up = 1;
			__atomic_store_n(&e.page->engine.ports, 1, __ATOMIC_RELEASE);
			e.serve();
		}
	}

	void end_engine(int signal)
	{
		if (engine <= 0)
			return;
		kill(engine, SIGCONT);
		kill(engine, signal);
		waitpid(engine, nullptr, 0);
		engine = -1;
	}

	bool announced(int seconds = 10)
	{
		return eventually([&] { return router_has("203.0.113.80/32"); }, seconds);
	}

	bool withdrawn(int seconds = 10)
	{
		return eventually([&] { return !router_has("203.0.113.80/32"); }, seconds);
	}

	std::string tables; /* where the page lies */
	pid_t engine = -1;
	struct lb_page *page = nullptr;
};

TEST_F(DpdkEdge, AVipIsAnnouncedWhileTheEngineServes)
{
	start_daemon();
	EXPECT_NE(get("status.get", "warnings.0.text").find("fairway-dpdk doesn't run"),
		  std::string::npos)
		<< get("status.get", "warnings.0.text");
	EXPECT_FALSE(router_has("203.0.113.80/32"));

	start_engine();
	ASSERT_TRUE(announced());

	/* Killed, it says nothing more. */
	end_engine(SIGKILL);
	EXPECT_TRUE(withdrawn(3));
	EXPECT_NE(log().find("is gone without a word"), std::string::npos);

	start_engine();
	EXPECT_TRUE(announced());

	/* Stopped, it is there and says nothing. */
	kill(engine, SIGSTOP);
	EXPECT_TRUE(eventually(
		[&] { return log().find("hasn't been heard of for 0.5 s") != std::string::npos; }));
	EXPECT_TRUE(withdrawn(3));
	kill(engine, SIGCONT);
	EXPECT_TRUE(announced());

	page->engine.stalled = 2;
	EXPECT_TRUE(withdrawn(3));
	EXPECT_NE(log().find("worker 1 of fairway-dpdk"), std::string::npos);
	page->engine.stalled = 0;
	EXPECT_TRUE(announced());

	page->engine.port[0].link_up = 0;
	EXPECT_TRUE(withdrawn(3));
	EXPECT_NE(log().find("port net_af_xdp0 has no link"), std::string::npos);
	page->engine.port[0].link_up = 1;
	EXPECT_TRUE(announced());
}

TEST_F(DpdkEdge, DaemonAndEngineStartInAnyOrder)
{
	start_daemon();
	start_engine();
	ASSERT_TRUE(announced());

	/* The daemon's death changes nothing for the engine; the next one adopts. */
	stop(&daemon, SIGKILL);
	uint64_t before = page->generation;
	start_daemon();
	EXPECT_EQ(get("status.get", "program"), "null");
	EXPECT_TRUE(announced());
	EXPECT_GT(page->generation, before);
	EXPECT_TRUE(eventually([&] {
		return __atomic_load_n(&page->engine.generation, __ATOMIC_ACQUIRE) ==
		       page->generation;
	}));
	EXPECT_NE(log().find("adopted the tables"), std::string::npos);
}

TEST_F(DpdkEdge, AnEngineThatDoesNotAnswerProbesIsNotTrusted)
{
	start_daemon();
	start_engine(false);
	EXPECT_TRUE(eventually([&] {
		return get("vip.show", "vip.announce.reason", R"({"name":"web"})")
			       .find("doesn't answer") != std::string::npos;
	})) << get("vip.show", "vip.announce.reason", R"({"name":"web"})");
	EXPECT_FALSE(router_has("203.0.113.80/32"));
	/* The daemon's own answers don't wait for it. */
	EXPECT_EQ(get("status.get", "state"), "active");
	end_engine(SIGKILL);
	start_engine();
	EXPECT_TRUE(announced());
}

TEST_F(DpdkEdge, AHangingEngineHoldsUpNeitherChangesNorTheEnd)
{
	start_daemon();
	start_engine();
	ASSERT_TRUE(announced());
	kill(engine, SIGSTOP);
	ASSERT_TRUE(withdrawn(3));
	/* Each leaves a ring behind, whose space waits for the worker that stands still. */
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(refused(i % 2 ? "real.enable" : "real.drain",
				  R"({"pool":"web","address":"10.9.0.3"})"),
			  "");
	EXPECT_EQ(get("status.get", "state"), "active");
	kill(daemon, SIGTERM);
	EXPECT_EQ(wait_exit(daemon), 0);
	daemon = -1;
}

TEST_F(DpdkEdge, ExplainsByTheTablesWithoutAnEngine)
{
	start_daemon();
	EXPECT_TRUE(eventually([&] {
		return get("explain", "verdict",
			   "{\"protocol\": \"tcp\", \"source\": \"198.51.100.1:1000\", "
			   "\"destination\": \"203.0.113.80:443\"}") == "forward";
	})) << get("explain", "verdict",
		   "{\"protocol\": \"tcp\", \"source\": \"198.51.100.1:1000\", "
		   "\"destination\": \"203.0.113.80:443\"}");
}

/* The line of /metrics that begins so, or "". */
static std::string line_of(const std::string &text, const std::string &begin)
{
	size_t at = text.find("\n" + begin);

	return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST_F(DpdkEdge, ShowsTheEngineItsWorkersAndItsPorts)
{
	std::string text = yaml_dpdk(), metrics;

	text.replace(text.find("listen: none"), 12, "listen: \"127.0.0.1:9477\"");
	write_config(text);
	start_daemon();
	EXPECT_EQ(get("status.get", "engine"), "dpdk");
	EXPECT_EQ(get("status.get", "mode"), "null");
	EXPECT_EQ(get("status.get", "process.state"), "none");
	EXPECT_EQ(get("doctor.run", "ok"), "false");
	EXPECT_NE(get("doctor.run", "checks").find("systemctl start fairway-dpdk"),
		  std::string::npos);

	start_engine();
	ASSERT_TRUE(announced());
	page->engine.port[0].rx_missed = 7;
	page->worker[1].received = 99;
	EXPECT_EQ(get("status.get", "process.state"), "running");
	EXPECT_EQ(get("status.get", "process.serves"), "true");
	EXPECT_EQ(get("status.get", "process.pid"), std::to_string(engine));
	EXPECT_EQ(get("status.get", "process.tables"), "file");
	EXPECT_EQ(get("status.get", "process.workers.1.received"), "99");
	EXPECT_EQ(get("status.get", "process.ports.0.link"), "true");
	EXPECT_EQ(get("status.get", "interfaces.0.attached"), "true");
	metrics = sh("ip netns exec " + lb + " curl -s http://127.0.0.1:9477/metrics");
	EXPECT_EQ(line_of(metrics, "fairway_engine_up"), "fairway_engine_up 1");
	EXPECT_EQ(line_of(metrics, "fairway_worker_received_total{worker=\"1\""),
		  "fairway_worker_received_total{worker=\"1\",cpu=\"0\"} 99");
	EXPECT_EQ(line_of(metrics, "fairway_port_rx_missed_total"),
		  "fairway_port_rx_missed_total{port=\"net_af_xdp0\",interface=\"" + ifname +
			  "\"} 7");
	EXPECT_NE(sh("ip netns exec " + lb + " curl -s http://127.0.0.1:9477/").find("net_af_xdp0"),
		  std::string::npos);

	page->engine.stalled = 1;
	EXPECT_EQ(get("status.get", "process.workers.0.stalled"), "true");
	EXPECT_NE(get("doctor.run", "checks").find("worker 0 of fairway-dpdk"), std::string::npos);
	end_engine(SIGKILL);
	EXPECT_TRUE(eventually([&] { return get("status.get", "process.state") == "died"; }));
	metrics = sh("ip netns exec " + lb + " curl -s http://127.0.0.1:9477/metrics");
	EXPECT_EQ(line_of(metrics, "fairway_engine_up"), "fairway_engine_up 0");
}

TEST_F(DpdkEdge, VipsRestOnXdpOnlyWhenToldTo)
{
	use_bpf();
	std::string text = yaml_dpdk();
	text.replace(text.find("tables: file"), 12, "fallback: none");
	write_config(text);
	start_daemon();
	start_engine();
	ASSERT_TRUE(announced());
	sh("ln " + tables + "/balancer " + tables + "/steer-" + ifname);
	sh("ip -n " + lb + " link set dev " + ifname + " xdp pinned " + tables + "/steer-" +
	   ifname);
	page->engine.fallback = 1;
	end_engine(SIGKILL);
	EXPECT_TRUE(withdrawn(3));
	EXPECT_EQ(get("status.get", "process.fallback_in_force"), "false");
}

TEST_F(DpdkEdge, AnEngineOfOtherInterfacesIsToldApart)
{
	start_daemon();
	start_engine();
	ASSERT_TRUE(announced());
	memcpy(page->engine.port[0].interface, "other", 6);
	EXPECT_TRUE(withdrawn(3));
	EXPECT_NE(log().find("has no port for " + ifname), std::string::npos);
}

TEST_F(DpdkEdge, TheEnginesOwnInterfacesNeedNotExistYet)
{
	std::string text = yaml_dpdk(), out;
	std::vector<std::string> argv = daemon_argv();

	argv.push_back("--check");
	text.replace(text.find(", exception: kernel"), 19, "");
	text.replace(text.find("net_af_xdp0,iface=" + ifname), 18 + ifname.size(), "0000:3b:00.0");
	sh("ip -n " + lb + " link del " + ifname);
	write_config(text);
	EXPECT_EQ(run_to_end(argv, &out), 0) << out;
	EXPECT_NE(out.find("warning: real 10.9.0.2"), std::string::npos) << out;
	start_daemon();
	write_config(yaml_dpdk());
	EXPECT_EQ(run_to_end(argv, &out), 1) << out;
	EXPECT_NE(out.find("interface " + ifname + " doesn't exist"), std::string::npos) << out;

	/* What the engine is run with is told to a new daemon only. */
	text.replace(text.find("tables: file"), 12, "tables: file\n    idle: sleep");
	write_config(text);
	EXPECT_EQ(refused("config.apply", "{}"), "not_supported");

	/* It makes its interface, and routes come with it. */
	make_link();
	start_engine();
	EXPECT_TRUE(announced(30));
}

TEST_F(DpdkEdge, TablesMayBePinnedMapsAndXdpTakeOver)
{
	const std::string lb_ip = "ip -n " + lb + " link set dev " + ifname + " xdp ";

	use_bpf();
	start_daemon();
	EXPECT_NE(get("status.get", "program"), "null") << "it is loaded, for its time to come";
	EXPECT_EQ(get("status.get", "interfaces.0.attached"), "false");
	start_engine();
	ASSERT_TRUE(announced());

	/* What decides between the engine and XDP is attached by the engine. */
	sh("ln " + tables + "/balancer " + tables + "/steer-" + ifname);
	sh(lb_ip + "pinned " + tables + "/steer-" + ifname);
	page->engine.fallback = 1;
	end_engine(SIGKILL);
	EXPECT_TRUE(eventually([&] {
		return log().find("XDP forwards in the place of fairway-dpdk") != std::string::npos;
	}));
	EXPECT_EQ(get("status.get", "process.fallback_in_force"), "true");
	EXPECT_EQ(get("status.get", "process.state"), "died");
	EXPECT_EQ(get("doctor.run", "ok"), "true") << get("doctor.run", "checks");
	EXPECT_EQ(log().find("not announced: fairway-dpdk (pid"), std::string::npos);
	EXPECT_TRUE(router_has("203.0.113.80/32"));
	long before = forwarded();
	send_packets(20);
	EXPECT_TRUE(eventually([&] { return forwarded() >= before + 20; }));

	/* The engine comes back, and goes when nothing takes over. */
	start_engine();
	EXPECT_TRUE(eventually([&] { return get("status.get", "process.serves") == "true"; }));
	EXPECT_EQ(get("status.get", "process.fallback_in_force"), "false");
	sh(lb_ip + "off");
	end_engine(SIGKILL);
	EXPECT_TRUE(withdrawn(3));
}
