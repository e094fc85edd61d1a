/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {
#include "controlplane/api/rpc.h"
}

namespace
{

int echo(void *arg, json_t *params, struct api_reply *reply)
{
	*static_cast<int *>(arg) += 1;
	reply->result = json_incref(params);
	return 0;
}

int refuse(void *, json_t *, struct api_reply *reply)
{
	api_fail(reply, API_NOT_FOUND, "no %s 'x'", "vip");
	api_hint(reply, "try another");
	return api_data(reply, "key", json_string("x"));
}

int forgetful(void *, json_t *, struct api_reply *)
{
	return 0;
}

const struct api_param echo_params[] = {
	{"name", API_STRING, true},         {"weight", API_INTEGER, false},
	{"force", API_BOOLEAN, false},      {"list", API_ARRAY, false},
	{"mac", API_STRING_OR_NULL, false}, {nullptr, API_STRING, false}};
const struct api_method methods[] = {{"vip.show", echo_params, echo},
				     {"vip.list", nullptr, refuse},
				     {"odd", nullptr, forgetful}};

class Rpc : public ::testing::Test
{
      protected:
	int calls = 0;
	std::string raw;
	json_t *answer = nullptr;

	void TearDown() override
	{
		json_decref(answer);
	}
	/* Send a line; the answer as JSON, or NULL for none. */
	json_t *send(const std::string &line)
	{
		struct api_table table = {methods, 3, &calls};
		char *text = nullptr;

		json_decref(answer);
		answer = nullptr;
		raw.clear();
		EXPECT_EQ(api_call(&table, line.data(), line.size(), &text), 0);
		if (!text)
			return nullptr;
		raw = text;
		free(text);
		EXPECT_EQ(raw.back(), '\n');
		EXPECT_EQ(raw.find('\n'), raw.size() - 1) << "one line";
		answer = json_loads(raw.c_str(), 0, nullptr);
		EXPECT_NE(answer, nullptr) << raw;
		EXPECT_STREQ(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
		return answer;
	}
	int code()
	{
		return static_cast<int>(json_integer_value(
			json_object_get(json_object_get(answer, "error"), "code")));
	}
	std::string data(const char *key)
	{
		const char *s = json_string_value(json_object_get(
			json_object_get(json_object_get(answer, "error"), "data"), key));

		return s ? s : "";
	}
};

TEST_F(Rpc, AnswersWithTheRequestsId)
{
	send(R"({"jsonrpc":"2.0","id":"a7","method":"vip.show","params":{"name":"web"}})");
	EXPECT_STREQ(json_string_value(json_object_get(answer, "id")), "a7");
	EXPECT_STREQ(json_string_value(json_object_get(json_object_get(answer, "result"), "name")),
		     "web");
	EXPECT_EQ(calls, 1);
}

TEST_F(Rpc, ANotificationIsCarriedOutAndNotAnswered)
{
	EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"vip.show","params":{"name":"web"}})"),
		  nullptr);
	EXPECT_EQ(calls, 1);
	EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"vip.shwo"})"), nullptr) << "nor on error";
}

TEST_F(Rpc, ALineThatIsNoJsonIsAParseError)
{
	for (const char *line : {"", "{", "nonsense", "{\"a\":1,\"a\":2}", "{} {}", "\xff\xfe"}) {
		ASSERT_NE(send(line), nullptr) << line;
		EXPECT_EQ(code(), -32700) << line;
		EXPECT_TRUE(json_is_null(json_object_get(answer, "id")));
		EXPECT_EQ(data("name"), "parse_error");
	}
}

TEST_F(Rpc, WhatIsNoRequestIsAnInvalidRequest)
{
	for (const char *line :
	     {"1", "null", "[]", R"([{"jsonrpc":"2.0","id":1,"method":"odd"}])", "{}",
	      R"({"id":1,"method":"odd"})", R"({"jsonrpc":"1.0","id":1,"method":"odd"})",
	      R"({"jsonrpc":"2.0","id":1})", R"({"jsonrpc":"2.0","id":1,"method":7})",
	      R"({"jsonrpc":"2.0","id":{},"method":"odd"})"}) {
		ASSERT_NE(send(line), nullptr) << line;
		EXPECT_EQ(code(), -32600) << line;
	}
	EXPECT_EQ(calls, 0);
}

TEST_F(Rpc, AnUnknownMethodNamesTheOneThatWasMeant)
{
	send(R"({"jsonrpc":"2.0","id":1,"method":"vip.shwo"})");
	EXPECT_EQ(code(), -32601);
	EXPECT_EQ(data("nearest"), "vip.show");
	EXPECT_EQ(data("hint"), "did you mean 'vip.show'?");
	send(R"({"jsonrpc":"2.0","id":1,"method":"zzzzzz"})");
	EXPECT_EQ(code(), -32601);
	EXPECT_NE(raw.find("\"nearest\":null"), std::string::npos);
}

TEST_F(Rpc, ParametersAreCheckedBeforeTheHandlerRuns)
{
	struct {
		const char *params, *param;
	} bad[] = {
		{"{}", "name"},
		{R"({"name":7})", "name"},
		{R"({"name":null})", "name"},
		{R"({"nmae":"web"})", "nmae"},
		{R"({"name":"web","weight":"7"})", "weight"},
		{R"({"name":"web","weight":1.5})", "weight"},
		{R"({"name":"web","force":1})", "force"},
		{R"({"name":"web","list":{}})", "list"},
		{R"({"name":"web","mac":7})", "mac"},
		{R"(["web"])", ""},
	};

	for (const auto &b : bad) {
		send(std::string(R"({"jsonrpc":"2.0","id":1,"method":"vip.show","params":)") +
		     b.params + "}");
		EXPECT_EQ(code(), -32602) << b.params;
		EXPECT_EQ(data("param"), b.param) << b.params;
	}
	EXPECT_EQ(calls, 0);
	send(R"({"jsonrpc":"2.0","id":1,"method":"vip.show",)"
	     R"("params":{"name":"w","weight":1,"force":true,"list":[],"mac":null}})");
	EXPECT_EQ(calls, 1);
}

TEST_F(Rpc, AMethodWithoutParametersTakesNone)
{
	send(R"({"jsonrpc":"2.0","id":1,"method":"vip.list","params":{"verbose":true}})");
	EXPECT_EQ(code(), -32602);
	EXPECT_EQ(data("param"), "verbose");
}

TEST_F(Rpc, AHandlersErrorCarriesItsWordsHintAndData)
{
	send(R"({"jsonrpc":"2.0","id":1,"method":"vip.list"})");
	EXPECT_EQ(code(), 1);
	EXPECT_EQ(data("name"), "not_found");
	EXPECT_EQ(data("hint"), "try another");
	EXPECT_EQ(data("key"), "x");
	EXPECT_EQ(json_object_get(answer, "result"), nullptr);
}

TEST_F(Rpc, AHandlerThatMadeNoResultIsAnInternalError)
{
	send(R"({"jsonrpc":"2.0","id":1,"method":"odd"})");
	EXPECT_EQ(code(), -32603);
}

} // namespace
