/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tells of interfaces, as messages: this works on kernels without VLAN devices. */
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

extern "C" {
#include "controlplane/neighbour/links.h"
}

namespace
{

constexpr unsigned CARRIER = 1U << 16; /* IFF_LOWER_UP: <linux/if.h> and <net/if.h> don't mix */
constexpr uint32_t DOT1Q = ETH_P_8021Q << 16, DOT1AD = (uint32_t)ETH_P_8021AD << 16;

/* An RTM_NEWLINK as the kernel writes it. */
class Message
{
	alignas(nlmsghdr) char buf[1024] = {};

      public:
	nlmsghdr *nlh;

	Message(uint32_t ifindex, const char *name, uint32_t mtu = 1500)
	{
		const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)ifindex};

		nlh = mnl_nlmsg_put_header(buf);
		nlh->nlmsg_type = RTM_NEWLINK;
		auto *ifi = (ifinfomsg *)mnl_nlmsg_put_extra_header(nlh, sizeof(ifinfomsg));
		ifi->ifi_type = ARPHRD_ETHER;
		ifi->ifi_index = (int)ifindex;
		ifi->ifi_flags = IFF_UP | CARRIER;
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
		mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
		mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	}

	Message &on(uint32_t lower)
	{
		mnl_attr_put_u32(nlh, IFLA_LINK, lower);
		return *this;
	}

	Message &elsewhere()
	{
		mnl_attr_put_u32(nlh, IFLA_LINK_NETNSID, 0);
		return *this;
	}

	Message &kind(const char *kind)
	{
		nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);

		mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
		mnl_attr_nest_end(nlh, info);
		return *this;
	}

	/* kind: another device's data may have an attribute of the same number. */
	Message &vlan(uint16_t id, uint16_t protocol = ETH_P_8021Q, const char *kind = "vlan")
	{
		nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
		ifla_vlan_flags flags = {1, 1};

		mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
		nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
		if (protocol)
			mnl_attr_put_u16(nlh, IFLA_VLAN_PROTOCOL, htons(protocol));
		mnl_attr_put_u16(nlh, IFLA_VLAN_ID, id);
		mnl_attr_put(nlh, IFLA_VLAN_FLAGS, sizeof(flags), &flags);
		mnl_attr_nest_end(nlh, data);
		mnl_attr_nest_end(nlh, info);
		return *this;
	}
};

class Links : public testing::Test
{
      protected:
	struct links links = {};
	struct neighbour_egress egress = {};
	struct err err = {};
	std::set<std::string> own = {"eth0"};

	~Links() override
	{
		links_fini(&links);
	}

	int told(const Message &message)
	{
		struct neighbour_link link;

		return links_update(&links, message.nlh, &link);
	}

	int way(uint32_t ifindex)
	{
		return links_egress(
			&links, ifindex,
			[](void *arg, const char *name) {
				return ((Links *)arg)->own.count(name) != 0;
			},
			this, &egress, &err);
	}
};

TEST_F(Links, VlanDeviceTellsItsTagAndWhatItLiesOn)
{
	struct neighbour_link link;

	ASSERT_TRUE(links_parse(Message(7, "eth0.100").on(3).vlan(100).nlh, &link));
	EXPECT_EQ(link.tag, DOT1Q | 100);
	EXPECT_EQ(link.lower, 3u);
	ASSERT_TRUE(links_parse(Message(7, "s").on(3).vlan(4094, ETH_P_8021AD).nlh, &link));
	EXPECT_EQ(link.tag, DOT1AD | 4094);
	ASSERT_TRUE(links_parse(Message(7, "old").on(3).vlan(5, 0).nlh, &link));
	EXPECT_EQ(link.tag, DOT1Q | 5) << "a kernel that doesn't say which";
	ASSERT_TRUE(links_parse(Message(7, "zero").on(3).vlan(0).nlh, &link));
	EXPECT_EQ(link.tag, DOT1Q) << "a priority tag is a tag";
}

TEST_F(Links, OtherDevicesThatLieOnOneHaveNoTag)
{
	struct neighbour_link link;

	for (const char *kind : {"macvlan", "veth", "vlan2", "vla", ""}) {
		ASSERT_TRUE(links_parse(Message(7, "x").on(3).vlan(100, 0, kind).nlh, &link));
		EXPECT_EQ(link.tag, 0u) << kind;
		EXPECT_EQ(link.lower, 0u) << kind;
	}
	ASSERT_TRUE(links_parse(Message(7, "x").on(3).kind("vlan").nlh, &link));
	EXPECT_EQ(link.tag, 0u) << "no data: not known";
}

TEST_F(Links, AnotherTagIsAChange)
{
	EXPECT_EQ(told(Message(7, "v").on(3).vlan(100)), LINKS_CHANGED);
	EXPECT_EQ(told(Message(7, "v").on(3).vlan(100)), LINKS_SAME);
	EXPECT_EQ(told(Message(7, "v").on(3).vlan(101)), LINKS_CHANGED);
	EXPECT_EQ(told(Message(7, "v").on(4).vlan(101)), LINKS_CHANGED);
}

TEST_F(Links, InterfaceWithoutTagsIsItsOwnWayOut)
{
	told(Message(3, "eth0"));
	told(Message(4, "eth1"));
	ASSERT_EQ(way(3), 0);
	EXPECT_EQ(egress.device.ifindex, 3u);
	EXPECT_EQ(egress.n_tags, 0u);
	ASSERT_EQ(way(4), 0) << "also where no client traffic arrives";
	EXPECT_EQ(egress.device.ifindex, 4u);
	EXPECT_EQ(way(5), -ENODEV);
	EXPECT_STREQ(err.text, "interface 5 doesn't exist");
}

TEST_F(Links, FramesLeaveByWhatAVlanDeviceLiesOn)
{
	told(Message(3, "eth0", 9000));
	told(Message(7, "eth0.100", 1500).on(3).vlan(100));
	ASSERT_EQ(way(7), 0) << err.text;
	EXPECT_STREQ(egress.device.name, "eth0");
	EXPECT_EQ(egress.device.ifindex, 3u);
	EXPECT_EQ(egress.link.ifindex, 7u);
	EXPECT_EQ(egress.link.mtu, 1500u);
	EXPECT_EQ(egress.link.mac[5], 7);
	ASSERT_EQ(egress.n_tags, 1u);
	EXPECT_EQ(egress.tags[0], DOT1Q | 100);
}

TEST_F(Links, TheLowestVlanDeviceHasTheOutermostTag)
{
	told(Message(8, "inner").on(7).vlan(20));
	told(Message(7, "outer").on(3).vlan(100, ETH_P_8021AD));
	told(Message(3, "eth0"));
	ASSERT_EQ(way(8), 0) << err.text;
	EXPECT_EQ(egress.device.ifindex, 3u);
	ASSERT_EQ(egress.n_tags, 2u);
	EXPECT_EQ(egress.tags[0], DOT1AD | 100);
	EXPECT_EQ(egress.tags[1], DOT1Q | 20);
}

TEST_F(Links, ThreeTagsAreTooMany)
{
	told(Message(3, "eth0"));
	told(Message(7, "a").on(3).vlan(1));
	told(Message(8, "b").on(7).vlan(2));
	told(Message(9, "c").on(8).vlan(3));
	EXPECT_EQ(way(9), -E2BIG);
	EXPECT_STREQ(err.text, "frames through c would have more than 2 VLAN tags: reach the real "
			       "through fewer VLAN devices on each other");
}

TEST_F(Links, VlanDeviceOnAForeignInterfaceIsRefusedInWords)
{
	told(Message(3, "eth0"));
	told(Message(4, "eth1"));
	told(Message(7, "eth1.100").on(4).vlan(100));
	EXPECT_EQ(way(7), -ENODEV);
	EXPECT_STREQ(err.text,
		     "VLAN device eth1.100 lies on eth1, which is not in node.interfaces: add it "
		     "there, or reach the real through another interface");
	told(Message(8, "guest").on(3).vlan(100).elsewhere());
	EXPECT_EQ(way(8), -ENODEV) << "3 is another interface there";
	EXPECT_STREQ(err.text, "VLAN device guest lies on an interface of another network "
			       "namespace: reach the real through an interface of this one");
	told(Message(9, "new").on(10).vlan(100));
	EXPECT_EQ(way(9), -ENODEV);
	EXPECT_STREQ(err.text, "waiting for news of interface 10 below new");
}

TEST_F(Links, VlanDeviceThatIsAnInterfaceOfTheNodeNeedsNoTag)
{
	own = {"eth0.100"};
	told(Message(3, "eth0"));
	told(Message(7, "eth0.100").on(3).vlan(100));
	told(Message(8, "eth0.100.20").on(7).vlan(20));
	ASSERT_EQ(way(7), 0) << err.text;
	EXPECT_EQ(egress.device.ifindex, 7u);
	EXPECT_EQ(egress.n_tags, 0u);
	ASSERT_EQ(way(8), 0) << err.text;
	EXPECT_EQ(egress.device.ifindex, 7u);
	ASSERT_EQ(egress.n_tags, 1u);
	EXPECT_EQ(egress.tags[0], DOT1Q | 20);
}

TEST_F(Links, VlanDeviceThatLiesOnItselfEnds)
{
	told(Message(7, "a").on(7).vlan(1));
	EXPECT_EQ(way(7), -E2BIG);
}

} // namespace
