/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/test/world_test.h"

namespace
{

uint16_t folded(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

TEST(Checksum, FoldsAnySumOfWords)
{
	EXPECT_EQ(core_checksum_fold(0), 0xffff);
	EXPECT_EQ(core_checksum_fold(0xffff), 0);
	EXPECT_EQ(core_checksum_fold(0x10000), 0xfffe);
	EXPECT_EQ(core_checksum_fold(0xffffffffULL), 0);
	EXPECT_EQ(core_checksum_fold(0xffffffffffffffffULL), 0);
	EXPECT_EQ(core_checksum_fold(0x1fffeffffULL), folded(0xfffe + 0xffff + 1));
}

TEST(Checksum, FoldsByOneProductWhatItFoldsByHand)
{
	const uint64_t words[] = {0, 1, 2, 0x7fff, 0x8000, 0x8001, 0xfffc, 0xfffd, 0xfffe, 0xffff};

	for (uint64_t a : words)
		for (uint64_t b : words)
			for (uint64_t c : words) {
				const uint64_t sum = a | b << 16 | c << 32;

				ASSERT_EQ(core_checksum_fold48(sum), core_checksum_fold(sum))
					<< std::hex << sum;
			}
	for (uint64_t i = 1; i < 1000000; i++) {
		const uint64_t sum = i * 0x9e3779b97f4a7c15ULL >> 16;

		ASSERT_EQ(core_checksum_fold48(sum), core_checksum_fold(sum)) << std::hex << sum;
	}
}

TEST(Checksum, ChangesAsIfSummedAgain)
{
	for (uint32_t rest : {0U, 1U, 0x1234U, 0xfffeU, 0xffffU})
		for (uint32_t from : {0U, 1U, 0x0800U, 0x8000U, 0xffffU})
			for (uint32_t to : {0U, 1U, 0x0800U, 0x8100U, 0xffffU}) {
				const uint16_t before = folded(rest + from);
				const uint16_t after =
					core_checksum_change(before, (uint16_t)from, (uint16_t)to);

				EXPECT_EQ(after % 0xffff, folded(rest + to) % 0xffff)
					<< rest << " " << from << " " << to;
			}
}

class Replies : public World
{
      protected:
	static Bytes echo(int family, size_t payload)
	{
		Bytes b = {(uint8_t)(family == 4 ? 8 : 128), 0, 0, 0, 0x12, 0x34, 0, 1};

		b.resize(8 + payload, 0x77);
		return b;
	}
};

TEST_F(Replies, EchoRequestsBecomeRepliesWithRightChecksums)
{
	for (size_t payload : {0, 1, 57, 1400}) {
		Bytes icmp = echo(4, payload);
		const unsigned sum = checksum_of(icmp.data(), icmp.size());
		Bytes frame;

		icmp[2] = (uint8_t)(sum >> 8);
		icmp[3] = (uint8_t)sum;
		frame = ip_frame(4, 1, 1, icmp);
		const unsigned header = checksum_of(frame.data() + 14, 20);
		frame[24] = (uint8_t)(header >> 8);
		frame[25] = (uint8_t)header;
		ASSERT_EQ(run(frame), LB_REASON_echo_answered);
		EXPECT_EQ(checksum_of(out.data() + 14, 20), 0U) << payload;
		EXPECT_EQ(checksum_of(out.data() + 34, 8 + payload), 0U) << payload;
		EXPECT_EQ(out[34], 0);
		EXPECT_EQ(Bytes(out.begin() + 26, out.begin() + 30), Bytes({203, 0, 113, 1}));
	}
}

TEST_F(Replies, TooBigQuotesInWholeWordsAndSumsRight)
{
	struct world_state small = world_plain;

	small.mtu = 100;
	set(small);
	for (size_t payload = 61; payload < 70; payload++) {
		ASSERT_EQ(run(ip_frame(4, 17, 1, udp(80, Bytes(payload, 0x31)))),
			  LB_REASON_too_big_answered);
		const size_t quoted = (28 + payload) & ~3U;

		ASSERT_EQ(out.size(), 14 + 28 + quoted);
		EXPECT_EQ(checksum_of(out.data() + 14, 20), 0U);
		EXPECT_EQ(checksum_of(out.data() + 34, 8 + quoted), 0U);
		EXPECT_EQ(out[40] << 8 | out[41], 80) << "MTU less the tunnel's header";
	}
}

TEST_F(Replies, NothingIsWrittenWhereTheFrameHasNoRoom)
{
	Bytes frame(14 + 40 + 8);
	struct lb_real real = t.reals[WORLD_IPIP4];

	for (size_t len = 0; len < 14 + 28; len++)
		EXPECT_EQ(core_write_echo(frame.data(), len, 4, 34), -1) << len;
	EXPECT_EQ(core_write_echo(frame.data(), 14 + 28, 4, 34), 0);
	for (size_t len = 0; len < 14 + 48; len++)
		EXPECT_EQ(core_write_echo(frame.data(), len, 6, 54), -1) << len;
	EXPECT_EQ(core_write_echo(frame.data(), 14 + 48, 6, 54), 0);

	frame.resize(14 + 48 + 40);
	for (size_t len = 0; len < 14 + 28 + 20; len++)
		EXPECT_EQ(core_write_too_big(frame.data(), len, 4, 20, 1480), -1) << len;
	EXPECT_EQ(core_write_too_big(frame.data(), 14 + 28 + 20, 4, 20, 1480), 0);
	for (size_t len = 0; len < 14 + 48 + 40; len++)
		EXPECT_EQ(core_write_too_big(frame.data(), len, 6, 40, 1480), -1) << len;
	EXPECT_EQ(core_write_too_big(frame.data(), 14 + 48 + 40, 6, 40, 1480), 0);

	for (uint32_t id : {WORLD_IPIP4, WORLD_GUE4, WORLD_IPIP6, WORLD_GUE6, WORLD_L2DSR}) {
		const size_t inner = id == WORLD_L2DSR ? 8 : 20;

		real = t.reals[id];
		frame.assign(200, 0);
		for (size_t len = 0; len < 14 + inner + real.grow_bytes; len++)
			EXPECT_EQ(core_write_headers(frame.data(), len, &real, 4, 0), -1)
				<< id << " " << len;
		EXPECT_EQ(
			core_write_headers(frame.data(), 14 + inner + real.grow_bytes, &real, 4, 0),
			0)
			<< id;
	}
	EXPECT_EQ(core_write_headers(frame.data(), 18, &t.reals[WORLD_L2DSR], 4, 2), -1);
	EXPECT_EQ(core_write_headers(frame.data(), 22, &t.reals[WORLD_L2DSR], 4, 2), 0);
}

} // namespace
