/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <string>

extern "C" {
#include "controlplane/health/target_config.h"
}

namespace
{

struct health_target_config base()
{
	struct health_target_config c = {};

	EXPECT_EQ(addr_parse("10.0.0.1", &c.address), 0);
	c.type = HEALTH_HTTP;
	c.port = 8080;
	c.interval_ms = 2000;
	c.timeout_ms = 1000;
	c.rise = 2;
	c.fall = 3;
	return c;
}

TEST(TargetConfig, FillsDefaultsAndOwnsItsStrings)
{
	struct health_target_config c = base(), copy;
	std::string path = "/healthz";

	c.path = path.c_str();
	ASSERT_EQ(target_config_copy(&c, &copy, nullptr), 0);
	path = "overwritten";
	EXPECT_STREQ(copy.path, "/healthz");
	EXPECT_STREQ(copy.host, "");
	EXPECT_EQ(copy.status_min, 200);
	EXPECT_EQ(copy.status_max, 299);
	target_config_fini(&copy);
}

TEST(TargetConfig, RefusesWhatCannotBeAndSaysWhy)
{
	struct {
		std::function<void(struct health_target_config &)> spoil;
		const char *words;
	} cases[] = {
		{[](auto &c) { c.address = {}; }, "no address"},
		{[](auto &c) { c.port = 0; }, "port 0"},
		{[](auto &c) { c.type = (enum health_type)9; }, "tcp, http or https"},
		{[](auto &c) { c.interval_ms = 0; }, "interval 0 ms"},
		{[](auto &c) { c.interval_ms = 3600001; }, "10 to 3600000"},
		{[](auto &c) { c.timeout_ms = 0; }, "timeout 0 ms"},
		{[](auto &c) { c.timeout_ms = 60001; }, "1 to 60000"},
		{[](auto &c) { c.rise = 1001; }, "rise 1001"},
		{[](auto &c) { c.fall = 1001; }, "fall 1001"},
		{[](auto &c) { c.path = "healthz"; }, "must start with /"},
		{[](auto &c) { c.path = "/a b"; }, "%XX"},
		{[](auto &c) { c.path = "/a\r\nX: y"; }, "%XX"},
		{[](auto &c) { c.path = "/\xc3\xa4"; }, "%XX"},
		{[](auto &c) { c.path = "/a#b"; }, "%XX"},
		{[](auto &c) { c.host = "a b"; }, "must be a name"},
		{[](auto &c) { c.host = "a\r\nX: y"; }, "must be a name"},
		{[](auto &c) { c.host = "a:b"; }, "name:port"},
		{[](auto &c) { c.host = ":80"; }, "name:port"},
		{[](auto &c) {
			 c.status_min = 300;
			 c.status_max = 200;
		 },
		 "300-200"},
		{[](auto &c) { c.status_max = 299; }, "within 200 to 599"},
		{[](auto &c) {
			 c.status_min = 200;
			 c.status_max = 600;
		 },
		 "within 200 to 599"},
	};

	for (auto &k : cases) {
		struct health_target_config c = base(), copy = {};
		struct err err = {};

		k.spoil(c);
		EXPECT_EQ(target_config_copy(&c, &copy, &err), -EINVAL) << k.words;
		EXPECT_NE(std::string(err.text).find(k.words), std::string::npos) << err.text;
		EXPECT_EQ(copy.path, nullptr);
	}
}

TEST(TargetConfig, PathAndHostDoNotMatterForTcp)
{
	struct health_target_config c = base(), copy;

	c.type = HEALTH_TCP;
	c.path = "not a path";
	ASSERT_EQ(target_config_copy(&c, &copy, nullptr), 0);
	target_config_fini(&copy);
}

TEST(TargetConfig, EveryFieldCountsForEquality)
{
	std::function<void(struct health_target_config &)> changes[] = {
		[](auto &c) { c.type = HEALTH_HTTPS; },
		[](auto &c) { c.address.bytes[3] = 9; },
		[](auto &c) { c.port++; },
		[](auto &c) { c.path = "/other"; },
		[](auto &c) { c.host = "www"; },
		[](auto &c) {
			c.status_min = 201;
			c.status_max = 204;
		},
		[](auto &c) { c.tls_verify = true; },
		[](auto &c) { c.interval_ms++; },
		[](auto &c) { c.timeout_ms++; },
		[](auto &c) { c.rise++; },
		[](auto &c) { c.fall++; },
	};
	struct health_target_config a, b, c = base();

	ASSERT_EQ(target_config_copy(&c, &a, nullptr), 0);
	ASSERT_EQ(target_config_copy(&c, &b, nullptr), 0);
	EXPECT_TRUE(target_config_equal(&a, &b));
	target_config_fini(&b);
	for (size_t i = 0; i < std::size(changes); i++) {
		c = base();
		changes[i](c);
		ASSERT_EQ(target_config_copy(&c, &b, nullptr), 0);
		EXPECT_FALSE(target_config_equal(&a, &b)) << i;
		target_config_fini(&b);
	}
	target_config_fini(&a);
}

} // namespace
