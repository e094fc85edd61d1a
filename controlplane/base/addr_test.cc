/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

extern "C" {
#include "controlplane/base/addr.h"
}

TEST(Addr, TextSurvivesParsingAndFormatting)
{
	for (const char *text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::"}) {
		struct addr a;
		char buf[ADDR_STRLEN];

		ASSERT_EQ(addr_parse(text, &a), 0) << text;
		EXPECT_STREQ(addr_format(&a, buf), text);
	}
}

TEST(Addr, RefusesWhatIsNoAddressAndLeavesTheResultAlone)
{
	for (const char *text :
	     {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "2001:db8::g", "web", "1.2.3.4/8"}) {
		struct addr a = {9, {7}};

		EXPECT_EQ(addr_parse(text, &a), -EINVAL) << text;
		EXPECT_EQ(a.family, 9);
	}
}

TEST(Prefix, LengthMustFitTheFamily)
{
	struct prefix p;

	EXPECT_EQ(prefix_parse("192.0.2.0/24", &p), 0);
	EXPECT_EQ(p.len, 24);
	EXPECT_EQ(prefix_parse("2001:db8::1", &p), 0);
	EXPECT_EQ(p.len, 128);
	for (const char *text :
	     {"192.0.2.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08"})
		EXPECT_EQ(prefix_parse(text, &p), -EINVAL) << text;
}

TEST(Prefix, ContainsComparesOnlyLeadingBits)
{
	struct prefix p;
	struct addr a;

	ASSERT_EQ(prefix_parse("10.1.128.0/17", &p), 0);
	ASSERT_EQ(addr_parse("10.1.255.1", &a), 0);
	EXPECT_TRUE(prefix_contains(&p, &a));
	ASSERT_EQ(addr_parse("10.1.127.1", &a), 0);
	EXPECT_FALSE(prefix_contains(&p, &a));
	ASSERT_EQ(addr_parse("::", &a), 0);
	EXPECT_FALSE(prefix_contains(&p, &a));
}

TEST(AddrPort, BracketsAreForIpv6Only)
{
	struct addr a;
	uint16_t port;
	char buf[ADDR_STRLEN];

	ASSERT_EQ(addr_port_parse("[2001:db8::1]:443", &a, &port), 0);
	EXPECT_STREQ(addr_port_format(&a, port, buf), "[2001:db8::1]:443");
	ASSERT_EQ(addr_port_parse("192.0.2.1:80", &a, &port), 0);
	EXPECT_STREQ(addr_port_format(&a, port, buf), "192.0.2.1:80");
	for (const char *text :
	     {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "2001:db8::1:443", "[192.0.2.1]:80"})
		EXPECT_EQ(addr_port_parse(text, &a, &port), -EINVAL) << text;
}
