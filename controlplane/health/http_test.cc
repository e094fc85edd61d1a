/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/health_fixture.h"

#include <fcntl.h>
#include <signal.h>

#include <fstream>

namespace
{

/* nginx in the foreground, in a directory of its own, until the object dies. */
class Nginx
{
      public:
	std::string dir;
	pid_t pid = -1;

	bool start()
	{
		char name[] = "/tmp/fairway-health-XXXXXX";

		if (access("/usr/sbin/nginx", X_OK) < 0 || !mkdtemp(name))
			return false;
		dir = name;
		make_certificate();
		write_config();
		pid = fork();
		if (pid == 0) {
			std::string conf = dir + "/nginx.conf", log = dir + "/error.log";

			execl("/usr/sbin/nginx", "nginx", "-p", dir.c_str(), "-c", conf.c_str(),
			      "-e", log.c_str(), nullptr);
			_exit(127);
		}
		return pid > 0;
	}

	~Nginx()
	{
		if (pid > 0) {
			kill(pid, SIGTERM);
			waitpid(pid, nullptr, 0);
		}
		if (!dir.empty()) {
			std::string rm = "rm -rf " + dir;
			EXPECT_EQ(system(rm.c_str()), 0);
		}
	}

      private:
	void make_certificate()
	{
		std::string cmd =
			"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
			"-subj /CN=www.example.com -days 2 -keyout " +
			dir + "/key.pem -out " + dir + "/cert.pem 2>/dev/null";

		ASSERT_EQ(system(cmd.c_str()), 0);
	}

	void write_config()
	{
		std::ofstream conf(dir + "/nginx.conf");

		conf << "daemon off; master_process off; pid " << dir << "/pid;\n"
		     << "events { worker_connections 8192; }\n"
		     << "http { access_log off; client_body_temp_path " << dir << "/b;\n"
		     << "proxy_temp_path " << dir << "/p; fastcgi_temp_path " << dir << "/f;\n"
		     << "uwsgi_temp_path " << dir << "/u; scgi_temp_path " << dir << "/s;\n"
		     << "server { listen 8080 default_server; listen [::]:8080 default_server;\n"
		     << "location / { return 200 ok; } location /503 { return 503; }\n"
		     << "location /204 { return 204; }\n"
		     << "location = /a/../b { return 200; }\n"
		     << "location /301 { return 301 http://127.0.0.1:8080/; }\n"
		     << "location /query { if ($arg_q = yes) { return 200; } return 404; } }\n"
		     << "server { listen 8080; server_name www.example.com;\n"
		     << "location / { return 201; } }\n"
		     << "ssl_certificate cert.pem; ssl_certificate_key key.pem;\n"
		     << "server { listen 8443 ssl default_server; return 404; }\n"
		     << "server { listen 8443 ssl; server_name www.example.com; return 200; }\n"
		     << "}\n";
	}
};

class HttpNginx : public HealthTest
{
      protected:
	Nginx nginx;

	void SetUp() override
	{
		HealthTest::SetUp();
		if (IsSkipped())
			return;
		if (!nginx.start())
			GTEST_SKIP() << "no nginx in /usr/sbin";
		/* It listens when a first TCP check says so; the checker is good for that. */
		struct health_target *t = add(config(HEALTH_TCP, "127.0.0.1", 8443));

		ASSERT_TRUE(run_until([&] { return snapshot(t).state == HEALTH_UP; }))
			<< "nginx doesn't start; see its error.log";
		health_target_remove(t);
		changes.clear();
	}

	std::string ask(const char *path, const char *host = nullptr,
			enum health_type type = HEALTH_HTTP)
	{
		struct health_target_config c =
			config(type, "127.0.0.1", type == HEALTH_HTTPS ? 8443 : 8080);

		c.path = path;
		c.host = host;
		return first_result(c);
	}
};

TEST_F(HttpNginx, StatusDecides)
{
	EXPECT_EQ(ask(nullptr), "HTTP 200");
	EXPECT_EQ(ask("/204"), "HTTP 204");
	EXPECT_EQ(ask("/503"), "HTTP 503, wanted 200-299, from http://127.0.0.1:8080/503");
	EXPECT_EQ(changes.back().reason,
		  "HTTP 503, wanted 200-299, from http://127.0.0.1:8080/503");
}

TEST_F(HttpNginx, RedirectIsNotFollowed)
{
	EXPECT_EQ(ask("/301"), "HTTP 301, wanted 200-299, from http://127.0.0.1:8080/301");
}

TEST_F(HttpNginx, ExpectedStatusCanBeChosen)
{
	struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 8080);

	c.status_min = c.status_max = 503;
	c.path = "/503";
	EXPECT_EQ(first_result(c), "HTTP 503");
	c.path = "/";
	EXPECT_EQ(first_result(c), "HTTP 200, wanted 503, from http://127.0.0.1:8080/");
}

TEST_F(HttpNginx, PathAndQueryAreSentAsWritten)
{
	EXPECT_EQ(ask("/query?q=yes"), "HTTP 200");
	EXPECT_EQ(ask("/query?q=no").substr(0, 8), "HTTP 404");
}

TEST_F(HttpNginx, HostHeaderChoosesTheVirtualServer)
{
	EXPECT_EQ(ask("/", "www.example.com"), "HTTP 201");
	EXPECT_EQ(ask("/", "www.example.com:8080"), "HTTP 201");
	EXPECT_EQ(ask("/", "other.example.com"), "HTTP 200");
}

TEST_F(HttpNginx, Ipv6)
{
	struct health_target_config c = config(HEALTH_HTTP, "::1", 8080);

	EXPECT_EQ(first_result(c), "HTTP 200");
	c.path = "/503";
	EXPECT_EQ(first_result(c), "HTTP 503, wanted 200-299, from http://[::1]:8080/503");
}

TEST_F(HttpNginx, HttpsTakesAnyCertificateUnlessToldToVerify)
{
	struct health_target_config c = config(HEALTH_HTTPS, "127.0.0.1", 8443);

	c.host = "www.example.com";
	EXPECT_EQ(first_result(c), "HTTP 200");
	c.tls_verify = true;
	EXPECT_EQ(first_result(c).substr(0, 24), "TLS handshake failed: SS");
}

TEST_F(HttpNginx, HttpsSendsTheHostAsServerName)
{
	EXPECT_EQ(ask("/", "www.example.com", HEALTH_HTTPS), "HTTP 200");
	EXPECT_EQ(ask("/", "other.example.com", HEALTH_HTTPS),
		  "HTTP 404, wanted 200-299, from https://127.0.0.1:8443/");
	EXPECT_EQ(ask("/", nullptr, HEALTH_HTTPS).substr(0, 8), "HTTP 404");
}

TEST_F(HttpNginx, WrongProtocolEitherWayIsAFailure)
{
	struct health_target_config c = config(HEALTH_HTTPS, "127.0.0.1", 8080);

	EXPECT_EQ(first_result(c).substr(0, 22), "TLS handshake failed: ");
	c = config(HEALTH_HTTP, "127.0.0.1", 8443);
	EXPECT_EQ(first_result(c).substr(0, 8), "HTTP 400");
}

TEST_F(HttpNginx, StoppedServerGoesDownAndItsRestartIsSeen)
{
	struct health_target *t = add(config(HEALTH_HTTP, "127.0.0.1", 8080));

	ASSERT_TRUE(run_until([&] { return changes.size() == 1; }));
	kill(nginx.pid, SIGTERM);
	ASSERT_TRUE(run_until([&] { return changes.size() == 2; }));
	EXPECT_EQ(changes[1].now, HEALTH_DOWN);
	EXPECT_EQ(changes[1].reason, "connect refused");
	waitpid(nginx.pid, nullptr, 0);
	std::string old = "rm -rf " + nginx.dir;
	EXPECT_EQ(system(old.c_str()), 0);
	ASSERT_TRUE(nginx.start());
	ASSERT_TRUE(run_until([&] { return changes.size() == 3; }));
	EXPECT_EQ(changes[2].reason, "HTTP 200");
	EXPECT_GE(snapshot(t).successes, 2u);
}

TEST_F(HttpNginx, FiveHundredTargetsAtOnceOnOneLoop)
{
	std::vector<struct health_target *> targets;

	for (int i = 0; i < 500; i++) {
		std::string a =
			"127.2." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
		struct health_target_config c = config(HEALTH_HTTP, a.c_str(), 8080);

		c.path = i % 5 ? "/" : "/503";
		c.interval_ms = 500;
		targets.push_back(add(c));
	}
	ASSERT_TRUE(run_until([&] { return stats().checks >= 1500; }));
	ASSERT_EQ(changes.size(), 500u);
	for (int i = 0; i < 500; i++)
		ASSERT_EQ(snapshot(targets[i]).state, i % 5 ? HEALTH_UP : HEALTH_DOWN)
			<< snapshot(targets[i]).last_result;
	EXPECT_EQ(stats().prober_errors, 0u);
}

/* --- servers that behave as no server should --- */

class HttpScripted : public HealthTest
{
      protected:
	std::unique_ptr<ScriptedServer> server;

	void SetUp() override
	{
		HealthTest::SetUp();
		if (!IsSkipped())
			server = std::make_unique<ScriptedServer>(&loop, 7001);
	}

	void TearDown() override
	{
		server.reset();
		HealthTest::TearDown();
	}

	std::string answered(const std::string &bytes, bool hang = false)
	{
		struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 7001);

		server->script = {{bytes, hang}};
		c.timeout_ms = 200;
		return first_result(c);
	}
};

TEST_F(HttpScripted, RequestIsPlainAndAsksToCloseWhateverProxyTheEnvironmentNames)
{
	setenv("http_proxy", "http://127.0.0.1:9", 1);
	setenv("all_proxy", "http://127.0.0.1:9", 1);
	struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 7001);

	server->script = {{ScriptedServer::status(200)}};
	c.path = "/a/../b?x=%20y";
	EXPECT_EQ(first_result(c), "HTTP 200");
	EXPECT_EQ(server->last_request, "GET /a/../b?x=%20y HTTP/1.1\r\n"
					"Host: 127.0.0.1:7001\r\n"
					"User-Agent: fairway-health/" FAIRWAY_VERSION "\r\n"
					"Accept: */*\r\n"
					"Connection: close\r\n\r\n");
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

TEST_F(HttpScripted, ClosingWithoutAnAnswerIsAFailure)
{
	EXPECT_EQ(answered(""), "connection closed without an answer");
}

TEST_F(HttpScripted, SilenceIsATimeout)
{
	EXPECT_EQ(answered("", true), "timeout after 200 ms, waiting for the HTTP answer");
}

TEST_F(HttpScripted, SilenceInTheTlsHandshakeIsATimeout)
{
	Listener listener("127.0.0.1", 7000);
	struct health_target_config c = config(HEALTH_HTTPS, "127.0.0.1", 7000);

	c.timeout_ms = 200;
	EXPECT_EQ(first_result(c), "timeout after 200 ms, in the TLS handshake");
}

TEST_F(HttpScripted, HalfAnAnswerIsAFailure)
{
	EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
		  "connection closed in the middle of the answer");
	EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true),
		  "timeout after 200 ms, in the middle of the HTTP answer");
}

TEST_F(HttpScripted, GarbageIsAFailureOfTheServer)
{
	EXPECT_EQ(answered("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").substr(0, 20),
		  "no valid HTTP answer");
	EXPECT_EQ(answered("HTTP/1.1 junk\r\n\r\n").substr(0, 20), "no valid HTTP answer");
	EXPECT_EQ(prober_errors.size(), 0u);
}

TEST_F(HttpScripted, HugeBodyIsNotReadToItsEnd)
{
	std::string huge = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";

	huge.append(1 << 20, 'x');
	EXPECT_EQ(answered(huge, true), "HTTP 200");
	huge.replace(9, 3, "500");
	EXPECT_EQ(answered(huge, true), "HTTP 500, wanted 200-299, from http://127.0.0.1:7001/");
}

TEST_F(HttpScripted, EndlessHeadersDoNotGrowForever)
{
	std::string headers = "HTTP/1.1 200 OK\r\n";

	while (headers.size() < 4 << 20)
		headers += "X-Filler: " + std::string(1000, 'x') + "\r\n";
	EXPECT_NE(answered(headers, true).substr(0, 8), "HTTP 200");
	EXPECT_EQ(changes.back().now, HEALTH_DOWN);
}

TEST_F(HttpScripted, FlappingServerFollowsRiseAndFallStepByStep)
{
	struct health_target_config c = config(HEALTH_HTTP, "127.0.0.1", 7001);
	const std::string results = "+-+--+---++-+++-";
	/* What rise 3 and fall 2 make of them, one state per result. */
	const std::string states = "uuuuddddddddddu"
				   "u";
	std::string seen;

	for (char r : results)
		server->script.push_back({ScriptedServer::status(r == '+' ? 200 : 500)});
	c.rise = 3;
	c.fall = 2;
	c.interval_ms = 10;
	struct health_target *t = add(c);
	ASSERT_TRUE(run_until([&] {
		while (seen.size() < snapshot(t).checks)
			seen += "?ud"[snapshot(t).state];
		return seen.size() >= results.size();
	}));
	EXPECT_EQ(seen.substr(0, results.size()), states);
	EXPECT_EQ(changes.size(), 3u);
}

} // namespace
