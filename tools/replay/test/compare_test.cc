/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "tools/replay/test/packet_builder.h"

extern "C" {
#include "tools/replay/capture.h"
#include "tools/replay/compare.h"
}

using std::string;

/* The native engine, but for one packet. */
struct Wrong {
	int at;       /* the packet, from 0; -1: none */
	size_t byte;  /* of the frame that leaves, which is then changed */
	bool cut;     /* or its last byte is missing */
	bool dropped; /* or it doesn't leave */
	bool real;    /* or another real is told */
	int n;
};
static struct Wrong wrong;
static uint8_t changed[2048];

static int wrong_process(void *state, const struct replay_frame *frame,
			 struct replay_outcome *ret_outcome, struct err *err)
{
	int ret = replay_engine_native.process(state, frame, ret_outcome, err);

	if (ret < 0 || wrong.n++ != wrong.at)
		return ret;
	memcpy(changed, ret_outcome->frame.bytes, ret_outcome->frame.len);
	ret_outcome->frame.bytes = changed;
	if (wrong.byte)
		changed[wrong.byte] ^= 1;
	ret_outcome->frame.len -= wrong.cut;
	if (wrong.dropped) {
		ret_outcome->trace.verdict = LB_DROP;
		ret_outcome->trace.reason = LB_REASON_no_headroom;
	}
	if (wrong.real)
		ret_outcome->trace.real = ret_outcome->trace.real == 1 ? 2 : 1;
	return 0;
}

class Compare : public testing::Test
{
      protected:
	void SetUp() override
	{
		auto errors = std::make_unique<struct config_errors>();
		struct capture_out *out;
		int fd = mkstemp(path_);
		struct err err;

		ASSERT_GE(fd, 0);
		close(fd);
		ASSERT_EQ(config_load(CONFIG_FOLDER "/spread.yaml", &config_, errors.get()), 0);
		ASSERT_EQ(capture_out_open(path_, 1, &out, &err), 0) << err.text;
		for (uint16_t i = 0; i < n_packets; i++) {
			Bytes frame =
				tcp4("203.0.113.1", 80).port_from(1000U + i).payload(0).frame();
			struct timeval time = {i, 0};

			ASSERT_EQ(capture_out_write(out, &time, frame.data(), frame.size(), &err),
				  0);
		}
		ASSERT_EQ(capture_out_flush(out, &err), 0);
		capture_out_free(out);
	}
	void TearDown() override
	{
		config_free(config_);
		unlink(path_);
	}

	/* Returns what is told. */
	string run(const struct Wrong &how)
	{
		struct replay_engine engine = replay_engine_native;
		struct compare_side side[2] = {};
		struct replay_options options = {};
		char *text = nullptr;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);
		struct err err = {""};

		wrong = how;
		engine.process = wrong_process;
		options.in = path_;
		side[0].name = "native";
		side[1].name = "wrong";
		side[0].config = side[1].config = config_;
		EXPECT_EQ(replay_open("native", config_, nullptr, 0, &side[0].replay, &err), 0);
		EXPECT_EQ(replay_open_engine(&engine, config_, nullptr, 0, &side[1].replay, &err),
			  0);
		EXPECT_EQ(compare_capture(side, &options, out, &report_, &err), 0) << err.text;
		replay_free(side[0].replay);
		replay_free(side[1].replay);
		fclose(out);
		string s(text, size);
		free(text);
		return s;
	}

	static constexpr uint16_t n_packets = 20;
	struct compare_report report_;

      private:
	char path_[32] = "/tmp/fw-compare-XXXXXX";
	struct config *config_ = nullptr;
};

#define EXPECT_TOLD(text, words) EXPECT_NE((text).find(words), string::npos) << (text)

TEST_F(Compare, EnginesThatAreAlikeAreFoundAlike)
{
	EXPECT_EQ(run({-1, 0, false, false, false, 0}),
		  "native and wrong treat all of 20 packets alike\n");
	EXPECT_EQ(report_.n_differ, 0U);
	EXPECT_EQ(report_.walk.n_matched, 20U);
}

TEST_F(Compare, EachByteThatDiffersIsFoundAtItsPlace)
{
	for (size_t byte : {1, 13, 14, 25, 33, 34, 53, 73}) {
		string text = run({7, byte, false, false, false, 0});

		EXPECT_EQ(report_.n_differ, 1U) << byte;
		EXPECT_EQ(text.rfind("packet 7: different bytes\n", 0), 0U) << text;
		EXPECT_TOLD(text, "differ first at offset " + std::to_string(byte) + "\n");
	}
}

TEST_F(Compare, AFrameThatIsShorterIsFound)
{
	string text = run({19, 0, true, false, false, 0});

	EXPECT_EQ(report_.n_differ, 1U);
	EXPECT_TOLD(text, "packet 19: different bytes\n");
	EXPECT_TOLD(text, "wrong: behind its end");
}

TEST_F(Compare, AnotherVerdictIsFound)
{
	string text = run({0, 0, false, true, false, 0});

	EXPECT_TOLD(text, "packet 0: different verdict, reason, bytes\n");
	EXPECT_TOLD(text, "wrong    drop, reason no_headroom");
	EXPECT_TOLD(text, "native and wrong treat 1 of 20 packets differently\n");
}

TEST_F(Compare, AnotherRealIsFound)
{
	EXPECT_TOLD(run({3, 0, false, false, true, 0}), "packet 3: different real\n");
}
