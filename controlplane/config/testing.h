/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_TESTING_H
#define FAIRWAY_CONFIG_TESTING_H

/* What the tests of this folder share; C++. */

extern "C" {
#include "controlplane/config/config.h"
}

#include <gtest/gtest.h>

#include <memory>
#include <string>

struct ConfigDelete {
	void operator()(struct config *cfg) const
	{
		config_free(cfg);
	}
};

using ConfigPtr = std::unique_ptr<struct config, ConfigDelete>;

/* A valid configuration with every key in it; its line numbers are part of the expected errors. */
inline const char *const kFull = R"(node:
  name: lb1
  interfaces: [eth0, eth1]
  engine: xdp
  xdp_mode: generic
  tunnel_source: {ipv4: 192.0.2.10, ipv6: "2001:db8:1::/64"}
  hash_seed: "0123456789abcdef0123456789abcdef"
  drain_time: 7s
bgp:
  asn: 64512
  router_id: 192.0.2.10
  neighbors:
    - address: 192.0.2.1
      asn: 64500
      hold_time: 30s
      port: 1790
      password: "se\"cr\\et "
      next_hop: {ipv4: 192.0.2.11, ipv6: "2001:db8::11"}
      ttl_security: true
      passive: true
    - {address: "2001:db8::1", asn: 4200000000}
metrics: {listen: "[::1]:9478"}
pools:
  - name: web
    encap: ipip
    table_size: 4099
    min_healthy: 2
    health: {type: https, port: 8443, path: /healthz, host: www.example.com, interval: 5s, timeout: 1500ms, rise: 4, fall: 5, via: direct}
    reals:
      - {address: 10.0.0.11, weight: 50, mac: "02:00:00:00:00:0b"}
      - {address: "2001:db8:2::12", mac: "02:00:00:00:00:0c"}
  - name: lan
    encap: l2dsr
    reals:
      - {address: 10.0.0.21, weight: 0}
      - {address: 10.0.0.22}
vips:
  - name: web
    address: 203.0.113.80
    services:
      - {protocol: tcp, port: 443, pool: web}
      - {protocol: udp, port: any, pool: lan}
    announce: {when: always}
  - name: web6
    address: "2001:db8:3::80"
    services:
      - {protocol: tcp, port: 80, pool: web}
)";

/* kFull with the first `from` replaced, which must be there. */
inline std::string FullWith(const std::string &from, const std::string &to)
{
	std::string text = kFull;
	size_t at = text.find(from);

	EXPECT_NE(at, std::string::npos) << from;
	if (at != std::string::npos)
		text.replace(at, from.size(), to);
	return text;
}

inline std::string Printed(void (*print)(const struct config_errors *, FILE *),
			   const struct config_errors &errs)
{
	char *text = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	print(&errs, out);
	fclose(out);
	std::string result(text, len);
	free(text);
	return result;
}

inline std::string Errors(const struct config_errors &errs)
{
	return Printed(config_errors_print, errs);
}

inline std::string Warnings(const struct config_errors &errs)
{
	return Printed(config_warnings_print, errs);
}

/* The configuration, or null with the errors in *ret_errors. */
inline ConfigPtr Parse(const std::string &text, std::string *ret_errors = nullptr,
		       std::string *ret_warnings = nullptr)
{
	auto errs = std::make_unique<struct config_errors>();
	struct config *cfg = nullptr;
	int r = config_parse(text.data(), text.size(), "f", &cfg, errs.get());

	EXPECT_EQ(r == 0, errs->n_errors == 0);
	if (ret_errors)
		*ret_errors = Errors(*errs);
	else
		EXPECT_EQ(Errors(*errs), "");
	if (ret_warnings)
		*ret_warnings = Warnings(*errs);
	return ConfigPtr(r ? nullptr : cfg);
}

inline std::string Emit(const struct config *cfg)
{
	char *text = nullptr;

	EXPECT_EQ(config_emit_string(cfg, &text), 0);
	std::string result = text ? text : "";
	free(text);
	return result;
}

inline struct addr Addr(const char *text)
{
	struct addr a = {};

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

inline struct prefix Net(const char *text)
{
	struct prefix p = {};

	EXPECT_EQ(prefix_parse(text, &p), 0) << text;
	return p;
}

#endif
