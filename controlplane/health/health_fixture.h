/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_HEALTH_FIXTURE_H
#define FAIRWAY_HEALTH_HEALTH_FIXTURE_H

/* For the tests: a network namespace of their own, a loop, a checker that records its events, and a
 * server that plays a script. */

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/base/clock.h"
#include "controlplane/health/health.h"
}

struct Change {
	struct health_target *target;
	void *owner;
	enum health_state was, now;
	std::string reason;
};

/* Each test runs in a fresh namespace, with loopback up and nothing else in it. */
class HealthTest : public testing::Test
{
      protected:
	uv_loop_t loop;
	uv_timer_t tick; /* so that run_until() looks at its deadline */
	struct health_checker *checker = nullptr;
	std::vector<Change> changes;
	std::vector<std::string> prober_errors;
	std::function<void(const Change &)> on_change;

	static void changed(void *arg, struct health_target *target, void *owner,
			    enum health_state was, enum health_state now, const char *reason)
	{
		auto *self = static_cast<HealthTest *>(arg);

		self->changes.push_back({target, owner, was, now, reason});
		if (self->on_change)
			self->on_change(self->changes.back());
	}

	static void prober_error(void *arg, struct health_target *, void *, const char *reason)
	{
		static_cast<HealthTest *>(arg)->prober_errors.push_back(reason);
	}

	void SetUp() override
	{
		struct health_events events = {this, changed, prober_error};

		ASSERT_EQ(uv_loop_init(&loop), 0);
		uv_timer_init(&loop, &tick);
		uv_timer_start(
			&tick, [](uv_timer_t *) {}, 5, 5);
		ASSERT_EQ(health_new(&loop, &events, &checker), 0);
		if (unshare(CLONE_NEWNET) < 0)
			GTEST_SKIP() << "no network namespace: " << strerror(errno);
		sh("ip link set lo up");
	}

	void TearDown() override
	{
		health_free(checker);
		uv_close((uv_handle_t *)&tick, nullptr);
		uv_run(&loop, UV_RUN_DEFAULT);
		EXPECT_EQ(uv_loop_close(&loop), 0) << "a handle was left open";
	}

	static void sh(const std::string &command)
	{
		ASSERT_EQ(system(command.c_str()), 0) << command;
	}

	/* Run the loop, turn by turn, until done() or the deadline. */
	bool run_until(std::function<bool()> done, uint64_t deadline_ms = 10000)
	{
		uint64_t end = clock_now_ns() + deadline_ms * NS_PER_MS;

		while (!done()) {
			if (clock_now_ns() >= end)
				return false;
			uv_run(&loop, UV_RUN_ONCE);
		}
		return true;
	}

	static struct health_target_config config(enum health_type type, const char *address,
						  uint16_t port)
	{
		struct health_target_config c = {};

		EXPECT_EQ(addr_parse(address, &c.address), 0);
		c.type = type;
		c.port = port;
		c.interval_ms = 50;
		c.timeout_ms = 1000;
		c.rise = 2;
		c.fall = 2;
		return c;
	}

	struct health_target *add(const struct health_target_config &c,
				  enum health_state initial = HEALTH_UNKNOWN, void *owner = nullptr)
	{
		struct health_target *target = nullptr;
		struct err err = {};

		EXPECT_EQ(health_target_add(checker, &c, owner, initial, &target, &err), 0)
			<< err.text;
		return target;
	}

	static struct health_snapshot snapshot(const struct health_target *target)
	{
		struct health_snapshot s;

		health_target_snapshot(target, &s);
		return s;
	}

	struct health_stats stats()
	{
		struct health_stats s;

		health_stats_get(checker, &s);
		return s;
	}

	/* Run until the target's first verdict, and return its words. */
	std::string first_result(const struct health_target_config &c)
	{
		struct health_target *t = add(c);

		EXPECT_TRUE(run_until([&] { return snapshot(t).checks > 0; }))
			<< "no verdict; prober error: " << snapshot(t).last_prober_error;

		std::string result = snapshot(t).last_result;

		EXPECT_EQ(snapshot(t).state, snapshot(t).checks_failed ? HEALTH_DOWN : HEALTH_UP);
		health_target_remove(t);
		return result;
	}
};

/* A listening socket of the kernel's; it accepts connections by itself, up to its backlog. */
class Listener
{
      public:
	int fd;

	Listener(const char *address, uint16_t port, int backlog = 4096)
	{
		struct sockaddr_storage ss;
		struct addr a;
		int one = 1;

		EXPECT_EQ(addr_parse(address, &a), 0);
		fd = socket(addr_af(&a), SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		socklen_t len = addr_to_sockaddr(&a, port, &ss);
		EXPECT_EQ(bind(fd, (struct sockaddr *)&ss, len), 0) << strerror(errno);
		EXPECT_EQ(listen(fd, backlog), 0);
	}
	~Listener()
	{
		close(fd);
	}
};

/* An HTTP server on the test's own loop that gives prepared answers, one per request. The last one
 * is repeated. */
class ScriptedServer
{
      public:
	struct Answer {
		std::string bytes;
		bool hang = false; /* keep the connection open after the bytes */
	};

	std::deque<Answer> script;
	unsigned requests = 0;
	std::string last_request;

	ScriptedServer(uv_loop_t *loop, uint16_t port) : loop(loop)
	{
		struct sockaddr_in sin;

		uv_ip4_addr("127.0.0.1", port, &sin);
		server = new uv_tcp_t;
		uv_tcp_init(loop, server);
		server->data = this;
		EXPECT_EQ(uv_tcp_bind(server, (struct sockaddr *)&sin, 0), 0);
		EXPECT_EQ(uv_listen((uv_stream_t *)server, 1024, on_connection), 0);
	}
	~ScriptedServer()
	{
		for (auto *c : connections)
			c->server = nullptr, uv_close((uv_handle_t *)&c->tcp, on_closed);
		uv_close((uv_handle_t *)server, [](uv_handle_t *h) { delete (uv_tcp_t *)h; });
	}

	static std::string status(int code)
	{
		return "HTTP/1.1 " + std::to_string(code) + " X\r\nContent-Length: 2\r\n\r\nok";
	}

      private:
	struct Connection {
		uv_tcp_t tcp;
		ScriptedServer *server;
		std::string request, answer;
		uv_write_t write;
		char buf[4096];
	};

	uv_loop_t *loop;
	uv_tcp_t *server;
	std::vector<Connection *> connections;

	static void on_closed(uv_handle_t *h)
	{
		auto *c = (Connection *)h->data;

		if (c->server)
			for (auto &other : c->server->connections)
				if (other == c) {
					other = c->server->connections.back();
					c->server->connections.pop_back();
					break;
				}
		delete c;
	}

	static void drop(Connection *c)
	{
		if (!uv_is_closing((uv_handle_t *)&c->tcp))
			uv_close((uv_handle_t *)&c->tcp, on_closed);
	}

	static void on_connection(uv_stream_t *s, int)
	{
		auto *self = (ScriptedServer *)s->data;
		auto *c = new Connection{};

		uv_tcp_init(self->loop, &c->tcp);
		c->tcp.data = c;
		c->server = self;
		self->connections.push_back(c);
		if (uv_accept(s, (uv_stream_t *)&c->tcp) < 0) {
			drop(c);
			return;
		}
		uv_read_start((uv_stream_t *)&c->tcp,
			      [](uv_handle_t *h, size_t, uv_buf_t *buf) {
				      auto *conn = (Connection *)h->data;
				      *buf = uv_buf_init(conn->buf, sizeof(conn->buf));
			      },
			      on_read);
	}

	static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
	{
		auto *c = (Connection *)s->data;

		if (n < 0 || !c->server) {
			drop(c);
			return;
		}
		c->request.append(buf->base, n);
		if (c->request.find("\r\n\r\n") != std::string::npos)
			answer(c);
	}

	static void answer(Connection *c)
	{
		auto *self = c->server;
		Answer a = self->script.front();

		self->last_request = c->request;
		c->request.clear();
		self->requests++;
		if (self->script.size() > 1)
			self->script.pop_front();
		if (a.bytes.empty()) {
			if (!a.hang)
				drop(c);
			return;
		}
		c->answer = a.bytes;
		uv_buf_t out = uv_buf_init((char *)c->answer.data(), c->answer.size());
		c->write.data = a.hang ? nullptr : c;
		uv_write(&c->write, (uv_stream_t *)&c->tcp, &out, 1, [](uv_write_t *w, int) {
			if (w->data)
				drop((Connection *)w->data);
		});
	}
};

#endif
