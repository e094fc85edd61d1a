/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_FIXTURE_H
#define FAIRWAY_VIP_FIXTURE_H

/* A node in a test: a configuration written as YAML, and views one can set. */

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

extern "C" {
#include "controlplane/vip/desired.h"
#include "controlplane/vip/diff.h"
#include "controlplane/vip/plan.h"
}

inline std::string test_node()
{
	return "node: {name: lb1, interfaces: [eth0], tunnel_source: {ipv4: 192.0.2.10},\n"
	       "       hash_seed: \"0123456789abcdef0123456789abcdef\"}\n";
}

inline std::string test_bgp()
{
	return "bgp: {asn: 64512, router_id: 192.0.2.10,\n"
	       "      neighbors: [{address: 192.0.2.1, asn: 64500}]}\n";
}

inline struct addr test_addr(const std::string &text)
{
	struct addr a = {};

	EXPECT_EQ(addr_parse(text.c_str(), &a), 0) << text;
	return a;
}

inline struct prefix test_prefix(const std::string &text)
{
	struct prefix p = {};

	EXPECT_EQ(prefix_parse(text.c_str(), &p), 0) << text;
	return p;
}

/* NULL, with the errors printed, when the text isn't a configuration. */
inline struct config *test_config(const std::string &yaml)
{
	static struct config_errors errs;
	struct config *cfg = nullptr;

	if (config_parse(yaml.c_str(), yaml.size(), "test.yaml", &cfg, &errs) != 0) {
		config_errors_print(&errs, stderr);
		ADD_FAILURE() << yaml;
		return nullptr;
	}
	return cfg;
}

class Node
{
      public:
	struct config *cfg;
	struct vip_intent intent = {};
	std::map<std::string, enum vip_health> health; /* "pool address"; absent: up */
	std::set<std::string> unresolved;
	std::map<std::string, std::string> blocked; /* VIP -> why */
	std::string node_blocked;

	explicit Node(const std::string &yaml) : cfg(test_config(yaml))
	{
	}
	~Node()
	{
		config_free(cfg);
		vip_intent_fini(&intent);
	}
	Node(const Node &) = delete;
	Node &operator=(const Node &) = delete;

	void replace(const std::string &yaml)
	{
		struct config *now = test_config(yaml);

		config_free(cfg);
		cfg = now;
	}

	/* The caller's to vip_desired_fini(). */
	struct vip_desired desired()
	{
		struct vip_inputs in = {};
		struct vip_desired d = {};

		in.cfg = cfg;
		in.intent = &intent;
		in.health = see_health;
		in.resolved = see_resolved;
		in.vip_blocked = see_blocked;
		in.arg = this;
		in.node_blocked = node_blocked.empty() ? nullptr : node_blocked.c_str();
		EXPECT_EQ(vip_desired_make(&in, &d), 0);
		return d;
	}

      private:
	static enum vip_health see_health(void *arg, const char *pool, const struct addr *real)
	{
		Node *n = static_cast<Node *>(arg);
		char buf[ADDR_STRLEN];
		auto it = n->health.find(std::string(pool) + " " + addr_format(real, buf));

		return it == n->health.end() ? VIP_HEALTH_UP : it->second;
	}
	static bool see_resolved(void *arg, const struct addr *real)
	{
		char buf[ADDR_STRLEN];

		return !static_cast<Node *>(arg)->unresolved.count(addr_format(real, buf));
	}
	static const char *see_blocked(void *arg, const struct config_vip *vip)
	{
		Node *n = static_cast<Node *>(arg);
		auto it = n->blocked.find(vip->name);

		return it == n->blocked.end() ? nullptr : it->second.c_str();
	}
};

#endif
