/* SPDX-License-Identifier: BSD-2-Clause */
/* By what frames leave: interfaces, VLAN devices on them, and the tags that they bring. */
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/publish/memory_engine.h"
#include "controlplane/publish/publish.h"
#include "dataplane/native/native.h"
}

namespace
{

using Bytes = std::vector<uint8_t>;

constexpr uint32_t ETH0 = 3, ETH0_100 = 7, ETH0_100_20 = 8;
constexpr uint32_t TAG_100 = 0x88a80064, TAG_20 = 0x81000014;
const uint8_t REAL_MAC[6] = {2, 0, 0, 0, 0, 0x11};

struct addr A(const char *text) {
	struct addr a;

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

/* A SYN to 203.0.113.80:443 with these tags. */
Bytes
syn(const Bytes &tags, uint16_t ip_bytes = 40)
{
	const uint8_t macs[12] = {2, 0, 0, 0, 0, 0x0a, 2, 0, 0, 0, 0, 0x0b};
	const uint8_t ip[] = {8,
			      0,
			      0x45,
			      0,
			      (uint8_t)(ip_bytes >> 8),
			      (uint8_t)ip_bytes,
			      0,
			      0,
			      0,
			      0,
			      64,
			      6,
			      0,
			      0,
			      198,
			      51,
			      100,
			      7,
			      203,
			      0,
			      113,
			      80,
			      0x03,
			      0xe7,
			      0x01,
			      0xbb};
	const size_t ip_at = sizeof(macs) + tags.size();
	Bytes frame(ip_at + 2 + ip_bytes);

	memcpy(frame.data(), macs, sizeof(macs));
	if (!tags.empty())
		memcpy(frame.data() + sizeof(macs), tags.data(), tags.size());
	memcpy(frame.data() + ip_at, ip, sizeof(ip));
	frame[ip_at + 34] = 0x50;
	frame[ip_at + 35] = 0x02;
	return frame;
}

class Egress : public testing::Test
{
      protected:
	struct publish_memory memory;
	struct publish_engine engine;
	struct publish *p = nullptr;
	struct err err = {};
	struct addr real = A("10.0.0.11");
	Bytes out;
	struct lb_trace trace;

	void SetUp() override
	{
		struct lb_dims dims = publish_dims(4, 4, 1, 257, 1024);

		ASSERT_EQ(publish_memory_init(&memory, &dims, 1), 0);
		engine = publish_memory_engine(&memory);
		open();
	}

	void TearDown() override
	{
		publish_free(p);
		publish_memory_fini(&memory);
	}

	/* As a daemon does when it starts. */
	void open()
	{
		struct publish_node node = {};
		struct publish_pool_spec spec = {LB_ENCAP_IPIP, 0, 257, 0, 0};
		struct publish_member member = {real, 1, {}, false};
		struct publish_service_spec service = {};

		publish_free(p);
		ASSERT_EQ(publish_new(&engine, &p, &err), 0) << err.text;
		ASSERT_EQ(prefix_parse("192.0.2.10", &node.source4), 0);
		ASSERT_EQ(publish_node_set(p, &node, &err), 0) << err.text;
		ASSERT_EQ(publish_pool_set(p, "web", &spec, &member, 1, 1, &err), 0) << err.text;
		ASSERT_EQ(prefix_parse("203.0.113.80", &service.address), 0);
		service.protocol = 6;
		service.ports = ports_one(443);
		service.vip = service.pool = "web";
		ASSERT_EQ(publish_service_set(p, &service, &err), 0) << err.text;
	}

	int iface(uint32_t ifindex, const std::vector<uint32_t> &tags, uint32_t mtu = 1500)
	{
		struct publish_egress e = {};

		e.ifindex = ifindex;
		e.device = tags.empty() ? ifindex : ETH0;
		e.mtu = mtu;
		e.sole = true;
		e.n_tags = (uint32_t)tags.size();
		memcpy(e.mac, "\x02\0\0\0\x01", 5);
		e.mac[5] = (uint8_t)ifindex;
		for (size_t i = 0; i < tags.size() && i < LB_TAGS_MAX; i++)
			e.tags[i] = tags[i];
		return publish_egress_set(p, &e, &err);
	}

	int nexthop(uint32_t ifindex)
	{
		return publish_nexthop_set(p, &real, ifindex, REAL_MAC, &err);
	}

	std::string send(const Bytes &frame)
	{
		Bytes buf(NATIVE_HEADROOM + frame.size());
		struct native_frame f = {buf.data() + NATIVE_HEADROOM, frame.size(),
					 NATIVE_HEADROOM};
		const struct lb_moment moment = {};

		memcpy(f.data, frame.data(), frame.size());
		native_process(&memory.tables, 0, &moment, &f, &trace);
		out.assign(f.data, f.data + f.len);
		return publish_reason_name((lb_reason)trace.reason);
	}

	/* What stands between the MAC addresses and the outer IP header. */
	Bytes between() const
	{
		size_t end = 12;

		while (end + 2 < out.size() && !(out[end] == 8 && out[end + 1] == 0))
			end += 4;
		return Bytes(out.begin() + 12, out.begin() + (ptrdiff_t)end);
	}

	const struct lb_iface &used() const
	{
		uint16_t place;

		memcpy(&place, (const uint8_t *)&memory.tables.reals[trace.real].nexthop + 6, 2);
		return memory.tables.node->ifaces[place];
	}

	uint64_t writes() const
	{
		struct publish_usage u;

		publish_usage(p, &u);
		return u.writes;
	}
};

const Bytes NONE, ONE = {0x81, 0, 0, 5}, TWO = {0x88, 0xa8, 0x20, 6, 0x81, 0, 0, 7};
const Bytes EGRESS_ONE = {0x88, 0xa8, 0, 100}, EGRESS_TWO = {0x88, 0xa8, 0, 100, 0x81, 0, 0, 20};

TEST_F(Egress, FramesGetTheTagsOfTheVlanDevice)
{
	ASSERT_EQ(iface(ETH0, {}), 0);
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(iface(ETH0_100_20, {TAG_100, TAG_20}), 0);
	for (const Bytes &came : {NONE, ONE, TWO}) {
		ASSERT_EQ(nexthop(ETH0_100), 0) << err.text;
		EXPECT_EQ(send(syn(came)), "forwarded");
		EXPECT_EQ(between(), EGRESS_ONE);
		EXPECT_EQ(used().ifindex, ETH0) << "the one that sends";
		EXPECT_EQ(out[11], ETH0_100) << "source address of the VLAN device";
		ASSERT_EQ(nexthop(ETH0_100_20), 0) << err.text;
		EXPECT_EQ(send(syn(came)), "forwarded");
		EXPECT_EQ(between(), EGRESS_TWO);
		EXPECT_EQ(out[11], ETH0_100_20);
	}
}

TEST_F(Egress, FramesKeepTheirTagsWhereTheNextHopHasNone)
{
	ASSERT_EQ(iface(ETH0, {}), 0);
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(nexthop(ETH0), 0);
	for (const Bytes &came : {NONE, ONE, TWO}) {
		EXPECT_EQ(send(syn(came)), "forwarded");
		EXPECT_EQ(between(), came);
		EXPECT_EQ(out[11], ETH0);
	}
}

TEST_F(Egress, TheMtuIsTheVlanDevicesOwnAndTagsDontCount)
{
	ASSERT_EQ(iface(ETH0, {}, 9000), 0);
	ASSERT_EQ(iface(ETH0_100, {TAG_100}, 1500), 0);
	ASSERT_EQ(nexthop(ETH0_100), 0);
	EXPECT_EQ(send(syn(NONE, 1480)), "forwarded");
	EXPECT_EQ(out.size(), 18u + 1500);
	EXPECT_EQ(send(syn(NONE, 1481)), "too_big");
	ASSERT_EQ(nexthop(ETH0), 0);
	EXPECT_EQ(send(syn(NONE, 1481)), "forwarded");
}

TEST_F(Egress, SettingWhatIsSetWritesNothing)
{
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(nexthop(ETH0_100), 0);
	uint64_t before = writes();
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(nexthop(ETH0_100), 0);
	EXPECT_EQ(writes(), before);
}

TEST_F(Egress, ARestartAdoptsWithoutAWrite)
{
	ASSERT_EQ(iface(ETH0, {}), 0);
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(nexthop(ETH0_100), 0);
	open();
	EXPECT_EQ(send(syn(NONE)), "forwarded") << "while nobody has set the next hop yet";
	ASSERT_EQ(nexthop(ETH0_100), -ENODEV) << "and numbers mean what this writer was told";
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(iface(ETH0, {}), 0);
	ASSERT_EQ(nexthop(ETH0_100), 0);
	EXPECT_EQ(writes(), 0u);
	EXPECT_EQ(send(syn(NONE)), "forwarded");
	EXPECT_EQ(between(), EGRESS_ONE);
}

TEST_F(Egress, ADeviceMadeAnewTakesNoNewPlace)
{
	for (uint32_t number = 100; number < 100 + 3 * LB_IFACES_MAX; number++) {
		ASSERT_EQ(iface(number, {TAG_100}), 0) << err.text;
		ASSERT_EQ(nexthop(number), 0);
		EXPECT_EQ(nexthop(number - 1), -ENODEV) << "the old number is nobody's";
	}
	EXPECT_EQ(send(syn(NONE)), "forwarded");
	EXPECT_EQ(between(), EGRESS_ONE);
}

TEST_F(Egress, ANumberThatIsAnotherDeviceNowBringsItsTags)
{
	ASSERT_EQ(iface(ETH0_100, {TAG_100}), 0);
	ASSERT_EQ(nexthop(ETH0_100), 0);
	ASSERT_EQ(iface(ETH0_100, {TAG_20}), 0);
	EXPECT_EQ(send(syn(NONE)), "forwarded");
	EXPECT_EQ(between(), EGRESS_ONE) << "until the next hop is set anew";
	ASSERT_EQ(nexthop(ETH0_100), 0);
	EXPECT_EQ(send(syn(NONE)), "forwarded");
	EXPECT_EQ(between(), (Bytes{0x81, 0, 0, 20}));
}

TEST_F(Egress, TooManyAreRefused)
{
	EXPECT_EQ(iface(ETH0_100, {1, 2, 3}), -EINVAL);
	EXPECT_STREQ(err.text, "more than 2 VLAN tags");
	for (uint32_t id = 1; id < LB_IFACES_MAX; id++)
		ASSERT_EQ(iface(100 + id, {0x81000000 | id}), 0) << err.text;
	EXPECT_EQ(iface(ETH0, {}), -ENOSPC);
	EXPECT_STREQ(err.text, "more than 63 interfaces");
}

} // namespace
