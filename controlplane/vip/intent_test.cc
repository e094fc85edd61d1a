/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/vip_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace
{

class Intent : public ::testing::Test
{
      protected:
	std::string dir, path;
	struct vip_intent in = {};
	struct err err = {};

	void SetUp() override
	{
		char name[] = "/tmp/fairway-intent-XXXXXX";

		ASSERT_NE(mkdtemp(name), nullptr);
		dir = name;
		path = dir + "/intent.json";
	}
	void TearDown() override
	{
		vip_intent_fini(&in);
		unlink(path.c_str());
		unlink((path + ".corrupt").c_str());
		unlink((path + ".new").c_str());
		rmdir(dir.c_str());
	}
	void write(const std::string &text)
	{
		std::ofstream(path) << text;
	}
	bool exists(const std::string &p)
	{
		struct stat st;

		return stat(p.c_str(), &st) == 0;
	}
};

TEST_F(Intent, SurvivesARestart)
{
	struct addr a = test_addr("10.0.0.11"), b = test_addr("2001:db8::1");
	struct vip_intent back = {};

	in.node_drained = true;
	ASSERT_EQ(vip_intent_set(&in, "web", &a, VIP_INTENT_DRAIN), 0);
	ASSERT_EQ(vip_intent_set(&in, "web", &b, VIP_INTENT_DISABLE), 0);
	ASSERT_EQ(vip_intent_save(path.c_str(), &in, &err), 0) << err.text;
	ASSERT_EQ(vip_intent_load(path.c_str(), &back, &err), 0) << err.text;
	EXPECT_TRUE(back.node_drained);
	EXPECT_EQ(vip_intent_get(&back, "web", &a), VIP_INTENT_DRAIN);
	EXPECT_EQ(vip_intent_get(&back, "web", &b), VIP_INTENT_DISABLE);
	EXPECT_EQ(vip_intent_get(&back, "api", &a), VIP_INTENT_ENABLE);
	EXPECT_FALSE(exists(path + ".new"));
	vip_intent_fini(&back);
}

TEST_F(Intent, NoFileIsNoIntent)
{
	in.node_drained = true;
	ASSERT_EQ(vip_intent_load(path.c_str(), &in, &err), 0);
	EXPECT_FALSE(in.node_drained);
	EXPECT_EQ(in.n_reals, 0u);
}

TEST_F(Intent, ACorruptFileIsMovedAsideAndNamed)
{
	for (const char *text :
	     {"", "{", "[]", "{\"version\": 2, \"node_drained\": false, \"reals\": []}",
	      "{\"version\": 1, \"reals\": []}",
	      "{\"version\": 1, \"node_drained\": true, \"reals\": [{\"pool\": \"web\"}]}",
	      "{\"version\": 1, \"node_drained\": true, \"reals\": [{\"pool\": \"web\", "
	      "\"address\": \"10.0.0\", \"intent\": \"drain\"}]}",
	      "{\"version\": 1, \"node_drained\": true, \"reals\": [{\"pool\": \"web\", "
	      "\"address\": \"10.0.0.1\", \"intent\": \"dance\"}]}"}) {
		write(text);
		EXPECT_EQ(vip_intent_load(path.c_str(), &in, &err), -EINVAL) << text;
		EXPECT_NE(std::string(err.text).find(path + ".corrupt"), std::string::npos)
			<< err.text;
		EXPECT_FALSE(in.node_drained) << text;
		EXPECT_EQ(in.n_reals, 0u) << text;
		EXPECT_FALSE(exists(path));
		EXPECT_TRUE(exists(path + ".corrupt"));
	}
}

TEST_F(Intent, AFailedSaveLeavesTheOldFile)
{
	struct vip_intent back = {};

	in.node_drained = true;
	ASSERT_EQ(vip_intent_save(path.c_str(), &in, &err), 0);
	in.node_drained = false;
	ASSERT_EQ(mkdir((path + ".new").c_str(), 0700), 0);
	EXPECT_LT(vip_intent_save(path.c_str(), &in, &err), 0);
	EXPECT_NE(std::string(err.text).find("can't be written"), std::string::npos) << err.text;
	ASSERT_EQ(rmdir((path + ".new").c_str()), 0);
	ASSERT_EQ(vip_intent_load(path.c_str(), &back, &err), 0);
	EXPECT_TRUE(back.node_drained);
	vip_intent_fini(&back);
}

TEST_F(Intent, ARealThatIsGoneIsForgotten)
{
	Node node{test_node() +
		  "pools: [{name: web, encap: ipip, reals: [{address: 10.0.0.11}]}]\nvips: []\n"};
	struct addr stays = test_addr("10.0.0.11"), goes = test_addr("10.0.0.12");

	ASSERT_EQ(vip_intent_set(&in, "web", &stays, VIP_INTENT_DRAIN), 0);
	ASSERT_EQ(vip_intent_set(&in, "web", &goes, VIP_INTENT_DRAIN), 0);
	ASSERT_EQ(vip_intent_set(&in, "old", &stays, VIP_INTENT_DRAIN), 0);
	EXPECT_EQ(vip_intent_prune(&in, node.cfg), 2u);
	EXPECT_EQ(vip_intent_get(&in, "web", &stays), VIP_INTENT_DRAIN);
	EXPECT_EQ(vip_intent_get(&in, "web", &goes), VIP_INTENT_ENABLE);
}

} // namespace
