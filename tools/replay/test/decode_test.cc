/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tools/replay/test/packet_builder.h"

extern "C" {
#include "tools/replay/decode.h"
}

using std::string;

static string words(const uint8_t *frame, size_t len, uint16_t gue_port)
{
	char *text = nullptr;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	decode_print(out, "", frame, len, gue_port);
	fclose(out);
	string s(text, size);
	free(text);
	return s;
}

/* Every part follows the one before, from the first byte to the last. */
static void expect_covered(const uint8_t *frame, size_t len, uint16_t gue_port)
{
	struct decode_layer layers[DECODE_LAYERS_MAX];
	size_t n = decode_layers(frame, len, gue_port, layers), at = 0;

	for (size_t i = 0; i < n; i++) {
		ASSERT_EQ(layers[i].offset, at) << "part " << i << " of " << len << " bytes";
		at += layers[i].len;
	}
	ASSERT_EQ(at, len);
}

/* Cut to every length, in memory of just that size, where a sanitizer sees a byte read beyond. */
TEST(Decode, EveryScenariosFrameCutAnywhereIsCoveredWhole)
{
	size_t n = 0;

	for (const auto &entry : std::filesystem::directory_iterator(FRAMES_FOLDER)) {
		std::ifstream file(entry.path(), std::ios::binary);
		std::vector<char> all((std::istreambuf_iterator<char>(file)), {});
		const size_t cut_max = std::min<size_t>(all.size(), 200);

		for (size_t len = 0; len <= cut_max; len++) {
			const size_t bytes = len == cut_max ? all.size() : len;
			auto frame = std::make_unique<uint8_t[]>(bytes);

			std::copy_n(all.data(), bytes, frame.get());
			expect_covered(frame.get(), bytes, 6080);
			ASSERT_FALSE(words(frame.get(), bytes, 6080).empty());
		}
		n++;
	}
	EXPECT_GT(n, 100U) << "no frames in " FRAMES_FOLDER;
}

TEST(Decode, FramesFullOfOneByteAreCoveredWhole)
{
	for (unsigned byte = 0; byte < 256; byte++)
		for (uint16_t type : {0x0800, 0x86dd, 0x8100}) {
			Bytes frame(300, (uint8_t)byte);

			frame[12] = (uint8_t)(type >> 8);
			frame[13] = (uint8_t)type;
			for (uint8_t version : {0x45, 0x4f, 0x60}) {
				frame[14] = version;
				expect_covered(frame.data(), frame.size(), 0);
				words(frame.data(), frame.size(), 0);
			}
		}
}

/* 192.0.2.1:1234 to 203.0.113.9:6080 by UDP, inside of which stands an IPv4 packet. */
static const uint8_t gue_frame[] = {
	2,    0,  0,  0,  0,    1, 2,    0,  0,  0,    0,    2,    8,  0, /* Ethernet */
	0x45, 0,  0,  48, 0,    0, 0x40, 0,  64, 17,   0,    0,           /* IPv4 */
	192,  0,  2,  1,  203,  0, 113,  9,  4,  0xd2, 0x17, 0xc0,        /* UDP */
	0,    28, 0,  0,  0x45, 0, 0,    20, 0,  1,    0,    0,    64, 1, /* IPv4 */
	0,    0,  10, 1,  2,    3, 10,   4,  5,  6,
};

TEST(Decode, AGuePortOpensTheTunnel)
{
	const string inside = "IPv4      10.1.2.3 -> 10.4.5.6, ICMP, length 20, TTL 64, id 1";

	EXPECT_NE(words(gue_frame, sizeof(gue_frame), 6080).find(inside), string::npos)
		<< words(gue_frame, sizeof(gue_frame), 6080);
	EXPECT_EQ(words(gue_frame, sizeof(gue_frame), 0).find(inside), string::npos);
}

TEST(Decode, APlaceIsToldByItsHeader)
{
	char text[64];

	EXPECT_STREQ(decode_place(gue_frame, sizeof(gue_frame), 6080, 24, text, sizeof(text)),
		     "byte 10 of the IPv4 at 14");
	EXPECT_STREQ(decode_place(gue_frame, sizeof(gue_frame), 6080, 37, text, sizeof(text)),
		     "byte 3 of the UDP at 34");
	EXPECT_STREQ(decode_place(gue_frame, sizeof(gue_frame), 6080, sizeof(gue_frame), text,
				  sizeof(text)),
		     "behind its end");
}

TEST(Decode, HexMarksWhatDiffers)
{
	uint8_t a[40] = {}, b[38] = {};
	char *text = nullptr;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	b[17] = 9;
	decode_hex(out, "> ", a, sizeof(a), b, sizeof(b), 17);
	fclose(out);
	string s(text, size);
	free(text);
	EXPECT_EQ(std::count(s.begin(), s.end(), '*'), 3) << s;
	EXPECT_NE(s.find("> 0010  00*00 00"), string::npos) << s;
	EXPECT_NE(s.find("> 0020  00 00 00 00 00 00*00*00\n"), string::npos) << s;
}
