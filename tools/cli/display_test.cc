/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "tools/cli/display.h"
#include "tools/cli/views.h"
}

namespace
{

std::string show(const char *json, const struct view *view)
{
	json_error_t why;
	json_t *doc = json_loads(json, 0, &why);
	char *text = nullptr;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	EXPECT_NE(doc, nullptr) << why.text << " at " << why.line << ":" << why.column;
	EXPECT_EQ(view ? display_view(out, doc, view) : display_json(out, doc), 0);
	fclose(out);
	std::string shown = text;
	free(text);
	json_decref(doc);
	return shown;
}

std::string bytes(unsigned long long n)
{
	char buf[DISPLAY_UNIT_LEN];
	return display_bytes(n, buf);
}

std::string age(unsigned long long ms)
{
	char buf[DISPLAY_UNIT_LEN];
	return display_age(ms, buf);
}

const struct view_column name_and_count[] = {
	{"NAME", "name", cell_text, false, false},
	{"COUNT", "n.count", cell_text, true, false},
	{"LAST", "last", cell_text, false, false},
	{nullptr, nullptr, nullptr, false, false},
};
const struct view_block table_block[] = {
	{VIEW_TABLE, nullptr, "list", name_and_count, "none there"}};
const struct view table = {table_block, 1};

} // namespace

TEST(Display, TablesAreAligned)
{
	EXPECT_EQ(show(R"({"list":[{"name":"a","n":{"count":5},"last":"x"},)"
		       R"({"name":"longer","n":{"count":123456},"last":"y"}]})",
		       &table),
		  "NAME     COUNT  LAST\n"
		  "a            5  x\n"
		  "longer  123456  y\n");
}

TEST(Display, AlignmentCountsLettersNotBytes)
{
	EXPECT_EQ(show(R"({"list":[{"name":"zürich","n":{"count":1},"last":"x"},)"
		       R"({"name":"berlin","n":{"count":1},"last":"y"}]})",
		       &table),
		  "NAME    COUNT  LAST\n"
		  "zürich      1  x\n"
		  "berlin      1  y\n");
}

TEST(Display, WhatIsNotThereIsADash)
{
	EXPECT_EQ(show(R"({"list":[{"name":"a","n":null}]})", &table), "NAME  COUNT  LAST\n"
								       "a         -  -\n");
}

TEST(Display, EmptyListsSaySo)
{
	EXPECT_EQ(show(R"({"list":[]})", &table), "none there\n");
	EXPECT_EQ(show("{}", &table), "none there\n");
}

TEST(Display, ControlCharactersDontReachTheTerminal)
{
	EXPECT_EQ(show("{\"list\":[{\"name\":\"\\u001b[31mred\\r\\n\\u007f\\u009b\"}]}", &table),
		  "NAME          COUNT  LAST\n"
		  "?[31mred????      -  -\n");
}

TEST(Display, RowsOfListsInListsAreOneTable)
{
	const struct view_block block[] = {
		{VIEW_TABLE, nullptr, "pools.reals", name_and_count, nullptr}};
	const struct view view = {block, 1};

	EXPECT_EQ(
		show(R"({"pools":[{"reals":[{"name":"a"}]},{"reals":[{"name":"b"}]},{}]})", &view),
		"NAME  COUNT  LAST\n"
		"a         -  -\n"
		"b         -  -\n");
}

TEST(Display, JsonKeepsOrderAndNumbers)
{
	EXPECT_EQ(show(R"({"z":1,"a":33.33,"big":9007199254740993,"s":"é"})", nullptr),
		  "{\n  \"z\": 1,\n  \"a\": 33.33,\n  \"big\": 9007199254740993,\n"
		  "  \"s\": \"é\"\n}\n");
}

TEST(Display, BytesHaveUnits)
{
	EXPECT_EQ(bytes(0), "0");
	EXPECT_EQ(bytes(999), "999");
	EXPECT_EQ(bytes(1000), "1.0k");
	EXPECT_EQ(bytes(1550), "1.6k");
	EXPECT_EQ(bytes(999949), "999.9k");
	EXPECT_EQ(bytes(999999), "1.0M");
	EXPECT_EQ(bytes(1234567890123ULL), "1.2T");
	EXPECT_EQ(bytes(18446744073709551615ULL), "18.4E");
}

TEST(Display, AgesAreShort)
{
	EXPECT_EQ(age(0), "0ms");
	EXPECT_EQ(age(999), "999ms");
	EXPECT_EQ(age(1500), "1.5s");
	EXPECT_EQ(age(59999), "59.9s");
	EXPECT_EQ(age(60000), "1m00s");
	EXPECT_EQ(age(3600000), "1h00m");
	EXPECT_EQ(age(90000000), "1d01h");
	/* Past the 49.7 days of a 32-bit millisecond counter. */
	EXPECT_EQ(age(4320000000ULL), "50d00h");
}

TEST(Views, VipListSaysWhyAVipIsNotAnnounced)
{
	std::string text = show(
		R"({"vips":[{"name":"web","address":"203.0.113.80","announce":{"when":"healthy",
		"announced":false,"reason":"pool web: 0 of 3 reals up"},"services":[
		{"protocol":"tcp","port":443,"pool":"web","reals_up":0,"reals_total":3},
		{"protocol":"udp","port":0,"pool":"w2","reals_up":2,"reals_total":2}],
		"packets":7,"bytes":1500}]})",
		&view_vip_list);
	EXPECT_EQ(text, "NAME  ADDRESS       ANNOUNCED  SERVICES                REALS  PACKETS  "
			"BYTES  REASON\n"
			"web   203.0.113.80  no         tcp/443=web udp/any=w2    0/3        7   "
			"1.5k  pool web: 0 of 3 reals up\n");
}

TEST(Views, ChangesSayWhatBreaksAndThatTheyAreUnsaved)
{
	EXPECT_EQ(show(R"({"changed":true,"unsaved_changes":true,"plan":[
		       {"action":"remove","text":"remove real r","breaks":"its connections end"}],"warnings":["two left"]})",
		       &view_change),
		  "remove real r\n    breaks: its connections end\nwarning: two left\n"
		  "unsaved: `fairway config save` writes the running configuration to its file\n");
	/* Intent isn't for the file. */
	EXPECT_EQ(show(R"({"changed":true,"unsaved_changes":true,"plan":[
		       {"action":"drain","text":"drain real r","breaks":null}],"warnings":[]})",
		       &view_change),
		  "drain real r\n");
	EXPECT_EQ(show(R"({"changed":false,"unsaved_changes":true,"plan":[],"warnings":[]})",
		       &view_change),
		  "nothing to change: it is so already\n");
}

TEST(Views, FindingsHaveFileLineAndColumn)
{
	EXPECT_EQ(show(R"({"file":"f.yaml","ok":false,"errors":[{"file":"f.yaml","line":12,
		       "column":7,"message":"unknown key 'prot'","hint":"did you mean 'port'?"}],
		       "warnings":[{"file":null,"line":0,"column":0,"message":"old","hint":null}],
		       "not_checked":["routes"]})",
		       &view_config_check),
		  "f.yaml:12:7: unknown key 'prot': did you mean 'port'?\n"
		  "warning: old\nnot checked: routes\nf.yaml: 1 error\n");
}

/* A daemon newer or older than this program must not crash it. */
TEST(Views, SurviveDocumentsOfAnyShape)
{
	const char *const documents[] = {
		"{}",
		R"({"vips":[1,"x",null,[],{}],"vip":[],"pools":{"reals":3},"reals":[[{}]]})",
		R"({"vips":[{"services":{},"announce":[]}],"pools":[{"health":1,"vips":{}}]})",
		R"({"plan":"x","warnings":[{"message":3}],"errors":[null,{"line":"x"}]})",
		R"({"totals":[],"tables":[{"max":-1}],"interfaces":"no","peers":[{"age_ms":-5}]})",
		R"({"reals":[{"next_hop":{},"last_check":{},"bytes":-1,"packets":1.5}]})",
		R"({"reasons":7,"steps":{},"entries":[{}],"checks":null,"text":5})",
	};

	for (const struct view *const *view = views_all; *view; view++) {
		for (const char *doc : documents)
			show(doc, *view);
	}
}
