/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzzers have reached, once more: without clang, and for testbed/coverage. */
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" {
#include "tools/replay/test/packet_fuzz.h"
}

TEST(Corpus, KeepsThePromises)
{
	size_t n = 0;

	for (auto &entry : std::filesystem::directory_iterator(CORPUS_FOLDER)) {
		std::ifstream file(entry.path(), std::ios::binary);
		const std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)),
						 std::istreambuf_iterator<char>());
		struct fuzz_input in;

		SCOPED_TRACE(entry.path());
		fuzz_read(&in, bytes.data(), bytes.size());
		fuzz_run(&in, nullptr);
		n++;
	}
	EXPECT_GT(n, 100U) << CORPUS_FOLDER;
}
