/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames of all scenarios, cut and bent, through the native core. With AddressSanitizer a read
 * of one byte behind a frame ends the test. */
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tools/replay/test/packet_builder.h"

extern "C" {
#include "tools/replay/test/packet_fuzz.h"
}

/* A folder with a file for each frame of testbed/scenarios. */
static std::vector<Bytes> scenario_frames()
{
	std::vector<Bytes> frames;

	for (auto &entry : std::filesystem::directory_iterator(FRAMES_FOLDER)) {
		std::ifstream file(entry.path(), std::ios::binary);

		frames.emplace_back(std::istreambuf_iterator<char>(file),
				    std::istreambuf_iterator<char>());
	}
	return frames;
}

TEST(Bounds, NoFrameIsReadPastItsEndWhereverItIsCut)
{
	std::vector<Bytes> frames = scenario_frames();

	ASSERT_GT(frames.size(), 100U) << FRAMES_FOLDER;
	for (const Bytes &whole : frames) {
		for (size_t len = 0; len <= whole.size() && len <= 200; len++)
			fuzz_run_frame(whole.data(), len);
		fuzz_run_frame(whole.data(), whole.size());
	}
}

/* Every byte of the headers with every value: versions, lengths, protocols, flags. */
TEST(Bounds, NoHeaderByteLeadsOutOfTheFrame)
{
	for (const Packet &packet :
	     {tcp4("203.0.113.1", 80), udp4("203.0.113.1", 81), tcp6("2001:db8:80::1", 81),
	      udp6("2001:db8:80::1", 82), tcp4("203.0.113.1", 80).options(4)}) {
		Bytes frame = packet.frame();

		for (size_t at = 0; at < frame.size() && at < 90; at++) {
			uint8_t was = frame[at];

			for (unsigned value = 0; value < 256; value++) {
				frame[at] = (uint8_t)value;
				fuzz_run_frame(frame.data(), frame.size());
			}
			frame[at] = was;
		}
	}
}
