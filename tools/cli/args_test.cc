/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" {
#include "tools/cli/args.h"
#include "tools/cli/param.h"
}

namespace
{

/* A command line taken all the way to params; text is the params' JSON, or the error. */
struct outcome {
	int ret;
	std::string text;
	const struct command *cmd;
};

outcome parse(std::vector<std::string> words)
{
	std::vector<char *> argv{const_cast<char *>("fairway")};
	struct args_options opts;
	struct args_given given[ARGS_WORDS_MAX];
	const struct command *cmd = nullptr;
	size_t used = 0, n = 0;
	struct err err = {};
	json_t *params = nullptr;

	for (std::string &w : words)
		argv.push_back(w.data());
	int ret = args_split((int)argv.size(), argv.data(), &opts, &err);
	if (ret == 0)
		ret = args_find_command(&opts, &cmd, &used, &err);
	if (ret == 0)
		ret = args_match(cmd, opts.words + used, opts.n_words - used, given, &n, &err);
	if (ret == 0)
		ret = args_params(cmd, given, n, opts.force, &params, &err);
	if (ret < 0)
		return {ret, err.text, cmd};
	char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	outcome o{0, text, cmd};
	free(text);
	json_decref(params);
	return o;
}

std::vector<std::string> split(const std::string &line)
{
	std::vector<std::string> words;
	size_t at = 0;

	while (at < line.size()) {
		size_t end = std::min(line.find(' ', at), line.size());
		words.push_back(line.substr(at, end - at));
		at = end + 1;
	}
	return words;
}

void expect_params(const std::string &line, const std::string &params)
{
	outcome o = parse(split(line));
	EXPECT_EQ(o.ret, 0) << line << ": " << o.text;
	EXPECT_EQ(o.text, params) << line;
}

/* Refused as wrong usage, and the message has part. */
void expect_usage(const std::string &line, const std::string &part)
{
	outcome o = parse(split(line));
	EXPECT_EQ(o.ret, -EINVAL) << line << " gave " << o.text;
	EXPECT_NE(o.text.find(part), std::string::npos) << line << " said: " << o.text;
}

} // namespace

TEST(Args, TurnKeyValuePairsIntoParams)
{
	expect_params("vip add web address 203.0.113.80",
		      R"({"address":"203.0.113.80","name":"web"})");
	expect_params("vip add web address 203.0.113.80 service tcp/443=web service udp/any=w2 "
		      "announce never",
		      R"({"address":"203.0.113.80","announce":"never","name":"web","services":)"
		      R"([{"pool":"web","port":443,"protocol":"tcp"},)"
		      R"({"pool":"w2","port":0,"protocol":"udp"}]})");
	expect_params("vip set web no-service tcp/443",
		      R"({"name":"web","remove_services":[{"port":443,"protocol":"tcp"}]})");
	expect_params("real set web 10.0.0.1 weight 0 mac none",
		      R"({"address":"10.0.0.1","mac":null,"pool":"web","weight":0})");
	expect_params("journal limit 7", R"({"limit":7})");
	expect_params("explain udp [2001:DB8::7]:1 [2001:db8::80]:443",
		      R"({"destination":"[2001:db8::80]:443","protocol":"udp",)"
		      R"("source":"[2001:db8::7]:1"})");
}

TEST(Args, KeysComeInAnyOrder)
{
	expect_params("vip add web announce always address 203.0.113.80",
		      R"({"address":"203.0.113.80","announce":"always","name":"web"})");
}

TEST(Args, LeadingOptionalArgumentIsTheOneLeftOut)
{
	expect_params("real drain 10.0.0.1", R"({"address":"10.0.0.1"})");
	expect_params("real drain web 10.0.0.1", R"({"address":"10.0.0.1","pool":"web"})");
	expect_params("real list", "{}");
	expect_params("real list web", R"({"pool":"web"})");
}

TEST(Args, NamesThatAreKeysStillWorkAsNames)
{
	expect_params("real set weight 10.0.0.1 weight 5",
		      R"({"address":"10.0.0.1","pool":"weight","weight":5})");
	expect_params("vip show address", R"({"name":"address"})");
}

TEST(Args, OptionsStandAnywhere)
{
	expect_params("--json vip remove web --force", R"({"force":true,"name":"web"})");
	expect_params("vip --socket /x remove --timeout=2 web", R"({"name":"web"})");
	expect_params("vip show -- web", R"({"name":"web"})");
}

TEST(Args, OptionValuesReachTheOptions)
{
	char a0[] = "fairway", a1[] = "--socket=/tmp/s", a2[] = "--timeout", a3[] = "0.5",
	     a4[] = "--json";
	char *argv[] = {a0, a1, a2, a3, a4};
	struct args_options opts;
	struct err err;

	ASSERT_EQ(args_split(5, argv, &opts, &err), 0);
	EXPECT_STREQ(opts.socket, "/tmp/s");
	EXPECT_EQ(opts.timeout_ms, 500u);
	EXPECT_TRUE(opts.json);
	EXPECT_EQ(opts.n_words, 0u);
}

TEST(Args, WrongOptionsAreRefused)
{
	expect_usage("--jsn status", "did you mean --json?");
	expect_usage("--frobnicate status", "unknown option --frobnicate");
	expect_usage("--json=yes status", "takes no value");
	expect_usage("status --socket", "needs a value");
	expect_usage("--timeout 0 status", "--timeout 0");
	expect_usage("--timeout 5s status", "--timeout 5s");
	expect_usage("--timeout nan status", "--timeout nan");
	expect_usage("-x status", "unknown option -x");
	expect_usage("status --force", "takes no --force");
}

TEST(Args, UnknownWordsSuggestTheNearest)
{
	expect_usage("vpi list", "did you mean `fairway vip`?");
	expect_usage("stat", "did you mean `fairway status`?");
	expect_usage("conf diff", "did you mean `fairway config`?");
	expect_usage("vip lsit", "did you mean `fairway vip list`?");
	expect_usage("vip frobnicate", "it knows: list, show, add, remove, set");
	expect_usage("vip", "needs to know what to do: list");
	expect_usage("vip add web adress 192.0.2.1", "did you mean 'address'?");
	expect_usage("zzzzzzzz", "lists them");
}

TEST(Args, AbbreviationsAreNotCommands)
{
	expect_usage("v list", "unknown command 'v'");
	expect_usage("vip l", "doesn't know 'l'");
	expect_usage("vip add web addr 192.0.2.1", "unexpected 'addr'");
}

TEST(Args, MissingAndSurplusWordsAreNamed)
{
	expect_usage("vip show", "NAME is missing");
	expect_usage("vip add web", "'address ADDRESS' is missing");
	expect_usage("vip add web address", "'address' needs a value");
	expect_usage("vip set web", "nothing to change");
	expect_usage("vip add web address 192.0.2.1 address 192.0.2.2", "given twice");
	expect_usage("status extra", "unexpected 'extra'");
	expect_usage("real drain a 10.0.0.1 b", "unexpected 'b'");
	expect_usage("explain tcp 192.0.2.1:1", "DESTINATION:PORT is missing");
}

TEST(Args, ValuesThatCannotBeAreUsageErrors)
{
	expect_usage("vip add web address 192.0.2", "192.0.2");
	expect_usage("vip add web address 192.0.2.1 service tcp=web", "PROTOCOL/PORT=POOL");
	expect_usage("vip add web address 192.0.2.1 service tcp/443", "PROTOCOL/PORT=POOL");
	expect_usage("vip add web address 192.0.2.1 service tcp/65536=web", "65536");
	expect_usage("vip add web address 192.0.2.1 service sctp/1=web", "sctp");
	expect_usage("vip add web address 192.0.2.1 service tcp/443=", "name");
	expect_usage("vip set web no-service tcp", "PROTOCOL/PORT");
	expect_usage("vip set web announce sometimes", "healthy, always, never");
	expect_usage("real add web 10.0.0.1 weight 1001", "1001");
	expect_usage("real add web 10.0.0.1 mac 02:00", "02:00");
	expect_usage("explain icmp 192.0.2.1:1 192.0.2.2:2", "icmp");
	expect_usage("explain tcp 192.0.2.1 192.0.2.2:2", "SOURCE:PORT");
	expect_usage("journal limit 0", "0");
	expect_usage("journal limit 1001", "1001");
	expect_usage("journal limit ten", "ten");
	expect_usage("vip show a\x01"
		     "b",
		     "vip show");
}

TEST(Args, ManyWordsAreRefusedNotOverrun)
{
	std::vector<std::string> words{"vip", "set", "web"};
	for (int i = 0; i < ARGS_WORDS_MAX; i++)
		words.push_back("service");
	outcome o = parse(words);
	EXPECT_EQ(o.ret, -EINVAL);
	EXPECT_NE(o.text.find("more than"), std::string::npos);
}

class ArgsFile : public ::testing::Test
{
	char path_[32] = "/tmp/fairway-args-XXXXXX";

      protected:
	void SetUp() override
	{
		int fd = mkstemp(path_);
		ASSERT_GE(fd, 0);
		close(fd);
	}
	void TearDown() override
	{
		unlink(path_);
	}
	std::string path() const
	{
		return path_;
	}
	void write(const std::string &text)
	{
		FILE *f = fopen(path_, "w");
		ASSERT_NE(f, nullptr);
		ASSERT_EQ(fwrite(text.data(), 1, text.size(), f), text.size());
		ASSERT_EQ(fclose(f), 0);
	}
};

TEST_F(ArgsFile, TextAndNameOfAFileAreParams)
{
	write("node: {}\n");
	expect_params("config diff " + path(),
		      R"({"file":")" + path() + R"(","text":"node: {}\n"})");
}

TEST_F(ArgsFile, LargeFilesArriveWhole)
{
	std::string text(1000000, 'x');
	write(text);
	outcome o = parse({"config", "apply", path()});
	ASSERT_EQ(o.ret, 0) << o.text;
	EXPECT_NE(o.text.find(text), std::string::npos);
}

TEST_F(ArgsFile, FilesThatAreNoTextAreRefused)
{
	write(std::string("node:\0", 6));
	EXPECT_NE(parse({"config", "apply", path()}).text.find("NUL"), std::string::npos);
	write("node: \xff\n");
	EXPECT_NE(parse({"config", "apply", path()}).text.find("UTF-8"), std::string::npos);
}

TEST_F(ArgsFile, FilesThatCannotBeReadAreNamed)
{
	outcome o = parse({"config", "apply", "/nonexistent/f.yaml"});
	EXPECT_EQ(o.ret, -ENOENT);
	EXPECT_NE(o.text.find("/nonexistent/f.yaml: No such file"), std::string::npos) << o.text;
	EXPECT_EQ(parse({"config", "apply", "/"}).ret, -EISDIR);
}

TEST_F(ArgsFile, SizeIsBounded)
{
	char *text;
	size_t len;
	struct err err;

	write(std::string(4096, 'x'));
	EXPECT_EQ(param_read_file(path().c_str(), 4095, &text, &len, &err), -EFBIG);
	ASSERT_EQ(param_read_file(path().c_str(), 4096, &text, &len, &err), 0);
	EXPECT_EQ(len, 4096u);
	free(text);
}
