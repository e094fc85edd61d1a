/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

extern "C" {
#include "controlplane/base/ports.h"
}

TEST(Ports, ReadsWhatItWrites)
{
	for (const char *text : {"1", "443", "65535", "1-65535", "8000-8999", "any"}) {
		struct ports p = {};
		char buf[PORTS_STRLEN];

		ASSERT_EQ(ports_parse(text, &p), 0) << text;
		EXPECT_STREQ(ports_format(p, buf), text);
	}
}

TEST(Ports, RefusesWhatIsNoRange)
{
	for (const char *text : {"", "0", "65536", "0-5", "5-5", "6-5", "5-", "-5", "05", "5-06",
				 "5-6-7", "5 - 6", "Any", "any ", "99999999999"}) {
		struct ports p = {7, 7};

		EXPECT_EQ(ports_parse(text, &p), -EINVAL) << text;
		EXPECT_EQ(p.first, 7) << text;
	}
}

TEST(Ports, AreCutIntoTheFewestAlignedBlocks)
{
	const struct {
		struct ports ports;
		size_t blocks;
	} cases[] = {
		{ports_one(443), 1}, {PORTS_ANY, 1},      {{8192, 12287}, 1},
		{{8000, 8999}, 6},   {{1, 65535}, 16},    {{1, 65534}, 30},
		{{1023, 1025}, 2},   {{65535, 65535}, 1}, {{32768, 65535}, 1},
	};

	for (const auto &c : cases) {
		struct port_block blocks[PORTS_BLOCKS_MAX];
		size_t n = ports_cut(c.ports, blocks);
		uint32_t at = c.ports.first;

		EXPECT_EQ(n, c.blocks) << c.ports.first << "-" << c.ports.last;
		for (size_t i = 0; i < n; i++) {
			EXPECT_EQ(blocks[i].first, at);
			EXPECT_EQ(blocks[i].first & ((1U << blocks[i].bits) - 1), 0u);
			at += 1U << blocks[i].bits;
		}
		EXPECT_EQ(at, c.ports.last + 1u);
	}
}
