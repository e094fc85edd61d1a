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
		std::string text = yaml();
		text.insert(text.find("  hash_seed:"), "  engine: dpdk\n"
						       "  dpdk:\n"
						       "    cores: \"0-1\"\n"
						       "    ports: [{device: \"net_af_xdp0,iface=" +
							       ifname + "\", interface: " + ifname +
							       ", exception: kernel}]\n"
							       "    tables: file\n");
		write_config(text);
		start_bird();
		start_reals();
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
			page = (struct lb_page *)Mapped::map_file(tables() + "/" LB_PAGE_NAME,
								  sizeof(*page));
	}

	std::string tables() const
	{
		return dir + "/tables";
	}

	void start_engine(bool answers = true)
	{
		engine = fork();
		if (engine == 0) {
			FakeEngine e(tables());
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
