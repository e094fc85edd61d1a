/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DAEMON_FIXTURE_H
#define FAIRWAY_DAEMON_FIXTURE_H

/* fairwayd in a network namespace of its own, next to one that plays router and real servers:
 *
 *   [lb: 10.9.0.1, 2001:db8:9::1] daemonPID-a ==== daemonPID-b [edge: 10.9.0.2, .3; BIRD; port
 * 8080]
 *
 * Needs root, and removes all it makes. */

#include <gtest/gtest.h>

#include <jansson.h>

#include <functional>
#include <string>
#include <vector>

class Edge : public ::testing::Test
{
      protected:
	std::string id, dir, lb, edge, ifname, peer_name, config_path, socket_path, log_path;
	pid_t daemon = -1;

	void SetUp() override;
	void TearDown() override;

	/* The pair of interfaces between the two namespaces, with addresses and routes. */
	void make_link();
	/* Run a shell command; its output. Fails the test when it fails. */
	std::string sh(const std::string &command);
	/* Start a command in a namespace; killed at the end. */
	pid_t spawn(const std::string &ns, const std::vector<std::string> &argv,
		    const std::string &log);
	void stop(pid_t *pid, int signal);
	/* Wait for a process to end; its exit code, or -1 when a signal ended it. */
	int wait_exit(pid_t pid);
	/* Wait until what() holds; false after the deadline. */
	bool eventually(const std::function<bool()> &what, int seconds = 10);

	/* The configuration of these tests: pool `web` of two checked reals, one VIP. */
	std::string yaml(const std::string &more_vips = "");
	void write_config(const std::string &text);
	std::vector<std::string> daemon_argv();
	/* Start fairwayd and wait until it answers as started. */
	void start();
	/* Run fairwayd until it ends by itself; exit code, and its stderr in *ret_text. */
	int run_to_end(const std::vector<std::string> &argv, std::string *ret_text);
	std::string log();

	void start_bird();
	void start_reals();
	void stop_reals();
	bool router_has(const std::string &prefix);
	/* Send packets of different flows to the VIP's UDP service. */
	void send_packets(int n);

	/* Call a method; the whole answer, the caller's to json_decref(). */
	json_t *call(const std::string &method, const std::string &params = "{}");
	/* A value of the result by a path like "config.unsaved_changes" or "vips.0.name", as text.
	 */
	std::string get(const std::string &method, const std::string &path,
			const std::string &params = "{}");
	/* The error's name, "" for a result. */
	std::string refused(const std::string &method, const std::string &params);
	long forwarded();

      private:
	pid_t bird = -1, reals = -1;
	std::vector<pid_t> children;
};

#endif
